"""Requests of several sessions: planned in turns, as one batch, and answered one by one."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from executor.catalog_rows import JobState
from planner.accumulator import MAX_WEIGHT, Window
from planner.errors import SpecError, StratumError
from planner.schema import FactPending
from planner.spec import EvaluateSpec
from tests.executor.fault_functions import LIMIT, Gate
from tests.executor.harness import await_end
from tests.executor.scheduling import Step, plan
from tests.tools.conftest import FOLDS, run, spec, start
from tests.tools.fault_table import CRASH, GATE
from tools import planning
from tools.asked import Again
from tools.batches import Request
from tools.engine import Engine
from tools.execution import joined, part
from tools.jobs import Job
from tools.requests import EvaluatePipelines
from tools.turns import Steps

TERMINAL: set[JobState] = {"completed", "failed", "cancelled", "timeout", "interrupted"}


@pytest.fixture
def together(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in line is waited for, however long it takes."""
    monkeypatch.setattr(engine._planner._accumulator, "_window", Window(LIMIT, LIMIT))


@pytest.fixture
def held(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """The planning thread is kept from building until this is set, so that what is sent
    meanwhile waits together."""
    open_ = threading.Event()
    arrived = threading.Event()
    preparing = planning.preparing

    def hold(request: Request, *rest: Any) -> Any:
        if request.session == "holder":
            arrived.set()
            assert open_.wait(LIMIT)
        return preparing(request, *rest)

    monkeypatch.setattr(planning, "preparing", hold)
    send(engine, spec("Ridge(alpha=50)"), session="holder")
    assert arrived.wait(LIMIT)
    yield open_
    open_.set()


def send(engine: Engine, *pipelines: dict[str, Any], session: str = "", **settings: Any) -> Job:
    evaluate = EvaluateSpec(**{**FOLDS, **settings})
    request = EvaluatePipelines(pipelines=list(pipelines), evaluate=evaluate)
    return engine.evaluate(request, session, wait=False)


def statuses(job: Job) -> list[str]:
    assert job.wait(LIMIT)
    return [evaluation.status for evaluation in job.in_order()]


def wait_queued(engine: Engine, job: Job) -> None:
    """Waits until the scheduler has the tasks of a job."""
    assert job.wait_planned(LIMIT)
    queued = threading.Event()

    def look() -> None:  # between the turns of the scheduler
        if job.finished or any(run.job == job.id for run in engine.scheduler._queue.jobs()):
            queued.set()
        else:
            engine.scheduler._do(look)

    engine.scheduler._do(look)
    assert queued.wait(LIMIT)


def encoded(model: str, components: int) -> dict[str, Any]:
    branch = {"columns": "numeric", "steps": [f"PCA(n_components={components}, random_state=9)"]}
    return spec(model, features=[branch])


@pytest.mark.usefixtures("together")
class TestTogether:
    def test_they_share_one_plan(self, engine: Engine, held: threading.Event) -> None:
        jobs = [
            send(engine, encoded(f"KNeighborsRegressor({k})", 8), session=str(k)) for k in (3, 4)
        ]
        held.set()
        assert [statuses(job) for job in jobs] == [["ok"], ["ok"]]
        plans = [job.plan for job in jobs]
        assert plans[0] is not None
        assert plans[1] is not None
        assert plans[0].nodes_asked == plans[1].nodes_asked
        assert plans[0].nodes_merged < plans[0].nodes_asked

    def test_a_bad_request_harms_no_other(self, engine: Engine, held: threading.Event) -> None:
        twins = [{**spec("Ridge()"), "name": "twin"}] * 2
        good = send(engine, spec("Ridge(alpha=51)"), session="a")
        confused = send(engine, *twins, {"from": "twin", "model": "Lasso()"}, session="b")
        endless = send(engine, spec("Ridge(alpha=choose(*range(0)))"), session="d")
        mixed = send(engine, spec("Rigde()"), spec("Ridge(alpha=52)"), session="c")
        held.set()
        assert statuses(good) == ["ok"]
        assert statuses(confused) == ["ok", "ok", "failed"]
        assert statuses(mixed) == ["failed", "ok"]
        assert statuses(endless) == ["failed"]
        misspelt = mixed.in_order()[0]
        assert misspelt.error is not None
        assert misspelt.error.path == "pipelines[0].model"

    def test_limits_of_one_are_not_held_against_the_other(
        self, engine: Engine, held: threading.Event
    ) -> None:
        """What has limits is not grouped with the pipelines of others."""
        jobs = [
            send(engine, spec(f"Ridge(alpha={alpha})"), session=str(alpha), budget=budget)
            for alpha, budget in ((61, {}), (62, {"pipeline_seconds": 1000.0}), (63, {}))
        ]
        held.set()
        assert [statuses(job) for job in jobs] == [["ok"]] * 3
        asked = [job.plan.nodes_asked for job in jobs if job.plan is not None]
        assert asked[0] == asked[2] == 3 * asked[1]  # with the holder's

    def test_a_member_that_crashes_harms_no_other_session(
        self, engine: Engine, held: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One group of models of both; who has no part in the crash is planned without it."""
        again: list[str] = []
        original = engine._planner._again

        def noted(item: Again) -> Steps:
            again.append(item.execution.request.session)
            return original(item)

        monkeypatch.setattr(engine._planner, "_again", noted)
        numeric = [{"columns": "numeric"}]
        models = {"a": f"Ridge(alpha={CRASH})", "b": "Ridge(alpha=3.25)"}
        jobs = {
            session: send(engine, spec(model, features=numeric), session=session)
            for session, model in models.items()
        }
        held.set()
        assert statuses(jobs["b"]) == ["ok"]
        assert statuses(jobs["a"]) == ["failed"]
        assert sorted(again) == ["a", "b"]
        error = jobs["a"].in_order()[0].error
        assert error is not None
        assert (error.code, error.path) == ("worker_crashed", "pipelines[0].model")

    def test_an_unforeseen_exception_harms_no_other(
        self, engine: Engine, held: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        preparing = planning.preparing

        def broken(request: Request, *rest: Any) -> Any:
            if len(request.pipelines) == 2:
                raise RuntimeError("unforeseen")
            return preparing(request, *rest)

        monkeypatch.setattr(planning, "preparing", broken)
        good = send(engine, spec("Ridge(alpha=53)"), session="a")
        bad = send(engine, spec("Ridge()"), spec("Ridge()"), session="b")
        held.set()
        assert statuses(good) == ["ok"]
        assert bad.wait(LIMIT)
        assert (bad.state, getattr(bad.error, "code", "")) == ("failed", "internal_error")

    def test_a_batch_that_cannot_be_compiled_is_planned_one_by_one(
        self, engine: Engine, held: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compile_batch = planning.compile_batch

        def broken(graph: Any, pipelines: Any, **rest: Any) -> Any:
            if len(pipelines) > 1:
                raise RuntimeError("unforeseen")
            return compile_batch(graph, pipelines, **rest)

        monkeypatch.setattr(planning, "compile_batch", broken)
        jobs = [send(engine, spec(f"Ridge(alpha={a})"), session=str(a)) for a in (54, 55)]
        held.set()
        assert [statuses(job) for job in jobs] == [["ok"], ["ok"]]

    def test_the_thread_outlives_everything(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("unforeseen")

        with monkeypatch.context() as patch:
            patch.setattr(engine._planner, "_launch", broken)
            with pytest.raises(StratumError, match="internal_error"):
                start(engine, spec("Ridge()"))
        assert run(engine, spec("Ridge()"))[0].status == "ok"


class TestTurns:
    def test_one_pipeline_does_not_wait_for_a_flood(
        self, engine: Engine, held: threading.Event, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The flood came first, and has more pipelines than are built in one turn."""
        order: list[str] = []
        finished = Job.run

        def noted(job: Job, *rest: Any) -> None:
            order.append(job.session)
            finished(job, *rest)

        monkeypatch.setattr(Job, "run", noted)
        flood = send(engine, *(spec(f"Lasso(alpha={n})") for n in range(1, 100)), session="flood")
        small = send(engine, spec("Ridge(alpha=56)"), session="small")
        held.set()
        assert small.wait_planned(LIMIT)
        assert flood.wait_planned(LIMIT)
        assert order.index("small") < order.index("flood")
        assert statuses(small) == ["ok"]
        flood.cancel()
        assert flood.wait(LIMIT)

    def test_compiling_a_large_request_holds_up_nobody(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The small one is planned and run while the large one is compiled."""
        compile_batch = planning.compile_batch
        compiling, go_on = threading.Event(), threading.Event()

        def slow(graph: Any, pipelines: Any, **rest: Any) -> Any:
            if len(pipelines) > MAX_WEIGHT:
                compiling.set()
                assert go_on.wait(LIMIT)
            return compile_batch(graph, pipelines, **rest)

        monkeypatch.setattr(planning, "compile_batch", slow)
        many = (spec(f"Ridge(alpha={n})") for n in range(1, MAX_WEIGHT + 2))
        large = send(engine, *many, session="large")
        assert compiling.wait(LIMIT)
        assert statuses(send(engine, spec("Ridge(alpha=0.577)"), session="small")) == ["ok"]
        assert large.state == "submitted"
        go_on.set()
        assert set(statuses(large)) == {"ok"}

    def test_who_waits_for_a_fact_holds_up_nobody(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Nothing is known of the first request's data until the second one is done."""
        known: list[Any] = []
        waiting = threading.Event()
        build = planning.preparing

        def slow(request: Request, *rest: Any) -> Any:
            if request.session == "slow":

                def then(callback: Any) -> None:
                    known.append(callback)
                    waiting.set()

                yield FactPending(then)
            yield from build(request, *rest)

        monkeypatch.setattr(planning, "preparing", slow)
        first = send(engine, spec("Ridge(alpha=57)"), session="slow")
        assert waiting.wait(LIMIT)
        second = send(engine, spec("Ridge(alpha=58)"), session="quick")
        assert statuses(second) == ["ok"]
        assert first.state == "submitted"
        known[0]()
        assert statuses(first) == ["ok"]

    def test_facts_about_data_are_asked_of_a_worker(self, engine: Engine) -> None:
        """A filter that nobody has used before: its rows are counted, and planning goes on."""
        rare = spec("Ridge()", prepare=[{"filter": "age > -0.0777"}])
        leave_out = {"cv": "LeavePOut(1)", "metrics": ["mae"]}
        found = run(engine, {**rare, "prepare": [*rare["prepare"], {"limit": 20}]}, **leave_out)
        assert found[0].status == "ok"
        assert len(found[0].metrics["mae"].folds) == 20


class TestCancelling:
    def test_while_it_is_planned(self, engine: Engine, held: threading.Event) -> None:
        job = send(engine, spec("Ridge(alpha=59)"), spec("Ridge(alpha=60)"), session="a")
        other = send(engine, spec("Ridge(alpha=61)"), session="b")
        info = engine.job_info(job.id)
        assert (info.state, info.total, info.done) == ("submitted", 2, 0)
        assert {row.id: row.state for row in engine.catalog.list_jobs()}[job.id] == "submitted"
        info = engine.cancel_job(job.id)
        assert (info.state, info.total, info.done) == ("cancelled", 2, 0)
        assert engine.catalog.get_job(job.id).state == "cancelled"
        held.set()
        assert statuses(other) == ["ok"]
        assert job.plan is None
        assert engine.cancel_job(job.id).state == "cancelled"

    def test_while_it_waits_for_a_fact(
        self, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waiting = threading.Event()

        def forever(request: Request, *rest: Any) -> Any:
            yield FactPending(lambda callback: waiting.set())

        with monkeypatch.context() as patch:
            patch.setattr(planning, "preparing", forever)
            job = send(engine, spec("Ridge()"))
            assert waiting.wait(LIMIT)
        assert engine.cancel_job(job.id).state == "cancelled"
        assert run(engine, spec("Ridge()"))[0].status == "ok"
        assert len(engine._planner._accumulator) == 0

    @pytest.mark.usefixtures("together")
    def test_one_of_two_that_were_planned_together(
        self, engine: Engine, held: threading.Event, gate: Gate
    ) -> None:
        """The other one shares its fits, and they go on."""
        model = f"DecisionTreeRegressor(max_depth=3, random_state={GATE})"
        jobs = [send(engine, spec(model), session=session) for session in "ab"]
        held.set()
        for job in jobs:
            wait_queued(engine, job)
        gate.arrived()
        assert engine.cancel_job(jobs[0].id).state == "cancelled"
        gate.open()
        for _ in range(2):
            gate.arrived()
            gate.open()
        assert statuses(jobs[1]) == ["ok"]
        assert statuses(jobs[0]) == ["cancelled"]


class TestErrors:
    def test_a_request_that_cannot_be_planned_says_why(self, engine: Engine) -> None:
        wide = spec(
            "Ridge(alpha=choose(*RANGE*))".replace("*RANGE*", ",".join(map(str, range(150))))
        )
        wide["early_stopping"] = None
        many = {**wide, "features": [{"choose": [[{"columns": "numeric"}]] * 150}]}
        with pytest.raises(SpecError, match="too_many_choices"):
            start(engine, many)
        job = send(engine, many)
        assert job.wait(LIMIT)
        assert job.state == "failed"
        with pytest.raises(SpecError, match="too_many_choices"):
            engine.job_info(job.id)
        with engine._jobs_lock:
            del engine._jobs[job.id]
        with pytest.raises(SpecError, match="too_many_choices"):
            engine.job_info(job.id)

    def test_every_job_ends_in_one_state(self, engine: Engine) -> None:
        jobs = [send(engine, spec(f"Ridge(alpha={a})"), session=str(a % 3)) for a in range(70, 79)]
        for job in jobs[::2]:
            job.cancel()
        for job in jobs:
            assert job.wait(LIMIT)
            assert job.state in TERMINAL
            assert engine.catalog.get_job(job.id).state == job.state
        await_end([])


def test_plans_side_by_side_keep_their_tasks_apart() -> None:
    """Parts of plans have gaps in their ids."""
    whole = plan(*(Step(f"s{n}", "fit", pipelines=(n,)) for n in range(6)))
    parts = [part(whole, 0, 6, ended) for ended in ((1, 2, 3, 4), (0, 5))]
    both = joined(parts)
    assert len({task.id for task in both.tasks}) == len(both.tasks) == 6
