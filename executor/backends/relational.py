"""The DuckDB backend: fused queries to table blocks.

Input: a `Materialise` op. Output: a pyarrow Table with the columns asked for, in row order.
"""

from collections.abc import Sequence
from typing import Any

from executor.backends.base import Context
from executor.backends.duckdb import run_query
from planner.graph import Op
from planner.ops import Materialise


class DuckDBBackend:
    """Runs queries."""

    name = "duckdb"

    def supports(self, op: Op) -> bool:
        return isinstance(op, Materialise)

    def run(self, op: Op, inputs: Sequence[Any], context: Context) -> Any:
        assert isinstance(op, Materialise)
        return run_query(
            op.query, context.datasets, threads=context.threads, memory=context.memory
        )
