"""The engine's index of blocks: which exist, what they cost, which go when room is short.

Input: names and costs of blocks that workers wrote. Output: what is there, and evictions. Any
number of servers may share the directory; the files are the truth and each index a view of it.
What must outlive the process is in the files: the seconds a block took in its trailer, its last
use in its modification time.
"""

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock

from executor.block_file import (
    TEMPORARY,
    BlockError,
    block_name,
    block_path,
    read_seconds,
    temporary_pid,
    write_seconds,
)

_LOW_WATER = 0.9  # evicting somewhat more than needed keeps the next evictions away
_RESCAN_SECONDS = 60.0  # how long blocks of other servers may go unnoticed
_LEFTOVER_SECONDS = 3600.0  # no block takes longer to write
_IN_USE_SECONDS = 600.0


@dataclass
class _Entry:
    bytes: int
    used: float  # last use, seconds since the epoch
    seconds: float | None = None  # to recompute; None: in the trailer, not read yet
    own: bool = False  # made or used by this process


class Store:
    """Blocks below `directory`, kept to about `limit_bytes`. Safe to use from any thread.

    A block may vanish at any time, since another server may evict it: readers get a `BlockError`
    and the value is recomputed. Mapped blocks stay readable after their file is removed.
    """

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        self.directory = directory
        self.limit_bytes = limit_bytes
        self._entries: dict[str, _Entry] = {}
        self._bytes = 0
        self._pins: Counter[str] = Counter()
        self._lock = RLock()
        self._scanned = 0.0
        self.scan()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def bytes(self) -> int:
        """Size of all known blocks."""
        return self._bytes

    def path(self, name: str) -> Path:
        """Where the block is, or would be."""
        return block_path(self.directory, name)

    def has(self, name: str) -> bool:
        """Whether the block exists, whoever wrote it; one look at the file system."""
        try:
            status = self.path(name).stat()
        except OSError:
            with self._lock:
                self._drop(name)
            return False
        with self._lock:
            self._put(name, status)
        return True

    def note(self, name: str, bytes: int, seconds: float) -> None:
        """A worker wrote the block: `bytes` of file, `seconds` to compute it."""
        with suppress(OSError):  # evicted already, by another server
            write_seconds(self.path(name), seconds)
        with self._lock:
            self._drop(name)
            self._entries[name] = _Entry(bytes, time.time(), seconds, own=True)
            self._bytes += bytes

    def touch(self, names: Iterable[str]) -> None:
        """The blocks are used now."""
        now = time.time()
        with self._lock:
            for name in names:
                with suppress(OSError):
                    os.utime(self.path(name), (now, now))
                if (entry := self._entries.get(name)) is not None:
                    entry.used, entry.own = now, True

    def pin(self, names: Iterable[str]) -> None:
        """Keep these from eviction here until unpinned as often; they need not exist yet."""
        kept = list(names)
        with self._lock:
            self._pins.update(kept)
            self.touch(name for name in kept if name in self._entries)

    def unpin(self, names: Iterable[str]) -> None:
        """Undo one `pin` of each."""
        with self._lock:
            for name in names:
                self._pins[name] -= 1
                if self._pins[name] <= 0:
                    del self._pins[name]

    def remove(self, name: str) -> None:
        """Delete the block, pinned or not; fine if it is gone."""
        with self._lock:
            with suppress(FileNotFoundError):
                self.path(name).unlink()
            self._drop(name)

    def evict(self) -> list[str]:
        """If above the limit, remove what is cheapest to recompute per byte; the names removed.

        Among equals the least recently used goes first. Pinned blocks stay, so the store may
        end above its limit. Blocks that another server used lately are taken last.
        """
        with self._lock:
            if time.monotonic() - self._scanned > _RESCAN_SECONDS:
                self.scan()
            if self._bytes <= self.limit_bytes:
                return []
            recent = time.time() - _IN_USE_SECONDS
            candidates = []
            for name, entry in self._entries.items():
                if name not in self._pins:
                    value = self._seconds(name, entry) / max(entry.bytes, 1)
                    in_use = not entry.own and entry.used > recent
                    candidates.append((in_use, value, entry.used, name))
            removed = []
            for *_, name in sorted(candidates):
                if self._bytes <= self.limit_bytes * _LOW_WATER:
                    break
                self.remove(name)
                removed.append(name)
            return removed

    def scan(self) -> None:
        """Bring the index up to date with the directory; remove forgotten temporary files."""
        with self._lock:
            found: set[str] = set()
            for shard in _entries(self.directory):
                if shard.name == TEMPORARY or not shard.is_dir(follow_symlinks=False):
                    continue
                for file in _entries(Path(shard.path)):
                    if (name := block_name(Path(file.path))) is not None:
                        with suppress(FileNotFoundError):
                            self._put(name, file.stat(follow_symlinks=False))
                            found.add(name)
            for name in self._entries.keys() - found:
                self._drop(name)
            self._remove_temporaries(older_than=time.time() - _LEFTOVER_SECONDS)
            self._scanned = time.monotonic()

    def discard_temporaries(self, pid: int) -> None:
        """Remove what the worker `pid`, which is gone, was writing when it was killed."""
        self._remove_temporaries(pid=pid)

    def _remove_temporaries(self, *, pid: int | None = None, older_than: float = 0.0) -> None:
        for file in _entries(self.directory / TEMPORARY):
            maker = temporary_pid(file.name)
            with suppress(OSError):
                if maker is not None and (
                    maker == pid or file.stat(follow_symlinks=False).st_mtime < older_than
                ):
                    os.unlink(file.path)

    def _put(self, name: str, status: os.stat_result) -> None:
        entry = self._entries.get(name)
        if entry is None:
            entry = self._entries[name] = _Entry(0, 0.0)
        self._bytes += status.st_size - entry.bytes
        entry.bytes = status.st_size
        entry.used = status.st_mtime

    def _drop(self, name: str) -> None:
        if (entry := self._entries.pop(name, None)) is not None:
            self._bytes -= entry.bytes

    def _seconds(self, name: str, entry: _Entry) -> float:
        if entry.seconds is None:
            try:
                entry.seconds = read_seconds(self.path(name))
            except BlockError:
                entry.seconds = 0.0  # damaged: worth nothing
        return entry.seconds


def _entries(directory: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as found:
            yield from found
    except FileNotFoundError:
        return
