"""Runs one task in a worker.

Input: a `Task` and where its blocks are. Output: scores, what was saved, timings, warnings, and
failures by node, all JSON-able. A failing instruction fails only what depends on it.
"""

import time
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from executor import blocks
from executor.backends.base import Backend, Context, Together, Work
from executor.backends.duckdb import DuckDBBackend
from executor.backends.python import PythonBackend
from executor.backends.rust import RustBackend
from executor.extents import extents
from executor.failures import describe_failure
from executor.kept import Kept, size_of
from executor.sharing import copied, freeze, refused_write
from planner.errors import ExecutionError, StratumError
from planner.graph import Op, Role
from planner.ops import Columns, Folds, Vector
from planner.ops_encode import Codes
from planner.plan import Instruction, Task, Value

# The first backend that supports an op runs it; Python, the oracle, comes last.
BACKENDS: tuple[Backend, ...] = (DuckDBBackend(), RustBackend(), PythonBackend())

# Values that many tasks read and none changes.
_kept = Kept(512 << 20)
_LARGEST = 128 << 20
# Features of a fold are made by every task that fits on them, unless they are worth a block. Where
# they are small, that takes as long as a fit.
_SMALL = 8 << 20
_MAX_WARNINGS = 5
# An offered value is kept if making it again takes longer than this, and much longer than
# writing and reading it.
_WORTH_SECONDS = 0.03
_WORTH_BYTES_PER_SECOND = 200e6
# What waits to be run with others like it may hold on to so much of what it reads.
_WAITING_BYTES = 128 << 20


def run(
    task: Task,
    directory: str,
    datasets: Mapping[str, str],
    memory: str,
    backends: Sequence[Backend] = BACKENDS,
) -> dict[str, Any]:
    """Runs the instructions of `task` in order, each on the first backend that supports it.

    Returns ``{"scores": [[key, fold, value]], "saved": [[block name, bytes, seconds]],
    "timings": [[op, backend, seconds, position, extents]], "warnings": {key: [text]},
    "failures": {key: error}, "unreadable": [block name]}``; a timing is of the instruction at
    `position`, and has the sizes that `executor.extents` describes.
    """
    folder = Path(directory)
    state = _State(task, folder, datasets, memory, backends)
    unreadable = [value.name for value in task.loads if not state.load(value)]
    # Without an input nothing is run: the engine removes it and plans the pipelines again.
    for position, instruction in enumerate(() if unreadable else task.instructions):
        if state.put_off(instruction, position):
            continue
        if state.step(instruction, position):
            state.keep(instruction.out)
        state.release(instruction.inputs)
    state.catch_up()
    scores = [
        [value.key, value.fold, float(state.values[value])]
        for value in task.scores
        if value in state.values
    ]
    return {
        "scores": scores,
        "saved": state.saved,
        "timings": state.timings,
        "warnings": state.warnings,
        "failures": state.failures,
        "unreadable": unreadable,
    }


def forget() -> None:
    """Drops the values that are kept from task to task."""
    _kept.clear()


