"""Advice: variants that are nearly free, and are so when they are run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from executor.home import Home
from planner.spec import EvaluateSpec
from tests.executor.fault_functions import LIMIT
from tests.tools.conftest import FOLDS, spec
from tests.tools.fault_table import TABLE_NAME
from tools import variants
from tools.engine import Engine
from tools.jobs import Job
from tools.options import EngineOptions
from tools.requests import AddDataset, EvaluatePipelines
from tools.responses import Advice

FEATURES = [{"columns": "numeric", "steps": ["QuantileTransformer(n_quantiles=50)"]}]


def asked(*pipelines: dict[str, Any]) -> EvaluatePipelines:
    return EvaluatePipelines(pipelines=list(pipelines), evaluate=EvaluateSpec.model_validate(FOLDS))


def run(engine: Engine, *pipelines: dict[str, Any]) -> Job:
    job = engine.evaluate(asked(*pipelines))
    assert job.wait(LIMIT)
    assert {e.status for e in job.in_order()} == {"ok"}, job.in_order()
    return job


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No candidate is left out because the machine is busy."""
    monkeypatch.setattr(variants, "_SECONDS", LIMIT)


def by_reason(found: list[Advice], why: str) -> Advice:
    return next(one for one in found if why in one.why)


@pytest.mark.usefixtures("patient")
def test_another_metric_of_kept_predictions(engine: Engine) -> None:
    job = run(engine, spec("RandomForestRegressor(n_estimators=30, random_state=41)"))
    (evaluation,) = job.in_order()
    found = engine.advice(job.id)
    assert 0 < len(found) <= variants.MOST
    advice = by_reason(found, "metric")
    assert advice.pipeline["from"] == evaluation.id
    assert advice.expected_seconds < 0.3 * advice.alone_seconds
    again = run(engine, advice.pipeline)
    assert again.plan is not None
    assert again.plan.core_seconds == pytest.approx(advice.expected_seconds, rel=0.5)
    # It is true: no forest was fitted for it.
    assert again.in_order()[0].seconds < evaluation.seconds


@pytest.mark.usefixtures("patient")
def test_another_model_on_stored_features(engine: Engine) -> None:
    pipelines = [spec(f"SVR(C={c})", features=FEATURES) for c in (1.1, 1.2)]
    job = run(engine, *pipelines)
    advice = by_reason(engine.advice(job.id), "model")
    assert advice.expected_seconds < advice.alone_seconds
    before = {path.name for path in engine.home.blocks.glob("*/*.block")}
    again = run(engine, advice.pipeline)
    names = {path.name for path in engine.home.blocks.glob("*/*.block")} - before
    alone = run(engine, {**spec("Ridge(alpha=3)"), "features": [
        {"columns": "numeric", "steps": ["QuantileTransformer(n_quantiles=49)"]}]})  # fmt: skip
    assert again.plan is not None
    assert alone.plan is not None
    assert again.plan.core_seconds < alone.plan.core_seconds
    assert len(names) <= 3  # its predictions, and nothing that was there


@pytest.mark.usefixtures("patient")
def test_what_has_been_evaluated_is_not_advised(engine: Engine) -> None:
    job = run(engine, spec("RandomForestRegressor(n_estimators=21, random_state=42)"))
    advice = by_reason(engine.advice(job.id), "metric")
    run(engine, advice.pipeline)
    assert advice.pipeline not in [one.pipeline for one in engine.advice(job.id)]


@pytest.mark.usefixtures("patient")
def test_explaining_tells_what_the_batch_makes_cheap(engine: Engine) -> None:
    forest = spec("RandomForestRegressor(n_estimators=60, random_state=43)", name="forest")
    explanation = engine.explain(asked(forest))
    assert explanation.advice
    for one in explanation.advice:
        assert one.pipeline["from"] == "forest"
        assert one.expected_seconds <= 0.5 * max(one.alone_seconds, explanation.plan.core_seconds)
    assert explanation.text.splitlines()[-1].startswith("Nearly free: {")
    # Sent along, it adds about what was said.
    cheapest = min(explanation.advice, key=lambda one: one.expected_seconds)
    more = engine.explain(asked(forest, cheapest.pipeline)).plan.core_seconds
    added = more - explanation.plan.core_seconds
    assert added == pytest.approx(cheapest.expected_seconds, rel=0.2, abs=0.002)


def test_it_is_bounded_in_time(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    job = run(engine, spec("RandomForestRegressor(n_estimators=22, random_state=44)"))
    monkeypatch.setattr(variants, "_SECONDS", 0.0)
    assert len(engine.advice(job.id)) <= 1


def test_a_failed_job_has_no_advice(engine: Engine) -> None:
    job = engine.evaluate(asked(spec("Rigde()")))
    assert job.wait(LIMIT)
    assert engine.advice(job.id) == []


def test_without_sharing_nothing_is_cheap(
    engine: Engine, new_home: Callable[[], Home], workspace: Path
) -> None:
    options = EngineOptions(sharing=False)
    with Engine(new_home(), workspace, cores=1, table=TABLE_NAME, options=options) as apart:
        apart.datasets.add(AddDataset(path="diabetes.csv"))
        assert apart.advice(run(apart, spec("Ridge()")).id) == []
        assert apart.explain(asked(spec("Ridge()"))).advice == []


def test_lines_can_be_sent_as_they_are() -> None:
    advice = Advice(
        pipeline={"from": "ev_1", "model": "Ridge(alpha=10.0)"},
        expected_seconds=0.021, alone_seconds=3.0, why="another alpha",
    )  # fmt: skip
    assert advice.line == (
        'Nearly free: {"from": "ev_1", "model": "Ridge(alpha=10.0)"} about 0.021 s instead of 3 s '
        "(another alpha)."
    )
