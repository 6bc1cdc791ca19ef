"""Feature blocks in a worker: taking rows, and stacking blocks side by side.

Input: data frames, Series, dense arrays and sparse matrices. Output: the same kinds.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

# What pandas calls objects that are numbers: booleans with gaps, for one.
_NUMBERS = frozenset({"boolean", "floating", "integer", "mixed-integer-float"})


def take(block: Any, rows: np.ndarray) -> Any:
    """Rows of a block by position, as a copy."""
    if isinstance(block, pd.DataFrame | pd.Series):
        return block.iloc[rows]
    if sp.issparse(block) and block.format not in ("csr", "csc"):
        block = block.tocsr()
    return block[rows]


def same_categories(train: Any, valid: Any) -> tuple[Any, Any]:
    """Both sides with the categories of the training rows, other values becoming missing.

    Codes then mean the same on both sides, and no category is known that only the validation
    rows have.
    """
    if isinstance(train, pd.Series) and isinstance(train.dtype, pd.CategoricalDtype):
        train = train.cat.remove_unused_categories()
        return train, _recoded(valid, train.cat.categories)
    if not has_categories(train) or not isinstance(valid, pd.DataFrame):
        return train, valid
    columns: list[tuple[Any, Any]] = [
        same_categories(train.iloc[:, place], valid.iloc[:, place])
        for place in range(train.shape[1])
    ]
    return _rejoined([c[0] for c in columns], train), _rejoined([c[1] for c in columns], valid)


def _recoded(column: Any, categories: Any) -> Any:
    if not isinstance(column, pd.Series):
        return column
    if not isinstance(column.dtype, pd.CategoricalDtype):
        column = column.astype("category")
    return column.cat.set_categories(categories)


def _rejoined(columns: Sequence[Any], like: pd.DataFrame) -> pd.DataFrame:
    # By position: names need not be unique.
    frame = pd.DataFrame(dict(enumerate(columns)), index=like.index)
    frame.columns = like.columns
    return frame


def has_categories(block: Any) -> bool:
    """Whether a block is a frame with a native category column."""
    return isinstance(block, pd.DataFrame) and any(
        isinstance(dtype, pd.CategoricalDtype) for dtype in block.dtypes
    )


def concatenate(
    blocks: Sequence[Any], sparse_threshold: float | None, sparse: bool | None = None
) -> tuple[Any, bool]:
    """Blocks side by side, and whether the result is sparse.

    Semantics of ColumnTransformer: the result is sparse if any block is and the overall density
    is below `sparse_threshold` (None: sparse if any block is, as in FeatureUnion); `sparse`
    repeats a decision taken on other rows. Unlike there, a block with categorical columns makes
    the result a data frame, so that native categories reach the model.
    """
    blocks = [block.to_frame() if isinstance(block, pd.Series) else block for block in blocks]
    categories = any(has_categories(block) for block in blocks)
    if sparse is None:
        sparse = not categories and any(sp.issparse(block) for block in blocks)
        if sparse and sparse_threshold is not None:
            filled = sum(b.nnz if sp.issparse(b) else b.size for b in blocks)
            total = sum(b.shape[0] * b.shape[1] for b in blocks)
            sparse = total > 0 and filled / total < sparse_threshold
    if sparse:
        return sp.hstack([_sparse_ready(block) for block in blocks]).tocsr(), True
    dense = [block.toarray() if sp.issparse(block) else block for block in blocks]
    if categories:
        return _frame(dense), False
    if len(dense) == 1:
        return array_of(dense[0]), False
    return np.hstack([array_of(block) for block in dense]), False


def _sparse_ready(block: Any) -> Any:
    if sp.issparse(block):
        return block
    array = array_of(block)
    return array.astype(np.float64) if array.dtype == object else array


def array_of(block: Any) -> np.ndarray:
    """A dense block as an array; of a numeric dtype wherever all its values are numbers.

    scikit-learn would stack such blocks to objects first, and convert them in the model.
    """
    if not isinstance(block, pd.DataFrame):
        array = np.asarray(block)
        return _floats(array) if _are_numbers(array) else array
    kinds = {_kind(block.iloc[:, place]) for place in range(block.shape[1])}
    if "O" in kinds or not kinds:
        return block.to_numpy()
    plain = all(isinstance(dtype, np.dtype) and dtype.kind != "O" for dtype in block.dtypes)
    if plain and len(kinds) == 1:
        return block.to_numpy()
    return block.to_numpy(dtype=np.float64, na_value=np.nan)


def _kind(column: "pd.Series[Any]") -> str:
    """The kind of NumPy dtype that holds a column; "O" if only objects do."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind == "O":
            return "f" if _are_numbers(column.to_numpy()) else "O"
        return dtype.kind if dtype.kind in "biuf" else "O"
    if isinstance(dtype, pd.CategoricalDtype):
        return "O"
    numeric = pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype)
    return "f" if numeric else "O"


def _are_numbers(array: np.ndarray) -> bool:
    """Whether an array of objects holds only numbers (or only booleans) and gaps."""
    if array.dtype != object or not array.size:
        return False
    return pd.api.types.infer_dtype(array.ravel(), skipna=True) in _NUMBERS


def _floats(array: np.ndarray) -> np.ndarray:
    missing = pd.isna(array)  # pd.NA is no float
    return np.where(missing, np.nan, array).astype(np.float64)


def _frame(blocks: Sequence[Any]) -> pd.DataFrame:
    """Blocks as one frame with columns 0..p-1, category columns kept."""
    columns: list[Any] = []
    for block in blocks:
        if isinstance(block, pd.DataFrame):
            columns.extend(_number_column(block.iloc[:, p]) for p in range(block.shape[1]))
        else:
            array = array_of(block)
            columns.extend(array[:, place] for place in range(array.shape[1]))
    return pd.DataFrame({str(place): column for place, column in enumerate(columns)})


def _number_column(column: "pd.Series[Any]") -> Any:
    """A column without its index; numbers among objects as floats."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.array
    if _kind(column) == "f" and column.dtype != np.float32:
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    return column.array
