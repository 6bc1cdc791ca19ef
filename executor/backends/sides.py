"""The rows of the current fold: training and validation side of features and target.

Input: whole or per-fold blocks, targets and folds, as ops read them. Output: what a library is
handed.
"""

from typing import Any

import numpy as np
import pandas as pd

from executor.backends.base import Context
from executor.features import same_categories, take
from executor.introspect_tables import TEXT
from planner.errors import DataError
from planner.expressions import Call

Split = list[tuple[np.ndarray, np.ndarray]]


def sides(block: Any, folds: Split, context: Context) -> tuple[Any, Any]:
    """Training and validation features of the current fold, of a whole or per-fold block."""
    if isinstance(block, tuple):
        return handed(block[0]), handed(block[1])
    train, valid = folds[context.position]
    return same_categories(take(block, train), take(block, valid))


def handed(block: Any) -> Any:
    """`block` for a library to keep: columns put into a frame do not show in the original."""
    return block.copy(deep=False) if isinstance(block, pd.DataFrame | pd.Series) else block


def as_text(call: Call, block: Any) -> Any:
    """For a text vectoriser, one column of a table (behind an imputer, say) as 1-D text."""
    if call.name not in TEXT or getattr(block, "ndim", 1) != 2 or block.shape[1] != 1:
        return block
    return block.iloc[:, 0] if isinstance(block, pd.DataFrame) else np.asarray(block)[:, 0]


def training_target(target: Any, folds: Split, context: Context) -> Any:
    """The target on the training rows, as the models are fitted on it."""
    if isinstance(target, tuple):
        return target[0].copy()
    return np.asarray(target)[folds[context.position][0]]


def validation_target(target: Any, folds: Split, context: Context) -> Any:
    """The target on the validation rows, transformed as for fitting."""
    if isinstance(target, tuple):
        raise DataError(
            "early_stopping_unsupported",
            "Early stopping on the validation fold needs an element-wise target transform.",
            hint="Use transform 'log1p', or stop on {'inner': 0.1}.",
        )
    return np.asarray(target)[folds[context.position][1]]
