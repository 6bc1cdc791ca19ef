"""Types of relations: DuckDB's own binder, asked about empty tables.

Input: checked SQL and the columns it reads; or a table node. Output: DuckDB types; or the
`Schema` of the node. Nothing is ever executed.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import duckdb

from planner.errors import SpecError, did_you_mean
from planner.graph import Node
from planner.schema import Column, Kind, Schema
from planner.sqltree import connection, first_line, quote, shorten
from planner.tableops import (
    ROW,
    TRAIN_MASK,
    Aggregate,
    AggregateBack,
    Derive,
    DropNull,
    Filter,
    Join,
    Limit,
    OrderBy,
    Project,
    Sample,
    Scan,
    Sql,
    Union,
    Window,
)

_INTEGERS = frozenset(
    "TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT".split()
)
_CACHE_LIMIT = 4_000
# By node and not by key: the same content may be described with more or fewer facts.
_columns: dict[Node, tuple[Column, ...]] = {}


def kind_of(sql_type: str) -> Kind:
    """The coarse kind of a DuckDB type."""
    upper = sql_type.upper()
    base = upper.partition("(")[0].strip()
    if upper.endswith("]"):
        return "other"
    if base in _INTEGERS:
        return "integer"
    if base in ("FLOAT", "DOUBLE", "DECIMAL"):
        return "float"
    if base == "BOOLEAN":
        return "boolean"
    if base == "VARCHAR":
        return "string"
    if base == "DATE" or base.startswith("TIMESTAMP"):
        return "date"
    if base == "ENUM":
        return "categorical"
    return "other"


def stored_type(sql_type: str) -> str:
    """The type a computed column is kept in: 128-bit integers and decimals become DOUBLE."""
    base = sql_type.upper().partition("(")[0].strip()
    if base in ("HUGEINT", "UHUGEINT", "DECIMAL") and not sql_type.endswith("]"):
        return "DOUBLE"
    return "INTEGER" if base in ('"NULL"', "NULL") else sql_type


def schema(node: Node) -> Schema:
    """Visible columns of the relation `node`, in table order (without ``__row``, ``__train``)."""
    return Schema(tuple(c for c in columns(node) if c.name != TRAIN_MASK))


def has_mask(node: Node) -> bool:
    """Whether a train-only filter was used: the relation has the column ``__train``."""
    return any(column.name == TRAIN_MASK for column in columns(node))


def columns(node: Node) -> tuple[Column, ...]:
    """All columns but ``__row``, the train mask included."""
    found = _columns.get(node)
    if found is not None:
        return found
    # Other threads may empty the cache at any time, so what is needed here is also kept here.
    known: dict[Node, tuple[Column, ...]] = {}
    stack = [node]
    while stack:
        top = stack[-1]
        for source in top.inputs:
            if source not in known and (cached := _columns.get(source)) is not None:
                known[source] = cached
        waiting = [source for source in top.inputs if source not in known]
        if waiting:
            stack.extend(waiting)
            continue
        stack.pop()
        known[top] = _derive_columns(top, [known[source] for source in top.inputs])
    if len(_columns) > _CACHE_LIMIT:
        _columns.clear()
    _columns.update(known)
    return known[node]


def _derive_columns(node: Node, inputs: Sequence[tuple[Column, ...]]) -> tuple[Column, ...]:
    op = node.op
    match op:
        case Scan():
            return op.columns
        case Derive() | Window() | AggregateBack():
            return put_columns(
                inputs[0],
                [
                    Column(i.name, kind_of(i.sql_type), i.sql_type, nullable=i.nullable)
                    for i in op.items
                ],
            )
        case Project():
            by_name = {column.name: column for column in inputs[0]}
            return tuple(_renamed(by_name[old], new) for new, old in op.columns)
        case OrderBy():
            return inputs[0]
        case Filter() | Limit() | Sample():
            return tuple(_fewer(column) for column in inputs[0])
        case DropNull():
            return tuple(_fewer(c, known=c.name == op.column) for c in inputs[0])
        case Join():
            by_name = {column.name: column for column in inputs[1]}
            right = [_renamed(_fewer(by_name[old]), new) for new, old in op.columns]
            if op.how == "left":
                right = [Column(c.name, c.kind, c.sql_type) for c in right]
                same = not op.many
                return (*(c if same else _fewer(c) for c in inputs[0]), *right)
            return (*(_fewer(column) for column in inputs[0]), *right)
        case Aggregate():
            by_name = {column.name: column for column in inputs[0]}
            items = [Column(i.name, kind_of(i.sql_type), i.sql_type) for i in op.items]
            return (*(by_name[name] for name in op.by), *items)
        case Union() | Sql():
            names = op.columns if isinstance(op, Union) else tuple(n for n, _ in op.columns)
            return tuple(
                Column(name, kind_of(sql_type), sql_type)
                for name, sql_type in zip(names, op.types, strict=True)
            )
    raise TypeError(f"{type(op).__name__} is not a table op")


def put_columns(old: tuple[Column, ...], new: Iterable[Column]) -> tuple[Column, ...]:
    """`old` with `new` put in: over the column of that name (ignoring case), else at the end."""
    out = {column.name.lower(): column for column in old}
    for column in new:
        out[column.name.lower()] = column
    return tuple(out.values())


def _renamed(column: Column, name: str) -> Column:
    if column.name == name:
        return column
    return Column(name, column.kind, column.sql_type, column.nullable, column.distinct)


def _fewer(column: Column, known: bool = False) -> Column:
    """`column` when rows went missing: what was counted no longer holds."""
    return Column(column.name, column.kind, column.sql_type, column.nullable and not known)


def empty_table(table: Iterable[Column], row: bool = False) -> str:
    """SQL of a table with these columns, for binding only."""
    items = [f"CAST(NULL AS {_bindable(c.sql_type)}) AS {quote(c.name)}" for c in table]
    if row:
        items.append(f"CAST(NULL AS BIGINT) AS {quote(ROW)}")
    return f"(SELECT {', '.join(items) or 'NULL AS __none'})"


def _bindable(sql_type: str) -> str:
    # A categorical column whose values are not spelled out binds as the text it holds.
    return "VARCHAR" if sql_type.upper() == "ENUM" else sql_type


def bind_expressions(
    expressions: Sequence[str],
    table: Mapping[str, Column],
    used: Iterable[str],
    path: str,
    *,
    group_by: Sequence[str] | None = None,
    shown: str = "",
) -> tuple[str, ...]:
    """Types of `expressions` over the columns `used` of `table`, in one SELECT.

    Raises:
        SpecError: `type_mismatch`, `unknown_column`, `unknown_function`, `invalid_sql`.
    """
    names = dict.fromkeys([*used, *(group_by or ())])
    source = empty_table([table[name] for name in names if name != ROW], row=True)
    sql = f"SELECT {', '.join(expressions)} FROM {source}"
    if group_by:
        sql += " GROUP BY " + ", ".join(quote(name) for name in group_by)
    return bind(sql, path, shown, tuple(table))[1]


def bind(
    sql: str, path: str, shown: str = "", names: Sequence[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Column names and types of a query; its errors as `SpecError`s about `shown`."""
    try:
        return _bound(sql)
    except duckdb.Error as error:
        raise _explain(error, path, shown, names) from None


