"""XGBoost fits on shared bins are, to the last bit, those of the estimator's own `fit`."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits
from xgboost import XGBRegressor

from executor import quantile_bins
from executor.construct import construct
from planner import expressions
from tests.inprocess import Engine, operators
from tests.planner.planning_cases import CV, RIDGE, expected, flats


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    quantile_bins._cache.clear()
    with threadpool_limits(1):
        yield
    quantile_bins._cache.clear()


def rows(seed: int = 0, n: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training features with gaps, a continuous target, validation features."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n + 80, 6))
    x[:, 3] = np.round(x[:, 3])
    y = 2 * x[:, 0] + np.sin(3 * x[:, 1]) + x[:, 2] * x[:, 3] + rng.normal(size=len(x))
    x[rng.random(x.shape) < 0.1] = np.nan
    return x[:n], y[:n], x[n:]


def made(model: str) -> Any:
    return construct(expressions.parse(model, operators()))


def agrees(model: str, x: Any, y: Any, valid: Any, weight: Any = None) -> None:
    found = quantile_bins.share(made(model)).fit(x, y, sample_weight=weight)
    own = made(model).fit(x, y, sample_weight=weight)
    for name in ("predict", "predict_proba"):
        if hasattr(own, name):
            np.testing.assert_array_equal(getattr(found, name)(valid), getattr(own, name)(valid))
    np.testing.assert_array_equal(
        found.predict(valid, iteration_range=(0, 2)), own.predict(valid, iteration_range=(0, 2))
    )


MODELS = (
    "max_depth=3|learning_rate=0.05, reg_alpha=1.0|subsample=0.6, colsample_bytree=0.5|"
    "grow_policy='lossguide', max_leaves=7|booster='dart', rate_drop=0.3|gamma=0.5|"
    "min_child_weight=20|objective='reg:absoluteerror'|tree_method='hist'|base_score=0.0|"
    "objective='reg:quantileerror', quantile_alpha=0.8|num_parallel_tree=3, subsample=0.5"
).split("|")


def test_models_one_after_the_other_on_the_same_bins() -> None:
    x, y, valid = rows()
    for model in (*MODELS, *reversed(MODELS)):
        agrees(f"XGBRegressor(n_estimators=12, {model})", x, y, valid)
    assert len(quantile_bins._cache) == 1


def test_what_bins_depend_on_tells_them_apart() -> None:
    x, y, valid = rows()
    weight = np.random.default_rng(1).uniform(0.1, 9, len(y))
    for model in ("", "max_bin=8", "missing=0.0"):
        for given_weight in (None, weight, weight * (np.arange(len(y)) % 2)):
            agrees(f"XGBRegressor(n_estimators=6, {model})", x, y, valid, given_weight)
    assert len(quantile_bins._cache) == 9
    agrees("XGBRegressor(n_estimators=6)", x[:-1], y[:-1], valid)
    agrees("XGBRegressor(n_estimators=6)", x.astype(np.float32), y, valid)
    assert len(quantile_bins._cache) == 11


def test_targets_are_those_of_the_fit() -> None:
    x, y, valid = rows()
    for target in (y, np.exp(y), np.round(y).astype(int)):
        agrees("XGBRegressor(n_estimators=6)", x, target, valid)
    for labels in (y > 0, np.digitize(y, [-0.5, 1.0])):
        agrees("XGBClassifier(n_estimators=6)", x, labels.astype(int), valid)
        agrees("XGBClassifier(n_estimators=6, max_depth=2)", x, labels.astype(int), valid)
    assert len(quantile_bins._cache) == 1


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_grids_on_the_same_rows(data: st.DataObject) -> None:
    x, y, valid = rows(data.draw(st.integers(0, 3)), data.draw(st.integers(1, 200)))
    if data.draw(st.booleans()):
        x = np.asfortranarray(x)
    for _ in range(3):
        params = {
            "n_estimators": data.draw(st.integers(3, 12)),
            "max_depth": data.draw(st.sampled_from([1, 5])),
            "learning_rate": data.draw(st.sampled_from([0.05, 0.5])),
            "subsample": data.draw(st.sampled_from([0.4, 1.0])),
            "random_state": data.draw(st.integers(0, 2)),
            "max_bin": data.draw(st.sampled_from([4, 256])),
        }
        text = ", ".join(f"{name}={value}" for name, value in params.items())
        agrees(f"XGBRegressor({text})", x, y, valid)


@pytest.mark.parametrize("method", ["exact", "approx"])
def test_other_tree_methods_are_left_alone(method: str) -> None:
    x, y, valid = rows()
    agrees(f"XGBRegressor(n_estimators=5, tree_method={method!r})", x, y, valid)
    assert len(quantile_bins._cache) == 0


def test_other_data_are_left_to_the_library() -> None:
    x, y, valid = rows()
    frame = pd.DataFrame(x).assign(c=pd.Categorical(["a", "b", "c"] * 100))
    model = "XGBRegressor(n_estimators=5, enable_categorical=True)"
    found = quantile_bins.share(made(model)).fit(frame, y).predict(frame)
    np.testing.assert_array_equal(found, made(model).fit(frame, y).predict(frame))
    agrees("XGBRegressor(n_estimators=5)", x, np.column_stack([y, -y]), valid)
    assert len(quantile_bins._cache) == 0
    with pytest.raises(ValueError, match="not supported"):
        quantile_bins.share(made("XGBRegressor()")).fit(x.astype(str), y)


def test_a_batch_makes_the_bins_of_a_fold_once(engine: Engine) -> None:
    spec = {**RIDGE, "metrics": ["rmse"]}
    depths = (2, 3, 5)
    models = [f"XGBRegressor(n_estimators=5, max_depth={depth})" for depth in depths]
    answers = engine.run(*[{**spec, "model": model} for model in models], cv=CV)
    assert [answer.error for answer in answers] == [None] * 3
    assert len(quantile_bins._cache) == 3  # folds
    frame = flats()
    for depth, answer in zip(depths, answers, strict=True):
        wanted = XGBRegressor(n_estimators=5, max_depth=depth, random_state=0, n_jobs=1)
        features = frame[["rooms", "age"]]
        found = expected(wanted, features, frame["price"], "neg_root_mean_squared_error")
        assert answer["rmse"] == [-score for score in found]
