"""PCA of several sizes from one decomposition.

Input: features and folds. Output: what the sizes have in common, and then for each size what
scikit-learn's PCA gives to the last bit: projections are made by its own `transform`, with as
many components as were asked for, because a product cut afterwards may be rounded differently.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import _check_feature_names, _check_n_features

from executor.backends.base import Context
from executor.backends.sides import sides
from executor.construct import construct
from planner.expressions import Call, param, with_params
from planner.graph import Op
from planner.ops import Encode
from planner.ops_encodings import Components, Decomposition

Run = Callable[[Any, Sequence[Any], Context], Any]

COMPLETE = ("covariance_eigh", "full")


def table(encode: Callable[[Encode, Sequence[Any], Context], Any]) -> dict[type[Op], Run]:
    """What runs the ops of this file, where `encode` runs a single Encode."""

    def components(op: Components, inputs: Sequence[Any], context: Context) -> Any:
        found = projected(op, inputs, context)
        if found is None:
            return encode(Encode(op.transformer, False), inputs[1:], context)
        return found

    return {Decomposition: decomposition, Components: components}


def decomposition(op: Decomposition, inputs: Sequence[Any], context: Context) -> Any:
    features, folds = inputs
    train, _ = sides(features, folds, context)
    if sp.issparse(train):
        return ()
    solvers = {size: solver(op.transformer, size, train.shape) for size in op.sizes}
    alike = [size for size in op.sizes if solvers[size] in COMPLETE]
    if len(alike) < 2:
        return ()
    model = construct(with_params(op.transformer, n_components=alike[-1]))
    scores = None
    if solvers[alike[-1]] == "full":
        scores = model.fit_transform(train)
    else:
        model.fit(train)
    if getattr(model, "_fit_svd_solver", None) != solvers[alike[-1]]:
        return ()  # a library that chooses otherwise
    return model._fit_svd_solver, model.mean_, model.components_, model.explained_variance_, scores


def projected(op: Components, inputs: Sequence[Any], context: Context) -> Any:
    """The pair of sides, or None where the decomposition does not serve this size."""
    shared, features, folds = inputs
    size = param(op.transformer, "n_components")
    assert isinstance(size, int)
    if not shared or size > len(shared[2]):
        return None
    train, valid = sides(features, folds, context)
    chosen, mean, components, variance, scores = shared
    if solver(op.transformer, size, train.shape) != chosen:
        return None
    model = construct(op.transformer)
    _check_feature_names(model, train, reset=True)
    _check_n_features(model, train, reset=True)
    model.mean_ = mean
    # In the memory order that the library leaves them in, on which rounding may depend.
    model.components_ = np.array(components[:size], order="K")
    model.explained_variance_ = np.array(variance[:size])
    model.n_components_ = size
    first = model.transform(train) if scores is None else scores[:, :size]
    return first, model.transform(valid)


def solver(call: Call, size: int, shape: tuple[int, int]) -> str | None:
    """How scikit-learn decomposes a dense (n, p) matrix for `size` components; None if it
    refuses."""
    rows, columns = shape
    if size > min(shape):
        return None
    given = param(call, "svd_solver", "auto")
    if given != "auto":
        return str(given)
    if columns <= 1000 and rows >= 10 * columns:
        return "covariance_eigh"
    if max(shape) <= 500 or size >= 0.8 * min(shape):
        return "full"
    return "randomized"
