"""Lowers rewritten outputs to tasks.

Input: score nodes with the pipelines they answer. Output: a `Plan`: one task per materialised
table (with the splits made from it), per shared encoding and fold, and per fit and fold, each
with the cheap work in front of it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

from planner.estimates import NOTHING, Estimates, Measured
from planner.graph import Graph, Node, Plane, Role, walk
from planner.lower_tables import Parts, materialised_tables
from planner.ops import Concat, Folds, Materialise
from planner.ops_stored import Stored
from planner.order import ordered
from planner.plan import Instruction, Task, Value
from planner.render import render

_AFTER_FIT = (Role.ANSWER, Role.SCORE)


@dataclass(frozen=True)
class Output:
    """A score node after rewriting, the prepared table of its pipeline (of a blend, those of what
    it combines), and who wants it."""

    score: Node
    prepared: Parts
    pipelines: tuple[int, ...]


@dataclass
class Lowering:
    """The state of one lowering; use `lower`."""

    graph: Graph
    outputs: Sequence[Output]
    rows: Callable[[Node], int]
    available: Callable[[Value], bool]
    measured: Measured = NOTHING
    names: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.nodes = list(walk((output.score for output in self.outputs), tables=False))
        # What others than predictions and scores read: a group has very many consumers.
        readers = (node for node in self.nodes if node.op.role not in _AFTER_FIT)
        self.read = {source.key for node in readers for source in node.inputs}
        self.tables = materialised_tables(self.graph, [(o.score, o.prepared) for o in self.outputs])
        self.pipelines = self._pipelines()
        self.units = self._units()
        self.drafts: dict[Value, _Draft] = {}

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
            if node.op.role in _AFTER_FIT:
                mine = {self._anchor(node).key}
            elif node.op.role in (Role.FIT, Role.SPLIT):
                mine = {node.key}
            elif node.op.role is Role.FEATURES:
                mine = users[node.key]
                if (len(mine) > 1 and not _sliced_only(node)) or _gathers(node):
                    mine = {node.key}
            else:
                continue
            units[node.key] = mine
            for source in node.inputs:
                users[source.key] |= mine
        return units

    def _anchor(self, node: Node) -> Node:
        while node.op.role is not Role.FIT:
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
        anchor = self._anchor(node) if node.op.role in _AFTER_FIT else node
        return Value(anchor.key, fold if anchor.plane is Plane.FOLD else None)

    def _emit(self, draft: "_Draft", node: Node, fold: int | None) -> Value:
        """Instructions for `node` in `draft`, inputs first; returns its value."""
        value = self._value(node, fold)
        if value in draft.have:
            return value
        answered = node.op.role is Role.ANSWER and self._kept(node) and self.available(value)
        if answered or isinstance(node.op, Stored) or self._left(draft, node, value):
            draft.load(value)
            return value
        inputs = []
        for source, part in _sources(node, fold):
            if source.plane is Plane.TABLE:
                inputs.append(self._table(draft, self.tables[source.key]))
            elif self._elsewhere(draft, source, part):
                inputs.append(self._load(draft, source, part))
            else:
                inputs.append(self._emit(draft, source, part))
        draft.add(Instruction(value, node.op, tuple(inputs)))
        if node.op.role is Role.SCORE:
            draft.scores.append(value)
        elif self._kept(node):
            draft.saves.append(value)
        elif node.op.role is Role.FEATURES:
            draft.offers.append(value)
        if node.key in self.beside:
            other = self._value(self.beside[node.key], fold)
            if other not in draft.have and not self.available(other):
                draft.add(Instruction(other, self.beside[node.key].op, tuple(inputs)))
                draft.saves.append(other)
        return value

    def _left(self, draft: "_Draft", node: Node, value: Value) -> bool:
        """Whether an earlier task left the features `value` behind."""
        return node.op.role is Role.FEATURES and value != draft.root and self.available(value)

    def _kept(self, node: Node) -> bool:
        """Whether the value of `node` becomes a block."""
        role = node.op.role
        if role is Role.FEATURES:
            return self.units[node.key] == {node.key}
        if role in (Role.ANSWER, Role.FIT) and not node.op.kept:
            # What a blend reads; scores are taken where the predictions are made.
            return node.key in self.read
        return node.op.kept or role is Role.SPLIT

    def _elsewhere(self, draft: "_Draft", source: Node, fold: int | None) -> bool:
        """Whether `source` is computed by another task than `draft`."""
        if isinstance(source.op, Folds):
            return self._root(source, None) != draft.root
        kept = source.op.role in (Role.FEATURES, Role.ANSWER, Role.FIT) and self._kept(source)
        return kept and self._root(source, fold) != draft.root

    def _load(self, draft: "_Draft", source: Node, fold: int | None) -> Value:
        value = self._value(source, fold)
        if value not in draft.have:
            if not isinstance(source.op, Stored) and not self.available(value):
                draft.needs.add(self._require(source, value.fold))
            draft.load(value)
        return value

    def _value(self, node: Node, fold: int | None) -> Value:
        key = self.names.get(node.key, node.key)
        return Value(key, fold if node.plane is Plane.FOLD else None)

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

    @cached_property
    def estimates(self) -> Estimates:
        """What the cost model says of the nodes and tables of this batch."""
        nodes = {
            self.names.get(node.key, node.key): node
            for node in (*self.nodes, *self.beside.values(), *self.tables.values())
        }
        return Estimates(nodes, self.rows, self.measured)


class _Draft:
    """A task being put together, named by the value it exists for."""

    def __init__(self, root: Value) -> None:
        self.id = -1
        self.root = root
        self.instructions: list[Instruction] = []
        self.have: set[Value] = set()
        self.loads: dict[Value, None] = {}
        self.saves: list[Value] = []
        self.offers: list[Value] = []
        self.scores: list[Value] = []
        self.needs: set[Value] = set()

    def load(self, value: Value) -> None:
        self.loads.setdefault(value)
        self.have.add(value)

    def add(self, instruction: Instruction) -> None:
        self.instructions.append(instruction)
        self.have.add(instruction.out)

    def task(self, lowering: Lowering) -> Task:
        expected, size = lowering.estimates.task(self.instructions)
        return Task(
            id=self.id,
            instructions=tuple(self.instructions),
            loads=tuple(self.loads),
            saves=tuple(self.saves),
            offers=tuple(self.offers),
            scores=tuple(self.scores),
            needs=tuple(sorted(lowering.drafts[value].id for value in self.needs)),
            pipelines=_positions(lowering.pipelines[self.root.key]),
            threads=1,
            seconds=sum(expected),
            bytes=size,
            expected=expected,
        )


def _positions(bits: int) -> tuple[int, ...]:
    """The positions of the bits that are set, in order; most tasks serve few pipelines."""
    found = []
    while bits:
        lowest = bits & -bits
        found.append(lowest.bit_length() - 1)
        bits ^= lowest
    return tuple(found)


def _sliced_only(node: Node) -> bool:
    """Whether a Concat only slices whole blocks: a view is cheaper than K copies."""
    return isinstance(node.op, Concat) and all(
        source.plane is Plane.WHOLE for source in node.inputs
    )


def _gathers(node: Node) -> bool:
    """Whether one value is made of those of every fold."""
    folded = any(source.plane is Plane.FOLD for source in node.inputs)
    return node.plane is Plane.WHOLE and folded


def _sources(node: Node, fold: int | None) -> Iterator[tuple[Node, int | None]]:
    """The inputs of `node` for `fold`; what it gathers comes fold by fold, one after the other."""
    for source in node.inputs:
        if node.plane is Plane.WHOLE and source.plane is Plane.FOLD:
            folds = next(split.op for split in node.inputs if isinstance(split.op, Folds))
            yield from ((source, part) for part in range(folds.count))
        else:
            yield source, fold


def lower(
    graph: Graph,
    outputs: Sequence[Output],
    rows: Callable[[Node], int],
    available: Callable[[Value], bool],
    measured: Measured = NOTHING,
    names: Mapping[str, str] = MappingProxyType({}),
    beside: Mapping[str, Node] = MappingProxyType({}),
) -> list[Task]:
    """Tasks for `outputs`, inputs before consumers.

    `rows` gives the number of rows of a relation, and `measured` what earlier runs say (both for
    estimates only); `available` says which values are already blocks in the store. `names` are
    the keys that values have instead of those of their nodes, `beside` answers that are stored
    where another one is asked for (see `planner.answers` for both).
    """
    return Lowering(graph, outputs, rows, available, measured, names, beside).run()
