"""Data steps that look across rows or at other tables, to table nodes: join, aggregate, window,
sort, limit, sample, union.

Input: a table node, a step model and the tables in reach. Output: the node after the step.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.binder import bind, empty_table, has_mask, schema, stored_type
from planner.errors import SpecError, did_you_mean
from planner.graph import Graph, Node
from planner.prepcolumns import check_name, check_unique, make_item, put, visible
from planner.schema import Column, Dataset, Datasets, Schema
from planner.sql import check_expression
from planner.sqltree import quote
from planner.steps import AggregateStep, JoinStep, SampleStep, SortStep, UnionStep, WindowStep
from planner.tableops import (
    TRAIN_MASK,
    Aggregate,
    AggregateBack,
    Expr,
    Item,
    Join,
    Key,
    OrderBy,
    Sample,
    Scan,
    Union,
    Window,
)

_KEY = re.compile(
    r"(?P<name>.+?)(\s+(?P<order>asc|desc))?(\s+nulls\s+(?P<nulls>first|last))?", re.I | re.S
)
INPUT = "input"


@dataclass
class Scope:
    """What the steps of one pipeline may read: datasets, and tables made by earlier steps."""

    graph: Graph
    datasets: Datasets
    made: dict[str, Node] = field(default_factory=dict)

    def table(self, name: str, path: str) -> Node:
        """The table called `name`; `unknown_dataset` with near names if there is none."""
        if name in self.made:
            return self.made[name]
        if name in self.datasets:
            return scan(self.graph, self.datasets[name])
        names = [*self.made, *self.datasets]
        raise SpecError(
            "unknown_dataset",
            f"There is no dataset '{name}'.",
            path=path,
            hint=did_you_mean(name, names, f"Datasets: {', '.join(names[:20])}."),
        )

    def schemas(self) -> dict[str, Schema]:
        """Schemas of all tables in reach by name."""
        found = {name: dataset.schema for name, dataset in self.datasets.items()}
        return found | {name: schema(node) for name, node in self.made.items()}


def scan(graph: Graph, dataset: Dataset) -> Node:
    """The whole registered table as a node."""
    op = Scan(
        dataset.fingerprint, dataset.schema.names, dataset.schema.columns, dataset=dataset.name
    )
    return graph.node(op)


def keys_of(given: str | list[str], table: Schema, path: str) -> tuple[Key, ...]:
    """Sort keys such as ``date desc nulls first``; a column of exactly that name comes first."""
    texts = [given] if isinstance(given, str) else given
    found = []
    for index, text in enumerate(texts):
        where = path if isinstance(given, str) else f"{path}[{index}]"
        if text in table:
            found.append(Key(text))
            continue
        match = _KEY.fullmatch(text.strip())
        name = match["name"] if match else text
        if match and name.startswith('"') and name.endswith('"') and len(name) > 2:
            name = name[1:-1].replace('""', '"')
        table.require(name, where)
        assert match is not None
        down = (match["order"] or "").lower() == "desc"
        found.append(Key(name, down, (match["nulls"] or "").lower() == "first"))
    return tuple(found)


def sort(graph: Graph, node: Node, step: SortStep, path: str) -> Node:
    return graph.node(OrderBy(keys_of(step.sort, schema(node), f"{path}.sort")), node)


def sample(graph: Graph, node: Node, step: SampleStep, path: str) -> Node:
    if isinstance(step.sample, int):
        return graph.node(Sample(None, step.sample, step.seed), node)
    return graph.node(Sample(step.sample, None, step.seed), node)


def join(scope: Scope, node: Node, step: JoinStep, path: str) -> Node:
    """Columns of a second table; the keys must be of comparable kinds."""
    spec = step.join
    where = f"{path}.join"
    right = scope.table(spec.dataset, f"{where}.dataset")
    left_table, right_table = schema(node), schema(right)
    if isinstance(spec.on, dict):
        pairs = list(spec.on.items())
    else:
        pairs = [(name, name) for name in ([spec.on] if isinstance(spec.on, str) else spec.on)]
    for left, other in pairs:
        on = f"{where}.on"
        a, b = left_table.require(left, on), right_table.require(other, on)
        if _comparable(a) != _comparable(b):
            raise SpecError(
                "type_mismatch",
                f"'{left}' is {a.sql_type} and '{other}' is {b.sql_type}: they cannot be equal.",
                path=on,
                hint="Cast one of them in a step before the join.",
            )
    keys = {other for _, other in pairs}
    chosen = spec.columns or [name for name in right_table.names if name not in keys]
    taken = {name.lower() for name in left_table.names}
    suffix = spec.suffix or f"_{spec.dataset}"
    columns = []
    for index, name in enumerate(chosen):
        right_table.require(name, f"{where}.columns[{index}]")
        new = name + suffix if name.lower() in taken else name
        columns.append((check_name(new, where), name))
    check_unique([*left_table.names, *(new for new, _ in columns)], f"{where}.suffix")
    op = Join(tuple(pairs), spec.how, tuple(columns), spec.many, where, spec.dataset)
    return scope.graph.node(op, node, right)


def _comparable(column: Column) -> str:
    if column.kind in ("integer", "float"):
        return "number"
    if column.kind in ("string", "categorical"):
        return "string"
    return column.kind if column.kind != "other" else column.sql_type


def aggregate(scope: Scope, node: Node, step: AggregateStep, path: str) -> Node:
    """Aggregates on every row, or as a new table that `scope` then knows."""
    spec = step.aggregate
    where = f"{path}.aggregate"
    table = visible(node)
    by = [spec.by] if isinstance(spec.by, str) else list(spec.by)
    for index, name in enumerate(by):
        schema(node).require(name, f"{where}.by[{index}]")
    check_unique(by, f"{where}.by")
    items = []
    for name, text in spec.columns.items():
        here = f"{where}.columns.{name}"
        check_name(name, here)
        info = check_expression(text, table, here)
        if info.kind != "aggregate":
            raise SpecError(
                "invalid_sql",
                f"'{name}' is not an aggregate: {info.expr.text}",
                path=here,
                hint="Use count(*), avg(x), max(x), ...; or a window step for lag, rank and OVER.",
            )
        items.append(make_item(name, info, table, here, group_by=by))
    check_unique([*by, *(item.name for item in items)], f"{where}.columns")
    if spec.as_ is None:
        return scope.graph.node(AggregateBack(tuple(by), tuple(items)), node)
    name = check_name(spec.as_, f"{where}.as")
    known = {key.lower() for key in [*scope.made, *scope.datasets, INPUT]}
    if name.lower() in known:
        raise SpecError("invalid_name", f"There is a table '{name}' already.", path=f"{where}.as")
    scope.made[name] = scope.graph.node(Aggregate(tuple(by), tuple(items)), node)
    return node


def window(graph: Graph, node: Node, step: WindowStep, path: str) -> Node:
    spec = step.window
    where = f"{path}.window"
    table = schema(node)
    partition = [spec.partition_by] if isinstance(spec.partition_by, str) else spec.partition_by
    for index, name in enumerate(partition):
        table.require(name, f"{where}.partition_by[{index}]")
    keys = keys_of(spec.order_by, table, f"{where}.order_by") if spec.order_by else ()
    clauses = []
    if partition:
        clauses.append("PARTITION BY " + ", ".join(quote(name) for name in partition))
    if keys:
        clauses.append("ORDER BY " + ", ".join(key.sql() for key in keys))
    if spec.frame:
        clauses.append(spec.frame)
    over = " ".join(clauses)
    known = visible(node)
    items = []
    for name, text in spec.columns.items():
        here = f"{where}.columns.{name}"
        check_name(name, here)
        info = check_expression(text, known, here, over=over)
        if info.kind != "window":
            raise SpecError(
                "invalid_sql",
                f"'{name}' uses no window function or aggregate: {info.expr.text}",
                path=here,
                hint="Use lag(x), avg(x), row_number(), ...; or derive for row-wise expressions.",
            )
        items.append(make_item(name, info, known, here))
    check_unique([item.name for item in items], f"{where}.columns")
    return graph.node(Window(tuple(items)), node)


def union(scope: Scope, node: Node, step: UnionStep, path: str) -> Node:
    """Rows of several tables; a train mask of the first is true for the rows of the others."""
    where = f"{path}.union"
    names = [step.union] if isinstance(step.union, str) else step.union
    others = [scope.table(name, f"{where}[{index}]") for index, name in enumerate(names)]
    tables = [schema(node), *(schema(other) for other in others)]
    wanted = _all_columns(tables)
    for label, table in zip([INPUT, *names], tables, strict=True):
        missing = [name for name in wanted if name not in table]
        if missing and step.missing == "error":
            raise SpecError(
                "unknown_column",
                f"The table '{label}' has no column '{missing[0]}', which another one has.",
                path=where,
                hint='Rename, drop or derive it first, or say "missing": "null".',
            )
    sql = " UNION ALL BY NAME ".join(f"SELECT * FROM {empty_table(table)}" for table in tables)
    bound = dict(zip(*bind(sql, where), strict=True))
    types = [stored_type(bound[name]) for name in wanted]
    inputs = [node, *others]
    if has_mask(node):
        mask = Item(TRAIN_MASK, Expr(("true",), ()), "BOOLEAN", nullable=False)
        inputs = [node, *(put(scope.graph, other, [mask], "derive") for other in others)]
        wanted, types = [*wanted, TRAIN_MASK], [*types, "BOOLEAN"]
    return scope.graph.node(Union(tuple(wanted), tuple(types)), *inputs)


def _all_columns(tables: list[Schema]) -> list[str]:
    seen: Mapping[str, None] = dict.fromkeys(name for table in tables for name in table.names)
    check_unique(list(seen), "union")
    return list(seen)
