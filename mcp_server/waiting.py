"""Waiting for work while telling the client how it goes.

Input: blocking calls and running jobs. Output: their results, and progress notifications. A
request that its client gives up stops the waiting, never the work.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
from mcp.server.mcpserver import Context

if TYPE_CHECKING:
    from tools.jobs import Job

Result = TypeVar("Result")

_HEARTBEAT = 2.0  # seconds between notifications while nothing changes
_PAUSE = 0.25  # seconds that changes are gathered before they are told
# Threads of calls that wait: as many as clients may plausibly have open at once.
THREADS = 256


class Progress:
    """Notifications of one request. Their values must grow, whatever there is to tell."""

    def __init__(self, context: Context[Any, Any]) -> None:
        self._context = context
        self._last = -1.0

    async def report(self, done: float, total: float | None, message: str) -> None:
        self._last = max(float(done), self._last + 0.001)
        await self._context.report_progress(self._last, total, message)


class Waiting:
    """Runs what blocks, on threads of its own."""

    def __init__(self) -> None:
        self._threads: anyio.CapacityLimiter | None = None

    @property
    def _limiter(self) -> anyio.CapacityLimiter:
        if self._threads is None:  # needs a running event loop
            self._threads = anyio.CapacityLimiter(THREADS)
        return self._threads

    async def call(self, function: Callable[[], Result]) -> Result:
        return await anyio.to_thread.run_sync(
            function, abandon_on_cancel=True, limiter=self._limiter
        )

    async def told(
        self, progress: Progress, message: str, function: Callable[[], Result]
    ) -> Result:
        """As `call`, saying `message` from time to time."""
        began = time.monotonic()

        async def beat() -> None:
            while True:
                await anyio.sleep(_HEARTBEAT)
                passed = time.monotonic() - began
                await progress.report(0, None, f"{message}, {passed:.0f} s")

        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(beat)
            try:
                found = await self.call(function)
            except Exception as error:
                failure = error  # raised here, the group would wrap it
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return found

    async def follow(self, progress: Progress, job: "Job", deadline: float) -> None:
        """Until the end of `job` or `deadline` (of `time.monotonic`)."""
        version = job.version
        while (left := deadline - time.monotonic()) > 0 and not job.finished:
            await progress.report(job.done, job.total, _state(job))
            wait = min(left, _HEARTBEAT)
            version = await self.call(lambda v=version, w=wait: job.wait_change(v, w))  # type: ignore[misc]
            gather = min(max(deadline - time.monotonic(), 0.0), _PAUSE)
            if await self.call(lambda g=gather: job.wait(g)):  # type: ignore[misc]
                break
        await progress.report(job.done, job.total, _state(job))


def _state(job: "Job") -> str:
    if job.state == "submitted":
        return f"{job.id}: planning {job.total} pipelines"
    message = f"{job.id}: {job.done} of {job.total} pipelines"
    best = job.info(limit=1)
    value = best.evaluations[0].metrics.get(best.metric) if best.evaluations else None
    if value is not None and value.mean is not None:
        message += f", best {best.metric} {value.mean:.6g} ({best.evaluations[0].name})"
    return message
