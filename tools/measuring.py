"""What runs teach the cost model: timings and extents of finished tasks, kept and summed up.

Input: tasks with the timings that workers gave. Output: rows of the catalog, and `Measured` for
the planner, as of the newest of them. Thread safe.
"""

import math
import threading
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from executor.catalog import Catalog
from executor.catalog_rows import ExtentRow, Timing
from planner.corrections import Ratios, accuracy, by_kind
from planner.cost import MODEL, Shape, kind_of, rounds, seconds_of
from planner.estimates import BLOCKS, Extent, Measured
from planner.graph import Op, Role
from planner.ops import Columns, Concat, Folds, Vector
from planner.plan import Instruction, Task, Value
from tools.responses import EstimateErrors, KindErrors

_LEAST = 1e-4  # seconds: what takes less, and was expected to, changes no plan
_TOLD = 0.001  # seconds from which an error of an estimate is told
_MOST_EXTENTS = 50_000
_MOST_ROWS = 2**50
_MOST_TOLD = 10_000  # newest measurements that errors are told of
_KINDS = 12  # shown of all


@dataclass(frozen=True)
class Learned:
    """What one task taught."""

    timings: tuple[Timing, ...] = ()
    extents: tuple[ExtentRow, ...] = ()


class Measurements:
    """See the module."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._loaded = False
        self._ratios = Ratios()
        self._extents: dict[str, Extent] = {}
        self._told: deque[tuple[str, float, float]] = deque(maxlen=_MOST_TOLD)
        self._errors: EstimateErrors | None = None  # of those above, once asked for

    def measured(self) -> Measured:
        """What is known now; the first call reads the catalog."""
        with self._lock:
            self._load()
            return Measured(self._ratios.corrections(), self._extents)

    def learn(self, task: Task, timings: Any) -> Learned:
        """What is new in the timings of a task, as its worker gave them; nothing is stored."""
        found = learned(task, timings)
        with self._lock:
            self._load()
            fresh = [e for e in found.extents if self._extents.get(e.key) != _extent(e)]
        return Learned(found.timings, tuple(fresh))

    def store(self, found: Learned) -> None:
        """To the catalog, in the transaction that is open if there is one."""
        if found.timings:
            self._catalog.add_timings(found.timings)
        if found.extents:
            self._catalog.put_extents(found.extents)

    def add(self, found: Learned) -> None:
        """From now on it counts in `measured`."""
        with self._lock:
            self._load()
            self._take(found.timings, found.extents)

    def _load(self) -> None:
        if not self._loaded:
            self._loaded = True
            self._take(self._catalog.timings(), self._catalog.extents())

    def _take(self, timings: Iterable[Timing], extents: Iterable[ExtentRow]) -> None:
        for row in timings:
            if row.model == MODEL and row.base > 0:
                self._ratios.add(row.kind, row.backend, row.base, row.seconds)
            if is_told(row):
                self._told.append((row.kind, row.expected, row.seconds))
                self._errors = None
        for extent in extents:
            self._extents.pop(extent.key, None)  # the newest last
            self._extents[extent.key] = _extent(extent)
        while len(self._extents) > _MOST_EXTENTS:
            del self._extents[next(iter(self._extents))]

    def errors(self) -> EstimateErrors | None:
        """How good the estimates were that plans had; None before the first."""
        with self._lock:
            self._load()
            if self._errors is None:
                self._errors = errors_of(self._told)
            return self._errors


def is_told(row: Timing) -> bool:
    """Whether `row` counts in what is said of estimates: too short work changes no plan."""
    return row.expected > 0 and max(row.expected, row.seconds) >= _TOLD


def errors_of(rows: Collection[tuple[str, float, float]]) -> EstimateErrors | None:
    """Of (kind of work, expected seconds, measured seconds); None if there are none."""
    total = accuracy((expected, seconds) for _, expected, seconds in rows)
    if total is None:
        return None
    kinds = by_kind(rows)
    return EstimateErrors(
        observations=total.count,
        median_ratio=round(total.median, 3),
        median_factor=round(total.factor, 3),
        within_2x=round(total.within, 3),
        kinds=[
            KindErrors(
                kind=kind,
                observations=one.count,
                median_ratio=round(one.median, 3),
                within_2x=round(one.within, 3),
            )
            for kind, one in list(kinds.items())[:_KINDS]
        ],
        more_kinds=max(len(kinds) - _KINDS, 0),
    )


def _extent(row: ExtentRow) -> Extent:
    return Extent(row.rows, row.columns, row.stored)


def learned(task: Task, timings: Any) -> Learned:
    """The timings of `task` as rows; what cannot be read, or is not about it, is left out.

    They come from a process that may have run code of an agent.
    """
    found: list[Timing] = []
    extents: dict[str, ExtentRow] = {}
    shapes: dict[Value, Shape] = {}
    made_by = {instruction.out: instruction for instruction in task.instructions}
    for entry in timings if isinstance(timings, list | tuple) else ():
        try:
            _, backend, seconds, position, sizes = entry
            instruction = task.instructions[position]
            shape, extent = _sizes(instruction.op, instruction.out.key, sizes)
            seconds = float(seconds)
        except (TypeError, ValueError, IndexError, OverflowError):
            continue
        if extent is not None:
            extents[extent.key] = extent
        op, model = instruction.op, None
        if op.role in (Role.ANSWER, Role.SCORE) and instruction.inputs:
            shape = shapes.get(instruction.inputs[0], shape)
            model = _model(made_by, instruction.inputs[0]) if op.role is Role.ANSWER else None
        shapes[instruction.out] = shape
        expected = task.expected[position] if position < len(task.expected) else 0.0
        if not math.isfinite(seconds) or max(seconds, expected) < _LEAST:
            continue
        kind, base = kind_of(op, model), seconds_of(op, shape, model)
        found.append(
            Timing(kind, str(backend)[:20], task.threads, shape.rows, shape.columns, rounds(op),
                   seconds, expected, base, MODEL)
        )  # fmt: skip
    return Learned(tuple(found), tuple(extents.values()))


def _model(made_by: Mapping[Value, Instruction], value: Value) -> Op | None:
    """The fit behind an answer, where it is in the same task."""
    found = made_by.get(value)
    while found is not None and found.op.role is Role.ANSWER and found.inputs:
        found = made_by.get(found.inputs[0])
    return found.op if found is not None and found.op.role is Role.FIT else None


def _sizes(op: Op, key: str, sizes: Sequence[Any]) -> tuple[Shape, ExtentRow | None]:
    rows, columns, stored, out, out_stored, valid, classes = sizes
    numbers = [_bounded(value) for value in (rows, columns, out, valid, classes)]
    rows, columns, out, valid, classes = (int(number) for number in numbers)
    stored, out_stored = _bounded(stored), _bounded(out_stored)
    extent = None
    if isinstance(op, BLOCKS) and out:
        extent = ExtentRow(key, rows, out, round(out_stored, 2))
    elif isinstance(op, Folds | Columns | Vector) and rows:
        extent = ExtentRow(key, rows, out or 1)
    if isinstance(op, Columns | Concat | Vector):
        columns, stored = out, out_stored
    return Shape(max(rows, 1), max(columns, 1), out, stored, max(classes, 1), valid), extent


def _bounded(value: Any) -> float:
    number = float(value)
    if not 0 <= number < _MOST_ROWS:
        raise ValueError("no size")
    return number
