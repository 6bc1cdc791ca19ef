"""Expected seconds and bytes of an op at one thread.

Input: an op and the shape of its data. Output: rough estimates. They order the work, admit it
against the memory budget, and are shown to agents as estimates; nothing else depends on them.
"""

from dataclasses import dataclass

from planner.expressions import Call
from planner.graph import Op
from planner.ops import Apply, Concat, Encode, Fit, Materialise, RidgeFolds, RidgePath


@dataclass(frozen=True)
class Shape:
    """Rows and columns of the data a task works on."""

    rows: int
    columns: int

    @property
    def cells(self) -> int:
        return self.rows * self.columns


# Seconds per cell and iteration (one thread of a recent server core), by what dominates.
# Trees and boosting: histogram work per round; linear: one pass per solver iteration.
_PER_CELL = {
    "Ridge": 2e-8,
    "LinearRegression": 5e-8,
    "Lasso": 2e-7,
    "ElasticNet": 2e-7,
    "LogisticRegression": 5e-7,
    "SVC": 2e-5,
    "SVR": 2e-5,
    "MLPClassifier": 5e-5,
    "MLPRegressor": 5e-5,
}
_ROUNDS = {"n_estimators": 100, "max_iter": 100, "iterations": 1000}
_PER_ROUND = 6e-9
_PER_TREE = 2.5e-7


def seconds_of(op: Op, shape: Shape) -> float:
    """Expected seconds of `op` for one fold (or once, for ops over all rows)."""
    match op:
        case Fit():
            return _fit(op.estimator, shape)
        case Materialise():
            return 0.005 + shape.cells * 2e-8
        case Encode():
            return 0.002 + shape.cells * (3e-7 if op.supervised else 1e-7)
        case Concat() | Apply():
            return 0.0005 + shape.cells * 1e-8
        case RidgeFolds():
            return 0.002 + shape.cells * shape.columns * 4e-10
        case RidgePath():
            return 0.001 + shape.cells * shape.columns * 4e-10
        case _:
            return 0.0002


def _fit(call: Call, shape: Shape) -> float:
    params = dict(call.params)
    if call.name in _PER_CELL:
        return 0.002 + shape.cells * _PER_CELL[call.name]
    for name, usual in _ROUNDS.items():
        given = params.get(name)
        if isinstance(given, int) or name in ("n_estimators",):
            rounds = given if isinstance(given, int) else usual
            forest = "Forest" in call.name or "Trees" in call.name or "Bagging" in call.name
            return 0.01 + shape.cells * rounds * (_PER_TREE if forest else _PER_ROUND)
    return 0.005 + shape.cells * 1e-6


def bytes_of(op: Op, shape: Shape) -> int:
    """Expected peak bytes above the inputs (which are memory-mapped)."""
    match op:
        case Fit() | Encode() | Concat():
            return shape.cells * 16
        case Materialise():
            return shape.cells * 24
        case _:
            return shape.cells * 2
