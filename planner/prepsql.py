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
    column_expr,
    filter_rows,
    make_item,
    project,
    put,
    visible,
)
from planner.preptables import INPUT, Scope
from planner.schema import Schema
from planner.sql import SelectInfo, check_expression, check_select
from planner.sqltree import Tree, column, quote, render_expression, render_select, rewrite, shorten
from planner.steps import FilterStep, SqlStep
from planner.tableops import Item, Sql, Window

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
    text = _ordered(info, len(names), where)
    op = Sql(text, info.tables, columns, tuple(kept), shorten(step.sql))
    return scope.graph.node(op, *inputs)


def _schema_of(node: Node) -> Schema:
    return Schema(tuple(visible(node).values()))


def _ordered(info: SelectInfo, width: int, path: str) -> str:
    """The SELECT with an order that is complete: its own, then all columns from the left."""
    statement = info.tree
    root = statement["node"]
    rest = [_by_position(index + 1) for index in range(width)]
    modifiers = list(root["modifiers"])
    for index, modifier in enumerate(modifiers):
        if modifier["type"] == "ORDER_MODIFIER":
            if any(order["expression"]["class"] == "STAR" for order in modifier["orders"]):
                break
            modifiers[index] = modifier | {"orders": [*modifier["orders"], *rest]}
            break
    else:
        place = sum(modifier["type"] == "DISTINCT_MODIFIER" for modifier in modifiers)
        modifiers.insert(place, {"type": "ORDER_MODIFIER", "orders": rest})
    return render_select(statement | {"node": root | {"modifiers": modifiers}}, path)


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
            text = render_expression(tree | {"alias": ""}, path)
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
