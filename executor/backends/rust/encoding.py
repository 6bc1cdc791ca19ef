"""Feature blocks and scalers by the kernel of encodings.

Input: an EncodeBlock and what it reads, or the two sides of a step of a scaler. Output: what the
Python backend would give, to the last bit, in the same memory order; None where the kernel does
not serve: the library then runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

import rust_exec
from executor.backends.base import Context
from executor.backends.rust.categories import Categories
from executor.backends.sides import sides
from executor.features import array_of, has_categories
from planner.expressions import Call, Items, param
from planner.graph import Op
from planner.ops_encode import CODED, EncodeBlock

Pair = tuple[np.ndarray, np.ndarray]
Split = list[tuple[np.ndarray, np.ndarray]]

_SCALERS = ("StandardScaler", "MinMaxScaler", "MaxAbsScaler")
_FAULTS = (rust_exec.KernelInputError, rust_exec.KernelInternalError)


@dataclass(frozen=True)
class _Part:
    """The sources of one branch, and the array that the library would have made of it."""

    sources: Sequence[rust_exec.Number | rust_exec.OneHot | rust_exec.Table | rust_exec.Block]
    width: int
    by_columns: bool
    stored: int | None = None  # values on the training rows, if that array were sparse


@cache
def sums_agree() -> bool:
    """Whether the installed NumPy adds up in the order that the kernel knows."""
    values = np.sin(np.arange(1.0, 3 * 1037 + 1)).reshape(-1, 3) * 1e3
    probes = (values, np.asfortranarray(values), values[:, :1].copy(), values[:5].copy())
    return all(np.array_equal(rust_exec.column_sums(x), x.sum(axis=0)) for x in probes)


def block(op: EncodeBlock, inputs: Sequence[Any], context: Context) -> Pair | None:
    """Both sides of an EncodeBlock of a fold."""
    folds, *rest = inputs
    blocks, codes = rest[: len(op.steps)], iter(rest[len(op.steps) :])
    train, valid = folds[context.position]
    if not (any(op.steps) and len(train) and len(valid) and sums_agree()):
        return None
    parts = []
    for value, calls, reads in zip(blocks, op.steps, op.coded, strict=True):
        own = next(codes) if reads else ()
        part = _part(value, calls, own, folds, context)
        if part is None:
            return None
        parts.append(part)
    width = sum(part.width for part in parts)
    if not width or _stays_sparse(parts, len(train), width, op.sparse_threshold):
        return None
    try:
        found = rust_exec.encode_fold(
            [source for part in parts for source in part.sources],
            train,
            valid,
            by_columns=_joined_by_columns(parts),
            threads=context.threads,
        )
    except _FAULTS:
        return None
    return None if isinstance(found, str) else found


def scaled(call: Call, train: Any, valid: Any) -> Pair | None:
    """Both sides behind an imputer or a scaler, of plain matrices of doubles."""
    if not (_plain(train) and _plain(valid) and train.size and sums_agree()):
        return None
    steps = _steps([call])
    if steps is None or call.name not in (*_SCALERS, "SimpleImputer"):
        return None
    try:
        found = rust_exec.scale_pair(train, valid, *steps)
    except _FAULTS:
        return None
    return None if isinstance(found, str) else found


def _plain(array: Any) -> bool:
    return (
        type(array) is np.ndarray
        and array.ndim == 2
        and array.dtype == np.float64
        and (array.flags.c_contiguous or array.flags.f_contiguous)
    )


def _stays_sparse(parts: Sequence[_Part], rows: int, width: int, threshold: float | None) -> bool:
    """Whether the concatenation keeps a sparse matrix (see `executor.features.concatenate`)."""
    if all(part.stored is None for part in parts):
        return False
    filled = sum(rows * part.width if part.stored is None else part.stored for part in parts)
    return threshold is None or filled / (rows * width) < threshold


def _joined_by_columns(parts: Sequence[_Part]) -> bool:
    """The memory order that `numpy.hstack` gives arrays of these orders."""
    arrays = [np.empty((2, part.width), order="F" if part.by_columns else "C") for part in parts]
    joined = arrays[0] if len(arrays) == 1 else np.hstack(arrays)
    return bool(joined.flags.f_contiguous and not joined.flags.c_contiguous)


def _part(
    value: Any, calls: tuple[Call, ...], codes: Sequence[Any], folds: Split, context: Context
) -> _Part | None:
    if not calls and isinstance(value, pd.DataFrame):
        return _numbers(value, ())
    if not calls:
        return _made(sides(value, folds, context))
    if calls[-1].name in CODED:
        return _categories(value, calls, codes, folds[context.position])
    return _numbers(value, calls)


def _made(pair: tuple[Any, Any]) -> _Part | None:
    """A block that is stacked as it is."""
    if any(sp.issparse(side) or has_categories(side) or side.ndim != 2 for side in pair):
        return None
    train, valid = (array_of(side) for side in pair)
    if any(side.ndim != 2 or side.dtype.kind not in "biuf" for side in (train, valid)):
        return None
    if not (train.flags.c_contiguous or train.flags.f_contiguous):
        return None
    by_columns = not train.flags.c_contiguous
    train, valid = (np.asarray(side, dtype=np.float64) for side in (train, valid))
    return _Part([rust_exec.Block(train, valid)], train.shape[1], by_columns)


def _numbers(frame: pd.DataFrame, calls: tuple[Call, ...]) -> _Part | None:
    """Columns of numbers, imputed or scaled."""
    if not isinstance(frame, pd.DataFrame) or not frame.shape[1]:
        return None
    dtypes = list(frame.dtypes)
    if not all(isinstance(dtype, np.dtype) and dtype.kind in "biuf" for dtype in dtypes):
        return None
    steps = _steps(calls)
    if steps is None:
        return None
    if calls and any(dtype.kind == "f" and dtype != np.float64 for dtype in dtypes):
        return None  # the library computes in single precision then
    if steps[0].kind != "none":
        # It refuses booleans, and fills whole numbers with whole numbers.
        floats = any(dtype.kind == "f" for dtype in dtypes)
        if any(dtype.kind == "b" for dtype in dtypes) or not floats:
            return None
    columns = [
        rust_exec.Number(np.asarray(column.to_numpy(), dtype=np.float64), *steps)
        for _, column in frame.items()
    ]
    return _Part(columns, len(columns), len(columns) > 1)


def _steps(calls: Sequence[Call]) -> tuple[rust_exec.Fill, rust_exec.Scale] | None:
    """The imputer and the scaler of a chain; None if one is not known in full."""
    fill, scale = rust_exec.NO_FILL, rust_exec.NO_SCALE
    for call in calls:
        found = _step(call)
        if found is None:
            return None
        if isinstance(found, rust_exec.Fill):
            fill = found
        else:
            scale = found
    return fill, scale


def _step(call: Call) -> rust_exec.Fill | rust_exec.Scale | None:
    names = {name for name, _ in call.params} - {"copy"}
    match call.name:
        case "SimpleImputer" if names <= {"strategy", "fill_value"}:
            strategy = param(call, "strategy", "mean")
            if strategy == "constant":
                value = param(call, "fill_value", 0)
                if isinstance(value, int | float) and not isinstance(value, bool):
                    return rust_exec.Fill("constant", float(value))
            elif strategy == "mean":
                return rust_exec.Fill("mean")
            elif strategy == "median":
                return rust_exec.Fill("median")
        case "StandardScaler" if names <= {"with_mean", "with_std"}:
            centred = param(call, "with_mean", True) is True
            divided = param(call, "with_std", True) is True
            return rust_exec.Scale("standard", float(centred), float(divided))
        case "MinMaxScaler" if names <= {"feature_range"}:
            bounds = param(call, "feature_range")
            low, high = bounds.values if isinstance(bounds, Items) else (0, 1)
            if isinstance(low, int | float) and isinstance(high, int | float) and low < high:
                return rust_exec.Scale("min_max", float(low), float(high))
        case "MaxAbsScaler" if not names:
            return rust_exec.Scale("max_abs")
    return None


def _categories(
    frame: pd.DataFrame, calls: tuple[Call, ...], codes: Sequence[Any], rows: Pair
) -> _Part | None:
    """Columns of categories, one-hot or ordinally encoded."""
    encoder = calls[-1]
    if not all(codes) or frame.shape[1] != len(codes):
        return None
    sources: list[Any] = []
    stored = 0
    for own, categories in codes:
        column = Categories.of(own, categories, rows)
        if len(calls) > 1:
            imputed = column.imputed(calls[0])
            if imputed is None:
                return None
            column = imputed
        one_hot = encoder.name == "OneHotEncoder"
        source = column.one_hot(encoder) if one_hot else column.ordinal(encoder)
        if source is None:
            return None
        sources.append(source)
        if isinstance(source, rust_exec.OneHot):
            stored += int(column.seen[source.places >= 0].sum())
    width = sum(s.width if isinstance(s, rust_exec.OneHot) else 1 for s in sources)
    sparse = encoder.name == "OneHotEncoder" and param(encoder, "sparse_output", True) is True
    return _Part(sources, width, False, stored if sparse else None)


def _block(op: EncodeBlock, inputs: Sequence[Any], context: Context) -> Any:
    found = block(op, inputs, context)
    if found is not None:
        return found
    from executor.backends.python import PythonBackend

    return PythonBackend().run(op, inputs, context)


RUN: dict[type[Op], Callable[[Any, Sequence[Any], Context], Any]] = {EncodeBlock: _block}
