"""Facts about relations that planning asks for, computed in a worker and remembered.

Input: a relation and a question. Output: a count. Answers are kept in the catalog under the
content key of the relation, so that each is computed once.
"""

from collections.abc import Callable
from pathlib import Path

from executor.catalog import Catalog
from executor.run import Scheduler
from planner.graph import Node
from planner.render import render

# Planning of every client waits for the answer, so a slow expression must not take for ever.
_SECONDS = 60.0


class CachedStatistics:
    """`planner.schema.Statistics` backed by workers and catalog. Blocks until it knows.

    `dataset` gives the file of a fingerprint.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        catalog: Catalog,
        dataset: Callable[[str], Path],
    ) -> None:
        self._scheduler = scheduler
        self._catalog = catalog
        self._dataset = dataset
        self._memory: dict[str, int] = {}

    def rows(self, table: Node) -> int:
        return self._ask(table, ["rows"])

    def distinct(self, table: Node, column: str) -> int:
        return self._ask(table, ["distinct", column])

    def missing(self, table: Node, column: str) -> int:
        return self._ask(table, ["missing", column])

    def _ask(self, table: Node, request: list[str]) -> int:
        key = f"statistic {table.key} {' '.join(request)}"
        known = self._memory.get(key)
        if known is None:
            stored = self._catalog.get_memos([key]).get(key)
            if isinstance(stored, int):
                known = stored
            else:
                known = self._compute(table, request)
                self._catalog.put_memo(key, known)
            self._memory[key] = known
        return known

    def _compute(self, table: Node, request: list[str]) -> int:
        query = render(table)
        needed = {fingerprint: str(self._dataset(fingerprint)) for _, fingerprint in query.scans}
        arguments = {"query": query, "datasets": needed, "requests": [request]}
        result = self._scheduler.call("statistics", arguments, _SECONDS).result()
        return int(result["values"][0])
