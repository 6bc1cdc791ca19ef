import json
import math
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executor import catalog_file, catalog_results
from executor.catalog import (
    Catalog,
    DatasetRow,
    EvaluationRow,
    FailureRow,
    ScoreRow,
    Timing,
    comparable_key,
    process_alive,
)
from executor.catalog_schema import SCHEMA_VERSION
from planner.errors import ServerError, SpecError, StratumError
from planner.schema import Column, Dataset, Schema

ROOT = Path(sys.modules["executor"].__path__[0]).parent
examples = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
text = st.text(st.characters(codec="utf-8"), max_size=10)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite", workspace="/here")


def same(one: Any, two: Any) -> bool:
    """Equality by text, under which NaN equals NaN and 1 differs from 1.0."""
    return repr(one) == repr(two)


def evaluation(position: int = 0, **fields: Any) -> EvaluationRow:
    values: dict[str, Any] = {
        "id": f"e{position}",
        "job": "j1",
        "position": position,
        "name": f"pipeline {position}",
        "spec": {"model": f"Ridge({position})"},
        "status": "ok",
        "dataset": "homes",
        "target": "price",
        "metric": "r2",
        "metrics": {"r2": {"mean": position / 10, "std": 0.0, "folds": [position / 10]}},
        "comparable": "c1",
        "created": 5.0,
    }
    return EvaluationRow(**{**values, **fields})


# Datasets

columns = st.builds(
    Column,
    name=text,
    kind=st.sampled_from(["integer", "float", "string", "other"]),
    sql_type=text,
    nullable=st.booleans(),
    distinct=st.none() | st.integers(0, 2**40),
)
datasets = st.builds(
    DatasetRow,
    dataset=st.builds(
        Dataset,
        name=text,
        fingerprint=text,
        rows=st.integers(0, 2**50),
        schema=st.builds(Schema, st.lists(columns, max_size=4).map(tuple)),
    ),
    source=st.text(max_size=10),  # file names may hold bytes that are no text
    bytes=st.integers(0, 2**50),
    options=st.dictionaries(text, json_values, max_size=3),
    source_size=st.integers(0, 2**50),
    source_mtime_ns=st.integers(0, 2**62),
    created=st.floats(1, 1e10),
)


@examples
@given(row=datasets)
def test_datasets_round_trip(tmp_path: Path, row: DatasetRow) -> None:
    catalog = Catalog(tmp_path / "c")
    catalog.put_dataset(row)
    assert same(catalog.get_dataset(row.dataset.name), row)
    catalog.remove_dataset(row.dataset.name)
    assert catalog.list_datasets() == []
    catalog.close()


def dataset(name: str, fingerprint: str = "f") -> DatasetRow:
    return DatasetRow(Dataset(name, fingerprint, 3, Schema(())), "a.csv", 10, created=1.0)


def test_datasets_belong_to_a_workspace(tmp_path: Path) -> None:
    here, there = Catalog(tmp_path / "c", "/here"), Catalog(tmp_path / "c", "/there")
    here.put_dataset(dataset("homes", "f1"))
    there.put_dataset(dataset("homes", "f2"))
    here.put_dataset(dataset("homes", "f3"))
    here.put_dataset(dataset("births"))
    assert here.get_dataset("homes").dataset.fingerprint == "f3"
    assert there.get_dataset("homes").dataset.fingerprint == "f2"
    assert [row.dataset.name for row in here.list_datasets()] == ["births", "homes"]
    assert here.fingerprint_in_use("f2")
    assert not here.fingerprint_in_use("f1")


def test_unknown_dataset_names_what_there_is(catalog: Catalog) -> None:
    with pytest.raises(SpecError) as caught:
        catalog.get_dataset("homes")
    assert caught.value.code == "unknown_dataset"
    catalog.put_dataset(dataset("homes"))
    with pytest.raises(SpecError) as caught:
        catalog.get_dataset("Home")
    assert "'homes'" in caught.value.hint
    with pytest.raises(SpecError) as caught:
        catalog.remove_dataset("zzz")
    assert "homes" in caught.value.hint


