"""Explains a plan as text for agents and as JSON.

Input: a `Compiled` batch. Output: what is shared, what the rules did, and the steps in order.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from planner.compile import Compiled
from planner.finish import time_to_finish
from planner.graph import Node, Plane, Role, walk
from planner.ops import Columns, Vector
from planner.plan import Task
from planner.relational import describe as describe_relation

MAX_LINES = 60


def plan_text(compiled: Compiled, names: Sequence[str], cores: int = 1) -> str:
    """The plan for an agent: totals first, then what is shared, then steps with their users.

    `names` are the pipelines' names by position; the time to finish is that on `cores`.
    """
    tasks = compiled.plan.tasks
    seconds = sum(task.seconds for task in tasks)
    finish = f", {time_to_finish(tasks, cores):.1f} s on {cores} cores" if cores > 1 else ""
    lines = [
        f"{_count(len(compiled.plan.pipelines), 'pipeline')}: {compiled.asked} nodes if each ran "
        f"alone, {compiled.merged} after merging, {compiled.rewritten} after rules; "
        f"{_count(len(tasks), 'task')}, about {seconds:.1f} s of one core{finish}.",
    ]
    if compiled.known:
        lines.append(f"Known already, at no cost: {_count(compiled.known, 'score')}.")
    for rule, count in compiled.rules.items():
        lines.append(f"rule {rule}: {_count(count, 'node')} replaced")
    steps = _steps(tasks)
    for step in steps[:MAX_LINES]:
        lines.append(_step_line(step, names))
    if len(steps) > MAX_LINES:
        lines.append(f"... and {len(steps) - MAX_LINES} more steps")
    return "\n".join(lines)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _steps(tasks: Sequence[Task]) -> list[tuple[str, int, float, tuple[int, ...]]]:
    """Tasks without their folds: (description, tasks, seconds, pipelines)."""
    grouped: dict[tuple[str, ...], list[Task]] = defaultdict(list)
    for task in tasks:
        grouped[_signature(task)].append(task)
    return [
        (
            " -> ".join(signature),
            len(same),
            sum(task.seconds for task in same),
            tuple(sorted({p for task in same for p in task.pipelines})),
        )
        for signature, same in grouped.items()
    ]


def _signature(task: Task) -> tuple[str, ...]:
    shown = [
        i.op.label
        for i in task.instructions
        if i.op.role is not Role.ANSWER and not isinstance(i.op, Vector | Columns)
    ]
    counted = Counter(shown)
    return tuple(item if count == 1 else f"{item} (x{count})" for item, count in counted.items())


def _step_line(step: tuple[str, int, float, tuple[int, ...]], names: Sequence[str]) -> str:
    description, count, seconds, pipelines = step
    who = ", ".join(names[p] for p in pipelines[:3])
    if len(pipelines) > 3:
        who = f"{len(pipelines)} pipelines"
    times = f" x{count}" if count > 1 else ""
    return f"- {description}{times} [{seconds:.2f} s] for {who}"


def graph_json(compiled: Compiled) -> dict[str, Any]:
    """The rewritten graph: nodes with label, plane and number of consumers, and edges."""
    nodes = list(walk(compiled.outputs))
    consumers: Counter[str] = Counter()
    for node in nodes:
        consumers.update(source.key for source in node.inputs)
    return {
        "nodes": [
            {
                "id": node.key[:12],
                "label": _node_label(node),
                "plane": node.plane.value,
                "consumers": consumers[node.key],
            }
            for node in nodes
        ],
        "edges": [[source.key[:12], node.key[:12]] for node in nodes for source in node.inputs],
    }


def _node_label(node: Node) -> str:
    return describe_relation(node) if node.plane is Plane.TABLE else node.op.label
