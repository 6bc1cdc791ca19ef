"""Files of records: JSON lines, a JSON array, or a SQLite table in; a typed table out.

A column's type is the narrowest that holds all its values: integers, floats, booleans, text
(with dates recognised); anything nested or mixed becomes JSON text.
"""

import io
import json
import math
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from executor.text_types import BIG_INTEGER, TEXT, infer_dates
from planner.errors import DataError, SpecError, did_you_mean

INT64 = 2**63
MAX_COLUMNS = 20_000
SQLITE_BATCH = 50_000


def read_json(stream: BinaryIO, dayfirst: bool | None = None) -> tuple[pa.Table, list[str]]:
    """Objects, one a line or in one array, as a table, and warnings.

    Columns stand in the order in which their names first appear; a name that an object lacks is
    missing there.

    Raises:
        DataError: ``malformed_file`` with the line, ``empty_table``, ``too_many_columns``.
    """
    columns: dict[str, list[Any]] = {}
    rows = 0
    for place, record in _records(stream):
        if not isinstance(record, dict):
            raise DataError(
                "malformed_file",
                f"{place} holds {type(record).__name__}, not a JSON object.",
                hint='Each row must look like {"column": value, ...}.',
            )
        for name, value in record.items():
            values = columns.get(name)
            if values is None:
                if len(columns) >= MAX_COLUMNS:
                    raise DataError(
                        "too_many_columns", f"The objects have more than {MAX_COLUMNS} names."
                    )
                values = columns[name] = []
            if len(values) < rows:
                values.extend([None] * (rows - len(values)))
            values.append(value)
        rows += 1
    for values in columns.values():
        values.extend([None] * (rows - len(values)))
    return _table(columns, dayfirst)


def _records(stream: BinaryIO) -> Iterable[tuple[str, Any]]:
    text = io.TextIOWrapper(stream, "utf-8-sig")
    try:
        start = text.read(1)
        while start and start.isspace():
            start = text.read(1)
        if start == "[":
            found = json.loads("[" + text.read())
            yield from ((f"Item {number}", record) for number, record in enumerate(found))
            return
        for number, line in enumerate(text, 1):
            line = start + line if number == 1 else line
            if line.strip():
                try:
                    record = json.loads(line)
                except ValueError as error:
                    raise DataError(
                        "malformed_file", f"Line {number} is not valid JSON: {error}"[:300]
                    ) from error
                yield f"Line {number}", record
    except UnicodeDecodeError as error:
        raise DataError("malformed_file", "The file is not valid UTF-8.") from error
    except (ValueError, RecursionError) as error:
        raise DataError("malformed_file", f"The JSON is not valid: {error}"[:300]) from error


def read_sqlite(
    path: Path, table: str | None, dayfirst: bool | None = None
) -> tuple[pa.Table, list[str]]:
    """A table or view of a SQLite file, opened read-only; its only one if `table` is None."""
    try:
        with sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True) as connection:
            connection.execute("PRAGMA trusted_schema = OFF")
            names = [
                name
                for (name,) in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
                    "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
                )
            ]
            chosen = choose_table(names, table)
            quoted = chosen.replace('"', '""')
            cursor = connection.execute(f'SELECT * FROM "{quoted}"')
            heads = [item[0] for item in cursor.description]
            values: list[list[Any]] = [[] for _ in heads]
            while batch := cursor.fetchmany(SQLITE_BATCH):
                for column, part in zip(values, zip(*batch, strict=True), strict=True):
                    column.extend(part)
    except sqlite3.Error as error:
        raise DataError("malformed_file", f"SQLite cannot read the file: {error}") from error
    finally:
        if "connection" in locals():
            connection.close()
    typed = [_column(name, column, dayfirst) for name, column in zip(heads, values, strict=True)]
    return (
        pa.Table.from_arrays([column for column, _ in typed], names=heads),
        [note for _, note in typed if note],
    )


def choose_table(names: list[str], table: str | None) -> str:
    """`table` if the file has it, or its only table; SpecError otherwise."""
    listed = ", ".join(names[:20])
    if not names:
        raise DataError("empty_table", "The database file has no tables.")
    if table is None:
        if len(names) == 1:
            return names[0]
        raise SpecError(
            "table_required",
            f"The file has {len(names)} tables.",
            path="options.table",
            hint=f"Choose one with the option 'table': {listed}.",
        )
    if table not in names:
        raise SpecError(
            "unknown_table",
            f"The file has no table '{table}'.",
            path="options.table",
            hint=did_you_mean(table, names, f"It has: {listed}."),
        )
    return table


def _table(columns: dict[str, list[Any]], dayfirst: bool | None) -> tuple[pa.Table, list[str]]:
    typed = [_column(name, values, dayfirst) for name, values in columns.items()]
    table = pa.Table.from_arrays([column for column, _ in typed], names=list(columns))
    return table, [note for _, note in typed if note]


def _column(
    name: str, values: list[Any], dayfirst: bool | None
) -> tuple[pa.Array | pa.ChunkedArray, str]:
    """One column of Python values, typed, and a warning or an empty string."""
    kinds = {type(value) for value in values} - {type(None)}
    if not kinds:
        return pa.nulls(len(values), pa.float64()), ""
    if kinds == {bool}:
        return pa.array(values, pa.bool_()), ""
    if kinds == {int}:
        return _integers(name, values)
    if kinds <= {int, float}:
        return pa.array([_float(value) for value in values], pa.float64()), ""
    if kinds == {bytes}:
        return pa.array(values, pa.large_binary()), ""
    if kinds == {str}:
        text = pa.chunked_array([pa.array([_clean(value) for value in values], TEXT)])
        found = infer_dates(text, dayfirst)
        return found.column, f"Column '{name}' {found.note}." if found.note else ""
    texts = [value if value is None or isinstance(value, str) else _json(value) for value in values]
    listed = ", ".join(sorted(kind.__name__ for kind in kinds))
    return (
        pa.array([_clean(value) for value in texts], TEXT),
        f"Column '{name}' holds {listed} values; kept as text (JSON).",
    )


def _integers(name: str, values: list[Any]) -> tuple[pa.Array, str]:
    largest = max(abs(value) for value in values if value is not None)
    if largest < INT64 or all(value is None or -INT64 <= value < INT64 for value in values):
        return pa.array(values, pa.int64()), ""
    if largest < 10**38:
        return pa.array(values, BIG_INTEGER), ""
    text = pa.array([None if value is None else str(value) for value in values], TEXT)
    return text, f"Column '{name}' holds integers of more than 38 digits; kept as text."


def _float(value: float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:
        return math.copysign(math.inf, value or 0)


def _json(value: Any) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return json.dumps(value, ensure_ascii=False, sort_keys=False)


def _clean(text: str | None) -> str | None:
    """`text` without lone surrogates, which JSON can write and UTF-8 cannot."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")
