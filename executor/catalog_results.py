"""Results in the catalog that save work later: scores, failures, answered requests.

Input and output: keys of the planner, and the rows of `catalog_rows`. Each table is bounded;
the oldest rows go first.
"""

import math
import sys
import time
from array import array
from collections.abc import Iterable
from typing import Any

from executor.catalog_file import Database, from_json, to_json
from executor.catalog_rows import FailureRow, ScoreRow

_KEEP_SCORES = 2_000_000
_KEEP_FAILURES = 100_000
_KEEP_MEMOS = 5_000


class ResultTable(Database):
    """Look-ups take any number of keys and leave out what is unknown."""

    def put_scores(self, rows: Iterable[ScoreRow]) -> None:
        """Store or replace, in one transaction."""
        now = time.time()
        values = [
            (
                *(row.key, _pack(row.folds), row.seconds),
                *(to_json(row.warnings) if row.warnings else None,),
                *(to_json(row.extra) if row.extra else None, row.created or now),
            )
            for row in rows
        ]
        with self.write() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO scores (key, folds, seconds, warnings, extra, created)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                values,
            )
            self.trim(connection, "scores", _KEEP_SCORES)

    def get_scores(self, keys: Iterable[str]) -> dict[str, ScoreRow]:
        """Scores by key."""
        sql = "SELECT key, folds, seconds, warnings, extra, created FROM scores WHERE key IN"
        return {
            key: ScoreRow(
                key,
                _unpack(folds),
                math.nan if seconds is None else seconds,
                tuple(from_json(warnings)) if warnings else (),
                from_json(extra) if extra else {},
                created,
            )
            for key, folds, seconds, warnings, extra, created in self.read_keys(sql, keys)
        }

    def put_failures(self, rows: Iterable[FailureRow]) -> None:
        """Store or replace, in one transaction."""
        now = time.time()
        with self.write() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO failures (key, code, message, hint, seconds, created)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                [(r.key, r.code, r.message, r.hint, r.seconds, r.created or now) for r in rows],
            )
            self.trim(connection, "failures", _KEEP_FAILURES)

    def get_failures(self, keys: Iterable[str]) -> dict[str, FailureRow]:
        """Failures by key."""
        sql = (
            "SELECT key, code, message, hint, ifnull(seconds, 0.0) AS seconds, created"
            " FROM failures WHERE key IN"
        )
        return {row["key"]: FailureRow(**dict(row)) for row in self.read_keys(sql, keys)}

    def put_memo(self, key: str, payload: Any) -> None:
        """Remember the answer (JSON) to a request by the hash of the request."""
        text = to_json(payload)
        with self.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO requests (key, payload, created) VALUES (?, ?, ?)",
                (key, text, time.time()),
            )
            self.trim(connection, "requests", _KEEP_MEMOS)

    def get_memos(self, keys: Iterable[str]) -> dict[str, Any]:
        """Remembered answers by key."""
        sql = "SELECT key, payload FROM requests WHERE key IN"
        return {key: from_json(payload) for key, payload in self.read_keys(sql, keys)}


def _pack(values: Iterable[float]) -> bytes:
    """Little-endian doubles."""
    packed = array("d", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


def _unpack(data: bytes) -> tuple[float, ...]:
    values = array("d", data)
    if sys.byteorder == "big":
        values.byteswap()
    return tuple(values)