def test_half_a_surrogate_pair_is_an_error_of_the_request(catalog: Catalog) -> None:
    with pytest.raises(SpecError) as caught:
        catalog.put_dataset(dataset("\ud800"))
    assert caught.value.code == "invalid_text"


# Jobs

TERMINAL = ("completed", "failed", "cancelled", "timeout", "interrupted")


def test_a_job_from_start_to_end(catalog: Catalog) -> None:
    catalog.create_job("j1", "evaluate", "s1", {"pipelines": [1, math.nan]}, 2)
    job = catalog.get_job("j1")
    assert (job.state, job.total, job.done, job.session) == ("submitted", 2, 0, "s1")
    assert (job.pid, job.started, job.finished) == (os.getpid(), None, None)
    assert same(job.request, {"pipelines": [1, math.nan]})
    assert catalog.set_job_state("j1", "running")
    catalog.put_evaluation(evaluation(0))
    job = catalog.get_job("j1")
    assert (job.state, job.done, job.terminal) == ("running", 1, False)
    assert job.started is not None
    assert catalog.set_job_state("j1", "failed", error={"code": "x"}, result=[1])
    job = catalog.get_job("j1")
    assert (job.state, job.error, job.result, job.terminal) == ("failed", {"code": "x"}, [1], True)
    assert job.started is not None
    assert job.finished is not None
    assert job.finished >= job.started >= job.created


@pytest.mark.parametrize("first", TERMINAL)
@pytest.mark.parametrize("second", ["running", *TERMINAL])
def test_terminal_states_never_change(catalog: Catalog, first: Any, second: Any) -> None:
    catalog.create_job("j1", "evaluate", "", None, 1)
    assert catalog.set_job_state("j1", first)
    before = catalog.get_job("j1")
    assert not catalog.set_job_state("j1", second, error={"code": "late"})
    assert catalog.get_job("j1") == before


def test_the_database_itself_refuses_to_leave_a_terminal_state(catalog: Catalog) -> None:
    catalog.create_job("j1", "evaluate", "", None, 1)
    catalog.set_job_state("j1", "completed")
    with pytest.raises(ServerError, match="never changes"), catalog.write() as connection:
        connection.execute("UPDATE jobs SET state = 'running'")
    assert catalog.get_job("j1").state == "completed"


def test_running_is_entered_once(catalog: Catalog) -> None:
    catalog.create_job("j1", "evaluate", "", None, 1)
    assert catalog.set_job_state("j1", "running")
    assert not catalog.set_job_state("j1", "running")
    assert not catalog.set_job_state("j1", "submitted")
    with pytest.raises(ServerError):
        catalog.set_job_state("j1", "sleeping")  # type: ignore[arg-type]


def test_unknown_job(catalog: Catalog) -> None:
    for ask in (lambda: catalog.get_job("j"), lambda: catalog.set_job_state("j", "running")):
        with pytest.raises(SpecError) as caught:
            ask()
        assert caught.value.code == "unknown_job"


def test_jobs_are_listed_newest_first(tmp_path: Path, catalog: Catalog) -> None:
    for name in "abc":
        catalog.create_job(name, "evaluate", "", None, 1)
    Catalog(catalog.path, "/there").create_job("d", "evaluate", "", None, 1)
    assert [job.id for job in catalog.list_jobs(2)] == ["c", "b"]
    assert len(catalog.list_jobs()) == 3


def test_only_jobs_of_dead_servers_are_interrupted(catalog: Catalog) -> None:
    run_child(
        catalog.path,
        "catalog.create_job('theirs', 'evaluate', '', None, 1)\n"
        "catalog.create_job('done', 'evaluate', '', None, 1)\n"
        "catalog.set_job_state('done', 'completed')",
    )
    catalog.create_job("mine", "evaluate", "", None, 1)
    assert catalog.interrupt_unfinished() == ["theirs"]
    assert catalog.get_job("theirs").state == "interrupted"
    assert catalog.get_job("mine").state == "submitted"
    assert catalog.get_job("done").state == "completed"
    assert catalog.interrupt_unfinished() == []
    asked = []
    assert catalog.interrupt_unfinished(lambda *owner: bool(asked.append(owner))) == ["mine"]
    assert asked == [(os.getpid(), psutil.Process().create_time())]


