import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from executor import procfs
from executor.launch import PRELOAD
from executor.messages import Exit
from executor.workers import WorkerPool
from executor.zygote import Zygote
from planner.errors import ServerError
from tests.executor.harness import (
    FUNCTIONS,
    LIMIT,
    answer,
    ask,
    await_end,
    exit_of,
    is_running,
    poll_until,
    progress,
    running_with,
)

ROOT = Path(__file__).resolve().parent.parent.parent
MARK = "STRATUM_TEST"


@pytest.fixture
def token() -> Iterator[str]:
    token = uuid.uuid4().hex
    yield token
    assert running_with(MARK, token) == []


@pytest.fixture
def pool(tmp_path: Path, token: str) -> Iterator[WorkerPool]:
    with WorkerPool(
        tmp_path, {MARK: token}, table=FUNCTIONS, essential=(), preload=("json",)
    ) as pool:
        yield pool


def zygote_of(pool: WorkerPool, token: str) -> int:
    """The process id of the zygote: the parent of any worker."""
    ask(pool, pool.fork(), "add", a=1, b=1)
    (zygote,) = set(procfs.children(os.getpid())) & set(running_with(MARK, token))
    return zygote


@contextmanager
def engine_program(
    logs: Path, token: str, end: str
) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, Any]]]:
    """The process of `tests.executor.engine_program`, and what it says when all has started."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.executor.engine_program", str(logs), token, end],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    ) as engine:
        assert engine.stdout is not None
        yield engine, json.loads(engine.stdout.readline())


class TestEngineEnds:
    @pytest.mark.parametrize(
        ("end", "number"),
        [
            ("wait", signal.SIGKILL),
            ("wait", signal.SIGTERM),
            ("wait", signal.SIGINT),
            ("close", None),
            ("leave", None),
        ],
    )
    def test_nothing_is_left_behind(
        self, tmp_path: Path, token: str, end: str, number: signal.Signals | None
    ) -> None:
        with engine_program(tmp_path, token, end) as (engine, started):
            pids = started["workers"] + started["others"]
            assert len(pids) == 9
            if number is not None:
                assert all(is_running(pid) for pid in pids)
                engine.send_signal(number)
            engine.wait(LIMIT)
            await_end([*pids, *running_with(MARK, token)])
            assert not Path(started["scratch"]).exists()

    def test_workers_do_not_outlive_engine_and_zygote(self, tmp_path: Path, token: str) -> None:
        with engine_program(tmp_path, token, "wait") as (engine, started):
            (zygote,) = {psutil.Process(pid).ppid() for pid in started["workers"]}
            os.kill(zygote, signal.SIGSTOP)  # it cannot tidy up
            engine.kill()
            engine.wait(LIMIT)
            looping = started["workers"][1]
            assert is_running(looping)
            os.kill(zygote, signal.SIGKILL)
            await_end([zygote, *started["workers"]])
        # Nobody is left who could find these.
        for pid in started["others"]:
            os.kill(pid, signal.SIGKILL)
        await_end(started["others"])
        shutil.rmtree(started["scratch"])

    def test_while_the_zygote_imports(self, tmp_path: Path, token: str) -> None:
        gate = tmp_path / "gate"
        os.mkfifo(gate)
        pool = WorkerPool(
            tmp_path,
            {MARK: token, "STRATUM_TEST_GATE": str(gate)},
            essential=("tests.executor.gated_module",),
        )
        pool.start()
        with open(gate, "w"):  # it is importing now
            pool.close()


class TestZygoteEnds:
    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
    def test_its_workers_are_lost_and_it_is_replaced(
        self, pool: WorkerPool, token: str, number: int
    ) -> None:
        idle, looping, family = pool.fork(), pool.fork(), pool.fork()
        ask(pool, idle, "add", a=1, b=1)
        pids = [
            ask(pool, family, "start_child", session=False),
            ask(pool, family, "start_child", session=True),
            ask(pool, family, "start_orphan", session=False),
            *(worker.pid for worker in pool.workers if worker.pid is not None),
        ]
        progress(pool, looping, "loop")
        descriptor = pool.fileno()
        os.kill(zygote_of(pool, token), number)
        workers = set(pool.workers)
        events = poll_until(pool, lambda seen: len(seen) >= len(workers))
        assert {worker for worker, _ in events} == workers
        assert all(isinstance(event, Exit) for _, event in events)
        if number == signal.SIGKILL:
            assert {event.reason for _, event in events if isinstance(event, Exit)} == {"zygote"}
        await_end(pids)
        assert pool.workers == ()
        assert ask(pool, pool.fork(), "add", a=1, b=1) == 2
        assert pool.fileno() == descriptor

    def test_commands_to_one_that_has_ended(self, pool: WorkerPool, token: str) -> None:
        worker = pool.fork()
        ask(pool, worker, "add", a=1, b=1)
        zygote = zygote_of(pool, token)
        os.kill(zygote, signal.SIGKILL)
        await_end([zygote])
        late = pool.fork()  # the pool cannot know yet
        worker.kill()
        assert exit_of(pool, late) == Exit("zygote")
        assert ask(pool, pool.fork(), "add", a=1, b=1) == 2

    def test_closing_after_its_end(self, pool: WorkerPool, token: str) -> None:
        os.kill(zygote_of(pool, token), signal.SIGKILL)
        pool.close()


class TestImports:
    def test_the_first_fork_waits_for_the_essential_ones_only(
        self, tmp_path: Path, token: str
    ) -> None:
        first, second = tmp_path / "first", tmp_path / "second"
        os.mkfifo(first)
        os.mkfifo(second)
        with WorkerPool(
            tmp_path / "logs",
            {
                MARK: token,
                "STRATUM_TEST_GATE": str(first),
                "STRATUM_TEST_SECOND_GATE": str(second),
            },
            table=FUNCTIONS,
            essential=("tests.executor.gated_module",),
            preload=("tests.executor.second_gated_module",),
        ) as pool:
            early = pool.fork()
            with open(first, "w"):
                assert pool.poll() == []
            assert ask(pool, early, "add", a=1, b=1) == 2
            assert not early.complete
            assert pool.preloaded is None
            with open(second, "w"):
                pass
            poll_until(pool, lambda _: pool.preloaded is not None)
            late = pool.fork()
            assert ask(pool, late, "add", a=1, b=1) == 2
            assert late.complete

    def test_what_cannot_be_imported_is_left_out(self, tmp_path: Path, token: str) -> None:
        names = ("no_such_module", "tests.executor.raising_module", "json.no_such_part")
        with WorkerPool(
            tmp_path, {MARK: token}, table=FUNCTIONS, essential=names[:1], preload=names[1:]
        ) as pool:
            poll_until(pool, lambda _: pool.preloaded is not None)
            assert pool.preloaded is not None
            assert pool.preloaded.missing == names
            assert ask(pool, pool.fork(), "add", a=1, b=1) == 2

    def test_a_library_that_crashes_is_not_preloaded_again(
        self, tmp_path: Path, token: str
    ) -> None:
        with WorkerPool(
            tmp_path,
            {MARK: token},
            table=FUNCTIONS,
            essential=(),
            preload=("tests.executor.crashing_module",),
        ) as pool:
            pool.start()
            first = pool.fork()
            assert exit_of(pool, first).reason in ("zygote", "ended")
            second = pool.fork()
            assert ask(pool, second, "add", a=1, b=1) == 2

    def test_no_start_is_tried_for_ever(self, tmp_path: Path, token: str) -> None:
        with WorkerPool(
            tmp_path,
            {MARK: token},
            table=FUNCTIONS,
            essential=("tests.executor.crashing_module",),
            preload=(),
        ) as pool:
            for _ in range(3):
                assert exit_of(pool, pool.fork()) == Exit("zygote")
            with pytest.raises(ServerError) as caught:
                pool.fork()
            assert caught.value.code == "workers_unavailable"
            assert "zygote-" in caught.value.hint

    def test_a_place_for_logs_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        pool = WorkerPool(tmp_path / "file" / "logs")
        with pytest.raises(ServerError) as caught:
            pool.start()
        assert caught.value.code == "workers_unavailable"
        pool.close()

    def test_all_libraries_leave_it_single_threaded_and_work_after_a_fork(
        self, tmp_path: Path, token: str
    ) -> None:
        with WorkerPool(tmp_path, {MARK: token}, table=FUNCTIONS) as pool:
            poll_until(pool, lambda _: pool.preloaded is not None)
            assert pool.preloaded is not None
            assert pool.preloaded.threads == 1
            optional = {"catboost", "matplotlib.pyplot", "rust_exec", "skrub"}
            assert set(pool.preloaded.missing) <= optional < set(PRELOAD)
            workers = [pool.fork(), pool.fork()]
            for worker in workers:
                assert ask(pool, worker, "fit_everything") == {
                    "rows": 3000,
                    "default": 42,
                    "arrow": 3000,
                    "finite": True,
                }
                assert worker.complete
            # A worker's first task finds the engine's own modules imported, too.
            ours = ["executor.ingest", "executor.program", "executor.profile", "executor.query"]
            assert ask(pool, pool.fork(), "left_to_import", modules=ours) == []


def test_a_fork_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_fork() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    engine, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    zygote = Zygote(control, FUNCTIONS, tmp_path)
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(os, "fork", no_fork)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with engine, control, ours:
        zygote._fork(7, tmp_path / "log", theirs.detach())
        assert json.loads(engine.recv(1000)) == {"refused": 7}
        assert ours.recv(1) == b""  # the other end is closed
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == blocked


def test_a_refused_fork_is_an_exit(pool: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    # A fork without the descriptor that belongs to it, as when the zygote has run out of them.
    with monkeypatch.context() as patch:
        send = socket.send_fds
        patch.setattr(socket, "send_fds", lambda to, packets, _: send(to, packets, []))
        worker = pool.fork()
    event = answer(pool, worker)
    assert event == Exit("fork")
    assert isinstance(event, Exit)
    assert "could not be started" in event.error().message
    assert ask(pool, pool.fork(), "add", a=1, b=1) == 2
