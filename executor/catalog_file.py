"""The SQLite file below the catalog: opening, migrating, setting a damaged one aside.

Input: a path. Output: a `Database` of which any number of threads and processes may use the
same file at once (write-ahead log; a writer waits for another, readers wait for nobody).
"""

import fcntl
import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from typing import Any

from executor.catalog_schema import MIGRATIONS, SCHEMA_VERSION
from planner.errors import ServerError, SpecError

_LOG = logging.getLogger(__name__)
_APPLICATION_ID = 0x53545241  # "STRA": tells our files from other SQLite files
_BUSY_SECONDS = 30.0
_CHECKED_BYTES = 32 * 2**20  # a full check of a greater file would delay the start
_MAX_JSON = 32 * 2**20
_IN_CHUNK = 900  # SQLite of before 3.32 takes 999 parameters
_DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Database:
    """One connection behind one lock; statements are short, so threads take turns.

    Attributes:
        warnings: What happened on opening that the user should know.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.warnings: list[str] = []
        self._lock = RLock()
        with _errors(path), _opening(path):
            try:
                self._connection = _open(path)
            except sqlite3.DatabaseError as error:
                if _primary_code(error) not in _DAMAGED:
                    raise
                self._warn(f"The catalog was damaged ({error}); kept as '{_set_aside(path)}'.")
                self._connection = _open(path)
        mode = self._connection.execute("PRAGMA journal_mode").fetchone()[0]
        if mode != "wal":
            self._warn(f"The catalog cannot use a write-ahead log here (journal mode {mode}).")

    def close(self) -> None:
        """Close the connection; safe to call twice."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed if the body ends well, else undone.

        Inside of another one it is a part of that, so that many changes cost one commit.
        """
        with self._lock, _errors(self.path):
            if self._connection.in_transaction:
                yield self._connection
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def read(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """All rows of one query."""
        with self._lock, _errors(self.path):
            return self._connection.execute(sql, parameters).fetchall()

    def read_keys(self, sql: str, keys: Iterable[str]) -> Iterator[sqlite3.Row]:
        """Rows of ``sql`` (ending before an IN list) for any number of keys."""
        wanted = list(dict.fromkeys(keys))
        for start in range(0, len(wanted), _IN_CHUNK):
            chunk = wanted[start : start + _IN_CHUNK]
            yield from self.read(f"{sql} ({','.join('?' * len(chunk))})", chunk)

    def trim(self, connection: sqlite3.Connection, table: str, keep: int) -> None:
        """Drop all but about the `keep` newest rows of a table whose row ids only grow."""
        connection.execute(
            f"DELETE FROM {table} WHERE rowid <= (SELECT max(rowid) FROM {table}) - ?", (keep,)
        )

    def _warn(self, message: str) -> None:
        _LOG.warning(message)
        self.warnings.append(message)


def to_json(value: Any) -> str:
    """JSON text of `value`; `too_large` above 32 MiB."""
    text = json.dumps(value, separators=(",", ":"))
    if len(text) > _MAX_JSON:
        raise ServerError(
            "too_large",
            f"A record of {len(text)} bytes is more than the catalog keeps ({_MAX_JSON}).",
            hint="Send smaller batches.",
        )
    return text


def from_json(text: str | None) -> Any:
    return None if text is None else json.loads(text)


@contextmanager
def _opening(path: Path) -> Iterator[None]:
    """Only one process at a time migrates, or sets a damaged file aside."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _open(path: Path) -> sqlite3.Connection:
    # Made here with a private mode; SQLite gives its side files the same.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    try:
        connection.row_factory = sqlite3.Row
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA_VERSION:
            raise ServerError(
                "catalog_too_new",
                f"The catalog '{path}' was written by a newer Stratum (schema {version}; this "
                f"one reads up to {SCHEMA_VERSION}).",
                hint="Upgrade Stratum, or give another home with --home or STRATUM_HOME.",
            )
        owner = connection.execute("PRAGMA application_id").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if owner != _APPLICATION_ID and (tables or version):
            raise ServerError(
                "catalog_unusable",
                f"'{path}' is an SQLite file of another program.",
                hint="Give another home with --home or STRATUM_HOME.",
            )
        suspect = _suspect(path)
        if path.stat().st_size <= _CHECKED_BYTES or suspect.exists():
            suspect.unlink(missing_ok=True)
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                error = sqlite3.DatabaseError(str(found))
                error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise error
        connection.execute("PRAGMA journal_mode=WAL")
        # A commit survives the end of the process; a power cut may undo the newest ones.
        connection.execute("PRAGMA synchronous=NORMAL")
        _migrate(connection, version)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, version: int) -> None:
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id={_APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _set_aside(path: Path) -> Path:
    """Rename a damaged file; its log first, which must never be applied to the next one."""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for suffix in ("-wal", "-shm", ""):
        with suppress(FileNotFoundError):
            os.rename(f"{path}{suffix}", f"{aside}{suffix}")
    return aside


def _suspect(path: Path) -> Path:
    """The mark that damage was met in use, so that the next opening checks the whole file."""
    return path.with_name(path.name + ".suspect")


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    """What SQLite and the file system raise, as errors that tell what to do."""
    try:
        yield
    except UnicodeEncodeError as error:
        raise SpecError(
            "invalid_text", "A text holds half of a surrogate pair.", hint="Send valid Unicode."
        ) from error
    except (sqlite3.Error, OSError) as error:
        codes = {
            sqlite3.SQLITE_BUSY: ("catalog_busy", "Another process keeps it locked; try again."),
            sqlite3.SQLITE_FULL: ("disk_full", "Free disk space."),
            sqlite3.SQLITE_CORRUPT: ("catalog_damaged", "Restart; a fresh one will be made."),
            sqlite3.SQLITE_NOTADB: ("catalog_damaged", "Restart; a fresh one will be made."),
        }
        found = _primary_code(error) if isinstance(error, sqlite3.Error) else 0
        if found in _DAMAGED:
            with suppress(OSError):
                _suspect(path).touch()
        code, hint = codes.get(found, ("catalog_unusable", "Give another home with --home."))
        raise ServerError(code, f"The catalog '{path}' failed: {error}.", hint=hint) from error
