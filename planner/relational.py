"""Data steps to table nodes, and the table nodes the builder makes itself.

Input: registered datasets and parsed steps. Output: nodes of plane TABLE, fully checked: columns,
functions and types are known to bind before anything runs.
"""

from collections.abc import Sequence

from planner import prepcolumns, preptables
from planner.binder import schema
from planner.errors import SpecError
from planner.graph import Graph, Node
from planner.prepsql import sql_step
from planner.preptables import Scope, scan
from planner.schema import Datasets
from planner.steps import (
    MAX_STEPS,
    AggregateStep,
    CastStep,
    DeriveStep,
    DropStep,
    FillStep,
    FilterStep,
    JoinStep,
    LimitStep,
    RenameStep,
    ReplaceStep,
    SampleStep,
    SelectStep,
    SortStep,
    SqlStep,
    Step,
    UnionStep,
    WindowStep,
)
from planner.tableops import (
    ROW,
    TRAIN_MASK,
    Aggregate,
    AggregateBack,
    Derive,
    DropNull,
    Expr,
    Filter,
    Item,
    Join,
    Key,
    Limit,
    OrderBy,
    Project,
    Sample,
    Scan,
    Sql,
    TableOp,
    Union,
    Window,
)

__all__ = [
    "ROW", "TRAIN_MASK", "Aggregate", "AggregateBack", "Derive", "DropNull", "Expr", "Filter",
    "Item", "Join", "Key", "Limit", "OrderBy", "Project", "Sample", "Scan", "Sql", "TableOp",
    "Union", "Window", "describe", "describe_step", "drop_null", "order_by", "prepare", "scan",
]  # fmt: skip


def prepare(
    graph: Graph, table: Node, steps: Sequence[Step], datasets: Datasets, path: str
) -> Node:
    """`table` after `steps`; errors have paths such as ``{path}[2].derive.hour``."""
    if len(steps) > MAX_STEPS:
        raise SpecError("invalid_step", f"More than {MAX_STEPS} steps.", path=path)
    scope = Scope(graph, datasets)
    node = table
    for index, step in enumerate(steps):
        node = _apply(scope, node, step, f"{path}[{index}]")
    return node


def _apply(scope: Scope, node: Node, step: Step, path: str) -> Node:
    graph = scope.graph
    match step:
        case DeriveStep():
            return prepcolumns.derive(graph, node, step, path)
        case FilterStep():
            return prepcolumns.filter_rows(graph, node, step, path)
        case SelectStep():
            return prepcolumns.select(graph, node, step, path)
        case DropStep():
            return prepcolumns.drop(graph, node, step, path)
        case RenameStep():
            return prepcolumns.rename(graph, node, step, path)
        case CastStep():
            return prepcolumns.cast(graph, node, step, path)
        case FillStep():
            return prepcolumns.fill(graph, node, step, path)
        case ReplaceStep():
            return prepcolumns.replace(graph, node, step, path)
        case JoinStep():
            return preptables.join(scope, node, step, path)
        case AggregateStep():
            return preptables.aggregate(scope, node, step, path)
        case WindowStep():
            return preptables.window(graph, node, step, path)
        case SortStep():
            return preptables.sort(graph, node, step, path)
        case LimitStep():
            return graph.node(Limit(step.limit, step.offset), node)
        case SampleStep():
            return preptables.sample(graph, node, step, path)
        case UnionStep():
            return preptables.union(scope, node, step, path)
        case SqlStep():
            return sql_step(scope, node, step, path)


def drop_null(graph: Graph, node: Node, column: str) -> Node:
    """The rows where `column` is known; `node` itself where none can be missing."""
    if not schema(node).require(column).nullable:
        return node
    return graph.node(DropNull(column), node)


def order_by(graph: Graph, node: Node, columns: str | Sequence[str]) -> Node:
    """The rows sorted by ``name [desc] [nulls first]`` entries; ties keep their order."""
    given = columns if isinstance(columns, str) else list(columns)
    return graph.node(OrderBy(preptables.keys_of(given, schema(node), "order_by")), node)


def describe(node: Node) -> str:
    """The steps from the scan to `node` in short, such as ``scan bike -> derive hour, dow``."""
    parts: list[str] = []
    current = node
    while True:
        parts.append(describe_step(current))
        if not current.inputs:
            break
        current = current.inputs[0]
    return " -> ".join(part for part in reversed(parts) if part)


def describe_step(node: Node) -> str:
    """The step that made `node` in short, such as ``aggregate m by station``."""
    op = node.op
    match op:
        case Scan():
            return f"scan {op.dataset}"
        case Derive():
            if op.items[0].name == TRAIN_MASK:
                return f"{op.form} {op.items[0].expr.text}"
            return f"{op.form} {_listed([item.shown for item in op.items])}"
        case Project():
            if op.form == "rename":
                changed = [f"{old} to {new}" for new, old in op.columns if new != old]
                return f"rename {_listed(changed)}"
            if op.form == "drop":
                kept = {old for _, old in op.columns}
                gone = [name for name in schema(node.inputs[0]).names if name not in kept]
                return f"drop {_listed(gone)}"
            return f"select {_listed([new for new, _ in op.columns if new != TRAIN_MASK])}"
        case Filter():
            return f"filter {op.condition.text}"
        case DropNull():
            return f"drop null {op.column}"
        case OrderBy():
            return f"sort by {_listed([key.column for key in op.keys])}"
        case Limit():
            return f"limit {op.rows}"
        case Sample():
            return f"sample {op.fraction if op.rows is None else op.rows}"
        case Join():
            return f"{op.how} join {op.table} on {_listed([left for left, _ in op.on])}"
        case Aggregate() | AggregateBack():
            by = f" by {_listed(list(op.by))}" if op.by else ""
            return f"aggregate {_listed([item.name for item in op.items])}{by}"
        case Window():
            return f"window {_listed([item.shown for item in op.items])}"
        case Union():
            return f"union {len(node.inputs)} tables"
        case Sql():
            return f"sql {op.shown}"
    return type(op).__name__


def _listed(names: list[str], limit: int = 8) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
