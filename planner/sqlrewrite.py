"""Meaning-preserving and meaning-fixing rewrites of checked expressions.

- Functions undefined on part of the number line give NULL there (`DOMAIN` in `sqlfunctions`).
- Aggregates and window functions that depend on row order get the table's row order wherever
  the expression leaves it open, so that results do not depend on how the engine ran.
- In a window step, bare aggregates and window functions get the step's OVER clause.
"""

from functools import lru_cache

from planner.errors import SpecError
from planner.sqlfunctions import (
    AGGREGATE,
    DOMAIN,
    ORDERED_AGGREGATES,
    POSITIONAL_WINDOW,
    RANKING_WINDOW,
    WINDOW,
)
from planner.sqltree import Tree, column, expression, mentions, render_expression, rewrite
from planner.tableops import ROW

_ARGUMENT = "\ue000x"
_CALL = "\ue000f"
_FIRST = "\ue000b"
_GUARDED = frozenset(DOMAIN)


def guard_domains(tree: Tree) -> Tree:
    """`tree` with NULL where a logarithm, root or the like is undefined."""

    def change(node: Tree) -> Tree:
        if node["class"] != "FUNCTION" or node["function_name"] not in DOMAIN:
            return node
        arguments = node["children"]
        if not arguments:
            return node
        condition = DOMAIN[node["function_name"]].format(x=f'"{_ARGUMENT}"')
        if len(arguments) == 2:  # log(base, x)
            condition += f' AND "{_FIRST}" > 0 AND "{_FIRST}" <> 1'
        pieces: dict[str, Tree] = {
            _ARGUMENT: arguments[-1],
            _FIRST: arguments[0],
            _CALL: node | {"alias": ""},
        }

        def fill(item: Tree) -> Tree:
            if item["class"] == "COLUMN_REF":
                return pieces.get(item["column_names"][0], item)
            return item

        template = _template(f'CASE WHEN {condition} THEN "{_CALL}" END')
        guarded: Tree = rewrite(template, fill)
        return guarded | {"alias": node["alias"]}

    if not mentions(tree, _GUARDED):
        return tree
    # The second pass only copies: pieces that stand twice must not be one object.
    changed: Tree = rewrite(rewrite(tree, change), dict)
    return changed


@lru_cache(maxsize=64)
def _template(text: str) -> Tree:
    return expression(text, "")


def order_rows(tree: Tree) -> Tree:
    """`tree` with the row order where an aggregate or a window leaves it open."""

    def change(node: Tree) -> Tree:
        if node["class"] == "WINDOW":
            return _order_window(node)
        open_order = (
            node["class"] == "FUNCTION"
            and node["function_name"] in ORDERED_AGGREGATES
            and not node["order_bys"]["orders"]
        )
        if open_order:
            by = node["children"][0] if node["distinct"] and node["children"] else column(ROW)
            node["order_bys"]["orders"] = [_order(by)]
        return node

    changed: Tree = rewrite(tree, change) if mentions(tree, ORDERED_AGGREGATES) else tree
    return changed


def _order(by: Tree) -> Tree:
    return {"type": "ORDER_DEFAULT", "null_order": "ORDER_DEFAULT", "expression": by}


def _order_window(node: Tree) -> Tree:
    name = node["function_name"]
    if name in RANKING_WINDOW:
        return node
    by_rows = node["start"].endswith("_ROWS") or node["end"].endswith("_ROWS")
    if node["orders"]:
        # A tie-break changes what the peers of a RANGE frame are, so it is added only where
        # peers do not count.
        if by_rows or name in POSITIONAL_WINDOW:
            node["orders"].append(_order(column(ROW)))
    elif name in POSITIONAL_WINDOW or by_rows:
        node["orders"] = [_order(column(ROW))]
    elif (name in ORDERED_AGGREGATES or name in WINDOW) and not node["arg_orders"]:
        node["orders"] = [_order(column(ROW))]
        if node["end"] == "CURRENT_ROW_RANGE":
            # Without ORDER BY all rows are peers: the frame is the whole partition.
            node["end"] = "UNBOUNDED_FOLLOWING"
    return node


def put_over(tree: Tree, over: str, path: str) -> Tree:
    """`tree` with ``OVER (over)`` put on its bare aggregates and window functions."""
    expected = over_shape(over, path)

    def change(node: Tree) -> Tree:
        name = node.get("function_name")
        if node["class"] != "FUNCTION" or (name not in AGGREGATE and name not in WINDOW):
            return node
        call = render_expression(node | {"alias": ""}, path)
        windowed = expression(f"{call} OVER ({over})", path)
        if windowed["class"] != "WINDOW" or over_parts(windowed) != expected:
            raise SpecError("invalid_sql", "The window clause is not well formed.", path=path)
        return windowed | {"alias": node["alias"]}

    changed: Tree = rewrite(tree, change)
    return changed


def over_parts(window: Tree) -> tuple[object, ...]:
    """What an OVER clause consists of, comparable."""
    names = ("partitions", "orders", "start", "end", "start_expr", "end_expr", "exclude_clause")
    return tuple(window[name] for name in names)


def over_shape(over: str, path: str) -> tuple[object, ...]:
    """The parts of ``OVER (over)``; `invalid_sql` if it is anything but one window clause."""
    window = expression(f"count(*) OVER ({over})", path, "window clause")
    if window["class"] != "WINDOW" or window["function_name"] not in ("count_star", "count"):
        raise SpecError("invalid_sql", "The window clause is not well formed.", path=path)
    return over_parts(window)
