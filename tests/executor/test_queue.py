"""The order in which tasks run, and what jobs share, without processes."""

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from executor.calls import EXTRA, RESERVED
from executor.queue import Queue
from executor.results import TaskResult
from executor.running import Running
from executor.store import Store
from planner.errors import ExecutionError
from planner.plan import Value
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
    assert not len(queue._fairness)
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
    queue.begun(running)
    return running


def name(running: Running) -> str:
    assert running.task is not None
    return running.task.instructions[0].out.key


def end(queue: Queue, running: Running, seconds: float = 1.0) -> None:
    assert running.task is not None
    queue.spent(running, seconds)
    saved = tuple((value.name, 1, seconds) for value in running.task.saves)
    queue.done(running, TaskResult(dict.fromkeys(running.task.scores, 1.0), saved), seconds)


def test_inputs_come_first(queue: Queue) -> None:
    add(queue, *PAIR)
    table = begin(queue)
    assert name(table) == "table"
    assert queue.next_task() is None
    end(queue, table)
    assert name(begin(queue)) == "a"


def test_idle_cores_are_lent_to_the_only_task(queue: Queue) -> None:
    add(queue, *PAIR)
    table = begin(queue)
    assert table.task is not None
    lent = queue.task_of(table, 2)
    # Its dependent cannot begin, and so has no claim.
    assert lent == replace(table.task, threads=2)
    assert queue.task_of(table, 1) is table.task
    add(queue, Step("b", "fit"), session="other")
    assert queue.task_of(table, 2) is table.task


def test_the_next_task_stays_the_next_until_it_has_begun(queue: Queue) -> None:
    add(queue, *PAIR)
    assert queue.next_task() is queue.next_task()
    before = len(queue)
    for _ in range(10):
        queue.next_task()
    assert len(queue) == before


def fits(prefix: str, count: int) -> list[Step]:
    return [Step(f"{prefix}{i}", "fit", pipelines=(i,)) for i in range(count)]


def served(queue: Queue, count: int, seconds: float = 1.0) -> list[str]:
    """The names of the next tasks, run one after the other."""
    found = []
    for _ in range(count):
        running = begin(queue)
        found.append(name(running))
        end(queue, running, seconds)
    return found


def test_a_session_that_has_used_less_goes_first(queue: Queue) -> None:
    add(queue, *fits("x", 3), session="greedy")
    add(queue, *fits("y", 3), session="modest")
    end(queue, begin(queue), seconds=2.5)
    assert served(queue, 5) == ["y0", "y1", "y2", "x1", "x2"]


def test_a_session_with_many_jobs_gets_no_more_than_one_with_one(queue: Queue) -> None:
    for number in range(4):
        add(queue, *fits(f"a{number}-", 3), session="many")
    add(queue, *fits("b", 6), session="one")
    order = [text[0] for text in served(queue, 12)]
    assert "".join(order) == "ab" * 6


def test_a_small_job_is_not_held_up_by_a_large_one_of_its_session(queue: Queue) -> None:
    add(queue, *fits("large", 20), session="s")
    assert served(queue, 5) == [f"large{i}" for i in range(5)]
    add(queue, *fits("small", 2), session="s")
    assert [text.rstrip("0123456789") for text in served(queue, 4)].count("small") == 2


def test_what_runs_counts_before_it_has_ended(queue: Queue) -> None:
    """Two cores: the second one goes to the other session, though no second was used yet."""
    add(queue, *fits("x", 3), session="first")
    add(queue, *fits("y", 3), session="second")
    assert [name(begin(queue)) for _ in range(4)] == ["x0", "y0", "x1", "y1"]
    for running in [p for p in queue._producers.values() if p.state == "running"]:
        end(queue, running)


def test_shared_tasks_charge_their_sharers_evenly(queue: Queue) -> None:
    """`table` costs 4 seconds, and each of its two sessions 2 of them."""
    for session in ("a", "b"):
        add(queue, Step("table", "make"), Step(f"{session}0", "fit", ["table"]), session=session)
    add(queue, *fits("c", 6), session="c")
    end(queue, begin(queue), seconds=4.0)
    # At 0 seconds of c, 2 of the others: c is served twice before they are.
    assert served(queue, 2) == ["c0", "c1"]
    assert set(served(queue, 3)) == {"a0", "b0", "c2"}


