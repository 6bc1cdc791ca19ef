"""Where the columns of a relation come from.

Input: a table node. Output: the columns a target taints, warnings about filters on it; and
`narrow`, column pruning (see `planner.narrow`).

A source is a column of a registered table, by fingerprint, wherever in the graph it is read, so
that joining a dataset to itself does not hide it. Every column has the sources of its values, and
those of its keys (which rows it was computed over: group keys, partitions, orders, join keys).
"""

from collections.abc import Iterable

from planner.binder import schema
from planner.graph import Node, walk
from planner.narrow import narrow
from planner.origins import NOTHING, Origin, Origins, Source, merge
from planner.sqllineage import trace
from planner.tableops import (
    TRAIN_MASK,
    Aggregate,
    AggregateBack,
    Derive,
    Expr,
    Filter,
    Item,
    Join,
    OrderBy,
    Project,
    Scan,
    Sql,
    Union,
    Window,
)

__all__ = ["Origin", "narrow", "origins", "tainted", "target_filters"]


def origins(node: Node) -> Origins:
    """The origin of every column of `node`, the train mask included."""
    return _all_origins(node)[node.key]


def tainted(node: Node, target: str) -> frozenset[str]:
    """Visible columns that must not be features when `target` is predicted.

    These are the target, the source columns that it is computed from, and everything whose values
    or keys depend on one of these. Filters do not taint; see `target_filters`.
    """
    found = origins(node)
    secret = found[target].values
    return frozenset(
        name
        for name, origin in found.items()
        if name == target or (name != TRAIN_MASK and origin.all & secret)
    )


def target_filters(node: Node, target: str) -> list[str]:
    """Warnings about steps that choose or sort rows by the target."""
    every = _all_origins(node)
    secret = every[node.key][target].values
    found: list[str] = []
    for step in walk([node]):
        op = step.op
        if not step.inputs:
            continue
        below = every[step.inputs[0].key]
        if isinstance(op, Filter) and _reads(op.condition.columns, below) & secret:
            found.append(f"The filter `{op.condition.text}` chooses rows by the target.")
        elif isinstance(op, Derive) and op.items[0].name == TRAIN_MASK:
            if _reads(op.items[0].expr.columns, below) & secret:
                text = op.items[0].expr.text
                found.append(f"The filter `{text}` chooses training rows by the target.")
        elif isinstance(op, OrderBy) and _reads([k.column for k in op.keys], below) & secret:
            found.append("The rows are sorted by the target.")
        elif isinstance(op, Join) and op.how == "inner":
            if _reads([left for left, _ in op.on], below) & secret:
                found.append(f"The inner join with '{op.table}' chooses rows by the target.")
        elif isinstance(op, Sql):
            tables = _tables(op, step, every)
            if merge(trace(op.origin, tables, ()).rows).all & secret:
                found.append("The sql step chooses or orders rows by the target.")
    return found


def _reads(names: Iterable[str], below: Origins) -> frozenset[Source]:
    return merge(below[name] for name in names).all


def _all_origins(node: Node) -> dict[str, Origins]:
    found: dict[str, Origins] = {}
    for step in walk([node]):
        found[step.key] = _origins(step, found)
    return found


def _origins(node: Node, found: dict[str, Origins]) -> Origins:
    op = node.op
    if isinstance(op, Scan):
        return {name: Origin(frozenset({(op.fingerprint, name)})) for name in op.names}
    below = found[node.inputs[0].key] if node.inputs else {}
    match op:
        case Derive() | Window():
            return _put(below, {item.name: _item(node, item, below) for item in op.items})
        case AggregateBack():
            keys = _reads(op.by, below)
            return _put(below, {i.name: _item(node, i, below, keys) for i in op.items})
        case Aggregate():
            keys = _reads(op.by, below)
            new = {item.name: _item(node, item, below, keys) for item in op.items}
            return {name: below[name] for name in op.by} | new
        case Project():
            return {new: below[old] for new, old in op.columns}
        case Join():
            right = found[node.inputs[1].key]
            keys = _reads([a for a, _ in op.on], below) | _reads([b for _, b in op.on], right)
            return dict(below) | {new: merge([right[old]], keys) for new, old in op.columns}
        case Union():
            tables = [found[source.key] for source in node.inputs]
            return {
                name: merge(table[name] for table in tables if name in table) for name in op.columns
            }
        case Sql():
            names = tuple(name for name, _ in op.columns)
            return dict(trace(op.origin, _tables(op, node, found), names).columns)
    return below


def _tables(op: Sql, node: Node, found: dict[str, Origins]) -> dict[str, dict[str, Origin]]:
    """What an sql step sees: visible columns of its tables, in table order."""
    return {
        name: {column: found[source.key][column] for column in schema(source).names}
        for name, source in zip(op.tables, node.inputs, strict=True)
    }


def _put(below: Origins, new: Origins) -> Origins:
    over = {name.lower() for name in new}
    return {name: origin for name, origin in below.items() if name.lower() not in over} | dict(new)


def _item(node: Node, item: Item, below: Origins, keys: frozenset[Source] = NOTHING) -> Origin:
    expr = item.expr
    values = merge(below[name] for name in expr.values)
    grouping = _reads(expr.only_keys, below)
    origin = merge([values], keys | grouping)
    if origin.values:
        return origin
    # Counts and row numbers read no column, but a target made of one is still a source.
    return Origin(frozenset({(_identity(node, expr), "")}), origin.keys)


def _identity(node: Node, expr: Expr) -> str:
    source = node.inputs[0].key if node.inputs else ""
    return f"{source}:{expr.sql()}"
