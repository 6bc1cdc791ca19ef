"""Lowers rewritten outputs to tasks.

Input: score nodes with the pipelines they answer. Output: a `Plan`: one task per materialised
table (with the splits made from it), per shared encoding and fold, and per fit and fold, each
with the cheap work in front of it.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from planner.binder import has_mask, schema
from planner.cost import Shape, bytes_of, seconds_of
from planner.graph import Graph, Node, Plane, walk
from planner.lineage import narrow
from planner.ops import (
    Apply,
    Columns,
    Concat,
    Encode,
    Fit,
    Folds,
    Materialise,
    Member,
    Predict,
    RidgeFolds,
    RidgePath,
    Score,
)
from planner.order import ordered
from planner.plan import Instruction, Task, Value
from planner.render import render
from planner.tableops import TRAIN_MASK

ANCHORS = (Fit, RidgeFolds, RidgePath)
AFTER_FIT = (Predict, Member, Score)


@dataclass(frozen=True)
class Output:
    """A score node after rewriting, the prepared table of its pipeline, and who wants it."""

    score: Node
    prepared: Node
    pipelines: tuple[int, ...]


@dataclass
class Lowering:
    """The state of one lowering; use `lower`."""

    graph: Graph
    outputs: Sequence[Output]
    rows: Callable[[Node], int]
    available: Callable[[Value], bool]

    def __post_init__(self) -> None:
        self.nodes = list(walk((output.score for output in self.outputs), tables=False))
        self.consumers: defaultdict[str, list[Node]] = defaultdict(list)
        for node in self.nodes:
            for source in node.inputs:
                self.consumers[source.key].append(node)
        self.prepared = {p: o.prepared for o in self.outputs for p in o.pipelines}
        self.tables = self._tables()
        self.pipelines = self._pipelines()
        self.units = self._units()
        self.drafts: dict[Value, _Draft] = {}

    # -- tables -------------------------------------------------------------------------------

    def _tables(self) -> dict[str, Node]:
        """Narrow relation key -> the wider relation that is materialised in its stead."""
        wanted: dict[str, tuple[Node, dict[str, Node]]] = {}
        assigned: set[str] = set()
        seen: set[str] = set()
        for output in self.outputs:
            for node in walk([output.score], seen, tables=False):
                for source in node.inputs:
                    if source.plane is not Plane.TABLE or source.key in assigned:
                        continue
                    assigned.add(source.key)
                    entry = wanted.setdefault(output.prepared.key, (output.prepared, {}))
                    entry[1][source.key] = source
        tables: dict[str, Node] = {}
        for prepared, narrowed in wanted.values():
            columns: dict[str, None] = {}
            for source in narrowed.values():
                columns.update(dict.fromkeys(schema(source).names))
                if has_mask(source):
                    columns.setdefault(TRAIN_MASK)
            wide = narrow(self.graph, prepared, list(columns))
            for key in narrowed:
                tables[key] = wide
        return tables

    def _pipelines(self) -> dict[str, int]:
        """Node key -> pipelines that depend on it, as bits: many nodes have very many."""
        found: defaultdict[str, int] = defaultdict(int)
        for output in self.outputs:
            for position in output.pipelines:
                found[output.score.key] |= 1 << position
        for node in reversed(self.nodes):
            for source in node.inputs:
                found[source.key] |= found[node.key]
        for narrowed, wide in self.tables.items():
            if narrowed != wide.key:
                found[wide.key] |= found[narrowed]
        return found

    # -- fragments ----------------------------------------------------------------------------

    def _units(self) -> dict[str, set[str]]:
        """Node key -> keys of the nodes whose tasks compute it; itself where it is kept."""
        units: dict[str, set[str]] = {}
        users: defaultdict[str, set[str]] = defaultdict(set)
        for node in reversed(self.nodes):
            if isinstance(node.op, AFTER_FIT):
                mine = {self._anchor(node).key}
            elif isinstance(node.op, (*ANCHORS, Folds)):
                mine = {node.key}
            elif isinstance(node.op, Apply | Encode | Concat):
                mine = users[node.key]
                if len(mine) > 1 and not _sliced_only(node):
                    mine = {node.key}
            else:
                continue
            units[node.key] = mine
            for source in node.inputs:
                users[source.key] |= mine
        return units

    def _anchor(self, node: Node) -> Node:
        while not isinstance(node.op, ANCHORS):
            node = node.inputs[0]
        return node

    def run(self) -> list[Task]:
        for output in self.outputs:
            folds = output.score.inputs[1].op
            assert isinstance(folds, Folds)
            for fold in range(folds.count):
                self._require(output.score, fold)
        for position, draft in enumerate(self.drafts.values()):
            draft.id = position
        return ordered([draft.task(self) for draft in self.drafts.values()])

    def _require(self, node: Node, fold: int | None) -> Value:
        """Adds what computes `node` for `fold` to the task it belongs to; names that task."""
        root = self._root(node, fold)
        draft = self.drafts.get(root)
        if draft is None:
            draft = self.drafts[root] = _Draft(root)
        self._emit(draft, node, fold)
        return root

    def _root(self, node: Node, fold: int | None) -> Value:
        """The value that names the task which computes `node` (for `fold`)."""
        if isinstance(node.op, Folds):
            return Value(self.tables[node.inputs[0].key].key)
        anchor = self._anchor(node) if isinstance(node.op, AFTER_FIT) else node
        return Value(anchor.key, fold if anchor.plane is Plane.FOLD else None)

    def _emit(self, draft: "_Draft", node: Node, fold: int | None) -> Value:
        """Instructions for `node` in `draft`, inputs first; returns its value."""
        value = Value(node.key, fold if node.plane is Plane.FOLD else None)
        if value in draft.have:
            return value
        if isinstance(node.op, Predict) and value != draft.root and self.available(value):
            draft.load(value)
            return value
        inputs = []
        for source in node.inputs:
            if source.plane is Plane.TABLE:
                inputs.append(self._table(draft, self.tables[source.key]))
            elif self._elsewhere(draft, source, fold):
                inputs.append(self._load(draft, source, fold))
            else:
                inputs.append(self._emit(draft, source, fold))
        draft.add(Instruction(value, node.op, tuple(inputs)))
        if isinstance(node.op, Score):
            draft.scores.append(value)
        elif self._kept(node):
            draft.saves.append(value)
        return value

    def _kept(self, node: Node) -> bool:
        """Whether the value of `node` becomes a block."""
        if isinstance(node.op, Apply | Encode | Concat):
            return self.units[node.key] == {node.key}
        return isinstance(node.op, Predict | Folds)

    def _elsewhere(self, draft: "_Draft", source: Node, fold: int | None) -> bool:
        """Whether `source` is computed by another task than `draft`."""
        if isinstance(source.op, Folds):
            return self._root(source, None) != draft.root
        kept = isinstance(source.op, Apply | Encode | Concat) and self._kept(source)
        return kept and self._root(source, fold) != draft.root

    def _load(self, draft: "_Draft", source: Node, fold: int | None) -> Value:
        value = Value(source.key, fold if source.plane is Plane.FOLD else None)
        if value not in draft.have:
            if not self.available(value):
                draft.needs.add(self._require(source, value.fold))
            draft.load(value)
        return value

    def _table(self, draft: "_Draft", table: Node) -> Value:
        value = Value(table.key)
        if value in draft.have:
            return value
        if self.available(value):
            draft.load(value)
        elif draft.root == value:
            op = Materialise(render(table))
            draft.add(Instruction(value, op, ()))
            draft.saves.append(value)
        else:
            if value not in self.drafts:
                own = self.drafts[value] = _Draft(value)
                self._table(own, table)
            draft.needs.add(value)
            draft.load(value)
        return value

    def shape(self, draft: "_Draft") -> Shape:
        """Rows and columns that a fragment works on, for the cost model."""
        columns = sum(len(i.op.names) for i in draft.instructions if isinstance(i.op, Columns))
        first = self.pipelines[draft.root.key]
        prepared = self.prepared[(first & -first).bit_length() - 1]
        return Shape(self.rows(prepared), max(columns, 1))


class _Draft:
    """A task being put together, named by the value it exists for."""

    def __init__(self, root: Value) -> None:
        self.id = -1
        self.root = root
        self.instructions: list[Instruction] = []
        self.have: set[Value] = set()
        self.loads: dict[Value, None] = {}
        self.saves: list[Value] = []
        self.scores: list[Value] = []
        self.needs: set[Value] = set()

    def load(self, value: Value) -> None:
        self.loads.setdefault(value)
        self.have.add(value)

    def add(self, instruction: Instruction) -> None:
        self.instructions.append(instruction)
        self.have.add(instruction.out)

    def task(self, lowering: Lowering) -> Task:
        shape = lowering.shape(self)
        return Task(
            id=self.id,
            instructions=tuple(self.instructions),
            loads=tuple(self.loads),
            saves=tuple(self.saves),
            scores=tuple(self.scores),
            needs=tuple(sorted(lowering.drafts[value].id for value in self.needs)),
            pipelines=_positions(lowering.pipelines[self.root.key]),
            threads=1,
            seconds=sum(seconds_of(i.op, shape) for i in self.instructions),
            bytes=sum(bytes_of(i.op, shape) for i in self.instructions),
        )


def _positions(bits: int) -> tuple[int, ...]:
    """The positions of the bits that are set, in order."""
    return tuple(i for i, bit in enumerate(reversed(f"{bits:b}")) if bit == "1")


def _sliced_only(node: Node) -> bool:
    """Whether a Concat only slices whole blocks: a view is cheaper than K copies."""
    return isinstance(node.op, Concat) and all(
        source.plane is Plane.WHOLE for source in node.inputs
    )


def lower(
    graph: Graph,
    outputs: Sequence[Output],
    rows: Callable[[Node], int],
    available: Callable[[Value], bool],
) -> list[Task]:
    """Tasks for `outputs`, inputs before consumers.

    `rows` gives the number of rows of a prepared table (for estimates only); `available` says
    which values are already blocks in the store.
    """
    return Lowering(graph, outputs, rows, available).run()
