"""Specs and baselines of a workload say the same; a small sample of each is run."""

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals.workloads import NAMES, Pipeline, Workload, WorkloadSkipped, base, churn_trace, load
from tests.evals.workload_runs import TOLERANCE, baselines, evaluations

FILES = (
    "bike_sharing/bike_sharing.csv",
    "california_housing/housing.csv",
    "cms_inpatient_2016/cms_inpatient_2016.parquet",
    "telco_churn/Telco-Customer-Churn.csv",
)
# Pipelines with blends and CatBoost, and those that are blends.
COUNTS = {
    "uk_housing": (44, 0),
    "churn_trace": (84, 20),
    "bike_aide": (60, 6),
    "cms_grid": (48, 0),
    "linear_sweep": (76, 0),
}
SAMPLES = {"uk_housing": 7, "churn_trace": 9, "bike_aide": 10, "cms_grid": 8, "linear_sweep": 8}


@pytest.fixture
def empty_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Public data of which only the names are there: enough for whole workloads."""
    for file in FILES:
        path = tmp_path / "data" / file
        path.parent.mkdir(parents=True)
        path.touch()
    monkeypatch.setenv("STRATUM_DATA", str(tmp_path / "data"))
    return tmp_path


def whole(name: str, folder: Path) -> Workload:
    """All pipelines; generated tables stay small."""
    return load(name, rows=20 if name == "uk_housing" else None, folder=folder)


@pytest.mark.parametrize("blends", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_counts_are_those_of_the_description(
    name: str, blends: bool, empty_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "BLENDS", blends)
    monkeypatch.setattr(churn_trace.importlib.util, "find_spec", lambda name: object())
    workload = whole(name, empty_data)
    total, blended = COUNTS[name]
    assert len(workload.pipelines) == total - (0 if blends else blended)
    names = [p.name for p in workload.pipelines]
    assert len(set(names)) == len(names)
    for number, pipeline in enumerate(workload.pipelines):
        assert set(pipeline.spec.get("blend", {}).get("of", ())) <= set(names[:number])


def test_without_catboost_its_pipelines_are_left_out_and_said_so(
    empty_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(churn_trace.importlib.util, "find_spec", lambda name: None)
    workload = whole("churn_trace", empty_data)
    assert len(workload.pipelines) == 84 - 6
    assert "catboost" not in {p.family for p in workload.pipelines}
    assert any("CatBoost" in note for note in workload.notes)


@pytest.mark.parametrize("name", NAMES)
def test_baselines_take_their_arguments(
    name: str, empty_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "BLENDS", True)
    workload = whole(name, empty_data)
    for pipeline in workload.pipelines:
        module, _, function = pipeline.function.partition(":")
        run = getattr(importlib.import_module(module), function)
        inspect.signature(run).bind(workload.datasets, **pipeline.arguments)
        assert json.loads(json.dumps(pipeline.arguments)) == pipeline.arguments
        assert json.loads(json.dumps(pipeline.spec)) == pipeline.spec
        assert pipeline.spec["name"] == pipeline.name


def test_each_crash_comes_right_before_its_repair(empty_data: Path) -> None:
    workload = whole("churn_trace", empty_data)
    pipelines = workload.pipelines
    places = [place for place, pipeline in enumerate(pipelines) if pipeline.crashes]
    assert len(places) == 8
    repairs = {pipelines[place + 1].name for place in places}
    assert repairs == {repair for repair, _ in churn_trace.BROKEN.values()}


def test_missing_data_is_a_skip_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRATUM_DATA", str(tmp_path))
    with pytest.raises(WorkloadSkipped, match="STRATUM_DATA"):
        load("bike_aide", folder=tmp_path)


def test_an_unknown_workload_is_refused() -> None:
    with pytest.raises(KeyError, match="churn_trace"):
        load("nope")


def pipeline(name: str, of: list[str] | None = None, evaluate: Any = None) -> Pipeline:
    spec = {"name": name} if of is None else {"name": name, "blend": {"of": of}}
    return Pipeline(name, spec, "m:f", {}, "closed_form", "x", evaluate=evaluate)


def test_a_limit_spreads_and_keeps_only_whole_blends() -> None:
    parts = [pipeline(letter) for letter in "abcdef"]
    blends = [pipeline("x", ["a", "e"]), pipeline("y", ["a", "b"])]
    assert [p.name for p in base.spread([*parts, *blends], 4)] == ["a", "c", "e", "x"]
    assert [p.name for p in base.spread([*parts, *blends], 8)] == [*"abcdef", "x", "y"]
    assert [p.name for p in base.spread(parts, None)] == [*"abcdef"]


def test_batches_are_by_equal_evaluation() -> None:
    in_time = {"cv": "TimeSeriesSplit(5)"}
    parts = (pipeline("a"), pipeline("b", evaluate=in_time), pipeline("c"))
    workload = Workload("w", "", {}, {"cv": "KFold(5)"}, "r2", parts)
    assert [(evaluate["cv"], [p.name for p in members])
            for evaluate, members in workload.batches()] == [
        ("KFold(5)", ["a", "c"]),
        ("TimeSeriesSplit(5)", ["b"]),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One home for all workloads, since the list of operators takes seconds to make."""
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize("name", NAMES)
def test_engine_and_baselines_agree(name: str, home: Path, tmp_path: Path) -> None:
    try:
        workload = load(name, rows=500, limit=SAMPLES[name], folder=tmp_path)
    except WorkloadSkipped as reason:
        pytest.skip(str(reason))
    expected, own = baselines(workload)
    assert own == []  # scripts know nothing of the engine
    scored = 0
    for evaluate, pipelines in workload.batches():
        found = evaluations(workload, evaluate, pipelines, home)
        for each in pipelines:
            wanted, answer = expected[each.name], found[each.name]
            assert isinstance(wanted, str) == each.crashes, (each.name, wanted)
            if each.crashes:
                assert answer["status"] == "failed", each.name
                continue
            assert answer["status"] == "ok", (each.name, answer["error"])
            folds = answer["metrics"][workload.metric]["folds"]
            np.testing.assert_allclose(
                folds, wanted, rtol=TOLERANCE[each.kind], atol=0, err_msg=each.name
            )
            scored += 1
    assert scored >= len(workload.pipelines) - 2
