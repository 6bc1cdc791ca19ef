"""Runs teach the cost model: timings reach the catalog, estimates move, errors are reported."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from executor.catalog import Catalog, Timing
from executor.home import Home
from executor.results import Outcome
from mcp_server import text
from planner.cost import MODEL
from planner.estimates import Extent
from planner.expressions import Call
from planner.graph import Op
from planner.ops import Encode, Fit, Folds, Predict, Score
from planner.plan import Instruction, Task, Value
from tests.tools.conftest import run, spec, start
from tests.tools.fault_table import TABLE_NAME
from tools.engine import Engine
from tools.jobs import Entry, Job
from tools.measuring import Learned, Measurements, learned
from tools.requests import AddDataset, EvaluatePipelines
from tools.responses import PlanInfo

FOREST = "RandomForestRegressor(n_estimators=23, random_state=31)"


def program(*ops: Op, expected: float = 0.01) -> Task:
    """Each op reads what the one before made."""
    values = [Value(f"node{at}", 0) for at in range(len(ops))]
    instructions = [
        Instruction(out, op, (values[at - 1],) if at else ())
        for at, (out, op) in enumerate(zip(values, ops, strict=True))
    ]
    return Task(0, tuple(instructions), (), (), (), (), (0,), expected=(expected,) * len(ops))


FIT = Fit(Call("RandomForestRegressor", (("n_estimators", 7),)), "regression")
SIZES = [100, 5, 0.0, 0, 0.0, 25, 1]


def answer(seconds: float, position: int = 0, sizes: Any = None) -> list[Any]:
    return ["Fit", "python", seconds, position, SIZES if sizes is None else sizes]


def test_a_timing_says_what_was_done() -> None:
    (row,) = learned(program(FIT, expected=0.25), [answer(0.5)]).timings
    assert (row.kind, row.backend, row.threads) == ("Fit RandomForestRegressor", "python", 1)
    assert (row.rows, row.columns, row.rounds) == (100, 5, 7)
    assert (row.seconds, row.expected, row.model) == (0.5, 0.25, MODEL)
    assert row.base > 0


def test_predictions_and_scores_have_the_size_of_their_fit() -> None:
    task = program(FIT, Predict(("predict",)), Score("r2", "regression"))
    own = [25, 1, 0.0, 1, 0.0, 25, 1]
    rows = learned(task, [answer(0.5), answer(0.1, 1, own), answer(0.1, 2, own)]).timings
    assert [row.kind for row in rows] == [
        "Fit RandomForestRegressor", "Predict RandomForestRegressor", "Score r2",
    ]  # fmt: skip
    assert [row.rows for row in rows] == [100, 100, 100]


def test_what_takes_no_time_teaches_nothing() -> None:
    assert learned(program(FIT, expected=0.00001), [answer(0.00002)]).timings == ()
    assert len(learned(program(FIT, expected=0.5), [answer(0.00002)]).timings) == 1


def test_extents_of_features_and_splits() -> None:
    encode = Encode(Call("OneHotEncoder"), supervised=False)
    found = learned(program(encode), [answer(0.5, 0, [100, 2, 0.0, 30, 2.0, 25, 1])])
    assert [(e.key, e.rows, e.columns, e.stored) for e in found.extents] == [
        ("node0", 100, 30, 2.0)
    ]
    split = learned(program(Folds(Call("KFold"), 5)), [answer(0, 0, [125, 1, 0.0, 0, 0.0, 0, 1])])
    assert [(e.rows, e.columns) for e in split.extents] == [(125, 1)]
    assert learned(program(FIT), [answer(0.5)]).extents == ()


@pytest.mark.parametrize(
    "timings",
    [None, 5, "text", [None], [[]], [answer(0.5, 7)], [answer(0.5, -9)], [answer(0.5, 0, [1, 2])],
     [answer(0.5, 0, [-1, 5, 0, 0, 0, 0, 1])], [answer(0.5, 0, [2**70, 5, 0, 0, 0, 0, 1])],
     [answer(0.5, 0, [float("nan")] * 7)], [answer(float("nan"))], [answer(float("inf"))],
     [["Fit", "python", "soon", 0, SIZES]], [["Fit", "python", 0.5, "first", SIZES]]],
)  # fmt: skip
def test_nonsense_of_a_worker_is_left_out(timings: Any) -> None:
    assert learned(program(FIT), timings) == Learned()


def test_measurements_move_and_outlive_a_process(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "c")
    first = Measurements(catalog)
    assert first.errors() is None
    assert first.measured().corrections.factor("Fit Ridge", 1.0) == 1.0
    row = Timing("Fit Ridge", "python", 1, 100, 5, 1.0, 3.0, 1.0, 1.0, MODEL)
    encode = Encode(Call("OneHotEncoder"), supervised=False)
    extents = learned(program(encode), [answer(0.5, 0, [100, 2, 0.0, 30, 2.0, 25, 1])]).extents
    found = Learned((row,) * 20, extents)
    first.store(found)
    first.add(found)
    for measurements in (first, Measurements(catalog)):
        measured = measurements.measured()
        assert measured.corrections.factor("Fit Ridge", 1.0) > 2
        assert measured.extents["node0"] == Extent(100, 30, 2.0)


def test_what_another_model_expected_corrects_nothing(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "c")
    row = Timing("Fit Ridge", "python", 1, 100, 5, 1.0, 9.0, 1.0, 1.0, MODEL + 1)
    catalog.add_timings([row] * 20)
    measurements = Measurements(catalog)
    assert measurements.measured().corrections.factor("Fit Ridge", 1.0) == 1.0
    assert measurements.errors() is not None  # but it was an estimate


def test_an_extent_is_stored_once(tmp_path: Path) -> None:
    measurements = Measurements(Catalog(tmp_path / "c"))
    task = program(Encode(Call("OneHotEncoder"), supervised=False))
    timings = [answer(0.5, 0, [100, 2, 0.0, 30, 2.0, 25, 1])]
    found = measurements.learn(task, timings)
    assert len(found.extents) == 1
    measurements.add(found)
    assert measurements.learn(task, timings).extents == ()


def test_errors_are_those_of_the_estimates_that_were_given(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "c")
    fit = Timing("Fit Ridge", "python", 1, 100, 5, 1.0, 3.0, 1.0, 3.0, MODEL)
    catalog.add_timings([fit, replace(fit, expected=2.0)])
    measurements = Measurements(catalog)
    before = measurements.errors()
    assert before is not None
    assert before.observations == 2
    score = replace(fit, kind="Score r2", seconds=0.01, expected=0.01)
    quick = replace(fit, seconds=0.0001, expected=0.0009)  # of no account
    measurements.add(Learned((replace(fit, expected=6.0), score, quick)))
    errors = measurements.errors()
    assert errors is not None
    assert (errors.observations, errors.median_factor) == (4, 1.75)
    assert errors.within_2x == 0.75
    assert [(k.kind, k.observations, k.median_ratio) for k in errors.kinds] == [
        ("Fit Ridge", 3, 1.5), ("Score r2", 1, 1.0),
    ]  # fmt: skip
    lines = text.estimates(errors)
    assert lines[0].startswith("Estimates: off by a factor of 1.75 (median of 4 steps), 75% within")
    assert lines[1] == "- Fit Ridge: 3 times, measured/expected 1.5, 67% within a factor of 2"


def test_a_run_is_measured(engine: Engine) -> None:
    (evaluation,) = run(engine, spec(FOREST))
    assert evaluation.status == "ok"
    rows = [t for t in engine.catalog.timings() if t.rounds == 23]
    assert len(rows) == 3
    for row in rows:
        assert row.kind == "Fit RandomForestRegressor"
        assert (row.backend, row.threads, row.columns) == ("python", 1, 10)
        assert row.rows in (294, 295)
        assert 0 < row.seconds < 60
        assert row.expected > 0
    status = engine.status()
    assert status.estimates is not None
    assert "Fit RandomForestRegressor" in {kind.kind for kind in status.estimates.kinds}
    assert "Estimates: off by a factor of" in text.status(status)


def test_features_seen_before_have_their_true_width(engine: Engine) -> None:
    steps = [{"columns": ["sex", "bmi"], "steps": ["KBinsDiscretizer(n_bins=9)"]}]
    asked = spec("SVR(C=0.77)", features=steps)
    assert [e.status for e in run(engine, asked)] == ["ok"]
    seen = engine._recorder.measurements.measured().extents.values()
    assert any(extent.rows == 442 for extent in seen)  # the split
    # Of 'sex' there are two values, so that bins are left out; nine a column were expected.
    widths = [e.columns for e in seen if e.stored == 2.0 and 9 < e.columns < 18]
    assert widths
    assert set(widths) <= {row.columns for row in engine.catalog.extents()}


def test_estimates_move(engine: Engine, new_home: Callable[[], Home], workspace: Path) -> None:
    """A machine on which a model takes much longer than the table says."""
    home = new_home()
    model = "DecisionTreeRegressor(max_depth=2, random_state=32)"
    asked = EvaluatePipelines(pipelines=[spec(model)])
    with Engine(home, workspace, cores=2, table=TABLE_NAME) as small:
        small.datasets.add(AddDataset(path="diabetes.csv"))
        before = small.explain(asked).plan.core_seconds
        row = Timing("Fit DecisionTreeRegressor", "python", 1, 350, 10, 1, 0.2, 0.002, 0.002, MODEL)
        small.catalog.add_timings([row] * 40)
    with Engine(home, workspace, cores=2, table=TABLE_NAME) as small:
        after = small.explain(asked).plan.core_seconds
    assert after > 2 * before  # the query takes what it took


def test_the_time_to_finish_is_that_of_the_cores(engine: Engine) -> None:
    pipelines = [spec(f"SVR(C={c})") for c in (1.25, 1.5)]
    plan = engine.explain(EvaluatePipelines(pipelines=pipelines)).plan
    assert plan.core_seconds / 2 <= plan.expected_seconds + 0.002
    assert plan.expected_seconds < plan.core_seconds


def test_a_measurement_that_cannot_be_stored_harms_no_job(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(engine._recorder.measurements, "learn", broken)
    with caplog.at_level(logging.ERROR):
        job = start(engine, spec("SVR(C=0.123)"))
        assert job.wait(60)
    assert [e.status for e in job.in_order()] == ["ok"]
    assert "timings could not be recorded" in caplog.text


def test_what_is_left_of_a_job_is_what_its_open_pipelines_cost() -> None:
    job = Job("job_1", "evaluate", [Entry(name, {}) for name in ("quick", "slow")])
    plan = PlanInfo(nodes_asked=1, nodes_merged=1, nodes_rewritten=1, tasks=2, scores_known=0,
                    rules={}, expected_seconds=100.0)  # fmt: skip
    job.run(plan, lambda: None, {0: 1.0, 1: 9.0})
    assert job.info().expected_seconds == 100.0
    job.record(0, Outcome(0, "ok"))
    assert job.info().expected_seconds == 90.0
    job.record(1, Outcome(1, "ok"))
    assert job.info().expected_seconds == 0.0
