"""From built pipelines to a plan: the list of calls, and nothing else.

Input: `Built` pipelines in one graph, and what the catalog and store already have. Output: the
`Plan`, and the report that explain shows.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from planner.answers import names_of, on_stored, origins_of, probabilities_of
from planner.build import Built
from planner.build_blend import prepared_tables
from planner.estimates import NOTHING, Measured
from planner.graph import Graph, Node, Role, walk
from planner.lower import Output, lower
from planner.ops import Fit, Folds, Materialise
from planner.plan import PipelinePlan, Plan, Task, Value
from planner.rewrite import RULES, Rule, rewrite
from planner.target_groups import read_by


class Answer(NamedTuple):
    """A score that needs work: its node before and after the rules, and who wants it."""

    before: Node
    after: Node
    pipelines: tuple[int, ...]


@dataclass(frozen=True)
class Compiled:
    """A plan, and how it came about.

    `asked` counts nodes as if every pipeline ran alone, `merged` after interning, `rewritten`
    after the rules; `known` counts scores answered by the catalog. `scores` gives, by the key of
    a score that needs work, the node that stands for it after the rules; `answers` are those
    scores before and after, with the pipelines that want them.
    """

    plan: Plan
    asked: int
    merged: int
    rewritten: int
    known: int
    rules: dict[str, int] = field(default_factory=dict)
    outputs: tuple[Node, ...] = ()
    scores: Mapping[str, Node] = field(default_factory=dict)
    answers: tuple[Answer, ...] = ()


def compile_batch(
    graph: Graph,
    pipelines: Mapping[int, Built],
    *,
    known: Collection[str],
    rows: Callable[[Node], int],
    available: Callable[[Value], bool],
    rules: Sequence[Rule] = RULES,
    measured: Measured = NOTHING,
    underway: Mapping[str, Node] = MappingProxyType({}),
) -> Compiled:
    """Plans the pipelines that were built (position -> Built).

    `known` holds the keys of scores that need no work, `underway` those that another plan is
    making, with their nodes there (see `planner.borrow`).
    """
    wanted: dict[str, Output] = {}
    asked = elsewhere = 0
    for position, built in pipelines.items():
        scores = [node for nodes in built.scores.values() for node in nodes]
        asked += sum(1 for _ in walk(scores))
        for node in scores:
            if node.key in known:
                continue
            if node.key in underway:
                elsewhere += 1
                continue
            output = wanted.get(node.key)
            owners = (*output.pipelines, position) if output else (position,)
            parts = prepared_tables(built)
            wanted[node.key] = Output(node, parts, tuple(dict.fromkeys(owners)))
    before = [output.score for output in wanted.values()]
    stored = on_stored(graph, before, available)
    rewritten = rewrite(graph, [stored[node.key] for node in before], rules)
    origins = origins_of(stored, rewritten.origins)
    names = names_of(before, rewritten.outputs, origins)
    beside = probabilities_of(graph, before, rewritten.outputs, names)
    outputs = [
        Output(node, output.prepared, output.pipelines)
        for node, output in zip(rewritten.outputs, wanted.values(), strict=True)
    ]
    tasks = lower(graph, outputs, rows, available, measured, names, beside)
    replaced = {**underway, **dict(zip(wanted, rewritten.outputs, strict=True))}
    tables = _tables(tasks)
    plans = tuple(
        _pipeline(position, built, replaced, origins, names, tables.get(position, ()))
        for position, built in pipelines.items()
    )
    return Compiled(
        plan=Plan(tuple(tasks), plans),
        asked=asked,
        merged=sum(1 for _ in walk(before)),
        rewritten=sum(1 for _ in walk(rewritten.outputs)),
        known=sum(len(nodes) for b in pipelines.values() for nodes in b.scores.values())
        - sum(len(output.pipelines) for output in wanted.values())
        - elsewhere,
        rules=rewritten.applied,
        outputs=tuple(rewritten.outputs),
        scores=replaced,
        answers=tuple(
            Answer(output.score, after, output.pipelines)
            for output, after in zip(wanted.values(), rewritten.outputs, strict=True)
        ),
    )


def _tables(tasks: Sequence[Task]) -> dict[int, list[str]]:
    """Keys of the tables that are made for each pipeline."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for task in tasks:
        for instruction in task.instructions:
            if isinstance(instruction.op, Materialise):
                for position in task.pipelines:
                    found[position].append(instruction.out.key)
    return found


def _pipeline(
    position: int,
    built: Built,
    replaced: Mapping[str, Node],
    origins: Mapping[str, str],
    names: Mapping[str, str],
    tables: Iterable[str],
) -> PipelinePlan:
    scores: dict[str, list[list[Value]]] = {}
    keys: dict[str, list[str]] = {}
    places = {**built.places, **dict.fromkeys(tables, built.table_place)}
    seen: set[str] = set()
    for name, nodes in built.scores.items():
        scores[name], keys[name] = [], []
        for logical in nodes:
            keys[name].append(logical.key)
            node = replaced.get(logical.key, logical)
            folds = node.inputs[1].op
            assert isinstance(folds, Folds)
            scores[name].append([Value(node.key, fold) for fold in range(folds.count)])
            if node is logical:
                continue
            # Of a group that stands for nodes of several pipelines, what this one reads of it.
            model = built.places.get(logical.inputs[0].key, "")
            read_at: dict[str, str] = {}
            seen.update(_of_others(node))
            for made in reversed(list(walk([node], seen, tables=False))):
                if made.key not in places:
                    place = _encoding(made, logical, built)
                    place = place or places.get(origins.get(made.key, ""))
                    place = place or _namesake(made, logical, built)
                    places[made.key] = place or read_at.get(made.key, model)
                for source in made.inputs:
                    read_at.setdefault(source.key, places[made.key])
                # Failures are told by the keys of values.
                places.setdefault(names.get(made.key, made.key), places[made.key])
    return PipelinePlan(position, scores, keys, places)


def _of_others(node: Node) -> set[str]:
    """Keys of the targets that groups below `node` have for others: that one of those fails is for
    others to know."""
    optional = [
        source.key
        for made in walk([node], tables=False)
        if made.op.optional
        for source in made.inputs[-made.op.optional :]
    ]
    own = {below.key for below in walk([node], tables=False, sources=read_by)} if optional else ()
    return {key for key in optional if key not in own}


def _namesake(made: Node, logical: Node, built: Built) -> str | None:
    """The place of what `made` is called after, among the nodes below `logical`."""
    for node in walk([logical], tables=False):
        if node.op.subject == made.op.subject and node.key in built.places:
            return built.places[node.key]
    return None


def _encoding(made: Node, logical: Node, built: Built) -> str | None:
    """The place of the encoding that a group of fits has taken in, and fails at."""
    if made.op.role is not Role.FIT or isinstance(made.op, Fit):
        return None
    for node in walk([logical], tables=False):
        if node.op.role is Role.FEATURES and node.op.subject == made.op.subject:
            return built.places.get(node.key)
    return None


def materialised(plan: Plan) -> list[str]:
    """The fused queries of a plan, as SQL, in plan order."""
    return [
        instruction.op.query.sql
        for task in plan.tasks
        for instruction in task.instructions
        if isinstance(instruction.op, Materialise)
    ]
