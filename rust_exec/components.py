"""Ridge and least squares on principal components, of all folds, sizes and penalties at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rust_exec import _native


@dataclass(frozen=True, slots=True, eq=False)
class ComponentFolds:
    """Linear models on components of K folds of ``p`` features; ``m`` members.

    Attributes:
        coef: (K, m, p) coefficients on the raw (imputed, unscaled) features.
        intercept: (K, m) predictions at zero.
        predictions: K arrays (len(valid[k]), m), column by column.
        declined: (K, m) why a model was left to scikit-learn, or None. Everything above is NaN
            for a declined model. Reasons: those of :class:`LinearFolds`, and
            ``randomised_solver``, ``too_many_components``, ``small_gap``.
    """

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    predictions: list[NDArray[np.float64]]
    declined: list[list[str | None]]


@dataclass(frozen=True, slots=True, eq=False)
class ComponentPath:
    """Linear models of one training matrix; what :class:`ComponentFolds` has of one fold.

    Attributes:
        coef: (m, p) coefficients.
        intercept: (m,) predictions at zero.
        predictions: (n_valid, m), column by column.
        declined: (m,).
    """

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    predictions: NDArray[np.float64]
    declined: list[str | None]


def component_folds(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    train: Sequence[NDArray[np.int64]],
    valid: Sequence[NDArray[np.int64]],
    members: NDArray[np.float64],
    *,
    targets: NDArray[np.int64] | None = None,
    impute: bool = False,
    scale: bool = False,
    whiten: bool = False,
    solver: str = "auto",
    threads: int = 1,
) -> ComponentFolds:
    """Fit linear models on the first components of every fold, and predict the validation rows.

    Fold k gives what scikit-learn's ``make_pipeline(SimpleImputer(), StandardScaler(),
    PCA(size, whiten=whiten, svd_solver=solver), model)`` gives when fitted on ``x[train[k]]``,
    with the first two steps present as ``impute`` and ``scale`` say. The model is
    ``Ridge(alpha)``, or ``LinearRegression()`` for an alpha of 0.

    The answer depends on the span of the components that are kept. A model is answered only if
    rounding, ours or the library's, can change its mean squared error by at most 1e-9 of itself:
    rounding moves the span by its own size over the gap between the last square of a singular
    value that is kept and the first that is not (Davis and Kahan), which is the first-order bound
    that is used, probed on the validation rows. What PCA decomposes by random projections (see
    ``svd_solver='auto'`` there) is declined.

    Args:
        x: (n, p) float64 of any strides. It is not copied. NaN is allowed with ``impute``.
        y: (n, t) float64 of any strides, one column per target.
        train: K int64 arrays of row numbers, 0 <= row < n; rows may repeat.
        valid: K int64 arrays of row numbers.
        members: (m, 2) float64, m > 0: the size, a whole number from 1 or a share of the variance
            below 1 as ``n_components`` has it; and alpha, finite and >= 0.
        targets: (m,) int64 the column of ``y`` of each member; None for the first.
        impute: replace NaN by the training mean of the column.
        scale: standardise by training mean and standard deviation.
        whiten: as PCA's.
        solver: ``svd_solver`` of PCA: "auto", "covariance_eigh" or "full".
        threads: most threads to use, the caller's included. Results do not depend on it.

    Raises:
        KernelInputError: codes ``bad_array``, ``shape_mismatch``, ``empty_matrix``,
            ``empty_fold``, ``index_out_of_range``, ``bad_alpha``, ``bad_size``, ``bad_solver``,
            ``no_members``, ``bad_threads``, ``too_many_rows``.
        KernelInternalError: the kernel failed.
    """
    return ComponentFolds(
        *_native.component_folds(
            x,
            y,
            list(train),
            list(valid),
            members,
            targets=targets,
            impute=impute,
            scale=scale,
            whiten=whiten,
            solver=solver,
            threads=threads,
        )
    )


def component_path(
    x_train: NDArray[np.float64],
    y_train: NDArray[np.float64],
    x_valid: NDArray[np.float64],
    members: NDArray[np.float64],
    *,
    targets: NDArray[np.int64] | None = None,
    whiten: bool = False,
    solver: str = "auto",
    threads: int = 1,
) -> ComponentPath:
    """Fit linear models on the first components of one matrix, and predict another's rows.

    The same as :func:`component_folds` for data that are already encoded. Without a validation
    target the promise is judged by the error on the training rows.

    Args:
        x_train: (n, p) float64 of any strides.
        y_train: (n, t) float64, one column per target.
        x_valid: (n_valid, p) float64 of any strides.
        members: as for :func:`component_folds`.
        targets: as for :func:`component_folds`.
        whiten: as PCA's.
        solver: as for :func:`component_folds`.
        threads: most threads to use, the caller's included. Results do not depend on it.

    Raises:
        KernelInputError: codes as in :func:`component_folds`.
        KernelInternalError: the kernel failed.
    """
    return ComponentPath(
        *_native.component_path(
            x_train,
            y_train,
            x_valid,
            members,
            targets=targets,
            whiten=whiten,
            solver=solver,
            threads=threads,
        )
    )