@lru_cache(maxsize=8192)
def _bound(sql: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    relation = connection().sql(sql)
    return tuple(relation.columns), tuple(str(kind) for kind in relation.types)


def _explain(error: duckdb.Error, path: str, shown: str, names: Sequence[str]) -> SpecError:
    message = first_line(error)
    where = f" in `{shorten(shown)}`" if shown else ""
    lowered = message.lower()
    if "not found in from clause" in lowered or "does not have a column named" in lowered:
        name = message.split('"')[1] if message.count('"') >= 2 else ""
        return SpecError(
            "unknown_column",
            f"There is no column '{name}'{where}.",
            path=path,
            hint=did_you_mean(name, names, f"Columns: {', '.join(list(names)[:20])}."),
        )
    if "does not exist" in lowered and "function" in lowered:
        return SpecError("unknown_function", f"{message}{where}.", path=path)
    if "no function matches" in lowered:
        call = message.partition("argument types ")[2].partition(". You might")[0].strip("'. ")
        call = call.replace("INTEGER_LITERAL", "INTEGER").replace("STRING_LITERAL", "VARCHAR")
        return SpecError(
            "type_mismatch",
            f"No function takes these types: {call or message}{where}.",
            path=path,
            hint="Cast first: CAST(x AS DOUBLE), or try_cast(...) for NULL where it fails.",
        )
    typed = ("cannot compare", "cannot mix", "can't be cast", "unimplemented type for cast",
             "conversion", "type mismatch", "cannot combine types", "must be cast")  # fmt: skip
    code = "type_mismatch" if any(word in lowered for word in typed) else "invalid_sql"
    return SpecError(code, f"{message}{where}.", path=path)
