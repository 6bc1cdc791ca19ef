"""Row positions of every fold and of the hold-out, as scikit-learn's splitters make them.

Input: a `Folds` or `HoldoutRows` op and the columns it names. Output: pairs of int64 position
arrays, in the splitter's own order. Runs in worker processes.
"""

from math import ceil
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import sklearn.model_selection

from planner.errors import DataError, ExecutionError, SpecError
from planner.ops import Folds
from planner.ops_holdout import CONFIRM, HoldoutRows
from planner.splitters import SPLITTERS

Positions = np.ndarray[Any, np.dtype[np.int64]]
Split = tuple[Positions, Positions]


def split(op: Folds, table: Any, n: int | None = None, holdout: Split | None = None) -> list[Split]:
    """The (train, validation) positions of each fold.

    Args:
        op: The splitter and the names of the columns it reads.
        table: A pyarrow.Table, pandas.DataFrame or mapping that holds those columns.
        n: The number of rows; that of `table` if None (a mapping does not know it).
        holdout: As of `hold_out`: folds are made of the rows outside alone.

    Raises:
        DataError: ``empty_fold``; ``missing_values`` in a group, fold or stratification column;
            ``too_few_rows``, ``too_few_groups``, ``too_few_class_members`` or ``split_failed``
            with scikit-learn's words.
        SpecError: ``stratify_continuous`` if the folds are to be stratified by a continuous
            target.
    """
    if n is None:
        n = table.num_rows if isinstance(table, pa.Table) else len(table)
    if op.splitter.name == CONFIRM:
        assert holdout is not None
        pairs = [_confirming(op, holdout)]
    else:
        pairs = _pairs(op, table, n, None if holdout is None else holdout[0])
    if len(pairs) != op.count:
        raise ExecutionError(
            "fold_count",
            f"{op.splitter.name} made {len(pairs)} folds where {op.count} were planned.",
        )
    keep = None if op.train_mask is None else _mask(table, op.train_mask)
    folds: list[Split] = []
    for number, (train, valid) in enumerate(pairs):
        kept = train
        if keep is not None:
            kept = kept[keep[kept]]
        folds.append((kept, valid))
        for rows, part in ((kept, "training"), (valid, "validation")):
            if not rows.size:
                raise DataError(
                    "empty_fold",
                    f"Fold {number} of {op.splitter.name} has no {part} rows.",
                    hint="Use fewer folds, or a less strict filter on the training rows.",
                )
    return folds


def hold_out(op: HoldoutRows, table: Any, n: int | None = None) -> Split:
    """The positions outside and inside of the hold-out, each in row order.

    Arguments and errors are those of `split`; besides DataError ``empty_holdout``.
    """
    if n is None:
        n = table.num_rows if isinstance(table, pa.Table) else len(table)
    if not 0 < ceil(op.fraction * n) < n:
        raise DataError(
            "empty_holdout",
            f"A hold-out of {op.fraction:g} of {n} rows leaves nothing on one side.",
            hint="Choose another fraction, or use more rows.",
        )
    if op.draw == "last":
        every = np.arange(n, dtype=np.int64)
        return every[: n - ceil(op.fraction * n)], every[n - ceil(op.fraction * n) :]
    target = None if op.target is None else _target_codes(table, op.target, "stratified hold-out")
    groups = None if op.groups is None else _codes(_present(table, op.groups, "hold-out"))
    name = "ShuffleSplit" if target is None else "StratifiedShuffleSplit"
    if groups is not None:
        name = "GroupShuffleSplit"
        number = len(np.unique(groups))
        if not 0 < ceil(op.fraction * number) < number:
            raise DataError(
                "too_few_groups",
                f"A hold-out of {op.fraction:g} of {number} groups of '{op.groups}' leaves nothing "
                "on one side.",
                hint="Choose another fraction, or a column with more values.",
            )
    try:
        splitter = getattr(sklearn.model_selection, name)(
            1, test_size=op.fraction, random_state=op.seed
        )
        ((outside, inside),) = splitter.split(np.empty((n, 1)), target, groups)
    except ValueError as error:
        refusal = _refusal(str(error))
        hint = "Use a greater fraction, or more rows."
        if refusal.code == "too_few_class_members":
            hint = 'Say "stratify": false in `holdout`, or merge rare classes.'
        raise DataError(refusal.code, refusal.message, hint=hint) from None
    return np.sort(_positions(outside)), np.sort(_positions(inside))


