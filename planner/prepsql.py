"""The ``sql`` data step: one SELECT over the table so far and other tables.

Input: a table node and the step. Output: ordinary nodes (derive, filter, window, select) where
the SELECT is no more than that, so that it keeps row order, lineage and pruning; else one `Sql`
node, opaque but for the lineage in `planner.sqllineage`.
"""

from planner.binder import bind, empty_table, has_mask, stored_type
from planner.errors import SpecError
from planner.graph import Node
from planner.prepcolumns import (
    check_name,
    check_unique,
    filter_rows,
    make_item,
    project,
    put,
    visible,
)
from planner.preptables import INPUT, Scope
from planner.schema import Schema
from planner.sql import SelectInfo, check_expression, check_select
from planner.sqlfunctions import AGGREGATE
from planner.sqltree import (
    Tree,
    children,
    column,
    quote,
    render_expression,
    render_select,
    rewrite,
    shorten,
)
from planner.steps import FilterStep, SqlStep
from planner.tableops import ROW, ROW_INPUT, Item, Sql, Window, column_expr

_PART = "__s"  # columns between two nodes of one lowered SELECT


def sql_step(scope: Scope, node: Node, step: SqlStep, path: str) -> Node:
    """The node of a SELECT; its output names must be unique ignoring case."""
    where = f"{path}.sql"
    schemas = scope.schemas() | {INPUT: _schema_of(node)}
    info = check_select(step.sql, schemas, where)
    tables = ", ".join(
        f"{quote(name)} AS (SELECT * FROM {empty_table(schemas[name])})" for name in info.tables
    )
    every = [column for name in info.tables for column in schemas[name].names]
    prefix = f"WITH {tables} " if tables else ""
    names, types = bind(f"{prefix}SELECT * FROM ({info.text})", where, step.sql, every)
    for name in names:
        check_name(name, where)
    check_unique(names, where)
    lowered = _lower(scope, node, info, names, where)
    if lowered is not None:
        return lowered
    if has_mask(node):
        raise SpecError(
            "not_supported",
            "This sql step makes new rows, so it cannot follow a filter on training rows only.",
            path=where,
            hint='Put the {"filter": ..., "only": "train"} step after it.',
        )
    kept = [stored_type(sql_type) for sql_type in types]
    columns = tuple(
        (name, new if new != old else "") for name, old, new in zip(names, types, kept, strict=True)
    )
    inputs = [node if name == INPUT else scope.table(name, where) for name in info.tables]
    text, keeps_rows = _ordered(info, len(names), where)
    op = Sql(text, info.tables, columns, tuple(kept), keeps_rows, info.text, shorten(step.sql))
    return scope.graph.node(op, *inputs)


def _schema_of(node: Node) -> Schema:
    return Schema(tuple(visible(node).values()))


def _ordered(info: SelectInfo, width: int, path: str) -> tuple[str, bool]:
    """The SELECT with a complete order: its own, that of the input rows, then all columns.

    Also whether the order of the input rows could be kept.
    """
    root = _with_row_id(info.tree["node"])
    keeps_rows = root is not None
    positions = [*([width + 1] if keeps_rows else []), *range(1, width + 1)]
    root = root or info.tree["node"]
    rest = [_by_position(position) for position in positions]
    modifiers = list(root["modifiers"])
    for index, modifier in enumerate(modifiers):
        if modifier["type"] == "ORDER_MODIFIER":
            if not any(order["expression"]["class"] == "STAR" for order in modifier["orders"]):
                modifiers[index] = modifier | {"orders": [*modifier["orders"], *rest]}
            break
    else:
        place = sum(modifier["type"] == "DISTINCT_MODIFIER" for modifier in modifiers)
        modifiers.insert(place, {"type": "ORDER_MODIFIER", "orders": rest})
    statement = info.tree | {"node": root | {"modifiers": modifiers}}
    return render_select(statement, path), keeps_rows


def _with_row_id(root: Tree) -> Tree | None:
    """A SELECT of rows of the input, with the row id as a last column; None if it makes new rows
    or hides where they come from."""
    row_wise = (
        root["type"] == "SELECT_NODE"
        and root["aggregate_handling"] == "STANDARD_HANDLING"
        and not root["group_expressions"]
        and not root["having"]
        and not any(modifier["type"] == "DISTINCT_MODIFIER" for modifier in root["modifiers"])
        and not _makes_rows(root["select_list"])
        and not _makes_rows(root["qualify"] or {})
    )
    alias: list[str] = []
    source = _with_row_input(root["from_table"], alias) if row_wise else None
    if source is None:
        return None
    items = []
    for item in root["select_list"]:
        if item["class"] == "STAR":
            if item["columns"] or item["expr"] or item["rename_list"]:
                return None
            if item["relation_name"].lower() in ("", alias[0].lower()):
                item = item | {"exclude_list": [*item["exclude_list"], ROW]}
        items.append(item)
    return root | {"from_table": source, "select_list": [*items, column(alias[0], ROW)]}


