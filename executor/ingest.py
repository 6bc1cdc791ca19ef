"""Registration of data: a file in, one Arrow file in normal form and its description out.

Runs in a worker process. The Arrow file holds the columns and, last, ``__row`` (0 .. n-1); it
is named by the content's fingerprint, uncompressed and so memory-mappable by every process.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from executor.backends.duckdb import describe, write_table
from executor.fingerprint import fingerprint
from executor.normalise import ROW, normalise
from executor.readers import read, without
from executor.suspects import kind_of, suspects_of
from executor.text_types import TEXT
from planner.errors import SpecError, did_you_mean

_OPTIONS: dict[str, tuple[type, ...]] = {
    "table": (str,),
    "delimiter": (str,),
    "encoding": (str,),
    "header": (bool,),
    "dayfirst": (bool,),
    "na_values": (list, dict),
    "as_text": (list,),
}
MAX_SUSPECTS = 200


def ingest(source: str, directory: str, options: dict[str, Any]) -> dict[str, Any]:
    """Reads `source` and writes ``<directory>/<fingerprint>.arrow``.

    Args:
        source: A CSV, TSV, Parquet, Arrow/Feather, JSON-lines, DuckDB or SQLite file; text may
            be compressed by gzip, zstd or bzip2.
        directory: Existing folder for the Arrow file.
        options: ``table`` (of a database), ``delimiter``, ``encoding``, ``header`` (default
            True), ``dayfirst`` (dates such as 03/04/2020), ``na_values`` (a list, or lists by
            column), ``as_text`` (CSV columns to leave as text); all optional.

    Returns:
        ``{"fingerprint", "rows", "columns": [{"name", "kind", "sql_type", "nullable",
        "distinct"}], "bytes", "read", "warnings", "suspects": {column: {"values": {text: count},
        "would_be": kind}}}``.

    Raises:
        SpecError: ``unknown_option``, ``invalid_option``, ``unsupported_format``,
            ``table_required``, ``unknown_table``, ``unknown_column`` (in an option).
        DataError: ``empty_table``, ``malformed_file``, ``duplicate_columns``,
            ``too_many_columns``.
    """
    options = _checked(options)
    try:
        raw = read(Path(source), options)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise SpecError(
            "file_not_found", f"The file cannot be opened: {error.strerror}.", path="path"
        ) from error
    _known_columns(options, raw.table.column_names)
    table, warnings = normalise(raw.table)
    raw.warnings.extend(warnings)
    table = _drop_missing(table, options.get("na_values", []))
    key = fingerprint(table)
    columns = [
        {
            "name": name,
            "kind": kind_of(column.type),
            "sql_type": sql_type,
            "nullable": column.null_count > 0,
            "distinct": pc.count_distinct(column).as_py(),
        }
        for name, column, sql_type in zip(
            table.column_names, table.columns, describe(table), strict=True
        )
    ]
    suspects: dict[str, Any] = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        found = suspects_of(column)
        if found and len(suspects) < MAX_SUSPECTS:
            suspects[name] = found
    stored = table.append_column(ROW, pa.array(np.arange(table.num_rows, dtype=np.int64)))
    path = os.path.join(directory, f"{key}.arrow")
    write_table(stored, path)
    return {
        "fingerprint": key,
        "rows": table.num_rows,
        "columns": columns,
        "bytes": os.path.getsize(path),
        "read": raw.read,
        "warnings": raw.warnings,
        "suspects": suspects,
    }


def _checked(options: dict[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        kinds = _OPTIONS.get(name)
        if kinds is None:
            raise SpecError(
                "unknown_option",
                f"There is no option '{name}'.",
                path=f"options.{name}",
                hint=did_you_mean(name, _OPTIONS, f"Options: {', '.join(_OPTIONS)}."),
            )
        if not isinstance(value, kinds):
            expected = " or ".join(kind.__name__ for kind in kinds)
            raise SpecError(
                "invalid_option", f"'{name}' must be a {expected}.", path=f"options.{name}"
            )
    delimiter = given.get("delimiter", ",")
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
        raise SpecError(
            "invalid_option",
            "'delimiter' must be one ASCII character other than a quote or a line end.",
            path="options.delimiter",
        )
    na_values = given.get("na_values", [])
    for values in na_values.values() if isinstance(na_values, dict) else [na_values]:
        if not isinstance(values, list) or not all(
            isinstance(value, str | int | float) for value in values
        ):
            raise SpecError(
                "invalid_option",
                "'na_values' must be a list of texts or numbers, or such lists by column.",
                path="options.na_values",
            )
    return given


def _known_columns(options: dict[str, Any], names: list[str]) -> None:
    na_values = options.get("na_values", [])
    for option, wanted in (
        ("as_text", options.get("as_text", [])),
        ("na_values", list(na_values) if isinstance(na_values, dict) else []),
    ):
        for name in wanted:
            if name not in names:
                raise SpecError(
                    "unknown_column",
                    f"There is no column '{name}'.",
                    path=f"options.{option}",
                    hint=did_you_mean(str(name), names),
                )


def _drop_missing(table: pa.Table, na_values: list[Any] | dict[str, list[Any]]) -> pa.Table:
    """`na_values` made null also where the file was typed, comparing numbers as numbers."""
    for place, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        values = na_values.get(name, []) if isinstance(na_values, dict) else na_values
        if not values:
            continue
        if column.type == TEXT:
            column = without(column, [str(value) for value in values])
        elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
            numbers = pa.array([number for value in values for number in _number(value)])
            if len(numbers):
                hit = pc.is_in(column.cast(pa.float64(), safe=False), value_set=numbers)
                column = pc.if_else(hit, pa.scalar(None, column.type), column)
        else:
            continue
        table = table.set_column(place, name, column.combine_chunks())
    return table


def _number(value: Any) -> list[float]:
    try:
        return [float(value)]
    except (TypeError, ValueError, OverflowError):
        return []
