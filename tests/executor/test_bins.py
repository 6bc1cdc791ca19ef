"""Fits on shared bins are, to the last bit, those of the estimator's own `fit`."""

from collections.abc import Iterator
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lightgbm import LGBMRegressor
from threadpoolctl import threadpool_limits

from executor import bins
from executor.construct import construct
from planner import expressions
from tests.inprocess import Engine, operators
from tests.oracle import LGBM
from tests.planner.planning_cases import CV, RIDGE, expected, flats


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    bins._cache.clear()
    with threadpool_limits(1):
        yield
    bins._cache.clear()


def rows(seed: int = 0, n: int = 300, gaps: bool = True) -> tuple[Any, np.ndarray, Any]:
    """Training features, a continuous signal, validation features."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n + 80, 6))
    x[:, 3] = np.round(x[:, 3])
    y = 2 * x[:, 0] + np.sin(3 * x[:, 1]) + x[:, 2] * x[:, 3] + rng.normal(size=len(x))
    if gaps:
        x[rng.random(x.shape) < 0.1] = np.nan
    return x[:n], y[:n], x[n:]


def made(model: str) -> Any:
    return construct(expressions.parse(model, operators()))


def agrees(model: str, x: Any, y: Any, valid: Any, weight: Any = None) -> None:
    """Asserts that the fit is served, and answers as the estimator's own."""
    assert bins.serves(made(model), x, y, weight), model
    found = bins.fit(made(model), x, y, weight)
    own = made(model).fit(x, y, sample_weight=weight)
    np.testing.assert_array_equal(found.predict(valid), own.predict(valid))
    if isinstance(own, lightgbm.LGBMClassifier):
        np.testing.assert_array_equal(found.classes_, own.classes_)
        np.testing.assert_array_equal(found.predict_proba(valid), own.predict_proba(valid))
        few = own.predict_proba(valid, num_iteration=3)
        np.testing.assert_array_equal(found.predict_proba(valid, num_iteration=3), few)
    few = own.predict(valid, num_iteration=3)
    np.testing.assert_array_equal(found.predict(valid, num_iteration=3), few)


REGRESSORS = (
    "|num_leaves=7, learning_rate=0.3|subsample=0.6, subsample_freq=1, colsample_bytree=0.5|"
    "max_depth=3, reg_alpha=1.0, reg_lambda=2.0|objective='quantile', alpha=0.8|"
    "objective='mae'|objective='huber'|boosting_type='goss', learning_rate=0.5|"
    "boosting_type='dart'|boosting_type='rf', subsample=0.6, subsample_freq=1|extra_trees=True|"
    "path_smooth=3.0|max_delta_step=0.3|feature_fraction_bynode=0.5|min_split_gain=0.2|"
    "boost_from_average=False|min_child_samples=5|max_bin=16|random_state=3, subsample_for_bin=90|"
    "min_data_in_bin=9|"
).split("|")


def test_regressors_one_after_the_other_on_the_same_bins() -> None:
    x, y, valid = rows()
    for model in (*REGRESSORS, *reversed(REGRESSORS)):
        agrees(f"LGBMRegressor({'n_estimators=25, ' * 1}{model})", x, y, valid)
    # The usual ones, and one each for the five parameters that bins depend on.
    assert len(bins._cache) == 5


def test_targets_and_weights_are_those_of_the_fit() -> None:
    x, y, valid = rows()
    weight = np.random.default_rng(1).uniform(0, 2, len(y))
    for target in (y, np.exp(y), np.round(y).astype(int)):
        for given_weight in (None, weight, np.ones(len(y)), None, (weight * 3).astype(int)):
            agrees("LGBMRegressor(n_estimators=10)", x, target, valid, given_weight)
    agrees("LGBMRegressor(n_estimators=10, objective='poisson')", x, np.exp(y), valid, weight)
    assert len(bins._cache) == 1


LABELS: dict[str, Any] = {
    "codes": np.array([0, 1, 2]),
    "gaps": np.array([-5, 10, 2**60]),
    "text": np.array(["é", "a", "Z"], dtype=object),
    "floats": np.array([0.0, 3.0, 2.0]),
}


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("classes", [2, 3])
def test_classifiers(kind: str, classes: int) -> None:
    x, signal, valid = rows()
    y = LABELS[kind][np.digitize(signal, [-0.5, 1.0][: classes - 1])]
    weight = np.random.default_rng(1).uniform(0, 2, len(y))
    names = LABELS[kind][:classes].tolist()
    weights = ", ".join(f"{name!r}: {place + 1}.5" for place, name in enumerate(names))
    for model in (
        "",
        "class_weight='balanced', num_leaves=5",
        f"class_weight={{{weights}}}",
        "subsample=0.5, subsample_freq=1",
        *(["is_unbalance=True", "objective='cross_entropy'"] if classes == 2 else []),
        *(["objective='multiclassova'"] if classes == 3 else []),
    ):
        if "cross_entropy" in model and kind != "codes":
            continue
        for given_weight in (None, weight):
            agrees(f"LGBMClassifier(n_estimators=8, {model})", x, y, valid, given_weight)
    assert len(bins._cache) == 1


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_grids_on_the_same_rows(data: st.DataObject) -> None:
    x, y, valid = rows(data.draw(st.integers(0, 3)), data.draw(st.integers(30, 200)))
    if data.draw(st.booleans()):
        x = np.asfortranarray(x)
    if data.draw(st.booleans()):
        x, valid = x.astype(np.float32), valid.astype(np.float32)
    for _ in range(3):
        params = {
            "n_estimators": data.draw(st.integers(3, 20)),
            "num_leaves": data.draw(st.sampled_from([3, 15])),
            "learning_rate": data.draw(st.sampled_from([0.05, 0.5])),
            "min_child_samples": data.draw(st.sampled_from([1, 20])),
            "subsample": data.draw(st.sampled_from([0.4, 1.0])),
            "subsample_freq": data.draw(st.integers(0, 2)),
            "random_state": data.draw(st.integers(0, 2)),
        }
        text = ", ".join(f"{name}={value}" for name, value in params.items())
        agrees(f"LGBMRegressor({text})", x, y, valid)


