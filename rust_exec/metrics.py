"""Metrics of many prediction vectors of one target, as scikit-learn defines them.

A NaN in an answer is a refusal: the value is undefined there, or scikit-learn would raise or warn.
Values agree with scikit-learn's to 1e-12 of themselves (of 1 for those that are one minus a
share); those of predicted quantities are summed in NumPy's order and mostly have its bits.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rust_exec import _native


def score_numbers(
    target: NDArray[np.float64],
    vectors: Sequence[NDArray[np.float64]],
    metrics: Sequence[str],
    *,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Metrics of predicted quantities.

    Args:
        target: (n,) float64 of any strides.
        vectors: m predictions (n,) float64 of any strides.
        metrics: k names of functions of sklearn.metrics: ``mean_squared_error``,
            ``root_mean_squared_error``, ``mean_absolute_error``,
            ``mean_absolute_percentage_error``, ``median_absolute_error``, ``max_error``,
            ``r2_score``, ``explained_variance_score``.
        threads: most threads to use, the caller's included. Results do not depend on it.

    Returns:
        (m, k); NaN where the vector or the target is not finite, or the metric undefined.

    Raises:
        KernelInputError: codes ``bad_array``, ``shape_mismatch``, ``bad_metrics``,
            ``unknown_metric``, ``too_many_rows``, ``bad_threads``.
        KernelInternalError: the kernel failed.
    """
    return _native.score_numbers(target, list(vectors), list(metrics), threads=threads)


def score_binary(
    hits: NDArray[np.uint8],
    vectors: Sequence[NDArray[np.float64]],
    metrics: Sequence[str],
    *,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Metrics of scores or probabilities of the positive class.

    Args:
        hits: (n,) uint8, not 0 for rows of the positive class.
        vectors: m scores (n,) float64 of any strides.
        metrics: k of ``roc_auc_score``, ``average_precision_score``, ``log_loss`` (clipped at the
            float64 epsilon), ``brier_score_loss``.
        threads: most threads to use, the caller's included. Results do not depend on it.

    Returns:
        (m, k); NaN where all rows are of one class, the vector is not finite, or a loss is asked
        of what is no probability.

    Raises:
        KernelInputError: codes as in :func:`score_numbers`.
        KernelInternalError: the kernel failed.
    """
    return _native.score_binary(hits, list(vectors), list(metrics), threads=threads)


def score_multiclass(
    codes: NDArray[np.int64],
    tables: Sequence[NDArray[np.float64]],
    classes: int,
    metrics: Sequence[str],
    *,
    threads: int = 1,
) -> NDArray[np.float64]:
    """Metrics of class probabilities, of three classes or more.

    Args:
        codes: (n,) int64, the class of each row, 0 <= code < classes.
        tables: m probabilities (n, classes) float64 of any strides.
        classes: number of classes.
        metrics: k of ``log_loss``, ``brier_score_loss``, ``average_precision_score`` (macro) and
            ``roc_auc_ovr``, ``roc_auc_ovo``, ``roc_auc_ovr_weighted``, ``roc_auc_ovo_weighted``
            (``roc_auc_score`` with this ``multi_class`` and ``average``).
        threads: most threads to use, the caller's included. Results do not depend on it.

    Returns:
        (m, k); NaN where a table is not of probabilities, or a ranking metric lacks rows of a
        class or has more than 1024 of them.

    Raises:
        KernelInputError: codes as in :func:`score_numbers`, ``code_out_of_range``,
            ``too_many_classes`` (more than 2**24).
        KernelInternalError: the kernel failed.
    """
    return _native.score_multiclass(codes, list(tables), classes, list(metrics), threads=threads)


def confusion_matrices(
    target: NDArray[np.int64],
    vectors: Sequence[NDArray[np.int64]],
    labels: NDArray[np.int64],
    *,
    threads: int = 1,
) -> NDArray[np.int64]:
    """Confusion matrices of predicted labels.

    Args:
        target: (n,) int64 of any strides.
        vectors: m predictions (n,) int64 of any strides.
        labels: (c,) int64, ascending: every label of the target and more.
        threads: most threads to use, the caller's included. Results do not depend on it.

    Returns:
        (m, c, c) int64; entry (v, i, j) counts the rows of label i that vector v says are j. All
        -1 for a vector that holds something else than the labels.

    Raises:
        KernelInputError: codes ``bad_array``, ``shape_mismatch``, ``bad_labels``,
            ``unknown_label`` (in the target), ``too_many_labels`` (more than 2**24 counts),
            ``too_many_rows``, ``bad_threads``.
        KernelInternalError: the kernel failed.
    """
    return _native.confusion_matrices(target, list(vectors), labels, threads=threads)
