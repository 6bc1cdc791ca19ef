"""The tools about pipelines and jobs: arguments of a call in, replies out."""

import time
from typing import TYPE_CHECKING, Annotated, Any, Literal

from mcp_types import CallToolResult
from pydantic import Field, WithJsonSchema

from mcp_server import text
from mcp_server.data_tools import Ctx, session_of
from mcp_server.deferred import Provider
from mcp_server.replies import (
    FAILURES,
    JobEnd,
    JobReply,
    PlanReply,
    fitting,
    job_reply,
    plan_reply,
    result,
)
from mcp_server.settings import DEFAULT_WAIT, MAX_WAIT
from mcp_server.waiting import Progress, Waiting
from planner.errors import SpecError
from planner.spec import EvaluateSpec, Name
from tools.requests import (
    MAX_CONFIRMED,
    MAX_PIPELINES,
    ConfirmEvaluations,
    EvaluatePipelines,
    SearchPipelines,
)
from tools.responses import JobInfo, Leaderboard

if TYPE_CHECKING:
    from tools.jobs import Job

JsonObject = dict[str, Any]
# What a pipeline looks like is said once, too.
SamePipelines = Annotated[
    list[JsonObject],
    Field(min_length=1, max_length=MAX_PIPELINES, description="As in evaluate_pipelines"),
]
Pipelines = Annotated[
    list[JsonObject],
    Field(
        min_length=1,
        max_length=MAX_PIPELINES,
        description='Specs, such as {"dataset": "bike", "target": "cnt", "prepare": [{"derive": '
        '{"hour": "hour(date)"}}], "features": [{"columns": "numeric", "steps": '
        '["StandardScaler()"]}], "model": "Ridge(alpha=choose(0.1, 1))"} (prepare and features may '
        'be left out), patches of earlier ones ({"from": name or id, "model": "Lasso()"}), or '
        '{"base": spec, "variants": [patch, ...]}',
    ),
]
Settings = Annotated[
    EvaluateSpec,
    Field(
        description='How all of them are scored, such as {"cv": "KFold(5, shuffle=True, '
        'random_state=0)", "metrics": ["rmse", "r2"]}'
    ),
]
# The schema is long, and agents pay for each copy of it.
SameSettings = Annotated[
    EvaluateSpec,
    WithJsonSchema({"type": "object", "description": "As in evaluate_pipelines"}),
]
AS_DEFAULT = EvaluateSpec()
Confirm = Annotated[
    list[Name],
    Field(
        min_length=1,
        max_length=MAX_CONFIRMED,
        description="Instead of pipelines: ids of a few finalists, evaluated with a holdout, to be "
        "fitted on all other rows and scored on it",
    ),
]
WaitSeconds = Annotated[float, Field(ge=0, le=MAX_WAIT, description="Seconds to wait for results")]
Limit = Annotated[int, Field(ge=1, le=1000, description="Evaluations in the reply")]
Cursor = Annotated[str | None, Field(description="next_cursor of the reply before")]
JobId = Annotated[str, Field(min_length=1, max_length=100, description="Such as job_1a2b3c")]


