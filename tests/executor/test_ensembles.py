"""The beginning of a fitted ensemble is the model that fewer rounds or trees would have given."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from executor.ensembles import METHODS, complete, first
from executor.features import same_categories
from executor.models import FittedModel, fit_model, predict
from planner import expressions
from planner.expressions import Call, with_params
from planner.ops import Fit, Method, Task
from planner.rules.prefixes import GROWING
from tests.inprocess import operators

SIZES = (1, 3, 8, 15)


def table(
    task: Task, rows: int, seed: int, gaps: bool, categories: bool
) -> tuple[Any, np.ndarray, Any, np.ndarray]:
    """Training features and targets, validation features, training weights."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 5))
    x[:, 3] = np.round(x[:, 3])
    signal = 2 * x[:, 0] + np.sin(3 * x[:, 1]) + x[:, 2] * x[:, 3] + rng.normal(size=rows)
    if task != "regression":
        signal = np.digitize(signal, [0.2] if task == "binary" else [-1, 0.5, 1.5])
    if gaps:
        x[rng.random(x.shape) < 0.1] = np.nan
    cut = rows * 2 // 3
    weight = rng.uniform(0.1, 3, cut)
    if not categories:
        return x[:cut], signal[:cut], x[cut:], weight
    frame = pd.DataFrame(x, columns=list("abcde"))
    frame["kind"] = pd.Categorical(rng.choice(list("pqrstuvw"), rows))
    train, valid = same_categories(frame.iloc[:cut], frame.iloc[cut:])
    return train, signal[:cut], valid, weight


def prefixes(
    model: str,
    task: Task,
    sizes: tuple[int, ...] = SIZES,
    *,
    rows: int = 360,
    seed: int = 0,
    gaps: bool = False,
    categories: bool = False,
    weighted: bool = False,
) -> bool:
    """Asserts that every beginning of the largest model answers as a model of its own, exactly,
    and that the rule serves `model`; whether the largest was complete, so that it was asked."""
    call = with_params(expressions.parse(model, operators()), random_state=seed)
    growing = GROWING[call.name]
    for name, value in call.params:
        assert growing.allows(name, value), name
    x, y, valid, weight = table(task, rows, seed, gaps, categories)

    def fit(size: int) -> FittedModel:
        grown: Call = with_params(call, **{growing.parameter: size})
        op = Fit(grown, task, None, weighted)
        return fit_model(op, x, y, weight if weighted else None, valid, None, None)

    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")
        largest = fit(sizes[-1])
        if not complete(largest.estimator, sizes[-1]):
            return False
        for size in sizes:
            own = fit(size)
            part = replace(largest, estimator=first(largest.estimator, size))
            methods: tuple[Method, ...] = METHODS
            for method in methods:
                assert hasattr(part.estimator, method) == hasattr(own.estimator, method)
                if hasattr(own.estimator, method):
                    found, wanted = (predict(made, (method,))[0] for made in (part, own))
                    np.testing.assert_array_equal(found, wanted, err_msg=f"{size} {method}")
    return True


