"""Counts are asked of a worker once, and remembered for ever."""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from executor.catalog import Catalog
from executor.statistics_client import CachedStatistics
from planner.errors import ExecutionError
from planner.graph import Graph, Node
from planner.relational import scan
from planner.schema import Column, Dataset, Schema


class Calls:
    """Stands for the scheduler: numbers its answers, or fails."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.error: Exception | None = None

    def call(
        self, function: str, arguments: dict[str, Any], seconds: float
    ) -> "Future[dict[str, Any]]":
        assert function == "statistics"
        assert seconds <= 60  # planning of all clients waits for it
        self.asked.append(arguments)
        future: Future[dict[str, Any]] = Future()
        if self.error is None:
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
