"""How a parity case is written: a spec for the engine, and the same in plain library code."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from tests.oracle import Reference, Split

Write = Callable[[pd.DataFrame], Reference]

EXACT = 1e-9
ITERATIVE = 1e-6  # the library itself stops at a tolerance


@dataclass(frozen=True)
class Case:
    """A pipeline spec, and the reference for its data set."""

    name: str
    spec: dict[str, Any]
    write: Write
    tolerance: float


@dataclass
class Batch:
    """Pipelines that are sent together.

    `splits` gives the row positions of the folds of a reference.
    """

    name: str
    evaluate: dict[str, Any]
    splits: Callable[[Reference], Iterable[Split]]
    positive: Any = None
    cases: list[Case] = field(default_factory=list)

    def case(
        self,
        dataset: str,
        target: str | dict[str, str],
        model: Any,
        metrics: list[Any],
        tolerance: float = EXACT,
        **spec: Any,
    ) -> Callable[[Write], Write]:
        """Registers the decorated reference under its function's name."""

        def register(write: Write) -> Write:
            name = write.__name__
            assert all(case.name != name for case in self.cases), name
            full = {"name": name, "dataset": dataset, "target": target, "model": model,
                    "metrics": metrics, **spec}  # fmt: skip
            self.cases.append(Case(name, full, write, tolerance))
            return write

        return register


def matches(found: dict[str, Any], wanted: list[float], tolerance: float) -> None:
    """Folds, mean and (population) standard deviation are those of the reference."""
    np.testing.assert_allclose(found["folds"], wanted, rtol=tolerance, atol=1e-12)
    np.testing.assert_allclose(found["mean"], np.mean(wanted), rtol=tolerance, atol=1e-12)
    # A difference of nearly equal values has no relative precision.
    slack = tolerance * (1 + float(np.max(np.abs(wanted))))
    np.testing.assert_allclose(found["std"], np.std(wanted), rtol=0, atol=slack)
