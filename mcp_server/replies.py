"""What goes back over the protocol besides the response models of `tools`.

Input: responses of the engine. Output: models small enough for an agent's context, and tool
results that carry them as text and as structured content.
"""

from typing import Any

from mcp_types import CallToolResult, TextContent
from pydantic import BaseModel, ConfigDict

from mcp_server.settings import REPLY_BYTES
from tools.responses import (
    DatasetInfo,
    ErrorInfo,
    Evaluation,
    Explanation,
    JobInfo,
    OperatorInfo,
    PlanInfo,
    QueryResult,
    State,
)

# So many evaluations come with the values of their folds, and with their features.
WITH_FOLDS = 5
WITH_FEATURES = 2
FAILURES = 5
MAX_WARNINGS = 10
# Characters of a name, a message or a cell.
MAX_TEXT = 600


class Reply(BaseModel):
    model_config = ConfigDict(frozen=True)


class Failure(Reply):
    name: str
    id: str
    error: ErrorInfo | None


class JobReply(JobInfo):
    """A job: evaluations best first, the first failures, and how to go on."""

    failures: list[Failure]
    next: str = ""


class JobEnd(Reply):
    """What is left of a job that was cancelled."""

    job: str
    state: State
    done: int
    total: int


class DatasetList(Reply):
    datasets: list[DatasetInfo]


class OperatorList(Reply):
    operators: list[OperatorInfo]


class PlanReply(Reply):
    """What would run, and the errors of pipelines that cannot."""

    plan: PlanInfo
    text: str
    errors: list[ErrorInfo] = []


class Profile(BaseModel):
    """The profile of a dataset; its fields depend on the data and on what was asked."""

    model_config = ConfigDict(extra="allow")

    dataset: str
    rows: int
    columns: list[dict[str, Any]] = []


def result(text: str, model: BaseModel) -> CallToolResult:
    """A tool's result: `text` for models, `model` for programs."""
    return CallToolResult(
        content=[TextContent(type="text", text=text)],
        structured_content=model.model_dump(mode="json", by_alias=True),
    )


def size(model: BaseModel) -> int:
    """Bytes of the structured form."""
    return len(model.model_dump_json().encode())


def job_reply(info: JobInfo, failed: list[Evaluation], next_step: str) -> JobReply:
    """`info` within the bounds of a reply; what was cut is reached by its cursor."""
    evaluations = [_short(evaluation) for evaluation in info.evaluations]
    if len(evaluations) > WITH_FEATURES:
        evaluations = [e.model_copy(update={"features": None}) for e in evaluations]
    if len(evaluations) > WITH_FOLDS:
        evaluations = [_without_folds(e) for e in evaluations]
    shown = {evaluation.id for evaluation in evaluations}
    failures = [Failure(name=e.name, id=e.id, error=e.error) for e in failed if e.id not in shown]
    return JobReply(
        **{
            **info.model_dump(exclude={"evaluations"}),
            "evaluations": evaluations,
            "failures": failures[:FAILURES],
            "warnings": [cut(warning) for warning in info.warnings[:MAX_WARNINGS]],
            "next": next_step,
        }
    )


def _short(evaluation: Evaluation) -> Evaluation:
    """Texts come from the request, and may have any length."""
    error = evaluation.error and _short_error(evaluation.error)
    return evaluation.model_copy(
        update={
            "name": cut(evaluation.name),
            "error": error,
            "warnings": [cut(warning) for warning in evaluation.warnings[:MAX_WARNINGS]],
        }
    )


def _short_error(error: ErrorInfo) -> ErrorInfo:
    return ErrorInfo(**{name: cut(value) for name, value in error.model_dump().items()})


def cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "..."


def _without_folds(evaluation: Evaluation) -> Evaluation:
    metrics = {
        name: value.model_copy(update={"folds": []}) for name, value in evaluation.metrics.items()
    }
    return evaluation.model_copy(update={"metrics": metrics})


def fitting(info: JobInfo, start: int) -> JobInfo:
    """`info`, whose page begins at `start`, without the evaluations that make it too long."""
    kept, total = 0, 0
    for evaluation in info.evaluations:
        total += size(_without_folds(_short(evaluation.model_copy(update={"features": None}))))
        if kept and total > REPLY_BYTES:
            break
        kept += 1
    if kept == len(info.evaluations):
        return info
    return info.model_copy(
        update={"evaluations": info.evaluations[:kept], "next_cursor": str(start + kept)}
    )


def plan_reply(explanation: Explanation) -> PlanReply:
    """Without the graph, which is for people's eyes."""
    text = explanation.text
    if len(text) > REPLY_BYTES:
        text = text[:REPLY_BYTES].rpartition("\n")[0] + "\n..."
    return PlanReply(
        plan=explanation.plan,
        text=text,
        errors=[_short_error(error) for error in explanation.errors[:20]],
    )


def rows_that_fit(found: QueryResult) -> QueryResult:
    """As many rows as a reply holds; long texts are cut."""
    rows: list[list[Any]] = []
    total = 0
    for row in found.rows:
        short = [cut(value) if isinstance(value, str) else value for value in row]
        total += sum(len(str(value)) + 3 for value in short)
        if rows and total > REPLY_BYTES:
            return QueryResult(columns=found.columns, rows=rows, truncated=True)
        rows.append(short)
    return found.model_copy(update={"rows": rows})
