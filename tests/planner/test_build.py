"""Specs to graphs: what is refused and where, what is hidden, which rows."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from planner.ops import Columns, Encode, Fit, Folds, MapTarget, Predict, Score, Vector
from tests.inprocess import EXACT, Engine
from tests.planner.planning_cases import CV, RIDGE, expected, flats, nodes

Spec = dict[str, Any]


def ridge(**changes: Any) -> Spec:
    return {**RIDGE, **changes}


def names_of(built: Any) -> set[str]:
    """Columns that are features."""
    return {name for node in nodes(built, Columns) for name in node.op.names}


# -- errors and their places ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"dataset": "flat"}, "unknown_dataset", "dataset"),
        ({"target": "prize"}, "unknown_column", "target"),
        ({"target": {"column": "prize"}}, "unknown_column", "target.column"),
        ({"target": "city"}, "target_not_numeric", "target"),
        ({"target": {"column": "price", "transform": "log2p"}}, "unknown_transform",
         "target.transform"),
        ({"target": {"column": "price", "transform": "Ridge()"}}, "unknown_transform",
         "target.transform"),
        ({"prepare": [{"drop": ["nope"]}]}, "unknown_column", "prepare[0].drop[0]"),
        ({"features": [{"columns": "rooms"}, {"columns": ["ages"]}]}, "unknown_column",
         "features[1].columns[0]"),
        ({"features": [{"columns": {"regex": "("}}]}, "invalid_selector",
         "features[0].columns.regex"),
        ({"features": [{"columns": "rooms", "steps": ["PCA()", "Scaler()"]}]},
         "unknown_estimator", "features[0].steps[1]"),
        ({"features": [{"columns": "rooms", "steps": ["Lasso()"]}]}, "not_a_transformer",
         "features[0].steps[0]"),
        ({"features": "StandardScalar()"}, "unknown_estimator", "features"),
        ({"features": [{"columns": "price"}]}, "target_leak", "features[0]"),
        ({"features": "StandardScaler()", "remainder": "passthrough"},
         "remainder_without_branches", "remainder"),
        ({"model": "Rigde()"}, "unknown_estimator", "model"),
        ({"model": "Ridge(alfa=1)"}, "unknown_parameter", "model"),
        ({"model": "KMeans()"}, "not_a_predictor", "model"),
        ({"sample_weight": "wait"}, "unknown_column", "sample_weight"),
        ({"sample_weight": "city"}, "weight_not_numeric", "sample_weight"),
        ({"score_weight": "note"}, "weight_not_numeric", "score_weight"),
        ({"metrics": ["r2", "rsme"]}, "unknown_metric", "metrics[1]"),
        ({"metrics": ["accuracy"]}, "metric_mismatch", "metrics[0]"),
        ({"target": "dear", "model": "RidgeClassifier()", "metrics": ["f1", "logloss"]},
         "metric_mismatch", "metrics[1]"),
        ({"early_stopping": {"rounds": 5}}, "early_stopping_unsupported", "early_stopping"),
    ],
)  # fmt: skip
def test_errors_name_their_place(engine: Engine, changes: Spec, code: str, path: str) -> None:
    error = engine.error(ridge(**changes), "pipelines[3]", cv=CV)
    assert (error.code, error.path) == (code, f"pipelines[3].{path}")


@pytest.mark.parametrize(
    ("evaluate", "code", "path"),
    [
        ({"cv": "KFolds(3)"}, "unknown_estimator", "evaluate.cv"),
        ({"cv": "GroupKFold(3)"}, "groups_required", "evaluate.cv"),
        ({"cv": "GroupKFold(3)", "groups": "ownr"}, "unknown_column", "evaluate.groups"),
        ({"cv": "PredefinedSplit('fold')"}, "unknown_column", "evaluate.cv"),
        ({"order_by": "sold"}, "unknown_column", "evaluate.order_by"),
        ({"order_by": ["age", "sold"]}, "unknown_column", "evaluate.order_by[1]"),
        ({"metrics": ["r2", "nope"]}, "unknown_metric", "evaluate.metrics[1]"),
        ({"metrics": ["roc_auc"]}, "metric_mismatch", "evaluate.metrics[0]"),
    ],
)
def test_errors_of_the_evaluation_are_not_the_pipelines(
    engine: Engine, evaluate: Spec, code: str, path: str
) -> None:
    error = engine.error(ridge(), "pipelines[3]", **evaluate)
    assert (error.code, error.path) == (code, path)


def test_a_task_that_the_model_is_not_for_is_refused(engine: Engine) -> None:
    error = engine.error(ridge(), cv=CV, task="classification")
    assert (error.code, error.path) == ("task_mismatch", "pipelines[0].model")
    assert engine.build(ridge(), cv=CV, task="regression").task == "regression"


def test_a_target_of_one_class_is_refused(engine: Engine) -> None:
    spec = ridge(
        target="grade", model="LogisticRegression()", prepare=[{"filter": "grade = 'low'"}]
    )
    error = engine.error(spec, cv=CV)
    assert (error.code, error.path) == ("one_class", "pipelines[0].target")


def test_every_node_has_its_place(engine: Engine) -> None:
    spec = ridge(
        target={"column": "price", "transform": "log1p"},
        features=[
            {"columns": ["rooms"]},
            {"columns": ["owner"], "steps": ["OneHotEncoder()", "TruncatedSVD(2)"]},
        ],
        model="make_pipeline(MinMaxScaler(), Ridge())",
        sample_weight="weight",
        metrics=["r2", "rmse"],
    )
    built = engine.build(spec, "pipelines[7]", cv=CV)
    found = [
        (type(node.op).__name__, built.places.get(node.key))
        for kind in (Vector, MapTarget, Folds, Columns, Encode, Fit, Predict, Score)
        for node in nodes(built, kind)
    ]
    place = "pipelines[7]."
    assert sorted(found) == sorted(
        [
            ("Vector", place + "target.column"),
            ("Vector", place + "sample_weight"),
            ("MapTarget", place + "target.transform"),
            ("Folds", "evaluate.cv"),
            ("Columns", place + "features[0]"),
            ("Columns", place + "features[1].steps[0]"),
            ("Encode", place + "features[1].steps[0]"),
            ("Encode", place + "features[1].steps[1]"),
            ("Encode", place + "model"),
            ("Fit", place + "model"),
            ("Predict", place + "model"),
            ("Score", place + "metrics[0]"),
            ("Score", place + "metrics[1]"),
        ]
    )
    assert built.table_place == place + "dataset"


def test_metrics_of_the_batch_have_their_place_there(engine: Engine) -> None:
    built = engine.build(ridge(), cv=CV, metrics=["r2"])
    assert built.places[built.scores["r2"][0].key] == "evaluate.metrics[0]"


# -- columns that are no features -------------------------------------------------------------


def test_target_groups_weights_and_folds_are_no_features(engine: Engine) -> None:
    spec = ridge(
        features=[
            {"columns": "all"},
            {"columns": {"regex": "."}},
            {"columns": {"except": ["age"]}},
        ],
        sample_weight="weight",
        score_weight="area",
    )
    built = engine.build(spec, cv="PredefinedSplit('part')", groups="owner")
    assert names_of(built) == {"rooms", "age", "lift", "city", "kind", "note", "sold_at", "grade",
                               "dear"}  # fmt: skip


@pytest.mark.parametrize("cv", ["PredefinedSplit('part')", " PredefinedSplit( test_fold = 'part')"])
def test_a_column_of_folds_is_a_feature_only_where_it_is_named(engine: Engine, cv: str) -> None:
    for features, expected_names in (
        ([{"columns": "numeric"}], {"area", "rooms", "age", "weight"}),
        ([{"columns": ["part", "rooms"]}], {"part", "rooms"}),
        ("make_column_transformer((MinMaxScaler(), ['part', 'age']))", {"part", "age"}),
        ("make_column_transformer((MinMaxScaler(), ['age']), ('drop', ['city', 'kind', 'note', "
         "'owner', 'sold_at', 'grade', 'dear']), remainder='passthrough')",
         {"age", "area", "rooms", "lift", "weight"}),
    ):  # fmt: skip
        assert names_of(engine.build(ridge(features=features), cv=cv)) == expected_names


def test_columns_computed_from_the_target_are_refused(engine: Engine) -> None:
    spec = ridge(
        prepare=[{"derive": {"half": "price / 2"}}], features=[{"columns": ["rooms", "half"]}]
    )
    error = engine.error(spec, cv=CV)
    assert (error.code, error.path) == ("target_leak", "pipelines[0].features[0]")
    assert "half" in error.message


def test_columns_the_target_is_computed_from_are_left_out_of_selections(engine: Engine) -> None:
    spec = ridge(
        target="per_room",
        prepare=[{"derive": {"per_room": "price / rooms"}}],
        features=[{"columns": "numeric", "steps": ["SimpleImputer()"]}],
    )
    built = engine.build(spec, cv=CV)
    assert names_of(built) == {"area", "age", "weight", "part"}
    assert any("price, rooms" in warning for warning in built.warnings)


# -- rows -------------------------------------------------------------------------------------


def test_rows_without_a_target_are_dropped_and_counted(engine: Engine) -> None:
    frame = flats()
    spec = ridge(target="area", features=[{"columns": ["rooms", "age"]}], metrics=["r2"])
    built = engine.build(spec, cv=CV)
    missing = int(frame["area"].isna().sum())
    assert f"{missing} rows without a value of the target 'area' were dropped." in built.warnings
    known = frame.dropna(subset="area").reset_index(drop=True)
    wanted = expected(Ridge(alpha=0.5), known[["rooms", "age"]], known["area"])
    np.testing.assert_allclose(engine.one(spec, cv=CV)["r2"], wanted, rtol=EXACT)


def test_preparing_equal_rows_is_done_once(engine: Engine) -> None:
    prepare = [{"filter": "age > 3"}, {"derive": {"per_room": "area / rooms"}}]
    env = engine.environment(cv=CV)
    from planner.build import build
    from planner.spec import PipelineSpec

    made = [
        build(env, PipelineSpec.model_validate(spec), f"pipelines[{position}]")
        for position, spec in enumerate(
            ridge(target="area", prepare=prepare, model=f"Ridge(alpha={alpha})")
            for alpha in (1, 2, 3)
        )
    ]
    assert len({built.prepared.key for built in made}) == 1
    assert [request for _, request in engine.statistics.asked] == [("missing", "area")]
    assert made[2].warnings == made[0].warnings


def test_an_error_of_equal_rows_names_the_pipeline_that_is_asked_about(engine: Engine) -> None:
    from planner.build import build
    from planner.errors import SpecError
    from planner.spec import PipelineSpec

    env = engine.environment(cv=CV)
    spec = PipelineSpec.model_validate(ridge(prepare=[{"drop": ["nope"]}]))
    for path in ("pipelines[0]", "pipelines[1]"):
        with pytest.raises(SpecError) as raised:
            build(env, spec, path)
        assert raised.value.path == f"{path}.prepare[0].drop[0]"
