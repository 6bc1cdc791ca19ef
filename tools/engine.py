"""The engine: joins planner and executor behind what the tools ask.

Input: requests. Output: jobs and responses. Every method may be called from any thread and
blocks until it has its answer, except that `start` returns at once.
"""

import json
import logging
import os
import platform
import threading
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from executor.budget import Ledger, default_budget
from executor.catalog import Catalog
from executor.catalog_rows import EvaluationRow
from executor.home import Home
from executor.run import Scheduler
from executor.statistics_client import CachedStatistics
from executor.store import Store
from executor.versions import library_versions, versions_key
from executor.workers import WorkerPool
from planner.compile import Compiled
from planner.environment import Environment
from planner.errors import StratumError
from planner.explain_svg import plan_svg
from planner.graph import Graph
from planner.registry import Registry
from tools import variants
from tools.backing import Backing
from tools.batches import Request
from tools.data_watch import DataWatch
from tools.datasets import Datasets
from tools.explaining import explanation
from tools.finalists import confirmation
from tools.jobs import Job
from tools.leaderboards import leaderboard, stored_job
from tools.operators import operator_info
from tools.options import ALL_ON, EngineOptions
from tools.planning import Planner
from tools.recording import Recorder
from tools.requests import ConfirmEvaluations, EvaluatePipelines, SearchPipelines
from tools.responses import Advice, Explanation, JobInfo, Leaderboard, OperatorInfo, ServerStatus
from tools.searching import candidates

_LOG = logging.getLogger(__name__)
DISTRIBUTION = "mcp-server-stratum"
STORE_BYTES = 20 << 30
MAX_LIVE_JOBS = 200


