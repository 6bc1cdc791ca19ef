"""The functions of workers, with the seconds that each task took in its worker.

Input and output: as in `executor.work`, with ``wall`` in the answers of tasks. What the engine saw
a task take beyond that are messages, and waiting for the engine to look.
"""

import time
from collections.abc import Callable
from typing import Any

from executor import work

Answer = dict[str, Any]


def timed(function: Callable[..., Answer]) -> Callable[..., Answer]:
    """`function` with ``wall`` in its answer."""

    def call(**arguments: Any) -> Answer:
        began = time.perf_counter()
        answer = function(**arguments)
        return {**answer, "wall": time.perf_counter() - began}

    return call


TABLE: dict[str, Callable[..., Answer]] = {**work.TABLE, "run_task": timed(work.run_task)}
