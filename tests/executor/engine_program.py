"""A program with a pool of workers in all sorts of states, which ends in the way it is told.

Arguments: the directory of logs, a token for the environment of the workers, and how to end
(``close``, ``leave``, ``wait``). Writes what it is responsible for, as JSON: the process ids of
``workers`` and of ``others`` that workers have started, and their ``scratch`` directory.
"""

import json
import signal
import sys
from pathlib import Path

from executor.workers import WorkerPool
from tests.executor.harness import FUNCTIONS, ask, progress


def main() -> None:
    logs, token, end = sys.argv[1:]
    pool = WorkerPool(
        Path(logs), {"STRATUM_TEST": token}, table=FUNCTIONS, essential=(), preload=("json",)
    )
    pool.start()
    idle, looping, stubborn, family, parent = (pool.fork() for _ in range(5))
    scratch = Path(ask(pool, idle, "describe")["directory"]).parent
    pids = [
        ask(pool, family, "start_child", session=False),
        ask(pool, family, "start_child", session=True),
        ask(pool, family, "start_orphan", session=False),
        progress(pool, parent, "child_and_loop", session=True),
    ]
    progress(pool, looping, "loop")
    progress(pool, stubborn, "stubborn")
    workers = [worker.pid for worker in pool.workers]
    print(json.dumps({"workers": workers, "others": pids, "scratch": str(scratch)}), flush=True)
    if end == "wait":
        signal.pause()
    elif end == "close":
        pool.close()


if __name__ == "__main__":
    main()
