"""Fits and predictions: labels, categories, early stopping, as the plain libraries give them."""

from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.base import clone
from sklearn.datasets import load_iris, make_regression
from sklearn.ensemble import HistGradientBoostingRegressor, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import LabelEncoder, StandardScaler
from sklearn.svm import SVC
from xgboost import XGBClassifier, XGBRegressor

from executor.models import FittedModel, fit_model, inverse, predict
from planner import expressions
from planner.errors import DataError, ExecutionError
from planner.ops import Fit, Method, Task
from tests.inprocess import operators
from tests.oracle import LGBM, XGB

IRIS, SPECIES = load_iris(return_X_y=True)
TRAIN = np.arange(len(IRIS)) % 3 > 0
BOTH: tuple[Method, ...] = ("decision_function", "predict_proba")
LABELS: dict[str, Any] = {
    "codes": np.array([0, 1, 2]),
    "gaps": np.array([-5, 10, 2**60]),
    "text": np.array(["é", "a", "Z"], dtype=object),
    "floats": np.array([0.0, 1.0, 2.0]),
}


def fitted(
    model: str,
    x: Any,
    y: Any,
    valid: Any,
    task: Task = "regression",
    watched: Any = None,
    weight: Any = None,
    transformer: Any = None,
    **op: Any,
) -> FittedModel:
    call = expressions.parse(model, operators())
    return fit_model(Fit(call, task, **op), x, y, weight, valid, watched, transformer)


def regression(rows: int = 120) -> tuple[Any, Any, Any, Any]:
    x, y = make_regression(rows, 5, noise=20, random_state=3)
    return x[: rows // 2], y[: rows // 2], x[rows // 2 :], y[rows // 2 :]


# -- classes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("XGBClassifier(n_estimators=4)", XGBClassifier(n_estimators=4, **XGB)),
        ("LGBMClassifier(n_estimators=4)", LGBMClassifier(n_estimators=4, **LGBM)),
        ("LogisticRegression(max_iter=500)", LogisticRegression(max_iter=500)),
        (
            "GridSearchCV(XGBClassifier(n_estimators=3), {'max_depth': [1, 2]}, cv=2)",
            GridSearchCV(XGBClassifier(n_estimators=3, **XGB), {"max_depth": [1, 2]}, cv=2),
        ),
        (
            "VotingClassifier([('x', XGBClassifier(n_estimators=3)), "
            "('l', LogisticRegression(max_iter=500))], voting='soft')",
            VotingClassifier(
                [("x", XGBClassifier(n_estimators=3, **XGB)),
                 ("l", LogisticRegression(max_iter=500))],
                voting="soft",
            ),
        ),
    ],
)  # fmt: skip
def test_labels_of_any_type_are_encoded_in_sorted_order(kind: str, text: str, model: Any) -> None:
    y = LABELS[kind][SPECIES]
    encoder = LabelEncoder().fit(y)
    reference = clone(model).fit(IRIS[TRAIN], encoder.transform(y[TRAIN]))
    made = fitted(text, IRIS[TRAIN], y[TRAIN], IRIS[~TRAIN], "multiclass")
    values, method, classes = predict(made, ("predict_proba",))
    assert method == "predict_proba"
    assert np.asarray(classes).tolist() == sorted(LABELS[kind].tolist())
    np.testing.assert_allclose(values, reference.predict_proba(IRIS[~TRAIN]), rtol=1e-7)
    labels, _, _ = predict(made, ("predict",))
    wanted = encoder.inverse_transform(np.asarray(reference.predict(IRIS[~TRAIN]), dtype=int))
    assert labels.tolist() == wanted.tolist()


def test_boolean_classes() -> None:
    y = SPECIES == 1
    for model in ("XGBClassifier(n_estimators=3)", "LGBMClassifier(n_estimators=3)",
                  "LogisticRegression()"):  # fmt: skip
        made = fitted(model, IRIS[TRAIN], y[TRAIN], IRIS[~TRAIN], "binary")
        values, _, classes = predict(made, ("predict",))
        assert set(values.tolist()) <= {True, False}
        assert np.asarray(classes).tolist() == [False, True]


def test_a_class_that_a_fold_lacks_leaves_no_gap() -> None:
    """XGBoost wants 0..k-1 of the rows it is given."""
    y = LABELS["text"][SPECIES]
    rows = TRAIN & (SPECIES != 1)
    made = fitted("XGBClassifier(n_estimators=3)", IRIS[rows], y[rows], IRIS, "multiclass")
    values, _, classes = predict(made, ("predict",))
    assert np.asarray(classes).tolist() == ["Z", "é"]
    assert set(values) == {"Z", "é"}


