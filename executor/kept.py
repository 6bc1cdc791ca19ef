"""Values that a worker keeps from task to task, the least recently used let go first.

Input: values by what they are the value of. Output: the same objects, whose arrays are read-only,
since every later task is given them too.
"""

from collections import OrderedDict
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from executor.sharing import freeze
from planner.plan import Value


class Kept:
    """At most `room` bytes of values."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.bytes = 0
        self._values: OrderedDict[Value, tuple[Any, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, value: Value) -> Any:
        """What is kept of `value`; None if nothing is."""
        entry = self._values.get(value)
        if entry is None:
            return None
        self._values.move_to_end(value)
        return entry[0]

    def put(self, value: Value, result: Any, most: int) -> None:
        """Keeps `result` unless it has more than `most` bytes, or none that could be counted."""
        size = size_of(result)
        if not 0 < size <= most:
            return
        freeze(result)
        self.bytes += size - self._values.pop(value, (None, 0))[1]
        self._values[value] = (result, size)
        while self.bytes > self.room:
            _, (_, dropped) = self._values.popitem(last=False)
            self.bytes -= dropped

    def clear(self) -> None:
        """Lets go of everything."""
        self._values.clear()
        self.bytes = 0

    def values(self) -> list[Any]:
        return [result for result, _ in self._values.values()]


def size_of(result: Any) -> int:
    """Bytes of arrays, frames, and pairs and lists of them; 0 for anything else."""
    if isinstance(result, pd.DataFrame):
        return int(result.memory_usage(index=False).sum())
    if isinstance(result, pd.Series):
        return int(result.memory_usage(index=False))
    if isinstance(result, np.ndarray):
        return int(result.nbytes)
    if isinstance(result, list | tuple):
        return sum(size_of(item) for item in result)
    if sp.issparse(result):
        return int(result.data.nbytes) * 2
    return 0
