"""What a worker can be asked to do: the fixed table of functions.

Input: a function name and JSON-able or planner values. Output: JSON-able results. Nothing else
is callable through a worker's socket.
"""

from collections.abc import Callable, Mapping
from typing import Any

from planner.plan import Task
from planner.render import Query


def run_task(
    *,
    task: Task,
    blocks: str,
    datasets: Mapping[str, str],
    memory: str = "4GB",
) -> dict[str, Any]:
    """Runs a task; see `executor.program.run`."""
    from executor.program import run

    return run(task, blocks, datasets, memory)


def ingest(*, source: str, directory: str, options: dict[str, Any]) -> dict[str, Any]:
    """Reads a file into the dataset directory; see `executor.ingest.ingest`."""
    from executor.ingest import ingest

    return ingest(source, directory, options)


def profile(*, path: str, name: str, target: str | None, **options: Any) -> dict[str, Any]:
    """Profiles a dataset; see `executor.profile.profile`."""
    from executor.profile import profile

    return profile(path, name, target, **options)


def query(*, sql: str, tables: dict[str, str], limit: int, **options: Any) -> dict[str, Any]:
    """Runs a checked, read-only query; see `executor.query.query`."""
    from executor.query import query

    return query(sql, tables, limit, **options)


def statistics(
    *, query: Query, datasets: Mapping[str, str], requests: list[list[str]]
) -> dict[str, Any]:
    """Counts of a relation; see `executor.statistics`."""
    from executor.statistics import statistics

    return statistics(query, datasets, requests)


def introspect() -> dict[str, Any]:
    """Describes every known operator; see `executor.introspect`."""
    from executor.introspect import introspect

    return introspect()


def validate(*, calls: list[Any]) -> dict[str, Any]:
    """Checks parameter values of estimators, without data.

    Returns ``{"errors": [null | error dict, ...]}``, one entry a call.
    """
    from executor.construct import validate as check
    from planner.errors import StratumError

    errors: list[dict[str, str] | None] = []
    for call in calls:
        try:
            check(call)
            errors.append(None)
        except StratumError as error:
            errors.append(error.to_dict())
    return {"errors": errors}


def data_warnings(*, datasets: Mapping[str, str], **options: Any) -> dict[str, Any]:
    """Looks for what makes scores too good; see `executor.data_warnings`."""
    from executor.data_warnings import data_warnings

    return {"warnings": data_warnings(files=datasets, **options)}


TABLE: dict[str, Callable[..., dict[str, Any]]] = {
    "run_task": run_task,
    "ingest": ingest,
    "profile": profile,
    "query": query,
    "statistics": statistics,
    "introspect": introspect,
    "validate": validate,
    "data_warnings": data_warnings,
}
