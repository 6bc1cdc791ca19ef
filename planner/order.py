"""The order of tasks: inputs first, then what gives results early.

Input: tasks of a plan in any order. Output: the same tasks, renumbered, in the order in which
the executor should prefer them.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from planner.plan import Task


def ordered(tasks: Sequence[Task]) -> list[Task]:
    """Tasks pipeline by pipeline, cheapest pipeline first, each after what it needs.

    The cost of a pipeline is what its tasks cost, shared ones divided by who shares them, so
    that the first results come from pipelines that are cheap given what others need anyway.
    """
    by_id = {task.id: task for task in tasks}
    cost: defaultdict[int, float] = defaultdict(float)
    members: defaultdict[int, list[Task]] = defaultdict(list)
    for task in tasks:
        for pipeline in task.pipelines:
            cost[pipeline] += task.seconds / len(task.pipelines)
            members[pipeline].append(task)
    position: dict[int, int] = {}
    result: list[Task] = []

    def place(task: Task) -> None:
        stack = [(task, iter(task.needs))]
        while stack:
            current, needs = stack[-1]
            if current.id in position:
                stack.pop()
                continue
            missing = next((need for need in needs if need not in position), None)
            if missing is not None:
                stack.append((by_id[missing], iter(by_id[missing].needs)))
                continue
            position[current.id] = len(result)
            result.append(current)
            stack.pop()

    for pipeline in sorted(members, key=lambda p: (cost[p], p)):
        for task in members[pipeline]:
            place(task)
    for task in tasks:
        place(task)
    return [
        replace(task, id=position[task.id], needs=tuple(sorted(position[n] for n in task.needs)))
        for task in result
    ]
