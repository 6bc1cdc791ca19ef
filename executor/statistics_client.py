"""Facts about relations that planning asks for, computed in a worker and remembered.

Input: a relation and a question. Output: a count. Answers are kept in the catalog under the
content key of the relation, so that each is computed once.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from executor.catalog import Catalog
from executor.run import Scheduler
from planner.graph import Node
from planner.render import render
from planner.schema import FactPending

# A request waits for the answer, so a slow expression must not take for ever.
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
        self._unwritten: set[str] = set()  # keys of what the catalog does not have yet
        self._lock = threading.Lock()
        self._asked: dict[str, Future[dict[str, Any]]] = {}  # open calls, by key

    def rows(self, table: Node) -> int:
        return self._ask(table, ["rows"])

    def distinct(self, table: Node, column: str) -> int:
        return self._ask(table, ["distinct", column])

    def missing(self, table: Node, column: str) -> int:
        return self._ask(table, ["missing", column])

    def patient(self, session: str = "") -> "PatientStatistics":
        """The same facts for who does not wait: what is not known raises `FactPending`."""
        return PatientStatistics(self, session)

    def _ask(self, table: Node, request: list[str]) -> int:
        found = self.find(table, request)
        if isinstance(found, int):
            return found
        found.result()  # waits, and raises what made it fail
        return self._ask(table, request)

    def find(
        self, table: Node, request: list[str], session: str = ""
    ) -> "int | Future[dict[str, Any]]":
        """The answer, or the call that computes it. Failures are not remembered."""
        key = key_of(table, request)
        with self._lock:
            found = self._remembered(key)
        if found is None:
            stored = self._catalog.get_memos([key]).get(key)
            if isinstance(stored, int):
                found = self._memory[key] = stored
        if isinstance(found, int):
            if key in self._unwritten:
                self._unwritten.discard(key)
                self._catalog.put_memo(key, found)
            return found
        if found is not None:
            return found
        query = render(table)
        needed = {fingerprint: str(self._dataset(fingerprint)) for _, fingerprint in query.scans}
        arguments = {"query": query, "datasets": needed, "requests": [request]}
        with self._lock:
            asked = self._asked.get(key)
            if asked is None:
                asked = self._scheduler.call("statistics", arguments, _SECONDS, session=session)
                self._asked[key] = asked
        return asked

    def _remembered(self, key: str) -> "int | Future[dict[str, Any]] | None":
        """With the lock held: the answer or the open call, if it was asked for before."""
        asked = self._asked.get(key)
        if asked is not None and asked.done():
            del self._asked[key]
            if asked.exception() is None:
                self._memory[key] = int(asked.result()["values"][0])
                self._unwritten.add(key)
        elif asked is not None:
            return asked
        return self._memory.get(key)


def key_of(table: Node, request: list[str]) -> str:
    return f"statistic {table.key} {' '.join(request)}"


class PatientStatistics:
    """See `CachedStatistics.patient`. For one thread; asked again, it raises what failed."""

    def __init__(self, facts: CachedStatistics, session: str) -> None:
        self._facts = facts
        self._session = session
        self._asked: dict[str, Future[dict[str, Any]]] = {}

    def rows(self, table: Node) -> int:
        return self._ask(table, ["rows"])

    def distinct(self, table: Node, column: str) -> int:
        return self._ask(table, ["distinct", column])

    def missing(self, table: Node, column: str) -> int:
        return self._ask(table, ["missing", column])

    def _ask(self, table: Node, request: list[str]) -> int:
        key = key_of(table, request)
        before = self._asked.pop(key, None)
        if before is not None and before.done() and (error := before.exception()) is not None:
            raise error
        found = self._facts.find(table, request, self._session)
        if isinstance(found, int):
            return found
        self._asked[key] = found

        def then(callback: Callable[[], None]) -> None:
            found.add_done_callback(lambda _: callback())

        raise FactPending(then)
