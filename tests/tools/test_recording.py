"""What is shown was stored first, and what cannot be stored is shown all the same."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from executor.catalog import Catalog, ScoreRow
from executor.results import MetricResult, Outcome
from executor.store import Store
from planner.errors import ExecutionError
from tests.executor.fault_functions import LIMIT
from tools.jobs import Entry, Job
from tools.recording import Recorder

DONE = Outcome(0, "ok", {"r2": MetricResult.of([[0.5, 0.7]])}, fresh=(ScoreRow("k", (0.5, 0.7)),))


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite", "/here")


@pytest.fixture
def recorder(catalog: Catalog, tmp_path: Path) -> Iterator[Recorder]:
    recorder = Recorder(catalog, Store(tmp_path / "blocks", 1 << 20))
    yield recorder
    recorder.close()


def job(catalog: Catalog, *names: str) -> Job:
    entries = [Entry(name, {"model": name}, id=f"ev_{name}", primary="r2") for name in names]
    made = Job("job_1", "evaluate", entries)
    catalog.create_job(made.id, made.kind, "", {}, len(entries))
    catalog.set_job_state(made.id, "running")
    made.run(None, lambda: None)
    return made


def test_everything_is_stored(recorder: Recorder, catalog: Catalog) -> None:
    made = job(catalog, "a", "b")
    recorder.outcome(made, DONE, {"seed": 0})
    error = ExecutionError("fit_failed", "No.", path="pipelines[1].model", hint="Do.")
    recorder.outcome(made, Outcome(1, "failed", error=error, node="n"), {"seed": 0})
    recorder.finish(made, "completed")
    recorder.start()
    assert made.wait(LIMIT)
    assert catalog.get_job("job_1").state == "completed"
    ok, failed = catalog.evaluations("job_1")
    assert ok.score == 0.6
    assert ok.settings["evaluate"] == {"seed": 0}
    assert failed.error == error.to_dict()
    assert catalog.get_scores(["k"])["k"].folds == (0.5, 0.7)
    assert catalog.get_failures(["n"])["n"].code == "fit_failed"


def test_nothing_is_shown_before_it_is_stored(
    recorder: Recorder, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = job(catalog, "a")
    stored: list[int] = []
    monkeypatch.setattr(made, "record", lambda *_: stored.append(len(catalog.evaluations("job_1"))))
    recorder.outcome(made, DONE, {})
    recorder.finish(made, "completed")
    recorder.start()
    assert made.wait(LIMIT)
    assert stored == [1]


@pytest.mark.parametrize("code", ["timeout", "worker_crashed", "block_unreadable", "dataset_gone"])
def test_what_might_go_well_next_time_is_not_remembered(
    recorder: Recorder, catalog: Catalog, code: str
) -> None:
    made = job(catalog, "a")
    error = ExecutionError(code, "No.")
    recorder.outcome(made, Outcome(0, "failed", error=error, node="n"), {})
    recorder.finish(made, "completed")
    recorder.start()
    assert made.wait(LIMIT)
    assert not catalog.get_failures(["n"])


def test_one_that_cannot_be_stored_takes_no_other_with_it(
    recorder: Recorder, catalog: Catalog
) -> None:
    made = job(catalog, "half a pair \ud800", "b")
    recorder.outcome(made, DONE, {})
    recorder.outcome(made, replace(DONE, position=1), {})
    recorder.finish(made, "completed")
    recorder.start()
    assert made.wait(LIMIT)
    assert [row.position for row in catalog.evaluations("job_1")] == [1]
    first, second = made.in_order()
    assert first.status == "ok"
    assert any("could not be stored" in text for text in first.warnings)
    assert second.warnings == []


def test_closing_writes_what_is_left(recorder: Recorder, catalog: Catalog) -> None:
    made = job(catalog, *map(str, range(600)))
    for position in range(600):
        recorder.outcome(made, replace(DONE, position=position), {})
    recorder.finish(made, "interrupted")
    recorder.start()
    recorder.close(LIMIT)
    assert len(catalog.evaluations("job_1")) == 600
    assert made.state == "interrupted"
