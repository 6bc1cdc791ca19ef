"""Nearest-neighbour models from one search for the most neighbours.

Input: a `NeighbourFits` and what a Fit reads. Output: a model per member. The search runs when the
first of them is asked, so that it fails where the model itself would. Where the kernel serves it,
it gives each member's predictions, ties included; where it finds neighbours only, and where the
library searches, predictions are scikit-learn's own arithmetic on the lists found together. What
follows is for the library's search.

A search gives the same neighbours as a longer one cut short, unless the distances at the cut
are equal, or so near that rounding decides. Those rows are searched again for the number asked
for: by themselves where a row's answer does not depend on the others (trees), else all of them.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from executor.backends.base import Context
from executor.features import array_of, take
from executor.models import FittedModel
from planner.expressions import param
from planner.graph import Op
from planner.ops import Fit
from planner.ops_neighbours import NeighbourFits, NeighbourModel

Run = Callable[[Any, Sequence[Any], Context], Any]
Member = tuple[int, Any]  # n_neighbors, weights
Neighbours = tuple[np.ndarray, np.ndarray]  # (n_valid, k) distances ascending, training rows

_TREES = ("kd_tree", "ball_tree")
# Gaps below this part of a row's longest distance are not told from ties: rounding is a
# millionth of it.
_NEAR = 1e-9


def table(fit: Callable[[Fit, Sequence[Any], Context], FittedModel]) -> dict[type[Op], Run]:
    """What runs the ops of this file, where `fit` runs a single Fit."""

    def run(op: NeighbourFits, inputs: Sequence[Any], context: Context) -> Any:
        return _models(op, lambda single: fit(single, inputs, context), context.threads)

    return {NeighbourFits: run, NeighbourModel: _model}


def with_kernel(fit: Callable[[Fit, Sequence[Any], Context], FittedModel]) -> Run:
    """What runs a single Fit: as `fit` does, but nearest neighbours search with the kernel."""

    def run(op: Fit, inputs: Sequence[Any], context: Context) -> FittedModel:
        fitted = fit(op, inputs, context)
        model, kernel = fitted.estimator, _kernel()
        if type(model) not in (KNeighborsClassifier, KNeighborsRegressor):
            return fitted
        if kernel is None or not kernel.serves(model):
            return fitted
        weights = "uniform" if model.weights is None else model.weights
        members = ((model.n_neighbors, weights),)
        search = Search(fitted, members, context.threads)
        return replace(fitted, estimator=_voter(search, model.n_neighbors, weights))

    return run


def _model(op: NeighbourModel, inputs: Sequence[Any], context: Context) -> FittedModel:
    found: FittedModel = inputs[0][op.index]
    return found


def _models(
    op: NeighbourFits, fit: Callable[[Fit], FittedModel], threads: int
) -> tuple[FittedModel, ...]:
    """The fitted models in the order of the members."""
    fitted = fit(op.at(op.sizes[-1], "uniform"))
    searches = dict.fromkeys(op.sizes, Search(fitted, op.members, threads))
    few, many = _parted(op, fitted.estimator.n_samples_fit_)
    if few and many:
        other = fit(op.at(few[-1], "uniform"))
        if other.estimator._fit_method != fitted.estimator._fit_method:
            for model, sizes in ((other, few), (fitted, many)):
                members = [member for member in op.members if member[0] in sizes]
                searches.update(dict.fromkeys(sizes, Search(model, members, threads)))
    return tuple(
        replace(
            fitted,
            estimator=_voter(searches[size], size, weights),
            op=op.at(size, weights),
        )
        for size, weights in op.members
    )


def _parted(op: NeighbourFits, rows: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The sizes in two parts, for which ``algorithm='auto'`` may choose differently: it builds
    no tree to find half of the rows."""
    if param(op.estimator, "algorithm", "auto") != "auto":
        return op.sizes, ()
    few = tuple(size for size in op.sizes if size < rows // 2)
    return few, op.sizes[len(few) :]


class Search:
    """The neighbours of the validation rows among the training rows, for several models.

    `fitted` was fitted with the largest number of neighbours of `members`, and stands for all of
    them. Where the kernel works out what they answer, lists of neighbours are never made.
    """

    def __init__(self, fitted: FittedModel, members: Sequence[Member], threads: int) -> None:
        self.model = fitted.estimator
        self.valid = fitted.valid
        self.members = members
        self.sizes = sorted({size for size, _ in members})
        self.threads = threads
        self._found: dict[int, Neighbours] = {}
        self._answers: dict[Member, Any] | None = {}

    def answer(self, member: Member, chances: bool) -> np.ndarray | None:
        """Predictions of a member, or probabilities; None if only lists of neighbours can tell.

        Raises:
            ValueError: whatever the library raises.
        """
        if self._answers is None or member[0] > self.model.n_samples_fit_:
            return None
        missing = member not in self._answers or (chances and self._answers[member][1] is None)
        if missing:
            members = [one for one in self.members if one[0] <= self.model.n_samples_fit_]
            # One pass for both methods, unless probabilities take more than lists would.
            classes = len(getattr(self.model, "classes_", ()))
            both = 0 < classes * len(members) <= 2 * sum(self.sizes)
            self._answers = kernel_answers(
                self.model, self.valid, members, chances or both, self.threads
            )
            if self._answers is None:
                return None
        found: np.ndarray = self._answers[member][int(chances)]
        return found.copy()

    def neighbours(self, size: int) -> Neighbours:
        """What ``kneighbors`` of a model of this size gives for the validation rows.

        Raises:
            ValueError: More neighbours than training rows, and whatever the library raises.
        """
        if size > self.model.n_samples_fit_:
            return self._alone(size, self.valid)
        if not self._found:
            self._found = self._search([s for s in self.sizes if s <= self.model.n_samples_fit_])
        return self._found[size]

    def _search(self, sizes: list[int]) -> dict[int, Neighbours]:
        found = kernel_search(self.library(sizes[-1], "distance"), self.valid, sizes, self.threads)
        if found is not None:
            return found
        seeker = _voter(self, sizes[-1], "uniform")
        distances, indices = seeker.seek(self.valid, sizes)
        if seeker.cuts is None:
            return {size: self._first(size, distances, indices) for size in sizes}
        ends = np.cumsum(sizes)
        return {
            size: (_cut(distances, end - size, end), _cut(indices, end - size, end))
            for size, end in zip(sizes, ends, strict=True)
        }

    def _first(self, size: int, distances: np.ndarray, indices: np.ndarray) -> Neighbours:
        """The `size` nearest of the longest lists; ``(n_valid, largest)`` both."""
        if size == distances.shape[1]:
            return distances, indices
        tied = self._tied(size, distances)
        if not tied.any():
            return _cut(distances, 0, size), _cut(indices, 0, size)
        if self.model._fit_method not in _TREES:
            return self._alone(size, self.valid)
        distances, indices = _cut(distances, 0, size), _cut(indices, 0, size)
        rows = np.flatnonzero(tied)
        distances[rows], indices[rows] = self._alone(size, take(self.valid, rows))
        return distances, indices

    def _tied(self, size: int, distances: np.ndarray) -> np.ndarray:
        """Rows where rounding may decide which neighbour is the last; (n_valid,) booleans."""
        near, far = distances[:, size - 1], distances[:, size]
        points = self.model._fit_X
        single = points.dtype == np.float32
        unit = float(np.finfo(np.float32 if single else np.float64).eps)
        apart = far - near > max(_NEAR, 64 * unit) * distances[:, -1]
        if self.model._fit_method not in _TREES and self.model.effective_metric_ == "euclidean":
            # Ranked by |x|^2 - 2xy + |y|^2, whose error grows with the norms.
            norms = _norms(array_of(self.valid)) + _norms(points).max(initial=0.0)
            apart &= far**2 - near**2 > 32 * (points.shape[1] + 8) * unit * norms
        tied: np.ndarray = ~apart
        return tied

    def _alone(self, size: int, rows: Any) -> Neighbours:
        found: Neighbours = self.library(size, "distance").kneighbors(rows)
        return found

    def library(self, size: int, weights: Any) -> Any:
        """The model as the library would have fitted it for this member."""
        model = copy.copy(self.model)
        model.n_neighbors, model.weights = size, weights
        return model


def kernel_search(
    model: Any, rows: Any, sizes: list[int], threads: int
) -> dict[int, Neighbours] | None:
    """The neighbours by number from the kernel, where there is one that serves the search."""
    kernel = _kernel()
    return None if kernel is None else kernel.nearest(model, rows, sizes, threads)


def kernel_answers(
    model: Any, rows: Any, members: Sequence[Member], chances: bool, threads: int
) -> dict[Member, Any] | None:
    """What the members answer by the kernel, where it serves the search."""
    kernel = _kernel()
    return None if kernel is None else kernel.answers(model, rows, members, chances, threads)


def _kernel() -> Any:
    """The module of the kernel, None on a platform without it."""
    try:
        from executor.backends.rust import neighbours
    except ImportError:
        return None
    return neighbours


class _Voter:
    """A fitted model that takes its neighbours from a search, and the rest from its library."""

    search: Search
    cuts: Sequence[int] | None = None  # the sizes in what `seek` gave, if it is not one list
    _sought: Sequence[int] = ()

    def kneighbors(
        self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        found = self.search.neighbours(n_neighbors or self.n_neighbors)  # type: ignore[attr-defined]
        return found if return_distance else found[1]

    def predict(self, X: Any) -> Any:
        found = self._answer(False)
        return super().predict(X) if found is None else found  # type: ignore[misc]

    def _answer(self, chances: bool) -> np.ndarray | None:
        size, weights = self.n_neighbors, self.weights  # type: ignore[attr-defined]
        return None if callable(weights) else self.search.answer((size, weights), chances)

    def seek(self, rows: Any, sizes: Sequence[int]) -> Neighbours:
        """The lists of the largest of `sizes`; or, side by side, those of each (see `cuts`)."""
        self._sought = sizes
        found: Neighbours = super().kneighbors(rows, sizes[-1])  # type: ignore[misc]
        return found

    def _kneighbors_reduce_func(
        self, dist: np.ndarray, start: int, n_neighbors: int, return_distance: bool
    ) -> Any:
        """Called where the library computes all distances of a few rows, and chooses then: from
        the same distances it chooses for each size, ties included."""
        self.cuts = self._sought
        reduce = super()._kneighbors_reduce_func  # type: ignore[misc]
        parts = [reduce(dist, start, size, True) for size in self._sought]
        return tuple(np.hstack(side) for side in zip(*parts, strict=True))


class _Regressor(_Voter, KNeighborsRegressor):  # type: ignore[misc]
    pass


class _Classifier(_Voter, KNeighborsClassifier):  # type: ignore[misc]
    def predict_proba(self, X: Any) -> Any:
        found = self._answer(True)
        return super().predict_proba(X) if found is None else found


def _voter(search: Search, size: int, weights: Any) -> Any:
    kind = _Classifier if isinstance(search.model, KNeighborsClassifier) else _Regressor
    voter = kind.__new__(kind)
    vars(voter).update(vars(search.library(size, weights)), search=search)
    return voter


def _cut(block: np.ndarray, start: int, end: int) -> np.ndarray:
    # Contiguous and its own, as the library has it: sums are then of the same order.
    return np.array(block[:, start:end], order="C")


def _norms(points: Any) -> np.ndarray:
    values = np.asarray(points, dtype=np.float64)
    norms: np.ndarray = np.einsum("ij,ij->i", values, values)
    return norms
