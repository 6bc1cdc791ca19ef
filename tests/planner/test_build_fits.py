"""Specs to graphs: seeds, weights, targets, early stopping, and what pipelines share."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from planner.ops import Columns, Encode, Fit, FitTarget, Folds, Predict, Score, Vector
from tests.inprocess import EXACT, Engine
from tests.planner.planning_cases import CV, FOLDS, RIDGE, expected, flats, nodes, ops

Spec = dict[str, Any]


def ridge(**changes: Any) -> Spec:
    return {**RIDGE, **changes}


def names_of(built: Any) -> set[str]:
    """Columns that are features."""
    return {name for node in nodes(built, Columns) for name in node.op.names}


# -- seeds, weights, targets, stopping --------------------------------------------------------


def test_a_score_is_the_mean_over_seeds(engine: Engine) -> None:
    spec = ridge(model="RandomForestRegressor(n_estimators=4)", seeds=[3, 4], metrics=["r2"])
    frame = flats()
    each = [
        expected(
            RandomForestRegressor(n_estimators=4, random_state=seed),
            frame[["rooms", "age"]],
            frame["price"],
        )
        for seed in (3, 4)
    ]
    found = engine.one(spec, cv=CV)["r2"]
    np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=EXACT)


def test_seeds_go_before_a_seed_in_the_model(engine: Engine) -> None:
    spec = ridge(model="RandomForestRegressor(n_estimators=4, random_state=9)", seeds=[1, 2])
    fits = nodes(engine.build(spec, cv=CV), Fit)
    assert [dict(fit.op.estimator.params)["random_state"] for fit in fits] == [1, 2]


def test_without_seeds_the_model_keeps_its_own(engine: Engine) -> None:
    for model, seed in (
        ("RandomForestRegressor(random_state=9)", 9),
        ("RandomForestRegressor()", 5),
    ):
        (fit,) = nodes(engine.build(ridge(model=model), cv=CV, seed=5), Fit)
        assert dict(fit.op.estimator.params)["random_state"] == seed


def test_seeds_of_a_model_that_draws_nothing_are_one_fit(engine: Engine) -> None:
    built = engine.build(ridge(seeds=[0, 1, 2]), cv=CV)
    assert len(built.fits) == 1
    assert [len(nodes) for nodes in built.scores.values()] == [3]


def test_transformers_take_the_seed_of_the_batch(engine: Engine) -> None:
    spec = ridge(features=[{"columns": ["rooms", "age"], "steps": ["PCA(2)"]}], seeds=[4])
    (encode,) = nodes(engine.build(spec, cv=CV, seed=8), Encode)
    assert dict(encode.op.transformer.params)["random_state"] == 8


def test_weights_go_to_the_fit(engine: Engine) -> None:
    frame = flats()
    spec = ridge(sample_weight="weight", metrics=["r2"])
    wanted = expected(
        Ridge(alpha=0.5), frame[["rooms", "age"]], frame["price"],
        weight=frame["weight"].to_numpy(),
    )  # fmt: skip
    np.testing.assert_allclose(engine.one(spec, cv=CV)["r2"], wanted, rtol=EXACT)


def test_score_weights_go_to_the_metric_alone(engine: Engine) -> None:
    from sklearn.metrics import r2_score

    frame = flats()
    found = engine.one(ridge(score_weight="weight", metrics=["r2"]), cv=CV)["r2"]
    x, y, weight = frame[["rooms", "age"]], frame["price"], frame["weight"]
    wanted = [
        r2_score(
            y[valid],
            Ridge(alpha=0.5).fit(x.iloc[train], y[train]).predict(x.iloc[valid]),
            sample_weight=weight[valid],
        )
        for train, valid in FOLDS.split(x)
    ]
    np.testing.assert_allclose(found, wanted, rtol=EXACT)


@pytest.mark.parametrize(
    "transform",
    ["log1p", "sqrt", "StandardScaler()", "make_pipeline(MinMaxScaler(), PowerTransformer())"],
)
def test_targets_are_transformed_as_transformed_target_regressor_does(
    engine: Engine, transform: str
) -> None:
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.preprocessing import MinMaxScaler, PowerTransformer

    given: dict[str, dict[str, Any]] = {
        "log1p": {"func": np.log1p, "inverse_func": np.expm1},
        "sqrt": {"func": np.sqrt, "inverse_func": np.square},
        "StandardScaler()": {"transformer": StandardScaler()},
        "make_pipeline(MinMaxScaler(), PowerTransformer())": {
            "transformer": make_pipeline(MinMaxScaler(), PowerTransformer())
        },
    }
    frame = flats()
    features = ["rooms", "owner"]
    spec = ridge(
        target={"column": "price", "transform": transform},
        features=[
            {"columns": "rooms"},
            {"columns": ["owner"], "steps": ["OneHotEncoder(handle_unknown='ignore')"]},
        ],
        metrics=["r2"],
    )
    from sklearn.compose import make_column_transformer

    model = make_pipeline(
        make_column_transformer(
            ("passthrough", ["rooms"]), (OneHotEncoder(handle_unknown="ignore"), ["owner"])
        ),
        Ridge(alpha=0.5),
    )
    wanted = expected(
        TransformedTargetRegressor(model, **given[transform]), frame[features], frame["price"]
    )
    np.testing.assert_allclose(engine.one(spec, cv=CV)["r2"], wanted, rtol=1e-6)


def test_a_target_transform_outside_of_its_domain_is_a_data_error(engine: Engine) -> None:
    spec = ridge(
        target={"column": "y", "transform": "log"}, prepare=[{"derive": {"y": "price - 1000"}}]
    )
    error = engine.one(spec, cv=CV).error
    assert error is not None
    assert error["code"] == "target_transform_domain"
    assert error["path"] == "pipelines[0].target.transform"


def test_a_target_transform_must_have_an_inverse(engine: Engine) -> None:
    spec = ridge(target={"column": "price", "transform": "PolynomialFeatures()"})
    error = engine.one(spec, cv=CV).error
    assert error is not None
    assert (error["code"], error["path"]) == (
        "unknown_transform",
        "pipelines[0].target.transform",
    )


def test_classes_need_no_target_transform(engine: Engine) -> None:
    spec = ridge(target={"column": "dear", "transform": "log1p"}, model="LogisticRegression()")
    error = engine.error(spec, cv=CV)
    assert (error.code, error.path) == ("transform_not_numeric", "pipelines[0].target.transform")


@pytest.mark.parametrize(
    "model",
    [
        "HistGradientBoostingRegressor()",
        "GradientBoostingRegressor()",
        "AdaBoostRegressor()",
        "XGBRFRegressor()",
        "GridSearchCV(LGBMRegressor(), {'n_estimators': [5]})",
    ],
)
def test_early_stopping_is_for_boosters_that_take_it(engine: Engine, model: str) -> None:
    error = engine.error(ridge(model=model, early_stopping={"rounds": 5}), cv=CV)
    assert (error.code, error.path) == (
        "early_stopping_unsupported",
        "pipelines[0].early_stopping",
    )


def test_early_stopping_on_the_scored_fold_is_warned_of(engine: Engine) -> None:
    spec = ridge(model="LGBMRegressor()", early_stopping={"rounds": 5})
    assert any("optimistic" in text for text in engine.build(spec, cv=CV).warnings)
    inner = ridge(model="LGBMRegressor()", early_stopping={"rounds": 5, "on": {"inner": 0.2}})
    built = engine.build(inner, cv=CV)
    assert not any("optimistic" in text for text in built.warnings)
    assert nodes(built, Fit)[0].op.stop_inner == 0.2


@pytest.mark.parametrize("on", [{}, {"inner": 0}, {"inner": 1.5}, "train"])
def test_what_early_stopping_watches_is_checked(engine: Engine, on: Any) -> None:
    from pydantic import ValidationError

    spec = ridge(model="LGBMRegressor()", early_stopping={"rounds": 5, "on": on})
    with pytest.raises(ValidationError):
        engine.build(spec, cv=CV)


def test_early_stopping_cannot_watch_a_target_that_is_fitted(engine: Engine) -> None:
    spec = ridge(
        target={"column": "price", "transform": "StandardScaler()"},
        model="LGBMRegressor(n_estimators=5)",
        early_stopping={"rounds": 5},
    )
    error = engine.error(spec, cv=CV)
    assert (error.code, error.path) == (
        "early_stopping_unsupported",
        "pipelines[0].early_stopping.on",
    )
    inner = {**spec, "early_stopping": {"rounds": 5, "on": {"inner": 0.3}}, "metrics": ["r2"]}
    assert len(engine.one(inner, cv=CV)["r2"]) == 3


# -- what is shared ---------------------------------------------------------------------------


def test_equal_specs_are_one_score(engine: Engine) -> None:
    one = engine.build(ridge(), cv=CV, metrics=["r2"])
    two = engine.build(
        ridge(name="other", model={"estimator": "Ridge", "params": {"alpha": 0.5}}),
        cv=CV,
        metrics=["r2"],
    )
    assert one.scores == two.scores


def test_positional_and_keyword_arguments_are_in_the_key(engine: Engine) -> None:
    """The trap: arguments by position must neither be lost nor make a difference."""
    fits = {
        model: nodes(engine.build(ridge(model=model), cv=CV), Fit)[0].key
        for model in ("Ridge(0.5)", "Ridge(alpha=0.5)", "Ridge(0.6)", "Ridge(alpha=0.6)", "Ridge()")
    }
    assert fits["Ridge(0.5)"] == fits["Ridge(alpha=0.5)"]
    assert fits["Ridge(0.6)"] == fits["Ridge(alpha=0.6)"]
    assert len(set(fits.values())) == 3


def test_the_target_is_in_the_key_of_what_reads_it(engine: Engine) -> None:
    """The trap: equal features and models of another target."""
    features = [
        {"columns": ["owner"], "steps": ["TargetEncoder()"]},
        {"columns": ["rooms"], "steps": ["StandardScaler()"]},
    ]
    one = engine.build(ridge(features=features), cv=CV)
    two = engine.build(ridge(features=features, target="weight"), cv=CV)
    encoders = [{n.op.transformer.name: n.key for n in nodes(b, Encode)} for b in (one, two)]
    assert encoders[0]["TargetEncoder"] != encoders[1]["TargetEncoder"]
    assert encoders[0]["StandardScaler"] == encoders[1]["StandardScaler"]
    assert nodes(one, Fit)[0].key != nodes(two, Fit)[0].key


@pytest.mark.parametrize(
    ("changes", "shared", "apart"),
    [
        ({"model": "Lasso()"}, (Columns, Folds, Vector), (Fit,)),
        ({"metrics": ["rmse"]}, (Columns, Folds, Vector, Fit, Predict), (Score,)),
        ({"target": {"column": "price", "transform": "log1p"}}, (Columns, Folds, Vector), (Fit,)),
        ({"features": [{"columns": ["rooms"]}]}, (Folds, Vector), (Columns, Fit)),
        ({"sample_weight": "weight"}, (Columns, Folds), (Fit,)),
        (
            {"prepare": [{"derive": {"unused": "age + 1"}}]},
            (Columns, Folds, Vector, Fit, Score),
            (),
        ),
        ({"prepare": [{"filter": "age > 5"}]}, (), (Columns, Folds, Vector, Fit)),
        ({"prepare": [{"filter": "age > 5", "only": "train"}]}, (Columns, Vector), (Folds, Fit)),
        ({"seeds": [1]}, (Columns, Fit, Score), ()),
    ],
)
def test_pipelines_that_differ_in_one_thing_share_the_rest(
    engine: Engine, changes: Spec, shared: tuple[type, ...], apart: tuple[type, ...]
) -> None:
    base = engine.build(ridge(metrics=["r2"]), cv=CV)
    other = engine.build(ridge(**{"metrics": ["r2"], **changes}), cv=CV)
    for kind in (*shared, *apart):
        one = {node.key for node in nodes(base, kind)}
        two = {node.key for node in nodes(other, kind)}
        assert bool(one & two) == (kind in shared), kind.__name__


def test_the_split_is_shared_by_pipelines_of_equal_rows(engine: Engine) -> None:
    specs = [ridge(), ridge(target="weight", prepare=[{"derive": {"x": "age"}}]),
             ridge(model="Lasso()", features=[{"columns": "lift"}])]  # fmt: skip
    folds = {nodes(engine.build(spec, cv=CV), Folds)[0].key for spec in specs}
    assert len(folds) == 1


def test_a_fitted_target_stands_per_fold(engine: Engine) -> None:
    spec = ridge(target={"column": "price", "transform": "StandardScaler()"})
    built = engine.build(spec, cv=CV)
    (node,) = nodes(built, FitTarget)
    assert built.places[node.key] == "pipelines[0].target.transform"
    assert len(ops(*built.fits, kind=FitTarget)) == 1


@pytest.mark.parametrize(
    ("model", "imputed", "scaled"),
    [
        ("HistGradientBoostingRegressor()", False, False),
        ("BaggingRegressor()", False, False),
        ("BaggingRegressor(Ridge())", True, True),
        ("VotingRegressor([('a', LGBMRegressor()), ('b', KNeighborsRegressor())])", True, True),
        ("GridSearchCV(LGBMRegressor(), {'n_estimators': [5]})", False, False),
        ("TransformedTargetRegressor(Ridge(), transformer=PowerTransformer())", True, True),
    ],
)
def test_the_default_plan_suits_every_member_of_an_ensemble(
    engine: Engine, model: str, imputed: bool, scaled: bool
) -> None:
    spec = {"dataset": "flats", "target": "price", "model": model}
    shown = engine.build(spec, cv=CV).features
    assert shown is not None
    steps = shown[0]["steps"]
    assert steps == ["SimpleImputer()"] * imputed + ["StandardScaler()"] * scaled
    assert engine.one({**spec, "metrics": ["r2"]}, cv=CV).error is None


def test_metrics_that_ask_the_same_of_a_model_share_its_answer(engine: Engine) -> None:
    metrics = ["roc_auc", "logloss", "accuracy", "f1", "average_precision"]
    for model, answers in (
        ("RandomForestClassifier()", [("predict_proba",), ("predict",)]),
        ("RidgeClassifier()", [("decision_function",), ("predict",)]),
    ):
        spec = ridge(target="dear", model=model)
        wanted = metrics if "Forest" in model else [m for m in metrics if m != "logloss"]
        built = engine.build({**spec, "metrics": wanted}, cv=CV)
        assert [node.op.methods for node in nodes(built, Predict)] == answers
