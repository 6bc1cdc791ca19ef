"""The linear family: least squares, ridge, lasso and elastic nets of the same rows, as one op.

All of them are functions of the second moments of the training rows, so one pass over the rows
serves every member, whatever its target. `planner.rules.linear` says which fits are members.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from planner.expressions import Call
from planner.graph import Op, Plane, Role

# Parameters that change neither the solution nor, in a fresh model, the way to it.
_NEUTRAL = frozenset({"fit_intercept", "copy_X", "random_state", "warm_start"})
_RIDGE = _NEUTRAL | {"alpha", "max_iter", "tol", "solver", "positive"}
_NET = _NEUTRAL | {"alpha", "l1_ratio", "max_iter", "tol", "positive", "selection", "precompute"}
# Iterative solvers of Ridge stop at a tolerance, and "svd" drops small directions.
_DIRECT = ("auto", "cholesky")


@dataclass(frozen=True)
class Closed:
    """Ridge with this penalty; least squares if it is 0."""

    alpha: float


@dataclass(frozen=True)
class Net:
    """An elastic net with an l1 part, by cyclic coordinate descent from zero."""

    alpha: float
    l1_ratio: float
    tol: float
    max_iter: int


def solver_of(call: Call) -> Closed | Net | None:
    """How the family solves `call`; None if it does not serve it.

    Not served: nonnegative coefficients, random selection of coordinates, ``alpha=0`` of Ridge,
    Lasso and ElasticNet (scikit-learn warns of it, and singular designs differ), ``l1_ratio=0``,
    and a ``tol`` of LinearRegression, which says what counts as singular.
    """
    params = dict(call.params)
    if params.get("positive", False) is not False:
        return None
    if not isinstance(params.get("fit_intercept", True), bool):
        return None
    match call.name:
        case "LinearRegression":
            return Closed(0.0) if params.keys() <= _NEUTRAL | {"positive", "n_jobs"} else None
        case "Ridge":
            alpha = _number(params, "alpha", 1.0)
            direct = params.keys() <= _RIDGE and params.get("solver", "auto") in _DIRECT
            return Closed(alpha) if direct and alpha is not None and alpha > 0 else None
        case "Lasso":
            return _net(params, 1.0) if params.keys() <= _NET - {"l1_ratio"} else None
        case "ElasticNet":
            return _net(params, 0.5) if params.keys() <= _NET else None
    return None


def _net(params: dict[str, Any], l1_ratio: float) -> Net | None:
    alpha, ratio = _number(params, "alpha", 1.0), _number(params, "l1_ratio", l1_ratio)
    tol, rounds = _number(params, "tol", 1e-4), params.get("max_iter", 1000)
    if params.get("selection", "cyclic") != "cyclic":
        return None
    if not isinstance(params.get("precompute", False), bool):
        return None
    if not isinstance(rounds, int) or isinstance(rounds, bool) or not 0 < rounds < 10**9:
        return None
    if alpha is None or alpha <= 0 or ratio is None or not 0 < ratio <= 1 or tol is None:
        return None
    return Net(alpha, ratio, tol, rounds)


def _number(params: dict[str, Any], name: str, usual: float) -> float | None:
    value = params.get(name, usual)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < float("inf") else None


def has_intercept(call: Call) -> bool:
    """Whether a member fits an intercept; all members of a family do, or none."""
    return dict(call.params).get("fit_intercept", True) is True


@dataclass(frozen=True)
class LinearMember:
    """One model of a group; `target` is the position of its target among the group's."""

    estimator: Call
    target: int = 0


@dataclass(frozen=True)
class LinearFolds(Op):
    """Linear models of all folds from shared second moments of raw columns.

    Equals ``make_pipeline([SimpleImputer()], [StandardScaler()], member)`` per fold and member.
    Inputs: a whole feature block, folds, targets. `functions` name the element-wise transform of
    each target that predictions undo. Value: per fold what LinearPath gives.
    """

    members: tuple[LinearMember, ...]
    impute: bool
    scale: bool
    functions: tuple[str | None, ...] = (None,)
    plane: ClassVar[Plane] = Plane.WHOLE
    role: ClassVar[Role] = Role.FIT

    @property
    def optional(self) -> int:
        return len(self.functions)

    @property
    def label(self) -> str:
        front = "impute, " * self.impute + "scale, " * self.scale
        return f"{front}{_listed(self)} over all folds from shared moments"

    @cached_property
    def subject(self) -> str:
        return _names(self.members)


@dataclass(frozen=True)
class LinearBlocks(Op):
    """Linear models of all folds from shared second moments of columns under several encoders.

    Equals a ColumnTransformer of `blocks` in front of each member, per fold. A block is columns
    and the transformers that they pass through, in order: numbers under an imputer and a scaler,
    or categories under OneHotEncoder. `sparse_threshold` is that of a Concat. Inputs: the columns
    of each block, folds, targets. Value: per fold what LinearPath gives.
    """

    members: tuple[LinearMember, ...]
    blocks: tuple[tuple[Call, ...], ...]
    functions: tuple[str | None, ...] = (None,)
    sparse_threshold: float | None = None
    plane: ClassVar[Plane] = Plane.WHOLE
    role: ClassVar[Role] = Role.FIT

    @property
    def optional(self) -> int:
        return len(self.functions)

    @property
    def label(self) -> str:
        steps = dict.fromkeys(call.name for block in self.blocks for call in block)
        front = f"{', '.join(steps)}; " if steps else ""
        return f"{front}{_listed(self)} over all folds from shared moments"

    @cached_property
    def subject(self) -> str:
        return _names(self.members)


@dataclass(frozen=True)
class LinearPath(Op):
    """Linear models of one encoded matrix per fold, from its second moments.

    Inputs: features, folds, targets. Value per fold: predictions on the validation rows by
    member, or what a member failed with.
    """

    members: tuple[LinearMember, ...]
    functions: tuple[str | None, ...] = (None,)
    plane: ClassVar[Plane] = Plane.FOLD
    role: ClassVar[Role] = Role.FIT

    @property
    def optional(self) -> int:
        return len(self.functions)

    @property
    def label(self) -> str:
        return f"{_listed(self)} from shared moments"

    @cached_property
    def subject(self) -> str:
        return _names(self.members)


def _listed(op: LinearFolds | LinearBlocks | LinearPath) -> str:
    counts = Counter(member.estimator.name for member in op.members)
    models = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    targets = len(op.functions)
    return models if targets == 1 else f"{models} of {targets} targets"


def _names(members: Sequence[LinearMember]) -> str:
    return ", ".join(sorted({member.estimator.name for member in members}))
