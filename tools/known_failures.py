"""What stops a request or a pipeline before it runs.

Input: plans, and exceptions of planning. Output: outcomes of pipelines that failed before in a
way that is sure to repeat, and errors that can be told to clients.
"""

import logging

from executor.catalog import Catalog
from executor.results import Outcome
from planner.errors import ExecutionError, ServerError, StratumError
from planner.plan import Plan

_LOG = logging.getLogger(__name__)


def known_failures(catalog: Catalog, plan: Plan) -> dict[int, Outcome]:
    """Pipelines of `plan` with a node of which the catalog knows that it fails."""
    rows = catalog.get_failures({key for p in plan.pipelines for key in p.places})
    found: dict[int, Outcome] = {}
    for pipeline in plan.pipelines if rows else ():
        key = next((key for key in pipeline.places if key in rows), None)
        if key is not None:
            row = rows[key]
            error = ExecutionError(row.code, row.message, path=pipeline.places[key], hint=row.hint)
            found[pipeline.index] = Outcome(
                pipeline.index, "failed", reused_seconds=row.seconds, error=error
            )
    return found


def engine_closed() -> ServerError:
    return ServerError("engine_closed", "The engine is shutting down.")


def is_closing(error: Exception) -> bool:
    return isinstance(error, ServerError) and error.code == "engine_closed"


def reportable(error: Exception) -> StratumError:
    """`error`, or what clients are told in place of one that nobody foresaw."""
    if isinstance(error, StratumError):
        return error
    _LOG.error("planning failed", exc_info=error)
    return ServerError(
        "internal_error",
        f"Planning failed unexpectedly: {type(error).__name__}.",
        hint="The server log has the details; please report it.",
    )
