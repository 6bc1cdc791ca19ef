"""Jobs in the catalog: their states, and what became of those whose server is gone.

Input: job ids and states. Output: `JobRow` values.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from sqlite3 import Row
from typing import Any, get_args

import psutil

from executor.catalog_file import Database, from_json, to_json
from executor.catalog_rows import JobRow, JobState
from planner.errors import ServerError, SpecError

_SELECT = """
    SELECT *, (SELECT count(*) FROM evaluations WHERE job = jobs.id) AS done FROM jobs
"""
# psutil adds the boot time, which each process reads for itself and clock adjustments move.
_CLOCK_SLACK = 2.0


class JobTable(Database):
    """submitted -> running -> one terminal state, which never changes."""

    def __init__(self, path: Path, workspace: str) -> None:
        super().__init__(path)
        self.workspace = workspace
        self._pid_started = psutil.Process().create_time()

    def create_job(self, id: str, kind: str, session: str, request: Any, total: int) -> None:
        """Record a job of this process, in state ``submitted``."""
        with self.write() as connection:
            connection.execute(
                "INSERT INTO jobs (id, workspace, kind, session, state, request, total, pid,"
                " pid_started, created) VALUES (?, ?, ?, ?, 'submitted', ?, ?, ?, ?, ?)",
                (
                    *(id, self.workspace, kind, session, to_json(request), total),
                    *(os.getpid(), self._pid_started, time.time()),
                ),
            )

    def set_job_state(
        self,
        id: str,
        state: JobState,
        *,
        error: dict[str, Any] | None = None,
        result: Any = None,
        total: int | None = None,
    ) -> bool:
        """Move a job on; False if it was already there or past it, so that the first to end wins.

        `total` is the number of its evaluations, where that was not known before.

        Raises:
            SpecError: `unknown_job`.
        """
        if state not in get_args(JobState):
            raise ServerError("invalid_state", f"'{state}' is no state of a job.")
        before = {"submitted": (), "running": ("submitted",)}.get(state, ("submitted", "running"))
        moment = "started" if state == "running" else "finished"
        with self.write() as connection:
            changed = connection.execute(
                f"UPDATE jobs SET state = ?, error = ?, result = ?, {moment} = ?,"
                " total = coalesce(?, total)"
                f" WHERE id = ? AND state IN ({','.join('?' * len(before))})",
                (
                    *(state, None if error is None else to_json(error)),
                    *(None if result is None else to_json(result), time.time()),
                    *(total, id, *before),
                ),
            ).rowcount
        if not changed and not self.read("SELECT 1 FROM jobs WHERE id = ?", (id,)):
            raise _unknown(id)
        return changed > 0

    def get_job(self, id: str) -> JobRow:
        """The job; SpecError `unknown_job` if there is none."""
        rows = self.read(f"{_SELECT} WHERE id = ?", (id,))
        if not rows:
            raise _unknown(id)
        return _job(rows[0])

    def list_jobs(self, limit: int = 50) -> list[JobRow]:
        """Jobs of this workspace, newest first."""
        sql = f"{_SELECT} WHERE workspace = ? ORDER BY sequence DESC LIMIT ?"
        return [_job(row) for row in self.read(sql, (self.workspace, limit))]

    def interrupt_unfinished(
        self, pid_alive: Callable[[int, float], bool] | None = None
    ) -> list[str]:
        """End the jobs of servers that are gone as ``interrupted``; their ids.

        `pid_alive` gets the number and the start time of a process.
        """
        alive = pid_alive or process_alive
        sql = "SELECT id, pid, pid_started FROM jobs WHERE state IN ('submitted', 'running')"
        gone = [row["id"] for row in self.read(sql) if not alive(row["pid"], row["pid_started"])]
        return [id for id in gone if self.set_job_state(id, "interrupted")]


def process_alive(pid: int, started: float) -> bool:
    """Whether the process `pid` that started at that time still runs (numbers are reused)."""
    try:
        process = psutil.Process(pid)
        same = abs(process.create_time() - started) <= _CLOCK_SLACK
        return bool(same and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _unknown(id: str) -> SpecError:
    return SpecError(
        "unknown_job", f"There is no job '{id}'.", hint="List the jobs to see their ids."
    )


def _job(row: Row) -> JobRow:
    kept = ("id", "kind", "session", "state", "total", "done", "pid", "pid_started", "created")
    return JobRow(
        **{name: row[name] for name in kept},
        request=from_json(row["request"]),
        error=from_json(row["error"]),
        result=from_json(row["result"]),
        started=row["started"],
        finished=row["finished"],
    )
