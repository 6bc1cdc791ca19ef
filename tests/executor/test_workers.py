import json
import math
import os
import selectors
import signal
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from executor.messages import Exit, Message
from executor.workers import WorkerPool
from executor.zygote import LOG_LIMIT
from planner.errors import DataError, ServerError
from tests.executor.harness import (
    FUNCTIONS,
    answer,
    ask,
    await_end,
    exit_of,
    is_running,
    poll_until,
    progress,
    running_with,
)

RUN = uuid.uuid4().hex
MARK = "STRATUM_TEST"


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[WorkerPool]:
    with WorkerPool(
        tmp_path / "logs", {MARK: RUN}, table=FUNCTIONS, essential=(), preload=("json",)
    ) as pool:
        yield pool
    assert running_with(MARK, RUN) == []


class TestTasks:
    def test_a_request_may_precede_the_start_of_the_worker(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        worker.send("add", {"a": 1, "b": 2})
        events = poll_until(pool, lambda seen: len(seen) == 2)
        assert [event.kind for _, event in events if isinstance(event, Message)] == [
            "ready",
            "done",
        ]
        assert events[1] == (worker, Message("done", 3))

    def test_a_worker_runs_one_request_after_the_other(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        for i in range(5):
            worker.send("add", {"a": i, "b": 10})
        events = poll_until(pool, lambda seen: len(seen) == 6)
        assert [e.value for _, e in events[1:] if isinstance(e, Message)] == [10, 11, 12, 13, 14]

    def test_workers_are_processes_of_their_own(self, pool: WorkerPool) -> None:
        workers = [pool.fork() for _ in range(3)]
        for worker in workers:
            assert ask(pool, worker, "describe")["session"] == worker.pid
        assert len({worker.pid for worker in workers} | {os.getpid()}) == 4
        assert pool.workers == tuple(workers)

    def test_progress_comes_in_order_and_first(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        worker.send("count", {"upto": 50})
        events = poll_until(pool, lambda seen: seen[-1:] == [(worker, Message("done", "counted"))])
        reported = [e.value for _, e in events if isinstance(e, Message) and e.kind == "progress"]
        assert reported == list(range(50))

    def test_one_descriptor_tells_of_everything(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        worker.send("add", {"a": "x", "b": "y"})
        seen = []
        with selectors.DefaultSelector() as selector:
            selector.register(pool, selectors.EVENT_READ)
            while len(seen) < 2:
                assert selector.select(60)
                seen += pool.poll()
        assert seen[1] == (worker, Message("done", "xy"))

    def test_numbers_that_are_not_finite_arrive(self, pool: WorkerPool) -> None:
        nan, infinite, tenth = ask(pool, pool.fork(), "numbers")
        assert math.isnan(nan)
        assert (infinite, tenth) == (math.inf, 0.1)

    def test_sending_never_waits(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        assert ask(pool, worker, "add", a=1, b=1) == 2
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGSTOP)  # it reads nothing
        worker.send("size", {"data": bytes(30 * 2**20)})
        assert worker.wants_write
        os.kill(worker.pid, signal.SIGCONT)
        assert answer(pool, worker) == Message("done", 30 * 2**20)
        assert not worker.wants_write

    def test_what_libraries_print_goes_to_the_log(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        assert ask(pool, worker, "chat") == "quiet"
        assert sorted(worker.log.read_text().split()) == [
            "complained",
            "echoed",
            "printed",
            "written",
        ]

    def test_the_log_is_bounded(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        assert ask(pool, worker, "flood", limit=LOG_LIMIT)
        assert worker.log.stat().st_size < LOG_LIMIT


class TestFailures:
    def test_an_error_of_ours_arrives_as_it_was(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        worker.send("refuse", {})
        event = answer(pool, worker)
        assert isinstance(event, Message)
        assert type(event.error) is DataError
        assert event.error.to_dict() == {
            "code": "one_class",
            "message": "There is one class.",
            "path": "target",
            "hint": "Stratify.",
        }

    @pytest.mark.parametrize(
        ("function", "arguments", "code", "words"),
        [
            ("exhaust", {}, "out_of_memory", "memory"),
            ("add", {"a": 1, "b": "x"}, "internal_error", "TypeError: unsupported operand"),
            ("add", {"wrong": 1}, "internal_error", "TypeError"),
            ("absent", {}, "internal_error", "KeyError: 'absent'"),
            ("unserialisable", {}, "internal_error", "not JSON serializable"),
            ("leave", {}, "internal_error", "SystemExit: 4"),
            ("huge", {}, "result_too_large", "67108864"),
        ],
    )
    def test_any_exception_is_a_failure_and_the_worker_goes_on(
        self,
        pool: WorkerPool,
        function: str,
        arguments: dict[str, object],
        code: str,
        words: str,
    ) -> None:
        worker = pool.fork()
        worker.send(function, arguments)
        event = answer(pool, worker)
        assert isinstance(event, Message)
        assert event.error is not None
        assert event.error.code == code
        assert words in event.error.message
        assert "Traceback" not in event.error.message
        assert ask(pool, worker, "add", a=1, b=1) == 2

    def test_the_traceback_is_in_the_log(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        worker.send("add", {"a": 1, "b": "x"})
        answer(pool, worker)
        assert "worker_functions.py" in worker.log.read_text()

    def test_a_missing_table_is_a_failure(self, tmp_path: Path) -> None:
        with WorkerPool(tmp_path, table="no.such.module", essential=(), preload=()) as pool:
            worker = pool.fork()
            worker.send("add", {})
            event = answer(pool, worker)
            assert isinstance(event, Message)
            assert event.error is not None
            assert event.error.code == "internal_error"


class TestEnds:
    def test_a_segfault_is_an_exit_with_its_signal(self, pool: WorkerPool) -> None:
        other, worker = pool.fork(), pool.fork()
        worker.send("segfault", {})
        event = answer(pool, worker)
        assert event == Exit("ended", signal=signal.SIGSEGV)
        assert isinstance(event, Exit)
        assert event.error().code == "worker_crashed"
        assert "SIGSEGV" in event.error().message
        assert "in segfault" in worker.log.read_text()
        assert ask(pool, other, "add", a=1, b=1) == 2
        assert pool.workers == (other,)

    def test_leaving_is_an_exit_with_its_code(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        worker.send("exit_now", {"code": 3})
        assert answer(pool, worker) == Exit("ended", code=3)

    def test_what_was_said_before_the_end_is_heard(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        worker.send("add", {"a": 1, "b": 1})
        worker.send("exit_now", {"code": 0})
        events = poll_until(pool, lambda seen: len(seen) == 3)
        assert [event for _, event in events[1:]] == [Message("done", 2), Exit("ended", code=0)]

    def test_being_killed_from_outside(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        pid = ask(pool, worker, "describe")["session"]
        os.kill(pid, signal.SIGKILL)
        event = answer(pool, worker)
        assert event == Exit("ended", signal=signal.SIGKILL)
        assert isinstance(event, Exit)
        assert "memory" in event.error().hint
        assert worker.rss() == 0

    @pytest.mark.parametrize("function", ["loop", "stubborn"])
    def test_kill_ends_what_ignores_everything_else(self, pool: WorkerPool, function: str) -> None:
        worker = pool.fork()
        progress(pool, worker, function)
        assert worker.pid is not None
        pid = worker.pid
        worker.kill()
        assert exit_of(pool, worker) == Exit("killed", signal=signal.SIGKILL)
        assert not is_running(pid)

    def test_kill_ends_a_stopped_worker(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        pid = ask(pool, worker, "describe")["session"]
        os.kill(pid, signal.SIGSTOP)
        worker.kill()
        assert exit_of(pool, worker) == Exit("killed", signal=signal.SIGKILL)

    def test_kill_before_the_start(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        worker.kill()
        worker.kill()
        worker.send("add", {"a": 1, "b": 1})
        events = poll_until(pool, bool)
        assert len(events) == 1
        assert isinstance(events[0][1], Exit)
        assert events[0][1].reason == "killed"

    def test_after_kill_only_the_exit_comes(self, pool: WorkerPool) -> None:
        worker, other = pool.fork(), pool.fork()
        progress(pool, worker, "count", upto=100_000)
        worker.kill()
        events = poll_until(pool, lambda seen: any(isinstance(e, Exit) for _, e in seen))
        assert [type(event) for w, event in events if w is worker] == [Exit]
        assert ask(pool, other, "add", a=1, b=1) == 2

    @pytest.mark.parametrize("session", [False, True])
    @pytest.mark.parametrize("end", ["kill", "exit", "crash"])
    def test_children_of_a_worker_end_with_it(
        self, pool: WorkerPool, session: bool, end: str
    ) -> None:
        worker = pool.fork()
        child = ask(pool, worker, "start_child", session=session)
        orphan = ask(pool, worker, "start_orphan", session=False)
        assert is_running(child)
        assert is_running(orphan)
        if end == "kill":
            worker.kill()
        else:
            worker.send(*(("exit_now", {"code": 0}) if end == "exit" else ("segfault", {})))
        exit_of(pool, worker)
        await_end([child, orphan])

    def test_an_orphan_that_left_its_session_does_not_survive(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        orphan = ask(pool, worker, "start_orphan", session=True)
        await_end([orphan])  # whether the worker lives or not
        assert ask(pool, worker, "add", a=1, b=1) == 2

    def test_other_workers_keep_their_children(self, pool: WorkerPool) -> None:
        worker, other = pool.fork(), pool.fork()
        children = [ask(pool, other, "start_child", session=new) for new in (False, True)]
        children.append(ask(pool, other, "start_orphan", session=False))
        worker.kill()
        exit_of(pool, worker)
        assert ask(pool, pool.fork(), "add", a=1, b=1) == 2  # the zygote has tidied up by now
        assert all(is_running(child) for child in children)

    @pytest.mark.parametrize(
        ("function", "arguments"),
        [
            ("babble", {}),
            ("pretend", {"payload": b"not JSON"}),
            ("pretend", {"payload": b"[1]"}),
            ("pretend", {"payload": b'{"kind": "unheard of"}'}),
            ("pretend", {"payload": b'{"kind": "failed", "error": {"code": 1}}'}),
            ("pretend", {"payload": b'{"kind": "failed", "error": {"code": "x"}}'}),
            ("pretend", {"payload": b'{"kind": "ready", "value": {"pid": 1}}'}),
            ("pretend", {"payload": b"[" * 200_000}),
        ],
    )
    def test_a_worker_that_breaks_the_protocol_is_ended(
        self, pool: WorkerPool, function: str, arguments: dict[str, object]
    ) -> None:
        worker = pool.fork()
        worker.send(function, arguments)
        event = answer(pool, worker)
        assert event == Exit("protocol", signal=signal.SIGKILL)

    def test_a_worker_that_hangs_up_is_ended(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        pid = ask(pool, worker, "describe")["session"]
        worker.send("hang_up", {})
        exit_of(pool, worker)
        assert not is_running(pid)


class TestSurroundings:
    def test_a_worker_has_what_it_needs_and_no_secrets(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SERVICE_API_KEY", "secret")
        monkeypatch.setenv("OMP_NUM_THREADS", "64")
        monkeypatch.chdir(tmp_path)
        extra = {MARK: RUN, "ADDED": "yes"}
        with WorkerPool(Path("logs"), extra, table=FUNCTIONS, essential=(), preload=()) as pool:
            worker = pool.fork()
            seen = ask(pool, worker, "describe")
            directory = Path(seen["directory"])
            assert directory.is_dir()
            assert seen["environment"]["TMPDIR"] == str(directory)
            worker.kill()
            exit_of(pool, worker)
            assert not directory.exists()
        assert not directory.parent.exists()
        assert "SERVICE_API_KEY" not in seen["environment"]
        for name, value in {
            "ADDED": "yes",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
            "PYTHONHASHSEED": "0",
            "TZ": "UTC",
            "PATH": os.environ["PATH"],
        }.items():
            assert seen["environment"][name] == value

    def test_a_worker_is_alone_with_its_connection(self, pool: WorkerPool) -> None:
        neighbours = [pool.fork(), pool.fork()]
        for neighbour in neighbours:
            ask(pool, neighbour, "add", a=1, b=1)
        worker = pool.fork()
        seen = ask(pool, worker, "describe")
        opened = dict(seen["descriptors"])
        assert opened.pop("0") == os.devnull
        assert opened.pop("1") == opened.pop("2") == str(worker.log)
        assert [name.partition(":")[0] for name in opened.values()] == ["socket"]
        assert seen["inheritable"] == [0, 1, 2]
        assert seen["group"] == seen["session"] == worker.pid
        assert seen["core"] == [0, 0]
        assert seen["handlers"] == [True, True, True]
        assert seen["blocked"] == []
        assert seen["input"] == ""

    def test_memory_is_counted_with_children_but_not_mapped_files(
        self, pool: WorkerPool, tmp_path: Path
    ) -> None:
        mebibyte = 2**20
        blocks = tmp_path / "block"
        blocks.write_bytes(bytes(100 * mebibyte))
        holding, mapping, parent = pool.fork(), pool.fork(), pool.fork()
        progress(pool, holding, "hold", megabytes=100)
        progress(pool, mapping, "map_file", path=str(blocks))
        progress(pool, parent, "hold_in_child", megabytes=100)
        assert 100 * mebibyte <= holding.rss() - holding.base < 120 * mebibyte
        assert mapping.rss() - mapping.base < 20 * mebibyte
        assert 100 * mebibyte <= parent.rss() - parent.base < 130 * mebibyte

    def test_memory_is_given_back_after_a_task(self, pool: WorkerPool) -> None:
        worker = pool.fork()
        assert ask(pool, worker, "litter", megabytes=300) - worker.base > 300 * 2**20
        assert ask(pool, worker, "add", a=1, b=1) == 2  # it has tidied up before
        assert worker.rss() - worker.base < 64 * 2**20

    def test_logs_stay_only_if_they_say_something(self, tmp_path: Path) -> None:
        stale, recent = tmp_path / "worker-1-1.log", tmp_path / "worker-1-2.log"
        for log in (stale, recent):
            log.write_text("said")
        os.utime(stale, (0, 0))
        with WorkerPool(tmp_path, table=FUNCTIONS, essential=(), preload=()) as pool:
            silent, loud = pool.fork(), pool.fork()
            ask(pool, silent, "add", a=1, b=1)
            ask(pool, loud, "chat")
        assert sorted(tmp_path.iterdir()) == sorted([recent, loud.log])

    def test_closing_twice(self, tmp_path: Path) -> None:
        pool = WorkerPool(tmp_path, {MARK: RUN}, table=FUNCTIONS, essential=(), preload=())
        pool.close()
        pool.close()

    def test_closing_at_once(self, tmp_path: Path) -> None:
        pool = WorkerPool(tmp_path, {MARK: RUN}, table=FUNCTIONS)
        pool.start()
        pool.close()
        assert running_with(MARK, RUN) == []

    def test_other_systems_are_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pool = WorkerPool(tmp_path)
        monkeypatch.setattr(sys, "platform", "darwin")
        with pytest.raises(ServerError, match="Linux") as caught:
            pool.fork()
        assert caught.value.code == "unsupported_platform"
        assert json.dumps(caught.value.to_dict())
        pool.close()
