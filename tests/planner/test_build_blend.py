"""Blends in the graph: what they read, what they share, and what is refused."""

from typing import Any

import pytest

from planner.graph import walk
from planner.ops import Fit, Folds, Predict, Score
from planner.ops_blend import Blend, OutOfFold
from planner.spec import BlendPipeline
from tests.inprocess import Engine
from tests.planner.blending import build_all, refused
from tests.planner.planning_cases import CV, RIDGE

Spec = dict[str, Any]
NUMBERS = [{"columns": ["rooms", "age"]}]


def member(name: str, model: str = "Ridge(alpha=0.5)", **fields: Any) -> Spec:
    return {**RIDGE, "name": name, "model": model, **fields}


def klass(name: str, model: str = "LogisticRegression()", **fields: Any) -> Spec:
    spec = {"name": name, "dataset": "flats", "target": "dear", "features": NUMBERS}
    return {**spec, "model": model, **fields}


def blend(*of: str, how: str = "mean", **fields: Any) -> Spec:
    return {"name": "blend", "blend": {"of": list(of), "how": how, **fields}}


TWO = (member("a"), member("b", "Lasso()"))
CLASSES = (klass("a"), klass("b", "KNeighborsClassifier()"))


def test_members_keep_their_nodes(engine: Engine) -> None:
    built = build_all(engine, *TWO, blend("a", "b"), cv=CV, metrics=["r2", "rmse"])
    alone = {n.key for p in (0, 1) for s in built[p].scores.values() for n in walk(s)}
    outputs = [node for nodes in built[2].scores.values() for node in nodes]
    new = [node.op for node in walk(outputs) if node.key not in alone]
    assert [type(op) for op in new] == [Blend, Score, Score]
    assert built[2].folds is built[0].folds
    assert built[2].target is built[0].target
    assert built[2].rows is built[0].rows


def test_a_stack_adds_its_features_and_its_fit(engine: Engine) -> None:
    stack = blend("a", "b", how="stack", model="make_pipeline(StandardScaler(), Ridge())")
    built = build_all(engine, *TWO, stack, cv=CV, metrics=["r2"])
    (score,) = built[2].scores["r2"]
    nodes = {type(node.op): node for node in walk([score])}
    gathered = nodes[OutOfFold]
    assert gathered.inputs[0] is built[0].folds
    assert [type(node.op) for node in gathered.inputs[1:]] == [Predict, Predict]
    assert built[2].fits == (score.inputs[0].inputs[0],)
    assert built[2].fits[0].inputs[2] is built[0].target


def test_the_stack_is_fitted_on_the_target_as_given(engine: Engine) -> None:
    logged = member("a", target={"column": "price", "transform": "log1p"})
    stack = blend("a", "b", how="stack", model="Ridge()")
    built = build_all(engine, logged, TWO[1], stack, cv=CV)
    assert built[2].fits[0].inputs[2] is built[1].target
    assert isinstance(built[2].fits[0].op, Fit)
    assert built[2].fits[0].op.function is None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (blend("a", "b"), blend("a", "b", weights=[2, 2])),
        (blend("a", "b", weights=[1, 3]), blend("a", "b", weights=[0.25, 0.75])),
    ],
)
def test_equal_weights_are_equal_blends(engine: Engine, one: Spec, other: Spec) -> None:
    built = build_all(engine, *TWO, {**one, "name": "x"}, {**other, "name": "y"}, cv=CV)
    assert built[2].scores["r2"] == built[3].scores["r2"]
    assert built[2].fits == built[3].fits


