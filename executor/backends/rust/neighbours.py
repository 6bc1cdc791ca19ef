"""Nearest neighbours by their kernel, for the models of a group.

Input: a fitted model of scikit-learn, rows to ask about, and numbers of neighbours. Output: what
its ``kneighbors`` gives for each number, or models of several numbers and weights predict, to the
last bit; None where the kernel does not serve the search, or where a trial shows that the library
at hand computes otherwise than the kernel does.
"""

import copy
import math
import warnings
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import sklearn
from sklearn.metrics._pairwise_distances_reduction import ArgKmin
from sklearn.metrics._pairwise_distances_reduction._base import _sqeuclidean_row_norms64
from sklearn.neighbors import KDTree, KNeighborsClassifier, KNeighborsRegressor
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from sklearn.utils.validation import validate_data

import rust_exec

Lists = tuple[np.ndarray, np.ndarray]  # (rows, size) distances ascending, training rows
BySize = dict[int, Lists]
Member = tuple[int, Any]  # number of neighbours, weights
Answer = tuple[np.ndarray, np.ndarray | None]  # predictions, and probabilities
ByMember = dict[Member, Answer]

_WEIGHED = {"uniform": False, "distance": True}
_CHUNK = 256  # rows that the library works on at a time
_FEATURES = 256  # up to which a BLAS sums a product in one go
_TRIED = 32  # neighbours of a trial
_COMPARED = 512  # distances that a trial compares at least


def _few(features: int, rows: int) -> bool:
    """Whether a tree finds neighbours sooner than one can compute all distances: it looks at few
    points where features are few. Measured; 5 features of 16,000 rows, 7 of 160,000."""
    return features < 2 * math.log10(rows) - 3.4


def nearest(model: Any, rows: Any, sizes: list[int], threads: int) -> BySize | None:
    """Lists by number of neighbours; `sizes` ascend and are no more than the training rows.

    Raises:
        ValueError: what the library has to say against `rows`.
    """
    found: BySize | None = _searched(model, rows, sizes, None, threads)
    return found


def answers(
    model: Any, rows: Any, members: Sequence[Member], chances: bool, threads: int
) -> ByMember | None:
    """What models of these members predict, without lists of all rows; probabilities with
    `chances`. Sizes are no more than the training rows.

    Raises:
        ValueError: what the library has to say against `rows`.
    """
    if any(weights not in _WEIGHED for _, weights in members) or not _voting_tried():
        return None
    target = _target(model)
    if target is None:
        return None
    sizes = sorted({size for size, _ in members})
    places = [(sizes.index(size), _WEIGHED[weights]) for size, weights in members]
    models = rust_exec.NeighbourModels(places, *target, chances=chances)
    found = _searched(model, rows, sizes, models, threads)
    if found is None:
        return None
    return {member: _answer(model, found[:, place]) for place, member in enumerate(members)}


def _searched(
    model: Any, rows: Any, sizes: list[int], models: rust_exec.NeighbourModels | None, threads: int
) -> Any:
    """Lists by size or answers (rows, members, width); None where the library is to search."""
    if not serves(model):
        return None
    asked = validate_data(
        model, rows, ensure_all_finite=True, accept_sparse="csr", reset=False, order="C"
    )
    try:
        if model._fit_method == "brute":
            return _brute(model, asked, sizes, models, threads)
        return _tree(model._tree, asked, sizes, models, threads)
    except (rust_exec.KernelInputError, rust_exec.KernelInternalError) as error:
        if error.code != "too_large":
            text = f"The kernel of nearest neighbours failed ({error.code})."
            warnings.warn(text, RuntimeWarning, stacklevel=3)
        return None


def _target(model: Any) -> tuple[np.ndarray, int] | None:
    """What neighbours answer with, and how many classes there are; None where it is not one
    column of numbers whose sums are the library's."""
    y = model._y
    if y.ndim != 1:
        return None
    if isinstance(model, KNeighborsClassifier):
        return None if model.outputs_2d_ else (y.astype(np.int64), len(model.classes_))
    if y.dtype == np.float64:
        return y, 0
    if y.dtype.kind not in "biu":
        return None
    values = y.astype(np.float64)
    # Sums of whole numbers are exact in any order and type up to 2 ** 53.
    return None if np.abs(values).max() * len(y) >= 2.0**53 else (values, 0)


def _answer(model: Any, found: np.ndarray) -> Answer:
    values = np.ascontiguousarray(found[:, 0])
    if not isinstance(model, KNeighborsClassifier):
        return values, None
    chances = np.ascontiguousarray(found[:, 1:]) if found.shape[1] > 1 else None
    return model.classes_.take(values.astype(np.intp)), chances


