"""Nearest neighbours by their kernel, for the models of a group.

Input: a fitted model of scikit-learn, rows to ask about, and numbers of neighbours. Output: what
its ``kneighbors`` gives for each number, to the last bit; None where the kernel does not serve the
search, or where a trial shows that the library at hand computes otherwise than the kernel does.
"""

import warnings
from functools import lru_cache
from typing import Any

import numpy as np
import sklearn
from sklearn.metrics._pairwise_distances_reduction import ArgKmin
from sklearn.metrics._pairwise_distances_reduction._base import _sqeuclidean_row_norms64
from sklearn.neighbors import KDTree
from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
from sklearn.utils.validation import validate_data

import rust_exec

Lists = tuple[np.ndarray, np.ndarray]  # (rows, size) distances ascending, training rows
BySize = dict[int, Lists]

_CHUNK = 256  # rows that the library works on at a time
_FEATURES = 256  # up to which a BLAS sums a product in one go
_TRIED = 32  # neighbours of a trial
# A tree looks at so few points where there are few features that looking at all takes longer.
_TREE_FEATURES = 4
_TREE_ROWS = 2_000


def nearest(model: Any, rows: Any, sizes: list[int], threads: int) -> BySize | None:
    """Lists by number of neighbours; `sizes` ascend and are no more than the training rows.

    Raises:
        ValueError: what the library has to say against `rows`.
    """
    if not serves(model):
        return None
    asked = validate_data(
        model, rows, ensure_all_finite=True, accept_sparse="csr", reset=False, order="C"
    )
    try:
        if model._fit_method == "brute":
            return _brute(model._fit_X, asked, sizes, threads)
        return _tree(model._tree, asked, sizes, threads)
    except (rust_exec.KernelInputError, rust_exec.KernelInternalError) as error:
        if error.code != "too_large":
            text = f"The kernel of nearest neighbours failed ({error.code})."
            warnings.warn(text, RuntimeWarning, stacklevel=2)
        return None


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
    few = p < _TREE_FEATURES and n > _TREE_ROWS
    return bool(model._fit_method == "kd_tree" and not few)


def _brute(points: np.ndarray, asked: Any, sizes: list[int], threads: int) -> BySize | None:
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
    exact, last = _tried(*remainder, *full, points.shape[1], points.dtype.name)
    if not exact:
        return None
    found = _kernel(points, asked, sizes, by_rows, threads)
    lists = {size: found.lists(size) for size in sizes}
    if not last:
        strategy = "parallel_on_X" if by_rows else "parallel_on_Y"
        for size, (distances, indices) in lists.items():
            alone = _library(asked[-1:], points, size, strategy)
            distances[-1], indices[-1] = alone[0][0], alone[1][0]
    return lists


def _kernel(
    points: np.ndarray, asked: np.ndarray, sizes: list[int], by_rows: bool, threads: int
) -> rust_exec.Neighbours:
    points64, asked64 = (np.asarray(side, dtype=np.float64) for side in (points, asked))
    return rust_exec.nearest_brute(
        points64,
        asked64,
        np.asarray(_sqeuclidean_row_norms64(points64, 1)),
        np.asarray(_sqeuclidean_row_norms64(asked64, 1)),
        sizes,
        merged=not by_rows,
        single=points.dtype == np.float32,
        threads=threads,
    )


def _library(asked: np.ndarray, points: np.ndarray, size: int, strategy: str) -> Lists:
    found: Lists = ArgKmin.compute(
        X=asked, Y=points, k=size, metric="euclidean", metric_kwargs={}, strategy=strategy,
        return_distance=True,
    )  # fmt: skip
    return found


@lru_cache(maxsize=1024)
def _tried(
    rows: int, points: int, full_rows: bool, full_points: bool, features: int, dtype: str
) -> tuple[bool, bool]:
    """Whether the library's arithmetic is the kernel's, for pieces of these shapes; and whether
    it is so for the last row, too.

    A BLAS sums in an order that depends on the shape of its operands, but not on their values.
    The library hands it pieces of 256 rows and points, and what is left over. The last of an odd
    number of rows is summed in another order, in which it is summed alone as well.
    """
    rng = np.random.default_rng(rows * _CHUNK + points)
    asked = rng.normal(size=(rows + _CHUNK * full_rows, features)).astype(dtype)
    others = rng.normal(size=(points + _CHUNK * full_points, features)).astype(dtype)
    size = min(_TRIED, len(others))
    wanted = _library(asked, others, size, "parallel_on_X")
    found = _kernel(others, asked, [size], True, 1).lists(size)
    equal = (wanted[0] == found[0]).all(axis=1) & (wanted[1] == found[1]).all(axis=1)
    if equal[-1]:
        return bool(equal.all()), True
    alone = _library(asked[-1:], others, size, "parallel_on_X")
    same = all((one[0] == two[-1]).all() for one, two in zip(alone, wanted, strict=True))
    return bool(equal[:-1].all()) and same, False


def _tree(tree: Any, asked: Any, sizes: list[int], threads: int) -> BySize | None:
    if not isinstance(asked, np.ndarray) or not _tree_tried(asked.shape[1]):
        return None
    asked = np.asarray(asked, dtype=np.float64)
    found = _walked(tree, asked, sizes, threads)
    return {size: found.lists(size) for size in sizes}


def _walked(tree: Any, asked: np.ndarray, sizes: list[int], threads: int) -> rust_exec.Neighbours:
    points, order, nodes, bounds = (np.asarray(part) for part in tree.get_arrays())
    places = np.column_stack([nodes[name] for name in ("idx_start", "idx_end", "is_leaf")])
    return rust_exec.nearest_tree(
        points, asked, order, places.astype(np.int64), bounds, sizes, threads=threads
    )


@lru_cache(maxsize=256)
def _tree_tried(features: int) -> bool:
    """Whether the library's tree rounds as the kernel does: compilers may fuse its operations."""
    rng = np.random.default_rng(features)
    points, asked = rng.normal(size=(200, features)), rng.normal(size=(50, features))
    tree = KDTree(points, leaf_size=10)
    wanted = tree.query(asked, _TRIED)
    found = _walked(tree, asked, [_TRIED], 1).lists(_TRIED)
    return all(bool((one == two).all()) for one, two in zip(wanted, found, strict=True))
