"""Gradient boosting of many configurations on one set of bins."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rust_exec import _native

Library = Literal["lightgbm", "xgboost", "histogram"]
Loss = Literal["squared", "logistic", "softmax", "poisson", "quantile", "absolute"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BoostingModel:
    """One configuration; the defaults are LightGBM's.

    Attributes:
        loss: What is minimised. ``logistic`` wants targets 0 and 1, ``softmax`` 0 .. classes - 1,
            ``poisson`` none below zero; ``quantile`` and ``absolute`` set leaves to quantiles of
            what is left to explain.
        classes: Number of classes of ``softmax``.
        curvature: Second derivatives of ``softmax`` are this times p (1 - p): K / (K - 1) in
            LightGBM, 2 in XGBoost, 1 in HistGradientBoosting.
        step: Second derivatives of ``poisson`` are exp(score + step): 0.7 in LightGBM and
            XGBoost, 0 in HistGradientBoosting.
        level: The level of ``quantile``.
        learning_rate: What leaf values are multiplied by.
        stages: Numbers of rounds after which predictions are wanted, ascending from 1 to at most
            2^24.
        leaves: Most leaves of a tree, split in the order of gain; None: no limit.
        depth: Most splits above a leaf; None: no limit.
        leaf_rows: Fewest rows of a leaf; XGBoost has no such limit.
        leaf_curvature: Least sum of second derivatives of a leaf.
        l1: Penalty of absolute leaf values.
        l2: Penalty of squared leaf values.
        gain: What a split must gain.
        row_share: Share of the rows that a tree is grown on; each row is drawn on its own.
        row_interval: Rounds after which rows are drawn again.
        column_share: Share of the features that a tree (HistGradientBoosting: a node) may use.
        library: Whose conventions are followed in what is drawn and how rows of a leaf are
            counted, in which of equal splits is taken, and in what becomes of trees without one;
            and whose splits of categorical features are found. A set of categories is told
            from the others. In LightGBM missing values and categories that were not seen are
            among the others; in XGBoost missing values are, too, save where one category is told
            from the rest; in HistGradientBoosting ("histogram") they are one more category.
        category_one_hot: Up to so many categories one is told from the rest ("histogram": never).
        category_most: Most categories of a set in LightGBM, one less of them in XGBoost.
        category_rows: Fewest rows that a set of LightGBM grows by.
        category_l2: LightGBM: added to ``l2`` where a set may have several categories.
        category_smooth: LightGBM and HistGradientBoosting sort categories by their sum of first
            derivatives over that of second ones and this; those of fewer rows are in no set.
        seed: Of the draws.
    """

    loss: Loss = "squared"
    classes: int = 1
    curvature: float = 1.0
    step: float = 0.0
    level: float = 0.5
    learning_rate: float = 0.1
    stages: tuple[int, ...] = (100,)
    leaves: int | None = 31
    depth: int | None = None
    leaf_rows: int = 20
    leaf_curvature: float = 1e-3
    l1: float = 0.0
    l2: float = 0.0
    gain: float = 0.0
    row_share: float = 1.0
    row_interval: int = 1
    column_share: float = 1.0
    library: Library = "lightgbm"
    category_one_hot: int = 3
    category_most: int = 32
    category_rows: int = 100
    category_l2: float = 10.0
    category_smooth: float = 10.0
    seed: int = 0


class BinnedRows:
    """Training rows cut into bins, and rows to predict: what all models of a fold share.

    Each feature has at most ``max_bins`` bins and one of missing values. They are cut as
    one of the libraries does, from at most 65,536 of the rows, or evenly: a bin for each value,
    or about as many rows in each. Columns that take few
    combinations of values together, such as the components of one string column, are kept once
    per combination, and their gradients are summed by combination first.

    Attributes:
        combinations: By group of such columns: how many combinations there are.
        nbytes: Bytes held.
    """

    def __init__(
        self,
        x_train: NDArray[np.float64],
        x_valid: NDArray[np.float64],
        *,
        max_bins: int = 255,
        cuts: Literal["even"] | Library = "even",
        derived: Sequence[Sequence[int]] = (),
        detect: bool = True,
        categorical: Sequence[int] = (),
        train_rows: NDArray[np.int64] | None = None,
        valid_rows: NDArray[np.int64] | None = None,
        threads: int = 1,
    ) -> None:
        """Cut rows into bins.

        Args:
            x_train: (m, p) float64 of any strides, NaN allowed. It is read, not kept.
            x_valid: (m_valid, p) float64 of any strides, which may be ``x_train``.
            max_bins: 2 to 255; 256 as well with XGBoost's cuts.
            cuts: Who cuts the bins.
            derived: Groups of columns, each of them functions of one code per row. Columns that
                are not there are passed over.
            detect: Look for such groups among the other columns, too.
            categorical: Columns whose values have no order, at most ``max_bins`` different ones
                among the training rows. Others in ``x_valid`` are taken for missing ones.
            train_rows: (n,) int64 rows of ``x_train`` to learn from, which may repeat; None: all.
            valid_rows: (n_valid,) int64 rows of ``x_valid`` to predict; None: all.
            threads: most threads to use, the caller's included.

        Raises:
            KernelInputError: codes ``bad_array``, ``shape_mismatch``, ``empty_matrix``,
                ``bad_bins``, ``bad_option``, ``bad_threads``, ``too_many_rows``,
                ``index_out_of_range``, ``too_many_categories``.
            KernelInternalError: the kernel failed.
        """
        self._native = _native.BinnedRows(
            x_train,
            x_valid,
            max_bins=max_bins,
            cuts=cuts,
            derived=[list(group) for group in derived],
            detect=detect,
            categorical=list(categorical),
            train_rows=train_rows,
            valid_rows=valid_rows,
            threads=threads,
        )
        self.combinations = self._native.combinations
        self.nbytes = self._native.nbytes


def boosting(
    rows: BinnedRows,
    y_train: NDArray[np.float64],
    models: Sequence[BoostingModel],
    *,
    weight: NDArray[np.float64] | None = None,
    threads: int = 1,
) -> list[NDArray[np.float64]]:
    """Fit boosting models on one set of training rows, and predict after every stage.

    Trees grow as LightGBM's do (Ke et al. 2017), on histograms of binned features; gradients are
    summed in fixed point. Without draws, trees are the library's as far as rounding lets them;
    random draws are the kernel's own, so that scores then equal those of the library in
    distribution. Missing values are tried on both sides of every split.

    Args:
        rows: n training rows, and n_valid to predict.
        y_train: (n,) float64.
        models: The configurations.
        weight: (n,) float64 weights of rows, finite and not negative.
        threads: most threads to use, the caller's included. Results do not depend on it.

    Returns:
        By model: raw scores (stages, outputs, n_valid): values, log-odds, logarithms of rates, or
        of class weights.

    Raises:
        KernelInputError: codes ``bad_array``, ``shape_mismatch``, ``bad_option``, ``bad_target``,
            ``bad_weight``, ``bad_threads``; ``non_finite`` where scores overflow.
        KernelInternalError: the kernel failed.
    """
    return _native.boosting(rows._native, y_train, list(models), weight=weight, threads=threads)