class _State:
    """Values of one running task."""

    def __init__(
        self,
        task: Task,
        folder: Path,
        datasets: Mapping[str, str],
        memory: str,
        backends: Sequence[Backend],
    ) -> None:
        self.folder = folder
        self.datasets = datasets
        self.memory = memory
        self.threads = task.threads
        self.backends = backends
        self.values: dict[Value, Any] = {}
        self.saved: list[list[Any]] = []
        self.timings: list[list[Any]] = []
        self.warnings: dict[str, list[str]] = {}
        self.failures: dict[str, dict[str, str]] = {}
        self._saves = frozenset(task.saves)
        self._offers = frozenset(task.offers)
        # What making a value again would take, from what is stored.
        self._spent: dict[Value, float] = {}
        self._warned: set[Value] = set()
        self._failed: dict[Value, str] = {}
        self._gathering: list[Together] = [b for b in backends if isinstance(b, Together)]
        self._waiting: list[tuple[Together, Instruction, int]] = []
        self._held: dict[Value, int] = {}
        # How often a value is yet to be read; what nobody reads any more is let go.
        self._uses = Counter(v for i in task.instructions for v in i.inputs)
        self._uses.update(task.scores)

    def load(self, value: Value) -> bool:
        """Takes in the block of `value`; False if it cannot be read."""
        cached = _kept.get(value)
        if cached is None:
            try:
                cached = blocks.load(self.folder, value.name)
            except blocks.BlockError:
                return False
            self._protect(value, cached)
            _kept.put(value, cached, _SMALL)
        self.values[value] = cached
        return True

    def _protect(self, value: Value, result: Any) -> None:
        """What one instruction may write into, another must not read afterwards."""
        if self._uses[value] > 1:
            freeze(result)

    def keep(self, value: Value) -> None:
        """Saves the value as a block if other tasks want it, or it is worth keeping."""
        if value not in self._saves and not self._worth(value):
            return
        try:
            info = blocks.save(self.values[value], self.folder, value.name)
        except StratumError as error:
            if error.code != "unstorable_value":
                raise
            if value in self._saves:
                self._fail(value, error.to_dict())
        else:
            self.saved.append([value.name, info.bytes, self._spent.get(value, 0.0)])
            self._spent[value] = 0.0

    def _worth(self, value: Value) -> bool:
        """Whether an offered value took long for its size; with a warning it is made again, so
        that the warning is given again."""
        if value not in self._offers or value in self._warned:
            return False
        limit = _WORTH_SECONDS + size_of(self.values[value]) / _WORTH_BYTES_PER_SECOND
        return self._spent.get(value, 0.0) > limit

    def release(self, inputs: tuple[Value, ...]) -> None:
        """Notes that an instruction is done with its inputs."""
        for value in inputs:
            self._uses[value] -= 1
            if not self._uses[value]:
                self.values.pop(value, None)

    def put_off(self, instruction: Instruction, position: int) -> bool:
        """Whether the instruction waits for others, with which it is faster run."""
        gathering = next((b for b in self._gathering if b.gathers(instruction.op)), None)
        if gathering is None:
            return False
        self._waiting.append((gathering, instruction, position))
        for value in instruction.inputs[:1]:
            if value not in self._held and value in self.values:
                self._held[value] = size_of(self.values[value])
        if sum(self._held.values()) > _WAITING_BYTES:
            self.catch_up()
        return True

    def catch_up(self) -> None:
        """Runs what waits, by kind; one by one what cannot be run together, or failed before."""
        waiting, self._waiting, self._held = self._waiting, [], {}
        for gathering in self._gathering:
            mine = [(i, position) for owner, i, position in waiting if owner is gathering]
            ready = [item for item in mine if self._failed.keys().isdisjoint(item[0].inputs)]
            done = self._together(gathering, ready) if ready else set()
            for instruction, position in mine:
                if instruction.out not in done:
                    self.step(instruction, position)
                self.release(instruction.inputs)

    def _together(self, backend: Together, ready: Sequence[tuple[Instruction, int]]) -> set[Value]:
        """Runs instructions in one go; says which of them have a value now."""
        works = [
            Work(op, [self.values[i] for i in inputs], self._context(out))
            for (out, op, inputs), _ in ready
        ]
        started = time.perf_counter()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            results = backend.together(works)
        found = [item for item in zip(ready, works, results, strict=True) if item[2] is not None]
        elapsed = (time.perf_counter() - started) / max(len(found), 1)
        for ((out, op, _), position), work, result in found:
            self.values[out] = result
            sizes = list(extents(work.inputs, result, out.fold))
            self.timings.append([type(op).__name__, backend.name, elapsed, position, sizes])
        self._warn(ready[0][0].out.key, caught)
        return {instruction.out for (instruction, _), _, _ in found}

    def _context(self, out: Value) -> Context:
        return Context(out.fold, self.threads, self.datasets, self.memory)

    def step(self, instruction: Instruction, position: int) -> bool:
        """Runs one instruction; False if it, or what it reads, failed."""
        out, op, inputs = instruction
        failed = [i for i in inputs if i in self._failed]
        if failed and not self._spared(op, inputs):
            self._failed[out] = self._failed[failed[0]]
            return False
        cached = _kept.get(out)
        if cached is not None:
            self.values[out] = cached
            return True
        backend = next(b for b in self.backends if b.supports(op))
        context = self._context(out)
        arguments = [self._told(i) if i in failed else self.values[i] for i in inputs]
        started = time.perf_counter()
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                result = _run(backend, op, arguments, context)
        except StratumError as error:
            self._fail(out, error.to_dict(), error.node)
            return False
        except MemoryError:
            raise
        except Exception as error:
            self._fail(out, describe_failure(op, error).to_dict())
            return False
        elapsed = time.perf_counter() - started
        self._protect(out, result)
        self.values[out] = result
        self._spent[out] = elapsed + sum(self._spent.get(i, 0.0) for i in set(inputs))
        sizes = list(extents(arguments, result, out.fold))
        self.timings.append([type(op).__name__, backend.name, elapsed, position, list(sizes)])
        self._warn(out.key, caught)
        if out.key in self.warnings or not self._warned.isdisjoint(inputs):
            self._warned.add(out)
        if isinstance(op, Columns | Codes | Vector | Folds):
            _kept.put(out, result, _LARGEST)
        elif op.role is Role.FEATURES and out not in self._warned:
            # What warned is made again, so that it warns again.
            _kept.put(out, result, _SMALL)
        return True

    def _spared(self, op: Op, inputs: Sequence[Value]) -> bool:
        """Whether an op whose inputs have failed in part gives something all the same."""
        needed = len(inputs) - op.optional
        lost = [i in self._failed for i in inputs]
        return not any(lost[:needed]) and not all(lost[needed:])

    def _told(self, value: Value) -> StratumError:
        """What a value failed with, for an op that goes on without it."""
        key = self._failed[value]
        error = ExecutionError(**self.failures[key])
        error.node = key
        return error

    def _fail(self, out: Value, error: dict[str, str], node: str = "") -> None:
        self._failed[out] = node or out.key
        self.failures.setdefault(node or out.key, error)

    def _warn(self, key: str, caught: list[warnings.WarningMessage]) -> None:
        texts = self.warnings.setdefault(key, []) if caught else []
        for warning in caught:
            if issubclass(warning.category, DeprecationWarning | FutureWarning):
                continue
            text = f"{warning.category.__name__}: {str(warning.message).strip()[:300]}"
            if text not in texts and len(texts) < _MAX_WARNINGS:
                texts.append(text)


def _run(backend: Backend, op: Op, inputs: list[Any], context: Context) -> Any:
    """The value of `op`; from copies if a library wrote into an input that others read too."""
    try:
        return backend.run(op, inputs, context)
    except Exception as error:
        if not refused_write(error):
            raise
    return backend.run(op, copied(inputs), context)
