"""Row-wise data steps to table nodes: derive, filter, select, drop, rename, cast, fill, replace.

Input: a table node and a step model. Output: the node after the step, types bound; a `SpecError`
with the path of the field at fault otherwise.
"""

import json
import math
import re
from collections.abc import Mapping

from planner.binder import bind_expressions, columns, has_mask, schema, stored_type
from planner.errors import SpecError
from planner.graph import Graph, Node
from planner.schema import Column
from planner.spec import MAX_NAME
from planner.sql import ExpressionInfo, check_expression
from planner.sqltree import answer, literal
from planner.steps import (
    CastStep,
    DeriveStep,
    DropStep,
    FillStep,
    FilterStep,
    RenameStep,
    ReplaceStep,
    Scalar,
    SelectStep,
)
from planner.tableops import (
    HIDDEN,
    TRAIN_MASK,
    Derive,
    Expr,
    Filter,
    Item,
    Project,
    Window,
)

_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_ ]*(\(\s*\d+\s*(,\s*\d+\s*)?\))?(\[\])*")
_TYPE_NAMES = {
    "int": "BIGINT",
    "int64": "BIGINT",
    "int32": "INTEGER",
    "float": "DOUBLE",
    "float64": "DOUBLE",
    "float32": "FLOAT",
    "str": "VARCHAR",
    "string": "VARCHAR",
    "object": "VARCHAR",
    "datetime": "TIMESTAMP",
    "datetime64": "TIMESTAMP",
}


def check_name(name: str, path: str) -> str:
    """`name` if a new column or table may have it; `invalid_name` otherwise."""
    problem = ""
    if name.startswith(HIDDEN):
        problem = f"begins with '{HIDDEN}', which is reserved"
    elif not name.strip() or len(name) > MAX_NAME:
        problem = f"is blank or longer than {MAX_NAME} characters"
    elif any(ord(c) < 32 or "\ud800" <= c <= "\udfff" or c == "\ue000" for c in name):
        problem = "holds a control character"
    if problem:
        raise SpecError("invalid_name", f"The name {name!r} {problem}.", path=path)
    return name


def check_unique(names: list[str] | tuple[str, ...], path: str) -> None:
    """Refuse names that are equal ignoring case (`duplicate_column`)."""
    seen: dict[str, str] = {}
    for name in names:
        first = seen.get(name.lower())
        seen[name.lower()] = name
        if first is not None:
            raise SpecError(
                "duplicate_column",
                f"The columns '{first}' and '{name}' have the same name (case is ignored).",
                path=path,
                hint="Rename one of them.",
            )


def visible(node: Node) -> dict[str, Column]:
    """The user's columns by name."""
    return {column.name: column for column in columns(node) if column.name != TRAIN_MASK}


def make_item(
    name: str,
    info: ExpressionInfo,
    table: Mapping[str, Column],
    path: str,
    group_by: list[str] | None = None,
) -> Item:
    """A computed column: bound, and cast where its type would not survive the way out."""
    expr = info.expr
    (bound,) = bind_expressions(
        [expr.sql()], table, info.columns, path, group_by=group_by, shown=expr.text
    )
    kept = stored_type(bound)
    if kept != bound:
        expr = expr.wrapped("CAST(", f" AS {kept})")
    plain = expr.parts == ("", "")
    nullable = table[expr.columns[0]].nullable if plain else True
    return Item(name, expr, kept, nullable)


def put(graph: Graph, node: Node, items: list[Item], form: str) -> Node:
    """`node` with row-wise columns, those of one call computed together."""
    return graph.node(Derive(tuple(items), form), node) if items else node


def project(graph: Graph, node: Node, pairs: list[tuple[str, str]], form: str) -> Node:
    """`node` with only these (new, old) columns and the train mask."""
    if has_mask(node):
        pairs = [*pairs, (TRAIN_MASK, TRAIN_MASK)]
    return graph.node(Project(tuple(pairs), form), node)


