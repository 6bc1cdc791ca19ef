"""The linear family by the libraries, model by model: the reference of the kernel.

Input: a family and what a Fit reads. Output: what its members predict, or failed with.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from executor.backends.base import Context
from executor.backends.sides import sides, training_target
from executor.construct import construct
from executor.failures import describe_failure
from executor.features import concatenate, same_categories
from executor.models import fit_model, predict
from executor.sharing import refused_write
from planner.errors import StratumError
from planner.expressions import Call
from planner.graph import Op
from planner.ops import Encode, Fit, Member
from planner.ops_linear import LinearBlocks, LinearFolds, LinearPath

Note = tuple[type[Warning], str]


@dataclass(frozen=True)
class Answer:
    """What one member gives on the validation rows of one fold: (n_valid,) predictions on the
    scale of the target as given, or an error; what its library warned of; and why a kernel left
    it to the library, if one did."""

    predictions: np.ndarray | StratumError
    notes: tuple[Note, ...] = ()
    declined: str | None = None


Answers = dict[int, Answer]  # by position among the members
Family = LinearBlocks | LinearFolds | LinearPath


def parts(op: Op, inputs: Sequence[Any]) -> tuple[Sequence[Any], Any, Sequence[Any]]:
    """The feature blocks, the folds and the targets of a group; a target that could not be made is
    the error in its place."""
    first = len(inputs) - op.optional
    return inputs[: first - 1], inputs[first - 1], inputs[first:]


def library_answers(
    op: Family,
    inputs: Sequence[Any],
    context: Context,
    wanted: Iterable[int] | None = None,
) -> Answers:
    """The answers of the `wanted` members (all if None) on one fold, as a script would have it.

    A member's failure is its own; what its features fail with is raised.
    """
    blocks, folds, targets = parts(op, inputs)
    train, valid = _features(op, blocks, folds, context)
    found: Answers = {}
    for position in range(len(op.members)) if wanted is None else wanted:
        member = op.members[position]
        target = targets[member.target]
        if isinstance(target, StratumError):
            found[position] = Answer(target)
            continue
        y = training_target(target, folds, context)
        single = Fit(member.estimator, "regression", op.functions[member.target])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            predictions = _alone(single, train, y, valid)
        notes = tuple((warning.category, str(warning.message)) for warning in caught)
        found[position] = Answer(predictions, notes)
    return found


def _features(op: Family, blocks: Sequence[Any], folds: Any, context: Context) -> tuple[Any, Any]:
    """Training and validation features, encoded step by step."""
    pairs = [sides(block, folds, context) for block in blocks]
    if isinstance(op, LinearPath):
        return pairs[0]
    if isinstance(op, LinearFolds):
        front = [Call("SimpleImputer")] * op.impute + [Call("StandardScaler")] * op.scale
        return _encoded(pairs[0], front)
    done = [_encoded(pair, calls) for pair, calls in zip(pairs, op.blocks, strict=True)]
    train, sparse = concatenate([pair[0] for pair in done], op.sparse_threshold)
    valid, _ = concatenate([pair[1] for pair in done], op.sparse_threshold, sparse)
    return same_categories(train, valid)


def _encoded(pair: tuple[Any, Any], calls: Iterable[Call]) -> tuple[Any, Any]:
    train, valid = pair
    for call in calls:
        try:
            transformer = construct(call)
            train = transformer.fit_transform(train)
            valid = transformer.transform(valid)
        except (StratumError, MemoryError):
            raise
        except Exception as error:
            if refused_write(error):
                raise
            # What failed is the step, not the models behind it.
            raise describe_failure(Encode(call, False), error) from error
    return train, valid


def _alone(op: Fit, train: Any, y: np.ndarray, valid: Any) -> np.ndarray | StratumError:
    try:
        model = fit_model(op, train, y, None, valid, None, None)
        return predict(model, ("predict",))[0]
    except StratumError as error:
        return error
    except MemoryError:
        raise
    except Exception as error:
        if refused_write(error):
            raise  # all is run again, on copies
        return describe_failure(op, error)


def _folds(
    op: LinearBlocks | LinearFolds, inputs: Sequence[Any], context: Context
) -> list[Answers]:
    _, folds, _ = parts(op, inputs)
    count = len(folds)
    return [library_answers(op, inputs, replace(context, fold=fold)) for fold in range(count)]


def _path(op: LinearPath, inputs: Sequence[Any], context: Context) -> Answers:
    return library_answers(op, inputs, context)


def _member(op: Member, inputs: Sequence[Any], context: Context) -> Any:
    """The answer of one member, with its warnings and errors, as a Predict gives it."""
    group = inputs[0]
    answers: Answers = group[context.position] if isinstance(group, list) else group
    answer = answers[op.index]
    for category, message in answer.notes:
        warnings.warn(message, category, stacklevel=2)
    if isinstance(answer.predictions, StratumError):
        raise answer.predictions
    return answer.predictions, "predict", None


RUN: dict[type[Op], Callable[[Any, Sequence[Any], Context], Any]] = {
    LinearBlocks: _folds,
    LinearFolds: _folds,
    LinearPath: _path,
    Member: _member,
}
