"""Rust kernels: many model fits from one pass over the rows.

Input: NumPy arrays. Output: frozen dataclasses of NumPy arrays. The GIL is released while a
kernel runs, and no kernel starts more threads than it is given. A kernel either keeps the
semantics of the library it replaces or declines, model by model, with a reason; the caller then
runs that library itself.

Errors: :class:`KernelInputError` (a ``ValueError``) for wrong types, shapes or values, and
:class:`KernelInternalError` (a ``RuntimeError``) for a fault of the kernel. Both carry a stable
snake_case ``code``.
"""

from rust_exec import _native
from rust_exec._native import KernelInputError, KernelInternalError
from rust_exec.linear import LinearFolds, LinearPath, linear_folds, linear_path

__all__ = [
    "KernelInputError",
    "KernelInternalError",
    "LinearFolds",
    "LinearPath",
    "cpu_features",
    "linear_folds",
    "linear_path",
    "version",
]


def version() -> str:
    """Version of the kernel crate."""
    return _native.version()


def cpu_features() -> list[str]:
    """Vector instruction sets of this processor that the kernels make use of, widest last."""
    return _native.cpu_features()