def _makes_rows(tree: object) -> bool:
    """Whether an aggregate or unnest stands in `tree`, sub-queries aside."""
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if node.get("class") == "SUBQUERY":
                continue
            name = node.get("function_name")
            if node.get("class") == "FUNCTION" and (name in AGGREGATE or name == "unnest"):
                return True
        stack.extend(children(node))
    return False


def _with_row_input(source: Tree, alias: list[str]) -> Tree | None:
    """FROM with the leftmost table being the input that has row ids; None if it is another."""
    if source["type"] == "JOIN":
        left = _with_row_input(source["left"], alias)
        return left and source | {"left": left}
    if source["type"] != "BASE_TABLE" or source["table_name"].lower() != INPUT:
        return None
    if source["column_name_alias"]:
        return None
    alias.append(source["alias"] or source["table_name"])
    return source | {"table_name": ROW_INPUT, "alias": alias[0]}


def _by_position(index: int) -> Tree:
    value = {"type": {"id": "INTEGER", "type_info": None}, "is_null": False, "value": index}
    constant = {"class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": "", "value": value}
    return {"type": "ORDER_DEFAULT", "null_order": "ORDER_DEFAULT", "expression": constant}


def _lower(
    scope: Scope, node: Node, info: SelectInfo, names: tuple[str, ...], path: str
) -> Node | None:
    """The SELECT as ordinary nodes, if it is a plain one over the input; else None."""
    root = info.tree["node"]
    source = root.get("from_table", {})
    plain = (
        root["type"] == "SELECT_NODE"
        and source["type"] == "BASE_TABLE"
        and info.tables == (INPUT,)
        and not source["column_name_alias"]
        and root["aggregate_handling"] == "STANDARD_HANDLING"
        and not root["cte_map"]["map"]
        and not any(
            root[part]
            for part in ("modifiers", "group_expressions", "group_sets", "having", "qualify")
        )
    )
    if not plain:
        return None
    alias = (source["alias"] or INPUT).lower()
    try:
        table = visible(node)
        outputs = _outputs(root["select_list"], list(table), alias)
        if len(outputs) != len(names):
            return None
        if root["where_clause"]:
            condition = render_expression(_unqualified(root["where_clause"], alias), path)
            node = filter_rows(scope.graph, node, FilterStep(filter=condition), path)
            table = visible(node)
        windows: list[Item] = []
        derived: list[Item] = []
        for index, (name, tree) in enumerate(zip(names, outputs, strict=True)):
            bare = len(tree.get("column_names", ())) == 1
            text = (
                quote(tree["column_names"][0])
                if bare
                else render_expression(tree | {"alias": ""}, path)
            )
            expression = check_expression(text, table, path)
            if expression.kind == "aggregate":
                return None
            item = make_item(name, expression, table, path)
            if expression.kind == "window":
                hidden = f"{_PART}{index}"
                windows.append(Item(hidden, item.expr, item.sql_type, label=name))
                item = Item(name, column_expr(hidden), item.sql_type)
            if item.expr != column_expr(name):
                derived.append(item)
    except SpecError:
        return None
    if windows:
        node = scope.graph.node(Window(tuple(windows)), node)
    node = put(scope.graph, node, derived, "select")
    return project(scope.graph, node, [(name, name) for name in names], "select")


def _outputs(items: list[Tree], columns: list[str], alias: str) -> list[Tree]:
    """The select list with plain stars written out."""
    found: list[Tree] = []
    for item in items:
        if item["class"] != "STAR":
            found.append(_unqualified(item, alias))
            continue
        odd = item["columns"] or item["expr"] or item["rename_list"]
        if odd or item["qualified_exclude_list"]:
            raise SpecError("invalid_sql", "not a plain star")
        excluded = {name.lower() for name in item["exclude_list"]}
        replaced = {entry["key"].lower(): entry["value"] for entry in item["replace_list"]}
        for name in columns:
            if name.lower() in replaced:
                found.append(_unqualified(replaced[name.lower()], alias))
            elif name.lower() not in excluded:
                found.append(column(name))
    return found


def _unqualified(tree: Tree, alias: str) -> Tree:
    """`tree` with the table's name taken off its columns."""

    def change(node: Tree) -> Tree:
        names = node.get("column_names", ())
        if len(names) > 1 and names[0].lower() == alias:
            return node | {"column_names": names[1:]}
        return node

    changed: Tree = rewrite(tree, change)
    return changed
