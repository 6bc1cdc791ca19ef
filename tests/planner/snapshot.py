"""Plans as text, compared with stored files.

A changed plan fails the test with the difference. If the change is meant, run the tests with
STRATUM_UPDATE_SNAPSHOTS=1 and read the difference of ``tests/planner/snapshots`` before
committing it.
"""

import os
import re
from pathlib import Path

from planner.compile import Compiled
from planner.graph import Plane, walk
from planner.plan import Task, Value
from planner.relational import describe

FOLDER = Path(__file__).parent / "snapshots"


def graph_text(compiled: Compiled) -> str:
    """The graph after all rules: one numbered node a line, with plane and inputs."""
    numbers: dict[str, int] = {}
    lines = []
    for node in walk(compiled.outputs, tables=False):
        numbers[node.key] = len(numbers)
        inputs = [
            f"[{describe(source)}]" if source.plane is Plane.TABLE else f"#{numbers[source.key]}"
            for source in node.inputs
        ]
        lines.append(f"#{numbers[node.key]} {node.plane.value} {node.op.label} <- "
                     + ", ".join(inputs))  # fmt: skip
    return "\n".join(lines)


def tasks_text(compiled: Compiled) -> str:
    """The tasks in order: what each needs, loads, runs and hands on; values are numbered."""
    numbers: dict[str, int] = {}

    def shown(value: Value) -> str:
        number = numbers.setdefault(value.key, len(numbers))
        return f"v{number}" if value.fold is None else f"v{number}.{value.fold}"

    return "\n".join(line for task in compiled.plan.tasks for line in _task(task, shown))


def _task(task: Task, shown: object) -> list[str]:
    assert callable(shown)
    head = f"task {task.id} for {list(task.pipelines)}"
    if task.needs:
        head += f" after {list(task.needs)}"
    lines = [head]
    if task.loads:
        lines.append("  load " + ", ".join(map(shown, task.loads)))
    for out, op, inputs in task.instructions:
        notes = " (saved)" if out in task.saves else " (score)" if out in task.scores else ""
        arguments = ", ".join(map(shown, inputs))
        lines.append(f"  {shown(out)} = {op.label}({arguments}){notes}")
    return lines


def without_seconds(text: str) -> str:
    """Estimates change with the cost model, which is no matter of a plan's form."""
    return re.sub(r"\b\d+\.\d+ s\b", "_ s", text)


def check(name: str, text: str) -> None:
    """`text` is the snapshot `name`; written where the environment asks for it."""
    file = FOLDER / f"{name}.txt"
    if os.environ.get("STRATUM_UPDATE_SNAPSHOTS"):
        file.write_text(text + "\n", encoding="utf-8")
    assert file.exists(), f"no snapshot {file}: run once with STRATUM_UPDATE_SNAPSHOTS=1"
    assert text + "\n" == file.read_text(encoding="utf-8")