def serves(model: Any) -> bool:
    """Whether the kernel may search for a fitted model; what is asked may forbid it still."""
    points = model._fit_X
    if not isinstance(points, np.ndarray) or points.dtype.kind not in "biuf":
        return False
    if model.effective_metric_ != "euclidean" or model.effective_metric_params_:
        return False
    n, p = points.shape
    if model._fit_method == "brute":
        return bool(p <= _FEATURES)
    return bool(model._fit_method == "kd_tree" and not _few(p, n))


def _brute(
    model: Any, asked: Any, sizes: list[int], models: rust_exec.NeighbourModels | None, threads: int
) -> Any:
    points = model._fit_X
    if sklearn.get_config()["pairwise_dist_chunk_size"] != _CHUNK:
        return None
    if not ArgKmin.is_usable_for(asked, points, "euclidean"):
        return None
    m, n = len(asked), len(points)
    theirs = _openmp_effective_n_threads()
    by_rows = n < m or 4 * _CHUNK * theirs < m
    if not by_rows and theirs > 1:
        return None  # ties are broken by the number of threads
    remainder = (m % _CHUNK if m >= _CHUNK else m, n % _CHUNK if n >= _CHUNK else n)
    full = (m >= _CHUNK, n >= _CHUNK)
    if not _tried(*remainder, *full, points.shape[1]):
        return None
    if points.dtype != np.float64 and not _agrees(40, 60, 8, points.dtype.name):
        return None
    found = _kernel(points, asked, sizes, by_rows, threads, models)
    lists = {} if models else {size: found.lists(size) for size in sizes}
    if m % 2:
        strategy = "parallel_on_X" if by_rows else "parallel_on_Y"
        last = {size: _library(asked[-1:], points, size, strategy) for size in sizes}
        for size, (distances, indices) in lists.items():
            distances[-1], indices[-1] = last[size][0][0], last[size][1][0]
        if models:
            _answer_alone(model, asked[-1:], last, sizes, models, found[-1])
    return found if models else lists


def _answer_alone(
    model: Any,
    row: np.ndarray,
    lists: BySize,
    sizes: list[int],
    models: rust_exec.NeighbourModels,
    into: np.ndarray,
) -> None:
    """Writes the answers (members, width) to one row with these lists."""
    for (place, weighted), answer in zip(models.members, into, strict=True):
        found = lists[sizes[place]]
        alone = copy.copy(model)
        alone.n_neighbors = sizes[place]
        alone.weights = "distance" if weighted else "uniform"
        alone.kneighbors = partial(_given, found)
        value = alone.predict(row)[0]
        answer[0] = np.searchsorted(model.classes_, value) if models.classes else value
        if models.chances:
            answer[1:] = alone.predict_proba(row)[0]


def _given(found: Lists, X: Any = None, return_distance: bool = True) -> Any:
    return found if return_distance else found[1]


def _kernel(
    points: np.ndarray,
    asked: np.ndarray,
    sizes: list[int],
    by_rows: bool,
    threads: int,
    models: rust_exec.NeighbourModels | None = None,
) -> Any:
    """Neighbours, or answers."""
    points64, asked64 = (np.asarray(side, dtype=np.float64) for side in (points, asked))
    given = (
        points64,
        asked64,
        np.asarray(_sqeuclidean_row_norms64(points64, 1)),
        np.asarray(_sqeuclidean_row_norms64(asked64, 1)),
        sizes,
    )
    merged, single = not by_rows, points.dtype == np.float32
    if models is None:
        return rust_exec.nearest_brute(*given, merged=merged, single=single, threads=threads)
    return rust_exec.answers_brute(*given, models, merged=merged, single=single, threads=threads)


def _library(asked: np.ndarray, points: np.ndarray, size: int, strategy: str) -> Lists:
    found: Lists = ArgKmin.compute(
        X=asked, Y=points, k=size, metric="euclidean", metric_kwargs={}, strategy=strategy,
        return_distance=True,
    )  # fmt: skip
    return found