def test_process_numbers_that_are_used_again() -> None:
    started = psutil.Process().create_time()
    assert process_alive(os.getpid(), started)
    assert not process_alive(os.getpid(), started - 60)


# Evaluations

evaluations = st.builds(
    EvaluationRow,
    id=text,
    job=text,
    position=st.integers(0, 10**6),
    name=text,
    spec=json_values,
    status=st.sampled_from(["ok", "failed", "timeout", "out_of_memory", "cancelled", "skipped"]),
    dataset=text,
    target=text,
    metric=text,
    direction=st.sampled_from(["maximize", "minimize"]),
    metrics=st.dictionaries(
        text, st.fixed_dictionaries({"mean": st.none() | st.floats(), "folds": json_values})
    ),
    seconds=st.floats(),
    fit_seconds=st.floats(),
    reused_seconds=st.floats(),
    warnings=st.lists(json_values, max_size=2).map(tuple),
    error=st.none() | st.dictionaries(text, json_values, min_size=1, max_size=2),
    settings=json_values,
    comparable=text,
    created=st.floats(1, 1e10),
)


@examples
@given(row=evaluations)
def test_evaluations_round_trip(tmp_path: Path, row: EvaluationRow) -> None:
    catalog = Catalog(tmp_path / "c")
    with catalog.write() as connection:  # each example starts afresh
        connection.execute("DELETE FROM ranks")
        connection.execute("DELETE FROM evaluations")
    catalog.put_evaluation(row)
    assert same(catalog.evaluations(row.job), [row])
    assert same(catalog.find_evaluation(row.id), row)
    catalog.close()


def test_evaluations_of_a_job_by_position(catalog: Catalog) -> None:
    for position in (3, 0, 2):
        catalog.put_evaluation(evaluation(position))
    catalog.put_evaluation(evaluation(9, job="j2"))
    assert [row.position for row in catalog.evaluations("j1")] == [0, 2, 3]
    assert [row.position for row in catalog.evaluations("j1", after=0, limit=1)] == [2]
    assert catalog.evaluations("j1", limit=0) == []
    assert catalog.evaluations("none") == []


def test_an_evaluation_can_be_replaced_in_its_place(catalog: Catalog) -> None:
    catalog.put_evaluation(evaluation(1, id="first"))
    catalog.put_evaluation(evaluation(1, id="second", status="failed", error={"code": "x"}))
    assert [row.id for row in catalog.evaluations("j1")] == ["second"]
    assert catalog.leaderboard("r2").total == 0


def test_found_by_id_before_name_and_newest_first(catalog: Catalog) -> None:
    catalog.put_evaluation(evaluation(0, name="best"))
    catalog.put_evaluation(evaluation(1, name="best"))
    catalog.put_evaluation(evaluation(2, name="e0"))
    assert catalog.find_evaluation("best").id == "e1"
    assert catalog.find_evaluation("e0").position == 0
    with pytest.raises(SpecError) as caught:
        catalog.find_evaluation("nothing")
    assert caught.value.code == "unknown_evaluation"
    with pytest.raises(SpecError):
        Catalog(catalog.path, "/there").find_evaluation("best")


def test_score_is_the_mean_of_the_primary_metric() -> None:
    assert evaluation(3).score == 0.3
    assert evaluation(3, status="failed", metrics={}).score is None


def metric_values(direction: str, **means: float | None) -> dict[str, Any]:
    return {name: {"mean": mean, "direction": direction} for name, mean in means.items()}