def test_what_is_computed_tells_blends_apart(engine: Engine) -> None:
    specs = [
        blend("a", "b"), blend("b", "a"), blend("a"), blend("a", "b", weights=[1, 2]),
        blend("a", "b", how="rank_mean"), blend("a", "b", how="stack", model="Ridge()"),
        blend("a", "b", how="stack", model="Ridge(alpha=3)"),
    ]  # fmt: skip
    named = [{**spec, "name": f"blend{n}", "metrics": ["spearman"]} for n, spec in enumerate(specs)]
    built = build_all(engine, *TWO, *named, cv=CV)
    fits = {fit.key for one in built.values() for fit in one.fits}
    assert len(fits) == len(TWO) + len(specs)
    # The metrics are no part of that.
    again = build_all(
        engine, *TWO, *[{**spec, "metrics": ["pearson"]} for spec in named[:4]], cv=CV
    )
    assert [again[p].fits for p in range(6)] == [built[p].fits for p in range(6)]


def test_seeds_stay_together(engine: Engine) -> None:
    seeds = member("b", "ExtraTreesRegressor(n_estimators=2)", seeds=[1, 2, 3])
    built = build_all(engine, member("a"), seeds, blend("a", "b", weights=[1, 3]), cv=CV)
    op = built[2].fits[0].op
    assert isinstance(op, Blend)
    assert (op.counts, op.weights) == ((1, 3), (1.0, 3.0))


def test_blends_of_blends(engine: Engine) -> None:
    inner = {**blend("a", "b"), "name": "inner"}
    stack = {**blend("inner", "a", how="stack", model="Ridge()"), "name": "stack"}
    built = build_all(engine, *TWO, inner, stack, blend("stack", "inner", "b"), cv=CV)
    op = built[4].fits[0].op
    assert isinstance(op, Blend)
    assert op.counts == (1, 1, 1)
    assert [type(node.op) for node in built[4].fits[0].inputs] == [Folds, Predict, Blend, Predict]


def test_labels_come_from_probabilities(engine: Engine) -> None:
    built = build_all(engine, *CLASSES, blend("a", "b"), cv=CV, metrics=["accuracy", "logloss"])
    methods = {
        name: nodes[0].inputs[0].op.method  # type: ignore[attr-defined]
        for name, nodes in built[2].scores.items()
    }
    assert methods == {"accuracy": "predict", "logloss": "predict_proba"}


def test_warnings_and_places_of_members(engine: Engine) -> None:
    chosen = member("a", prepare=[{"filter": "price > 1"}])
    other = member("b", "Lasso()", prepare=[{"filter": "price > 1"}])
    built = build_all(engine, chosen, other, blend("a", "b"), cv=CV, metrics=["r2"])
    assert built[2].warnings == built[0].warnings != ()
    places = built[2].places
    assert places[built[0].fits[0].key] == "pipelines[2].blend.of[0]"
    assert places[built[1].fits[0].key] == "pipelines[2].blend.of[1]"
    assert places[built[2].folds.key] == "evaluate.cv"
    assert places[built[2].scores["r2"][0].key] == "evaluate.metrics[0]"


