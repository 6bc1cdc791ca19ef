"""One job from its plan to its end, through more than one run where planning again may help.

Input: outcomes of runs. Output: to the recorder, one outcome a pipeline. Three kinds of failure
are held back until the run is over, and then planned again: stored blocks that could not be
read (they have been removed, so that they are computed again), a table that failed, perhaps by
columns that only other pipelines of the batch need, and a group that failed, or took
too long, perhaps by a member that is another pipeline's.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace

from executor.catalog_rows import JobState, ScoreRow
from executor.jobs import JobRun, Limits
from executor.results import Outcome
from executor.run import Scheduler
from planner.errors import ExecutionError, ServerError
from planner.graph import Graph
from planner.ops import Materialise
from planner.plan import Plan
from tools.batches import Request
from tools.holdouts import Finalist
from tools.recording import Recorder, sure_to_repeat

# A block may be made from others that are damaged too, which shows one run later.
MAX_ROUNDS = 5
# Failures that are no fault of any node.
_ENDS = frozenset({"cancelled", "skipped", "engine_closed"})


class Execution:
    """See the module.

    Args:
        request: What was asked, built in `graph`.
        again: Has the pipelines at the given positions planned again, and then `run` called;
            False if that is not possible any more.
        finalists: Where pipelines are to be confirmed on a hold-out: has `confirm` called for
            some of those that have ended, on another thread; False if there are none.
    """

    def __init__(
        self,
        request: Request,
        graph: Graph,
        limits: Limits,
        scheduler: Scheduler,
        recorder: Recorder,
        again: "Callable[[Execution, dict[int, Outcome]], bool]",
        finalists: "Callable[[Execution, Mapping[int, Outcome]], bool] | None" = None,
    ) -> None:
        self.request = request
        self.graph = graph
        self._limits = limits
        self._scheduler = scheduler
        self._recorder = recorder
        self._again = again
        self._settings = request.evaluate.model_dump(mode="json")
        self._lock = threading.Lock()  # of the two below
        self._run: JobRun | None = None
        self._cancelled = False
        self._rounds = 0
        self._tables: frozenset[str] = frozenset()
        self._held: dict[int, Outcome] = {}
        self._before: dict[int, Outcome] = {}
        self._finalists = finalists
        self._ended: dict[int, Outcome] = {}
        self._confirming: dict[int, Finalist] | None = None
        self.confirmed_exactly = False

    def run(self, plan: Plan, known: Mapping[str, ScoreRow]) -> None:
        """Runs what was planned; ServerError `engine_closed`."""
        self._rounds += 1
        self._tables = tables(plan)
        run = JobRun(
            self.request.job.id,
            plan,
            limits=self._limits,
            session=self.request.job.session,
            on_outcome=self.outcome,
            on_finish=self._finish,
            known=known,
            started=None if self._run is None else self._run.started,
        )
        with self._lock:
            self._run = run
            cancelled = self._cancelled
        self._scheduler.submit(run)
        if cancelled:
            self._stop(run)

    def confirm(
        self, plan: Plan, known: Mapping[str, ScoreRow], finalists: dict[int, Finalist]
    ) -> None:
        """Runs the last part of a job, which scores `finalists` on the hold-out; or a part
        before it, which scores them exactly."""
        self._confirming = finalists
        self.run(plan, known)

    def unconfirmed(self, finalists: dict[int, Finalist]) -> None:
        """Ends a job whose finalists could not be run."""
        self._confirming = finalists
        self._finish("completed")

    def cancel(self) -> None:
        """Ends the job; what has been computed stays."""
        with self._lock:
            self._cancelled = True
            run = self._run
        if run is not None:
            self._stop(run)

    def _stop(self, run: JobRun) -> None:
        with suppress(ServerError):  # the engine is closing, and ends it itself
            error = ExecutionError("cancelled", "The job was cancelled.")
            self._scheduler.cancel(run, error)

    def outcome(self, outcome: Outcome) -> None:
        """A pipeline has ended, or is held back."""
        if self._confirming is not None:
            found = self._confirming[outcome.position]
            self._confirming[outcome.position] = replace(found, confirmed=outcome)
            return
        before = self._before.pop(outcome.position, None)
        if before is not None:
            outcome = replace(
                outcome,
                seconds=outcome.seconds + before.seconds,
                reused_seconds=outcome.reused_seconds + before.reused_seconds,
            )
        if self._may_recover(outcome):
            self._held[outcome.position] = outcome
        else:
            self.report(outcome)

    def report(self, outcome: Outcome) -> None:
        """The final outcome of a pipeline, as far as its folds go."""
        if self._finalists is not None:
            self._ended[outcome.position] = outcome
        self._recorder.outcome(self.request.job, outcome, self._settings)

    def end(self, state: JobState) -> None:
        self._recorder.finish(self.request.job, state)

    def _may_recover(self, outcome: Outcome) -> bool:
        error = outcome.error
        if error is None:
            return False
        if unreadable(outcome):
            return self._rounds < MAX_ROUNDS
        if self._rounds > 1:
            return False
        return (self.by_table(outcome) and sure_to_repeat(error)) or self.foreign(outcome)

    def by_table(self, outcome: Outcome) -> bool:
        """Whether a pipeline failed by a table that its last run made."""
        return outcome.node in self._tables

    def foreign(self, outcome: Outcome) -> bool:
        """Whether a pipeline failed by a node that came about by planning it with others, of its
        own request or of another one."""
        error = outcome.error
        if error is None or error.code in _ENDS:
            return False
        places = self.request.built[outcome.position].places
        return bool(outcome.node) and outcome.node not in places

    def _finish(self, state: JobState) -> None:
        if self._confirming is not None:
            # Together, so that all of them show the same number of looks.
            confirming, self._confirming = self._confirming, None
            self._recorder.confirmed(self.request.job, confirming, self._settings)
            exactly = any(one.exact for one in confirming.values())
            self.confirmed_exactly |= exactly
            more = self._finalists if exactly and state == "completed" else None
            if more is None or not more(self, self._ended):
                self.end(state)
            return
        held, self._held = self._held, {}
        self._before = dict(held)
        if held and state == "completed" and self._again(self, held):
            return
        for outcome in held.values():
            self.report(outcome)
        continued = self._finalists if state == "completed" else None
        if continued is None or not continued(self, self._ended):
            self.end(state)


def tables(plan: Plan) -> frozenset[str]:
    """Keys of the tables that a plan materialises."""
    return frozenset(
        instruction.out.key
        for task in plan.tasks
        for instruction in task.instructions
        if isinstance(instruction.op, Materialise)
    )


def unreadable(outcome: Outcome) -> bool:
    return outcome.error is not None and outcome.error.code == "block_unreadable"


def repeats(outcome: Outcome, plan: Plan) -> bool:
    """Whether the node by which a pipeline failed is in its new `plan` as well."""
    if unreadable(outcome):
        return outcome.node in tables(plan)
    return any(i.out.key == outcome.node for task in plan.tasks for i in task.instructions)


def part(plan: Plan, offset: int, count: int, ended: Collection[int]) -> Plan:
    """The part of a merged plan that answers one request, with positions of its own; without
    the pipelines in `ended` and what only they would need."""
    mine = range(offset, offset + count)
    tasks = []
    for task in plan.tasks:
        wanted = tuple(p - offset for p in task.pipelines if p in mine)
        wanted = tuple(p for p in wanted if p not in ended)
        if wanted:
            tasks.append(replace(task, pipelines=wanted))
    pipelines = tuple(
        replace(p, index=p.index - offset)
        for p in plan.pipelines
        if p.index in mine and p.index - offset not in ended
    )
    return Plan(tuple(tasks), pipelines)


def joined(plans: Collection[Plan]) -> Plan:
    """Plans side by side, sharing nothing before they run."""
    tasks = []
    offset = 0
    for plan in plans:
        for task in plan.tasks:
            needs = tuple(need + offset for need in task.needs)
            tasks.append(replace(task, id=task.id + offset, needs=needs))
        offset += 1 + max((task.id for task in plan.tasks), default=-1)
    return Plan(tuple(tasks), tuple(p for plan in plans for p in plan.pipelines))
