"""The rows of the catalog as values; what each field means.

Times called `created`, `started`, `finished` are seconds since the epoch; durations are seconds.
JSON fields hold what `json` can write, NaN and infinities included.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from json import dumps
from typing import Any, Literal

from planner.schema import Dataset

JobState = Literal[
    "submitted", "running", "completed", "failed", "cancelled", "timeout", "interrupted"
]
EvaluationStatus = Literal["ok", "failed", "timeout", "out_of_memory", "cancelled", "skipped"]
Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class DatasetRow:
    """A registered dataset and the file it was read from.

    `bytes` is the size of the ingested copy; `source_size` and `source_mtime_ns` tell whether
    the source changed since. `options` are those it was read with.
    """

    dataset: Dataset
    source: str
    bytes: int
    options: Mapping[str, Any] = field(default_factory=dict)
    source_size: int = 0
    source_mtime_ns: int = 0
    created: float = 0.0


@dataclass(frozen=True)
class JobRow:
    """A job. `done` of `total` evaluations are stored; `pid` and `pid_started` name its server."""

    id: str
    kind: str
    session: str
    state: JobState
    request: Any
    total: int
    done: int
    error: dict[str, Any] | None
    result: Any
    pid: int
    pid_started: float
    created: float
    started: float | None
    finished: float | None

    @property
    def terminal(self) -> bool:
        return self.state not in ("submitted", "running")


@dataclass(frozen=True)
class EvaluationRow:
    """The scored result of one pipeline.

    `metrics` maps a metric to ``{"mean", "std", "folds"}`` and, where it is not the primary
    `metric`, ``"direction"``. `comparable` (see `comparable_key`) is equal where scores may be
    ranked together. `seconds` is what the answer took, `reused_seconds` what it would have
    taken besides, had nothing been shared.
    """

    id: str
    job: str
    position: int
    name: str
    spec: Any
    status: EvaluationStatus
    dataset: str
    target: str = ""
    metric: str = ""
    direction: Direction = "maximize"
    metrics: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    fit_seconds: float = 0.0
    reused_seconds: float = 0.0
    warnings: tuple[Any, ...] = ()
    error: Mapping[str, Any] | None = None
    settings: Any = None
    comparable: str = ""
    created: float = 0.0

    @property
    def score(self) -> float | None:
        """The mean of the primary metric."""
        found = self.metrics.get(self.metric, {}).get("mean")
        return None if found is None else float(found)


@dataclass(frozen=True)
class LeaderboardPage:
    """Evaluations, best first, and where the next page starts (None at the end).

    `total` counts all that match. `groups` counts them by `comparable` key: ranks mean something
    within a group only.
    """

    rows: tuple[EvaluationRow, ...]
    cursor: str | None
    total: int
    groups: Mapping[str, int]


@dataclass(frozen=True)
class ScoreRow:
    """Per-fold values of one logical score node.

    `seconds` is what the pipeline (of one seed) took, had it run alone; `warnings` are those of
    all work behind the score.
    """

    key: str
    folds: tuple[float, ...]
    seconds: float = 0.0
    warnings: tuple[Any, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)
    created: float = 0.0


@dataclass(frozen=True)
class FailureRow:
    """A deterministic failure of a node: the same computation fails in the same way again.

    `key` is that of the node that raised: every pipeline that has it fails with it, whatever
    else it has, at the place where its own spec has that node. `seconds` is what it took.
    """

    key: str
    code: str
    message: str
    hint: str = ""
    seconds: float = 0.0
    created: float = 0.0


@dataclass(frozen=True)
class Timing:
    """One measurement of one instruction.

    `kind` is the kind of work (see `planner.cost.kind_of`), `rows` and `columns` are those it
    read, `rounds` a size factor such as trees. `expected` is the estimate that was given, `base`
    what version `model` of the cost model makes of the real size, without corrections.
    """

    kind: str
    backend: str
    threads: int
    rows: int
    columns: int
    rounds: float
    seconds: float
    expected: float = 0.0
    base: float = 0.0
    model: int = 0
    created: float = 0.0


@dataclass(frozen=True)
class ExtentRow:
    """How large the value of a node was: see `planner.estimates.Extent`."""

    key: str
    rows: int
    columns: int
    stored: float = 0.0


def comparable_key(fingerprint: str, target: str, metric: str, settings: Any) -> str:
    """Equal for evaluations whose scores may be ranked together.

    `settings` are those of the splits (``cv``, groups, order, seeds, task): JSON.
    """
    return digest([fingerprint, target, metric, settings])


def digest(value: Any) -> str:
    """BLAKE2b-128 (hex) of a JSON value, whatever the order of its keys."""
    text = dumps(value, sort_keys=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).hexdigest()
