"""The rows of one fold as kernels of trees take them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from planner.ops import Fit


@dataclass(frozen=True)
class Rows:
    """What a kernel is given: matrices (n, p) of float64, a target (n,), weights (n,) or None.

    For classification `y` holds the places of the values among `classes`. Columns `categorical`
    hold categories by number, from 0; those of them that are `ordered` in their order.
    """

    train: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    valid: np.ndarray
    classes: np.ndarray | None
    threads: int
    categorical: tuple[int, ...] = ()
    ordered: tuple[int, ...] = ()


# Predictions of each fit: (n_valid,), or probabilities (n_valid, classes).
Kernel = Callable[[Sequence[Fit], Rows], list[np.ndarray] | str]
