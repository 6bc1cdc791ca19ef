"""Where the columns of a relation come from.

Input: a table node. Output: the columns a target taints, the step that tainted one, warnings about
filters; and `narrow`, column pruning (see `planner.narrow`).

A source is a column of a registered table, by fingerprint, wherever in the graph it is read, so
that joining a dataset to itself does not hide it. Every column has the sources of its values, and
those of its keys (which rows it was computed over: group keys, partitions, orders, join keys).

Filters choose the population, and taint nothing. What has multiplied or ordered the rows taints
what is counted or numbered over them; and what only the rows of a joined table were chosen by
taints what is joined from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from planner.binder import schema
from planner.graph import Node, walk
from planner.narrow import narrow
from planner.origins import NOTHING, Origin, Origins, Rows, Source, merge
from planner.sqllineage import main_table, trace
from planner.tableops import (
    ROW,
    TRAIN_MASK,
    Aggregate,
    AggregateBack,
    Derive,
    Expr,
    Filter,
    Item,
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

__all__ = ["Origin", "blame", "chooses_rows", "narrow", "origins", "tainted", "target_filters"]

_INPUT = "input"
# A step that chose rows, and what it read for that.
_Choice = tuple[str, frozenset[Source]]


@dataclass(frozen=True)
class _Relation:
    """Origins of the columns of a node, and what decided on its rows: the steps that chose them,
    and what multiplied and ordered them."""

    columns: Origins
    choices: frozenset[_Choice] = frozenset()
    fan: frozenset[Source] = NOTHING
    order: frozenset[Source] = NOTHING


def origins(node: Node) -> Origins:
    """The origin of every column of `node`, the train mask included."""
    return _relations(node)[node.key].columns


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


def blame(node: Node, column: str, target: str) -> Node | None:
    """The step that made the tainted `column` of `node` out of `target` or its sources; None if
    it is a source itself."""
    every = _relations(node)
    secret = every[node.key].columns[target].values
    current, name = node, column
    while True:
        op = current.op
        if isinstance(op, Scan):
            return None
        below = current.inputs[0] if current.inputs else None
        if isinstance(op, Project):
            name = dict(op.columns)[name]
        elif isinstance(op, Join) and name in dict(op.columns):
            right = every[current.inputs[1].key].columns[dict(op.columns)[name]]
            if not right.all & secret:
                return current
            below, name = current.inputs[1], dict(op.columns)[name]
        elif isinstance(op, Union):
            below = next(
                (
                    source
                    for source in current.inputs
                    if name in (found := every[source.key].columns) and found[name].all & secret
                ),
                None,
            )
        elif isinstance(op, Sql) or name in {item.name for item in getattr(op, "items", ())}:
            return current
        if below is None or name not in every[below.key].columns:
            return current
        current = below


def chooses_rows(node: Node) -> bool:
    """Whether steps before `node` decide which rows it has."""
    while node.inputs:
        op = node.op
        if isinstance(op, Filter | Limit | Sample | Union | Sql):
            return True
        if isinstance(op, Join) and (op.many or op.how == "inner"):
            return True
        node = node.inputs[0]
    return False


def target_filters(node: Node, target: str) -> list[str]:
    """Warnings about steps that choose or sort rows by the target."""
    every = _relations(node)
    secret = every[node.key].columns[target].values
    found: list[str] = []
    for step in walk([node]):
        op = step.op
        if not step.inputs:
            continue
        below = every[step.inputs[0].key].columns
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
        elif isinstance(op, Sql) and _sql(op, step, every)[1].all & secret:
            found.append("The sql step chooses or orders rows by the target.")
    return found


def _reads(names: Iterable[str], below: Origins) -> frozenset[Source]:
    return merge(below[name] for name in names).all


def _relations(node: Node) -> dict[str, _Relation]:
    found: dict[str, _Relation] = {}
    for step in walk([node]):
        found[step.key] = _relation(step, found)
    return found


def _relation(node: Node, found: dict[str, _Relation]) -> _Relation:
    op = node.op
    if isinstance(op, Scan):
        return _Relation({name: Origin(frozenset({(op.fingerprint, name)})) for name in op.names})
    if isinstance(op, Union):
        return _union(op, node, found)
    if isinstance(op, Sql):
        columns, rows = _sql(op, node, found)
        tables = dict(zip(op.tables, node.inputs, strict=True))
        main = tables.get(_INPUT) if main_table(op.origin) == _INPUT else None
        choices = found[main.key].choices if main is not None else frozenset()
        unruly = rows.fan | rows.order
        return _Relation(columns, _and_chosen(choices, node, rows.all), unruly, unruly)
    below = found[node.inputs[0].key]
    columns, choices, fan, order = below.columns, below.choices, below.fan, below.order
    match op:
        case Derive():
            columns = _put(columns, {i.name: _item(node, i, below) for i in op.items})
        case Window():
            columns = _put(columns, {i.name: _over_rows(node, i, below) for i in op.items})
        case AggregateBack():
            keys = _reads(op.by, columns)
            columns = _put(columns, {i.name: _over_rows(node, i, below, keys) for i in op.items})
        case Aggregate():
            keys = _reads(op.by, columns)
            new = {item.name: _over_rows(node, item, below, keys) for item in op.items}
            columns = {name: columns[name] for name in op.by} | new
            fan = order = NOTHING
        case Project():
            columns = {new: columns[old] for new, old in op.columns}
        case Filter():
            choices = _and_chosen(choices, node, _reads(op.condition.columns, columns))
        case OrderBy():
            order |= _reads([key.column for key in op.keys], columns)
        case Limit() | Sample():
            choices = _and_chosen(choices, node, order)
        case Join():
            right = found[node.inputs[1].key]
            on = _reads([a for a, _ in op.on], columns)
            on |= _reads([b for _, b in op.on], right.columns)
            matched = on | _sources(right.choices - choices)
            columns = dict(columns) | {
                new: merge([right.columns[old]], matched) for new, old in op.columns
            }
            if op.many:
                fan |= matched
            if op.how == "inner":
                choices = _and_chosen(choices, node, matched)
    return _Relation(columns, choices, fan, order)


def _union(op: Union, node: Node, found: dict[str, _Relation]) -> _Relation:
    parts = [found[source.key] for source in node.inputs]
    columns = {
        name: merge(part.columns[name] for part in parts if name in part.columns)
        for name in op.columns
    }
    common = frozenset.intersection(*(part.choices for part in parts))
    # Rows that one part has chosen and another has all of are there once or twice.
    fan = NOTHING.union(*(part.fan | _sources(part.choices - common) for part in parts))
    return _Relation(columns, common, fan, NOTHING.union(*(part.order for part in parts)))


def _sql(op: Sql, node: Node, found: dict[str, _Relation]) -> tuple[Origins, Rows]:
    """Origins of the columns of an sql step, and what decides on its rows.

    It sees the visible columns of its tables, in table order. How the rows of the table so far
    were chosen is no secret to a query over just these rows.
    """
    names = tuple(name for name, _ in op.columns)
    inputs = dict(zip(op.tables, node.inputs, strict=True))
    known: frozenset[_Choice] = frozenset()
    if _INPUT in inputs and main_table(op.origin) == _INPUT:
        known = found[inputs[_INPUT].key].choices
    tables: dict[str, Origins] = {}
    rows: dict[str, Rows] = {}
    for name, source in inputs.items():
        relation = found[source.key]
        tables[name] = {column: relation.columns[column] for column in schema(source).names}
        rows[name] = Rows(_sources(relation.choices - known), relation.fan, relation.order)
    traced = trace(op.origin, tables, names, rows)
    return traced.columns, traced.rows


def _and_chosen(
    choices: frozenset[_Choice], node: Node, read: frozenset[Source]
) -> frozenset[_Choice]:
    return choices | {(node.key, read)} if read else choices


def _sources(choices: Iterable[_Choice]) -> frozenset[Source]:
    return NOTHING.union(*(read for _, read in choices))


def _put(below: Origins, new: Origins) -> Origins:
    over = {name.lower() for name in new}
    return {name: origin for name, origin in below.items() if name.lower() not in over} | dict(new)


def _over_rows(
    node: Node, item: Item, below: _Relation, keys: frozenset[Source] = NOTHING
) -> Origin:
    """The origin of an aggregate or a window."""
    # The expression names the row id where it depends on the order of rows.
    order = below.order if ROW in item.expr.sql() else NOTHING
    return _item(node, item, below, keys | below.fan | order)


def _item(node: Node, item: Item, below: _Relation, keys: frozenset[Source] = NOTHING) -> Origin:
    expr = item.expr
    values = merge(below.columns[name] for name in expr.values)
    grouping = _reads(expr.only_keys, below.columns)
    origin = merge([values], keys | grouping)
    if origin.values:
        return origin
    # Counts and row numbers read no column, but a target made of one is still a source.
    return Origin(frozenset({(_identity(node, expr), "")}), origin.keys)


def _identity(node: Node, expr: Expr) -> str:
    source = node.inputs[0].key if node.inputs else ""
    return f"{source}:{expr.sql()}"