class Engine:
    """One engine serves all sessions of one server process.

    Args:
        home: Where catalog, datasets and blocks live.
        workspace: The only folder whose files agents may name.
        cores, memory: Budget; by default what the machine (or its control group) allows.
        table: The module whose ``TABLE`` names the functions of workers; tests have their own.
        options: What is switched off, for measurements.
    """

    def __init__(
        self,
        home: Home,
        workspace: Path,
        *,
        cores: int | None = None,
        memory: int | None = None,
        table: str = "executor.work",
        options: EngineOptions = ALL_ON,
    ) -> None:
        budget = default_budget()
        self.home = home
        self.workspace = workspace.resolve()
        self.cores = cores or budget.cores
        self.memory = memory or budget.memory
        self.catalog = Catalog(home.catalog, str(self.workspace))
        self.store = Store(home.blocks, STORE_BYTES)
        self.pool = WorkerPool(home.logs, table=table)
        self.scheduler = Scheduler(
            self.pool,
            Ledger(self.cores, self.memory),
            self.store,
            self._dataset_file,
            home.blocks,
        )
        self.datasets = Datasets(home, self.workspace, self.catalog, self.scheduler)
        self._statistics = CachedStatistics(self.scheduler, self.catalog, self._dataset_file)
        self._options = options
        self._recorder = Recorder(self.catalog, self.store)
        self.scheduler.on_timings = self._recorder.timings
        watch = DataWatch(self.scheduler, self.catalog, self._dataset_file)
        self._planner = Planner(
            self.catalog, self.store, self.scheduler, self._recorder, self._backing, options,
            watch if options.sharing else None,
        )  # fmt: skip
        self._registry: Registry | None = None
        self._registry_lock = threading.Lock()
        self._jobs: dict[str, Job] = {}
        self._jobs_lock = threading.Lock()

    # -- life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Starts threads and processes; returns at once."""
        self.catalog.interrupt_unfinished()
        self._recorder.start()
        self.scheduler.start()
        self._planner.start()
        threading.Thread(target=self._warm, name="registry", daemon=True).start()

    def close(self) -> None:
        """Ends all jobs and all processes; what was computed is kept."""
        self._planner.close()
        self.scheduler.close()
        # What they were waiting for has failed by now.
        self._planner.join()
        self._recorder.close()
        self.catalog.close()

    def __enter__(self) -> "Engine":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _warm(self) -> None:
        try:
            self.registry()
            self._recorder.measurements.measured()  # the first time reads the catalog
        except StratumError as error:
            _LOG.warning("the operator registry could not be made: %s", error)
        except Exception:
            _LOG.exception("the operator registry could not be made")

    # -- registry -----------------------------------------------------------------------------

    def registry(self) -> Registry:
        """All operators of the installed libraries; made once per set of versions."""
        with self._registry_lock:
            if self._registry is None:
                self._registry = self._load_registry()
            return self._registry

    def _load_registry(self) -> Registry:
        file = self.home.path / f"operators-{versions_key()}.json"
        try:
            return Registry.from_json(json.loads(file.read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not made yet, or by another version: made anew below
        data = self.scheduler.call("introspect", {}).result()
        temporary = file.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps(data))
        temporary.replace(file)
        return Registry.from_json(data)

    def _dataset_file(self, fingerprint: str) -> Path:
        return self.datasets.path_of(fingerprint)

    def _backing(self, session: str | None = None) -> Backing:
        facts = self._statistics
        patient = facts if session is None else facts.patient(session)
        return Backing(self.registry(), self.datasets.known(), patient)

    def operators(
        self, query: str = "", kind: str | None = None, limit: int = 20
    ) -> list[OperatorInfo]:
        """Operators that match `query` by name or summary, best first."""
        found = self.registry().search(query, kind, limit)
        detailed = len(found) <= 3
        return [operator_info(operator, parameters=detailed) for operator in found]

    # -- jobs ---------------------------------------------------------------------------------

    def evaluate(self, request: EvaluatePipelines, session: str = "", *, wait: bool = True) -> Job:
        """Plans and starts the pipelines of `request`; returns the running job.

        Without `wait`, returns it at once, still to be planned: `Job.error` then says why that
        could not be done, which is raised otherwise.
        """
        asked = Request("evaluate", request.pipelines, request.evaluate, session)
        return self._run(asked, wait)

    def search(self, request: SearchPipelines, session: str = "", *, wait: bool = True) -> Job:
        """Starts a search: the candidates are one batch, so they share all they can."""
        specs = candidates(request)
        return self._run(Request("search", specs, request.evaluate, session), wait)

    def confirm(self, request: ConfirmEvaluations, session: str = "", *, wait: bool = True) -> Job:
        """Scores evaluations on the hold-out that their settings keep (see `tools.finalists`)."""
        return self._run(confirmation(self.catalog, request, session), wait)

    def _run(self, request: Request, wait: bool) -> Job:
        job = self._planner.submit(request)
        with self._jobs_lock:
            self._jobs[job.id] = job
            finished = [id for id, known in self._jobs.items() if known.finished]
            for old in finished[: max(len(self._jobs) - MAX_LIVE_JOBS, 0)]:
                del self._jobs[old]
        if wait:
            job.wait_planned()
            if job.error is not None:
                raise job.error
        return job

    def job(self, id: str) -> Job | None:
        """A job of this process, or None."""
        with self._jobs_lock:
            return self._jobs.get(id)

    def job_info(self, id: str, limit: int | None = None, cursor: int = 0) -> JobInfo:
        """A snapshot of a job of this or an earlier process; SpecError `unknown_job`.

        For a job that could not be planned, raises what was wrong with its request.
        """
        live = self.job(id)
        if live is not None:
            if live.error is not None and live.finished:
                raise live.error
            return live.info(limit=limit, cursor=cursor)
        return stored_job(self.catalog, id, limit, cursor)

    def cancel_job(self, id: str) -> JobInfo:
        """Ends a running job; an ended one stays as it is."""
        live = self.job(id)
        if live is None:
            return stored_job(self.catalog, id, 20, 0)
        live.cancel()
        live.wait(5.0)
        return live.info(limit=20)

    def explain(self, request: EvaluatePipelines) -> Explanation:
        """What would be done for `request`, without doing it."""
        planned, compiled = self._compiled(request)
        return explanation(planned, compiled, self.cores, self._beside(planned, compiled))

    def picture(self, request: EvaluatePipelines) -> str:
        """The plan for `request` as SVG: each pipeline alone, and all of them together."""
        return plan_svg(self._compiled(request)[1].answers)

    def _compiled(self, request: EvaluatePipelines) -> tuple[Request, Compiled]:
        planned = Request("explain", request.pipelines, request.evaluate, "")
        graph, backing = Graph(versions_key()), self._backing()
        self._planner.build(planned, graph, backing)
        return planned, self._planner.compile(graph, planned.built, backing)[1]

    def advice(self, job: str) -> list[Advice]:
        """Variants of the best pipelines of an ended job that are nearly free now."""
        if not self._options.sharing:
            return []
        rows = self.catalog.evaluations(job)
        return variants.after(rows, self.registry(), self._pricing())

    def _beside(self, request: Request, compiled: Compiled) -> list[Advice]:
        if not self._options.sharing:
            return []
        return variants.beside(request, compiled, self.registry(), self._pricing())

    def _pricing(self) -> variants.Pricing:
        backing, planner = self._backing(""), self._planner
        return variants.Pricing(
            environment=lambda graph, evaluate: Environment(
                graph, backing.registry, backing.datasets, backing.statistics, evaluate
            ),
            compile=lambda graph, request, stored: planner.compile(
                graph, request.built, backing, stored=stored
            )[1],
            find=planner.earlier,
        )

    def leaderboard(
        self,
        metric: str | None = None,
        dataset: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> Leaderboard:
        """Evaluations of all jobs of the workspace, best first."""
        return leaderboard(self.catalog, metric, dataset, limit, cursor)

    def evaluation(self, id_or_name: str) -> EvaluationRow:
        """A stored evaluation; SpecError `unknown_evaluation`."""
        return self.catalog.find_evaluation(id_or_name)

    def status(self) -> ServerStatus:
        """Versions, budget, load and storage."""
        load = self.scheduler.load
        return ServerStatus(
            version=own_version(),
            versions={"python": platform.python_version(), **library_versions()},
            cores=self.cores,
            memory_bytes=self.memory,
            workspace=str(self.workspace),
            home=str(self.home.path),
            ready=self._registry is not None and self.pool.preloaded is not None,
            running=load["running"],
            waiting=load["waiting"],
            workers=load["workers"],
            blocks=len(self.store),
            block_bytes=self.store.bytes,
            datasets=len(self.catalog.list_datasets()),
            estimates=self._recorder.measurements.errors(),
            warnings=list(self.catalog.warnings),
        )


def own_version() -> str:
    """The version of the installed distribution, or ``0+unknown`` from a bare checkout."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0+unknown"
