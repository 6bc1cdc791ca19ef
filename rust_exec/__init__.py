"""Rust kernels: many model fits from one pass over the rows.

Input: NumPy arrays. Output: frozen dataclasses of NumPy arrays. The GIL is released while a
kernel runs, and no kernel starts more threads than it is given. A kernel either keeps the
semantics of the library it replaces or declines, fold by fold, with a reason; the caller then
runs that library itself.

Errors: :class:`KernelInputError` (a ``ValueError``) for wrong types, shapes or values, and
:class:`KernelInternalError` (a ``RuntimeError``) for a fault of the kernel. Both carry a stable
snake_case ``code``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rust_exec import _native
from rust_exec._native import KernelInputError, KernelInternalError

__all__ = [
    "KernelInputError",
    "KernelInternalError",
    "RidgeFolds",
    "RidgePath",
    "cpu_features",
    "ridge_folds",
    "ridge_path",
    "version",
]


@dataclass(frozen=True, slots=True, eq=False)
class RidgeFolds:
    """Ridge models of K folds and ``a`` penalties on ``p`` features.

    Attributes:
        coef: (K, a, p) coefficients on the raw (imputed, unscaled) features.
        intercept: (K, a) predictions at zero.
        predictions: K arrays (len(valid[k]), a).
        declined: why fold k was left to scikit-learn, or None. Everything above is NaN for
            a declined fold. Reasons: ``ill_conditioned``, ``fewer_rows_than_features``,
            ``non_finite``, ``empty_column``, ``constant_column``, ``too_many_features``.
    """

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    predictions: list[NDArray[np.float64]]
    declined: list[str | None]


@dataclass(frozen=True, slots=True, eq=False)
class RidgePath:
    """Ridge models of ``a`` penalties on ``p`` features, from one training matrix.

    Attributes:
        coef: (a, p) coefficients.
        intercept: (a,) predictions at zero.
        predictions: (n_valid, a).
        declined: why the fit was left to scikit-learn (see :class:`RidgeFolds`), or None.
            Everything above is NaN when declined.
    """

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    predictions: NDArray[np.float64]
    declined: str | None


def ridge_folds(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    train: Sequence[NDArray[np.int64]],
    valid: Sequence[NDArray[np.int64]],
    alphas: NDArray[np.float64],
    *,
    impute: bool = False,
    scale: bool = False,
    fit_intercept: bool = True,
    threads: int = 1,
) -> RidgeFolds:
    """Fit ridge regression on every fold with every penalty, and predict the validation rows.

    Fold k gives what scikit-learn's ``make_pipeline(SimpleImputer(), StandardScaler(),
    Ridge(alpha, fit_intercept=fit_intercept))`` gives when fitted on ``x[train[k]]``, with the
    first two steps present as ``impute`` and ``scale`` say. A fold is answered only if rounding
    can change its mean squared error by at most 1e-9 of itself; coefficients of (nearly)
    duplicate features may differ by more, since no score depends on them.

    Folds whose validation sets partition the rows (k-fold, stratified, repeated) share one pass
    over the rows; others are summed one by one.

    Args:
        x: (n, p) float64 of any strides. It is not copied. NaN is allowed with ``impute``.
        y: (n,) float64.
        train: K int64 arrays of row numbers, 0 <= row < n; rows may repeat.
        valid: K int64 arrays of row numbers.
        alphas: (a,) float64, finite and >= 0, in any order.
        impute: replace NaN by the training mean of the column.
        scale: standardise by training mean and standard deviation.
        fit_intercept: as scikit-learn's.
        threads: most threads to use, the caller's included. Results do not depend on it.

    Raises:
        KernelInputError: codes ``bad_array``, ``shape_mismatch``, ``empty_matrix``,
            ``empty_fold``, ``index_out_of_range``, ``bad_alpha``, ``bad_threads``,
            ``too_many_rows``.
        KernelInternalError: the kernel failed.
    """
    coef, intercept, predictions, declined = _native.ridge_folds(
        x,
        y,
        list(train),
        list(valid),
        alphas,
        impute=impute,
        scale=scale,
        fit_intercept=fit_intercept,
        threads=threads,
    )
    return RidgeFolds(coef, intercept, predictions, declined)


def ridge_path(
    x_train: NDArray[np.float64],
    y_train: NDArray[np.float64],
    x_valid: NDArray[np.float64],
    alphas: NDArray[np.float64],
    *,
    fit_intercept: bool = True,
    threads: int = 1,
) -> RidgePath:
    """Fit ridge regression with every penalty on one matrix, and predict another's rows.

    The same as :func:`ridge_folds` for data that are already encoded. Without a validation
    target the promise is judged by the error on the training rows.

    Args:
        x_train: (n, p) float64 of any strides.
        y_train: (n,) float64.
        x_valid: (n_valid, p) float64 of any strides.
        alphas: (a,) float64, finite and >= 0, in any order.
        fit_intercept: as scikit-learn's.
        threads: most threads to use, the caller's included. Results do not depend on it.

    Raises:
        KernelInputError: codes as in :func:`ridge_folds`.
        KernelInternalError: the kernel failed.
    """
    return RidgePath(
        *_native.ridge_path(
            x_train, y_train, x_valid, alphas, fit_intercept=fit_intercept, threads=threads
        )
    )


def version() -> str:
    """Version of the kernel crate."""
    return _native.version()


def cpu_features() -> list[str]:
    """Vector instruction sets of this processor that the kernels make use of, widest last."""
    return _native.cpu_features()
