"""The linear family by its kernel.

Input: ops that a planner rule made for it. Output: what the Python backend would give. Where
the kernel declines a model of a fold (an ill-conditioned design, a stopping test too close to
call), scikit-learn fits that model.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

import rust_exec
from executor.backends.base import Context
from executor.backends.linear import Answer, Answers, Family, Note, library_answers, parts
from executor.backends.rust import linear_design
from executor.backends.sides import sides, training_target
from executor.models import inverse
from planner.errors import ExecutionError, StratumError
from planner.graph import Op
from planner.ops_linear import (
    Closed,
    LinearBlocks,
    LinearFolds,
    LinearPath,
    Net,
    has_intercept,
    solver_of,
)

T = TypeVar("T")

# More encoded columns than this per model, and summing their products costs more than the
# library's coordinate descent does.
_COLUMNS_PER_NET = 100


@dataclass(frozen=True)
class _Members:
    """The members as the kernel takes them: closed forms, then nets."""

    order: tuple[int, ...]  # position among the op's members, by position in the kernel's
    alphas: np.ndarray  # (a,)
    nets: np.ndarray  # (m, 4): alpha, l1_ratio, tol, max_iter
    targets: np.ndarray  # (m,) columns of the targets

    @classmethod
    def of(cls, op: Family, columns: Mapping[int, int]) -> "_Members":
        """Those whose targets have `columns`."""
        closed: list[tuple[int, float]] = []
        nets: list[tuple[int, Net]] = []
        for position, member in enumerate(op.members):
            if member.target not in columns:
                continue
            match solver_of(member.estimator):
                case Closed(alpha):
                    closed.append((position, alpha))
                case Net() as net:
                    nets.append((position, net))
                case None:
                    raise ValueError(f"{member.estimator.name} is no member of the family")
        rows = [(net.alpha, net.l1_ratio, net.tol, net.max_iter) for _, net in nets]
        order = [position for position, _ in [*closed, *nets]]
        targets = [columns[op.members[position].target] for position in order]
        return cls(
            tuple(order),
            np.array([alpha for _, alpha in closed], dtype=np.float64),
            np.array(rows, dtype=np.float64).reshape(-1, 4),
            np.array(targets, dtype=np.int64),
        )


@dataclass(frozen=True)
class _Found:
    """What the kernel gives for one fold, by its order of the members."""

    predictions: np.ndarray  # (n_valid, members)
    descent: np.ndarray  # (members, 3): rounds, duality gap, tolerance; NaN for closed forms
    declined: Sequence[str | None]


def _linear_folds(op: LinearFolds, inputs: Sequence[Any], context: Context) -> list[Answers]:
    (features,), folds, targets = parts(op, inputs)
    y, columns = numeric(targets)
    family = _Members.of(op, columns)

    def kernel() -> list[_Found]:
        result = rust_exec.linear_folds(
            linear_design.matrix(features),
            y,
            [train for train, _ in folds],
            [valid for _, valid in folds],
            family.alphas,
            family.nets,
            targets=family.targets,
            impute=op.impute,
            scale=op.scale,
            fit_intercept=has_intercept(op.members[0].estimator),
            threads=context.threads,
        )
        return _by_fold(result)

    found: Sequence[_Found | None] = [None] * len(folds)
    if family.order:
        found = asked(kernel, "linear models") or found
    return [
        _answers(op, family, one, inputs, replace(context, fold=fold))
        for fold, one in enumerate(found)
    ]


def _linear_blocks(op: LinearBlocks, inputs: Sequence[Any], context: Context) -> list[Answers]:
    blocks, folds, targets = parts(op, inputs)
    y, columns = numeric(targets)
    family = _Members.of(op, columns)
    design = linear_design.of(op, blocks, folds)

    def kernel() -> list[_Found]:
        assert design is not None
        result = rust_exec.linear_folds(
            design.x,
            y,
            [train for train, _ in folds],
            [valid for _, valid in folds],
            family.alphas,
            family.nets,
            targets=family.targets,
            impute=design.fills is not None,
            fit_intercept=has_intercept(op.members[0].estimator),
            threads=context.threads,
            categories=design.categories,
            order=design.order,
            fills=design.fills,
            divisors=design.divisors,
        )
        return _by_fold(result)

    found: Sequence[_Found | None] = [None] * len(folds)
    if design is not None and any(design.served) and family.order:
        found = asked(kernel, "linear models") or found
    answers: list[Answers] = []
    for fold, one in enumerate(found):
        served = one if design is not None and design.served[fold] else None
        answers.append(_answers(op, family, served, inputs, replace(context, fold=fold)))
        if design is not None and served is not None:
            _add_notes(answers[-1], design.notes[fold])
    return answers


def _add_notes(answers: Answers, notes: tuple[Note, ...]) -> None:
    """What the encoders warn of; where the library answered, it has warned itself."""
    for position, answer in answers.items():
        if answer.declined is None:
            answers[position] = replace(answer, notes=(*notes, *answer.notes))


def _linear_path(op: LinearPath, inputs: Sequence[Any], context: Context) -> Answers:
    (features,), folds, targets = parts(op, inputs)
    train, valid = sides(features, folds, context)
    y, columns = numeric(targets)
    family = _Members.of(op, columns)
    dense = dense_numeric(train) and dense_numeric(valid)
    if not (dense and family.order) or _too_wide(train, family):
        return library_answers(op, inputs, context)

    def kernel() -> list[_Found]:
        result = rust_exec.linear_path(
            linear_design.matrix(train),
            training_target(y, folds, context),
            linear_design.matrix(valid),
            family.alphas,
            family.nets,
            targets=family.targets,
            fit_intercept=has_intercept(op.members[0].estimator),
            threads=context.threads,
        )
        return [_Found(result.predictions, result.descent, result.declined)]

    found = asked(kernel, "linear models")
    return _answers(op, family, found[0] if found else None, inputs, context)


def _by_fold(result: rust_exec.LinearFolds) -> list[_Found]:
    found = zip(result.predictions, result.descent, result.declined, strict=True)
    return [_Found(*one) for one in found]


def numeric(targets: Sequence[Any]) -> tuple[np.ndarray, dict[int, int]]:
    """Those of `targets` that are numbers, (n, t), and the column of each by its position. The
    libraries say what is wrong with the others."""
    found: list[np.ndarray] = []
    columns: dict[int, int] = {}
    for position, target in enumerate(targets):
        if isinstance(target, StratumError):
            continue
        with suppress(TypeError, ValueError):
            found.append(np.asarray(target, dtype=np.float64))
            columns[position] = len(found) - 1
    # One is not copied, and several lie one after the other.
    return (found[0][:, None] if len(found) == 1 else np.array(found, ndmin=2).T), columns


def asked(kernel: Callable[[], T], name: str) -> T | None:
    """What the kernel of `name` answers; None if it fails, for then the library may not."""
    try:
        return kernel()
    except (rust_exec.KernelInputError, rust_exec.KernelInternalError) as error:
        text = f"The kernel of {name} failed ({error.code})."
        warnings.warn(text, RuntimeWarning, stacklevel=2)
        return None


def _answers(
    op: Family,
    family: _Members,
    found: _Found | None,
    inputs: Sequence[Any],
    context: Context,
) -> Answers:
    """The kernel's answers of one fold, and the library's for the members it declined."""
    answers: Answers = {}
    reasons: dict[int, str] = {}
    if found is not None:
        for column, position in enumerate(family.order):
            reason = found.declined[column]
            if reason is not None:
                reasons[position] = reason
                continue
            member = op.members[position]
            function, name = op.functions[member.target], member.estimator.name
            answers[position] = Answer(
                given_back(function, found.predictions[:, column], name),
                _notes(found.descent[column], family, column),
            )
    left = [position for position in range(len(op.members)) if position not in answers]
    if left:
        for position, answer in library_answers(op, inputs, context, left).items():
            answers[position] = replace(answer, declined=reasons.get(position, "failed"))
    return answers


def _notes(descent: np.ndarray, family: _Members, column: int) -> tuple[Note, ...]:
    """scikit-learn's own warning, where its solver stops short of the tolerance."""
    _, gap, tolerance = descent
    if column < len(family.alphas) or gap <= tolerance:
        return ()
    from sklearn.exceptions import ConvergenceWarning

    text = (
        "Objective did not converge. You might want to increase the number of iterations, check "
        "the scale of the features or consider increasing regularisation. "
        f"Duality gap: {gap:.6e}, tolerance: {tolerance:.3e}"
    )
    return ((ConvergenceWarning, text),)