def derive(graph: Graph, node: Node, step: DeriveStep, path: str) -> Node:
    """Columns in the order written; runs of independent ones make one node."""
    pending: list[Item] = []
    table = visible(node)
    for name, text in step.derive.items():
        where = f"{path}.derive.{name}"
        check_name(name, where)
        info = check_expression(text, _names(table, pending), where)
        if info.kind == "aggregate":
            raise SpecError(
                "invalid_sql",
                f"'{name}' aggregates over rows, and derive works row by row.",
                path=where,
                hint='Use {"aggregate": {"by": [...], "columns": {...}}} or an OVER clause.',
            )
        fresh = {item.name.lower() for item in pending}
        if pending and (
            info.kind == "window"
            or name.lower() in fresh
            or any(column.lower() in fresh for column in info.columns)
        ):
            node = put(graph, node, pending, "derive")
            pending, table = [], visible(node)
            info = check_expression(text, table, where)
        item = make_item(name, info, table, where)
        if info.kind == "window":
            node = graph.node(Window((item,)), node)
            table = visible(node)
        else:
            pending.append(item)
    return put(graph, node, pending, "derive")


def _names(table: Mapping[str, Column], pending: list[Item]) -> list[str]:
    fresh = {item.name.lower(): item.name for item in pending}
    return [*(name for name in table if name.lower() not in fresh), *fresh.values()]


def filter_rows(graph: Graph, node: Node, step: FilterStep, path: str) -> Node:
    """Rows where the condition is true; with ``only: train`` it joins the train mask."""
    where = f"{path}.filter"
    table = visible(node)
    info = check_expression(step.filter, table, where)
    if info.kind != "scalar":
        raise SpecError(
            "invalid_sql",
            "A filter works row by row; it may not aggregate or use OVER.",
            path=where,
            hint="Put the value on the rows first (aggregate or window), then filter on it.",
        )
    (bound,) = bind_expressions([info.text], table, info.columns, where, shown=step.filter)
    if bound != "BOOLEAN":
        raise SpecError(
            "type_mismatch",
            f"The filter is {bound}, not BOOLEAN: {info.expr.text}",
            path=where,
            hint="Write a comparison.",
        )
    if step.only is None:
        return graph.node(Filter(info.expr), node)
    kept = info.expr.wrapped("((", ") IS TRUE)")
    if has_mask(node):
        kept = Expr(
            (*kept.parts[:-1], kept.parts[-1] + " AND ", ""),
            (*kept.columns, TRAIN_MASK),
            (*kept.keys, False),
            kept.text,
        )
    mask = Item(TRAIN_MASK, kept, "BOOLEAN", nullable=False)
    return put(graph, node, [mask], "filter training rows by")


def select(graph: Graph, node: Node, step: SelectStep, path: str) -> Node:
    table = schema(node)
    for index, name in enumerate(step.select):
        table.require(name, f"{path}.select[{index}]")
    check_unique(step.select, f"{path}.select")
    return project(graph, node, [(name, name) for name in step.select], "select")


def drop(graph: Graph, node: Node, step: DropStep, path: str) -> Node:
    names = [step.drop] if isinstance(step.drop, str) else step.drop
    table = schema(node)
    for index, name in enumerate(names):
        table.require(name, f"{path}.drop[{index}]")
    gone = frozenset(names)
    kept = [(name, name) for name in table.names if name not in gone]
    if not kept:
        raise SpecError("invalid_step", "No column would be left.", path=f"{path}.drop")
    return project(graph, node, kept, "drop")


def rename(graph: Graph, node: Node, step: RenameStep, path: str) -> Node:
    table = schema(node)
    for old, new in step.rename.items():
        table.require(old, f"{path}.rename.{old}")
        check_name(new, f"{path}.rename.{old}")
    pairs = [(step.rename.get(name, name), name) for name in table.names]
    check_unique([new for new, _ in pairs], f"{path}.rename")
    return project(graph, node, pairs, "rename")


