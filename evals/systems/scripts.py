"""The agents of today: every pipeline is a plain script. Input: baselines. Output: scores.

Options: ``mode``
    "sequential": one after another, in one process (the default);
    "concurrent": a pool of one process a core, spawned (a fork after OpenMP has run hangs);
    "processes": a fresh process for each, one after another, imports and all.
``record``: also report the model fits that no closed form serves (see `fits`);
``intel``: scikit-learn-intelex switched on.
How many threads a fit uses is left to the libraries and to the environment.
"""

import importlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evals.systems.protocol import Channel, Request, Unavailable
from evals.workloads.base import Pipeline

_LIBRARIES = ("numpy", "pandas", "sklearn.ensemble", "sklearn.linear_model",
              "sklearn.model_selection", "lightgbm", "xgboost")  # fmt: skip
_MESSAGE = 500  # characters of an error that are kept


class System:
    """See the module."""

    def __init__(self, request: Request) -> None:
        self._workload = request.workload
        self._mode = request.options.get("mode", "sequential")
        self._record = bool(request.options.get("record"))
        self._intel = bool(request.options.get("intel"))
        self._cores = request.cores
        self._folder = Path(request.folder)
        self._modules = sorted({p.function.split(":")[0] for p in self._workload.pipelines})
        self._pool: ProcessPoolExecutor | None = None

    def prepare(self) -> None:
        if self._mode == "sequential":
            load(self._modules, self._intel)
        elif self._mode == "concurrent":
            context = multiprocessing.get_context("spawn")
            barrier = context.Barrier(self._cores + 1)
            self._pool = ProcessPoolExecutor(
                self._cores, context, _initialise, (self._modules, self._intel, barrier)
            )
            for _ in range(self._cores):
                self._pool.submit(int)  # each starts one process
            barrier.wait(120)

    def run(self, channel: Channel) -> Mapping[str, Any]:
        if self._mode == "processes":
            return self._processes(channel)
        if self._pool is None:
            for pipeline in self._workload.pipelines:
                channel.result(pipeline.name, **self._answer(pipeline))
            return {}
        futures = {
            self._pool.submit(answer, p.function, self._workload.datasets, p.arguments,
                              self._record and p.kind != "closed_form"): p
            for p in self._workload.pipelines
        }  # fmt: skip
        for future in as_completed(futures):
            channel.result(futures[future].name, **future.result())
        return {}

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _answer(self, pipeline: Pipeline) -> dict[str, Any]:
        record = self._record and pipeline.kind != "closed_form"
        return answer(pipeline.function, self._workload.datasets, pipeline.arguments, record)

    def _processes(self, channel: Channel) -> Mapping[str, Any]:
        """`seconds` is without the imports of the scripts, which come apart."""
        imports = 0.0
        for pipeline in self._workload.pipelines:
            began = time.perf_counter()
            task = [pipeline.function, self._workload.datasets, pipeline.arguments]
            done = subprocess.run(
                [sys.executable, "-m", "evals.systems.scripts", json.dumps(task)],
                stdout=subprocess.PIPE,
                env=os.environ,
                check=False,
            )
            wall = time.perf_counter() - began
            try:
                found = json.loads(done.stdout.splitlines()[-1])
            except (IndexError, ValueError):
                found = {"error": f"the process ended with status {done.returncode}"}
            imports += wall - found.get("seconds", wall)
            channel.result(pipeline.name, at=channel.elapsed - imports, **found)
        return {"imports": imports, "seconds_without_imports": channel.elapsed - imports}


def load(modules: list[str], intel: bool = False) -> None:
    """Imports what scripts import; with `intel`, patched as that library asks for."""
    if intel:
        try:
            sklearnex: Any = importlib.import_module("sklearnex")
        except ImportError as error:
            raise Unavailable(f"scikit-learn-intelex cannot be imported: {error}") from None
        sklearnex.patch_sklearn(verbose=False)
    for name in (*_LIBRARIES, *modules):
        importlib.import_module(name)


def _initialise(modules: list[str], intel: bool, barrier: Any) -> None:
    load(modules, intel)
    barrier.wait(120)


def answer(
    function: str, paths: dict[str, str], arguments: dict[str, Any], record: bool = False
) -> dict[str, Any]:
    """Runs one baseline: ``{"scores", "seconds"}`` or ``{"error", "seconds"}``, and ``fits``."""
    module, _, name = function.partition(":")
    call = getattr(importlib.import_module(module), name)
    began = time.perf_counter()
    found: dict[str, Any] = {}
    try:
        if record:
            from evals.systems.fits import recorded

            scores, fits = recorded(lambda: call(paths, **arguments))
            found["fits"] = [asdict(fit) for fit in fits]
        else:
            scores = call(paths, **arguments)
        found["scores"] = [float(score) for score in scores]
    except Exception as error:  # a broken script is part of the workload
        found["error"] = f"{type(error).__name__}: {error}"[:_MESSAGE]
    found["seconds"] = time.perf_counter() - began
    return found


def _script() -> None:
    """One script in a process of its own."""
    function, paths, arguments = json.loads(sys.argv[1])
    load([function.split(":")[0]])
    print(json.dumps(answer(function, paths, arguments)), flush=True)


if __name__ == "__main__":
    _script()
