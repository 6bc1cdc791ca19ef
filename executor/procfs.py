"""What the kernel says about processes: input a process id, output its children or memory.

Everything here reads ``/proc`` and tolerates that a process ends while it is being looked at.
"""

from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
# File-mapped pages are left out: a memory-mapped block costs nothing that cannot be dropped.
# Swapped pages are kept in, so that a process cannot get below its limit by being swapped out.
_COUNTED = (b"RssAnon:", b"RssShmem:", b"VmSwap:")


def process_ids() -> list[int]:
    """The ids of all visible processes."""
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def memory(pid: int) -> int:
    """Anonymous and shared memory of one process, in bytes; 0 if it has ended."""
    try:
        status = (PROC / str(pid) / "status").read_bytes()
    except OSError:
        return 0
    return sum(
        int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(_COUNTED)
    )


def children(pid: int) -> list[int]:
    """The ids of the direct children of a process, zombies included."""
    found: list[int] = []
    try:
        for thread in (PROC / str(pid) / "task").iterdir():
            found.extend(int(child) for child in (thread / "children").read_text().split())
    except OSError:
        # Either the process or a thread has ended, or the kernel was built without that file.
        return [other for other in process_ids() if _parent(other) == pid]
    return found


def descendants(pid: int) -> Iterator[int]:
    """The ids of children, grandchildren and so on; those handed to another parent are not."""
    for child in children(pid):
        yield child
        yield from descendants(child)


def thread_count(pid: int) -> int:
    """Number of threads of a process; 0 if it has ended."""
    try:
        return sum(1 for _ in (PROC / str(pid) / "task").iterdir())
    except OSError:
        return 0


def started_with(entry: str) -> list[int]:
    """Ids of the processes that have `entry` (``NAME=value``) in their initial environment."""
    wanted = entry.encode()
    found: list[int] = []
    for pid in process_ids():
        try:
            environment = (PROC / str(pid) / "environ").read_bytes()
        except OSError:
            continue
        if wanted in environment.split(b"\0"):
            found.append(pid)
    return found


def _parent(pid: int) -> int:
    try:
        stat = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return -1
    # The name of the program, in parentheses, may itself hold spaces and parentheses.
    return int(stat.rpartition(b")")[2].split()[1])
