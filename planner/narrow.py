"""The smallest relation that gives some columns of another: column pruning through all ops.

Input: a table node and the columns wanted. Output: a node with the same rows in the same order
and exactly these columns, in a normal form, so that tables prepared in different ways but equal
in what is used become the same node.

Runs of row-wise ops are taken apart into single expressions (values numbered by content), of
which only those that feed a wanted column are put together again, in layers. Ops that change
which rows there are stay; ops that only add columns (windows, aggregates put back, left joins
that cannot multiply rows) go when nothing of theirs is wanted.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from planner.binder import columns as all_columns
from planner.binder import schema
from planner.graph import Graph, Node
from planner.tableops import (
    HIDDEN,
    TRAIN_MASK,
    Aggregate,
    AggregateBack,
    Derive,
    DropNull,
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

Wanted = frozenset[str]


def narrow(graph: Graph, node: Node, columns: Iterable[str]) -> Node:
    """The relation with the rows and row order of `node` and exactly the columns named.

    No columns: rows only. The train mask is kept only where it is asked for by name.
    """
    done = graph.memo.setdefault("narrow", {})
    return _Narrower(graph, done).need(node, frozenset(columns))


@dataclass
class _Narrower:
    graph: Graph
    done: dict[tuple[str, Wanted], Node] = field(default_factory=dict)

    def need(self, node: Node, wanted: Wanted) -> Node:
        """`node` with exactly `wanted`."""
        found = self.done.get((node.key, wanted))
        if found is None:
            below = _vanishing(node, wanted)
            if below is not None:
                found = self.need(below, wanted)
            elif isinstance(node.op, Derive | Project):
                found = self.segment(node, wanted)
            else:
                found = self.exactly(self.barrier(node, wanted), wanted)
            self.done[node.key, wanted] = found
        return found

    def exactly(self, node: Node, wanted: Wanted) -> Node:
        names = [column.name for column in all_columns(node)]
        if frozenset(names) == wanted:
            return node
        # Two Projects in a row would be two forms of the same thing.
        source = node
        pairs = {name: name for name in wanted}
        if isinstance(node.op, Project):
            below = dict(node.op.columns)
            pairs = {name: below[name] for name in wanted}
            source = node.inputs[0]
        return self.graph.node(Project(tuple(sorted(pairs.items()))), source)

    def segment(self, node: Node, wanted: Wanted) -> Node:
        """A run of Derive and Project, rebuilt from the expressions that are used."""
        run: list[Derive | Project] = []
        below: Node | None = node
        while below is not None:
            node = below
            while isinstance(node.op, Derive | Project):
                run.append(node.op)
                node = node.inputs[0]
            values, names = _evaluate(node, run)
            outputs = {name: names[name] for name in wanted}
            used = _closure(outputs.values(), values)
            base = frozenset(value for value in used if value not in values)
            base |= {c for value in used if value in values for c in values[value].base}
            # Where the op below goes altogether, this run and the next are one.
            below = _vanishing(node, base)
        result = self.need(node, base)
        layers: dict[int, list[Item]] = {}
        for identifier in sorted(value for value in used if value in values):
            layers.setdefault(values[identifier].depth, []).append(values[identifier].item)
        for depth in sorted(layers):
            result = self.graph.node(Derive(tuple(layers[depth])), result)
        if not layers and outputs == {name: name for name in base}:
            return result
        return self.renamed(result, outputs)

    def renamed(self, node: Node, outputs: dict[str, str]) -> Node:
        if isinstance(node.op, Project):
            below = dict(node.op.columns)
            outputs = {new: below[old] for new, old in outputs.items()}
            node = node.inputs[0]
        pairs = tuple(sorted(outputs.items()))
        names = [column.name for column in all_columns(node)]
        if pairs == tuple((name, name) for name in sorted(names)):
            return node
        return self.graph.node(Project(pairs), node)

    def barrier(self, node: Node, wanted: Wanted) -> Node:
        """`node` with at least `wanted`, its inputs narrowed."""
        op = node.op
        match op:
            case Scan():
                kept = tuple(c for c in op.columns if c.name in wanted)
                names = tuple(c.name for c in kept)
                return self.graph.node(replace(op, names=names, columns=kept))
            case Filter():
                return self.over(node, wanted | frozenset(op.condition.columns))
            case DropNull():
                return self.over(node, wanted | {op.column})
            case OrderBy():
                return self.over(node, wanted | {key.column for key in op.keys})
            case Limit() | Sample():
                return self.over(node, wanted)
            case Window():
                return self.adding(node, op, wanted, frozenset())
            case AggregateBack():
                return self.adding(node, op, wanted, frozenset(op.by))
            case Aggregate():
                items = _used_items(op.items, wanted)
                below = frozenset(op.by).union(*(item.expr.columns for item in items))
                return self.graph.node(replace(op, items=items), self.need(node.inputs[0], below))
            case Join():
                return self.join(node, op, wanted)
            case Union():
                return self.union(node, op, wanted)
            case Sql():
                inputs = [self.need(s, frozenset(schema(s).names)) for s in node.inputs]
                return self.graph.node(op, *inputs)
        raise TypeError(f"{type(op).__name__} is not a table op")

    def over(self, node: Node, below: Wanted) -> Node:
        return self.graph.node(node.op, self.need(node.inputs[0], below))

    def adding(self, node: Node, op: Window | AggregateBack, wanted: Wanted, keys: Wanted) -> Node:
        """An op that only adds columns: its used ones, or its input alone."""
        items = _used_items(op.items, wanted)
        own = {item.name.lower() for item in op.items}
        passed = frozenset(name for name in wanted if name.lower() not in own)
        below = (passed | keys).union(*(item.expr.columns for item in items))
        return self.graph.node(replace(op, items=items), self.need(node.inputs[0], below))

    def join(self, node: Node, op: Join, wanted: Wanted) -> Node:
        left, right = node.inputs
        columns = tuple(sorted((new, old) for new, old in op.columns if new in wanted))
        passed = wanted - {new for new, _ in columns}
        on_left = {a for a, _ in op.on}
        on_right = {b for _, b in op.on} | {old for _, old in columns}
        return self.graph.node(
            replace(op, columns=columns),
            self.need(left, passed | on_left),
            self.need(right, frozenset(on_right)),
        )

    def union(self, node: Node, op: Union, wanted: Wanted) -> Node:
        kept = sorted((c, t) for c, t in zip(op.columns, op.types, strict=True) if c in wanted)
        inputs = []
        for source in node.inputs:
            have = {column.name for column in all_columns(source)}
            inputs.append(self.need(source, wanted & have))
        names, types = tuple(c for c, _ in kept), tuple(t for _, t in kept)
        return self.graph.node(Union(names, types), *inputs)


def _vanishing(node: Node, wanted: Wanted) -> Node | None:
    """The input of an op that only adds columns of which none is wanted."""
    op = node.op
    if isinstance(op, Window | AggregateBack):
        added = {item.name for item in op.items}
    elif isinstance(op, Join) and op.how == "left" and not op.many:
        added = {new for new, _ in op.columns}
    else:
        return None
    return None if added & wanted else node.inputs[0]


def _evaluate(
    node: Node, run: Sequence[Derive | Project]
) -> tuple[dict[str, "_Value"], dict[str, str]]:
    """The values that `run` (last op first) computes over `node`, and the value of every name."""
    values: dict[str, _Value] = {}
    names = {column.name: column.name for column in all_columns(node)}
    for op in reversed(run):
        if isinstance(op, Project):
            # Columns of an op that is gone are missing, and not wanted.
            names = {new: names[old] for new, old in op.columns if old in names}
            continue
        new = {item.name: _number(item, names, values) for item in op.items}
        overwritten = {name.lower() for name in new}
        names = {n: v for n, v in names.items() if n.lower() not in overwritten} | new
    return values, names


@dataclass(frozen=True)
class _Value:
    """A computed value: its item, named by content, and what that reads."""

    item: Item
    arguments: tuple[str, ...]  # values
    base: tuple[str, ...]  # columns of the node below
    depth: int


def _number(item: Item, names: dict[str, str], values: dict[str, _Value]) -> str:
    """The name of the value that `item` computes, entered into `values`."""
    expr = item.expr.renamed(names)
    if expr.parts == ("", ""):
        return expr.columns[0]
    digest = blake2b(repr((expr.parts, expr.columns)).encode(), digest_size=8).hexdigest()
    identifier = f"{HIDDEN}v_{digest}"
    if identifier not in values:
        arguments = tuple(c for c in expr.columns if c in values)
        base = tuple(c for c in expr.columns if c not in values)
        depth = 1 + max((values[c].depth for c in arguments), default=0)
        label = "training rows" if item.name == TRAIN_MASK else item.shown
        named = Item(identifier, expr, item.sql_type, item.nullable, label)
        values[identifier] = _Value(named, arguments, base, depth)
    return identifier


def _closure(outputs: Iterable[str], values: dict[str, _Value]) -> set[str]:
    used: set[str] = set()
    stack = list(outputs)
    while stack:
        name = stack.pop()
        if name not in used:
            used.add(name)
            if name in values:
                stack.extend(values[name].arguments)
    return used


def _used_items(items: Collection[Item], wanted: Wanted) -> tuple[Item, ...]:
    return tuple(sorted((i for i in items if i.name in wanted), key=lambda item: item.name))