@examples
@given(
    means=st.lists(st.none() | st.floats(), max_size=12),
    direction=st.sampled_from(["maximize", "minimize"]),
    limit=st.integers(1, 5),
)
def test_leaderboard_pages_are_the_sorted_whole(
    tmp_path: Path, means: list[float | None], direction: Any, limit: int
) -> None:
    catalog = Catalog(tmp_path / "c")
    with catalog.write() as connection:
        connection.execute("DELETE FROM ranks")
        connection.execute("DELETE FROM evaluations")
    for position, mean in enumerate(means):
        values = {"m": {"mean": mean}}
        row = evaluation(position, metric="m", direction=direction, metrics=values)
        catalog.put_evaluation(row)

    def key(position: int) -> float:
        mean = means[position]
        if mean is None or math.isnan(mean):
            return math.inf
        return -mean if direction == "maximize" else mean

    found: list[int] = []
    cursor = None
    while True:
        page = catalog.leaderboard("m", limit=limit, cursor=cursor)
        assert page.total == len(means)
        assert len(page.rows) <= limit
        found += [row.position for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == sorted(range(len(means)), key=key)
    catalog.close()


def test_leaderboard_of_any_metric_in_its_own_direction(catalog: Catalog) -> None:
    for position, (r2, rmse) in enumerate([(0.9, 3.0), (0.8, 1.0), (0.7, 2.0)]):
        metrics = metric_values("maximize", r2=r2) | metric_values("minimize", rmse=rmse)
        catalog.put_evaluation(evaluation(position, metrics=metrics))
    assert [row.position for row in catalog.leaderboard("r2").rows] == [0, 1, 2]
    assert [row.position for row in catalog.leaderboard("rmse").rows] == [1, 2, 0]
    assert catalog.leaderboard("mae").rows == ()


def test_leaderboard_filters_and_groups(catalog: Catalog) -> None:
    catalog.put_evaluation(evaluation(0))
    catalog.put_evaluation(evaluation(1, dataset="births", comparable="c2"))
    catalog.put_evaluation(evaluation(2, target="area", comparable="c3"))
    catalog.put_evaluation(evaluation(3, job="j2"))
    catalog.put_evaluation(evaluation(4, status="failed"))
    Catalog(catalog.path, "/there").put_evaluation(evaluation(5, job="j3"))

    def found(**filters: Any) -> list[int]:
        return [row.position for row in catalog.leaderboard("r2", **filters).rows]

    assert found() == [3, 2, 1, 0]
    assert found(dataset="homes") == [3, 2, 0]
    assert found(target="area") == [2]
    assert found(job="j1") == [2, 1, 0]
    assert found(comparable="c1") == [3, 0]
    assert found(dataset="homes", target="price", job="j2") == [3]
    assert catalog.leaderboard("r2").groups == {"c1": 2, "c2": 1, "c3": 1}


def test_leaderboard_shows_a_repeated_pipeline_once(catalog: Catalog) -> None:
    spec = {"model": "Ridge()", "name": "a"}
    catalog.put_evaluation(evaluation(0, spec=spec))
    catalog.put_evaluation(evaluation(1, job="j2", spec={**spec, "name": "b"}))
    catalog.put_evaluation(evaluation(2, job="j2", spec=spec, comparable="c2"))
    page = catalog.leaderboard("r2")
    assert [row.position for row in page.rows] == [2, 1]
    assert page.total == 2
    assert [row.position for row in catalog.leaderboard("r2", job="j1").rows] == [0]


def test_invalid_cursor(catalog: Catalog) -> None:
    for cursor in ("", "x", "1:2:3", "a:b"):
        with pytest.raises(SpecError) as caught:
            catalog.leaderboard("r2", cursor=cursor)
        assert caught.value.code == "invalid_cursor"


def test_comparable_key_tells_settings_apart() -> None:
    base = comparable_key("f", "t", "r2", {"cv": "KFold(5)", "seed": 0})
    assert base == comparable_key("f", "t", "r2", {"seed": 0, "cv": "KFold(5)"})
    others = [
        comparable_key("g", "t", "r2", {"cv": "KFold(5)", "seed": 0}),
        comparable_key("f", "u", "r2", {"cv": "KFold(5)", "seed": 0}),
        comparable_key("f", "t", "mae", {"cv": "KFold(5)", "seed": 0}),
        comparable_key("f", "t", "r2", {"cv": "KFold(5)", "seed": 1}),
    ]
    assert len({base, *others}) == 5


# Results

scores = st.builds(
    ScoreRow,
    key=text,
    folds=st.lists(st.floats(), max_size=6).map(tuple),
    seconds=st.floats(),
    warnings=st.lists(json_values, max_size=2).map(tuple),
    extra=st.dictionaries(text, json_values, max_size=2),
    created=st.floats(1, 1e10),
)
failures = st.builds(
    FailureRow,
    **dict.fromkeys(("key", "code", "message", "hint", "node"), text),
    seconds=st.floats(0, 1e6),
    created=st.floats(1, 1e10),
)


@examples
@given(rows=st.lists(scores, max_size=5, unique_by=lambda row: row.key))
def test_scores_round_trip(tmp_path: Path, rows: list[ScoreRow]) -> None:
    catalog = Catalog(tmp_path / "c")
    catalog.put_scores(rows)
    found = catalog.get_scores([row.key for row in rows])
    assert same([found[row.key] for row in rows], rows)
    catalog.close()


@examples
@given(rows=st.lists(failures, max_size=5, unique_by=lambda row: row.key))
def test_failures_round_trip(tmp_path: Path, rows: list[FailureRow]) -> None:
    catalog = Catalog(tmp_path / "c")
    catalog.put_failures(rows)
    assert catalog.get_failures(row.key for row in rows) == {row.key: row for row in rows}
    catalog.close()


@examples
@given(key=text, payload=json_values)
def test_memos_round_trip(tmp_path: Path, key: str, payload: Any) -> None:
    catalog = Catalog(tmp_path / "c")
    catalog.put_memo(key, payload)
    assert same(catalog.get_memos([key, "absent key"]), {key: payload})
    catalog.close()


def test_many_keys_at_once(catalog: Catalog) -> None:
    catalog.put_scores(ScoreRow(f"k{i}", (i / 7,)) for i in range(5_000))
    found = catalog.get_scores(f"k{i}" for i in range(10_000))
    assert len(found) == 5_000
    assert found["k4999"].folds == (4999 / 7,)
    assert catalog.get_scores(["k1", "k1", "absent"]).keys() == {"k1"}
    assert catalog.get_scores([]) == {}


def test_scores_are_put_all_or_none(catalog: Catalog) -> None:
    with pytest.raises(StratumError):
        catalog.put_scores([ScoreRow("a", (1.0,)), ScoreRow("\ud800", (1.0,))])
    assert catalog.get_scores(["a"]) == {}


def test_a_later_score_replaces_an_earlier_one(catalog: Catalog) -> None:
    catalog.put_scores([ScoreRow("a", (1.0,)), ScoreRow("b", (1.0,))])
    catalog.put_scores([ScoreRow("a", (2.0, 3.0))])
    assert catalog.get_scores(["a"])["a"].folds == (2.0, 3.0)


def test_too_large_a_record_is_refused(catalog: Catalog) -> None:
    with pytest.raises(ServerError) as caught:
        catalog.put_memo("a", "x" * (33 * 2**20))
    assert caught.value.code == "too_large"
    assert catalog.get_memos(["a"]) == {}


def test_tables_are_bounded(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_results, "_KEEP_MEMOS", 3)
    monkeypatch.setattr(catalog_results, "_KEEP_TIMINGS", 10)
    for key in "abca":
        catalog.put_memo(key, key)
    catalog.put_memo("d", "d")
    assert set(catalog.get_memos("abcd")) == {"c", "a", "d"}
    for _ in range(3):
        catalog.add_timings([Timing("Fit", "python", 10, 2, 1, 1.0)] * 8)
    assert sum(row.count for row in catalog.summaries()) == 10


def test_timing_summaries(catalog: Catalog) -> None:
    catalog.add_timings(
        [
            *(Timing("Fit", "python", 1000, 10, 1, s) for s in (1.0, 50.0, 2.0)),
            Timing("Fit", "python", 900, 10, 1, 3.0),
            Timing("Fit", "python", 100_000, 10, 1, 9.0),
            Timing("Fit", "rust", 1000, 10, 1, 0.1),
            Timing("Fit", "python", 1000, 10, 2, 0.5),
            Timing("Fit", "python", 1000, 10, 1, math.nan),
            Timing("Scan", "duckdb", 0, 0, 1, 0.0),
        ]
    )
    catalog.add_timings([])
    found = {(row.op, row.backend, row.threads, row.rows): row for row in catalog.summaries()}
    assert len(found) == 5
    row = found["Fit", "python", 1, 975.0]
    assert (row.count, row.columns, row.seconds) == (4, 10.0, 3.0)
    assert found["Fit", "rust", 1, 1000.0].seconds == 0.1
    assert found["Scan", "duckdb", 1, 0.0].count == 1


# The file


def run_child(path: Path, code: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(child_command(path, code), cwd=ROOT, check=True, **options)


def child_command(path: Path, code: str) -> list[str]:
    setup = (
        "import sys; from pathlib import Path; from executor.catalog import *\n"
        f"catalog = Catalog(Path({str(path)!r}), '/here')\n"
    )
    return [sys.executable, "-c", setup + code]


WRITE_ALL = """
me = sys.argv[1]
print('ready', flush=True); sys.stdin.readline()
for i in range(100):
    key = f'{me}-{i}'
    catalog.create_job(key, 'evaluate', me, {'i': i}, 1)
    catalog.set_job_state(key, 'running')
    catalog.put_evaluation(EvaluationRow(key, key, 0, key, {'model': key}, 'ok', 'd',
        metric='r2', metrics={'r2': {'mean': i}}))
    catalog.put_scores([ScoreRow(key, (float(i),)), ScoreRow(f'shared-{i}', (float(i),))])
    catalog.set_job_state(key, 'completed')
"""


def test_four_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    children = [
        subprocess.Popen(
            [*child_command(path, WRITE_ALL), str(me)],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for me in range(4)
    ]
    for child in children:  # also: four processes made the file at once
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        _, errors = child.communicate(timeout=100)
        assert (child.returncode, errors) == (0, "")
    catalog = Catalog(path, "/here")
    keys = [f"{me}-{i}" for me in range(4) for i in range(100)]
    assert {job.id for job in catalog.list_jobs(1000)} == set(keys)
    assert all(job.state == "completed" and job.done == 1 for job in catalog.list_jobs(1000))
    assert len(catalog.get_scores([*keys, *(f"shared-{i}" for i in range(100))])) == 500
    assert catalog.leaderboard("r2").total == 400
    assert catalog.read("PRAGMA integrity_check")[0][0] == "ok"


WRITE_UNTIL_KILLED = """
catalog.create_job('j1', 'evaluate', '', None, 10**9)
for position in range(10**9):
    catalog.put_evaluation(EvaluationRow(f'e{position}', 'j1', position, 'n', {'s': 'x' * 3000},
        'ok', 'd', metric='r2', metrics={'r2': {'mean': position}}))
    print(position, flush=True)
"""


def test_killed_while_writing_loses_nothing_committed(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    for round_ in range(3):
        path = tmp_path / f"catalog{round_}.sqlite"
        child = subprocess.Popen(
            child_command(path, WRITE_UNTIL_KILLED), cwd=ROOT, text=True, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        acknowledged = -1
        while acknowledged < 60 * (round_ + 1):
            acknowledged = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()  # what it said before it died
        complete = rest[: rest.rfind("\n") + 1].split()
        acknowledged = int(complete[-1]) if complete else acknowledged
        assert child.wait() == -signal.SIGKILL
        child.stdout.close()
        catalog = Catalog(path, "/here")
        assert catalog.warnings == []
        assert catalog.read("PRAGMA integrity_check")[0][0] == "ok"
        stored = [row.position for row in catalog.evaluations("j1")]
        assert stored == list(range(len(stored)))
        assert acknowledged < len(stored) <= acknowledged + 2
        assert catalog.interrupt_unfinished() == ["j1"]
        catalog.close()


def test_threads_share_a_catalog(catalog: Catalog) -> None:
    errors: list[BaseException] = []

    def work(me: int) -> None:
        try:
            for i in range(30):
                catalog.put_scores([ScoreRow(f"{me}-{i}", (1.0,))])
                assert len(catalog.get_scores([f"{me}-{i}"])) == 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(catalog.get_scores(f"{me}-{i}" for me in range(4) for i in range(30))) == 120


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "c"
    first = Catalog(path)
    first.put_dataset(dataset("homes"))
    first.close()
    first.close()
    second = Catalog(path)
    assert second.get_dataset("homes") == dataset("homes")
    assert second.warnings == []
    assert second.read("PRAGMA journal_mode")[0][0] == "wal"
    assert second.read("PRAGMA synchronous")[0][0] == 1


def test_the_file_is_private(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        Catalog(tmp_path / "c").put_memo("a", 1)
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        os.umask(previous)
    assert set(modes.values()) == {0o600}
    assert {"c", "c-wal"} <= modes.keys()


def test_newer_catalog_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c"
    Catalog(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ServerError) as caught:
        Catalog(path)
    assert caught.value.code == "catalog_too_new"
    assert "Upgrade" in caught.value.hint
    assert path.read_bytes() == before


def test_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(ServerError) as caught:
        Catalog(path)
    assert caught.value.code == "catalog_unusable"


def overwrite_start(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)


def overwrite_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(1, len(content) // 4096):  # all but the header
        content[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [overwrite_start, overwrite_middle, cut_off])
def test_damaged_catalog_is_set_aside(tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "c"
    first = Catalog(path)
    first.put_scores(ScoreRow(f"k{i}", (1.0,)) for i in range(2000))
    first.close()
    damage(path)
    damaged = path.read_bytes()
    second = Catalog(path)
    assert len(second.warnings) == 1
    (kept,) = [file for file in tmp_path.iterdir() if "damaged" in file.name]
    assert str(kept) in second.warnings[0]
    assert kept.read_bytes() == damaged
    second.put_memo("a", 1)
    assert second.get_scores(["k1"]) == {}
    assert Catalog(path).warnings == []
    assert Catalog(path).get_memos(["a"]) == {"a": 1}


def test_damage_met_in_use_is_repaired_by_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_file, "_CHECKED_BYTES", 0)  # as for a great file
    path = tmp_path / "c"
    first = Catalog(path)
    first.put_scores(ScoreRow(f"k{i}", (1.0,)) for i in range(2000))
    first.close()
    content = bytearray(path.read_bytes())
    for page in range(len(content) // 8192, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    path.write_bytes(content)
    second = Catalog(path)
    assert second.warnings == []
    with pytest.raises(ServerError) as caught:
        second.get_scores(f"k{i}" for i in range(2000))
    assert caught.value.code == "catalog_damaged"
    second.close()
    third = Catalog(path)
    assert len(third.warnings) == 1
    assert third.get_scores(["k1"]) == {}
    assert [file.name for file in tmp_path.iterdir() if "suspect" in file.name] == []


def test_unusable_place_is_reported(tmp_path: Path) -> None:
    for path in (tmp_path / "absent" / "c", tmp_path):
        with pytest.raises(ServerError) as caught:
            Catalog(path)
        assert caught.value.code == "catalog_unusable"


def test_failed_migration_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c"
    Catalog(path).put_memo("a", 1)
    with monkeypatch.context() as patched:
        broken = (*catalog_file.MIGRATIONS, ("CREATE TABLE more (x)", "no SQL"))
        patched.setattr(catalog_file, "MIGRATIONS", broken)
        patched.setattr(catalog_file, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        with pytest.raises(ServerError):
            Catalog(path)
    catalog = Catalog(path)
    assert catalog.get_memos(["a"]) == {"a": 1}
    assert catalog.read("SELECT * FROM sqlite_master WHERE name = 'more'") == []


def test_migrations_keep_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c"
    Catalog(path).put_memo("a", 1)
    added = (*catalog_file.MIGRATIONS, ("ALTER TABLE requests ADD COLUMN more INTEGER",))
    monkeypatch.setattr(catalog_file, "MIGRATIONS", added)
    monkeypatch.setattr(catalog_file, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    catalog = Catalog(path)
    assert catalog.get_memos(["a"]) == {"a": 1}
    assert catalog.read("SELECT more FROM requests")[0]["more"] is None
    assert catalog.read("PRAGMA user_version")[0][0] == SCHEMA_VERSION + 1


def test_rows_are_values(catalog: Catalog) -> None:
    row = evaluation(1)
    catalog.put_evaluation(row)
    found = catalog.find_evaluation("e1")
    assert found == row
    assert replace(found, name="other").name == "other"
    assert json.loads(json.dumps(dict(found.metrics))) == row.metrics
