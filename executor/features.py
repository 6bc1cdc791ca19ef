"""Feature blocks in a worker: taking rows, and stacking blocks side by side.

Input: data frames, Series, dense arrays and sparse matrices. Output: the same kinds.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp


def take(block: Any, rows: np.ndarray) -> Any:
    """Rows of a block by position, as a copy."""
    if isinstance(block, pd.DataFrame | pd.Series):
        return block.iloc[rows]
    return block[rows]


def _keeps_categories(block: Any) -> bool:
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
    blocks = [_two_dimensional(block) for block in blocks]
    if sparse is None:
        sparse = any(sp.issparse(block) for block in blocks)
        if sparse and sparse_threshold is not None:
            filled = sum(b.nnz if sp.issparse(b) else b.size for b in blocks)
            total = sum(b.shape[0] * b.shape[1] for b in blocks)
            sparse = total > 0 and filled / total < sparse_threshold
    if sparse:
        return sp.hstack([_sparse_ready(block) for block in blocks]).tocsr(), True
    dense = [block.toarray() if sp.issparse(block) else block for block in blocks]
    if any(_keeps_categories(block) for block in dense):
        return _frame(dense), False
    if len(dense) == 1:
        return _array(dense[0]), False
    return np.hstack([_array(block) for block in dense]), False


def _two_dimensional(block: Any) -> Any:
    if isinstance(block, pd.Series):
        return block.to_frame()
    return block


def _sparse_ready(block: Any) -> Any:
    if sp.issparse(block):
        return block
    array = _array(block)
    return array.astype(np.float64) if array.dtype == object else array


def _array(block: Any) -> np.ndarray:
    """A dense array; frames of numbers become float or integer arrays without object dtype."""
    if isinstance(block, pd.DataFrame):
        kinds = {dtype.kind for dtype in block.dtypes if isinstance(dtype, np.dtype)}
        if len(kinds) > 1 and kinds <= set("biuf") and len(block.dtypes) > 0:
            plain = all(isinstance(dtype, np.dtype) for dtype in block.dtypes)
            if plain:
                return block.to_numpy(dtype=np.float64)
        return block.to_numpy()
    return np.asarray(block)


def _frame(blocks: Sequence[Any]) -> pd.DataFrame:
    """Blocks as one frame with columns 0..p-1, category columns kept."""
    frames = []
    for block in blocks:
        frame = block if isinstance(block, pd.DataFrame) else pd.DataFrame(np.asarray(block))
        frames.append(frame.reset_index(drop=True))
    joined = pd.concat(frames, axis=1)
    joined.columns = pd.RangeIndex(joined.shape[1]).astype(str)
    return joined
