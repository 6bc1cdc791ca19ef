"""Runs one task in a worker.

Input: a `Task` and where its blocks are. Output: scores, what was saved, timings, warnings, and
failures by node, all JSON-able. A failing instruction fails only what depends on it.
"""

import time
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from executor import blocks
from executor.backends.base import Backend, Context
from executor.backends.duckdb import DuckDBBackend
from executor.backends.python import PythonBackend
from executor.backends.rust import RustBackend
from executor.failures import describe_failure
from planner.errors import StratumError
from planner.ops import Columns, Folds, Vector
from planner.plan import Instruction, Task, Value

# The first backend that supports an op runs it; Python, the oracle, comes last.
BACKENDS: tuple[Backend, ...] = (DuckDBBackend(), RustBackend(), PythonBackend())

# Values that many tasks read and none changes, kept from task to task within a worker.
_CACHE_BYTES = 512 << 20
_cache: OrderedDict[Value, tuple[Any, int]] = OrderedDict()
_MAX_WARNINGS = 5


def run(
    task: Task, directory: str, datasets: Mapping[str, str], memory: str
) -> dict[str, Any]:
    """Runs the instructions of `task` in order.

    Returns ``{"scores": [[key, fold, value]], "saved": [[block name, bytes, seconds]],
    "timings": [[op, backend, seconds]], "warnings": {key: [text]}, "failures": {key: error}}``.
    """
    folder = Path(directory)
    state = _State(folder, datasets, memory, task.threads)
    saves = set(task.saves)
    scores: list[list[Any]] = []
    saved: list[list[Any]] = []
    for value in task.loads:
        state.load(value)
    for instruction in task.instructions:
        if not state.step(instruction):
            continue
        if instruction.out in saves:
            name = instruction.out.name
            info = blocks.save(state.values[instruction.out], folder, name)
            saved.append([name, info.bytes, state.seconds[instruction.out]])
    for value in task.scores:
        if value in state.values:
            scores.append([value.key, value.fold, float(state.values[value])])
    return {
        "scores": scores,
        "saved": saved,
        "timings": state.timings,
        "warnings": state.warnings,
        "failures": state.failures,
    }


class _State:
    """Values of one running task."""

    def __init__(
        self, folder: Path, datasets: Mapping[str, str], memory: str, threads: int
    ) -> None:
        self.folder = folder
        self.datasets = datasets
        self.memory = memory
        self.threads = threads
        self.values: dict[Value, Any] = {}
        self.seconds: dict[Value, float] = {}
        self.timings: list[list[Any]] = []
        self.warnings: dict[str, list[str]] = {}
        self.failures: dict[str, dict[str, str]] = {}
        self._failed: dict[Value, str] = {}

    def load(self, value: Value) -> None:
        cached = _cache.get(value)
        if cached is not None:
            _cache.move_to_end(value)
            self.values[value] = cached[0]
            return
        self.values[value] = blocks.load(self.folder, value.name)

    def step(self, instruction: Instruction) -> bool:
        """Runs one instruction; False if it, or what it reads, failed."""
        out, op, inputs = instruction
        cause = next((self._failed[i] for i in inputs if i in self._failed), None)
        if cause is not None:
            self._failed[out] = cause
            return False
        if self._reuse(out):
            return True
        backend = next(b for b in BACKENDS if b.supports(op))
        context = Context(out.fold, self.threads, self.datasets, self.memory)
        started = time.perf_counter()
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                result = backend.run(op, [self.values[i] for i in inputs], context)
        except StratumError as error:
            self._fail(out, error.to_dict())
            return False
        except MemoryError:
            raise
        except Exception as error:
            self._fail(out, describe_failure(op, error).to_dict())
            return False
        elapsed = time.perf_counter() - started
        self.values[out] = result
        self.seconds[out] = elapsed
        self.timings.append([type(op).__name__, backend.name, elapsed])
        self._warn(out.key, caught)
        if isinstance(op, Columns | Vector | Folds):
            _remember(out, result)
        return True

    def _reuse(self, out: Value) -> bool:
        cached = _cache.get(out)
        if cached is None:
            return False
        _cache.move_to_end(out)
        self.values[out] = cached[0]
        self.seconds[out] = 0.0
        return True

    def _fail(self, out: Value, error: dict[str, str]) -> None:
        self._failed[out] = out.key
        self.failures.setdefault(out.key, error)

    def _warn(self, key: str, caught: list[warnings.WarningMessage]) -> None:
        texts = self.warnings.setdefault(key, []) if caught else []
        for warning in caught:
            if issubclass(warning.category, DeprecationWarning | FutureWarning):
                continue
            text = f"{warning.category.__name__}: {str(warning.message).strip()[:300]}"
            if text not in texts and len(texts) < _MAX_WARNINGS:
                texts.append(text)


def _remember(value: Value, result: Any) -> None:
    """Keeps a value for later tasks; read-only, since every task sees the same object."""
    size = _size(result)
    if size > _CACHE_BYTES // 4:
        return
    if isinstance(result, np.ndarray):
        result.setflags(write=False)
    _cache[value] = (result, size)
    total = sum(entry[1] for entry in _cache.values())
    while total > _CACHE_BYTES:
        _, (_, dropped) = _cache.popitem(last=False)
        total -= dropped


def _size(result: Any) -> int:
    if isinstance(result, pd.DataFrame):
        return int(result.memory_usage(index=False).sum())
    if isinstance(result, pd.Series):
        return int(result.memory_usage(index=False))
    if isinstance(result, np.ndarray):
        return int(result.nbytes)
    if isinstance(result, list | tuple):
        return sum(_size(item) for item in result)
    return 0
