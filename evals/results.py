"""What was measured. Output of the runner, input of parity, reports and charts; JSON-able."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["ok", "crashed", "timeout", "unavailable", "skipped"]


@dataclass
class PipelineResult:
    """One pipeline in one system: per-fold scores, or a mean only, or why there is none.

    Attributes:
        at: Seconds from the start of the system until it was known.
        seconds: What it took by itself, where the system tells.
        error: It failed.
        uncovered: The system cannot express it.
        statistical: The scores are equal in distribution only, and say so.
    """

    scores: list[float] | None = None
    mean: float | None = None
    at: float = 0.0
    seconds: float | None = None
    error: str | None = None
    uncovered: str | None = None
    statistical: bool = False

    @property
    def answered(self) -> bool:
        """Whether there is a score, or a failure that counts as an answer."""
        return self.uncovered is None

    @property
    def score(self) -> float | None:
        if self.mean is not None:
            return self.mean
        return sum(self.scores) / len(self.scores) if self.scores else None


@dataclass
class SystemRun:
    """One system on one workload. Times in seconds, memory in MiB, of the whole process tree.

    A system that ran out of time or crashed has the results that it gave until then.

    Attributes:
        seconds: Wall time, imports excluded; the median over `repeats`. Of a system that did not
            end: until it was ended.
        import_seconds: Start of the processes and imports.
        total_seconds: What the system took of the evaluation: imports, all repetitions, and the
            end of its processes.
        fits: Model fits that no closed form serves as [key, pipeline, model, seconds], of the
            reference only.
        profile: Seconds by kind of work, of Stratum only; `backends` seconds of operations by
            backend.
        plans: What planning said of each request, of Stratum only.
    """

    name: str
    title: str
    status: Status = "ok"
    reason: str = ""
    seconds: float | None = None
    cpu_seconds: float | None = None
    peak_rss_mb: float | None = None
    peak_pss_mb: float | None = None
    import_seconds: float | None = None
    total_seconds: float = 0.0
    first_result_seconds: float | None = None
    results: dict[str, PipelineResult] = field(default_factory=dict)
    repeats: list[float] = field(default_factory=list)
    profile: dict[str, float] = field(default_factory=dict)
    backends: dict[str, float] = field(default_factory=dict)
    plans: list[dict[str, Any]] = field(default_factory=list)
    fits: list[tuple[str, str, str, float]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def partial(self) -> bool:
        """Whether it answered some pipelines, and then did not end."""
        return self.status in ("timeout", "crashed") and bool(self.results)

    @property
    def spent(self) -> float | None:
        """Seconds for the answers it gave: to its end, or to the last of them."""
        if self.status == "ok":
            return self.seconds
        return max((r.at for r in self.results.values()), default=None) if self.partial else None

    def to_json(self) -> dict[str, Any]:
        """As the report file has it: `scores` by pipeline name, without the single fits."""
        data = asdict(self)
        del data["fits"], data["results"]
        data["scores"] = {name: r.scores or r.mean for name, r in self.results.items() if r.score}
        data["errors"] = {n: r.error for n, r in self.results.items() if r.error is not None}
        data["uncovered"] = {
            n: r.uncovered for n, r in self.results.items() if r.uncovered is not None
        }
        data["pipeline_seconds"] = {
            n: r.seconds for n, r in self.results.items() if r.seconds is not None
        }
        data["known_at"] = {n: r.at for n, r in self.results.items()}
        return data
