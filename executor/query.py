"""Looking at data with SQL: one checked SELECT in, a bounded page of JSON cells out.

The statement was checked before (`planner.sql`); here it runs in a worker on a connection that
sees the named tables and nothing else.
"""

import datetime as dt
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa

from executor.backends.duckdb import connect, plain, read_table
from executor.normalise import ROW
from planner.errors import SpecError

MAX_ROWS = 10_000
MAX_COLUMNS = 500
MAX_ITEMS = 50
_SAFE_INTEGER = 2**53  # beyond it, JSON readers that use doubles change the value


def query(
    sql: str,
    tables: Mapping[str, str],
    limit: int,
    *,
    max_cell: int = 500,
    max_bytes: int = 200_000,
    threads: int = 1,
    memory: str = "2GB",
) -> dict[str, Any]:
    """The first rows of `sql`.

    Args:
        sql: One SELECT.
        tables: Arrow file of every dataset by the name it has in `sql`. The hidden row number
            is not visible, and rows of a plain scan come in table order.
        limit: Rows wanted, 1 .. 10,000.
        max_cell: Characters kept of a text or nested cell.
        max_bytes: Bound of the rows as JSON text; rows beyond it are left off.

    Returns:
        ``{"columns": [{"name", "type"}], "rows": [[cell, ...]], "row_count", "truncated"}`` and,
        where columns were left off, ``"columns_omitted"``. Dates are ISO text, missing values
        and NaN null, infinities ``"Infinity"``/``"-Infinity"``, integers beyond 2**53 text,
        blobs ``"0x..."``.

    Raises:
        SpecError: ``invalid_limit``, ``invalid_sql``, ``sql_not_allowed``.
        DataError: ``data_error``.
        ExecutionError: ``out_of_memory``, ``corrupt_block``.
    """
    if not 1 <= limit <= MAX_ROWS:
        raise SpecError(
            "invalid_limit", f"The limit must be between 1 and {MAX_ROWS}.", path="limit"
        )
    mapped = {name: _visible(read_table(path)) for name, path in tables.items()}
    with connect(mapped, threads=threads, memory=memory) as connection:
        relation = connection.sql(sql)
        if relation is None:
            raise SpecError("invalid_sql", "The statement returns no rows.", path="sql")
        heads = [
            {"name": name, "type": str(kind)}
            for name, kind in zip(relation.columns, relation.types, strict=True)
        ]
        found = plain(relation.limit(limit + 1).to_arrow_table())
    width = min(found.num_columns, MAX_COLUMNS)
    cells = [_cells(found.column(place).slice(0, limit), max_cell) for place in range(width)]
    rows: list[list[Any]] = []
    size = 0
    for row in zip(*cells, strict=True):
        size += len(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace"))
        if size > max_bytes:
            break
        rows.append(list(row))
    result = {
        "columns": heads[:width],
        "rows": rows,
        "row_count": len(rows),
        "truncated": len(rows) < found.num_rows,
    }
    if found.num_columns > width:
        result["columns_omitted"] = found.num_columns - width
    return result


def _visible(table: pa.Table) -> pa.Table:
    return table.drop_columns([ROW]) if ROW in table.column_names else table


def _cells(column: pa.ChunkedArray, max_cell: int) -> list[Any]:
    try:
        values = column.to_pylist()
    except (OverflowError, ValueError):  # such as dates before Christ, or infinite ones
        try:
            values = column.cast(pa.large_string()).to_pylist()
        except pa.ArrowException:
            values = ["(out of range)"] * len(column)
    return [cell(value, max_cell) for value in values]


def cell(value: Any, max_cell: int = 500) -> Any:
    """`value` as something JSON can hold, at most about `max_cell` characters long."""
    match value:
        case None | bool():
            return value
        case int():
            return value if abs(value) <= _SAFE_INTEGER else str(value)
        case float():
            if math.isnan(value):
                return None
            if math.isinf(value):
                return "Infinity" if value > 0 else "-Infinity"
            return value
        case str():
            return cut(value, max_cell)
        case Decimal():
            if not value.is_finite():
                return None
            return cell(int(value) if value == value.to_integral_value() else float(value))
        case dt.datetime():
            return value.isoformat(sep=" ")
        case dt.date() | dt.time():
            return value.isoformat()
        case bytes():
            return cut("0x" + value[: max_cell + 1].hex(), max_cell)
        case list() | tuple() | dict():
            nested = _nested(value, max_cell, 5)
            text = json.dumps(nested, ensure_ascii=False)
            return nested if len(text) <= max_cell else cut(text, max_cell)
    return cut(str(value), max_cell)


def _nested(value: Any, max_cell: int, depth: int) -> Any:
    if depth == 0:
        return cut(str(value), 50)
    if isinstance(value, dict):
        pairs = list(value.items())[:MAX_ITEMS]
        return {str(key): _nested(item, max_cell, depth - 1) for key, item in pairs}
    if type(value) in (list, tuple):  # an interval is a named tuple, and better as text
        return [_nested(item, max_cell, depth - 1) for item in value[:MAX_ITEMS]]
    return cut(str(value), max_cell) if isinstance(value, tuple) else cell(value, max_cell)


def cut(text: str, length: int) -> str:
    """`text`, shortened to `length` characters with an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"
