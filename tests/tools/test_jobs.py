"""Jobs as clients see them: snapshots, waiting, the end."""

import threading

from executor.results import MetricResult, Outcome
from planner.errors import ExecutionError
from tests.executor.fault_functions import LIMIT
from tools.jobs import Entry, Job


def job(*scores: float | None, greater: bool = True) -> Job:
    """A job whose pipelines have ended with these scores; None is a failure."""
    made = Job("job_1", "evaluate", [
        Entry(f"p{i}", {}, id=f"ev_{i}", primary="r2", greater_is_better=greater)
        for i in range(len(scores) + 1)
    ])  # fmt: skip
    made.run(None, lambda: None)
    for position, score in enumerate(scores):
        if score is None:
            error = ExecutionError("broken", "No.", path="here", hint="There.")
            made.record(position, Outcome(position, "failed", error=error))
        else:
            result = MetricResult.of([[score]])
            made.record(position, Outcome(position, "ok", {"r2": result}))
    return made


def names(job: Job, **page: int) -> list[str]:
    return [evaluation.name for evaluation in job.info(**page).evaluations]


def test_best_first_failed_last() -> None:
    assert names(job(0.5, None, 0.9, float("nan"))) == ["p2", "p0", "p1", "p3"]
    assert names(job(0.5, None, 0.9, greater=False)) == ["p0", "p2", "p1"]


def test_pages_are_the_whole() -> None:
    running = job(0.1, 0.5, None, 0.3)
    first = running.info(limit=3)
    assert first.next_cursor == "3"
    rest = running.info(limit=3, cursor=int(first.next_cursor))
    assert rest.next_cursor is None
    assert [e.name for e in (*first.evaluations, *rest.evaluations)] == names(running)
    assert names(running, limit=3, cursor=99) == []


def test_counts() -> None:
    info = job(0.1, None).info()
    assert (info.total, info.done, info.failed, info.state) == (3, 2, 1, "running")


def test_numbers_that_json_has_not_are_null() -> None:
    evaluation = job(float("inf")).info().evaluations[0]
    assert evaluation.metrics["r2"].mean is None
    assert evaluation.metrics["r2"].folds == [None]


def test_waiting_sees_each_change_and_the_end() -> None:
    running = job()
    seen = running.version
    threads = [
        threading.Thread(target=running.record, args=(0, Outcome(0, "skipped"))),
        threading.Thread(target=running.finish, args=("timeout",)),
    ]
    for thread in threads:
        thread.start()
        assert running.wait_change(seen, LIMIT) > seen
        seen = running.version
        thread.join()
    assert running.wait(LIMIT)
    assert running.state == "timeout"


def test_the_first_end_stays() -> None:
    running = job()
    running.finish("cancelled")
    seconds = running.seconds
    running.finish("completed")
    assert running.state == "cancelled"
    assert running.seconds == seconds


def test_cancelling_is_passed_on_until_the_end() -> None:
    asked: list[int] = []
    running = Job("job_1", "evaluate", [])
    running.cancel()
    running.run(None, lambda: asked.append(1))
    running.cancel()
    running.finish("cancelled")
    running.cancel()
    assert asked == [1]


def test_a_job_is_planned_when_it_runs_or_has_ended() -> None:
    for end in (lambda job: job.run(None, lambda: None), lambda job: job.finish("cancelled")):
        waiting = Job("job_1", "evaluate", [], asked=3)
        assert (waiting.info().state, waiting.info().total) == ("submitted", 3)
        assert not waiting.wait_planned(0)
        thread = threading.Thread(target=end, args=(waiting,))
        thread.start()
        assert waiting.wait_planned(LIMIT)
        thread.join()


def test_it_can_be_cancelled_before_it_runs() -> None:
    asked: list[str] = []
    waiting = Job("job_1", "evaluate", [])
    waiting.submitted(lambda: asked.append("planning"))
    waiting.cancel()
    waiting.run(None, lambda: asked.append("running"))
    waiting.cancel()
    assert asked == ["planning", "running"]


def test_the_end_is_told_once_also_to_who_asks_late() -> None:
    told: list[int] = []
    running = job()
    running.when_finished(lambda: told.append(1))
    assert not told
    running.finish("completed")
    running.finish("failed")
    running.when_finished(lambda: told.append(2))
    assert told == [1, 2]
