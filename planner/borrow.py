"""What another plan is making already: its tasks are taken over as they are.

Input: a plan, and the plans that run. Output: the plan with those of their tasks that make its
missing scores and blocks. A task is known by its values, so the executor finds that it runs (or
waits) already and begins nothing twice; should it have been given up meanwhile, it is run after
all. The scores of a group of models come from the whole group, also where only some are asked
for.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from planner.graph import Node
from planner.plan import Plan, Task, Value


@dataclass(frozen=True, eq=False)
class Source:
    """A plan that runs. `scores` gives its node for the key of each score that it makes."""

    plan: Plan
    scores: Mapping[str, Node]

    @cached_property
    def makers(self) -> dict[Value, Task]:
        """The task that makes each score and each block."""
        return {value: task for task in self.plan.tasks for value in (*task.scores, *task.saves)}

    @cached_property
    def tasks(self) -> dict[int, Task]:
        return {task.id: task for task in self.plan.tasks}


def borrow(
    plan: Plan,
    scores: Mapping[str, Source],
    making: Callable[[Value], Source | None],
    stored: Callable[[Value], bool],
) -> Plan:
    """`plan` with what makes what it lacks.

    `scores` are the plans by the keys of scores that they make, `making` finds those that make
    a block. `stored` says which blocks are there already: what only makes those is left out.
    """
    wanted: dict[Source, dict[int, set[int]]] = {}  # task -> pipelines
    for pipeline in plan.pipelines:
        for name, keys in pipeline.keys.items():
            for key, values in zip(keys, pipeline.scores[name], strict=True):
                source = scores.get(key)
                for value in values if source is not None else ():
                    assert source is not None
                    _want(wanted, source, value).add(pipeline.index)
    missing = _missing(plan, making, stored)
    for task in plan.tasks:
        for value in missing[task.id]:
            _want(wanted, missing[task.id][value], value).update(task.pipelines)
    if not wanted:
        return plan
    found: list[Task] = []
    ids: dict[tuple[Source, int], int] = {}
    following = 1 + max((task.id for task in plan.tasks), default=-1)
    for source, tasks in wanted.items():
        taken = _closure(source, tasks, stored)
        for old, pipelines in taken.items():
            ids[source, old] = following + len(ids)
            task = source.tasks[old]
            needs = tuple(ids[source, need] for need in task.needs if need in taken)
            new = ids[source, old]
            found.append(replace(task, id=new, needs=needs, pipelines=tuple(sorted(pipelines))))
    own = []
    for task in plan.tasks:
        more = {ids[s, s.makers[value].id] for value, s in missing[task.id].items()}
        own.append(replace(task, needs=(*task.needs, *sorted(more))) if more else task)
    return Plan((*found, *own), plan.pipelines)


def _want(wanted: dict[Source, dict[int, set[int]]], source: Source, value: Value) -> set[int]:
    return wanted.setdefault(source, {}).setdefault(source.makers[value].id, set())


def _missing(
    plan: Plan, making: Callable[[Value], Source | None], stored: Callable[[Value], bool]
) -> dict[int, dict[Value, Source]]:
    """By task: what it loads that is neither stored nor made by the plan."""
    made = {value for task in plan.tasks for value in task.saves}
    found: defaultdict[int, dict[Value, Source]] = defaultdict(dict)
    for task in plan.tasks:
        for value in task.loads:
            if value not in made and not stored(value) and (source := making(value)) is not None:
                found[task.id][value] = source
    return found


def _closure(
    source: Source, wanted: Mapping[int, set[int]], stored: Callable[[Value], bool]
) -> dict[int, set[int]]:
    """Task ids, inputs first, with the pipelines that need them."""
    found = {task: set(positions) for task, positions in wanted.items()}
    # Against the order of the plan, in which inputs come first.
    for task in reversed(source.plan.tasks):
        for need in task.needs if task.id in found else ():
            made = set(source.tasks[need].saves) & set(task.loads)
            if need in found or not all(stored(value) for value in made):
                found.setdefault(need, set()).update(found[task.id])
    return {task.id: found[task.id] for task in source.plan.tasks if task.id in found}
