"""Stratum, through its engine. Input: specs. Output: scores, and where the time went.

Options: ``mode``
    "batch": all pipelines as one request for each way of scoring (the default);
    "incremental": one pipeline at a time, in the workload's order;
    "apart": a request for each pipeline, all at once.
``fidelity``: "statistical" lets kernels stand in for models of trees.
``warm``: the home holds the results of the same batch; they are made first if it does not.
``off``: parts that are switched off: sharing (with mode "apart"), groups, kernels, parallel.
"""

import shutil
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.profile import Recorder
from evals.systems.protocol import Channel, Request
from evals.workloads.base import Pipeline, Workload
from executor.home import Home
from planner.spec import EvaluateSpec
from tools.engine import Engine
from tools.jobs import Job
from tools.options import EngineOptions
from tools.requests import AddDataset, EvaluatePipelines
from tools.responses import Evaluation

_WORK = "evals.systems.work_timed"
_WITHOUT_KERNELS = "evals.systems.work_without_kernels"
_POLL = 0.01  # seconds between looks at whether the engine is ready
_STARTING = 120.0  # seconds


class System:
    """See the module."""

    def __init__(self, request: Request) -> None:
        options = request.options
        self._workload = request.workload
        self._mode = options.get("mode", "batch")
        self._warm = bool(options.get("warm"))
        self._fidelity = {"fidelity": options["fidelity"]} if "fidelity" in options else {}
        self._off = frozenset(options.get("off", ()))
        self._cores = 1 if "parallel" in self._off else request.cores
        self._home = Path(options.get("home") or Path(request.folder) / "home")
        self._scratch = Path(request.folder).parent
        self._engine: Engine | None = None
        self._recorder = Recorder(self._cores)

    def prepare(self) -> None:
        if not self._warm:
            shutil.rmtree(self._home, ignore_errors=True)
        elif not (self._home / "catalog.sqlite").exists():
            engine = self._started()
            try:
                self._evaluate(engine, None)
            finally:
                engine.close()
        self._engine = self._started()

    def run(self, channel: Channel) -> Mapping[str, Any]:
        assert self._engine is not None
        self._recorder.begin(self._engine)
        plans = self._evaluate(self._engine, channel)
        profile = self._recorder.end()
        backends = {name: round(s, 4) for name, s in self._recorder.backends.items()}
        return {"profile": profile, "backends": backends, "plans": plans}

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()

    def _started(self) -> Engine:
        lend_operators(self._scratch, self._home)
        engine = Engine(
            Home(self._home),
            Path("/"),
            cores=self._cores,
            table=_WITHOUT_KERNELS if "kernels" in self._off else _WORK,
            options=EngineOptions(
                sharing="sharing" not in self._off, groups="groups" not in self._off
            ),
        )
        engine.start()
        engine.registry()
        deadline = time.monotonic() + _STARTING
        while not engine.status().ready:
            if time.monotonic() > deadline:
                engine.close()
                raise RuntimeError("the engine did not become ready")
            time.sleep(_POLL)
        lend_operators(self._home, self._scratch)
        return engine

    def _evaluate(self, engine: Engine, channel: Channel | None) -> list[dict[str, Any]]:
        """Runs the workload; gives back what planning said of each request."""
        for name, path in self._workload.datasets.items():
            engine.datasets.add(AddDataset(path=path, name=name))
        followers: list[threading.Thread] = []
        plans: list[dict[str, Any]] = []
        for evaluate, pipelines in self._requests():
            job = engine.evaluate(request_of(pipelines, {**evaluate, **self._fidelity}))
            if job.plan is not None:
                plans.append(job.plan.model_dump())
            if self._mode == "incremental":
                follow(job, channel, self._workload.metric)
                continue
            # Apart, a blend has its members in its request, which tell of themselves elsewhere.
            asked = {pipelines[-1].name} if self._mode == "apart" else None
            thread = threading.Thread(
                target=follow, args=(job, channel, self._workload.metric, asked)
            )
            thread.start()
            followers.append(thread)
        for thread in followers:
            thread.join()
        return plans if len(plans) <= len(self._workload.batches()) else []

    def _requests(self) -> list[tuple[dict[str, Any], Sequence[Pipeline]]]:
        if self._mode == "batch":
            return list(self._workload.batches())
        found: list[tuple[dict[str, Any], Sequence[Pipeline]]] = []
        for pipeline in self._workload.pipelines:
            members = members_of(pipeline, self._workload) if self._mode == "apart" else []
            found.append((pipeline.evaluate or self._workload.evaluate, [*members, pipeline]))
        return found


def members_of(pipeline: Pipeline, workload: Workload) -> list[Pipeline]:
    """What a blend is made from, and what that is made from, in the workload's order."""
    wanted = set(pipeline.spec.get("blend", {}).get("of", ()))
    found: list[Pipeline] = []
    for other in reversed(workload.pipelines):
        if other.name in wanted:
            found.insert(0, other)
            wanted.update(other.spec.get("blend", {}).get("of", ()))
    return found


def lend_operators(source: Path, target: Path) -> None:
    """Copies the list of operators, which takes seconds to make and is no part of any time."""
    target.mkdir(parents=True, exist_ok=True)
    for file in source.glob("operators-*.json"):
        if not (target / file.name).exists():
            shutil.copy(file, target)


def request_of(pipelines: Sequence[Pipeline], evaluate: dict[str, Any]) -> EvaluatePipelines:
    return EvaluatePipelines(
        pipelines=[{**pipeline.spec, "name": pipeline.name} for pipeline in pipelines],
        evaluate=EvaluateSpec(**evaluate),
    )


def follow(
    job: Job, channel: Channel | None, metric: str, asked: Collection[str] | None = None
) -> None:
    """Reports the evaluations of a job, or those `asked` for, as they end; returns when all
    have."""
    told: set[int] = set()
    version = -1
    while True:
        finished = job.finished
        for position, entry in enumerate(job.entries):
            if entry.evaluation is not None and position not in told:
                told.add(position)
                if channel is not None and (asked is None or entry.name in asked):
                    channel.result(entry.name, **outcome(entry.evaluation, metric))
        if finished:
            return
        version = job.wait_change(version, 1.0)


def outcome(evaluation: Evaluation, metric: str) -> dict[str, Any]:
    """The values of a result event."""
    if evaluation.status != "ok":
        error = evaluation.error
        text = evaluation.status if error is None else f"{error.code}: {error.message}"
        return {"error": text}
    value = evaluation.metrics.get(metric) or next(iter(evaluation.metrics.values()))
    folds = [float("nan") if fold is None else fold for fold in value.folds]
    found = {"scores": folds, "seconds": evaluation.seconds}
    return found | ({"statistical": True} if evaluation.fidelity == "statistical" else {})
