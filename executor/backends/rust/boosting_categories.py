"""Category columns as the boosting kernel takes them.

Input: frames of one fold, numbers and columns of pandas' category dtype. Output: matrices in which
a category is a number and a missing one NaN; or why the library is to fit them. Numbers mean the
same on both sides: a category that the training rows do not have is missing, as it is to the
libraries once `executor.features.same_categories` has seen the rows.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from executor.backends.rust.rows import Rows, Side

# What LightGBM takes for categories of their own (min_data_in_bin, and a share of the rows).
_MIN_ROWS = 3
_SHARE = 0.99


def coded(train: Any, valid: Any) -> tuple[np.ndarray, np.ndarray, tuple[int, ...]] | str:
    """Matrices (n, p) and (n_valid, p) of float64, and the places of categorical columns."""
    places = tuple(
        place for place, dtype in enumerate(train.dtypes) if isinstance(dtype, pd.CategoricalDtype)
    )
    matrices = []
    for block in (train, valid):
        matrix = np.empty(block.shape, order="F")
        for place in range(block.shape[1]):
            column = block.iloc[:, place]
            if place in places:
                column = _recoded(column, train.iloc[:, place].cat.categories)
                if column is None:
                    return "categories are neither all text nor all numbers"
            elif not (isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf"):
                return "the features are neither numbers nor categories"
            matrix[:, place] = column
        matrices.append(matrix)
    return matrices[0], matrices[1], places


def _recoded(column: Any, categories: Any) -> np.ndarray | None:
    """Places among `categories` as floats, NaN for none."""
    if pd.api.types.infer_dtype(categories) not in ("string", "integer", "floating", "empty"):
        return None
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return None
    if not column.cat.categories.equals(categories):
        column = column.cat.set_categories(categories)
    codes: np.ndarray = column.cat.codes.to_numpy().astype(np.float64)
    codes[codes < 0] = np.nan
    return codes


def unordered(rows: Rows) -> Rows:
    """Without the columns of ordered categories, which are numbers to LightGBM."""
    kept = tuple(place for place in rows.categorical if place not in rows.ordered)
    return replace(rows, categorical=kept)


def frequent(rows: Rows, most: int, sample: int) -> Rows:
    """Rows as LightGBM bins categories (`BinMapper::FindBin`): by their number of rows.

    Rare ones, and the last one if the others make up 99 % of the rows, are missing values, all of
    them beyond `most` bins. Its sample of `sample` rows is taken to have rows in proportion.
    """
    if not rows.categorical:
        return rows
    train, valid = rows.train.copy(), rows.valid.copy()
    for place in rows.categorical:
        table = _numbers(train[:, place], most, min(1.0, sample / len(train)))
        for block in (train, valid):
            known = ~np.isnan(block[:, place])
            block[known, place] = table[block[known, place].astype(np.int64)]
    return replace(rows, train=Side(train), valid=Side(valid))


def _numbers(codes: np.ndarray, most: int, share: float) -> np.ndarray:
    """By code the number that it gets, NaN for none."""
    known = codes[~np.isnan(codes)].astype(np.int64)
    table = np.full(int(known.max(initial=-1)) + 1, np.nan)
    counts = np.bincount(known)
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    bins = min(len(order) + (len(known) < len(codes)), most)
    # In single precision, as there.
    enough = int(float(np.float32(len(known)) * np.float32(_SHARE)) + 0.5)
    used = 0
    for number, code in enumerate(order):
        # One bin is that of missing values.
        if used >= enough and number + 1 >= bins:
            break
        if counts[code] * share < _MIN_ROWS and number > 1:
            break
        table[code] = number
        used += int(counts[code])
    return table


def most_categories(rows: Rows) -> int:
    """The greatest number of categories of a column that training rows have."""
    counts = (np.unique(rows.train.column(place)) for place in rows.categorical)
    return max((int(np.count_nonzero(~np.isnan(found))) for found in counts), default=0)
