"""The order in which tasks run, and what jobs share, without processes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from executor.queue import Queue, Running
from executor.results import TaskResult
from executor.store import Store
from planner.errors import ExecutionError
from tests.executor.scheduling import Step, Watched, plan, watched

STOP = ExecutionError("cancelled", "Stop.")
PAIR = (Step("table", "make"), Step("a", "fit", ["table"]))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, 1 << 20)


@pytest.fixture
def queue(store: Store) -> Iterator[Queue]:
    queue = Queue(store)
    yield queue
    for job in queue.jobs():
        job.stop(STOP, "cancelled")
        queue.remove_job(job)
    for running in list(queue._producers.values()):
        assert running.state == "running"  # as when a worker is killed
        queue.forget(running)
    left = (queue._producers, queue._jobs, queue._ready, queue._tasks, store._pins)
    assert not any(left), left


def add(queue: Queue, *steps: Step, session: str = "") -> Watched:
    job = watched(plan(*steps), session)
    queue.add_job(job.run)
    return job


def begin(queue: Queue) -> Running:
    running = queue.next_task()
    assert running is not None
    running.begin()
    return running


def name(running: Running) -> str:
    assert running.task is not None
    return running.task.instructions[0].out.key


def end(queue: Queue, running: Running, seconds: float = 1.0) -> None:
    assert running.task is not None
    saved = tuple((value.name, 1, seconds) for value in running.task.saves)
    queue.done(running, TaskResult(dict.fromkeys(running.task.scores, 1.0), saved), seconds)


def test_inputs_come_first(queue: Queue) -> None:
    add(queue, *PAIR)
    table = begin(queue)
    assert name(table) == "table"
    assert queue.next_task() is None
    end(queue, table)
    assert name(begin(queue)) == "a"


def test_the_next_task_stays_the_next_until_it_has_begun(queue: Queue) -> None:
    add(queue, *PAIR)
    assert queue.next_task() is queue.next_task()
    before = len(queue)
    for _ in range(10):
        queue.next_task()
    assert len(queue) == before


def test_a_session_that_has_used_less_goes_first(queue: Queue) -> None:
    steps = [Step(f"x{i}", "fit", pipelines=(i,)) for i in range(3)]
    add(queue, *steps, session="greedy")
    end(queue, begin(queue), seconds=100.0)
    add(queue, Step("y", "fit"), session="modest")
    assert name(begin(queue)) == "y"
    assert name(begin(queue)) == "x1"


def test_equal_work_of_two_jobs_is_one_task(queue: Queue) -> None:
    jobs = [add(queue, *PAIR), add(queue, *PAIR)]
    end(queue, begin(queue))
    end(queue, begin(queue))
    assert queue.next_task() is None
    assert [job.wait()[0].status for job in jobs] == ["ok", "ok"]


def test_equal_tasks_of_one_job_are_one(queue: Queue) -> None:
    job = add(queue, Step("a", "fit", pipelines=(0,)), Step("a", "fit", pipelines=(1,)))
    end(queue, begin(queue))
    assert queue.next_task() is None
    assert {p: o.status for p, o in job.wait().items()} == {0: "ok", 1: "ok"}


def test_a_task_that_makes_part_of_what_is_asked_is_not_shared(queue: Queue) -> None:
    add(queue, Step("a", "fit"))
    both = plan(Step("a", "fit"), Step("b", "fit"))
    merged = both.tasks[0]
    merged = replace(
        merged,
        instructions=merged.instructions + both.tasks[1].instructions,
        scores=merged.scores + both.tasks[1].scores,
    )
    job = watched(replace(both, tasks=(merged,)))
    queue.add_job(job.run)
    end(queue, begin(queue))
    assert not job.ended.is_set()
    end(queue, begin(queue))
    assert job.wait()[0].status == "ok"


def test_a_task_of_a_removed_job_stays_for_the_other(queue: Queue) -> None:
    first, second = add(queue, *PAIR), add(queue, *PAIR)
    first.run.stop(STOP, "cancelled")
    queue.remove_job(first.run)
    end(queue, begin(queue))
    end(queue, begin(queue))
    assert second.wait()[0].status == "ok"


def test_nothing_is_left_of_a_removed_job(queue: Queue) -> None:
    first = add(queue, *PAIR)
    first.run.stop(STOP, "cancelled")
    queue.remove_job(first.run)
    queue.remove_job(first.run)
    assert queue.next_task() is None
    assert not queue._producers


def test_what_only_ended_pipelines_want_is_dropped_with_what_waits_for_it(queue: Queue) -> None:
    job = add(
        queue,
        Step("table", "make", pipelines=(0,)), Step("a", "fit", ["table"], pipelines=(0,)),
        Step("b", "fit", pipelines=(1,)),
    )  # fmt: skip
    job.run.task_failed(job.run.plan.tasks[1], STOP)
    assert name(begin(queue)) == "b"
    again = add(queue, *PAIR)
    end(queue, begin(queue))
    end(queue, begin(queue))
    assert again.wait()[0].status == "ok"


def test_a_block_that_was_not_saved_fails_its_readers(queue: Queue) -> None:
    job = add(queue, *PAIR)
    table = begin(queue)
    error = ExecutionError("broken", "It is broken.")
    queue.done(table, TaskResult(failures={"table": error}), 1.0)
    assert job.wait()[0].error is not None
    assert queue.next_task() is None


def test_another_attempt_comes_back(queue: Queue) -> None:
    add(queue, *PAIR)
    table = begin(queue)
    assert queue.next_task() is None
    queue.again(table)
    assert begin(queue) is table
    assert table.attempts == 2


def test_blocks_of_a_job_are_pinned_until_it_has_ended(queue: Queue, store: Store) -> None:
    job = add(queue, *PAIR)
    assert store._pins["table"] == 2  # written, and read
    job.run.stop(STOP, "cancelled")
    queue.remove_job(job.run)
    assert not store._pins
