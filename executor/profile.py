"""A first look at a dataset: an Arrow file in, a description in JSON out.

Runs in a worker process, in seconds: counts, extremes and means are exact; quantiles, relations
with the target and drift come from a fixed sample of large tables, and the result says so.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from executor.backends.duckdb import connect, describe, read_table
from executor.normalise import ROW
from executor.profile_advice import describe_target, metrics, skewed, split
from executor.profile_columns import describe_column
from executor.profile_drift import drift
from executor.profile_target import (
    CLASSES,
    MEASURE,
    Task,
    exact_combination,
    guess_task,
    make_target,
    score_columns,
)
from planner.errors import SpecError, did_you_mean

SAMPLE = 100_000
TARGET_SAMPLE = 20_000
EXACT_CELLS = 200_000_000  # beyond, columns too are described from a sample
TARGET_CELLS = 20_000_000
MAX_SCORED = 3_000
MAX_RELATIONS = 50


def profile(
    path: str,
    name: str,
    target: str | None = None,
    *,
    other: str | None = None,
    other_name: str = "test",
    task: str | None = None,
    max_columns: int = 200,
    threads: int = 1,
    memory: str = "2GB",
) -> dict[str, Any]:
    """Describes a dataset, its target, and how another table differs from it.

    Args:
        path: Arrow file of the dataset.
        name: Its name, for messages.
        target: The column to be predicted, if known.
        other: Arrow file of a table to compare with (usually the test table).
        other_name: Its name.
        task: ``regression``, ``binary`` or ``multiclass``, instead of the guess.
        max_columns: Columns described; the rest is counted in ``columns_omitted``.
        threads: Cores for the search of duplicates.
        memory: Memory for it.

    Returns:
        ``{"name", "rows", "column_count", "bytes", "columns": [...], "duplicate_rows",
        "warnings"}``; ``"sampled"`` where a sample was used; with a target ``"target"``,
        ``"relations": {"measure", "columns"}``, ``"leaks"``, ``"suggested": {"task",
        "metrics", "cv", "alternatives"}``; with another table ``"drift"``.

    Raises:
        SpecError: ``unknown_column`` for the target, ``invalid_option`` for the task.
        ExecutionError: ``corrupt_block``.
    """
    full = _load(path)
    names = full.column_names
    if target is not None and target not in names:
        raise SpecError(
            "unknown_column",
            f"The dataset '{name}' has no column '{target}'.",
            path="target",
            hint=did_you_mean(target, names, f"It has: {', '.join(names[:20])}."),
        )
    if task is not None and task not in MEASURE:
        raise SpecError(
            "invalid_option",
            f"There is no task '{task}'.",
            path="task",
            hint=f"Use one of {', '.join(MEASURE)}.",
        )
    sampled: dict[str, int] = {}
    table = full
    if full.num_rows * full.num_columns > EXACT_CELLS:
        rows = max(1_000, EXACT_CELLS // full.num_columns)
        table = take_sample(full, rows)
        sampled["columns"] = table.num_rows
    some = take_sample(table, SAMPLE)
    if some.num_rows < full.num_rows:
        sampled["quantiles"] = some.num_rows
    columns = describe_columns(table, some)
    warnings = _warn(columns, table.num_rows)
    duplicates = _duplicates(table, columns, target, threads, memory)
    warnings.extend(duplicates.pop("warnings"))
    shown = columns[:max_columns]
    result: dict[str, Any] = {
        "name": name,
        "rows": full.num_rows,
        "column_count": len(names),
        "bytes": full.nbytes,
        "columns": shown,
        **duplicates,
        "warnings": warnings,
    }
    if len(columns) > len(shown):
        result["columns_omitted"] = len(columns) - len(shown)
    differences = None
    if other is not None:
        second = _load(other)
        keys = {column["name"] for column in columns if "id_like" in column.get("flags", [])}
        differences = drift(table, second, {target, *keys}, some, take_sample(second, SAMPLE))
        result["drift"] = {"with": other_name, **differences}
        warnings.extend(_warn_drift(differences, other_name))
    if target is not None:
        result.update(_target(table, target, columns, task, differences, warnings, sampled))
    if sampled:
        result["sampled"] = sampled
    return result


def _load(path: str) -> pa.Table:
    table = read_table(path)
    return table.drop_columns([ROW]) if ROW in table.column_names else table


def take_sample(table: pa.Table, rows: int, seed: int = 0) -> pa.Table:
    """`rows` rows of `table` in table order, always the same ones; all if there are no more."""
    if table.num_rows <= rows:
        return table
    chosen = np.random.default_rng(seed).choice(table.num_rows, rows, replace=False)
    return table.take(pa.array(np.sort(chosen)))


def describe_columns(table: pa.Table, some: pa.Table) -> list[dict[str, Any]]:
    """Every column of `table` described; `some` are the rows for quantiles."""
    return [
        describe_column(name, table.column(place), kind, some.column(place))
        for place, (name, kind) in enumerate(zip(table.column_names, describe(table), strict=True))
    ]


def _warn(columns: list[dict[str, Any]], rows: int) -> list[str]:
    warnings = []
    for flag, text in (
        ("all_missing", "hold no value at all; drop them"),
        ("constant", "hold one value only; drop them"),
        ("id_like", "look like row identifiers; drop them from the features"),
        ("numeric_text", "hold numbers written as text; strip ',', '%' and signs, then cast"),
    ):
        names = [column["name"] for column in columns if flag in column.get("flags", [])]
        if names:
            warnings.append(f"Columns that {text}: {_listed(names)}.")
    hidden = [column for column in columns if "would_be" in column.get("suspects", {})]
    if hidden:
        words = sorted({word for c in hidden for word in c["suspects"]["values"]})
        warnings.append(
            f"Text only because of values such as {', '.join(repr(w) for w in words[:5])}: "
            f"{_listed([c['name'] for c in hidden])}. If these mean missing, add the dataset "
            "with na_values, or cast with TRY_CAST."
        )
    infinite = [column["name"] for column in columns if column.get("infinite")]
    if infinite:
        warnings.append(f"Columns with infinite values: {_listed(infinite)}.")
    if rows < 100:
        warnings.append(f"There are only {rows} rows: scores will vary much between folds.")
    return warnings


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(f"'{name}'" for name in names[:10]) + more


def _duplicates(
    table: pa.Table,
    columns: list[dict[str, Any]],
    target: str | None,
    threads: int,
    memory: str,
) -> dict[str, Any]:
    """Rows that repeat an earlier one, also when identifiers and the target are left out."""
    every = [column["name"] for column in columns]
    plain = [
        column["name"]
        for column in columns
        if column["name"] != target and "id_like" not in column.get("flags", [])
    ]
    rows = table.num_rows
    unique = any(c["distinct"] == rows and c["kind"] != "float" for c in columns)
    tables = {"described": table}
    with connect(tables, threads=threads, memory=memory, shared=True) as connection:

        def repeated(names: list[str]) -> int:
            quoted = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
            # 64-bit hashes of rows: a false match among a million rows has odds of 1 to 10**7.
            found = connection.execute(
                f"SELECT count(*) - count(DISTINCT hash({quoted})) FROM described"
            ).fetchone()
            return int(found[0]) if found else 0

        counts: dict[str, Any] = {
            "duplicate_rows": 0 if unique else repeated(every),
            "warnings": [],
        }
        if plain and plain != every:
            counts["duplicate_feature_rows"] = repeated(plain)
    number = max(counts["duplicate_rows"], counts.get("duplicate_feature_rows", 0))
    if number > 0.01 * rows:
        counts["warnings"].append(
            f"{number} rows repeat the features of another row; copies may fall into training "
            "and validation rows alike."
        )
    return counts


def _warn_drift(differences: dict[str, Any], other: str) -> list[str]:
    warnings = []
    strong = [entry["column"] for entry in differences["columns"] if entry["distance"] >= 0.2]
    if strong:
        warnings.append(f"Columns distributed otherwise in '{other}': {_listed(strong)}.")
    if differences["types_differ"]:
        names = [entry[0] for entry in differences["types_differ"]]
        warnings.append(f"Columns of another type in '{other}': {_listed(names)}.")
    return warnings


def _target(
    table: pa.Table,
    target: str,
    columns: list[dict[str, Any]],
    task: str | None,
    differences: dict[str, Any] | None,
    warnings: list[str],
    sampled: dict[str, int],
) -> dict[str, Any]:
    found = next(column for column in columns if column["name"] == target)
    rows = table.num_rows - found["missing"]
    distinct = found["distinct"] or 0
    chosen: Task = task or guess_task(found["kind"], distinct, rows)  # type: ignore[assignment]
    described = describe_target(found, chosen, table.num_rows)
    result: dict[str, Any] = {
        "target": described,
        "suggested": {
            "task": chosen,
            "metrics": metrics(chosen, described, chosen == "regression" and skewed(found)),
            **split(columns, target, chosen, table.num_rows, differences),
        },
    }
    if distinct < 2 or rows < 10 or found["kind"] == "other":
        warnings.append(
            f"'{target}' has {distinct} distinct value(s) in {rows} rows; its relation with the "
            "other columns was not examined."
        )
        return result
    classes = min(CLASSES, distinct) if chosen == "multiclass" else 1
    features = [name for name in table.column_names if name != target][:MAX_SCORED]
    budget = max(1_000, TARGET_CELLS // max(1, len(features) * classes))
    known = table.filter(pc.is_valid(table.column(target))) if found["missing"] else table
    some = take_sample(known, min(TARGET_SAMPLE, budget))
    if some.num_rows < known.num_rows:
        sampled["relations"] = some.num_rows
    wanted = make_target(target, some.column(target), chosen)
    rest = some.select(features)
    relations = score_columns(rest, wanted)
    leaks = [
        {"columns": [entry["column"]], "reason": entry.pop("leak")}
        for entry in relations
        if "leak" in entry
    ]
    parts = exact_combination(rest, wanted)
    if len(parts) > 1:
        leaks.append(
            {"columns": parts, "reason": f"A linear combination of them is exactly '{target}'."}
        )
    if leaks:
        names = list(dict.fromkeys(name for leak in leaks for name in leak["columns"]))
        warnings.append(f"May give the target away: {_listed(names)} (see leaks).")
    result["relations"] = {"measure": MEASURE[chosen], "columns": relations[:MAX_RELATIONS]}
    result["leaks"] = leaks[:MAX_RELATIONS]
    return result
