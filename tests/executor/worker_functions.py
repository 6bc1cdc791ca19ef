"""What the workers of the tests can be asked to do, well-behaved or not."""

import ctypes
import importlib
import itertools
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from executor import procfs
from planner.errors import DataError

SLEEPER = [sys.executable, "-c", "import time; print(flush=True); time.sleep(600)"]


def add(a: Any, b: Any) -> Any:
    return a + b


def size(data: bytes) -> int:
    return len(data)


def describe() -> dict[str, Any]:
    """What the worker finds itself in."""
    return {
        "environment": dict(os.environ),
        "directory": os.getcwd(),
        "session": os.getsid(0),
        "group": os.getpgid(0),
        "descriptors": {
            name: os.readlink(f"/proc/self/fd/{name}")
            for name in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{name}")
        },
        "inheritable": [
            int(name)
            for name in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{name}") and os.get_inheritable(int(name))
        ],
        "oom": Path("/proc/self/oom_score_adj").read_text().strip(),
        "core": list(resource.getrlimit(resource.RLIMIT_CORE)),
        "handlers": [signal.getsignal(number) == signal.SIG_DFL for number in (2, 15, 17)],
        "blocked": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        "input": sys.stdin.read(),
    }


def numbers() -> list[float]:
    return [float("nan"), float("inf"), 0.1]


def unserialisable() -> object:
    return object()


def huge() -> str:
    return "x" * (64 * 2**20)


def refuse() -> None:
    raise DataError("one_class", "There is one class.", path="target", hint="Stratify.")


def exhaust() -> None:
    raise MemoryError


def leave() -> None:
    sys.exit(4)


def exit_now(code: int) -> None:
    os._exit(code)


def segfault() -> None:
    ctypes.string_at(0)


def count(upto: int, progress: Callable[[Any], None]) -> str:
    for i in range(upto):
        progress(i)
    return "counted"


def chat() -> str:
    print("printed")
    os.write(1, b"written\n")
    subprocess.run(["echo", "echoed"], check=True)
    print("complained", file=sys.stderr)
    return "quiet"


def loop(progress: Callable[[Any], None]) -> None:
    """Never returns, and never lets the interpreter look at a signal."""
    progress("started")
    sum(itertools.repeat(0))


def stubborn(progress: Callable[[Any], None]) -> None:
    """Loops, deaf to everything that can be ignored."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        try:
            signal.signal(number, signal.SIG_IGN)
        except OSError:
            continue
    loop(progress)


def start_child(session: bool, progress: Callable[[Any], None]) -> int:
    """Starts a process that goes on after the task, in the worker's session or its own."""
    child = subprocess.Popen(SLEEPER, stdout=subprocess.PIPE, start_new_session=session)
    assert child.stdout is not None
    child.stdout.readline()  # it has started
    progress(child.pid)
    return child.pid


def start_orphan(session: bool) -> int:
    """Starts a process whose own parent ends at once."""
    code = (
        "import subprocess, sys;"
        f"p = subprocess.Popen({SLEEPER!r}, stdout=subprocess.PIPE, start_new_session={session});"
        "p.stdout.readline(); print(p.pid)"
    )
    return int(subprocess.check_output([sys.executable, "-c", code]))


def child_and_loop(session: bool, progress: Callable[[Any], None]) -> None:
    start_child(session, progress)
    loop(lambda _: None)


def _connection() -> int:
    for name in os.listdir("/proc/self/fd"):
        try:
            if stat.S_ISSOCK(os.fstat(int(name)).st_mode):
                return int(name)
        except OSError:
            continue
    raise AssertionError("no connection")


def babble() -> None:
    """Writes to the connection what is no message, as a stray library might."""
    os.write(_connection(), b"Traceback: this is no frame at all")
    loop(lambda _: None)


def pretend(payload: bytes) -> None:
    """Writes a well-framed message of its own."""
    os.write(_connection(), len(payload).to_bytes(8, "big") + payload)
    loop(lambda _: None)


def hang_up() -> None:
    """Closes the connection and goes on."""
    socket.socket(fileno=_connection()).close()
    sum(itertools.repeat(0))


kept: list[bytes] = []


def litter(megabytes: int) -> int:
    """Leaves memory behind that only the cycle collector frees, in a heap that cannot shrink."""
    data: list[Any] = [bytes(1000) for _ in range(megabytes * 1000)]
    data.append(data)
    kept.append(bytes(1000))  # above all of them
    return procfs.memory(os.getpid())


def hold(megabytes: int, progress: Callable[[Any], None]) -> None:
    data = bytearray(b"x") * (megabytes * 2**20)
    progress(len(data))
    sum(itertools.repeat(0))


def hold_in_child(megabytes: int, progress: Callable[[Any], None]) -> None:
    code = f"data = bytearray(b'x') * ({megabytes} * 2**20); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        progress(child.pid)
        child.wait()


def map_file(path: str, progress: Callable[[Any], None]) -> None:
    """Reads a memory-mapped file to its end and keeps it mapped."""
    import mmap

    with open(path, "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    progress(sum(mapped[i] for i in range(0, len(mapped), 4096)))
    sum(itertools.repeat(0))


def flood(limit: int) -> bool:
    """Writes more than `limit` bytes to stdout, and waits until the log was cut."""
    while os.fstat(1).st_size <= limit:
        os.write(1, b"x" * 2**16)
    while os.fstat(1).st_size > limit:
        time.sleep(0.01)  # nothing tells that a file was truncated
    return True


def fit_everything() -> dict[str, Any]:
    """Uses each library that has threads of its own, with two of them."""
    import duckdb
    import lightgbm
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc
    import xgboost
    from sklearn.datasets import make_regression
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    x, y = make_regression(n_samples=3000, n_features=10, random_state=0)
    with threadpool_limits(2):
        HistGradientBoostingRegressor(max_iter=3).fit(x, y)
        product = float(np.trace(x.T @ x))
    lightgbm.LGBMRegressor(n_estimators=3, n_jobs=2, verbose=-1).fit(x, y)
    xgboost.XGBRegressor(n_estimators=3, n_jobs=2).fit(x, y)
    pa.set_cpu_count(2)
    table = pa.table({"x": x[:, 0]})
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.register("t", table)
        rows = connection.execute("select count(*) from t").fetchall()
    default = duckdb.sql("select 42").fetchall()
    return {
        "rows": rows[0][0],
        "default": default[0][0],
        "arrow": pc.count(table["x"]).as_py(),
        "finite": np.isfinite(product).item(),
    }


def left_to_import(modules: list[str]) -> list[str]:
    """What the import of `modules` adds in this process."""
    before = set(sys.modules)
    for name in modules:
        importlib.import_module(name)
    return sorted(set(sys.modules) - before)


TABLE = {
    function.__name__: function
    for function in (
        add, size, describe, numbers, unserialisable, huge, refuse, exhaust, leave, exit_now,
        segfault, count, chat, loop, stubborn, start_child, start_orphan, child_and_loop, babble,
        pretend, hang_up, litter, hold, hold_in_child, map_file, flood, fit_everything,
        left_to_import,
    )
}  # fmt: skip
