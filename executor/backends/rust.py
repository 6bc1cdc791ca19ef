"""The Rust backend: groups of fits served by one kernel.

Input: ops that a planner rule made for it. Output: what the Python backend would give. Where
the kernel declines a fold (an ill-conditioned design, fewer rows than features), scikit-learn
runs that fold.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from executor.backends.base import Context
from executor.backends.python import ridge_reference, sides, training_target
from executor.models import inverse
from planner.errors import ExecutionError
from planner.graph import Op
from planner.ops import RidgeFolds, RidgePath

try:
    import rust_exec

    HAS_KERNELS = True
except ImportError:  # a platform without a built extension: the Python backend serves all
    HAS_KERNELS = False


class RustBackend:
    """Runs the kernel groups, where the extension could be loaded."""

    name = "rust"

    def supports(self, op: Op) -> bool:
        return HAS_KERNELS and isinstance(op, RidgeFolds | RidgePath)

    def run(self, op: Op, inputs: Sequence[Any], context: Context) -> Any:
        if isinstance(op, RidgeFolds):
            return _ridge_folds(op, inputs, context)
        assert isinstance(op, RidgePath)
        return _ridge_path(op, inputs, context)


def _ridge_folds(op: RidgeFolds, inputs: Sequence[Any], context: Context) -> list[np.ndarray]:
    """Predictions per fold, (n_valid, alphas), on the scale of the target as given."""
    features, folds, target = inputs

    def kernel() -> tuple[list[np.ndarray], list[str | None]]:
        result = rust_exec.ridge_folds(
            _matrix(features),
            np.asarray(target, dtype=np.float64),
            [train for train, _ in folds],
            [valid for _, valid in folds],
            np.asarray(op.alphas, dtype=np.float64),
            impute=op.impute,
            scale=op.scale,
            fit_intercept=op.fit_intercept,
            threads=context.threads,
        )
        return result.predictions, result.declined

    found, declined = _asked(kernel, len(folds))
    return [
        _finite(inverse(op.function, found[fold]))
        if declined[fold] is None
        else ridge_reference(op, inputs, replace(context, fold=fold))
        for fold in range(len(folds))
    ]


def _ridge_path(op: RidgePath, inputs: Sequence[Any], context: Context) -> np.ndarray:
    """Predictions of one fold, (n_valid, alphas)."""
    features, folds, target = inputs
    train, valid = sides(features, folds, context)
    if not (_dense_numeric(train) and _dense_numeric(valid)):
        return ridge_reference(op, inputs, context)

    def kernel() -> tuple[list[np.ndarray], list[str | None]]:
        result = rust_exec.ridge_path(
            _matrix(train),
            np.asarray(training_target(target, folds, context), dtype=np.float64),
            _matrix(valid),
            np.asarray(op.alphas, dtype=np.float64),
            fit_intercept=op.fit_intercept,
            threads=context.threads,
        )
        return [result.predictions], [result.declined]

    (found,), (declined,) = _asked(kernel, 1)
    if declined is not None:
        return ridge_reference(op, inputs, context)
    return _finite(inverse(op.function, found))


def _asked(
    kernel: Callable[[], tuple[list[np.ndarray], list[str | None]]], folds: int
) -> tuple[list[np.ndarray], list[str | None]]:
    """What the kernel answers; all folds declined if it fails, for then the library may not."""
    try:
        return kernel()
    except (rust_exec.KernelInputError, rust_exec.KernelInternalError) as error:
        warnings.warn(f"The Ridge kernel failed ({error.code}).", RuntimeWarning, stacklevel=2)
        return [np.empty(0)] * folds, [error.code] * folds


def _dense_numeric(block: Any) -> bool:
    """Sparse designs go to an iterative solver in scikit-learn; object arrays may not convert;
    float32 is solved in float32 there."""
    return isinstance(block, np.ndarray) and block.dtype.kind in "biuf" and block.dtype != "f4"


def _matrix(block: Any) -> np.ndarray:
    if isinstance(block, pd.DataFrame):
        return block.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(block, dtype=np.float64)


def _finite(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise ExecutionError(
            "non_finite_predictions",
            "Ridge gave predictions that are NaN or infinite.",
            hint="Scale the features, or use a tamer target transform.",
        )
    return values