FILTERED = member("b", prepare=[{"filter": "age > 4"}])
REFUSALS: dict[str, tuple[list[Spec], Spec, str, str]] = {
    "rows": ([member("a"), FILTERED], blend("a", "b"), "blend_mismatch", "blend.of[1]"),
    "mask": (
        [member("a"), member("b", prepare=[{"filter": "age > 4", "only": "train"}])],
        blend("a", "b"), "blend_mismatch", "blend.of[1]",
    ),
    "target": (
        [member("a"), member("b", target="area", features=NUMBERS)],
        blend("a", "b"), "blend_mismatch", "blend.of[1]",
    ),
    "weights of scores": (
        [member("a"), member("b", score_weight="weight")],
        blend("a", "b"), "blend_mismatch", "blend.of[1]",
    ),
    "decisions": (
        [klass("a"), klass("b", "LinearSVC()")], blend("a", "b"), "blend_mismatch", "blend.of[1]",
    ),
    "decisions in a stack": (
        [klass("a"), klass("b", "RidgeClassifier()")],
        blend("a", "b", how="stack", model="LogisticRegression()"),
        "blend_mismatch", "blend.of[1]",
    ),
    "ranks": (
        [*TWO, {**blend("a", "b", how="rank_mean"), "name": "ranks", "metrics": ["spearman"]}],
        blend("a", "ranks"), "blend_mismatch", "blend.of[1]",
    ),
    "metric of ranks": (
        [*TWO], {**blend("a", "b", how="rank_mean"), "metrics": ["spearman", "rmse"]},
        "metric_mismatch", "metrics[1]",
    ),
    "ranks of labels": (
        [*CLASSES], {**blend("a", "b", how="rank_mean"), "metrics": ["accuracy"]},
        "metric_mismatch", "metrics[0]",
    ),
    "ranks of many classes": (
        [klass("a", target="grade"), klass("b", target="grade")],
        blend("a", "b", how="rank_mean"), "metric_mismatch", "blend.how",
    ),
    "metric of another task": (
        [*TWO], {**blend("a", "b"), "metrics": ["roc_auc"]}, "metric_mismatch", "metrics[0]",
    ),
    "metric of another model": (
        [*CLASSES],
        {**blend("a", "b", how="stack", model="LinearSVC()"), "metrics": ["logloss"]},
        "metric_mismatch", "metrics[0]",
    ),
    "no model": ([*TWO], blend("a", "b", how="stack"), "missing_field", "blend.model"),
    "a model too many": ([*TWO], blend("a", "b", model="Ridge()"), "invalid_value", "blend.model"),
    "weights of a stack": (
        [*TWO], blend("a", "b", how="stack", model="Ridge()", weights=[1, 2]),
        "invalid_value", "blend.weights",
    ),
    "few weights": ([*TWO], blend("a", "b", weights=[1]), "invalid_value", "blend.weights"),
    "no weight": ([*TWO], blend("a", "b", weights=[0, 0]), "invalid_value", "blend.weights"),
    "a classifier on top": (
        [*TWO], blend("a", "b", how="stack", model="LogisticRegression()"),
        "task_mismatch", "blend.model",
    ),
    "a transformer on top": (
        [*TWO], blend("a", "b", how="stack", model="StandardScaler()"),
        "not_a_predictor", "blend.model",
    ),
    "a typing error": (
        [*TWO], blend("a", "b", how="stack", model="Rigde()"), "unknown_estimator", "blend.model",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_refused(engine: Engine, name: str) -> None:
    members, spec, code, place = REFUSALS[name]
    error = refused(engine, *members, spec, cv=CV)
    assert (error.code, error.path) == (code, f"pipelines[{len(members)}].{place}")
    assert error.hint


def test_ranks_take_decision_values(engine: Engine) -> None:
    specs = [klass("a", "LinearSVC()"), klass("b"), blend("a", "b", how="rank_mean")]
    built = build_all(engine, *specs, cv=CV, metrics=["roc_auc"])
    ops = [node.op for node in built[2].fits[0].inputs[1:]]
    assert ops == [Predict(("decision_function",)), Predict(("predict_proba",))]


@pytest.mark.parametrize(
    "cv",
    ["TimeSeriesSplit(3)", "ShuffleSplit(3)", "RepeatedKFold(n_splits=2, n_repeats=2)",
     {"holdout": 0.3}],
)  # fmt: skip
def test_a_stack_needs_a_partition(engine: Engine, cv: Any) -> None:
    stack = blend("a", "b", how="stack", model="Ridge()")
    error = refused(engine, *TWO, stack, cv=cv)
    assert (error.code, error.path) == ("stack_needs_partition", "pipelines[2].blend.how")
    build_all(engine, *TWO, blend("a", "b"), cv=cv)  # a mean does not


@pytest.mark.parametrize(
    "wrong",
    [{"of": []}, {"of": ["a"], "how": "median"}, {"of": ["a"], "weights": [-1]},
     {"of": ["a"], "weights": [float("inf")]}, {"of": "a"}, {"of": ["a"], "seeds": [1]}],
)  # fmt: skip
def test_the_shape_of_a_blend(wrong: Spec) -> None:
    with pytest.raises(ValueError, match="blend"):
        BlendPipeline.model_validate({"blend": wrong})