LIGHTGBM = (
    "subsample=0.6, subsample_freq=1|subsample=0.5, subsample_freq=3, colsample_bytree=0.5|"
    "boosting_type='goss', learning_rate=0.5|data_sample_strategy='goss', learning_rate=0.5|"
    "extra_trees=True|path_smooth=3.0|max_delta_step=0.3|feature_fraction_bynode=0.5|"
    "max_bin=16|reg_alpha=1.0, reg_lambda=2.0|min_split_gain=0.1|boost_from_average=False"
).split("|")
XGBOOST = (
    "subsample=0.6|subsample=0.6, colsample_bytree=0.5, colsample_bylevel=0.7|"
    "tree_method='exact', subsample=0.7|tree_method='approx', subsample=0.7|max_bin=16|"
    "num_parallel_tree=3, subsample=0.6|max_leaves=9, grow_policy='lossguide'|gamma=1.0|"
    "seed_per_iteration=True, subsample=0.5|max_delta_step=0.4|base_score=0.5"
).split("|")
LISTED = [
    *(("LGBMRegressor", "regression", text) for text in LIGHTGBM),
    *(("LGBMRegressor", "regression", f"objective='{name}'")
      for name in ("quantile", "mae", "huber", "fair")),
    ("LGBMRegressor", "regression", "monotone_constraints=[1, 0, 0, 0, 0]"),
    ("LGBMRegressor", "regression", "linear_tree=True"),
    ("LGBMRegressor", "regression", "boosting_type='rf', subsample=0.6, subsample_freq=1"),
    ("LGBMClassifier", "multiclass", "boosting_type='rf', subsample=0.6, subsample_freq=1"),
    ("LGBMClassifier", "binary", "class_weight='balanced'"),
    ("LGBMClassifier", "binary", "is_unbalance=True"),
    ("LGBMClassifier", "binary", "pos_bagging_fraction=0.5, subsample_freq=1"),
    ("LGBMClassifier", "multiclass", "objective='multiclassova'"),
    *(("XGBRegressor", "regression", text) for text in XGBOOST),
    *(("XGBRegressor", "regression", f"objective='reg:{name}'")
      for name in ("absoluteerror", "pseudohubererror", "quantileerror', quantile_alpha='0.8")),
    ("XGBClassifier", "binary", "scale_pos_weight=3.0"),
    *(("GradientBoostingRegressor", "regression", text)
      for text in ("subsample=0.6", "loss='quantile', alpha=0.8", "loss='huber'", "init='zero'",
                   "max_features=0.5", "ccp_alpha=0.01", "loss='absolute_error'")),
    ("GradientBoostingClassifier", "binary", "loss='exponential', subsample=0.5"),
    ("GradientBoostingClassifier", "multiclass", "subsample=0.6, max_features='sqrt'"),
    *(("HistGradientBoostingRegressor", "regression", text)
      for text in ("max_features=0.5", "loss='quantile', quantile=0.8", "loss='absolute_error'",
                   "max_bins=16, l2_regularization=1.0", "monotonic_cst=[1, 0, 0, 0, 0]",
                   "early_stopping=False")),
    ("HistGradientBoostingClassifier", "multiclass", "class_weight='balanced'"),
    *((name, "regression", text) for name in ("RandomForestRegressor", "ExtraTreesRegressor")
      for text in ("bootstrap=True, max_samples=0.5", "bootstrap=False", "max_features=0.5",
                   "ccp_alpha=0.01, max_depth=6", "monotonic_cst=[1, 0, 0, 0, 0]")),
    *((name, "multiclass", f"class_weight='{kind}', bootstrap=True")
      for name in ("RandomForestClassifier", "ExtraTreesClassifier")
      for kind in ("balanced", "balanced_subsample")),
    *(("AdaBoostRegressor", "regression", text)
      for text in ("loss='square'", "loss='exponential', learning_rate=0.5",
                   "estimator=DecisionTreeRegressor(max_depth=6)", "estimator=Ridge()")),
    *(("AdaBoostClassifier", task, f"estimator={text}") for task in ("binary", "multiclass")
      for text in ("DecisionTreeClassifier(max_depth=3)", "DecisionTreeClassifier()")),
    *(("BaggingRegressor", "regression", text)
      for text in ("max_features=0.6, bootstrap_features=True", "bootstrap=False, max_samples=0.5",
                   "estimator=Ridge()")),
    ("BaggingClassifier", "binary", "estimator=SVC()"),
    ("BaggingClassifier", "multiclass", "estimator=XGBClassifier(n_estimators=3)"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "task", "text"), LISTED)
def test_beginnings_under_each_parameter(name: str, task: Task, text: str) -> None:
    assert prefixes(f"{name}({text})", task)
    weighted = not text.startswith("estimator=")
    gaps = name.startswith(("LGBM", "XGB", "Hist")) and "linear_tree" not in text
    assert prefixes(f"{name}({text})", task, seed=1, gaps=gaps, weighted=weighted)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("name", ["LGBM", "XGB", "HistGradientBoosting"])
def test_beginnings_with_categories(name: str, task: Task) -> None:
    kind = "Regressor" if task == "regression" else "Classifier"
    assert prefixes(f"{name}{kind}()", task, categories=True, gaps=True)