def test_a_newcomer_does_not_claim_what_others_had_before(queue: Queue) -> None:
    add(queue, *fits("x", 6), session="old")
    served(queue, 2, seconds=1000.0)
    add(queue, *fits("y", 4), session="new")
    assert [text[0] for text in served(queue, 4)] == ["x", "y", "x", "y"]


def test_leaving_and_coming_back_pays_no_debt(queue: Queue) -> None:
    """One job after the other is no way round fairness."""
    add(queue, *fits("y", 12), session="steady")
    order = ""
    for number in range(3):
        job = add(queue, Step(f"x{number}", "fit"), session="quick")
        while not job.ended.is_set():
            running = begin(queue)
            order += name(running)[0]
            end(queue, running, seconds=3.0 if name(running)[0] == "x" else 1.0)
        queue.remove_job(job.run)
    assert order == "yx" + "yyyx" * 2


def test_cancelled_work_is_paid_for(queue: Queue) -> None:
    waiting = add(queue, *fits("y", 3), session="b")
    first = add(queue, Step("x", "fit"), *fits("z", 1), session="a")
    running = begin(queue)
    assert name(running) == "y0"
    end(queue, running)
    killed = begin(queue)
    assert name(killed) == "x"
    first.run.stop(STOP, "cancelled")
    queue.remove_job(first.run)
    queue.spent(killed, 50.0)
    queue.forget(killed)
    add(queue, *fits("w", 2), session="a")
    assert served(queue, 2) == ["y1", "y2"]
    waiting.wait()


def test_a_job_that_comes_late_is_answered_what_has_just_been_made(
    queue: Queue, store: Store
) -> None:
    """The pipeline of the first job is half done: the catalog cannot know its scores yet."""
    folds = (Step("f0", "fit"), Step("f1", "fit"))
    first = add(queue, *folds)
    assert served(queue, 1) == ["f0"]
    second = add(queue, *folds)
    assert served(queue, 1) == ["f1"]
    assert queue.next_task() is None
    assert first.wait()[0].metrics == second.wait()[0].metrics
    assert second.outcomes[0].reused_seconds == pytest.approx(1.0)


def test_failures_are_not_answered_from_memory(queue: Queue) -> None:
    add(queue, Step("f0", "fit"))
    running = begin(queue)
    queue.spent(running, 1.0)
    queue.done(running, TaskResult(failures={"f0": ExecutionError("broken", "No.")}), 1.0)
    again = add(queue, Step("f0", "fit"))
    assert served(queue, 1) == ["f0"]
    assert again.wait()[0].status == "ok"


def test_blocks_that_have_gone_are_made_again(queue: Queue) -> None:
    """A score from memory does not stand for a block that is asked for with it."""
    task = plan(Step("f0", "fit")).tasks[0]
    both = replace(task, saves=(Value("f0-block"),))
    for _ in range(2):
        whole = plan(Step("f0", "fit"))
        job = watched(replace(whole, tasks=(both,)))
        queue.add_job(job.run)
        assert served(queue, 1) == ["f0"]
        assert job.wait()[0].status == "ok"


class TestCalls:
    def call(self, queue: Queue, session: str) -> Running:
        running = Running.call("query", {}, 1.0, Future(), session)
        queue.add_call(running)
        return running

    def test_sessions_take_turns(self, queue: Queue) -> None:
        flood = [self.call(queue, "a") for _ in range(3)]
        other = self.call(queue, "b")
        order = []
        while (call := queue.calls.next({}, 1)) is not None:
            queue.calls.remove(call)
            order.append(call)
        assert order == [flood[0], other, flood[1], flood[2]]

    def test_there_is_room_for_a_session_that_has_none_running(self, queue: Queue) -> None:
        self.call(queue, "a")
        full = {"a": 2 + EXTRA}
        assert queue.calls.next(full, 2) is None
        other = self.call(queue, "b")
        assert queue.calls.next(full, 2) is other
        crowd = {str(n): 1 for n in range(2 + EXTRA + RESERVED)}
        assert queue.calls.next(crowd, 2) is None
        for call in queue.calls:
            queue.calls.remove(call)

    def test_another_attempt_goes_first(self, queue: Queue) -> None:
        calls = [self.call(queue, "a") for _ in range(2)]
        queue.calls.remove(calls[0])
        queue.again(calls[0])
        assert queue.calls.next({}, 1) is calls[0]
        for call in queue.calls:
            queue.calls.remove(call)


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
