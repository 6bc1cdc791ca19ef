"""The normal form of a table: any Arrow table in, one of few types and checked names out.

In it integers are int64 (so that SQL arithmetic does not overflow where pandas would widen) or
decimal128(38, 0), floats float32 or float64 without NaN, text large_string, timestamps
microseconds in UTC without a zone. Equal content of different file formats becomes equal.
"""

import json
from collections import defaultdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from executor.text_types import BIG_INTEGER, TEXT
from planner.errors import DataError

MAX_NAME = 200
ROW = "__row"


def normalise(table: pa.Table) -> tuple[pa.Table, list[str]]:
    """`table` with checked names and normal types, each column in one chunk, and warnings.

    Raises:
        DataError: ``empty_table`` (no columns or rows), ``duplicate_columns``.
    """
    names, warnings = _names(table.column_names)
    if not names:
        raise DataError("empty_table", "The table has no columns.")
    if not table.num_rows:
        raise DataError("empty_table", "The table has no rows.")
    columns = []
    for name, column in zip(names, table.columns, strict=True):
        found, note = _column(column)
        if note:
            warnings.append(f"Column '{name}' {note}.")
        columns.append(_one_chunk(found))
    return pa.Table.from_arrays(columns, names=names), warnings


def _names(names: list[str]) -> tuple[list[str], list[str]]:
    by_fold: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_fold[name.lower()].append(name)
    repeated = [group for group in by_fold.values() if len(group) > 1]
    if repeated:
        listed = "; ".join(", ".join(f"'{name}'" for name in group) for group in repeated[:10])
        raise DataError(
            "duplicate_columns",
            f"Column names must differ, and SQL ignores case: {listed}.",
            hint="Rename the columns in the file.",
        )
    taken = set(by_fold)
    warnings = []
    new = []
    for name in names:
        fitting = name.replace("\0", "")[:MAX_NAME] or "column"
        if fitting.startswith("__"):
            fitting = fitting.lstrip("_") or "column"
        if fitting != name:
            stem, number = fitting[: MAX_NAME - 8], 2
            while fitting.lower() in taken:
                fitting, number = f"{stem}_{number}", number + 1
            taken.add(fitting.lower())
            reason = "names beginning with '__' are reserved" if name[:2] == "__" else "too long"
            warnings.append(f"Column '{name[:60]}' was renamed to '{fitting[:60]}' ({reason}).")
        new.append(fitting)
    return new, warnings


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    return found.chunk(0) if isinstance(found, pa.ChunkedArray) else found


def _column(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str]:
    """`column` in normal form, and what was lost or changed (else empty)."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array(
            [chunk.storage for chunk in column.chunks], column.type.storage_type
        )
    kind = column.type
    types = pa.types
    if types.is_dictionary(kind):
        return _column(pc.cast(column, kind.value_type))
    if types.is_run_end_encoded(kind):
        return _column(pc.run_end_decode(column))
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return column.cast(TEXT), ""
    if types.is_boolean(kind):
        return column, ""
    if types.is_integer(kind):
        return _integers(column), ""
    if types.is_floating(kind):
        return _floats(column), ""
    if types.is_decimal(kind):
        return _decimals(column)
    if types.is_timestamp(kind):
        return _timestamps(column)
    if types.is_date(kind):
        return column.cast(pa.date32(), safe=False), ""
    if types.is_time(kind):
        return column.cast(pa.time64("us"), safe=False), ""
    if types.is_null(kind):
        return column.cast(pa.float64()), ""
    if types.is_duration(kind):
        return column.cast(pa.duration("us"), safe=False), ""
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return column.cast(pa.large_binary()), ""
    texts = [None if value is None else _json(value) for value in column.to_pylist()]
    return pa.chunked_array([pa.array(texts, TEXT)]), "holds nested values; kept as JSON text"


def _integers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column.cast(pa.decimal128(20, 0)).cast(BIG_INTEGER)


def _floats(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_float16(column.type):
        column = column.cast(pa.float32())
    nan = pc.is_nan(column)
    if pc.any(nan, min_count=0).as_py():
        return pc.if_else(nan, pa.scalar(None, column.type), column)
    return column


def _decimals(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str]:
    if column.type.scale > 0:
        note = "" if column.type.precision <= 15 else "was an exact decimal; rounded to double"
        return column.cast(pa.float64()), note
    try:
        return column.cast(pa.int64()), ""
    except pa.ArrowInvalid:
        pass
    try:
        return column.cast(BIG_INTEGER), ""
    except pa.ArrowInvalid:
        return column.cast(TEXT), "holds integers of more than 38 digits; kept as text"


def _timestamps(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, str]:
    zone = column.type.tz
    note = (
        ""
        if zone in (None, "UTC", "Etc/UTC", "Z", "+00:00")
        else (f"has the time zone {zone}; converted to UTC")
    )
    plain = pa.timestamp("us")
    if zone is not None:
        column = column.cast(pa.timestamp(column.type.unit, "UTC"))
    try:
        return column.cast(plain), note
    except pa.ArrowInvalid:
        return column.cast(plain, safe=False), note or "was cut to microseconds"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