def _pairs(op: Folds, table: Any, n: int, rows: Positions | None) -> list[Split]:
    """What the splitter makes of the table, or of these rows of it."""
    if rows is not None:
        names = [name for name in (op.target, op.groups, op.fold_column) if name is not None]
        table = {name: _series(table, name).iloc[rows] for name in names}
        n = len(rows)
    parameters: dict[str, Any] = dict(op.splitter.params)
    if op.fold_column is not None:
        parameters["test_fold"] = _fold_numbers(table, op.fold_column)
    target = None if op.target is None else _target_codes(table, op.target)
    groups = None if op.groups is None else _codes(_present(table, op.groups, "groups"))
    if op.splitter.name not in SPLITTERS:
        raise SpecError("unknown_splitter", f"'{op.splitter.name}' is no splitter.")
    try:
        splitter = getattr(sklearn.model_selection, op.splitter.name)(**parameters)
        # The splitters look at nothing but the length of the features.
        pairs = list(splitter.split(np.empty((n, 1)), target, groups))
    except ValueError as error:
        raise _refusal(str(error)) from None
    found = [(_positions(train), _positions(valid)) for train, valid in pairs]
    return found if rows is None else [(rows[train], rows[valid]) for train, valid in found]


def _confirming(op: Folds, holdout: Split) -> Split:
    """All rows outside against those inside; what a TimeSeriesSplit leaves out before the rows
    that it validates on, and what is too old for it, is left out here as well."""
    outside, inside = holdout
    parameters = dict(op.splitter.params)
    gap, most = parameters.get("gap"), parameters.get("max_train_size")
    if isinstance(gap, int):
        outside = outside[: max(len(outside) - gap, 0)]
    if isinstance(most, int):
        outside = outside[-most:]
    return outside, inside


def _positions(rows: Any) -> Positions:
    return np.asarray(rows, dtype=np.int64)


def _series(table: Any, name: str) -> "pd.Series[Any]":
    """The column by value: categories are of their own order, which must not show in the folds."""
    column = table[name]
    if isinstance(column, pa.ChunkedArray | pa.Array):
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        # Arrow-backed values keep integers above 2**53 apart where some are missing.
        return pd.Series(column.to_pandas(types_mapper=pd.ArrowDtype))
    values = pd.Series(column).reset_index(drop=True)
    if isinstance(values.dtype, pd.CategoricalDtype):
        return values.astype(values.dtype.categories.dtype)
    return values


def _present(table: Any, name: str, role: str) -> "pd.Series[Any]":
    values = _series(table, name)
    missing = int(values.isna().sum())
    if missing:
        raise DataError(
            "missing_values",
            f"The column '{name}' makes the folds ({role}) and has {missing} missing value(s).",
            hint='Give them a value of their own with a {"fill": ...} step, or filter them out.',
        )
    return values


def _codes(values: "pd.Series[Any]") -> Positions:
    """Positions in the sorted distinct values. The splitters only compare values with each
    other, so the codes give the same folds, whatever the type."""
    codes, _ = pd.factorize(values, sort=True)
    return _positions(codes)


def _target_codes(table: Any, name: str, role: str = "stratified by the target") -> Positions:
    values = _present(table, name, role)
    if pd.api.types.is_float_dtype(values.dtype):
        numbers = values.to_numpy(dtype=np.float64)
        if np.any(numbers != np.floor(numbers)):
            raise SpecError(
                "stratify_continuous",
                f"The folds are stratified by '{name}', which is continuous.",
                hint="Use KFold or ShuffleSplit (a hold-out without stratify) for regression.",
            )
    return _codes(values)


def _fold_numbers(table: Any, name: str) -> Positions:
    values = _present(table, name, "PredefinedSplit")
    if not (pd.api.types.is_bool_dtype(values.dtype) or pd.api.types.is_numeric_dtype(values)):
        raise DataError(
            "split_failed",
            f"The column '{name}' of PredefinedSplit holds {values.dtype}, not fold numbers.",
            hint="It is the number of the fold that validates the row, or -1 for none.",
        )
    return _positions(values.to_numpy(dtype=np.int64))


def _mask(table: Any, name: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    values = _series(table, name)
    return np.asarray(values.fillna(False).to_numpy(dtype=np.bool_))


def _refusal(message: str) -> DataError:
    if "class" in message:
        code = "too_few_class_members"
        hint = "Use fewer folds, merge rare classes, or use KFold."
    elif "group" in message:
        code, hint = "too_few_groups", "Use fewer folds, or a group column with more values."
    elif "sample" in message:
        code, hint = "too_few_rows", "Use fewer folds, or a less strict filter."
    else:
        code, hint = "split_failed", "Check the parameters of the splitter."
    return DataError(code, message, hint=hint)
