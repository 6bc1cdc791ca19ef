"""Evaluations in the catalog: stored as they finish, found by name, ranked by score.

Input: `EvaluationRow` values. Output: the same, and pages of a leaderboard.
"""

import math
import time
from dataclasses import fields, replace
from sqlite3 import Row
from typing import Any

from executor.catalog_file import Database, from_json, to_json
from executor.catalog_rows import Direction, EvaluationRow, LeaderboardPage, digest
from planner.errors import SpecError

_JSON = ("spec", "metrics", "warnings", "error", "settings")
_FIELDS = tuple(field.name for field in fields(EvaluationRow))
_NUMBERS = ("seconds", "fit_seconds", "reused_seconds")
_COLUMNS = (*_FIELDS, "workspace", "identity")
_UPSERT = (
    f"INSERT INTO evaluations ({', '.join(_COLUMNS)})"
    f" VALUES ({', '.join('?' * len(_COLUMNS))})"
    " ON CONFLICT (job, position) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
)


class EvaluationTable(Database):
    """One row for each pipeline of a job; ranks beside it for each of its metrics."""

    workspace: str

    def put_evaluation(self, row: EvaluationRow) -> None:
        """Store the evaluation; durable on return. A second one for its (job, position) wins."""
        values = {name: getattr(row, name) for name in _FIELDS}
        for name in _JSON:
            values[name] = to_json(values[name]) if name != "error" or row.error else None
        values["created"] = row.created or time.time()
        # The name says nothing of what is computed.
        spec = row.spec
        if isinstance(spec, dict):
            spec = {name: value for name, value in spec.items() if name != "name"}
        values["identity"] = digest([self.workspace, spec, row.comparable])
        values["workspace"] = self.workspace
        with self.write() as connection:
            connection.execute(_UPSERT, [values[name] for name in _COLUMNS])
            found = connection.execute(
                "SELECT sequence FROM evaluations WHERE job = ? AND position = ?",
                (row.job, row.position),
            ).fetchone()
            connection.execute("DELETE FROM ranks WHERE evaluation = ?", (found[0],))
            connection.executemany(
                "INSERT INTO ranks VALUES (?, ?, ?, ?, ?)",
                [
                    (found[0], name, way, values["identity"], rank)
                    for name, way, rank in _ranks(row)
                ],
            )

    def evaluations(
        self, job: str, *, after: int = -1, limit: int | None = None
    ) -> list[EvaluationRow]:
        """Those of a job by position, from the first position greater than `after`."""
        sql = "SELECT * FROM evaluations WHERE job = ? AND position > ? ORDER BY position LIMIT ?"
        return [
            _evaluation(row) for row in self.read(sql, (job, after, -1 if limit is None else limit))
        ]

    def find_evaluation(self, id_or_name: str) -> EvaluationRow:
        """The evaluation of that id, else the newest of that name in this workspace.

        Raises:
            SpecError: `unknown_evaluation`.
        """
        # Ids name what was computed: the same pipeline has the same id in every job.
        rows = self.read(
            "SELECT * FROM evaluations WHERE id = ? ORDER BY sequence DESC LIMIT 1", (id_or_name,)
        ) or self.read(
            "SELECT * FROM evaluations WHERE workspace = ? AND name = ?"
            " ORDER BY sequence DESC LIMIT 1",
            (self.workspace, id_or_name),
        )
        if not rows:
            raise SpecError(
                "unknown_evaluation",
                f"There is no evaluation '{id_or_name}'.",
                hint="Take an id from a result or from the leaderboard.",
            )
        return _evaluation(rows[0])

    def leaderboard(
        self,
        metric: str,
        *,
        dataset: str | None = None,
        target: str | None = None,
        job: str | None = None,
        comparable: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> LeaderboardPage:
        """Evaluations of this workspace with status ``ok`` that have `metric`, best first.

        Of evaluations of equal specs and settings only the newest counts. `cursor` is that of
        the page before; rows added meanwhile neither repeat nor hide others.

        Raises:
            SpecError: `invalid_cursor`.
        """
        filters = {"dataset": dataset, "target": target, "job": job, "comparable": comparable}
        given = {name: value for name, value in filters.items() if value is not None}
        same_job = "" if job is None else " AND newer_e.job = e.job"
        scope = (
            " FROM ranks r JOIN evaluations e ON e.sequence = r.evaluation"
            " WHERE r.metric = ? AND e.workspace = ?"
            + "".join(f" AND e.{name} = ?" for name in given)
            + " AND NOT EXISTS (SELECT 1 FROM ranks newer"
            " JOIN evaluations newer_e ON newer_e.sequence = newer.evaluation"
            " WHERE newer.identity = r.identity AND newer.metric = r.metric"
            f" AND newer.evaluation > r.evaluation{same_job})"
        )
        parameters = [metric, self.workspace, *given.values()]
        groups = self.read(
            f"SELECT e.comparable, count(*) AS n {scope} GROUP BY e.comparable", parameters
        )
        start = ""
        paged: list[Any] = list(parameters)
        if cursor is not None:
            start = " AND (r.rank > ? OR (r.rank = ? AND r.evaluation > ?))"
            rank, sequence = _parse_cursor(cursor)
            paged += [rank, rank, sequence]
        rows = self.read(
            f"SELECT e.*, r.rank {scope}{start} ORDER BY r.rank, r.evaluation LIMIT ?",
            [*paged, limit + 1],
        )
        more = len(rows) > limit
        rows = rows[:limit]
        return LeaderboardPage(
            rows=tuple(_evaluation(row) for row in rows),
            cursor=f"{rows[-1]['rank']!r}:{rows[-1]['sequence']}" if more and rows else None,
            total=sum(row["n"] for row in groups),
            groups={row["comparable"]: row["n"] for row in groups},
        )


def _ranks(row: EvaluationRow) -> list[tuple[str, Direction, float]]:
    """(metric, direction, rank) of each metric; lower ranks are better."""
    if row.status != "ok":
        return []
    ranks: list[tuple[str, Direction, float]] = []
    for name, values in row.metrics.items():
        mean = values.get("mean")
        score = math.nan if mean is None else float(mean)
        fallback = row.direction if name == row.metric else "maximize"
        direction: Direction = values.get("direction", fallback)
        rank = -score if direction == "maximize" else score
        ranks.append((name, direction, math.inf if math.isnan(rank) else rank))
    return ranks


def _parse_cursor(cursor: str) -> tuple[float, int]:
    try:
        rank, sequence = cursor.split(":")
        return float(rank), int(sequence)
    except ValueError:
        raise SpecError(
            "invalid_cursor",
            f"'{cursor}' is not a cursor of the leaderboard.",
            hint="Pass the cursor of the page before, or none for the first page.",
        ) from None


def _evaluation(row: Row) -> EvaluationRow:
    values: dict[str, Any] = {name: row[name] for name in _FIELDS}
    for name in _JSON:
        values[name] = from_json(values[name])
    for name in _NUMBERS:  # SQLite keeps NaN as NULL
        values[name] = math.nan if values[name] is None else values[name]
    return replace(EvaluationRow(**values), warnings=tuple(values["warnings"]))
