"""A work table whose tasks do what their markers say: no library, no data, any kind of fault.

The marker is the text of a `Vector` op, such as ``"crash"`` or ``"gate first"``. Files next to
the block directory tell what ran (``ran``) and let tests hold tasks up (FIFOs, see `Gate`).
"""

import ctypes
import json
import mmap
import os
import select
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from executor.block_file import BlockError, BlockReader, create_block
from planner.errors import ExecutionError
from planner.plan import Task

LIMIT = 60.0  # seconds; an upper bound, never awaited when all is well
TABLE_NAME = "tests.executor.fault_functions"


class Gate:
    """Where tasks with the marker ``gate <name>`` stop until the test lets them go on."""

    def __init__(self, root: Path, name: str) -> None:
        root.mkdir(exist_ok=True, parents=True)
        self._ends: list[int] = []
        for end in ("arrived", "open"):
            path = root / f"{name}.{end}"
            os.mkfifo(path)
            # Opened for both, so that neither side waits for the other to open it.
            self._ends.append(os.open(path, os.O_RDWR | os.O_CLOEXEC))

    def arrived(self) -> int:
        """Waits until a task has come; its process id."""
        assert select.select([self._ends[0]], [], [], LIMIT)[0], "no task has come to the gate"
        text = b""
        while not text.endswith(b"\n"):
            text += os.read(self._ends[0], 1)
        return int(text)

    def open(self) -> None:
        """Lets one task go on."""
        os.write(self._ends[1], b"x")

    def close(self) -> None:
        for end in self._ends:
            os.close(end)


def pass_gate(root: Path, name: str) -> None:
    """In a worker: tell that it has come, and wait."""
    with open(root / f"{name}.arrived", "w") as arrived:
        arrived.write(f"{os.getpid()}\n")
    descriptor = os.open(root / f"{name}.open", os.O_RDONLY)
    os.read(descriptor, 1)
    os.close(descriptor)


kept: list[Any] = []


def obey(marker: str, root: Path) -> None:
    """Does what a marker says, in a worker."""
    word, _, rest = marker.partition(" ")
    if word == "gate":
        pass_gate(root, rest)
    elif word == "crash" or (word == "crash-once" and _first(root, rest)):
        ctypes.string_at(0)
    elif word == "raise":
        raise ExecutionError(rest or "broken", "It is broken.", hint="Mend it.")
    elif word == "hold":
        size, _, name = rest.partition(" ")
        memory = mmap.mmap(-1, int(size) << 20)
        for position in range(0, len(memory), 4096):
            memory[position] = 1
        kept.append(memory)
        pass_gate(root, name)
        memory.close()
    elif word == "hang":
        while True:
            time.sleep(60)


def _first(root: Path, name: str) -> bool:
    try:
        (root / f"{name}.done").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def run_task(
    *, task: Task, blocks: str, datasets: Mapping[str, str], memory: str
) -> dict[str, Any]:
    """A task in which each instruction gives 1, unless its marker says something else."""
    folder, root = Path(blocks), Path(blocks).parent
    unreadable = []
    for value in task.loads:
        try:
            BlockReader(folder, value.name)
        except BlockError:
            unreadable.append(value.name)
    answer: dict[str, Any] = {
        "scores": [], "saved": [], "warnings": {}, "failures": {}, "unreadable": unreadable,
    }  # fmt: skip
    if unreadable:
        return answer
    failed = set()
    for out, op, inputs in task.instructions:
        marker = getattr(op, "column", "")
        with open(root / "ran", "a") as ran:
            ran.write(f"{marker}\n")
        word, _, rest = marker.partition(" ")
        if failed.intersection(inputs):
            failed.add(out)
        elif word == "fail":
            failed.add(out)
            error = ExecutionError(rest or "fit_failed", "It cannot be fitted.").to_dict()
            answer["failures"][out.key] = error
        elif word == "warn":
            answer["warnings"][out.key] = [rest]
        elif word == "garbage":
            garbage: dict[str, Any] = json.loads(rest)
            return {**answer, **garbage}
        else:
            obey(marker, root)
        if out in task.saves and out not in failed:
            with create_block(folder, out.name) as writer:
                writer.manifest = 1
            answer["saved"].append([out.name, writer.size, 0.5])
    answer["scores"] = [[v.key, v.fold, 1.0] for v in task.scores if v not in failed]
    return answer


def call(*, marker: str, root: str) -> dict[str, Any]:
    obey(marker, Path(root))
    return {"marker": marker}


TABLE = {"run_task": run_task, "call": call}
