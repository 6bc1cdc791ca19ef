"""Measurements in the catalog: how long work took, and how large values were.

Input and output: rows of `catalog_rows`. Both tables are bounded; the oldest rows go first.
"""

import math
import time
from collections.abc import Iterable

from executor.catalog_file import Database
from executor.catalog_rows import ExtentRow, Timing

_KEEP_TIMINGS = 50_000
_KEEP_EXTENTS = 50_000


class TimingTable(Database):
    """Timings are appended; of an extent the newest is kept by key."""

    def add_timings(self, rows: Iterable[Timing]) -> None:
        """Append measurements, in one transaction."""
        now = time.time()
        values = [
            (row.kind, row.backend, row.threads, row.rows, row.columns, row.rounds, row.seconds,
             row.expected, row.base, row.model, row.created or now)
            for row in rows
            if math.isfinite(row.seconds)
        ]  # fmt: skip
        with self.write() as connection:
            connection.executemany(
                "INSERT INTO timings (kind, backend, threads, rows, columns, rounds, seconds,"
                " expected, base, model, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                values,
            )
            self.trim(connection, "timings", _KEEP_TIMINGS)

    def timings(self, limit: int = 20_000) -> list[Timing]:
        """The newest measurements of all servers of this home, oldest first."""
        rows = self.read(
            "SELECT kind, backend, threads, rows, columns, rounds, seconds, expected, base, model,"
            " created FROM timings ORDER BY sequence DESC LIMIT ?",
            (limit,),
        )
        return [Timing(*row) for row in reversed(rows)]

    def put_extents(self, rows: Iterable[ExtentRow]) -> None:
        """Store or replace, in one transaction."""
        with self.write() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO extents (key, rows, columns, stored) VALUES (?, ?, ?, ?)",
                [(row.key, row.rows, row.columns, row.stored) for row in rows],
            )
            self.trim(connection, "extents", _KEEP_EXTENTS)

    def extents(self, limit: int = 20_000) -> list[ExtentRow]:
        """The newest extents, oldest first."""
        sql = "SELECT key, rows, columns, stored FROM extents ORDER BY sequence DESC LIMIT ?"
        return [ExtentRow(*row) for row in reversed(self.read(sql, (limit,)))]
