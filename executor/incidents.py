"""What can go wrong around a task, as errors that an agent can act on.

Input: limits, measurements and tasks. Output: `StratumError` values; and what nobody foresaw is
kept from the thread that serves all jobs.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from planner.errors import ExecutionError, StratumError
from planner.plan import Task

_LOG = logging.getLogger(__name__)


def over_memory(used: int, allowed: int) -> ExecutionError:
    """A worker uses more than it may; both in bytes."""
    return ExecutionError(
        "out_of_memory",
        f"It used {used / 1e9:.2f} GB; the limit of one worker is {allowed / 1e9:.2f} GB.",
        hint="Use fewer rows or features, sparse output, or a smaller model; or raise "
        "budget.memory.",
    )


def over_time(seconds: float, hint: str) -> ExecutionError:
    return ExecutionError("timeout", f"It ran longer than its limit of {seconds:g} s.", hint=hint)


def skipped(seconds: float) -> ExecutionError:
    """The wall seconds of a job were over before a pipeline had ended."""
    return ExecutionError(
        "skipped",
        f"The budget of {seconds:g} s for the whole job was used up first.",
        hint="Raise budget.seconds, or send fewer or cheaper pipelines.",
    )


def unreadable_blocks(names: tuple[str, ...]) -> ExecutionError:
    """Inputs of a task were missing, truncated or damaged."""
    return ExecutionError(
        "block_unreadable",
        f"{len(names)} stored intermediate result(s) could not be read.",
        hint="They have been removed; send the pipeline again.",
    )


def unforeseen(error: Exception) -> StratumError:
    """Any exception while work was handed to a worker."""
    if isinstance(error, StratumError):
        return error
    return ExecutionError(
        "internal_error",
        f"The work could not be handed to a worker: {type(error).__name__}.",
        hint="Send it again; report it if it happens again.",
    )


def scanned_files(task: Task, dataset: Callable[[str], Path]) -> dict[str, str]:
    """The dataset files that the queries of `task` scan, by fingerprint.

    Raises:
        ExecutionError: `dataset_gone`.
    """
    wanted: set[str] = set()
    for instruction in task.instructions:
        query = getattr(instruction.op, "query", None)
        if query is not None:
            wanted.update(fingerprint for _, fingerprint in query.scans)
    files = {fingerprint: dataset(fingerprint) for fingerprint in wanted}
    if not all(file.exists() for file in files.values()):
        raise ExecutionError(
            "dataset_gone",
            "The stored copy of a dataset was removed.",
            hint="Register the file again with add_dataset.",
        )
    return {fingerprint: str(file) for fingerprint, file in files.items()}


def guarded(action: Callable[[], None]) -> None:
    """One job that goes wrong must never end the thread that serves all of them."""
    try:
        action()
    except Exception:
        _LOG.exception("the scheduler failed in one step, and goes on")
