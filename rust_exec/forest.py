"""Random forests and extremely randomised trees, on features cut into bins."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rust_exec import _native


def forest(
    x_train: NDArray[np.float64],
    y_train: NDArray[np.float64],
    x_valid: NDArray[np.float64],
    sizes: Sequence[int],
    seeds: Sequence[int],
    *,
    classes: int = 0,
    entropy: bool = False,
    weights: NDArray[np.float64] | None = None,
    draws: int | None = None,
    balanced: bool = False,
    random_cuts: bool = False,
    max_features: int = 1,
    max_depth: int | None = None,
    min_samples_split: int = 2,
    min_samples_leaf: int = 1,
    min_weight_fraction_leaf: float = 0.0,
    min_impurity_decrease: float = 0.0,
    max_leaf_nodes: int | None = None,
    train_rows: NDArray[np.int64] | None = None,
    valid_rows: NDArray[np.int64] | None = None,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Fit a forest per seed, and predict rows with each number of its first trees.

    The semantics are those of scikit-learn's ``RandomForest*`` and ``ExtraTrees*``: features
    drawn until one is not constant, missing values tried on both sides, leaves counted in rows
    whatever their weight, probabilities averaged over trees. Features are cut into at most 255
    bins, and random numbers are other ones: scores are equal in distribution, not in value.
    With more than 255 distinct values, trees cannot tell those of a bin apart.

    Args:
        x_train: (m, p) float64 of any strides; NaN is a missing value. It is not copied.
        y_train: (n,) float64 of the training rows: values, or class numbers 0, 1, ... below
            ``classes``.
        x_valid: (m_valid, p) float64 of any strides, which may be ``x_train``. It is not copied.
        sizes: numbers of trees, each from 1 to 2^24, in any order.
        seeds: one forest each; 0 to 2^64 - 1.
        classes: number of classes, 2 to 1000; 0 for regression (squared error).
        entropy: classes by entropy instead of Gini.
        weights: (n,) float64, finite, none negative. Rows are drawn in proportion if ``draws``,
            as scikit-learn does since 1.8; else they weigh in the trees.
        draws: rows drawn with replacement per tree, 1 to 2^32 - 1; None: every tree sees every
            row.
        balanced: classes weigh the same in every sample (``balanced_subsample``).
        random_cuts: one random cut per feature (``ExtraTrees*``) instead of the best.
        max_features: features tried per split, at least 1.
        max_depth: as scikit-learn's.
        min_samples_split: as scikit-learn's, as a number of rows.
        min_samples_leaf: as scikit-learn's, as a number of rows.
        min_weight_fraction_leaf: as scikit-learn's.
        min_impurity_decrease: as scikit-learn's.
        max_leaf_nodes: as scikit-learn's; trees then grow best first.
        train_rows: (n,) int64 rows of ``x_train`` to learn from, which may repeat; None: all.
        valid_rows: (n_valid,) int64 rows of ``x_valid`` to predict; None: all.
        threads: most threads to use, the caller's included. Results do not depend on it.

    Returns:
        (seeds, sizes, n_valid, max(classes, 1)) predictions or probabilities.

    Raises:
        KernelInputError: codes ``bad_array``, ``shape_mismatch``, ``empty_matrix``,
            ``too_many_rows``, ``index_out_of_range``, ``too_many_classes``, ``infinite``,
            ``bad_target``, ``bad_weights``, ``bad_shape``, ``bad_size``, ``bad_seed``,
            ``bad_threads``.
        KernelInternalError: the kernel failed.
    """
    return _native.forest(
        x_train,
        y_train,
        x_valid,
        list(sizes),
        list(seeds),
        classes=classes,
        entropy=entropy,
        weights=weights,
        draws=draws,
        balanced=balanced,
        random_cuts=random_cuts,
        max_features=max_features,
        max_depth=max_depth,
        min_samples_split=min_samples_split,
        min_samples_leaf=min_samples_leaf,
        min_weight_fraction_leaf=min_weight_fraction_leaf,
        min_impurity_decrease=min_impurity_decrease,
        max_leaf_nodes=max_leaf_nodes,
        train_rows=train_rows,
        valid_rows=valid_rows,
        threads=threads,
    )
