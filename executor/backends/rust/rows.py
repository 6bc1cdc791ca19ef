"""The rows of one fold as kernels of trees take them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from planner.ops import Fit

_PART = 1 << 20  # bytes of rows that are looked at together


@dataclass(frozen=True)
class Side:
    """Rows of a matrix `x` (m, p) of float64 by their numbers, int64; all of them if None."""

    x: np.ndarray
    rows: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x if self.rows is None else self.rows)

    @property
    def width(self) -> int:
        return int(self.x.shape[1])

    def column(self, place: int) -> np.ndarray:
        """(n,)"""
        return self.x[:, place] if self.rows is None else self.x[self.rows, place]

    def copy(self) -> np.ndarray:
        """(n, p)"""
        return self.x.copy() if self.rows is None else self.x[self.rows]

    def having(self, what: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """By column, (p,), whether `what` is true of any of its values."""
        found = np.zeros(self.width, dtype=bool)
        for part in self._parts():
            found |= what(part).any(axis=0)
        return found

    def _parts(self) -> Iterator[np.ndarray]:
        step = max(_PART // (8 * max(self.width, 1)), 1)
        for start in range(0, len(self), step):
            part = slice(start, start + step)
            yield self.x[part if self.rows is None else self.rows[part]]


@dataclass(frozen=True)
class Rows:
    """What a kernel is given: both sides of a fold, a target (n,), weights (n,) or None.

    For classification `y` holds the places of the values among `classes`. Columns `categorical`
    hold categories by number, from 0; those of them that are `ordered` in their order.
    """

    train: Side
    y: np.ndarray
    weight: np.ndarray | None
    valid: Side
    classes: np.ndarray | None
    threads: int
    categorical: tuple[int, ...] = ()
    ordered: tuple[int, ...] = ()


# Predictions of each fit: (n_valid,), or probabilities (n_valid, classes).
Kernel = Callable[[Sequence[Fit], Rows], list[np.ndarray] | str]