def cast(graph: Graph, node: Node, step: CastStep, path: str) -> Node:
    table = schema(node)
    items = []
    for name, wanted in step.cast.items():
        where = f"{path}.cast.{name}"
        column = table.require(name, where)
        sql_type = _TYPE_NAMES.get(wanted.strip().lower(), wanted.strip())
        if sql_type.lower() in ("category", "categorical", "enum"):
            raise SpecError(
                "invalid_step",
                "A data step cannot make categories.",
                path=where,
                hint="Use the transformer ToCategorical() in features.",
            )
        if not _TYPE.fullmatch(sql_type):
            raise SpecError(
                "unknown_type",
                f"'{wanted}' is not a type.",
                path=where,
                hint="Types: BIGINT, DOUBLE, VARCHAR, BOOLEAN, DATE, TIMESTAMP.",
            )
        function = "CAST" if step.errors == "raise" else "TRY_CAST"
        names = {"c": column}
        info = check_expression(f'{function}("c" AS {sql_type})', names, where)
        renamed = ExpressionInfo((name,), "scalar", "", info.expr.renamed({"c": name}))
        item = make_item(name, renamed, {name: column}, where)
        nullable = column.nullable or step.errors == "null"
        items.append(Item(name, item.expr, item.sql_type, nullable))
    return put(graph, node, items, "cast")


def fill(graph: Graph, node: Node, step: FillStep, path: str) -> Node:
    table = schema(node)
    items = []
    for name, value in step.fill.items():
        where = f"{path}.fill.{name}"
        column = table.require(name, where)
        before, after = ("CAST(", " AS VARCHAR)") if column.kind == "categorical" else ("", "")
        given = constant(value, column, where)
        expr = Expr(
            (f"COALESCE({before}", f"{after}, {given})"), (name,), text=f"{name} = {value!r}"
        )
        info = ExpressionInfo((name,), "scalar", "", expr)
        item = make_item(name, info, {name: column}, where)
        items.append(Item(name, item.expr, item.sql_type, nullable=False))
    return put(graph, node, items, "fill")


def replace(graph: Graph, node: Node, step: ReplaceStep, path: str) -> Node:
    table = schema(node)
    items = []
    for name, changes in step.replace.items():
        where = f"{path}.replace.{name}"
        column = table.require(name, where)
        as_text = column.kind == "categorical"
        before, after = ("CAST(", " AS VARCHAR)") if as_text else ("", "")
        parts = ["CASE WHEN " + before]
        for index, (old, new) in enumerate(changes.items()):
            given = constant(_key(old, column, where), column, where)
            put_in = "NULL" if new is None else constant(new, column, where)
            last = index == len(changes) - 1
            following = "ELSE " if last else "WHEN "
            parts.append(f"{after} = {given} THEN {put_in} {following}{before}")
        parts.append(f"{after} END")
        expr = Expr(tuple(parts), (name,) * (len(parts) - 1), text=name)
        info = ExpressionInfo((name,), "scalar", "", expr)
        item = make_item(name, info, {name: column}, where)
        nullable = column.nullable or None in changes.values()
        items.append(Item(name, item.expr, item.sql_type, nullable))
    return put(graph, node, items, "replace")


def _key(text: str, column: Column, path: str) -> Scalar:
    """The old value that a JSON key means for a column of this kind."""
    if column.kind in ("integer", "float", "boolean"):
        try:
            value = json.loads(text.lower() if column.kind == "boolean" else text)
        except ValueError:
            value = None
        if isinstance(value, bool | int | float):
            return value
        raise _misfit(text, column, path)
    return text


def constant(value: Scalar, column: Column, path: str) -> str:
    """`value` as an SQL literal fit for `column`; `type_mismatch` where it does not fit."""
    if (
        column.kind in ("integer", "float")
        and isinstance(value, int | float)
        and not isinstance(value, bool)
    ):
        if isinstance(value, int) and abs(value) < 2**63:
            return str(value)
        if math.isfinite(value):
            return f"CAST('{float(value)!r}' AS DOUBLE)"
    if column.kind == "boolean" and isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and "\0" not in value:
        if column.kind in ("string", "categorical"):
            return literal(value)
        if column.kind == "date" and _fits(value, column.sql_type):
            return f"CAST({literal(value)} AS {column.sql_type})"
    raise _misfit(value, column, path)


def _fits(text: str, sql_type: str) -> bool:
    row = answer(f"SELECT TRY_CAST({literal(text)} AS {sql_type}) IS NOT NULL")
    return bool(row and row[0])


def _misfit(value: object, column: Column, path: str) -> SpecError:
    return SpecError(
        "type_mismatch",
        f"The value {value!r} does not fit the column '{column.name}' ({column.sql_type}).",
        path=path,
        hint="Cast the column first, or use derive with CASE WHEN ... END.",
    )
