"""Response models of the tools. Output: what agents and the command line get back."""

from json import dumps
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from planner.fidelity import Fidelity

State = Literal[
    "submitted", "running", "completed", "failed", "cancelled", "timeout", "interrupted"
]


class Response(BaseModel):
    model_config = ConfigDict(frozen=True)


class ErrorInfo(Response):
    """Why something failed: stable code, message, place in the request, what to do instead."""

    code: str
    message: str
    path: str = ""
    hint: str = ""


class ColumnInfo(Response):
    name: str
    kind: str
    type: str
    nullable: bool
    distinct: int | None = None


class DatasetInfo(Response):
    """A registered dataset."""

    name: str
    rows: int
    columns: list[ColumnInfo]
    fingerprint: str
    source: str
    warnings: list[str] = []
    suspects: dict[str, Any] = {}


class MetricValue(Response):
    """Plain mean and population standard deviation over folds, and the per-fold values."""

    mean: float | None
    std: float | None
    folds: list[float | None]


class HoldoutScore(Response):
    """A finalist, fitted on all rows outside the hold-out and scored on those inside.

    `id` names the hold-out, `looks` counts the pipelines that have been scored on it.
    """

    id: str
    metrics: dict[str, float | None]
    looks: int


class Evaluation(Response):
    """The scored result of one pipeline.

    `metrics` are those of the folds; `holdout` is there for finalists, and never ranks. `seconds`
    is worker time spent for it (shared work divided by who shares it), `reused_seconds` what
    sharing and earlier results saved. `fidelity` is ``statistical`` where a kernel stood in for a
    model: `metrics` are then equal to the library's in distribution, and `exact`, of a search's
    finalists, are the library's own on the same folds.
    """

    name: str
    id: str
    status: Literal["ok", "failed", "timeout", "out_of_memory", "cancelled", "skipped"]
    metrics: dict[str, MetricValue] = {}
    seconds: float = 0.0
    reused_seconds: float = 0.0
    warnings: list[str] = []
    error: ErrorInfo | None = None
    cv: str = ""
    features: list[dict[str, Any]] | None = None
    holdout: HoldoutScore | None = None
    fidelity: Fidelity = "exact"
    exact: dict[str, MetricValue] | None = None


class PlanInfo(Response):
    """What planning made of a batch: nodes if every pipeline ran alone, after merging, after
    the rules; tasks to run; scores answered by the catalog; rewrites by rule; expected seconds
    until it has finished on the engine's cores, and of one core in all."""

    nodes_asked: int
    nodes_merged: int
    nodes_rewritten: int
    tasks: int
    scores_known: int
    rules: dict[str, int]
    expected_seconds: float
    core_seconds: float = 0.0


class Advice(Response):
    """A variant that is nearly free now: what to send, the seconds it is expected to take, those
    of the same from scratch, and why it is cheap."""

    pipeline: dict[str, Any]
    expected_seconds: float
    alone_seconds: float
    why: str

    @property
    def line(self) -> str:
        """For agents: what to send, and what it costs."""
        return (
            f"Nearly free: {dumps(self.pipeline, ensure_ascii=False)} about "
            f"{self.expected_seconds:.2g} s instead of {self.alone_seconds:.2g} s ({self.why})."
        )


class JobInfo(Response):
    """A job, with its evaluations best first (failed ones last); `advice` once it has ended.

    `warnings` are about the data behind all of them; they come when they are known, which may be
    after the first results.
    """

    job: str
    kind: str
    state: State
    total: int
    done: int
    failed: int
    seconds: float
    metric: str
    greater_is_better: bool
    expected_seconds: float | None = None
    plan: PlanInfo | None = None
    evaluations: list[Evaluation] = []
    next_cursor: str | None = None
    warnings: list[str] = []
    advice: list[Advice] = []


class LeaderboardRow(Response):
    rank: int
    name: str
    id: str
    dataset: str
    target: str
    metric: str
    mean: float | None
    std: float | None
    seconds: float
    job: str
    fidelity: Fidelity = "exact"


class Leaderboard(Response):
    """Evaluations of comparable settings, best first."""

    rows: list[LeaderboardRow]
    total: int
    next_cursor: str | None = None
    note: str = ""


class ParameterInfo(Response):
    name: str
    default: str
    type: str = ""


class OperatorInfo(Response):
    name: str
    kind: str
    library: str
    summary: str
    parameters: list[ParameterInfo] = []


class Explanation(Response):
    """A plan before it runs: counts, the text for agents, and errors of pipelines that cannot."""

    plan: PlanInfo
    text: str
    graph: dict[str, Any] | None = None
    errors: list[ErrorInfo] = []
    advice: list[Advice] = []


class QueryResult(Response):
    columns: list[str]
    rows: list[list[Any]]
    truncated: bool = False


class KindErrors(Response):
    """How good the estimates for one kind of work were (see `EstimateErrors`)."""

    kind: str
    observations: int
    median_ratio: float
    within_2x: float


class EstimateErrors(Response):
    """How good the estimates were that plans had, over the newest measurements.

    `median_ratio` is the median of measured by expected seconds, `median_factor` that of how far
    they were apart in either direction, `within_2x` the share within a factor of two. `kinds`
    are those that took the most time.
    """

    observations: int
    median_ratio: float
    median_factor: float
    within_2x: float
    kinds: list[KindErrors] = []
    more_kinds: int = 0


class ServerStatus(Response):
    """Versions, budget, load and storage of the server."""

    version: str
    versions: dict[str, str]
    cores: int
    memory_bytes: int
    workspace: str
    home: str
    ready: bool
    running: int
    waiting: int
    workers: int
    blocks: int
    block_bytes: int
    datasets: int
    code_allowed: bool = False
    sandbox: str = "process"
    estimates: EstimateErrors | None = None
    warnings: list[str] = []
