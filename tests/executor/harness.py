"""Awaiting workers and the ends of processes."""

import os
import select
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from executor.workers import Event, Exit, Worker, WorkerPool

FUNCTIONS = "tests.executor.worker_functions"
LIMIT = 60.0  # seconds; an upper bound, never awaited when all is well


def poll_until(
    pool: WorkerPool, reached: Callable[[list[tuple[Worker, Event]]], bool]
) -> list[tuple[Worker, Event]]:
    """All events until `reached` holds of them."""
    deadline = time.monotonic() + LIMIT
    events: list[tuple[Worker, Event]] = []
    while not reached(events):
        left = deadline - time.monotonic()
        assert left > 0, f"only these came: {events}"
        events += pool.poll(left)
    return events


def is_final(event: Event) -> bool:
    return isinstance(event, Exit) or event.kind in ("done", "failed")


def answer(pool: WorkerPool, worker: Worker) -> Event:
    """The next done, failed or Exit of a worker."""
    events = poll_until(
        pool, lambda seen: any(w is worker and is_final(event) for w, event in seen)
    )
    return next(event for w, event in events if w is worker and is_final(event))


def ask(pool: WorkerPool, worker: Worker, function: str, **arguments: Any) -> Any:
    """What `function` returns in the worker."""
    worker.send(function, arguments)
    event = answer(pool, worker)
    assert not isinstance(event, Exit), event
    assert event.kind == "done", event
    return event.value


def progress(pool: WorkerPool, worker: Worker, function: str, **arguments: Any) -> Any:
    """The first thing that `function` reports; it may go on."""
    worker.send(function, arguments)

    def reported(event: Event) -> bool:
        return not isinstance(event, Exit) and event.kind == "progress"

    events = poll_until(pool, lambda seen: any(w is worker and reported(e) for w, e in seen))
    return next(
        e.value
        for w, e in events
        if w is worker and not isinstance(e, Exit) and e.kind == "progress"
    )


def exit_of(pool: WorkerPool, worker: Worker) -> Exit:
    events = poll_until(
        pool, lambda seen: any(w is worker and isinstance(event, Exit) for w, event in seen)
    )
    return next(e for w, e in events if w is worker and isinstance(e, Exit))


def await_end(pids: Iterable[int]) -> None:
    """Return when none of the processes runs any more (as a zombie it does not)."""
    for pid in pids:
        try:
            descriptor = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            assert select.select([descriptor], [], [], LIMIT)[0], f"process {pid} goes on"
        finally:
            os.close(descriptor)


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        return not select.select([descriptor], [], [], 0)[0]
    finally:
        os.close(descriptor)


def running_with(name: str, value: str) -> list[int]:
    """The processes that were started with this environment variable."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if f"{name}={value}".encode() in environment:
                found.append(int(entry.name))
    return found
