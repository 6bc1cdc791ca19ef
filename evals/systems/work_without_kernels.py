"""The functions of workers that leave the Rust kernels out; runs in workers.

Input and output: as in `evals.systems.work_timed`. The libraries serve what the kernels would.
"""

from collections.abc import Callable, Mapping
from typing import Any

from evals.systems.work_timed import TABLE as TIMED
from evals.systems.work_timed import timed
from planner.plan import Task

KERNELS = "rust"  # name of the backend


def run_task(
    *, task: Task, blocks: str, datasets: Mapping[str, str], memory: str = "4GB"
) -> dict[str, Any]:
    """Runs a task; see `executor.program.run`."""
    from executor.program import BACKENDS, run

    backends = [backend for backend in BACKENDS if backend.name != KERNELS]
    return run(task, blocks, datasets, memory, backends)


TABLE: dict[str, Callable[..., dict[str, Any]]] = {**TIMED, "run_task": timed(run_task)}