def test_bins_are_of_the_rows_they_were_made_of() -> None:
    x, y, valid = rows()
    agrees("LGBMRegressor(n_estimators=5)", x, y, valid)
    (dataset,) = bins._cache.values()
    agrees("LGBMRegressor(n_estimators=5, num_leaves=4)", x.copy(), y, valid)
    (again,) = bins._cache.values()
    assert again is dataset
    other = x.copy()
    other[17, 2] += 1.0
    agrees("LGBMRegressor(n_estimators=5)", other, y, valid)
    agrees("LGBMRegressor(n_estimators=5)", x[:-1], y[:-1], valid)
    agrees("LGBMRegressor(n_estimators=5)", x.reshape(-1, 3), np.repeat(y, 2), valid[:, :3])
    assert len(bins._cache) == 4


def test_old_bins_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bins._cache, "limit", 4 * 2 * 300 * 6)
    for seed in range(6):
        x, y, valid = rows(seed)
        agrees("LGBMRegressor(n_estimators=3)", x, y, valid)
    assert len(bins._cache) == 4
    monkeypatch.setattr(bins._cache, "limit", 100)
    x, y, valid = rows(9)
    agrees("LGBMRegressor(n_estimators=3)", x, y, valid)
    assert len(bins._cache) == 0  # there is no room for the others either, now


def test_a_batch_makes_the_bins_of_a_fold_once(engine: Engine) -> None:
    spec = {**RIDGE, "metrics": ["rmse"]}
    models = [
        f"LGBMRegressor(n_estimators=5, num_leaves={leaves}, learning_rate={rate})"
        for leaves in (3, 7)
        for rate in (0.05, 0.2)
    ]
    answers = engine.run(*[{**spec, "model": model} for model in models], cv=CV)
    assert [answer.error for answer in answers] == [None] * 4
    assert len(bins._cache) == 3
    wanted = LGBMRegressor(n_estimators=5, num_leaves=7, learning_rate=0.2, random_state=0, **LGBM)
    frame = flats()
    found = expected(wanted, frame[["rooms", "age"]], frame["price"], "neg_root_mean_squared_error")
    assert answers[3]["rmse"] == [-score for score in found]


@pytest.mark.parametrize(
    "model",
    [
        "LGBMRegressor(linear_tree=True)",
        "LGBMRegressor(categorical_feature=[1])",
        "LGBMRegressor(monotone_constraints=[1, 0, 0, 0, 0, 0])",
        "LGBMRegressor(force_row_wise=True)",
        "LGBMRegressor(use_quantized_grad=True)",
        "XGBRegressor()",
        "HistGradientBoostingRegressor()",
    ],
)
def test_other_models_are_left_to_their_libraries(model: str) -> None:
    x, y, _ = rows()
    assert not bins.serves(made(model), x, y, None)
    assert bins.serves(made("LGBMRegressor()"), x, y, None)


def test_other_data_are_left_to_the_library() -> None:
    x, y, _ = rows()
    regressor, classifier = made("LGBMRegressor()"), made("LGBMClassifier()")
    labels = np.where(y > 0, "a", "b").astype(object)
    assert bins.serves(classifier, x, labels, None)
    assert not bins.serves(classifier, x, y, None)
    assert not bins.serves(regressor, x, labels, None)
    assert not bins.serves(regressor, x, np.where(y > 1, np.inf, y), None)
    assert not bins.serves(regressor, x, y, np.where(y > 1, np.nan, 1.0))
    assert not bins.serves(regressor, pd.DataFrame(x), y, None)
    assert not bins.serves(regressor, x.astype(object), y, None)
    assert not bins.serves(regressor, x[:1], y[:1], None)
    mixed = np.array(["a", 1] * (len(y) // 2), dtype=object)
    assert not bins.serves(classifier, x, mixed, None)
    assert not bins.serves(classifier, x, np.zeros(len(y), dtype=int), None)
