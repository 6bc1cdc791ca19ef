"""What a kernel takes of memory. Input: its work and what that reads. Output: bytes."""

import ctypes
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse as sp

from evals.kernel_cases.base import Memory


def memory_of(work: Callable[[], Any], given: Any) -> Memory:
    """By how much the process grows while `work` runs, beyond what it returns.

    The kernel of the system counts whole pages; a few hundred kB more or less mean nothing.
    """
    # What was freed before must not hide what is taken now.
    pa.default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is resident now
    before = _resident("VmHWM")
    found = work()
    grown = _resident("VmHWM") - before
    return Memory(max(grown - size_of(found), 0), size_of(given))


def size_of(value: Any) -> int:
    """Bytes of the arrays in a value, each counted once."""
    found: dict[int, int] = {}
    for address, size in _arrays(value):
        found[address] = max(size, found.get(address, 0))
    return sum(found.values())


def _arrays(value: Any) -> Iterator[tuple[int, int]]:
    if isinstance(value, np.ndarray):
        yield value.__array_interface__["data"][0], value.nbytes
    elif isinstance(value, pa.Table):
        yield id(value), value.nbytes
    elif isinstance(value, pd.DataFrame | pd.Series):
        yield id(value), int(np.sum(value.memory_usage(index=False, deep=True)))
    elif sp.issparse(value):
        for name in ("data", "indices", "indptr"):
            yield from _arrays(getattr(value, name, None))
    elif isinstance(value, Mapping):
        yield from _arrays(value.values())
    elif dataclasses.is_dataclass(value):
        yield from _arrays([getattr(value, field.name) for field in dataclasses.fields(value)])
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for item in value:
            yield from _arrays(item)


def _resident(field_name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field_name):
            return int(line.split()[1]) * 1024
    raise ValueError(field_name)