def _too_wide(block: np.ndarray, family: _Members) -> bool:
    return not family.alphas.size and block.shape[1] > _COLUMNS_PER_NET * len(family.nets)


def dense_numeric(block: Any) -> bool:
    """Sparse designs go to an iterative solver in scikit-learn; object arrays may not convert;
    float32 is solved in float32 there."""
    return isinstance(block, np.ndarray) and block.dtype.kind in "biuf" and block.dtype != "f4"


def given_back(function: str | None, values: np.ndarray, name: str) -> np.ndarray | StratumError:
    """A member's predictions, (n_valid,), on the scale of the target as given; the error where
    they leave what a float holds. Those of the kernel itself are finite: it declines others."""
    if function is None:
        return values
    with np.errstate(over="ignore"):
        values = inverse(function, values)
    bad = int(values.size - np.isfinite(values).sum())
    if not bad:
        return values
    return ExecutionError(
        "non_finite_predictions",
        f"'{name}' gave {bad} predictions that are NaN or infinite.",
        hint="Scale the features, or use a tamer target transform.",
    )


RUN: dict[type[Op], Callable[[Any, Sequence[Any], Context], Any]] = {
    LinearBlocks: _linear_blocks,
    LinearFolds: _linear_folds,
    LinearPath: _linear_path,
}