@lru_cache(maxsize=1024)
def _tried(rows: int, points: int, full_rows: bool, full_points: bool, features: int) -> bool:
    """Whether the library's arithmetic is the kernel's, for pieces of these shapes.

    A BLAS sums in an order that depends on the shape of its operands, but not on their values.
    The library hands it pieces of 256 rows and points, and what is left over (`rows`, `points`).
    The last of an odd number of rows is summed in another order; it is no part of this, but it
    must be summed in the same order when the library is asked about it alone.
    """
    m, n = rows + _CHUNK * full_rows, points + _CHUNK * full_points
    # So that every kind of piece is compared often enough for chance not to hide a difference.
    repeats = -(-_COMPARED // max(m * min(points or n, _TRIED), 1))
    return all(
        _agrees(m, n, features, "float64", seed, near)
        for seed in range(repeats)
        for near in {points, 0}
    )


@lru_cache(maxsize=64)
def _agrees(
    rows: int, points: int, features: int, dtype: str, seed: int = 0, near: int = 0
) -> bool:
    """Whether the kernel finds what the library does; the last `near` points are the nearer."""
    rng = np.random.default_rng(seed)
    asked = rng.normal(size=(rows, features)).astype(dtype)
    others = rng.normal(size=(points, features)).astype(dtype)
    others[: points - near] *= 3 if near else 1
    size = min(_TRIED, points)
    wanted = _library(asked, others, size, "parallel_on_X")
    found = _kernel(others, asked, [size], True, 1).lists(size)
    even = rows - rows % 2
    if not all(_same(one[:even], two[:even]) for one, two in zip(wanted, found, strict=True)):
        return False
    if even == rows:
        return True
    alone = _library(asked[-1:], others, size, "parallel_on_X")
    return all(_same(one[-1], two[-1]) for one, two in zip(wanted, alone, strict=True))


def _same(one: np.ndarray, two: np.ndarray) -> bool:
    return bool((one == two).all())


def _tree(
    tree: Any, asked: Any, sizes: list[int], models: rust_exec.NeighbourModels | None, threads: int
) -> Any:
    if not isinstance(asked, np.ndarray) or not _tree_tried(asked.shape[1]):
        return None
    asked = np.asarray(asked, dtype=np.float64)
    found = _walked(tree, asked, sizes, threads, models)
    return found if models else {size: found.lists(size) for size in sizes}


def _walked(
    tree: Any,
    asked: np.ndarray,
    sizes: list[int],
    threads: int,
    models: rust_exec.NeighbourModels | None = None,
) -> Any:
    """Neighbours, or answers."""
    points, order, nodes, bounds = (np.asarray(part) for part in tree.get_arrays())
    places = np.column_stack([nodes[name] for name in ("idx_start", "idx_end", "is_leaf")])
    given = (points, asked, order, places.astype(np.int64), bounds, sizes)
    if models is None:
        return rust_exec.nearest_tree(*given, threads=threads)
    return rust_exec.answers_tree(*given, models, threads=threads)


@lru_cache(maxsize=256)
def _tree_tried(features: int) -> bool:
    """Whether the library's tree rounds as the kernel does: compilers may fuse its operations."""
    rng = np.random.default_rng(features)
    points, asked = rng.normal(size=(200, features)), rng.normal(size=(50, features))
    tree = KDTree(points, leaf_size=10)
    wanted = tree.query(asked, _TRIED)
    found = _walked(tree, asked, [_TRIED], 1).lists(_TRIED)
    return all(_same(one, two) for one, two in zip(wanted, found, strict=True))


@lru_cache(maxsize=1)
def _voting_tried() -> bool:
    """Whether means, labels and probabilities of the library are summed as the kernel sums."""
    rng = np.random.default_rng(0)
    points, asked = rng.normal(size=(300, 3)), rng.normal(size=(20, 3))
    asked[:5] = points[:5]
    members = [(size, weights) for size in (1, 2, 7, 8, 17, 130, 300) for weights in _WEIGHED]
    for kind, y in (
        (KNeighborsRegressor, rng.normal(size=300) * 1e3),
        (KNeighborsClassifier, rng.integers(0, 11, 300)),
    ):
        model = kind(algorithm="kd_tree").fit(points, y)
        sizes = sorted({size for size, _ in members})
        places = [(sizes.index(size), _WEIGHED[weights]) for size, weights in members]
        target = (y.astype(np.int64), 11) if kind is KNeighborsClassifier else (y, 0)
        models = rust_exec.NeighbourModels(places, *target, chances=bool(target[1]))
        found = _walked(model._tree, asked, sizes, 1, models)
        for place, (size, weights) in enumerate(members):
            model.n_neighbors, model.weights = size, weights
            values, chances = _answer(model, found[:, place])
            if not _same(values, model.predict(asked)):
                return False
            if chances is not None and not _same(chances, model.predict_proba(asked)):
                return False
    return True
