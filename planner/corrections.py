"""Corrections of expected seconds by measured ones.

Input: ratios of measured to expected seconds, by kind of work, backend and size. Output: factors
for estimates. A correction is the median of the logarithms, at three levels: the machine, the
kind of work on its backend, and the kind at about one size. Each is shrunk towards the one above
it while there are few observations, as in hierarchical models.
"""

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from types import MappingProxyType

MOST = math.log(30.0)  # no factor is further from one: a wilder ratio is an accident
KEPT = 64  # newest ratios of a kind and size
# Observations that weigh as much as the level above.
_SHRINK = 2.0
_SHRINK_MACHINE = 4.0  # in kinds of work
_LEAST_SECONDS = 1e-4


@dataclass(frozen=True)
class Middle:
    """The median of log(measured / expected), and of how many observations."""

    log: float
    count: int


Level = tuple[str, str, int]  # kind, backend, size


def size_of(seconds: float) -> int:
    """The size class of work that is expected to take `seconds`: a factor of four each."""
    return math.floor(math.log2(max(seconds, _LEAST_SECONDS) / _LEAST_SECONDS) / 2)


def ratio_of(measured: float, expected: float) -> float:
    """log(measured / expected), bounded."""
    value = math.log(max(measured, 1e-7) / max(expected, 1e-7))
    return min(max(value, -MOST), MOST)


@dataclass(frozen=True)
class Corrections:
    """Factors for expected seconds. Immutable; without observations every factor is 1.

    Attributes:
        machine: Log factor of the machine.
        kinds: By kind, of the backend that runs it most: (log factor, backend).
        sizes: Medians by kind, backend and size.
    """

    machine: float = 0.0
    kinds: Mapping[str, tuple[float, str]] = field(default_factory=dict)
    sizes: Mapping[Level, Middle] = field(default_factory=dict)

    @classmethod
    def of(
        cls, kinds: Mapping[tuple[str, str], Middle], sizes: Mapping[Level, Middle]
    ) -> "Corrections":
        """From medians of all observations of a kind and backend, and of those of one size."""
        machine = 0.0
        if kinds:
            middle = median(one.log for one in kinds.values())
            machine = _shrunk(0.0, middle, len(kinds), _SHRINK_MACHINE)
        most: dict[str, tuple[int, str]] = {}
        for (kind, backend), one in kinds.items():
            most[kind] = max(most.get(kind, (0, "")), (one.count, backend))
        chosen = {
            kind: (
                _shrunk(machine, kinds[kind, backend].log, kinds[kind, backend].count, _SHRINK),
                backend,
            )
            for kind, (_, backend) in most.items()
        }
        return cls(machine, MappingProxyType(chosen), MappingProxyType(dict(sizes)))

    def factor(self, kind: str, seconds: float) -> float:
        """What to multiply the `seconds` with that the model expects of work of `kind`."""
        known = self.kinds.get(kind)
        if known is None:
            return math.exp(self.machine)
        log, backend = known
        near = self.sizes.get((kind, backend, size_of(seconds)))
        if near is not None:
            log = _shrunk(log, near.log, near.count, _SHRINK)
        return math.exp(min(max(log, -MOST), MOST))


NO_CORRECTIONS = Corrections()


def _shrunk(above: float, own: float, count: int, weight: float) -> float:
    return (weight * above + count * own) / (weight + count)


class Ratios:
    """The newest ratios of every kind and size; not safe to use from several threads."""

    def __init__(self) -> None:
        self._sizes: dict[Level, deque[float]] = {}
        self._kinds: dict[tuple[str, str], deque[float]] = {}
        self._middles: dict[Level, Middle] = {}
        self._middles_of_kinds: dict[tuple[str, str], Middle] = {}
        self._changed: set[Level] = set()
        self._made: Corrections | None = NO_CORRECTIONS

    def add(self, kind: str, backend: str, expected: float, measured: float) -> None:
        """One observation; `expected` by the model, without any correction."""
        ratio, level = ratio_of(measured, expected), (kind, backend, size_of(expected))
        self._sizes.setdefault(level, deque(maxlen=KEPT)).append(ratio)
        self._kinds.setdefault(level[:2], deque(maxlen=KEPT)).append(ratio)
        self._changed.add(level)
        self._made = None

    def corrections(self) -> Corrections:
        """What follows from all that was added."""
        if self._made is None:
            for level in self._changed:
                self._middles[level] = _middle(self._sizes[level])
            for kind in {level[:2] for level in self._changed}:
                self._middles_of_kinds[kind] = _middle(self._kinds[kind])
            self._changed.clear()
            self._made = Corrections.of(self._middles_of_kinds, self._middles)
        return self._made


def _middle(ratios: Iterable[float]) -> Middle:
    values = list(ratios)
    return Middle(median(values), len(values))


@dataclass(frozen=True)
class Accuracy:
    """How good estimates were: `median` of measured / expected, `within` a factor of two,
    and `factor`, the median of how far they were off in either direction (1: not at all)."""

    count: int
    median: float
    within: float
    factor: float
    seconds: float


def accuracy(pairs: Iterable[tuple[float, float]]) -> Accuracy | None:
    """Of (expected, measured) seconds; None if there are none."""
    found = [(expected, measured) for expected, measured in pairs if expected > 0 and measured > 0]
    if not found:
        return None
    ratios = [measured / expected for expected, measured in found]
    off = [max(ratio, 1 / ratio) for ratio in ratios]
    return Accuracy(
        len(found),
        median(ratios),
        sum(1 for value in off if value <= 2) / len(off),
        median(off),
        sum(measured for _, measured in found),
    )


def by_kind(rows: Iterable[tuple[str, float, float]]) -> dict[str, Accuracy]:
    """Accuracy by kind, the one that took the most time first; of (kind, expected, measured)."""
    groups: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for kind, expected, measured in rows:
        groups[kind].append((expected, measured))
    found = {kind: accuracy(pairs) for kind, pairs in groups.items()}
    known = {kind: one for kind, one in found.items() if one is not None}
    return dict(sorted(known.items(), key=lambda item: -item[1].seconds))
