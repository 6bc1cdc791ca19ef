"""Which nearest-neighbour models search together, and that no score changes by it."""

from typing import Any

import pytest

from planner.ops import Fit, Predict
from planner.ops_neighbours import NeighbourFits, NeighbourModel
from tests.inprocess import Engine
from tests.planner.planning_cases import CV, RIDGE, ops

Spec = dict[str, Any]


def near(model: str, **changes: Any) -> Spec:
    return {**RIDGE, "model": model, "metrics": ["r2"], **changes}


def graph(engine: Engine, *specs: Spec, **evaluate: Any) -> list[str]:
    """The fits, groups and predictions after all rules."""
    compiled = engine.compile(*specs, **{"cv": CV, **evaluate})
    kinds = Fit | NeighbourFits | NeighbourModel | Predict
    return [op.label for op in ops(*compiled.outputs) if isinstance(op, kinds)]


def test_sizes_and_weights_are_one_search(engine: Engine) -> None:
    specs = [
        near("KNeighborsRegressor()"),
        near("KNeighborsRegressor(2, weights='distance')"),
        near("KNeighborsRegressor(2)"),
    ]
    compiled = engine.compile(*specs, cv=CV, rules=())
    assert len(ops(*compiled.outputs, kind=Fit)) == 3
    assert graph(engine, *specs) == [
        "KNeighborsRegressor(), n_neighbors=2, 5 from one search",
        "model 2", "predict", "model 0", "predict", "model 1", "predict",
    ]  # fmt: skip


def test_one_task_per_fold_fits_them_all(engine: Engine) -> None:
    specs = [near(f"KNeighborsRegressor({size})") for size in (1, 2, 3)]
    tasks = engine.compile(*specs, cv=CV).plan.tasks
    assert sum(1 for task in tasks if task.scores) == 3
    assert all(len(task.scores) == 3 for task in tasks if task.scores)


def test_all_metrics_ask_one_model(engine: Engine) -> None:
    specs = [
        near(f"KNeighborsClassifier({size})", target="grade", metrics=["accuracy", "logloss"])
        for size in (3, 9)
    ]
    compiled = engine.compile(*specs, cv=CV)
    assert len(ops(*compiled.outputs, kind=NeighbourFits)) == 1
    assert len(ops(*compiled.outputs, kind=NeighbourModel)) == 2
    assert len(ops(*compiled.outputs, kind=Predict)) == 4


@pytest.mark.parametrize(
    "model",
    [
        "KNeighborsRegressor(4, p=1)",
        "KNeighborsRegressor(4, metric='cosine')",
        "KNeighborsRegressor(4, algorithm='brute')",
        "KNeighborsRegressor(4, leaf_size=9)",
        "KNeighborsRegressor(4, metric_params={'w': [1.0, 2.0]})",
        "KNeighborsRegressor(4, weights=None)",
        "KNeighborsRegressor(0)",
        "KNeighborsRegressor(2.5)",
        "KNeighborsRegressor(4, metric='precomputed')",
        "BaggingRegressor(KNeighborsRegressor(4))",
        "RadiusNeighborsRegressor()",
    ],
)
def test_what_cannot_share_the_search_stays_a_fit(engine: Engine, model: str) -> None:
    compiled = engine.compile(near("KNeighborsRegressor(5)"), near(model), cv=CV)
    assert len(ops(*compiled.outputs, kind=Fit)) == 2
    assert ops(*compiled.outputs, kind=NeighbourFits) == []


@pytest.mark.parametrize(
    "change",
    [
        {"target": {"column": "price", "transform": "log1p"}},
        {"target": "weight"},
        {"features": [{"columns": ["age", "rooms"]}]},
        {"prepare": [{"filter": "age > 4"}]},
    ],
)
def test_fits_of_other_data_stay_apart(engine: Engine, change: Spec) -> None:
    specs = [near("KNeighborsRegressor(3)"), near("KNeighborsRegressor(5)", **change)]
    compiled = engine.compile(*specs, cv=CV)
    assert len(ops(*compiled.outputs, kind=Fit)) == 2


def test_equal_pipelines_are_no_group(engine: Engine) -> None:
    specs = [near("KNeighborsRegressor()"), near("KNeighborsRegressor(5)")]
    assert graph(engine, *specs) == ["KNeighborsRegressor()", "predict"]


SCALED = [{"columns": ["rooms", "age"], "steps": ["StandardScaler()"]}]
CODED = [{"columns": ["owner", "rooms"], "steps": ["OneHotEncoder(handle_unknown='ignore')"]}]


@pytest.mark.parametrize("features", [SCALED, CODED, RIDGE["features"]])
@pytest.mark.parametrize(
    ("target", "task", "metrics"),
    [
        ("price", "Regressor", ["r2", "mae"]),
        ({"column": "price", "transform": "log1p"}, "Regressor", ["rmse"]),
        ({"column": "price", "transform": "StandardScaler()"}, "Regressor", ["rmse"]),
        ("dear", "Classifier", ["roc_auc", "accuracy", "f1"]),
        ("grade", "Classifier", ["accuracy", "roc_auc_ovr", "logloss"]),
    ],
)
def test_scores_are_those_of_single_fits(
    engine: Engine, target: Any, task: str, metrics: list[str], features: Any
) -> None:
    """The table has few distinct rows: ties are everywhere."""
    specs = [
        near(f"KNeighbors{task}({size}, weights='{weights}')", target=target, metrics=metrics,
             features=features)
        for size in (1, 3, 8, 29, 30, 31, 60)
        for weights in ("uniform", "distance")
    ]  # fmt: skip
    together = engine.run(*specs, cv=CV)
    alone = engine.run(*specs, cv=CV, rules=())
    for found, wanted in zip(together, alone, strict=True):
        assert wanted.error is None
        for metric in metrics:
            assert found[metric] == pytest.approx(wanted[metric], rel=1e-12)


def test_too_many_neighbours_fail_alone_and_alike(engine: Engine) -> None:
    specs = [near(f"KNeighborsRegressor({size})") for size in (3, 61, 500, 4)]
    together = engine.run(*specs, cv=CV)
    alone = engine.run(*specs, cv=CV, rules=())
    assert [answer.error is None for answer in together] == [True, False, False, True]
    for found, wanted in zip(together, alone, strict=True):
        assert (found.error, found.scores) == (wanted.error, wanted.scores)


def test_a_failure_of_all_is_the_model_s_own(engine: Engine) -> None:
    specs = [near(f"KNeighborsRegressor({k})", features=[{"columns": ["area"]}]) for k in (1, 2)]
    together = engine.run(*specs, cv=CV)
    assert [answer.error for answer in together] == [
        answer.error for answer in engine.run(*specs, cv=CV, rules=())
    ]
    assert together[1].error is not None
    assert together[1].error["code"] == "missing_values"
    assert together[1].error["path"] == "pipelines[1].model"
