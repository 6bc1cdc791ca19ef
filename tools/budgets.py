"""Budgets of a request as limits of a job. Input: `Budget`. Output: `Limits`."""

from executor.budget import parse_bytes
from executor.jobs import Limits
from planner.spec import Budget


def limits_of(budget: Budget) -> Limits:
    """Raises `invalid_budget` for a size that cannot be read."""
    memory = None if budget.memory is None else parse_bytes(budget.memory, "evaluate.budget.memory")
    return Limits(
        seconds=budget.seconds,
        worker_bytes=memory,
        pipeline_seconds=budget.pipeline_seconds,
    )