def test_the_first_response_that_the_model_has_is_asked_for() -> None:
    y = SPECIES[SPECIES < 2]
    x = IRIS[SPECIES < 2]
    for text, model, method in (
        ("LogisticRegression()", LogisticRegression(), "decision_function"),
        ("SVC()", SVC(), "decision_function"),
        ("RandomForestClassifier(n_estimators=2, random_state=0)", None, "predict_proba"),
    ):
        values, used, _ = predict(fitted(text, x, y, x, "binary"), BOTH)
        assert used == method
        if model is not None:
            np.testing.assert_allclose(values, model.fit(x, y).decision_function(x))


def test_a_response_that_the_model_lacks_is_a_mismatch() -> None:
    made = fitted("RidgeClassifier()", IRIS, SPECIES, IRIS, "multiclass")
    np.testing.assert_array_equal(
        predict(made, ("predict",))[0], RidgeClassifier().fit(IRIS, SPECIES).predict(IRIS)
    )
    with pytest.raises(ExecutionError) as raised:
        predict(made, ("predict_proba",))
    assert raised.value.code == "metric_mismatch"


# -- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["log1p", "log", "sqrt", "expm1"])
def test_element_wise_transforms_are_undone(function: str) -> None:
    x, _, valid, _ = regression()
    y = np.linspace(0.1, 3, len(x))
    mapped = getattr(np, function)(y)
    made = fitted("LinearRegression()", x, mapped, valid, function=function)
    found, method, classes = predict(made, ("predict",))
    wanted = inverse(function, LinearRegression().fit(x, mapped).predict(valid))
    np.testing.assert_allclose(found, wanted)
    assert (method, classes) == ("predict", None)
    np.testing.assert_allclose(inverse(function, mapped), y)


def test_a_fitted_transform_is_undone() -> None:
    x, y, valid, _ = regression()
    scaler = StandardScaler().fit(y.reshape(-1, 1))
    scaled = scaler.transform(y.reshape(-1, 1)).ravel()
    found, _, _ = predict(
        fitted("LinearRegression()", x, scaled, valid, transformer=scaler), ("predict",)
    )
    np.testing.assert_allclose(found, LinearRegression().fit(x, y).predict(valid))


def test_predictions_of_one_column_are_flat() -> None:
    x, y, valid, _ = regression()
    found, _, _ = predict(fitted("PLSRegression(2)", x, y, valid), ("predict",))
    assert found.shape == (len(valid),)


def test_predictions_must_be_finite() -> None:
    x, y, valid, _ = regression()
    made = fitted("LinearRegression()", x, y * 1e6, valid, function="log1p")
    with np.errstate(over="ignore"), pytest.raises(ExecutionError) as raised:
        predict(made, ("predict",))
    assert raised.value.code == "non_finite_predictions"


def test_weights_go_to_the_fit() -> None:
    x, y, valid, _ = regression()
    weight = np.linspace(0.1, 3, len(y))
    found, _, _ = predict(fitted("LinearRegression()", x, y, valid, weight=weight), ("predict",))
    wanted = LinearRegression().fit(x, y, sample_weight=weight).predict(valid)
    np.testing.assert_allclose(found, wanted)


# -- boosters ---------------------------------------------------------------------------------


def test_boosters_do_not_see_column_names() -> None:
    x, y, valid, _ = regression()
    names = ["a b", 'c"d', "[e]", "f<", "{g}: ,"]
    frame, other = (pd.DataFrame(part, columns=names) for part in (x, valid))
    for model in ("LGBMRegressor(n_estimators=3)", "XGBRegressor(n_estimators=3)"):
        found, _, _ = predict(fitted(model, frame, y, other), ("predict",))
        wanted, _, _ = predict(fitted(model, x, y, valid), ("predict",))
        np.testing.assert_array_equal(found, wanted)


def categorical(rows: int = 200) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    city = rng.choice(list("abcdefgh"), rows)
    frame = pd.DataFrame({"<city>": pd.Categorical(city), "x": rng.normal(size=rows)})
    return frame, np.array([ord(c) % 5 for c in city]) + frame["x"].to_numpy()


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("LGBMRegressor(n_estimators=8, min_child_samples=5)",
         LGBMRegressor(n_estimators=8, min_child_samples=5, **LGBM)),
        ("XGBRegressor(n_estimators=8)",
         XGBRegressor(n_estimators=8, enable_categorical=True, **XGB)),
        ("HistGradientBoostingRegressor(max_iter=8, random_state=0)",
         HistGradientBoostingRegressor(max_iter=8, random_state=0)),
    ],
)  # fmt: skip
def test_native_categories_reach_the_model(text: str, model: Any) -> None:
    frame, y = categorical()
    train, valid = frame.iloc[:150], frame.iloc[150:]
    found, _, _ = predict(fitted(text, train, y[:150], valid), ("predict",))
    plain = {"<city>": "city"}
    wanted = model.fit(train.rename(columns=plain), y[:150]).predict(valid.rename(columns=plain))
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    codes = frame.assign(**{"<city>": frame["<city>"].cat.codes}).to_numpy()
    numeric, _, _ = predict(fitted(text, codes[:150], y[:150], codes[150:]), ("predict",))
    assert not np.allclose(found, numeric)


