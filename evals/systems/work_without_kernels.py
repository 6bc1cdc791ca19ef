"""The functions of workers that leave the Rust kernels out; runs in workers.

Input and output: as in `executor.work`. The libraries serve what the kernels would.
"""

from collections.abc import Callable, Mapping
from typing import Any

from executor import work
from planner.plan import Task


def run_task(
    *, task: Task, blocks: str, datasets: Mapping[str, str], memory: str = "4GB"
) -> dict[str, Any]:
    """Runs a task; see `executor.program.run`."""
    from executor.program import BACKENDS, run

    backends = [backend for backend in BACKENDS if backend.name != "rust"]
    return run(task, blocks, datasets, memory, backends)


TABLE: dict[str, Callable[..., dict[str, Any]]] = {**work.TABLE, "run_task": run_task}
