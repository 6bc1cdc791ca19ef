"""Batches to plans: every pipeline answered, under its own places and keys."""

from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from tests.inprocess import EXACT, Engine
from tests.planner.planning_cases import CV, NUMBERS, RIDGE, expected, flats

Spec = dict[str, Any]


def spec(**changes: Any) -> Spec:
    return {**RIDGE, "metrics": ["r2"], **changes}


def test_duplicates_in_a_batch_are_each_answered(engine: Engine) -> None:
    """The trap: equal pipelines are one node, and yet two results."""
    answers = engine.run(spec(), spec(name="again"), spec(model="Lasso()"), cv=CV)
    assert answers[0].scores == answers[1].scores
    assert answers[0].scores != answers[2].scores
    compiled = engine.compile(spec(), spec(name="again"), cv=CV)
    assert [plan.index for plan in compiled.plan.pipelines] == [0, 1]
    assert all(task.pipelines == (0, 1) for task in compiled.plan.tasks)


def test_different_targets_of_the_same_model(engine: Engine) -> None:
    """The trap: a fit, an encoder or a score of one target must not answer for another."""
    frame = flats()
    targets = ["price", "weight", "age"]
    features = [{"columns": ["rooms", "part"]}]
    answers = engine.run(*[spec(target=t, features=features) for t in targets], cv=CV)
    for target, answer in zip(targets, answers, strict=True):
        wanted = expected(Ridge(alpha=0.5), frame[["rooms", "part"]], frame[target])
        np.testing.assert_allclose(answer["r2"], wanted, rtol=EXACT)


def test_scores_have_the_sign_and_the_response_of_their_scorer(engine: Engine) -> None:
    """The trap: losses are losses, and roc_auc is of scores, never of hard labels."""
    from sklearn.linear_model import LogisticRegression

    frame = flats()
    features = frame[["rooms", "age"]]
    metrics = {"roc_auc": "roc_auc", "neg_log_loss": "neg_log_loss", "accuracy": "accuracy"}
    found = engine.one(
        spec(target="dear", model="LogisticRegression()", metrics=[*metrics, "logloss"]), cv=CV
    )
    for ours, theirs in metrics.items():
        wanted = expected(LogisticRegression(), features, frame["dear"], theirs)
        np.testing.assert_allclose(found[ours], wanted, rtol=EXACT)
    np.testing.assert_allclose(found["logloss"], np.negative(found["neg_log_loss"]), rtol=EXACT)
    assert all(value > 0 for value in found["logloss"])


def test_missing_and_unknown_categories(engine: Engine) -> None:
    """The trap: NULL, NaN and None are one category, as in the frame a script would read."""
    frame = flats()
    for text, encoder in (
        ("OneHotEncoder(handle_unknown='ignore')", OneHotEncoder(handle_unknown="ignore")),
        ("OneHotEncoder(handle_unknown='infrequent_if_exist', min_frequency=5)",
         OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5)),
    ):  # fmt: skip
        found = engine.one(spec(features=[{"columns": ["city"], "steps": [text]}]), cv=CV)["r2"]
        wanted = expected(make_pipeline(encoder, Ridge(alpha=0.5)), frame[["city"]], frame["price"])
        np.testing.assert_allclose(found, wanted, rtol=EXACT)


def test_text_beyond_ascii(engine: Engine) -> None:
    """The trap: words, categories and column names in any script."""
    frame = flats().rename(columns={"note": 'Anmerkung "ä" 注'})
    engine.add("umlaut", frame)
    name = frame.columns[6]
    features = [{"columns": name, "steps": ["TfidfVectorizer(ngram_range=(1, 2))"]}]
    found = engine.one(spec(dataset="umlaut", features=features), cv=CV)["r2"]
    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), Ridge(alpha=0.5))
    wanted = expected(model, frame[name], frame["price"])
    np.testing.assert_allclose(found, wanted, rtol=EXACT)


@pytest.mark.filterwarnings("ignore:invalid value encountered in log")
def test_inverse_functions_are_not_cancelled(engine: Engine) -> None:
    """The trap: exp(log(x)) is x for positive x only."""
    frame = flats().assign(x=lambda f: f["area"] - 60)
    engine.add("signed", frame[["x", "price"]])
    model = (
        "make_pipeline(FunctionTransformer(log), FunctionTransformer(exp), SimpleImputer(), "
        "Ridge(alpha=0.5))"
    )
    found = engine.one(spec(dataset="signed", features=None, model=model), cv=CV)["r2"]
    wanted = expected(
        make_pipeline(
            FunctionTransformer(np.log), FunctionTransformer(np.exp), SimpleImputer(), Ridge(0.5)
        ),
        frame[["x"]],
        frame["price"],
    )
    np.testing.assert_allclose(found, wanted, rtol=EXACT)


def test_a_failing_pipeline_harms_no_other(engine: Engine) -> None:
    answers = engine.run(
        spec(),
        spec(features=[{"columns": NUMBERS}], model="Lasso()"),
        spec(features=[{"columns": ["city"]}], model="Lasso()"),
        spec(model="RandomForestRegressor(n_estimators=-1)"),
        spec(model="Lasso()"),
        cv=CV,
    )
    codes = [answer.error and answer.error["code"] for answer in answers]
    assert codes == [None, "missing_values", "text_in_numeric_model", "invalid_parameter", None]
    paths = [answer.error["path"] for answer in answers if answer.error]
    assert paths == [f"pipelines[{position}].model" for position in (1, 2, 3)]


