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
from planner.errors import StratumError
from planner.graph import Graph
from planner.registry import Registry
from tools.batches import Request
from tools.datasets import Datasets
from tools.explaining import explanation
from tools.jobs import Job
from tools.leaderboards import leaderboard, stored_job
from tools.operators import operator_info
from tools.options import ALL_ON, EngineOptions
from tools.planning import Backing, Planner
from tools.recording import Recorder
from tools.requests import EvaluatePipelines, SearchPipelines
from tools.responses import Explanation, JobInfo, Leaderboard, OperatorInfo, ServerStatus
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
        self._recorder = Recorder(self.catalog, self.store)
        self._planner = Planner(
            self.catalog, self.store, self.scheduler, self._recorder, self._backing, options
        )
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

    def _backing(self) -> Backing:
        return Backing(self.registry(), self.datasets.known(), self._statistics)

    def operators(
        self, query: str = "", kind: str | None = None, limit: int = 20
    ) -> list[OperatorInfo]:
        """Operators that match `query` by name or summary, best first."""
        found = self.registry().search(query, kind, limit)
        detailed = len(found) <= 3
        return [operator_info(operator, parameters=detailed) for operator in found]

    # -- jobs ---------------------------------------------------------------------------------

    def evaluate(self, request: EvaluatePipelines, session: str = "") -> Job:
        """Plans and starts the pipelines of `request`; returns the running job."""
        return self._run(Request("evaluate", request.pipelines, request.evaluate, session))

    def search(self, request: SearchPipelines, session: str = "") -> Job:
        """Starts a search: the candidates are one batch, so they share all they can."""
        specs = candidates(request)
        return self._run(Request("search", specs, request.evaluate, session))

    def _run(self, request: Request) -> Job:
        job = self._planner.submit(request)
        with self._jobs_lock:
            self._jobs[job.id] = job
            finished = [id for id, known in self._jobs.items() if known.finished]
            for old in finished[: max(len(self._jobs) - MAX_LIVE_JOBS, 0)]:
                del self._jobs[old]
        return job

    def job(self, id: str) -> Job | None:
        """A job of this process, or None."""
        with self._jobs_lock:
            return self._jobs.get(id)

    def job_info(self, id: str, limit: int | None = None, cursor: int = 0) -> JobInfo:
        """A snapshot of a job of this or an earlier process; SpecError `unknown_job`."""
        live = self.job(id)
        if live is not None:
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
        planned = Request("explain", request.pipelines, request.evaluate, "")
        graph, backing = Graph(versions_key()), self._backing()
        self._planner.build(planned, graph, backing)
        _, compiled = self._planner.compile(graph, planned.built, backing)
        return explanation(planned, compiled)

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
            warnings=list(self.catalog.warnings),
        )


def own_version() -> str:
    """The version of the installed distribution, or ``0+unknown`` from a bare checkout."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return "0+unknown"