# -- early stopping ---------------------------------------------------------------------------


def test_lightgbm_stops_where_it_would_alone() -> None:
    x, y, valid, watched = regression()
    made = fitted("LGBMRegressor(n_estimators=300, min_child_samples=3)", x, y, valid,
                  watched=(valid, watched), stop_rounds=5)  # fmt: skip
    model = LGBMRegressor(n_estimators=300, min_child_samples=3, **LGBM)
    model.fit(
        x, y, eval_set=[(valid, watched)], callbacks=[lightgbm.early_stopping(5, verbose=False)]
    )
    assert 0 < made.estimator.best_iteration_ == model.best_iteration_ < 300
    np.testing.assert_array_equal(predict(made, ("predict",))[0], model.predict(valid))


def test_lightgbm_watches_only_the_metric_it_is_told() -> None:
    x, y, valid, watched = regression()
    made = fitted("LGBMRegressor(n_estimators=60, min_child_samples=3)", x, y, valid,
                  watched=(valid, watched), stop_rounds=5, stop_metric="mape")  # fmt: skip
    assert list(made.estimator.evals_result_["valid_0"]) == ["mape"]


def test_xgboost_stops_where_it_would_alone() -> None:
    x, y, valid, watched = regression()
    made = fitted("XGBRegressor(n_estimators=300)", x, y, valid, watched=(valid, watched),
                  stop_rounds=5, stop_metric="mae")  # fmt: skip
    model = XGBRegressor(n_estimators=300, early_stopping_rounds=5, eval_metric="mae", **XGB)
    model.fit(x, y, eval_set=[(valid, watched)], verbose=False)
    assert 0 < made.estimator.best_iteration == model.best_iteration < 300
    np.testing.assert_array_equal(predict(made, ("predict",))[0], model.predict(valid))


def test_inner_rows_are_those_of_train_test_split() -> None:
    y = LABELS["text"][SPECIES]
    made = fitted(
        "LGBMClassifier(n_estimators=200, random_state=4, min_child_samples=2)",
        IRIS[TRAIN], y[TRAIN], IRIS[~TRAIN], "multiclass",
        weight=np.linspace(1, 2, int(TRAIN.sum())), stop_rounds=4, stop_inner=0.25,
    )  # fmt: skip
    x_fit, x_stop, y_fit, y_stop, w_fit, _ = train_test_split(
        IRIS[TRAIN], y[TRAIN], np.linspace(1, 2, int(TRAIN.sum())),
        test_size=0.25, random_state=4, stratify=y[TRAIN],
    )  # fmt: skip
    model = LGBMClassifier(n_estimators=200, random_state=4, min_child_samples=2, **LGBM)
    model.fit(
        x_fit, y_fit, sample_weight=w_fit, eval_set=[(x_stop, y_stop)],
        callbacks=[lightgbm.early_stopping(4, verbose=False)],
    )  # fmt: skip
    assert made.estimator.best_iteration_ == model.best_iteration_
    found = predict(made, ("predict_proba",))[0]
    np.testing.assert_array_equal(found, model.predict_proba(IRIS[~TRAIN]))


@pytest.mark.parametrize("model", ["XGBClassifier(n_estimators=5)", "LGBMClassifier()"])
def test_watched_rows_of_an_unknown_class_are_an_error(model: str) -> None:
    y = LABELS["text"][SPECIES]
    rows = SPECIES != 2
    with pytest.raises(DataError) as raised:
        fitted(model, IRIS[rows], y[rows], IRIS, "binary", watched=(IRIS, y), stop_rounds=3)
    assert raised.value.code == "unseen_class_in_fold"
    assert "'Z'" in raised.value.message


@pytest.mark.parametrize(
    "model",
    ["XGBClassifier(n_estimators=30)", "LGBMClassifier(n_estimators=30, min_child_samples=3)"],
)
def test_labels_that_are_watched_are_encoded_too(model: str) -> None:
    y = LABELS["text"][SPECIES]
    watched = (IRIS[~TRAIN], y[~TRAIN])
    text = fitted(model, IRIS[TRAIN], y[TRAIN], IRIS[~TRAIN], "multiclass",
                  watched=watched, stop_rounds=3)  # fmt: skip
    order = np.argsort(np.argsort(LABELS["text"]))[SPECIES]
    codes = fitted(model, IRIS[TRAIN], order[TRAIN], IRIS[~TRAIN], "multiclass",
                   watched=(IRIS[~TRAIN], order[~TRAIN]), stop_rounds=3)  # fmt: skip
    found, wanted = (predict(made, ("predict_proba",))[0] for made in (text, codes))
    np.testing.assert_array_equal(found, wanted)


def test_other_models_take_no_early_stopping() -> None:
    x, y, valid, watched = regression()
    with pytest.raises(ExecutionError) as raised:
        fitted("Lasso()", x, y, valid, watched=(valid, watched), stop_rounds=3)
    assert raised.value.code == "early_stopping_unsupported"
