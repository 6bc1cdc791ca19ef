"""Bins of training rows, kept by a worker for the next fit on the same rows.

Input: what the bins depend on, and how to make them. Output: the bins, made or found. The oldest
make room.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np

T = TypeVar("T")


class BinCache(Generic[T]):
    """Data sets of one library by key, at most `limit` bytes of them together."""

    def __init__(self, limit: int = 64 << 20) -> None:
        self.limit = limit
        self._found: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def values(self) -> list[T]:
        """Oldest first."""
        return [dataset for dataset, _ in self._found.values()]

    def clear(self) -> None:
        self._found.clear()

    def get(self, key: Hashable, size: int, make: Callable[[], T]) -> T:
        """What is kept under `key`, or else what `make` gives, which takes `size` bytes. What
        would crowd out the others is not kept."""
        found = self._found.get(key)
        if found is not None:
            self._found.move_to_end(key)
            return found[0]
        dataset = make()
        if size <= self.limit // 4:
            self._found[key] = (dataset, size)
        total = sum(size for _, size in self._found.values())
        while total > self.limit:
            _, (_, dropped) = self._found.popitem(last=False)
            total -= dropped
        return dataset


def digest(rows: np.ndarray) -> tuple[object, ...]:
    """Shape, type and content of an array, by which it is known again."""
    if rows.flags.f_contiguous and not rows.flags.c_contiguous:
        order, content = "F", hashlib.sha256(rows.T.data).digest()
    else:
        order, content = "C", hashlib.sha256(np.ascontiguousarray(rows).data).digest()
    return rows.shape, rows.dtype.str, order, content
