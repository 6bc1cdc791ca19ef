"""The work table of the engine, with tasks that crash or wait where an estimator is so marked.

Marks are values of ``random_state``, which change nothing else that matters here.
"""

import ctypes
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from executor import work
from planner.graph import Role
from planner.plan import Task
from tests.executor.fault_functions import pass_gate

CRASH, GATE, CRASH_ONCE = 70001, 70002, 70003
TABLE_NAME = "tests.tools.fault_table"


def run_task(
    *, task: Task, blocks: str, datasets: Mapping[str, str], memory: str
) -> dict[str, Any]:
    marked = (Role.FIT, Role.FEATURES)
    fits = [repr(i.op) for i in task.instructions if i.op.role in marked]
    found = re.search(r"\b7000[1-3]\b", " ".join(fits))
    mark = int(found[0]) if found else 0
    home = Path(blocks).parent
    if mark == GATE:
        pass_gate(home, "gate")
    once = home / "crashed"
    if mark == CRASH or (mark == CRASH_ONCE and not once.exists()):
        once.touch()
        ctypes.string_at(0)
        os.abort()
    return work.run_task(task=task, blocks=blocks, datasets=datasets, memory=memory)


TABLE = {**work.TABLE, "run_task": run_task}
