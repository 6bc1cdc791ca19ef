"""Faults of every kind: what they end, what they leave alone, and that the rest goes on."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from executor.jobs import JobRun
from executor.workers import Worker, WorkerPool
from planner.errors import ExecutionError, ServerError, StratumError
from tests.executor.fault_functions import LIMIT
from tests.executor.harness import await_end, is_running
from tests.executor.scheduling import Bench, Step, Watched, plan, watched

CANCELLED = ExecutionError("cancelled", "The job was cancelled.")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def codes(job: Watched) -> dict[int, str]:
    return {p: o.error.code if o.error else "" for p, o in sorted(job.wait().items())}


class TestResults:
    def test_scores_reach_the_pipelines_that_asked(self, bench: Bench) -> None:
        job = bench.start(
            Step("table", "make", pipelines=(0, 1)),
            Step("a", "fit", ["table"], pipelines=(0,)),
            Step("b", "fit", ["table"], pipelines=(1,)),
        )
        outcomes = job.wait()
        assert {p: list(o.metrics) for p, o in outcomes.items()} == {0: ["a"], 1: ["b"]}
        assert all(o.metrics[n].folds == (1.0,) for o in outcomes.values() for n in o.metrics)
        assert job.state == "completed"
        assert bench.ran() == ["make", "fit", "fit"]
        bench.assert_idle()

    def test_a_second_job_reads_the_blocks_of_the_first(self, bench: Bench) -> None:
        bench.run(Step("table", "make"), Step("a", "fit", ["table"]))
        outcomes = bench.run(Step("b", "other", ["table"], made=False))
        assert outcomes[0].status == "ok"
        assert bench.ran() == ["make", "fit", "other"]

    def test_a_job_without_work_ends_at_once(self, bench: Bench) -> None:
        assert bench.run() == {}


class TestFailures:
    def test_a_failing_node_fails_what_depends_on_it(self, bench: Bench) -> None:
        outcomes = bench.run(
            Step("encoded", "fail no_columns", pipelines=(0,)),
            Step("a", "fit", ["encoded"], pipelines=(0,)),
            Step("b", "fit", pipelines=(1,)),
        )
        assert outcomes[0].error is not None
        assert outcomes[0].error.code == "no_columns"
        assert outcomes[0].error.path == "pipelines[0].encoded"
        assert outcomes[0].node == "encoded"
        assert outcomes[1].status == "ok"
        bench.assert_idle()

    def test_a_failure_goes_down_a_chain(self, bench: Bench) -> None:
        outcomes = bench.run(
            Step("one", "raise", pipelines=(0, 1)),
            Step("two", "make", ["one"], pipelines=(0, 1)),
            Step("a", "fit", ["two"], pipelines=(0,)),
            Step("b", "fit", ["two"], pipelines=(1,)),
        )
        assert [o.error.code for o in outcomes.values() if o.error] == ["broken", "broken"]
        assert bench.ran() == ["raise"]
        bench.assert_idle()

    @pytest.mark.parametrize(
        "answer",
        [
            {"scores": None},
            {"scores": [["a", 0]]},
            {"scores": [["a", [0], 1.0]]},
            {"saved": [["x", "big", 1.0]]},
            {"failures": {"a": {}}},
            {"failures": []},
        ],
    )
    def test_a_senseless_answer_fails_its_pipelines_only(
        self, bench: Bench, answer: dict[str, Any]
    ) -> None:
        job = bench.start(
            Step("a", f"garbage {json.dumps(answer)}", pipelines=(0,)),
            Step("b", "fit", pipelines=(1,)),
        )
        assert codes(job) == {0: "internal_error", 1: ""}
        bench.assert_idle()

    def test_scores_that_were_not_asked_for_are_not_believed(self, bench: Bench) -> None:
        gate = bench.gate("g")
        job = bench.start(
            Step("a", 'garbage {"scores": [["a", 0, 1.0], ["b", 0, 99.0]]}', pipelines=(0,)),
            Step("b", "gate g", pipelines=(1,)),
        )
        job.wait_for(0)
        gate.open()
        assert job.wait()[1].metrics["b"].mean == 1.0

    def test_a_listener_that_raises_ends_nothing(self, bench: Bench) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("listener")

        run = JobRun("job", plan(Step("a", "fit")), limits=watched(plan()).run.limits,
                     on_outcome=broken, on_finish=broken)  # fmt: skip
        bench.scheduler.submit(run)
        assert run.finished.wait(LIMIT)
        assert bench.run(Step("b", "fit"))[0].status == "ok"
        bench.assert_idle()

    def test_a_job_that_cannot_be_queued_fails_alone(self, bench: Bench) -> None:
        bad = plan(Step("table", "make"), Step("a", "fit", ["table"]))
        bad = type(bad)(bad.tasks[1:], bad.pipelines)  # needs a task that is not there
        job = watched(bad)
        bench.scheduler.submit(job.run)
        assert codes(job) == {0: "internal_error"}
        assert job.state == "failed"
        assert bench.run(Step("b", "fit"))[0].status == "ok"


class TestCrashes:
    def test_once_is_forgiven(self, bench: Bench) -> None:
        assert bench.run(Step("a", "crash-once x"))[0].status == "ok"
        assert bench.ran() == ["crash-once x"] * 2
        bench.assert_idle()

    def test_twice_is_reported_and_harms_no_other(self, bench: Bench) -> None:
        job = bench.start(
            Step("made", "crash", pipelines=(0,)),
            Step("a", "fit", ["made"], pipelines=(0,)),
            Step("b", "fit", pipelines=(1,)),
        )
        assert codes(job) == {0: "worker_crashed", 1: ""}
        assert bench.ran().count("crash") == 2
        bench.assert_idle()

    def test_when_the_forking_process_dies_work_is_done_again(self, bench: Bench) -> None:
        gate = bench.gate("g")
        job = bench.start(Step("a", "gate g", pipelines=(0,)), Step("b", "gate g", pipelines=(1,)))
        workers = [gate.arrived(), gate.arrived()]
        zygote = bench.pool._zygote
        assert zygote is not None
        os.kill(zygote.process.pid, signal.SIGKILL)
        await_end(workers)
        gate.arrived(), gate.arrived()
        gate.open(), gate.open()
        assert codes(job) == {0: "", 1: ""}
        bench.assert_idle()

    def test_temporary_files_of_a_killed_worker_are_removed(self, bench: Bench) -> None:
        gate = bench.gate("g")
        job = bench.start(Step("a", "gate g"))
        pid = gate.arrived()
        left = bench.blocks / "tmp" / f"{pid}-0123.tmp"
        left.parent.mkdir(exist_ok=True)
        left.touch()
        bench.scheduler.cancel(job.run, CANCELLED)
        job.wait()
        assert bench.run(Step("b", "fit"))[0].status == "ok"
        await_end([pid])
        bench.close()
        assert not left.exists()

    def test_workers_that_cannot_start_fail_what_waits(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, essential=("tests.executor.crashing_module",))
        job = bench.start(Step("a", "fit"))
        future = _call(bench, "x")
        assert set(codes(job).values()) <= {"workers_unavailable", "worker_crashed"}
        assert job.state == "failed"
        with pytest.raises(StratumError):
            future.result(LIMIT)
        bench.close()

    def test_workers_that_end_as_they_start_fail_what_waits(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fork = WorkerPool.fork

        def stillborn(pool: WorkerPool) -> Worker:
            worker = fork(pool)
            worker.kill()
            return worker

        with monkeypatch.context() as patch:
            patch.setattr(WorkerPool, "fork", stillborn)
            bench = Bench(tmp_path)
            job = bench.start(Step("a", "fit"))
            assert codes(job) == {0: "worker_crashed"}
            assert job.state == "failed"
        assert bench.run(Step("a", "fit"))[0].status == "ok"  # when they can be had again
        bench.assert_idle()
        bench.close()


class TestLimits:
    def test_a_pipeline_over_its_seconds(self, bench: Bench) -> None:
        gate = bench.gate("g")
        job = bench.start(
            Step("a", "gate g", pipelines=(0,)), Step("b", "fit", pipelines=(1,)),
            pipeline_seconds=500,
        )  # fmt: skip
        pid = gate.arrived()
        job.wait_for(1)
        bench.pass_time(501)
        outcomes = job.wait()
        assert [outcomes[p].status for p in (0, 1)] == ["timeout", "ok"]
        assert outcomes[0].error is not None
        assert outcomes[0].error.path == "pipelines[0].a"
        assert outcomes[0].seconds > 500
        assert job.state == "completed"
        await_end([pid])
        bench.assert_idle()

    def test_a_shared_task_ends_only_the_job_whose_limit_it_is(self, bench: Bench) -> None:
        gate = bench.gate("g")
        patient = bench.start(Step("a", "gate g"))
        pid = gate.arrived()
        hasty = bench.start(Step("a", "gate g"), pipeline_seconds=500)
        bench.pass_time(501)
        assert codes(hasty) == {0: "timeout"}
        assert is_running(pid)
        gate.open()
        assert codes(patient) == {0: ""}
        assert bench.ran() == ["gate g"]
        bench.assert_idle()

    def test_the_seconds_of_a_job(self, bench: Bench) -> None:
        gate = bench.gate("g")
        job = bench.start(
            Step("a", "gate g", pipelines=(0,)), Step("b", "fit", pipelines=(1,)), seconds=500
        )
        pid = gate.arrived()
        job.wait_for(1)
        bench.pass_time(501)
        outcomes = job.wait()
        assert [outcomes[p].status for p in (0, 1)] == ["skipped", "ok"]
        assert job.state == "timeout"
        await_end([pid])
        bench.assert_idle()

    def test_the_memory_of_a_worker(self, bench: Bench) -> None:
        bench.gate("g")
        job = bench.start(
            Step("a", "hold 80 g", pipelines=(0,)), Step("b", "fit", pipelines=(1,)),
            worker_bytes=40 << 20,
        )  # fmt: skip
        assert [job.wait()[p].status for p in (0, 1)] == ["out_of_memory", "ok"]
        bench.assert_idle()

    def test_above_the_whole_budget_the_largest_goes(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, memory=160 << 20)
        small, _ = bench.gate("small"), bench.gate("large")
        job = bench.start(
            Step("a", "hold 50 small", pipelines=(0,)), Step("b", "hold 130 large", pipelines=(1,))
        )
        assert job.wait_for(1).status == "out_of_memory"
        small.open()
        assert job.wait()[0].status == "ok"
        bench.close()

    def test_measured_memory_keeps_new_work_waiting(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path, memory=160 << 20)
        gate = bench.gate("g")
        job = bench.start(Step("a", "hold 100 g"))
        gate.arrived()
        lease = next(running.lease for _, running in bench.scheduler._fleet.busy.values())
        assert lease is not None
        bench.until(lambda: lease.measured >= 100 << 20)
        assert not bench.ledger.fits(1, 100 << 20)
        gate.open()
        job.wait()
        bench.close()


class TestCancelling:
    def test_kills_what_nobody_else_needs(self, bench: Bench) -> None:
        gate = bench.gate("g")
        job = bench.start(Step("a", "gate g", pipelines=(0,)), Step("b", "fit", pipelines=(1,)))
        pid = gate.arrived()
        job.wait_for(1)
        bench.scheduler.cancel(job.run, CANCELLED)
        assert [job.wait()[p].status for p in (0, 1)] == ["cancelled", "ok"]
        assert job.state == "cancelled"
        await_end([pid])
        bench.assert_idle()

    def test_the_same_work_can_be_asked_for_again(self, bench: Bench) -> None:
        """What had waited for cancelled work must not be taken for work under way."""
        gate = bench.gate("g")
        steps = (Step("table", "gate g"), Step("made", "make", ["table"]),
                 Step("a", "fit", ["made"]))  # fmt: skip
        first = bench.start(*steps)
        gate.arrived()
        bench.scheduler.cancel(first.run, CANCELLED)
        second = bench.start(*steps)
        assert codes(first) == {0: "cancelled"}
        gate.arrived()
        gate.open()
        assert codes(second) == {0: ""}
        bench.assert_idle()

    def test_work_asked_for_while_it_is_being_killed(self, bench: Bench) -> None:
        gate = bench.gate("g")
        first = bench.start(Step("a", "gate g"))
        gate.arrived()
        second = watched(plan(Step("a", "gate g")))
        bench.at_once(
            lambda: bench.scheduler._cancel(first.run, CANCELLED, "cancelled"),
            lambda: bench.scheduler._submit(second.run),
        )
        gate.arrived()
        gate.open()
        assert codes(second) == {0: ""}
        bench.assert_idle()

    @pytest.mark.parametrize("goes", [0, 1])
    def test_shared_work_goes_on_for_the_other_job(self, bench: Bench, goes: int) -> None:
        gate = bench.gate("g")
        steps = (Step("table", "gate g"), Step("a", "fit", ["table"]))
        jobs = [bench.start(*steps), bench.start(*steps)]
        gate.arrived()
        bench.scheduler.cancel(jobs[goes].run, CANCELLED)
        assert codes(jobs[goes]) == {0: "cancelled"}
        gate.open()
        assert codes(jobs[1 - goes]) == {0: ""}
        assert bench.ran() == ["gate g", "fit"]
        bench.assert_idle()

    def test_a_task_is_not_shared_if_its_inputs_might_be_dropped(self, bench: Bench) -> None:
        """The second job found the block of `made` stored, so it does not wait for `made`; the
        first one makes that again, and is cancelled before it has."""
        gate = bench.gate("g")
        bench.run(Step("made", "make", saves=True), Step("x", "fit", ["made"]))
        first = bench.start(Step("made", "gate g", saves=True), Step("a", "fit", ["made"]))
        gate.arrived()
        second = bench.start(Step("a", "fit", ["made"], made=False))
        bench.scheduler.cancel(first.run, CANCELLED)
        assert codes(second) == {0: ""}
        bench.assert_idle()

    def test_an_input_of_work_that_another_pipeline_needs_stays(self, bench: Bench) -> None:
        """`extra` belongs to pipeline 1 only, but the task that both need reads it."""
        gate = bench.gate("g")
        bad = bench.gate("bad")
        job = bench.start(
            Step("extra", "gate g", pipelines=(1,)),
            Step("a", "fit", ["extra"], pipelines=(0, 1)),
            Step("early", "gate bad", pipelines=(1,)),
            Step("b", "fail", ["early"], pipelines=(1,)),
        )
        gate.arrived()
        bad.arrived()
        bad.open()
        job.wait_for(1)
        bench.at_once()  # what came with that end is over
        gate.open()
        assert codes(job) == {0: "", 1: "fit_failed"}
        bench.assert_idle()

    def test_before_it_was_begun(self, bench: Bench) -> None:
        job = watched(plan(Step("a", "hang"), Step("b", "hang", pipelines=(1,))))
        bench.scheduler.cancel(job.run, CANCELLED)
        bench.scheduler.submit(job.run)
        assert codes(job) == {0: "cancelled", 1: "cancelled"}
        bench.assert_idle()

    def test_after_it_has_ended(self, bench: Bench) -> None:
        job = bench.start(Step("a", "fit"))
        job.wait()
        bench.scheduler.cancel(job.run, CANCELLED)
        bench.assert_idle()
        assert job.state == "completed"


def test_unreadable_inputs_are_removed(bench: Bench) -> None:
    bench.run(Step("table", "make"), Step("a", "fit", ["table"]))
    bench.store.path("table").write_bytes(b"no block")
    job = bench.start(Step("b", "other", ["table"], made=False), Step("c", "fit", pipelines=(1,)))
    assert codes(job) == {0: "block_unreadable", 1: ""}
    assert not bench.store.path("table").exists()
    assert "other" not in bench.ran()
    bench.assert_idle()


def _call(bench: Bench, marker: str, **options: Any) -> Any:
    return bench.scheduler.call("call", {"marker": marker, "root": str(bench.root)}, **options)


class TestCalls:
    def test_answers(self, bench: Bench) -> None:
        assert _call(bench, "x").result(LIMIT) == {"marker": "x"}

    def test_failures_are_raised(self, bench: Bench) -> None:
        with pytest.raises(ExecutionError, match="broken"):
            _call(bench, "raise").result(LIMIT)

    def test_a_crash_is_forgiven_once(self, bench: Bench) -> None:
        assert _call(bench, "crash-once x").result(LIMIT) == {"marker": "crash-once x"}
        with pytest.raises(ExecutionError, match="worker_crashed"):
            _call(bench, "crash").result(LIMIT)

    def test_seconds(self, bench: Bench) -> None:
        with pytest.raises(ExecutionError, match="timeout"):
            _call(bench, "hang", seconds=0.3).result(LIMIT)

    def test_go_ahead_of_a_machine_full_of_fits(self, bench: Bench) -> None:
        gate = bench.gate("g")
        job = bench.start(
            Step("a", "gate g", pipelines=(0,)), Step("b", "gate g", pipelines=(1,)),
            Step("c", "fit", pipelines=(2,)),
        )  # fmt: skip
        gate.arrived(), gate.arrived()
        assert _call(bench, "x").result(LIMIT) == {"marker": "x"}
        gate.open(), gate.open()
        job.wait()

    def test_cancelling_one_that_runs_and_one_that_waits(self, bench: Bench) -> None:
        gate = bench.gate("g")
        running = [_call(bench, "gate g") for _ in range(4)]
        pids = [gate.arrived() for _ in running]
        waiting = _call(bench, "x")
        bench.scheduler.cancel_call(waiting)
        with pytest.raises(ExecutionError, match="cancelled"):
            waiting.result(LIMIT)
        for future in running:
            bench.scheduler.cancel_call(future)
            with pytest.raises(ExecutionError, match="cancelled"):
                future.result(LIMIT)
        await_end(pids)
        assert _call(bench, "y").result(LIMIT) == {"marker": "y"}


class TestClosing:
    def test_ends_everything_in_the_middle(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path)
        gate = bench.gate("g")
        job = bench.start(
            Step("a", "gate g", pipelines=(0,)), Step("b", "fit", ["a"], pipelines=(0,)),
            Step("c", "gate g", pipelines=(1,)),
        )  # fmt: skip
        pids = [gate.arrived(), gate.arrived()]
        calls = [_call(bench, "gate g") for _ in range(6)]
        bench.close()
        assert codes(job) == {0: "cancelled", 1: "cancelled"}
        assert job.state == "interrupted"
        for future in calls:
            with pytest.raises(ExecutionError, match="cancelled"):
                future.result(LIMIT)
        assert not any(map(is_running, pids))
        with pytest.raises(ServerError, match="engine_closed"):
            bench.scheduler.submit(job.run)
        bench.scheduler.close()

    def test_what_was_submitted_last_is_ended_too(self, tmp_path: Path) -> None:
        """Commands that the thread has not looked at when it is told to end."""
        bench = Bench(tmp_path)
        job = watched(plan(Step("a", "hang")))
        calls: list[Any] = []

        def at_the_end() -> None:
            bench.scheduler.submit(job.run)
            calls.append(_call(bench, "hang"))
            threading.Thread(target=bench.scheduler.close).start()
            closing.wait(LIMIT)

        closing = threading.Event()
        original = bench.scheduler._wake

        def wake() -> None:
            original()
            if bench.scheduler._closing:
                closing.set()

        bench.scheduler._wake = wake  # type: ignore[method-assign]
        bench.scheduler._do(at_the_end)
        assert codes(job) == {0: "cancelled"}
        with pytest.raises(ExecutionError, match="cancelled"):
            calls[0].result(LIMIT)
        bench.close()

    def test_before_it_was_started(self, tmp_path: Path) -> None:
        bench = Bench(tmp_path)
        other = type(bench.scheduler)(
            bench.pool, bench.ledger, bench.store, lambda name: tmp_path / name, tmp_path
        )
        bench.close()
        other.close()
        with pytest.raises(ServerError, match="engine_closed"):
            other.call("call", {})


def test_threads_share_one_scheduler(bench: Bench) -> None:
    """Many clients at once; whoever asks for the same shares it, and nobody waits for ever."""
    problems: list[object] = []

    def client(number: int) -> None:
        for turn in range(10):
            steps = (Step(f"t{turn}", "make"), Step(f"s{turn}", "fit", [f"t{turn}"]))
            job = bench.start(*steps, session=str(number))
            if (number + turn) % 3 == 0:
                bench.scheduler.cancel(job.run, CANCELLED)
            statuses = {outcome.status for outcome in job.wait().values()}
            if not statuses <= {"ok", "cancelled"}:
                problems.append(job.outcomes)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert not any(thread.is_alive() for thread in threads)
    assert not problems
    bench.assert_idle()
