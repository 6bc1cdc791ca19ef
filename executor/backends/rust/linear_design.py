"""The design of linear models as the kernel takes it: columns, categories, statistics of folds.

Input: blocks of columns with their transformers, and folds. Output: numbers, category codes and
what the kernel does not find out by itself; or None where only the library knows what comes out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import rust_exec
from executor.backends.linear import Note
from executor.construct import construct
from planner.expressions import Call
from planner.ops_linear import LinearBlocks

# With more features, solving for them takes longer than the library takes for the rows.
_MOST_FEATURES = 2000
_DROPS = {None: 0, "first": 1, "if_binary": 2}


@dataclass(frozen=True)
class Design:
    """One design of all folds.

    Attributes:
        x: (n, p) numbers, with NaN where one is missing.
        categories: What is one-hot encoded.
        order: Features in the order of the library's design.
        fills: (K, p) what stands for missing values; None if none may be missing.
        divisors: (K, p) what columns are divided by.
        served: By fold, whether the kernel may fit it.
        notes: By fold, what the encoders warn of.
    """

    x: np.ndarray
    categories: rust_exec.Categories | None
    order: np.ndarray
    fills: np.ndarray | None
    divisors: np.ndarray | None
    served: list[bool]
    notes: list[tuple[Note, ...]]


Folds = Sequence[tuple[np.ndarray, np.ndarray]]


def of(op: LinearBlocks, blocks: Sequence[Any], folds: Folds) -> Design | None:
    """The design of `op` on `blocks`; None if the library must make it."""
    numbers: list[_Numbers] = []
    encoded: list[_Encoded] = []
    places: list[tuple[list[Any], int]] = []
    for block, calls in zip(blocks, op.blocks, strict=True):
        if calls and calls[-1].name == "OneHotEncoder":
            places.append((encoded, len(encoded)))
            encoded.append(_Encoded.of(block, calls))
        else:
            places.append((numbers, len(numbers)))
            found = _Numbers.of(block, calls, folds)
            if found is None:
                return None
            numbers.append(found)
    rows = len(blocks[0])
    x = [one.values for one in numbers]
    joined = x[0] if len(x) == 1 else np.hstack(x) if x else np.empty((rows, 0))
    sizes = [int(size) for one in encoded for size in one.sizes]
    if joined.shape[1] + sum(sizes) > _MOST_FEATURES:
        return None
    scaled = any(one.divisors is not None for one in numbers)
    imputed = any(one.fills is not None for one in numbers)
    shape = (len(folds), joined.shape[1])
    seen = [_seen(encoded, fold, op.sparse_threshold, joined.shape[1]) for fold in folds]
    return Design(
        x=joined,
        categories=_joined(encoded, sizes),
        order=_order(places, joined.shape[1]),
        fills=_side_by_side([one.fills for one in numbers], numbers, shape, np.nan)
        if imputed
        else None,
        divisors=_side_by_side([one.divisors for one in numbers], numbers, shape, 1.0)
        if scaled
        else None,
        served=[served for served, _ in seen],
        notes=[notes for _, notes in seen],
    )


def matrix(block: Any) -> np.ndarray:
    """A block of numbers as (n, p) float64."""
    if isinstance(block, pd.DataFrame):
        return block.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(block, dtype=np.float64)


@dataclass(frozen=True)
class _Numbers:
    values: np.ndarray  # (n, p)
    fills: np.ndarray | None  # (K, p)
    divisors: np.ndarray | None  # (K, p)

    @classmethod
    def of(cls, block: Any, calls: Sequence[Call], folds: Folds) -> "_Numbers | None":
        values = matrix(block)
        imputer = next((call for call in calls if call.name == "SimpleImputer"), None)
        scaler = next((call for call in calls if call.name != "SimpleImputer"), None)
        shape = (len(folds), values.shape[1])
        holes = np.flatnonzero(np.isnan(values).any(axis=0))
        fills = divisors = None
        if holes.size and imputer is None:
            return None  # the model says what it thinks of them
        if holes.size and imputer is not None:
            fills = np.full(shape, np.nan)
            if dict(imputer.params).get("strategy", "mean") != "mean":
                for fold, (train, _) in enumerate(folds):
                    rows = values[np.ix_(train, holes)]
                    if np.isnan(rows).all(axis=0).any():
                        return None  # such a column is dropped
                    fills[fold, holes] = construct(imputer).fit(rows).statistics_
        if scaler is not None:
            divisors = np.full(shape, np.nan)
            if scaler.name != "StandardScaler":
                for fold, (train, _) in enumerate(folds):
                    rows = values[train]
                    if imputer is not None and holes.size:
                        rows = construct(imputer).fit_transform(rows)
                    if rows.shape[1] != values.shape[1] or not np.isfinite(rows).all():
                        return None
                    scale = np.asarray(construct(scaler).fit(rows).scale_, dtype=np.float64)
                    divisors[fold] = 1 / scale if scaler.name == "MinMaxScaler" else scale
        return cls(values, fills, divisors)


@dataclass(frozen=True)
class _Encoded:
    codes: list[np.ndarray]  # (n,) by column, in the order of the encoder's categories
    sizes: list[int]
    drop: str | None
    sparse: bool
    refuses: bool  # categories that no training row has

    @classmethod
    def of(cls, block: Any, calls: Sequence[Call]) -> "_Encoded":
        *front, encoder = calls
        params = dict(encoder.params)
        codes, sizes = [], []
        for place in range(block.shape[1]):
            column = block.iloc[:, place]
            found, size = _codes(column, [str(dict(call.params)["fill_value"]) for call in front])
            codes.append(found)
            sizes.append(size)
        drop = params.get("drop")
        return cls(
            codes,
            sizes,
            str(drop) if drop is not None else None,
            params.get("sparse_output", True) is True,
            params.get("handle_unknown", "error") == "error",
        )


def _codes(column: "pd.Series[Any]", fill: Sequence[str]) -> tuple[np.ndarray, int]:
    """The number of each row's category as OneHotEncoder sorts them, and how many there are.

    Missing values are the last category, or what `fill` says.
    """
    codes, uniques = pd.factorize(column)
    gaps = bool((codes < 0).any())
    values = pd.Series(uniques, dtype=column.dtype)
    if gaps:
        missing = pd.Series([fill[0] if fill else np.nan], dtype=column.dtype)
        values = pd.concat([values, missing], ignore_index=True)
        codes = np.where(codes < 0, len(uniques), codes)
    if not len(values):
        return np.full(len(column), -1, dtype=np.int32), 0
    ordinal = construct(Call("OrdinalEncoder"))
    numbers = ordinal.fit_transform(values.to_frame("column"))[:, 0]
    size = len(ordinal.categories_[0])
    places = np.where(np.isnan(numbers), size - 1, numbers).astype(np.int32)
    return places[codes], size


def _joined(encoded: Sequence[_Encoded], sizes: list[int]) -> rust_exec.Categories | None:
    if not encoded:
        return None
    codes = [code for one in encoded for code in one.codes]
    drop = [_DROPS[one.drop] for one in encoded for _ in one.codes]
    return rust_exec.Categories(
        np.column_stack(codes).astype(np.int32, copy=False),
        np.array(sizes, dtype=np.int64),
        np.array(drop, dtype=np.int64),
    )


def _order(places: Sequence[tuple[list[Any], int]], numbers: int) -> np.ndarray:
    """The kernel has all numbers first; the library has blocks as they are written."""
    found: list[np.ndarray] = []
    number, category = 0, numbers
    for blocks, place in places:
        one = blocks[place]
        if isinstance(one, _Numbers):
            width = one.values.shape[1]
            found.append(np.arange(number, number + width))
            number += width
        else:
            width = sum(one.sizes)
            found.append(np.arange(category, category + width))
            category += width
    return np.concatenate(found).astype(np.int64)


def _side_by_side(
    tables: Sequence[np.ndarray | None],
    numbers: Sequence[_Numbers],
    shape: tuple[int, int],
    usual: float,
) -> np.ndarray:
    found = np.full(shape, usual)
    start = 0
    for table, one in zip(tables, numbers, strict=True):
        end = start + one.values.shape[1]
        if table is not None:
            found[:, start:end] = table
        start = end
    return found


def _seen(
    encoded: Sequence[_Encoded],
    fold: tuple[np.ndarray, np.ndarray],
    threshold: float | None,
    numbers: int,
) -> tuple[bool, tuple[Note, ...]]:
    """Whether the kernel may fit a fold, and what its encoders warn of."""
    train, valid = fold
    notes: list[Note] = []
    width, filled = numbers, numbers * len(train)
    sparse = False
    for one in encoded:
        unknown: list[int] = []
        for column, (codes, size) in enumerate(zip(one.codes, one.sizes, strict=True)):
            counts = np.bincount(codes[train], minlength=size)
            if (counts[codes[valid]] == 0).any():
                unknown.append(column)
            kept = counts[counts > 0]
            if one.drop == "first" or (one.drop == "if_binary" and kept.size == 2):
                kept = kept[1:]
            width += kept.size
            filled += int(kept.sum()) if one.sparse else kept.size * len(train)
        sparse = sparse or one.sparse
        if unknown and one.refuses:
            return False, ()
        if unknown and one.drop is not None:
            text = (
                f"Found unknown categories in columns {unknown} during transform. These unknown "
                "categories will be encoded as all zeros"
            )
            notes.append((UserWarning, text))
    if not width:
        return False, ()
    if sparse and (threshold is None or filled / (width * len(train)) < threshold):
        return False, ()
    return True, tuple(notes)
