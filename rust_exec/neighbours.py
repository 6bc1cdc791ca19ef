"""Nearest points of many queries, for several numbers of neighbours from one pass.

The semantics are those of scikit-learn 1.9's Euclidean searches, to the last bit: distances, which
points are chosen among equally distant ones, and their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

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


@dataclass(frozen=True, slots=True, eq=False)
class NeighbourModels:
    """Models that answer from their neighbours.

    Attributes:
        members: (place among the sizes, whether neighbours are weighed by distance) of each.
        target: Of the points: (n,) float64 of which means are answered, or (n,) int64 codes of
            classes.
        classes: Number of classes, 0 for means.
        chances: Whether probabilities of the classes are answered after the label.
    """

    members: Sequence[tuple[int, bool]]
    target: NDArray[np.float64] | NDArray[np.int64]
    classes: int = 0
    chances: bool = False

    def shaped(self, answers: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m, members, 1 or 1 + classes)"""
        return answers.reshape(len(answers), len(self.members), -1)

    @property
    def asked(self) -> tuple[list[tuple[int, bool]], NDArray[Any], int, bool]:
        return list(self.members), self.target, self.classes, self.chances


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
        points: (n, p) float64 of any strides, of which some rows at a time are copied. Finite.
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
    (distances, rows), tied = _native.neighbours_brute(
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


def answers_brute(
    points: NDArray[np.float64],
    queries: NDArray[np.float64],
    point_norms: NDArray[np.float64],
    query_norms: NDArray[np.float64],
    sizes: Sequence[int],
    models: NeighbourModels,
    *,
    merged: bool = False,
    single: bool = False,
    threads: int = 1,
) -> NDArray[np.float64]:
    """What models answer from the lists of :func:`nearest_brute`, which are not kept.

    Args:
        points: (n, p) float64; as there, all but `models`.
        queries: (m, p) float64.
        point_norms: (n,) squared norms.
        query_norms: (m,) likewise.
        sizes: Numbers of neighbours, ascending, from 1 to n.
        models: What answers, and with what.
        merged: Follow ties as with ``parallel_on_Y``.
        single: Round distances as the library does for float32 data.
        threads: most threads to use, the caller's included. Results do not depend on it.

    Returns:
        (m, members, width): the mean, or the code of the class and, with ``chances``, its
        probabilities, as scikit-learn rounds them.

    Raises:
        KernelInputError: codes ``bad_array``, ``shape_mismatch``, ``empty_matrix``, ``bad_sizes``,
            ``non_finite``, ``too_large``, ``bad_threads``, ``too_many_rows``, ``bad_codes``,
            ``bad_members``.
        KernelInternalError: the kernel failed.
    """
    answers = _native.neighbours_brute(
        points,
        queries,
        point_norms,
        query_norms,
        tuple(sizes),
        merged=merged,
        single=single,
        asked=models.asked,
        threads=threads,
    )
    return models.shaped(answers)


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

    All points are looked at; the tree says in which order the library comes to them, for the
    queries where that matters.

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
    (distances, rows), tied = _native.neighbours_tree(
        points, queries, order, nodes, bounds, sizes, threads=threads
    )
    return Neighbours(sizes, distances, rows, tied)


def answers_tree(
    points: NDArray[np.float64],
    queries: NDArray[np.float64],
    order: NDArray[np.int64],
    nodes: NDArray[np.int64],
    bounds: NDArray[np.float64],
    sizes: Sequence[int],
    models: NeighbourModels,
    *,
    threads: int = 1,
) -> NDArray[np.float64]:
    """What models answer from the lists of :func:`nearest_tree`, which are not kept.

    Args:
        points: (n, p) float64; as there, all but `models`.
        queries: (m, p) float64.
        order: (n,) int64 the points by leaf.
        nodes: (t, 3) int64.
        bounds: (2, t, p) float64.
        sizes: Numbers of neighbours, ascending, from 1 to n.
        models: What answers, and with what.
        threads: most threads to use, the caller's included. Results do not depend on it.

    Returns:
        (m, members, width), as of :func:`answers_brute`.

    Raises:
        KernelInputError: codes ``bad_array``, ``shape_mismatch``, ``empty_matrix``, ``bad_sizes``,
            ``non_finite``, ``too_large``, ``bad_threads``, ``too_many_rows``, ``bad_codes``,
            ``bad_members``, ``bad_tree``.
        KernelInternalError: the kernel failed.
    """
    answers = _native.neighbours_tree(
        points, queries, order, nodes, bounds, tuple(sizes), asked=models.asked, threads=threads
    )
    return models.shaped(answers)