class JobTools:
    """The methods are tools; `app` registers them with their docstrings as descriptions."""

    def __init__(self, engine: Provider, waiting: Waiting) -> None:
        self._engine = engine
        self._waiting = waiting

    async def evaluate_pipelines(
        self,
        ctx: Ctx,
        pipelines: Pipelines | None = None,
        evaluate: Settings = AS_DEFAULT,
        confirm: Confirm | None = None,
        wait_s: WaitSeconds = DEFAULT_WAIT,
        limit: Limit = 10,
    ) -> Annotated[CallToolResult, JobReply]:
        """Cross-validate one to thousands of pipelines as one batch: shared work is done once and
        known scores are free, so send many variants together. Returns a leaderboard, or, when
        wait_s passes first, a job id and what is known so far; get_job has the rest. A pipeline
        that fails harms no other."""
        began = time.monotonic()
        progress = Progress(ctx)
        session = session_of(ctx)
        request = asked(pipelines, evaluate, confirm)
        job = await self._waiting.told(
            progress,
            "starting",
            lambda: (
                self._engine().confirm(request, session, wait=False)
                if isinstance(request, ConfirmEvaluations)
                else self._engine().evaluate(request, session, wait=False)
            ),
        )
        return await self._answer(progress, job, began + wait_s, limit)

    async def search_pipelines(
        self,
        ctx: Ctx,
        pipeline: Annotated[
            JsonObject,
            Field(
                description="A spec with choices: choose(0.1, 1, 10) in an expression, or "
                '{"choose": [...], "name": "..."} anywhere'
            ),
        ],
        evaluate: SameSettings = AS_DEFAULT,
        strategy: Annotated[
            Literal["grid", "random"], Field(description="All in order, or a seeded sample")
        ] = "random",
        trials: Annotated[
            int, Field(ge=1, le=MAX_PIPELINES, description="Combinations at most")
        ] = 50,
        seed: Annotated[int, Field(ge=0, lt=2**32)] = 0,
        wait_s: WaitSeconds = DEFAULT_WAIT,
        limit: Limit = 10,
    ) -> Annotated[CallToolResult, JobReply]:
        """Explore the choices of one pipeline when there are more combinations than you want to
        run. Bound it with trials and evaluate.budget.seconds. With evaluate.holdout, the best three
        are confirmed on it; with fidelity statistical, exactly. Replies as evaluate_pipelines."""
        began = time.monotonic()
        request = SearchPipelines(
            pipeline=pipeline, evaluate=evaluate, strategy=strategy, trials=trials, seed=seed
        )
        progress = Progress(ctx)
        session = session_of(ctx)
        job = await self._waiting.told(
            progress, "starting", lambda: self._engine().search(request, session, wait=False)
        )
        return await self._answer(progress, job, began + wait_s, limit)

    async def explain_plan(
        self, ctx: Ctx, pipelines: SamePipelines, evaluate: SameSettings = AS_DEFAULT
    ) -> Annotated[CallToolResult, PlanReply]:
        """Check pipelines and see what would run, without running it: errors, what is shared, the
        expected seconds."""
        request = EvaluatePipelines(pipelines=pipelines, evaluate=evaluate)
        explanation = await self._waiting.told(
            Progress(ctx), "planning", lambda: self._engine().explain(request)
        )
        reply = plan_reply(explanation)
        return result(text.plan(reply.text, reply.errors), reply)

    async def get_job(
        self,
        ctx: Ctx,
        job: JobId,
        wait_s: WaitSeconds = DEFAULT_WAIT,
        limit: Limit = 10,
        cursor: Cursor = None,
    ) -> Annotated[CallToolResult, JobReply]:
        """Wait for a job and read its results, best first, a page at a time. A limit of 5 or less
        adds the score of every fold. Also for jobs of earlier server runs."""
        deadline = time.monotonic() + wait_s
        live = await self._waiting.call(lambda: self._engine().job(job))
        start = position(cursor)
        if live is not None:
            return await self._answer(Progress(ctx), live, deadline, limit, start)
        return await self._reply(job, limit, start)

    async def cancel_job(self, job: JobId) -> Annotated[CallToolResult, JobEnd]:
        """Stop a running job. Evaluations that have ended are kept: see get_job."""
        info = await self._waiting.call(lambda: self._engine().cancel_job(job))
        end = JobEnd(job=info.job, state=info.state, done=info.done, total=info.total)
        return result(text.job_end(end), end)

    async def get_leaderboard(
        self,
        metric: Annotated[str | None, Field(description="By default the one used last")] = None,
        dataset: Annotated[str | None, Field(description="Only of this dataset")] = None,
        limit: Annotated[int, Field(ge=1, le=200)] = 20,
        cursor: Cursor = None,
    ) -> Annotated[CallToolResult, Leaderboard]:
        """The best evaluations of all jobs of this workspace, also of earlier server runs."""
        board = await self._waiting.call(
            lambda: self._engine().leaderboard(metric, dataset, limit, cursor)
        )
        return result(text.leaderboard(board), board)

    async def _answer(
        self, progress: Progress, job: "Job", deadline: float, limit: int, start: int = 0
    ) -> CallToolResult:
        await self._waiting.follow(progress, job, deadline)
        return await self._reply(job.id, limit, start)

    async def _reply(self, job: str, limit: int, start: int) -> CallToolResult:
        """A page of a job; its first failures come with the first page."""
        info = await self._waiting.call(lambda: self._engine().job_info(job, limit, start))
        info = fitting(info, start)
        if info.state == "completed" and start == 0:
            found = await self._waiting.call(lambda: self._engine().advice(job))
            info = info.model_copy(update={"advice": found})
        failed: JobInfo | None = None
        if info.failed and start == 0:
            failed = await self._waiting.call(
                lambda: self._engine().job_info(job, FAILURES, info.done - info.failed)
            )
        reply = job_reply(
            info, [] if failed is None else failed.evaluations, next_step(info, limit)
        )
        return result(text.job(reply, start), reply)


def asked(
    pipelines: list[JsonObject] | None, evaluate: EvaluateSpec, confirm: list[str] | None
) -> EvaluatePipelines | ConfirmEvaluations:
    """What evaluate_pipelines is to do; SpecError `missing_field`, `confirm_alone`."""
    if confirm is None:
        if pipelines is None:
            raise SpecError("missing_field", "The field 'pipelines' is required.", path="pipelines")
        return EvaluatePipelines(pipelines=pipelines, evaluate=evaluate)
    if pipelines is not None or evaluate != AS_DEFAULT.model_copy(
        update={"budget": evaluate.budget}
    ):
        raise SpecError(
            "confirm_alone",
            "`confirm` names evaluations, which keep their pipelines and settings.",
            path="confirm",
            hint="Leave `pipelines` out, and of `evaluate` all but the budget.",
        )
    return ConfirmEvaluations(confirm=confirm, budget=evaluate.budget)


def next_step(info: JobInfo, limit: int) -> str:
    """How to go on, in one sentence or two; nothing if all is said."""
    parts = []
    if info.state == "submitted":
        parts.append(
            f'Still being planned: get_job(job="{info.job}") waits on; '
            f'cancel_job(job="{info.job}") stops it.'
        )
    if info.state == "running":
        left = info.expected_seconds
        estimate = f", about {left:.0f} s of work left" if left else ""
        parts.append(
            f'Still running{estimate}: get_job(job="{info.job}") waits on; '
            f'cancel_job(job="{info.job}") stops it.'
        )
    if info.next_cursor is not None:
        parts.append(
            f'More results: get_job(job="{info.job}", cursor="{info.next_cursor}", limit={limit}).'
        )
    return " ".join(parts)


def position(cursor: str | None) -> int:
    """The cursor of a job's page as a number; SpecError `invalid_cursor`."""
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > 9:
        raise SpecError(
            "invalid_cursor",
            f"'{cursor[:50]}' is no cursor of a job.",
            path="cursor",
            hint="Give the next_cursor of the reply before, or leave it out.",
        )
    return int(cursor)
