"""Feature blocks of a fold: imputed, scaled, one-hot and ordinally encoded columns side by side.

Input: whole columns, dictionary codes, and the rows of a fold. Output: a training and a
validation matrix, equal to the last bit to those of scikit-learn's SimpleImputer, StandardScaler,
MinMaxScaler, MaxAbsScaler, OneHotEncoder and OrdinalEncoder on copies of these rows, joined by
``numpy.hstack``. Sums are taken in NumPy's order, for data that lie as a data frame hands them
over (see :func:`column_sums`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from rust_exec import _native

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Fill:
    """What SimpleImputer puts for NaN: the training rows' mean or median, or `value`."""

    kind: Literal["none", "mean", "median", "constant"] = "none"
    value: float = 0.0


@dataclass(frozen=True)
class Scale:
    """A scaler: ``standard`` (first, second: centred and divided, as 0 or 1), ``min_max``
    (first, second: the range), ``max_abs``."""

    kind: Literal["none", "standard", "min_max", "max_abs"] = "none"
    first: float = 0.0
    second: float = 0.0


NO_FILL = Fill()
NO_SCALE = Scale()


@dataclass(frozen=True)
class Number:
    """One column: (n,) float64 `values` of all rows, NaN where missing."""

    values: NDArray[np.float64]
    fill: Fill = NO_FILL
    scale: Scale = NO_SCALE

    @property
    def parts(self) -> tuple[object, ...]:
        scale = (self.scale.kind, float(self.scale.first), float(self.scale.second))
        return ("number", self.values, (self.fill.kind, float(self.fill.value)), scale)


@dataclass(frozen=True)
class OneHot:
    """`width` columns of 0 and 1: (n,) int32 `codes` of all rows, and by code the column that is
    set, -1 for none: (categories,) int32 `places`."""

    codes: NDArray[np.int32]
    places: NDArray[np.int32]
    width: int

    @property
    def parts(self) -> tuple[object, ...]:
        return ("one_hot", self.codes, self.places, self.width)


@dataclass(frozen=True)
class Table:
    """One column: (n,) int32 `codes` of all rows, and (categories,) float64 `values` by code."""

    codes: NDArray[np.int32]
    values: NDArray[np.float64]

    @property
    def parts(self) -> tuple[object, ...]:
        return ("table", self.codes, self.values)


@dataclass(frozen=True)
class Block:
    """Columns that are there already: (n_train, p) and (n_valid, p) float64."""

    train: NDArray[np.float64]
    valid: NDArray[np.float64]

    @property
    def parts(self) -> tuple[object, ...]:
        return ("block", self.train, self.valid)


Source = Number | OneHot | Table | Block


def encode_fold(
    sources: Sequence[Source],
    train: NDArray[np.int64],
    valid: NDArray[np.int64],
    *,
    by_columns: bool = False,
    threads: int = 1,
) -> Pair | str:
    """The sources side by side, fitted on the training rows.

    Args:
        sources: in the order of their columns. Codes, places and tables are contiguous.
        train: (n_train,) int64 row numbers, at least one.
        valid: (n_valid,) int64 row numbers, at least one.
        by_columns: whether the matrices are to lie in Fortran order.
        threads: most threads to use, the caller's included. Results do not depend on it.

    Returns:
        (n_train, p) and (n_valid, p) float64; or why it was declined: ``non_finite`` for infinite
        values or statistics, ``empty_column`` for a column that has no value in the training
        rows. On these the library raises errors or drops columns.

    Raises:
        KernelInputError: ``bad_array`` (type, dimensions), ``bad_source``, ``bad_codes`` (a code
            without a category), ``shape_mismatch``, ``empty_fold``, ``index_out_of_range``,
            ``too_large`` (the matrices have no room in memory), ``bad_threads``.
        KernelInternalError: the kernel failed.
    """
    # What is no source is refused by the kernel.
    parts: list[Any] = [getattr(source, "parts", source) for source in sources]
    found, declined = _native.encode_fold(
        parts, train, valid, by_columns=by_columns, threads=threads
    )
    return found if found is not None else str(declined)


def scale_pair(
    train: NDArray[np.float64],
    valid: NDArray[np.float64],
    fill: Fill,
    scale: Scale,
) -> Pair | str:
    """A matrix imputed or scaled as its training rows say, each side in its own memory order.

    Args:
        train: (n_train, p) float64, C or Fortran order.
        valid: (n_valid, p) float64, C or Fortran order.
        fill: as SimpleImputer.
        scale: as one of the scalers.

    Returns:
        New matrices; or why it was declined: as :func:`encode_fold`, and ``borderline`` for a
        matrix in C order that is to be filled and scaled at once.

    Raises:
        KernelInputError: ``bad_array``, ``bad_source``, ``shape_mismatch``, ``too_large``.
        KernelInternalError: the kernel failed.
    """
    found, declined = _native.scale_pair(
        train,
        valid,
        (fill.kind, float(fill.value)),
        (scale.kind, float(scale.first), float(scale.second)),
    )
    return found if found is not None else str(declined)


def count_codes(codes: NDArray[np.int32], size: int, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each code from 0 to ``size - 1`` comes up in `rows`.

    Args:
        codes: (n,) int32, contiguous. Codes out of range are counted nowhere.
        size: number of codes, 0 to 2^31 - 1.
        rows: int64 row numbers, 0 <= row < n; rows may repeat.

    Returns:
        (size,) int64.

    Raises:
        KernelInputError: ``bad_array``, ``bad_codes``, ``index_out_of_range``, ``too_large``.
        KernelInternalError: the kernel failed.
    """
    return _native.count_codes(codes, size, rows)


def column_sums(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """``matrix.sum(axis=0)`` with NumPy's rounding.

    Within a column that lies contiguously NumPy sums pairwise; across the rows of a matrix in C
    order, one after the other. Callers compare this with the installed NumPy before they rely
    on it.

    Args:
        matrix: (n, p) float64.

    Returns:
        (p,) float64.

    Raises:
        KernelInputError: ``bad_array``.
        KernelInternalError: the kernel failed.
    """
    return _native.column_sums(matrix)
