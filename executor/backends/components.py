"""Linear models on the first components of one decomposition.

Input: a `ComponentModels`, a decomposition, features, folds and target. Output: predictions per
member, from the Gram matrix of the scores of the largest PCA, whose leading blocks are those of
the smaller ones. Where that would lose digits (components of next to no variance), or the
library decomposes otherwise, a member is what its two library models make of it.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.linalg

from executor.backends.base import Context
from executor.backends.decompositions import projected, solver
from executor.backends.sides import training_target
from executor.failures import describe_failure
from executor.models import FittedModel, inverse, predict
from executor.sharing import refused_write
from planner.errors import StratumError
from planner.expressions import Call, param, with_params
from planner.graph import Op
from planner.ops import Encode, Fit
from planner.ops_components import ComponentMember, ComponentModels
from planner.ops_encodings import Components

Run = Callable[[Any, Sequence[Any], Context], Any]
Answers = tuple[np.ndarray | StratumError, ...]

# Squares of singular values, greatest to least: beyond this the normal equations lose digits.
_RANGE = 1e6
# Distance of the mean from the origin, in lengths of the least component: beyond this, digits are
# lost where the mean is taken off.
_FAR = 1e5


def table(
    encode: Callable[[Encode, Sequence[Any], Context], Any],
    fit: Callable[[Fit, Sequence[Any], Context], FittedModel],
) -> dict[type[Op], Run]:
    """What runs the ops of this file, where the arguments run a single Encode and a Fit."""

    def run(op: ComponentModels, inputs: Sequence[Any], context: Context) -> Answers:
        shared, features, folds, target = inputs
        pairs: dict[int, Any] = {}

        def encoded(size: int, encoding: Encode) -> Any:
            if size not in pairs:
                part = Components(encoding.transformer)
                pair = projected(part, (shared, features, folds), context)
                pairs[size] = pair or encode(encoding, (features, folds), context)
            return pairs[size]

        def alone(size: int, call: Call) -> np.ndarray | StratumError:
            encoding = Encode(with_params(op.transformer, n_components=size), False)
            fitting = Fit(call, "regression", op.function)
            step: Op = encoding
            try:
                pair = encoded(size, encoding)
                step = fitting
                return predict(fit(fitting, (pair, folds, target), context), ("predict",))[0]
            except StratumError as error:
                return error
            except MemoryError:
                raise
            except Exception as error:
                if refused_write(error):
                    raise  # all is run again, on copies
                return describe_failure(step, error)

        together = _together(op, inputs, context)
        return tuple(
            together[member] if member in together else alone(*member) for member in op.members
        )

    return {ComponentModels: run, ComponentMember: _member}


def _member(op: ComponentMember, inputs: Sequence[Any], context: Context) -> Any:
    answer = inputs[0][op.index]
    if isinstance(answer, StratumError):
        raise answer
    return answer, "predict", None


def _together(
    op: ComponentModels, inputs: Sequence[Any], context: Context
) -> dict[tuple[int, Call], np.ndarray]:
    """Predictions of the members that one decomposition serves."""
    shared, features, folds, target = inputs
    if not shared:
        return {}
    for size in reversed(op.sizes):
        largest = Components(with_params(op.transformer, n_components=size))
        pair = projected(largest, (shared, features, folds), context)
        if pair is not None:
            break
    else:
        return {}
    scores, asked = pair
    if scores.dtype != np.float64:
        return {}  # the library would go on in single precision
    shape = len(scores), shared[2].shape[1]
    y = np.asarray(training_target(target, folds, context), dtype=np.float64)
    offset, level = scores.mean(axis=0), float(y.mean())
    centred = scores - offset
    gram, right = centred.T @ centred, centred.T @ (y - level)
    distance = float(np.linalg.norm(shared[1]))
    whitened = param(op.transformer, "whiten", False)
    found: dict[tuple[int, Call], np.ndarray] = {}
    for size, call in op.members:
        given = 0.0 if call.name == "LinearRegression" else param(call, "alpha", 1.0)
        assert isinstance(given, int | float)
        alpha = float(given)
        squares = np.diagonal(gram)[:size] + alpha
        same = solver(op.transformer, size, shape) == shared[0]
        # Whitening makes all components equally long, be they rounding or not.
        lengths = shared[3][:size] if whitened else squares / len(scores)
        near = distance < _FAR * np.sqrt(lengths.min())
        if not (same and near and _even(squares) and _even(lengths)):
            continue
        matrix = gram[:size, :size] + alpha * np.eye(size)
        weights = scipy.linalg.solve(matrix, right[:size], assume_a="pos")
        answers = inverse(op.function, (asked[:, :size] - offset[:size]) @ weights + level)
        if np.isfinite(answers).all():
            found[size, call] = answers
    return found


def _even(squares: np.ndarray) -> bool:
    """Whether the least is not negligible beside the greatest."""
    return bool(squares.max() < _RANGE * squares.min())
