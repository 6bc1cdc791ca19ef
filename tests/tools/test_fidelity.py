"""Statistical fidelity through the engine: labels, the catalog, and finalists."""

import pytest

from planner.spec import EvaluateSpec
from tests.executor.fault_functions import LIMIT
from tests.tools.conftest import FOLDS, run, spec
from tools.engine import Engine
from tools.requests import EvaluatePipelines, SearchPipelines

FOREST = "RandomForestRegressor(n_estimators={}, max_depth={})"


def test_a_statistical_score_never_answers_an_exact_request(engine: Engine) -> None:
    model = spec(FOREST.format(11, 3))
    (inexact,) = run(engine, model, fidelity="statistical")
    (exact,) = run(engine, model)
    (again,) = run(engine, model, fidelity="statistical")
    assert (inexact.fidelity, exact.fidelity, again.fidelity) == (
        "statistical", "exact", "statistical",
    )  # fmt: skip
    assert inexact.id == again.id != exact.id
    assert inexact.metrics == again.metrics != exact.metrics
    assert again.seconds == 0.0
    mean, wanted = inexact.metrics["r2"].mean, exact.metrics["r2"].mean
    assert mean == pytest.approx(wanted, abs=0.1)
    assert inexact.warnings == exact.warnings == []


def test_only_what_a_kernel_did_is_labelled(engine: Engine) -> None:
    ridge, pruned, wide = run(
        engine,
        spec("Ridge()"),
        spec("RandomForestRegressor(n_estimators=5, ccp_alpha=0.1)"),
        spec("RandomForestRegressor(n_estimators=5, max_features=10)",
             features=[{"columns": ["bmi"], "steps": ["SplineTransformer(sparse_output=True)"]}]),
        fidelity="statistical",
    )  # fmt: skip
    assert ridge.fidelity == pruned.fidelity == "exact"
    # The plan had meant a kernel to do it, which cannot take what there is.
    if wide.status == "ok":
        assert wide.fidelity == "exact"
        assert any("fitted by its library" in warning for warning in wide.warnings)


def test_a_model_of_categories_is_labelled(engine: Engine) -> None:
    parts = {"columns": ["x"], "steps": ["ToCategorical(accept_int=True)"]}
    model = spec("LGBMRegressor(n_estimators=5)", features=[parts], dataset="mixed", target="y")
    (found,) = run(engine, model, fidelity="statistical")
    assert (found.status, found.fidelity, found.warnings) == ("ok", "statistical", [])


def search(engine: Engine, depths: str, **settings: object):  # type: ignore[no-untyped-def]
    evaluate = EvaluateSpec(**{**FOLDS, "fidelity": "statistical", **settings})
    job = engine.search(
        SearchPipelines(pipeline=spec(FOREST.format(9, f"choose({depths})")), evaluate=evaluate)
    )
    assert job.wait(LIMIT)
    return job


def test_a_search_confirms_its_best_three_exactly(engine: Engine) -> None:
    job = search(engine, "1, 2, 3, 4, 5")
    evaluations = job.info().evaluations
    assert [e.exact is not None for e in evaluations] == [True] * 3 + [False] * 2
    assert {e.fidelity for e in evaluations} == {"statistical"}
    for found in evaluations[:3]:
        depth = int(found.name.partition("max_depth=")[2].rstrip("]"))
        (exact,) = run(engine, spec(FOREST.format(9, depth)))
        assert found.exact == exact.metrics
        assert exact.seconds == 0.0  # it was confirmed by the very same scores
    stored = engine.job(job.id).info().evaluations
    assert [e.exact for e in stored] == [e.exact for e in evaluations]


def test_finalists_of_a_hold_out_are_confirmed_exactly_on_both(engine: Engine) -> None:
    evaluations = search(engine, "1, 2, 3, 4", holdout=0.2).info().evaluations
    for found in evaluations[:3]:
        assert found.exact is not None
        assert found.holdout is not None
    assert (evaluations[3].exact, evaluations[3].holdout) == (None, None)


def test_what_is_exact_already_is_not_confirmed(engine: Engine) -> None:
    evaluate = EvaluateSpec(**FOLDS, fidelity="statistical")
    pipeline = spec("Ridge(alpha=choose(1.5, 2.5))")
    job = engine.search(SearchPipelines(pipeline=pipeline, evaluate=evaluate))
    assert job.wait(LIMIT)
    assert [(e.fidelity, e.exact) for e in job.info().evaluations] == [("exact", None)] * 2


def test_leaderboard_and_explanation_say_it(engine: Engine) -> None:
    model = spec(FOREST.format(13, 2))
    run(engine, model, fidelity="statistical")
    shown = {row.fidelity for row in engine.leaderboard(metric="r2", limit=100).rows}
    assert "statistical" in shown
    evaluate = EvaluateSpec(**FOLDS, fidelity="statistical")
    asked = EvaluatePipelines(pipelines=[spec(FOREST.format(14, 2)), spec("Ridge()")],
                              evaluate=evaluate)  # fmt: skip
    text = engine.explain(asked).text
    assert "kernels stand in for models of 1 of 2 pipelines" in text
    assert "by a kernel, equal in distribution" in text
