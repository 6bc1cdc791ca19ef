"""Candidate edits: bounded, readable specs, one kind after the other."""

from typing import Any

import pytest

from planner import patches
from planner.advice import MOST, PROPOSALS, blends, candidates
from tests.inprocess import Engine, operators
from tests.planner.planning_cases import RIDGE

Spec = dict[str, Any]


def spec(model: Any, **fields: Any) -> Spec:
    return {**RIDGE, "model": model, **fields}


def models(model: Any, **fields: Any) -> list[str]:
    found = candidates(spec(model, **fields), operators(), 1000)
    return [one.patch["model"] for one in found if "model" in one.patch]


@pytest.mark.parametrize(
    ("model", "edit"),
    [
        ("Ridge(alpha=0.5)", "Ridge(alpha=5.0)"),
        ("Ridge()", "Ridge(alpha=0.1)"),
        ("Ridge()", "KNeighborsRegressor()"),
        ("ElasticNet(l1_ratio=0.2)", "ElasticNet(l1_ratio=0.9)"),
        ("LogisticRegression(C=2)", "LogisticRegression(C=20.0)"),
        ("KNeighborsRegressor(n_neighbors=8)", "KNeighborsRegressor(n_neighbors=16)"),
        ("LGBMRegressor(n_estimators=200)", "LGBMRegressor(n_estimators=100)"),
        ("LGBMRegressor(n_estimators=200)", "Ridge()"),
        ("HistGradientBoostingRegressor()", "HistGradientBoostingRegressor(max_iter=50)"),
        ("RandomForestClassifier()", "RandomForestClassifier(n_estimators=25)"),
        ({"estimator": "Ridge", "params": {"alpha": 2}}, "Ridge(alpha=20.0)"),
        ("make_pipeline(StandardScaler(), Ridge())",
         "Pipeline(steps=[('standardscaler', StandardScaler()), ('ridge', Ridge(alpha=10.0))])"),
    ],
)  # fmt: skip
def test_edits_of_models(model: Any, edit: str) -> None:
    assert edit in models(model)


@pytest.mark.parametrize(
    "model",
    [
        "DummyRegressor()",
        "Ridge(alpha=0)",
        "Lasso(alpha=-1)",
        "KNeighborsRegressor(1)",
        "LGBMRegressor(n_estimators=2)",
    ],
)
def test_nothing_is_made_up(model: str) -> None:
    kinds = {one.kind for one in candidates(spec(model), operators(), 1000)}
    assert kinds <= {"metric", "model", "k"}


@pytest.mark.parametrize("broken", ["Rigde()", "Ridge(", 5, None, {"estimator": "Nope"}])
def test_what_is_no_model_has_none(broken: Any) -> None:
    assert candidates(spec(broken), operators()) == []


def test_other_metrics_are_those_not_asked_for() -> None:
    found = candidates(spec("Ridge()", metrics=["mae"]), operators(), 1000)
    assert [one.patch["metrics"] for one in found if one.kind == "metric"] == [["rmse"]]


def test_the_list_is_bounded() -> None:
    assert len(candidates(spec("Ridge()"), operators())) <= MOST
    assert len(candidates(spec("Ridge()"), operators(), 2)) == 2
    assert len(PROPOSALS) >= 5


@pytest.mark.parametrize(
    "model",
    [
        "Ridge()",
        "ElasticNet(0.3)",
        "KNeighborsRegressor(9)",
        "LGBMRegressor()",
        "make_pipeline(PCA(2), Lasso())",
    ],
)
def test_every_candidate_is_a_pipeline(engine: Engine, model: str) -> None:
    origin = {**spec(model), "name": "origin"}
    edits = [{"from": "origin", **one.patch} for one in candidates(origin, operators(), 1000)]
    assert len(edits) >= 4
    keys = set()
    for edited in patches.resolve([origin, *edits], lambda _: None):
        built = engine.build({k: v for k, v in edited.items() if k != "name"}, cv="KFold(3)")
        keys.add(tuple(node.key for nodes in built.scores.values() for node in nodes))
    assert len(keys) == len(edits) + 1  # no two are the same


def test_blends_of_the_best() -> None:
    assert blends(["a"]) == []
    assert blends(["a", "b"]) == [{"blend": {"of": ["a", "b"]}}]
    assert blends(["a", "b", "c", "d"])[-1] == {"blend": {"of": ["a", "b", "c"]}}
