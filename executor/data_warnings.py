"""What about the data may make scores too good: prepared rows and their folds in, warnings out.

Runs in worker processes, beside the fits. Rows of a hold-out are not looked at. Everything is
measured on a bounded number of rows, and warned of on good evidence only: a warning that is often
wrong is not read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import log

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from executor.backends.duckdb import connect, run_query
from executor.folds import Split, hold_out, split
from executor.profile_target import Target, Task, exact_combination, make_target, score_columns
from planner.ops import Folds
from planner.ops_holdout import HoldoutRows
from planner.render import Query

ROWS, TABLE_CELLS = 100_000, 4_000_000  # of the relation; of a greater one, the first rows
SAMPLE = 10_000
CELLS = 1_000_000  # of the sample
COMBINED = 2_000  # rows of the sample
FEATURES = 300
FOLDS = 3  # so many are looked at
_MIN_SHARE, _MIN_ROWS = 0.01, 5  # of validation rows that repeat a training row
_ROWS_A_KEY = 20.0
_MIN_KEYS = 20
_ALIKE = 0.5


def data_warnings(
    query: Query,
    files: Mapping[str, str],
    folds: Folds,
    holdout: HoldoutRows | None,
    target: str,
    features: Sequence[str],
    keys: Sequence[str],
    task: Task,
    memory: str = "2GB",
) -> list[str]:
    """Warnings about `features` that give `target` away, rows that several folds have copies of,
    and entities that folds split.

    Args:
        query, files: The relation, with all columns named here or read by `folds` and `holdout`,
            as for `executor.backends.duckdb.run_query`.
        keys: Columns that may name an entity.

    Raises:
        DataError, ExecutionError: As `run_query` and `split`.
    """
    # The query ends in its ORDER BY, if it has one.
    limit = min(ROWS, max(5_000, TABLE_CELLS // (len(features) + 1)))
    bounded = replace(query, sql=f"{query.sql} LIMIT {limit}")
    table = run_query(bounded, files, threads=1, memory=memory)
    kept = None if holdout is None else hold_out(holdout, table, table.num_rows)
    splits = split(folds, table, table.num_rows, kept)[:FOLDS]
    features = list(features)[:FEATURES]
    seen = np.zeros(table.num_rows, dtype=bool)
    for pair in splits:
        for rows in pair:
            seen[rows] = True
    used = np.flatnonzero(seen & pc.is_valid(table.column(target)).to_numpy())
    if len(used) < 50:
        return []
    size = min(SAMPLE, max(1_000, CELLS // max(1, len(features))))
    chosen = np.sort(np.random.default_rng(0).choice(used, min(size, len(used)), replace=False))
    some = table.take(pa.array(chosen))
    found = _giving_away(some, features, make_target(target, some.column(target), task))
    found += _repeated(table, some, features, target, splits)
    whole = make_target(target, table.column(target).take(pa.array(used)), task)
    for key in keys:
        found += _entities(table, key, whole, used, splits)
    return found


def _giving_away(some: pa.Table, features: Sequence[str], target: Target) -> list[str]:
    rest = some.select(features)
    reasons = [
        f"'{entry['column']}' may give the target away. {entry['leak']}"
        for entry in score_columns(rest, target)
        if "leak" in entry
    ]
    few = replace(target, values=target.values[:COMBINED])
    parts = exact_combination(rest.slice(0, COMBINED), few)
    if len(parts) > 1 and not reasons:
        listed = ", ".join(f"'{name}'" for name in parts[:10])
        reasons.append(
            f"{listed} give the target away: a linear combination of them is exactly "
            f"'{target.name}'."
        )
    return reasons[:5]


def _repeated(
    table: pa.Table, some: pa.Table, features: Sequence[str], target: str, splits: Sequence[Split]
) -> list[str]:
    """Validation rows that are copies of training rows of their fold.

    Where the features have few combinations of values, rows repeat each other by nature.
    """
    counts = [pc.count_distinct(some.column(name)).as_py() for name in features]
    combinations = sum(log(max(1, count)) for count in counts)
    if not features or combinations < log(100 * table.num_rows):
        return []
    alike = _hashes(table, features)
    if len(np.unique(alike)) == len(alike):
        return []
    same = _hashes(table, [*features, target])
    count = exact = total = 0
    for train, valid in splits:
        total += len(valid)
        count += int(np.isin(alike[valid], alike[train]).sum())
        exact += int(np.isin(same[valid], same[train]).sum())
    if count < _MIN_ROWS or count < _MIN_SHARE * total:
        return []
    return [
        f"{count / total:.1%} of the validation rows repeat the features of a training row of "
        f"their fold ({exact / total:.1%} with its target), which makes scores too good. Keep "
        "copies together (evaluate.groups and a group splitter), or drop them."
    ]


def _hashes(table: pa.Table, names: Sequence[str]) -> np.ndarray:
    """64 bits a row; a false match among a million rows has odds of 1 to 10**7."""
    quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in dict.fromkeys(names))
    with connect({"hashed": table}, threads=1, memory="1GB", shared=True) as connection:
        found = connection.sql(f"SELECT hash({quoted}) AS h FROM hashed").to_arrow_table()
    return np.asarray(found.column("h").to_numpy())


def _entities(
    table: pa.Table, key: str, target: Target, used: np.ndarray, splits: Sequence[Split]
) -> list[str]:
    """A key of few rows a value whose target is alike within a value, split by the folds."""
    column = table.column(key).to_pandas(types_mapper=pd.ArrowDtype)
    codes, values = pd.factorize(column)
    counts = np.bincount(codes[used][codes[used] >= 0], minlength=len(values))
    repeated = counts[counts > 1]
    if len(repeated) < _MIN_KEYS or repeated.sum() < 0.5 * len(used):
        return []
    if repeated.mean() > _ROWS_A_KEY:
        return []
    alike = _intraclass(codes[used], target.values)
    train, valid = splits[0]
    shared = np.isin(codes[valid], codes[train]) & (codes[valid] >= 0)
    if alike < _ALIKE or shared.mean() < 0.5:
        return []
    splitter = "GroupKFold(5)" if target.task == "regression" else "StratifiedGroupKFold(5)"
    return [
        f"Folds split the rows of equal '{key}' ({repeated.mean():.1f} rows a value), and the "
        f"target is alike within one (intraclass correlation {alike:.2f}): if '{key}' will be new "
        f'where the model is used, set evaluate.groups to "{key}" with {splitter}.'
    ]


def _intraclass(codes: np.ndarray, values: np.ndarray) -> float:
    """ICC(1) of a one-way analysis of variance over the groups of two rows and more (Shrout &
    Fleiss 1979); of several classes, that of their indicators together."""
    counts = np.bincount(codes[codes >= 0], minlength=int(codes.max()) + 1)
    keep = (codes >= 0) & (counts[np.maximum(codes, 0)] > 1)
    _, codes = np.unique(codes[keep], return_inverse=True)
    values = values[keep]
    sizes = np.bincount(codes).astype(np.float64)
    groups, rows = len(sizes), len(codes)
    if groups < 2 or rows <= groups:
        return 0.0
    between = within = 0.0
    for column in values.T:
        centred = column - column.mean()
        sums = np.bincount(codes, weights=centred)
        explained = float((sums**2 / sizes).sum())
        between += explained
        within += float((centred**2).sum()) - explained
    between, within = between / (groups - 1), max(within, 0.0) / (rows - groups)
    usual = (rows - float((sizes**2).sum()) / rows) / (groups - 1)
    total = between + (usual - 1) * within
    return (between - within) / total if total > 0 else 0.0
