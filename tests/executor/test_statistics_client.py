"""Counts are asked of a worker once, and remembered for ever."""

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from executor.catalog import Catalog
from executor.statistics_client import CachedStatistics
from planner.errors import ExecutionError
from planner.graph import Graph, Node
from planner.relational import scan
from planner.schema import Column, Dataset, FactPending, Schema


class Calls:
    """Stands for the scheduler: numbers its answers, or fails."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.error: Exception | None = None
        self.slow = False
        self.open: list[Future[dict[str, Any]]] = []

    def call(
        self, function: str, arguments: dict[str, Any], seconds: float, session: str = ""
    ) -> "Future[dict[str, Any]]":
        assert function == "statistics"
        assert seconds <= 60  # planning of all clients waits for it
        self.asked.append(arguments)
        future: Future[dict[str, Any]] = Future()
        if self.slow:
            self.open.append(future)
        elif self.error is None:
            future.set_result({"values": [len(self.asked)]})
        else:
            future.set_exception(self.error)
        return future


@pytest.fixture
def calls() -> Calls:
    return Calls()


def client(calls: Calls, path: Path) -> CachedStatistics:
    catalog = Catalog(path / "catalog.sqlite")
    return CachedStatistics(calls, catalog, lambda f: path / f"{f}.arrow")  # type: ignore[arg-type]


def table(salt: str = "") -> Node:
    schema = Schema((Column("x", "float", "DOUBLE", True, None),))
    return scan(Graph(salt), Dataset("homes", "f00d", 10, schema))


def test_each_question_is_asked_once(calls: Calls, tmp_path: Path) -> None:
    statistics = client(calls, tmp_path)
    for _ in range(2):
        assert statistics.rows(table()) == 1
        assert statistics.distinct(table(), "x") == 2
        assert statistics.missing(table(), "x") == 3
    assert [asked["requests"] for asked in calls.asked] == [
        [["rows"]], [["distinct", "x"]], [["missing", "x"]],
    ]  # fmt: skip
    assert calls.asked[0]["datasets"] == {"f00d": str(tmp_path / "f00d.arrow")}


def test_a_new_process_knows_the_answers(calls: Calls, tmp_path: Path) -> None:
    client(calls, tmp_path).distinct(table(), "x")
    assert client(calls, tmp_path).distinct(table(), "x") == 1
    assert len(calls.asked) == 1


def test_other_library_versions_ask_anew(calls: Calls, tmp_path: Path) -> None:
    statistics = client(calls, tmp_path)
    assert statistics.rows(table()) != statistics.rows(table("other versions"))


def test_a_failure_is_passed_on_and_not_remembered(calls: Calls, tmp_path: Path) -> None:
    statistics = client(calls, tmp_path)
    calls.error = ExecutionError("dataset_gone", "It is gone.")
    with pytest.raises(ExecutionError, match="dataset_gone"):
        statistics.rows(table())
    calls.error = None
    assert statistics.rows(table()) == 2


class TestPatient:
    """For who does not wait."""

    def pending(self, ask: Callable[[], int]) -> list[int]:
        """Asks in vain; the list gets an element when it is time to ask again."""
        told: list[int] = []
        with pytest.raises(FactPending) as caught:
            ask()
        caught.value.then(lambda: told.append(1))
        return told

    def test_asking_again_gives_the_answer(self, calls: Calls, tmp_path: Path) -> None:
        calls.slow = True
        statistics = client(calls, tmp_path)
        patient = statistics.patient("a")
        told = self.pending(lambda: patient.rows(table()))
        also = self.pending(lambda: statistics.patient("b").rows(table()))
        assert (told, also) == ([], [])
        (future,) = calls.open  # one call for both
        future.set_result({"values": [17]})
        assert (told, also) == ([1], [1])
        assert patient.rows(table()) == 17
        assert statistics.rows(table()) == 17
        assert client(calls, tmp_path).rows(table()) == 17
        assert len(calls.asked) == 1

    def test_a_failure_is_raised_to_all_who_waited_and_not_remembered(
        self, calls: Calls, tmp_path: Path
    ) -> None:
        calls.slow = True
        statistics = client(calls, tmp_path)
        waiting = [statistics.patient(session) for session in "ab"]
        for patient in waiting:
            self.pending(lambda p=patient: p.rows(table()))
        calls.open[0].set_exception(ExecutionError("timeout", "It took too long."))
        for patient in waiting:
            with pytest.raises(ExecutionError, match="timeout"):
                patient.rows(table())
        told = self.pending(lambda: waiting[0].rows(table()))
        calls.open[1].set_result({"values": [3]})
        assert told == [1]
        assert waiting[0].rows(table()) == 3

    def test_what_is_known_is_told_at_once(self, calls: Calls, tmp_path: Path) -> None:
        statistics = client(calls, tmp_path)
        assert statistics.distinct(table(), "x") == 1
        assert statistics.patient().distinct(table(), "x") == 1
