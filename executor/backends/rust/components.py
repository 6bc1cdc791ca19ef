"""Linear models on principal components by their kernel.

Input: ops that a planner rule made for it. Output: what the Python backend would give. Where the
kernel declines a model of a fold (components too close to be told apart, a randomised solver),
the libraries fit that model.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

import rust_exec
from executor.backends.base import Context
from executor.backends.components import library_answers
from executor.backends.linear import Answer, Answers, parts
from executor.backends.rust.linear import asked, dense_numeric, given_back, numeric
from executor.backends.rust.linear_design import matrix
from executor.backends.sides import sides, training_target
from planner.expressions import Call, param
from planner.graph import Op
from planner.ops_components import ComponentFolds, ComponentPath

# Of one fold and the members that the kernel was asked for: predictions, (n_valid, members), and
# why a member was declined.
_Found = tuple[np.ndarray, Sequence[str | None]]


def _component_folds(op: ComponentFolds, inputs: Sequence[Any], context: Context) -> list[Answers]:
    (features,), folds, targets = parts(op, inputs)
    y, columns = numeric(targets)
    order = _order(op, columns)

    def kernel() -> list[_Found]:
        x = matrix(features)
        result = rust_exec.component_folds(
            x,
            y,
            [train for train, _ in folds],
            [valid for _, valid in folds],
            _members(op, order, x.shape[1]),
            targets=_targets(op, order, columns),
            impute=op.impute,
            scale=op.scale,
            whiten=_whiten(op),
            solver=_solver(op),
            threads=context.threads,
        )
        return list(zip(result.predictions, result.declined, strict=True))

    found: Sequence[_Found | None] = [None] * len(folds)
    if order:
        found = asked(kernel, "components") or found
    return [
        _answers(op, order, one, inputs, replace(context, fold=fold))
        for fold, one in enumerate(found)
    ]


def _component_path(op: ComponentPath, inputs: Sequence[Any], context: Context) -> Answers:
    (features,), folds, targets = parts(op, inputs)
    train, valid = sides(features, folds, context)
    y, columns = numeric(targets)
    order = _order(op, columns)
    if not (dense_numeric(train) and dense_numeric(valid) and order):
        return library_answers(op, inputs, context)

    def kernel() -> list[_Found]:
        result = rust_exec.component_path(
            matrix(train),
            training_target(y, folds, context),
            matrix(valid),
            _members(op, order, train.shape[1]),
            targets=_targets(op, order, columns),
            whiten=_whiten(op),
            solver=_solver(op),
            threads=context.threads,
        )
        return [(result.predictions, result.declined)]

    found = asked(kernel, "components")
    return _answers(op, order, found[0] if found else None, inputs, context)


def _order(op: ComponentFolds | ComponentPath, columns: Mapping[int, int]) -> list[int]:
    """Positions of the members that the kernel is asked for: those whose targets have `columns`."""
    return [place for place, member in enumerate(op.members) if member.target in columns]


def _members(op: ComponentFolds | ComponentPath, order: Sequence[int], columns: int) -> np.ndarray:
    """(m, 2): components, or their share of the variance, and penalty."""
    members = [op.members[position] for position in order]
    rows = [
        # All components are as many as columns; with fewer rows, the kernel declines.
        (columns if member.size is None else member.size, _alpha(member.estimator))
        for member in members
    ]
    return np.array(rows, dtype=np.float64)


def _targets(
    op: ComponentFolds | ComponentPath, order: Sequence[int], columns: Mapping[int, int]
) -> np.ndarray:
    return np.array([columns[op.members[place].target] for place in order], dtype=np.int64)


def _alpha(model: Call) -> float:
    alpha = 0.0 if model.name == "LinearRegression" else param(model, "alpha", 1.0)
    assert isinstance(alpha, int | float)
    return float(alpha)


def _whiten(op: ComponentFolds | ComponentPath) -> bool:
    return param(op.transformer, "whiten", False) is True


def _solver(op: ComponentFolds | ComponentPath) -> str:
    return str(param(op.transformer, "svd_solver", "auto"))


def _answers(
    op: ComponentFolds | ComponentPath,
    order: Sequence[int],
    found: _Found | None,
    inputs: Sequence[Any],
    context: Context,
) -> Answers:
    """The kernel's answers of one fold, and the libraries' for the members it declined."""
    answers: Answers = {}
    reasons: dict[int, str] = {}
    if found is not None:
        values, declined = found
        for column, (position, reason) in enumerate(zip(order, declined, strict=True)):
            if reason is not None:
                reasons[position] = reason
                continue
            member = op.members[position]
            function, name = op.functions[member.target], member.estimator.name
            answers[position] = Answer(given_back(function, values[:, column], name))
    left = [position for position in range(len(op.members)) if position not in answers]
    if left:
        for position, answer in library_answers(op, inputs, context, left).items():
            answers[position] = replace(answer, declined=reasons.get(position, "failed"))
    return answers


RUN: dict[type[Op], Callable[[Any, Sequence[Any], Context], Any]] = {
    ComponentFolds: _component_folds,
    ComponentPath: _component_path,
}
