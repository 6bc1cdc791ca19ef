"""Response models of the tools. Output: what agents and the command line get back."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

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


class Evaluation(Response):
    """The scored result of one pipeline.

    `seconds` is worker time spent for it (shared work divided by who shares it),
    `reused_seconds` what sharing and earlier results saved.
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


class PlanInfo(Response):
    """What planning made of a batch: nodes if every pipeline ran alone, after merging, after
    the rules; tasks to run; scores answered by the catalog; rewrites by rule."""

    nodes_asked: int
    nodes_merged: int
    nodes_rewritten: int
    tasks: int
    scores_known: int
    rules: dict[str, int]
    expected_seconds: float


class JobInfo(Response):
    """A job, with its evaluations best first (failed ones last)."""

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


class QueryResult(Response):
    columns: list[str]
    rows: list[list[Any]]
    truncated: bool = False


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
    warnings: list[str] = []
