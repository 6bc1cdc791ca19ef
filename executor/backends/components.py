"""Linear models on principal components by the libraries: the reference of the kernel.

Input: a family and what a Fit reads. Output: what its members predict, or failed with. Sizes of
PCA that are decomposed alike share the decomposition, and their models the Gram matrix of the
scores of the largest, whose leading blocks are those of the smaller ones. Where that would lose
digits (components of next to no variance), or the library decomposes otherwise, a member is what
its two library models make of it.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import scipy.linalg

from executor.backends.base import Context
from executor.backends.decompositions import decomposition, projected, solver
from executor.backends.linear import Answer, Answers, parts
from executor.backends.sides import sides, training_target
from executor.construct import construct
from executor.failures import describe_failure
from executor.models import fit_model, inverse, predict
from executor.sharing import refused_write
from planner.errors import StratumError
from planner.expressions import Call, param, with_params
from planner.graph import Op
from planner.ops import Encode, Fit
from planner.ops_components import ComponentFolds, ComponentMember, ComponentPath, Size
from planner.ops_encodings import Components, Decomposition

# Squares of singular values, greatest to least: beyond this the normal equations lose digits.
_RANGE = 1e6
# Distance of the mean from the origin, in lengths of the least component: beyond this, digits are
# lost where the mean is taken off.
_FAR = 1e5


def library_answers(
    op: ComponentFolds | ComponentPath,
    inputs: Sequence[Any],
    context: Context,
    wanted: Iterable[int] | None = None,
) -> Answers:
    """The answers of the `wanted` members (all if None) on one fold, as a script would have it.

    A member's failure is its own, and so is a size that cannot be; what else the PCA or what is in
    front of it fails with is raised.
    """
    (features,), folds, targets = parts(op, inputs)
    train, valid = sides(features, folds, context)
    if isinstance(op, ComponentFolds):
        front = [Call("SimpleImputer")] * op.impute + [Call("StandardScaler")] * op.scale
        for call in front:
            transformer = construct(call)
            train = transformer.fit_transform(train)
            valid = transformer.transform(valid)
    positions = list(range(len(op.members)) if wanted is None else wanted)
    members = [op.members[position] for position in positions]
    wrong = {place for place, target in enumerate(targets) if isinstance(target, StratumError)}
    y = [
        None if place in wrong else training_target(target, folds, context)
        for place, target in enumerate(targets)
    ]
    matrices = _Matrices(op.transformer, (train, valid), y, op.functions, context)
    together = matrices.together([member for member in members if member.target not in wrong])
    found: Answers = {}
    for position, member in zip(positions, members, strict=True):
        if member.target in wrong:
            found[position] = Answer(targets[member.target])
            continue
        if member in together:
            found[position] = Answer(together[member])
            continue
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            predictions = matrices.alone(member)
        notes = tuple((warning.category, str(warning.message)) for warning in caught)
        found[position] = Answer(predictions, notes)
    return found


@dataclass
class _Matrices:
    """The two sides of one fold in front of a PCA, and what is made of them."""

    transformer: Call
    pair: tuple[Any, Any]
    y: Sequence[Any]  # by target
    functions: tuple[str | None, ...]
    context: Context
    encoded: dict[Size, Any] = field(default_factory=dict)
    shared: Any = ()

    def alone(self, member: ComponentMember) -> np.ndarray | StratumError:
        """Predictions of a member by its own two models, or what they fail with."""
        size, call, y = member.size, member.estimator, self.y[member.target]
        transformer = with_params(self.transformer, n_components=size)
        step: Op = Encode(transformer, False)
        possible = not isinstance(size, int) or size <= min(self.pair[0].shape)
        try:
            if size not in self.encoded:
                self.encoded[size] = self._projected(transformer) or self._encode(transformer)
            train, valid = self.encoded[size]
            step, possible = Fit(call, "regression", self.functions[member.target]), False
            model = fit_model(step, train, y, None, valid, None, None)
            return predict(model, ("predict",))[0]
        except StratumError as error:
            return error
        except MemoryError:
            raise
        except Exception as error:
            if possible or refused_write(error):
                raise  # of every member; or all is run again, on copies
            return describe_failure(step, error)

    def _projected(self, transformer: Call) -> Any:
        if not isinstance(param(transformer, "n_components"), int):
            return None
        return projected(Components(transformer), (self.shared, self.pair, []), self.context)

    def _encode(self, transformer: Call) -> Any:
        train, valid = self.pair
        model = construct(transformer)
        return model.fit_transform(train), model.transform(valid)

    def together(self, members: Sequence[ComponentMember]) -> dict[ComponentMember, np.ndarray]:
        """Predictions of the members that one decomposition serves."""
        sizes = sorted({m.size for m in members if isinstance(m.size, int)})
        if len(sizes) < 2:
            return {}
        whole = Decomposition(self.transformer, tuple(sizes))
        try:
            self.shared = decomposition(whole, (self.pair, []), self.context)
        except Exception as error:
            if isinstance(error, MemoryError) or refused_write(error):
                raise
            return {}  # each fails by itself
        for size in reversed(sizes) if self.shared else ():
            largest = self._projected(with_params(self.transformer, n_components=size))
            if largest is not None:
                return self._solved([m for m in members if isinstance(m.size, int)], *largest)
        return {}

    def _solved(
        self, members: Sequence[ComponentMember], scores: np.ndarray, asked: np.ndarray
    ) -> dict[ComponentMember, np.ndarray]:
        if scores.dtype != np.float64:
            return {}  # the library would go on in single precision
        chosen, mean, components, variance, _ = self.shared
        shape = len(scores), components.shape[1]
        offset = scores.mean(axis=0)
        centred = scores - offset
        gram = centred.T @ centred
        right: dict[int, tuple[np.ndarray, float]] = {}
        for target in {member.target for member in members}:
            with suppress(TypeError, ValueError):  # each of its members fails by itself
                y = np.asarray(self.y[target], dtype=np.float64)
                level = float(y.mean())
                right[target] = centred.T @ (y - level), level
        distance = float(np.linalg.norm(mean))
        whitened = param(self.transformer, "whiten", False)
        found: dict[ComponentMember, np.ndarray] = {}
        for member in members:
            size, call = member.size, member.estimator
            assert isinstance(size, int)
            if member.target not in right:
                continue
            if size > scores.shape[1] or solver(self.transformer, size, shape) != chosen:
                continue
            given = 0.0 if call.name == "LinearRegression" else param(call, "alpha", 1.0)
            assert isinstance(given, int | float)
            alpha = float(given)
            squares = np.diagonal(gram)[:size] + alpha
            # Whitening makes all components equally long, be they rounding or not.
            lengths = variance[:size] if whitened else squares / len(scores)
            near = distance < _FAR * np.sqrt(lengths.min())
            if not (near and _even(squares) and _even(lengths)):
                continue
            matrix = gram[:size, :size] + alpha * np.eye(size)
            products, level = right[member.target]
            weights = scipy.linalg.solve(matrix, products[:size], assume_a="pos")
            values = (asked[:, :size] - offset[:size]) @ weights + level
            answers = inverse(self.functions[member.target], values)
            if np.isfinite(answers).all():
                found[member] = answers
        return found


def _even(squares: np.ndarray) -> bool:
    """Whether the least is not negligible beside the greatest."""
    return bool(squares.max() < _RANGE * squares.min())


def _folds(op: ComponentFolds, inputs: Sequence[Any], context: Context) -> list[Answers]:
    _, folds, _ = parts(op, inputs)
    count = len(folds)
    return [library_answers(op, inputs, replace(context, fold=fold)) for fold in range(count)]


def _path(op: ComponentPath, inputs: Sequence[Any], context: Context) -> Answers:
    return library_answers(op, inputs, context)


RUN: dict[type[Op], Callable[[Any, Sequence[Any], Context], Any]] = {
    ComponentFolds: _folds,
    ComponentPath: _path,
}
