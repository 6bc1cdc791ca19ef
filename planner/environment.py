"""What building a pipeline needs besides its spec.

Input: the graph, registry and datasets of a batch. Output: answers that many pipelines ask for,
each worked out once.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from planner import lineage
from planner.graph import Graph, Node
from planner.registry import Registry
from planner.schema import Datasets, Statistics
from planner.spec import EvaluateSpec


@dataclass(frozen=True)
class Environment:
    """The same for all pipelines of a request. `memo` is for the builder's own use.

    `confirm` asks for pipelines fitted on all rows outside the hold-out and scored on those inside,
    instead of cross-validated ones.
    """

    graph: Graph
    registry: Registry
    datasets: Datasets
    statistics: Statistics
    evaluate: EvaluateSpec
    confirm: bool = False
    memo: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def narrow(self, table: Node, columns: Iterable[str]) -> Node:
        """The relation with the rows of `table` and these columns (see `planner.narrow`)."""
        return lineage.narrow(self.graph, table, columns)

    def tainted(self, table: Node, target: str) -> frozenset[str]:
        """Columns that must not be features of `target` (see `planner.lineage`)."""
        key = ("tainted", table.key, target)
        found: frozenset[str] | None = self.memo.get(key)
        if found is None:
            found = self.memo[key] = lineage.tainted(table, target)
        return found