TASKS: tuple[Task, ...] = ("regression", "binary", "multiclass")
FAMILIES = sorted({name.removesuffix("Regressor").removesuffix("Classifier") for name in GROWING})


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
@pytest.mark.parametrize("family", FAMILIES)
def test_beginnings_of_random_models(family: str, data: st.DataObject) -> None:
    task = data.draw(st.sampled_from(TASKS))
    share = st.sampled_from([0.3, 0.5, 0.8, 1.0])
    params: dict[str, Any] = {}
    if family in ("LGBM", "XGB", "GradientBoosting", "HistGradientBoosting", "AdaBoost"):
        params["learning_rate"] = data.draw(st.sampled_from([0.01, 0.1, 0.7, 1.3]))
    if family in ("LGBM", "XGB"):
        params["colsample_bytree"] = data.draw(share)
        params["reg_lambda"] = data.draw(st.sampled_from([0.0, 2.0]))
    if family in ("LGBM", "XGB", "GradientBoosting"):
        params["subsample"] = data.draw(share)
    if family == "LGBM":
        params["subsample_freq"] = data.draw(st.integers(0, 3))
        params["min_child_samples"] = data.draw(st.sampled_from([1, 5, 20]))
    if family in ("RandomForest", "ExtraTrees", "Bagging"):
        params["bootstrap"] = data.draw(st.booleans())
    if family in ("RandomForest", "ExtraTrees", "HistGradientBoosting", "Bagging"):
        params["max_features"] = data.draw(share)
    if family not in ("AdaBoost", "Bagging"):
        params["max_depth"] = data.draw(st.integers(1, 6))
    kind = "Regressor" if task == "regression" else "Classifier"
    text = ", ".join(f"{name}={value!r}" for name, value in params.items())
    sizes = data.draw(st.sets(st.integers(1, 12), min_size=2, max_size=3))
    prefixes(
        f"{family}{kind}({text})",
        task,
        tuple(sorted(sizes)),
        rows=data.draw(st.integers(40, 120)),
        seed=data.draw(st.integers(0, 1000)),
        gaps=data.draw(st.booleans()) and family in ("LGBM", "XGB", "HistGradientBoosting"),
        weighted=data.draw(st.booleans()),
    )


def fitted(model: str, x: Any, y: Any, task: Task = "regression") -> Any:
    call = expressions.parse(model, operators())
    return fit_model(Fit(call, task), x, y, None, x, None, None).estimator


def test_rounds_that_lightgbm_leaves_out_are_noticed() -> None:
    """So few rows are sampled that some rounds find no split, and later ones do: the trees that
    there are come from rounds that cannot be told."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 3))
    y = x[:, 0] + (x[:, 1] > 1.2) * 5.0
    model = (
        "LGBMRegressor(n_estimators={}, subsample=0.4, subsample_freq=1, min_child_samples=8, "
        "min_split_gain=4.0, learning_rate=0.3, random_state=1)"
    )
    longest = fitted(model.format(60), x, y)
    assert 1 < longest.booster_.current_iteration() < 60
    assert not complete(longest, 60)
    assert not np.array_equal(
        first(longest, 5).predict(x), fitted(model.format(5), x, y).predict(x)
    )
    assert complete(fitted(model.format(1), x, y), 1)


@pytest.mark.parametrize(
    ("model", "rounds"),
    [
        ("HistGradientBoosting{}(early_stopping=True, learning_rate=0.5)", "n_iter_"),
        ("HistGradientBoosting{}(early_stopping=True, n_iter_no_change=2, max_features=0.5)",
         "n_iter_"),
        ("HistGradientBoosting{}(early_stopping=True, validation_fraction=None, tol=0.1)",
         "n_iter_"),
        ("HistGradientBoosting{}(early_stopping=True, scoring='{}', learning_rate=0.5)",
         "n_iter_"),
        ("GradientBoosting{}(n_iter_no_change=4, learning_rate=0.4)", "n_estimators_"),
        ("GradientBoosting{}(n_iter_no_change=3, subsample=0.5, learning_rate=0.5)",
         "n_estimators_"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("task", ["regression", "multiclass"])
def test_beginnings_of_what_stops_early(model: str, rounds: str, task: Task) -> None:
    """It stops at the same round whatever the number, and keeps all until there."""
    kind = "Regressor" if task == "regression" else "Classifier"
    text = model.format(kind, "r2" if task == "regression" else "accuracy")
    x, y, _, _ = table(task, 360, 0, False, False)
    growing = GROWING[text.partition("(")[0]].parameter
    with threadpool_limits(1):
        long = fitted(f"{text[:-1]}, {growing}=60, random_state=0)", x, y, task)
    stopped = int(getattr(long, rounds))
    assert 3 < stopped < 60
    assert prefixes(text, task, (2, stopped - 1, stopped, stopped + 1, 60))
    assert prefixes(text, task, (2, 9, 60), seed=1, weighted=True)


def test_beginnings_of_histogram_boosting_on_many_rows() -> None:
    """Above 10,000 rows "auto" is early stopping."""
    model = "HistGradientBoostingRegressor(n_iter_no_change=2, learning_rate=0.9)"
    assert prefixes(model, "regression", (3, 7, 40), rows=15_100)


def test_an_ensemble_is_not_changed_by_its_beginnings() -> None:
    x, y, _, _ = table("regression", 90, 0, False, False)
    for model in ("RandomForestRegressor(6)", "AdaBoostRegressor(n_estimators=6)"):
        whole = fitted(model, x, y)
        before = whole.predict(x)
        assert not np.array_equal(first(whole, 2).predict(x), before)
        np.testing.assert_array_equal(whole.predict(x), before)
        assert len(whole.estimators_) == 6