@pytest.mark.parametrize(
    ("changes", "code", "path"),
    [
        ({"features": [{"columns": "rooms"}, {"columns": "city", "steps": ["TfidfVectorizer()"]}]},
         "missing_text", "features[1].steps[0]"),
        ({"features": [{"columns": ["rooms", "age"], "steps": ["StandardScaler()", "PCA(7)"]}]},
         "too_few_features", "features[0].steps[1]"),
        ({"features": [{"columns": ["owner"], "steps": ["OrdinalEncoder()"]}],
          "prepare": [{"derive": {"owner": "owner || note"}}]},
         "unknown_category", "features[0].steps[0]"),
        ({"features": [{"columns": ["age"], "steps": ["ToCategorical()"]}]},
         "not_categories", "features[0].steps[0]"),
        ({"model": "make_pipeline(StandardScaler(), NMF(1), Ridge())"}, "negative_values",
         "model"),
        ({"features": [{"columns": ["rooms", "sold_at"]}]}, "date_in_numeric_model", "model"),
        ({"features": [{"columns": ["rooms"]}], "remainder": "passthrough"},
         "text_in_numeric_model", "model"),
        ({"features": [{"columns": ["x"]}], "prepare": [{"derive": {"x": "age * 1e308 * 1e308"}}]},
         "infinite_values", "model"),
        ({"target": "price", "model": "LogisticRegression()", "metrics": ["accuracy"]},
         "target_not_classes", "model"),
        ({"sample_weight": "area", "model": "Lasso()"}, "invalid_weights", "model"),
        ({"sample_weight": "weight", "model": "KNeighborsRegressor()"},
         "sample_weight_unsupported", "model"),
        ({"target": {"column": "x", "transform": "sqrt"}, "prepare": [{"derive": {"x": "-price"}}]},
         "target_transform_domain", "target.transform"),
        ({"metrics": ["rmsle"], "target": "x", "prepare": [{"derive": {"x": "-price"}}]},
         "metric_domain", "metrics[0]"),
        ({"prepare": [{"derive": {"x": "cast(note as integer)"}}], "features": [{"columns": "x"}]},
         "data_error", "prepare"),
    ],
)  # fmt: skip
def test_failures_name_their_place(engine: Engine, changes: Spec, code: str, path: str) -> None:
    """Not first in the batch, and behind pipelines that share what does not fail."""
    answers = engine.run(spec(), spec(model="Lasso()"), spec(**changes), cv=CV)
    assert [answer.error for answer in answers[:2]] == [None, None]
    error = answers[2].error
    assert error is not None
    assert (error["code"], error["path"]) == (code, f"pipelines[2].{path}")
    assert error["hint"]


def test_failures_of_the_split_are_the_evaluations(engine: Engine) -> None:
    classes = spec(target="grade", model="LogisticRegression()", metrics=["accuracy"])
    error = engine.one(classes, cv="StratifiedKFold(80)").error
    assert error is not None
    assert (error["code"], error["path"]) == ("too_few_class_members", "evaluate.cv")


def test_a_step_that_a_rule_moved_keeps_its_place(engine: Engine) -> None:
    """Behind a hoisted transformer too."""
    features = [{"columns": "weight", "steps": ["FunctionTransformer(sqrt)"]}]
    model = "make_pipeline(Normalizer(), PCA(4), Lasso())"
    answer = engine.run(spec(), spec(features=features, model=model), cv=CV)[1]
    assert answer.error is not None
    assert (answer.error["code"], answer.error["path"]) == (
        "too_few_features",
        "pipelines[1].model",
    )
    missing = engine.one(
        spec(prepare=[{"derive": {"w": "nullif(weight, 1.0)"}}], features=[
            {"columns": ["area"], "steps": ["FunctionTransformer(sqrt)", "Binarizer()"]}]), cv=CV
    )  # fmt: skip
    assert missing.error is not None
    assert missing.error["path"] == "pipelines[0].features[0].steps[1]"


def test_a_failed_shared_step_fails_all_that_need_it(engine: Engine) -> None:
    features = [{"columns": NUMBERS, "steps": ["StandardScaler()", "PCA(2)"]}]
    answers = engine.run(
        spec(features=features, model="Lasso()"), spec(features=features, model="Lasso(2)"), cv=CV
    )
    for position, answer in enumerate(answers):
        assert answer.error is not None
        assert answer.error["code"] == "missing_values"
        assert answer.error["path"] == f"pipelines[{position}].features[0].steps[1]"


def test_stored_blocks_give_the_same_scores(engine: Engine) -> None:
    features = [{"columns": NUMBERS, "steps": ["SimpleImputer()"]},
                {"columns": ["owner"], "steps": ["TargetEncoder()"]}]  # fmt: skip
    batch = [spec(features=features, model=f"Lasso(alpha={alpha})") for alpha in (1, 2)]
    fresh = engine.run(*batch, cv=CV)
    again = engine.run(*batch, cv=CV, fresh=False)
    assert [answer.scores for answer in again] == [answer.scores for answer in fresh]
    other = [{**one, "metrics": ["rmse", "r2"]} for one in batch]
    assert [a["r2"] for a in engine.run(*other, cv=CV, fresh=False)] == [a["r2"] for a in fresh]
