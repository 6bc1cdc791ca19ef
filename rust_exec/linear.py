"""Linear models of all folds and parameters, from second moments that are summed once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rust_exec import _native


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """Categorical columns whose one-hot columns are features of a linear model.

    Attributes:
        codes: (n, c) int32 of any strides, the number of each row's category, in the order of the
            library's one-hot columns; -1 for a row that is of none of them.
        sizes: (c,) int64 how many categories each column has.
        drop: (c,) int64 as the `drop` of ``OneHotEncoder``: 0 for none, 1 for "first", 2 for
            "if_binary". Which category that is depends on those that the training rows have.
    """

    codes: NDArray[np.int32]
    sizes: NDArray[np.int64]
    drop: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class LinearFolds:
    """Linear models of K folds on ``p`` features; ``m`` members, closed forms before nets.

    Features are the columns, then the categories of each categorical column.

    Attributes:
        coef: (K, m, p) coefficients on the raw (imputed, unscaled) features.
        intercept: (K, m) predictions at zero.
        predictions: K arrays (len(valid[k]), m), column by column.
        descent: (K, m, 3) of nets: rounds, duality gap at the end, and the gap at which the
            solver stops; a greater one means that ``max_iter`` ended it. NaN for closed forms.
        declined: (K, m) why a model was left to scikit-learn, or None. Everything above is NaN
            for a declined model. Reasons: ``ill_conditioned``, ``fewer_rows_than_features``,
            ``rank_deficient``, ``borderline``, ``non_finite``, ``empty_column``,
            ``constant_column``, ``too_many_features``.
    """

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    predictions: list[NDArray[np.float64]]
    descent: NDArray[np.float64]
    declined: list[list[str | None]]


@dataclass(frozen=True, slots=True, eq=False)
class LinearPath:
    """Linear models of one training matrix; what :class:`LinearFolds` has of one fold.

    Attributes:
        coef: (m, p) coefficients.
        intercept: (m,) predictions at zero.
        predictions: (n_valid, m), column by column.
        descent: (m, 3).
        declined: (m,).
    """

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    predictions: NDArray[np.float64]
    descent: NDArray[np.float64]
    declined: list[str | None]


def linear_folds(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    train: Sequence[NDArray[np.int64]],
    valid: Sequence[NDArray[np.int64]],
    alphas: NDArray[np.float64],
    nets: NDArray[np.float64],
    *,
    targets: NDArray[np.int64] | None = None,
    impute: bool = False,
    scale: bool = False,
    fit_intercept: bool = True,
    threads: int = 1,
    categories: Categories | None = None,
    order: NDArray[np.int64] | None = None,
    fills: NDArray[np.float64] | None = None,
    divisors: NDArray[np.float64] | None = None,
) -> LinearFolds:
    """Fit a family of linear models on every fold, and predict the validation rows.

    Targets share the pass over the rows that the models come from and the one that predicts.

    Fold k gives what scikit-learn's ``make_pipeline(SimpleImputer(), StandardScaler(), model)``
    gives when fitted on ``x[train[k]]``, with the first two steps present as ``impute`` and
    ``scale`` say. The models are ``Ridge(alpha)`` for each of ``alphas`` (``LinearRegression()``
    for an alpha of 0) and ``ElasticNet(alpha, l1_ratio=..., tol=..., max_iter=...)`` for each row
    of ``nets``, which stops after the same rounds as scikit-learn's. A model is answered only if
    rounding can change its mean squared error by at most 1e-9 of itself (nets: 1e-7);
    coefficients of (nearly) duplicate features may differ by more, since no score depends on
    them.

    With `categories`, the one-hot columns of ``OneHotEncoder(handle_unknown="ignore")`` are
    features, too, neither imputed nor scaled, and never written out: a row's codes add to sums
    per category. A category that no training row has is no feature of that fold.

    Folds whose validation sets partition the rows (k-fold, stratified, repeated) share one pass
    over the rows; others are summed one by one.

    Args:
        x: (n, p) float64 of any strides. It is not copied. NaN is allowed with ``impute``.
        y: (n, t) float64 of any strides, one column per target. What is not finite in one is a
            matter of its own members.
        train: K int64 arrays of row numbers, 0 <= row < n; rows may repeat.
        valid: K int64 arrays of row numbers.
        alphas: (a,) float64, finite and >= 0, in any order; may be empty if ``nets`` is not.
        nets: (m - a, 4) float64: alpha > 0, 0 < l1_ratio <= 1, tol >= 0, max_iter >= 1.
        targets: (m,) int64 the column of ``y`` of each member, closed forms before nets; None for
            the first.
        impute: replace NaN by the training mean of the column.
        scale: standardise by training mean and standard deviation.
        fit_intercept: as scikit-learn's.
        threads: most threads to use, the caller's included. Results do not depend on it.
        categories: one-hot columns beside those of `x`, which may then have none.
        order: (p,) int64 the features in the order of the library's design, which is that of its
            coordinate descent; None: columns, then categories.
        fills: (K, columns of `x`) with ``impute``, what replaces NaN in fold k; NaN for the mean.
        divisors: (K, columns of `x`) what columns are divided by in fold k, in place of ``scale``;
            NaN for the standard deviation. Needs an intercept.

    Raises:
        KernelInputError: codes ``bad_array``, ``shape_mismatch``, ``empty_matrix``,
            ``empty_fold``, ``index_out_of_range``, ``bad_alpha``, ``bad_net``, ``no_members``,
            ``bad_threads``, ``too_many_rows``, ``bad_category``, ``bad_order``,
            ``bad_statistic``, ``needs_intercept``.
        KernelInternalError: the kernel failed.
    """
    return LinearFolds(
        *_native.linear_folds(
            x,
            y,
            list(train),
            list(valid),
            alphas,
            nets,
            targets=targets,
            impute=impute,
            scale=scale,
            fit_intercept=fit_intercept,
            threads=threads,
            categories=None
            if categories is None
            else (categories.codes, categories.sizes, categories.drop),
            order=order,
            fills=fills,
            divisors=divisors,
        )
    )


def linear_path(
    x_train: NDArray[np.float64],
    y_train: NDArray[np.float64],
    x_valid: NDArray[np.float64],
    alphas: NDArray[np.float64],
    nets: NDArray[np.float64],
    *,
    targets: NDArray[np.int64] | None = None,
    fit_intercept: bool = True,
    threads: int = 1,
) -> LinearPath:
    """Fit a family of linear models on one matrix, and predict another's rows.

    The same as :func:`linear_folds` for data that are already encoded. Without a validation
    target the promise is judged by the error on the training rows.

    Args:
        x_train: (n, p) float64 of any strides.
        y_train: (n, t) float64, one column per target.
        x_valid: (n_valid, p) float64 of any strides.
        alphas: as for :func:`linear_folds`.
        nets: as for :func:`linear_folds`.
        targets: as for :func:`linear_folds`.
        fit_intercept: as scikit-learn's.
        threads: most threads to use, the caller's included. Results do not depend on it.

    Raises:
        KernelInputError: codes as in :func:`linear_folds`.
        KernelInternalError: the kernel failed.
    """
    return LinearPath(
        *_native.linear_path(
            x_train,
            y_train,
            x_valid,
            alphas,
            nets,
            targets=targets,
            fit_intercept=fit_intercept,
            threads=threads,
        )
    )
