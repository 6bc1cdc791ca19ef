"""From built pipelines to a plan: the list of calls, and nothing else.

Input: `Built` pipelines in one graph, and what the catalog and store already have. Output: the
`Plan`, and the report that explain shows.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from planner.build import Built
from planner.graph import Graph, Node, walk
from planner.lower import Output, lower
from planner.ops import Folds, Materialise
from planner.plan import PipelinePlan, Plan, Task, Value
from planner.rewrite import RULES, Rule, rewrite


@dataclass(frozen=True)
class Compiled:
    """A plan, and how it came about.

    `asked` counts nodes as if every pipeline ran alone, `merged` after interning, `rewritten`
    after the rules; `known` counts scores answered by the catalog.
    """

    plan: Plan
    asked: int
    merged: int
    rewritten: int
    known: int
    rules: dict[str, int] = field(default_factory=dict)
    outputs: tuple[Node, ...] = ()


def compile_batch(
    graph: Graph,
    pipelines: Mapping[int, Built],
    *,
    known: Collection[str],
    rows: Callable[[Node], int],
    available: Callable[[Value], bool],
    rules: Sequence[Rule] = RULES,
) -> Compiled:
    """Plans the pipelines that were built (position -> Built).

    `known` holds the keys of scores that need no work.
    """
    wanted: dict[str, Output] = {}
    asked = 0
    for position, built in pipelines.items():
        scores = [node for nodes in built.scores.values() for node in nodes]
        asked += sum(1 for _ in walk(scores))
        for node in scores:
            if node.key in known:
                continue
            output = wanted.get(node.key)
            owners = (*output.pipelines, position) if output else (position,)
            wanted[node.key] = Output(node, built.prepared, tuple(dict.fromkeys(owners)))
    before = [output.score for output in wanted.values()]
    rewritten = rewrite(graph, before, rules)
    outputs = [
        Output(node, output.prepared, output.pipelines)
        for node, output in zip(rewritten.outputs, wanted.values(), strict=True)
    ]
    tasks = lower(graph, outputs, rows, available)
    replaced = dict(zip(wanted, rewritten.outputs, strict=True))
    tables = _tables(tasks)
    plans = tuple(
        _pipeline(position, built, replaced, rewritten.origins, tables.get(position, ()))
        for position, built in pipelines.items()
    )
    return Compiled(
        plan=Plan(tuple(tasks), plans),
        asked=asked,
        merged=sum(1 for _ in walk(before)),
        rewritten=sum(1 for _ in walk(rewritten.outputs)),
        known=sum(len(nodes) for b in pipelines.values() for nodes in b.scores.values())
        - sum(len(output.pipelines) for output in wanted.values()),
        rules=rewritten.applied,
        outputs=tuple(rewritten.outputs),
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
            for made in walk([node], seen, tables=False):
                if made.key not in places:
                    # Of a group that stands for models of several pipelines, this one's model.
                    model = built.places.get(logical.inputs[0].key, "")
                    places[made.key] = places.get(origins.get(made.key, ""), model)
    return PipelinePlan(position, scores, keys, places)


def materialised(plan: Plan) -> list[str]:
    """The fused queries of a plan, as SQL, in plan order."""
    return [
        instruction.op.query.sql
        for task in plan.tasks
        for instruction in task.instructions
        if isinstance(instruction.op, Materialise)
    ]
