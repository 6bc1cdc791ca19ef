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
from rust_exec.boosting import BinnedRows, BoostingModel, boosting
from rust_exec.components import ComponentFolds, ComponentPath, component_folds, component_path
from rust_exec.encoding import (
    NO_FILL,
    NO_SCALE,
    Block,
    Fill,
    Number,
    OneHot,
    Scale,
    Table,
    column_sums,
    count_codes,
    encode_fold,
    scale_pair,
)
from rust_exec.forest import forest
from rust_exec.linear import Categories, LinearFolds, LinearPath, linear_folds, linear_path
from rust_exec.metrics import confusion_matrices, score_binary, score_multiclass, score_numbers
from rust_exec.neighbours import (
    NeighbourModels,
    Neighbours,
    answers_brute,
    answers_tree,
    nearest_brute,
    nearest_tree,
)
from rust_exec.strings import (
    Counts,
    Terms,
    Texts,
    as_texts,
    count_known_terms,
    count_terms,
    equal_rows,
    hash_terms,
)

__all__ = [
    "NO_FILL",
    "NO_SCALE",
    "BinnedRows",
    "Block",
    "BoostingModel",
    "Categories",
    "ComponentFolds",
    "ComponentPath",
    "Counts",
    "Fill",
    "KernelInputError",
    "KernelInternalError",
    "LinearFolds",
    "LinearPath",
    "NeighbourModels",
    "Neighbours",
    "Number",
    "OneHot",
    "Scale",
    "Table",
    "Terms",
    "Texts",
    "answers_brute",
    "answers_tree",
    "as_texts",
    "boosting",
    "column_sums",
    "component_folds",
    "component_path",
    "confusion_matrices",
    "count_codes",
    "count_known_terms",
    "count_terms",
    "cpu_features",
    "encode_fold",
    "equal_rows",
    "forest",
    "hash_terms",
    "linear_folds",
    "linear_path",
    "nearest_brute",
    "nearest_tree",
    "scale_pair",
    "score_binary",
    "score_multiclass",
    "score_numbers",
    "vector_level",
    "version",
]


def version() -> str:
    """Version of the kernel crate."""
    return _native.version()


def cpu_features() -> list[str]:
    """Vector instruction sets of this processor that the kernels make use of, widest last."""
    return _native.cpu_features()


def vector_level() -> str:
    """The instruction set that the kernels' own loops run with.

    ``v3`` (AVX2), ``neon``, or ``portable``: without those, or where the environment variable
    ``STRATUM_KERNELS_SIMD`` says ``portable`` when a kernel first runs. Results do not depend on
    it beyond what each kernel promises. Matrix products choose for themselves, AVX-512 included.
    """
    return _native.vector_level()
