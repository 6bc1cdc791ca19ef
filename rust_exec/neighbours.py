"""Nearest points of many queries, for several numbers of neighbours from one pass.

The semantics are those of scikit-learn 1.9's Euclidean searches, to the last bit: distances, which
points are chosen among equally distant ones, and their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from rust_exec import _native

Lists: TypeAlias = tuple[NDArray[np.float64], NDArray[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """Neighbours of ``m`` queries, ascending by distance.

    Attributes:
        sizes: The numbers of neighbours asked for, ascending.
        distances: (m, sizes[-1]) Euclidean distances.
        points: (m, sizes[-1]) rows of the points.
        tied: For each size: (r,) queries where it matters how ties are broken, then distances
            and points (r, size) of these.
    """

    sizes: tuple[int, ...]
    distances: NDArray[np.float64]
    points: NDArray[np.int64]
    tied: list[tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]]

    def lists(self, size: int) -> Lists:
        """Distances and points of a search for `size`, (m, size) both, contiguous."""
        rows, distances, points = self.tied[self.sizes.index(size)]
        found = self.distances[:, :size].copy(), self.points[:, :size].copy()
        found[0][rows], found[1][rows] = distances, points
        return found


def nearest_brute(
    points: NDArray[np.float64],
    queries: NDArray[np.float64],
    point_norms: NDArray[np.float64],
    query_norms: NDArray[np.float64],
    sizes: Sequence[int],
    *,
    merged: bool = False,
    single: bool = False,
    threads: int = 1,
) -> Neighbours:
    """The search of ``ArgKmin``: ranks are ``(|x|^2 - 2 x.y) + |y|^2``.

    The product is summed feature by feature with fused multiplications, which is what OpenBLAS
    does on x86 with up to 256 features; whether the library at hand does is for the caller to try.

    Args:
        points: (n, p) float64 of any strides, not copied as a whole but packed. Finite.
        queries: (m, p) float64.
        point_norms: (n,) squared norms, as the library rounds them; at most 1e300.
        query_norms: (m,) likewise.
        sizes: Numbers of neighbours, ascending, from 1 to n.
        merged: Follow ties as the library does when it shares the points out to its threads and
            has one of them (``parallel_on_Y``).
        single: Round distances as the library does for float32 data.
        threads: most threads to use, the caller's included. Results do not depend on it.

    Raises:
        KernelInputError: codes ``bad_array``, ``shape_mismatch``, ``empty_matrix``, ``bad_sizes``,
            ``non_finite``, ``too_large``, ``bad_threads``, ``too_many_rows``.
        KernelInternalError: the kernel failed.
    """
    sizes = tuple(sizes)
    (distances, rows), tied = _native.nearest_brute(
        points,
        queries,
        point_norms,
        query_norms,
        sizes,
        merged=merged,
        single=single,
        threads=threads,
    )
    return Neighbours(sizes, distances, rows, tied)


def nearest_tree(
    points: NDArray[np.float64],
    queries: NDArray[np.float64],
    order: NDArray[np.int64],
    nodes: NDArray[np.int64],
    bounds: NDArray[np.float64],
    sizes: Sequence[int],
    *,
    threads: int = 1,
) -> Neighbours:
    """The search of ``KDTree``: ranks are sums of ``(x - y)^2``, feature by feature.

    All distances are computed; the tree says in which order the library comes to the points, for
    the queries where that matters.

    Args:
        points: (n, p) float64 of absolute values of at most 1e150, as the tree was fitted on.
        queries: (m, p) float64, likewise.
        order: (n,) int64 the points by leaf: the tree's ``idx_array``.
        nodes: (t, 3) int64 ``idx_start``, ``idx_end`` and ``is_leaf`` of its ``node_data``.
        bounds: (2, t, p) float64 its ``node_bounds``.
        sizes: Numbers of neighbours, ascending, from 1 to n.
        threads: as for :func:`nearest_brute`.

    Raises:
        KernelInputError: codes as in :func:`nearest_brute`, and ``bad_tree``.
        KernelInternalError: the kernel failed.
    """
    sizes = tuple(sizes)
    (distances, rows), tied = _native.nearest_tree(
        points, queries, order, nodes, bounds, sizes, threads=threads
    )
    return Neighbours(sizes, distances, rows, tied)
