"""Warnings about the data behind the pipelines of a job: once a job, and once for the same data.

Input: jobs, when their first score is there. Output: warnings put on the job when they are known.
They are computed by a worker beside the fits, and kept in the catalog.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from executor.catalog import Catalog
from executor.catalog_rows import digest
from executor.key_names import sounds_like_key
from executor.run import Scheduler
from planner.binder import has_mask, schema
from planner.build import Built
from planner.errors import StratumError
from planner.graph import Graph, Node, walk
from planner.lineage import narrow
from planner.ops import Columns, Folds, Task, Vector
from planner.ops_holdout import HoldoutRows
from planner.render import render
from planner.tableops import TRAIN_MASK
from tools.batches import Request
from tools.jobs import Job

_LOG = logging.getLogger(__name__)
_SECONDS = 30.0
_MAX_SUBJECTS = 4  # of a job: sets of rows and targets
_MAX_KEYS = 5
_VERSION = 1  # of the words and measures


def job_memo(job: str) -> str:
    """Where the catalog keeps the warnings of a job."""
    return f"warnings of {job}"


@dataclass
class Subject:
    """Rows, their folds, a target, and all columns that pipelines of a job use as features."""

    prepared: Node
    folds: Node
    target: Node
    task: Task
    features: dict[str, None] = field(default_factory=dict)

    @property
    def column(self) -> str:
        assert isinstance(self.target.op, Vector)
        return self.target.op.column

    @property
    def holdout(self) -> HoldoutRows | None:
        op = self.folds.inputs[1].op if len(self.folds.inputs) > 1 else None
        return op if isinstance(op, HoldoutRows) else None

    @property
    def keys(self) -> list[str]:
        """Columns that may name what several rows are of."""
        op = self.folds.op
        assert isinstance(op, Folds)
        return [
            column.name
            for column in schema(self.prepared)
            if column.kind in ("integer", "string", "categorical")
            and column.name not in (self.column, op.groups)
            and sounds_like_key(column.name)
        ][:_MAX_KEYS]

    def arguments(self) -> tuple[str, dict[str, object]]:
        """The key of what is asked, and the arguments of the worker's function; `datasets` lacks
        the paths."""
        folds, holdout = self.folds.op, self.holdout
        assert isinstance(folds, Folds)
        named = [self.column, folds.target, folds.groups, folds.fold_column]
        if holdout is not None:
            named += [holdout.target, holdout.groups]
        if has_mask(self.prepared):
            named.append(TRAIN_MASK)
        wanted = {*self.features, *self.keys, *(name for name in named if name is not None)}
        # A graph of its own: those of requests belong to the thread that plans.
        relation = narrow(Graph(), self.prepared, wanted)
        query = render(relation)
        features = sorted(self.features)
        key = [_VERSION, query.sql, sorted(query.scans), repr(folds), repr(holdout), self.column,
               features, self.keys, self.task]  # fmt: skip
        return f"data warnings {digest(key)}", {
            "query": query,
            "folds": folds,
            "holdout": holdout,
            "target": self.column,
            "features": features,
            "keys": self.keys,
            "task": self.task,
            "datasets": [fingerprint for _, fingerprint in query.scans],
        }


def subjects(pipelines: Iterable[Built]) -> list[Subject]:
    """What the pipelines of a job are about, each once."""
    found: dict[tuple[str, str], Subject] = {}
    seen: dict[tuple[str, str], set[str]] = {}
    for built in pipelines:
        if not isinstance(built.target.op, Vector) or not isinstance(built.folds.op, Folds):
            continue
        key = (built.folds.key, built.target.key)
        if key not in found and len(found) == _MAX_SUBJECTS:
            continue
        subject = found.setdefault(
            key, Subject(built.prepared, built.folds, built.target, built.task)
        )
        names = _features(built.fits, seen.setdefault(key, set()))
        known = schema(subject.prepared)
        subject.features.update(dict.fromkeys(name for name in names if name in known))
    return [subject for subject in found.values() if subject.features]


def _features(fits: Iterable[Node], seen: set[str]) -> Iterator[str]:
    for node in walk(fits, seen, tables=False):
        if isinstance(node.op, Columns):
            yield from node.op.names


class DataWatch:
    """Looks at the data of jobs. `dataset` gives the file of a fingerprint."""

    def __init__(
        self, scheduler: Scheduler, catalog: Catalog, dataset: Callable[[str], Path]
    ) -> None:
        self._scheduler = scheduler
        self._catalog = catalog
        self._dataset = dataset
        self._lock = threading.Lock()  # of what it does at a time: one look at the same data

    def attend(self, request: Request) -> None:
        """Has the job of `request` warned, at once of what is known, else once its first score
        is there. Returns at once."""
        threading.Thread(
            target=self._watch,
            args=(request.job, list(request.built.values())),
            name="data-watch",
            daemon=True,
        ).start()

    def _watch(self, job: Job, built: list[Built]) -> None:
        scored = threading.Event()
        job.when_scored(scored.set)
        job.when_finished(scored.set)
        try:
            asked = dict(subject.arguments() for subject in subjects(built))
            known = self._catalog.get_memos(asked)
            for texts in known.values():
                job.warn(texts)
            for key in asked.keys() - known.keys():
                scored.wait()
                with self._lock:
                    job.warn(self._look(key, asked[key]))
            if job.warnings:
                self._catalog.put_memo(job_memo(job.id), list(job.warnings))
        except StratumError as error:
            _LOG.debug("no warnings about the data: %s", error)
        except Exception:
            _LOG.exception("the data could not be looked at")
        finally:
            job.warned.set()

    def _look(self, key: str, arguments: dict[str, object]) -> list[str]:
        """The warnings, computed unless another job has had them computed meanwhile."""
        known = self._catalog.get_memos([key]).get(key)
        if isinstance(known, list):
            return known
        needed = arguments["datasets"]
        assert isinstance(needed, list)
        arguments["datasets"] = {name: str(self._dataset(name)) for name in needed}
        try:
            answer = self._scheduler.call("data_warnings", arguments, _SECONDS).result()
        except StratumError as error:
            if error.code in ("engine_closed", "cancelled"):
                raise
            _LOG.debug("no warnings about the data: %s", error)
            answer = {"warnings": []}
        texts = [str(text) for text in answer["warnings"]]
        self._catalog.put_memo(key, texts)
        return texts
