"""The file of one block: raw segments, a manifest that describes them, and a fixed trailer.

Input: bytes of segments and a JSON manifest. Output: a file that appears under its final name
only when complete, and segments of its memory map. Standard library only, so that the engine
process can read trailers without loading NumPy.

Layout: the magic; segments, each at a multiple of 64 bytes; the manifest; the trailer (offset
and length of the manifest, seconds to recompute, digest of the manifest, the magic again). A
file that lost its end, or any part before it, does not open.
"""

import errno
import json
import math
import mmap
import os
import platform
import re
import secrets
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO

from planner.errors import ExecutionError

MAGIC = b"STRATUM\x01"
SUFFIX = ".block"
TEMPORARY = "tmp"  # folder below the block directory; shards are named by two characters
_ALIGN = 64
_TRAILER = struct.Struct("<QQd16s8s")
_SECONDS_FROM_END = _TRAILER.size - 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
# EFBIG is what a file size limit of the process gives, EDQUOT a quota of the user.
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# A block may be larger than memory: room for copies of its pages is not to be set aside.
_LINUX = sys.platform == "linux" and platform.machine() in ("x86_64", "aarch64")
_NO_RESERVE: int = getattr(mmap, "MAP_NORESERVE", 0x4000 if _LINUX else 0)


class BlockError(ExecutionError):
    """A block is missing, truncated or damaged (code `block_unreadable`): recompute it."""


def unreadable(name: str, why: str) -> BlockError:
    return BlockError("block_unreadable", f"The stored block '{name}' cannot be read: {why}.")


def block_path(directory: Path, name: str) -> Path:
    """The file of the block `name` below `directory`, whether or not it exists."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a block name: {name!r}")
    return directory / name[:2] / f"{name}{SUFFIX}"


def block_name(path: Path) -> str | None:
    """The name of the block that this file holds; None if it is no block in its place."""
    stem = path.stem
    good = path.suffix == SUFFIX and _NAME.fullmatch(stem) and path.parent.name == stem[:2]
    return stem if good else None


def temporary_pid(file_name: str) -> int | None:
    """The process that made this temporary file; None if it is no temporary file of ours."""
    pid, dash, _ = file_name.partition("-")
    return int(pid) if dash and pid.isdigit() and file_name.endswith(".tmp") else None


class BlockWriter:
    """Appends segments to a block under construction; `manifest` must be set before the end."""

    def __init__(self, file: BinaryIO) -> None:
        self.manifest: Any = None
        self.size = 0
        self._file = file
        self.write(MAGIC)

    def write(self, data: Any) -> int:
        """Write the bytes of a contiguous buffer where the file ends."""
        length = memoryview(data).nbytes
        self._file.write(data)
        self.size += length
        return length

    def align(self) -> int:
        """Pad to where a segment may start, and return that offset."""
        self.write(bytes(-self.size % _ALIGN))
        return self.size

    def finish(self) -> None:
        offset = self.align()
        manifest = json.dumps(self.manifest, separators=(",", ":")).encode()
        self.write(manifest)
        digest = _digest(offset, manifest)
        self.write(_TRAILER.pack(offset, len(manifest), 0.0, digest, MAGIC))


@contextmanager
def create_block(directory: Path, name: str) -> Iterator[BlockWriter]:
    """A writer whose file becomes the block `name` if the body ends well, and else is removed.

    Raises:
        ExecutionError: `disk_full` if the device, a quota or a file size limit is exhausted.
    """
    path = block_path(directory, name)
    scratch = directory / TEMPORARY
    temporary = scratch / f"{os.getpid()}-{secrets.token_hex(8)}.tmp"
    try:
        scratch.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(exist_ok=True)
        with open(temporary, "xb") as file:
            writer = BlockWriter(file)
            yield writer
            writer.finish()
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno in _FULL:
            raise ExecutionError(
                "disk_full",
                f"There is no room left in '{directory}' for an intermediate result.",
                hint="Free disk space, choose another home directory, or lower the store limit.",
            ) from error
        raise


class BlockReader:
    """A checked block, memory-mapped; segments stay valid as long as something refers to them.

    The map is private and copied on write: library code may write into an array that it was
    given, as it may into any other, and neither the file nor another reader sees that.
    """

    def __init__(self, directory: Path, name: str) -> None:
        self.name = name
        try:
            with open(block_path(directory, name), "rb") as file:
                offset, length, _ = _read_trailer(file, name)
                file.seek(offset)
                text = file.read(length)
                file.seek(-24, os.SEEK_END)
                if file.read(16) != _digest(offset, text):
                    raise unreadable(name, "its manifest is damaged")
                self.manifest: Any = json.loads(text)
                self._end = offset
                self._map = mmap.mmap(
                    file.fileno(),
                    0,
                    flags=mmap.MAP_PRIVATE | _NO_RESERVE,
                    prot=mmap.PROT_READ | mmap.PROT_WRITE,
                )
        except OSError as error:
            raise unreadable(name, error.strerror or str(error)) from error

    def segment(self, offset: int, length: int) -> memoryview:
        """A view of `length` bytes from `offset`; writing into it changes this process alone."""
        if not 0 < offset <= offset + length <= self._end:
            raise unreadable(self.name, "a segment lies outside of it")
        return memoryview(self._map)[offset : offset + length]


def read_seconds(path: Path) -> float:
    """Seconds it took to compute the block at `path`; BlockError if it is not whole."""
    try:
        with open(path, "rb") as file:
            return _read_trailer(file, path.stem)[2]
    except OSError as error:
        raise unreadable(path.stem, error.strerror or str(error)) from error


def write_seconds(path: Path, seconds: float) -> None:
    """Record how long the block at `path` took; it counts as used now.

    The one part of a block that may change: eight bytes of the trailer, outside of the digest.
    """
    with open(path, "r+b") as file:
        file.seek(-_SECONDS_FROM_END, os.SEEK_END)
        file.write(struct.pack("<d", seconds))


def _digest(offset: int, manifest: bytes) -> bytes:
    return blake2b(offset.to_bytes(8, "little") + manifest, digest_size=16).digest()


def _read_trailer(file: BinaryIO, name: str) -> tuple[int, int, float]:
    size = file.seek(0, os.SEEK_END)
    if size < len(MAGIC) + _TRAILER.size:
        raise unreadable(name, "it is truncated")
    file.seek(size - _TRAILER.size)
    offset, length, seconds, _, magic = _TRAILER.unpack(file.read(_TRAILER.size))
    if magic != MAGIC or offset + length + _TRAILER.size != size:
        raise unreadable(name, "it is truncated or of another format")
    return offset, length, seconds if math.isfinite(seconds) and seconds > 0 else 0.0
