"""Boosting on categories: trees are those of the libraries, and properties of any table."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from rust_exec import BinnedRows, BoostingModel, KernelInputError, boosting

Floats = np.ndarray
ROUNDS = 3
MODELS = {
    "lightgbm": BoostingModel(stages=(ROUNDS,)),
    "histogram": BoostingModel(
        stages=(ROUNDS,), library="histogram"
    ),
    "xgboost": BoostingModel(
        stages=(ROUNDS,), leaves=None, depth=6, learning_rate=0.3, leaf_rows=1, l2=1.0,
        leaf_curvature=1.0, library="xgboost", category_most=64,
    ),
}  # fmt: skip


def generated(n: int, categories: int, missing: float, seed: int) -> tuple[Floats, Floats]:
    """The last column holds categories, the most frequent first: LightGBM's own numbers."""
    rng = np.random.default_rng(seed)
    x = np.floor(rng.random((n, 3)) * 40)
    sizes = rng.dirichlet(np.ones(categories))
    code = rng.choice(categories, n, p=sizes)
    y = rng.normal(size=categories)[code] * 2 + np.sin(x[:, 0] / 6) + rng.normal(size=n) / 2
    names, counts = np.unique(code, return_counts=True)
    rank = np.empty(categories)
    rank[names[np.argsort(-counts, kind="stable")]] = np.arange(len(names))
    x[:, 2] = rank[code]
    x[rng.random(n) < missing, 2] = np.nan
    return x, y


def frame(x: Floats, categories: int) -> pd.DataFrame:
    found = pd.DataFrame(x, columns=["a", "b", "c"])
    found["c"] = pd.Categorical.from_codes(
        np.where(np.isnan(x[:, 2]), -1, np.nan_to_num(x[:, 2])).astype(int), range(categories)
    )
    return found


def library(
    name: str,
    x: Floats,
    y: Floats,
    valid: Floats,
    binary: bool,
    rounds: int = ROUNDS,
    **params: Any,
) -> Floats:
    """Raw scores of the rows `valid`."""
    categories = int(np.nanmax(x[:, 2])) + 1
    rows, asked = frame(x, categories), frame(valid, categories)
    if name == "histogram":
        kind: Any = HistGradientBoostingClassifier if binary else HistGradientBoostingRegressor
        model = kind(max_iter=rounds, early_stopping=False, **params).fit(rows, y)
        return np.asarray(model.decision_function(asked) if binary else model.predict(asked))
    if name == "xgboost":
        kind = xgboost.XGBClassifier if binary else xgboost.XGBRegressor
        model = kind(n_estimators=rounds, enable_categorical=True, n_jobs=1, **params)
        return np.asarray(model.fit(rows, y).predict(asked, output_margin=True))
    kind = lightgbm.LGBMClassifier if binary else lightgbm.LGBMRegressor
    # Every category gets a bin if those bins are told to take all rows.
    model = kind(n_estimators=rounds, n_jobs=1, verbose=-1, min_data_in_bin=1, **params)
    return np.asarray(model.fit(rows, y).predict(asked, raw_score=True))


def without_rarest(x: Floats, categories: int) -> Floats:
    """To LightGBM the rarest category is a missing value where it has few rows."""
    rare = x[:, 2] == np.nanmax(x[:, 2])
    x = x.copy()
    if categories > 2 and rare.mean() < 0.02:
        x[rare, 2] = np.nan
    return x


def ours(x: Floats, y: Floats, valid: Floats, model: BoostingModel) -> Floats:
    return np.asarray(boosting(BinnedRows(x, valid, categorical=[2]), y, [model])[0][0, 0])


@pytest.mark.parametrize("missing", [0.0, 0.1])
@pytest.mark.parametrize("categories", [1, 2, 3, 4, 5, 20, 100])
@pytest.mark.parametrize("name", list(MODELS))
def test_trees_are_the_librarys(name: str, categories: int, missing: float) -> None:
    x, y = generated(2500, categories, missing, seed=categories)
    if name == "lightgbm":
        x = without_rarest(x, categories)
    wanted = library(name, x, y, x, False)
    np.testing.assert_allclose(ours(x, y, x, MODELS[name]), wanted, atol=1e-5)


@pytest.mark.parametrize("categories", [2, 4, 20, 100])
@pytest.mark.parametrize("name", list(MODELS))
def test_first_trees_of_classes_are_nearly_the_librarys(name: str, categories: int) -> None:
    x, y = generated(2500, categories, 0.1, seed=categories)
    if name == "lightgbm":
        x = without_rarest(x, categories)
    # Not halves: with derivatives of 1/2 and 1/4 many splits gain the same.
    y = (y > np.quantile(y, 0.37)).astype(float)
    # HistGradientBoosting counts the rows of a leaf, which the kernel estimates.
    histogram = name == "histogram"
    params = {"min_samples_leaf": 1} if histogram else {}
    model = replace(MODELS[name], loss="logistic", stages=(1,))
    wanted = library(name, x, y, x, True, rounds=1, **params)
    found = ours(x, y, x, replace(model, leaf_rows=1) if histogram else model)
    assert np.mean(np.abs(found - wanted) > 1e-5) < 0.05


@pytest.mark.parametrize("missing", [0.01, 0.1, 0.6])
@pytest.mark.parametrize("categories", [2, 3, 5, 20])
@pytest.mark.parametrize("name", list(MODELS))
def test_missing_values_go_where_the_library_sends_them(
    name: str, categories: int, missing: float
) -> None:
    x, y = generated(2500, categories, missing, seed=categories)
    x[:, :2] = 0.0
    if name == "lightgbm":
        x = without_rarest(x, categories)
    codes = [*range(int(np.nanmax(x[:, 2])) + 1), np.nan]
    valid = np.array([[0.0, 0.0, code] for code in codes])
    wanted = library(name, x, y, valid, False)
    np.testing.assert_allclose(ours(x, y, valid, MODELS[name]), wanted, atol=1e-5)


@pytest.mark.parametrize("name", list(MODELS))
def test_missing_values_that_were_not_seen_go_where_the_library_sends_them(name: str) -> None:
    # Sides of unequal numbers of rows, and no other split of the same gain.
    rng = np.random.default_rng(0)
    code = rng.choice(7, 3000, p=[0.3, 0.2, 0.15, 0.15, 0.1, 0.06, 0.04])
    x = np.column_stack([np.zeros((3000, 2)), code])
    y = np.array([0.0, 1.0, 1.1, -7.0, 9.0, 11.0, 1.2])[code] + rng.normal(size=3000)
    valid = np.array([[0.0, 0.0, np.nan]])
    model = replace(MODELS[name], depth=1)
    wanted = library(name, x, y, valid, False, max_depth=1)
    np.testing.assert_allclose(ours(x, y, valid, model), wanted, atol=1e-5)


CHANGES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("lightgbm", {"max_cat_to_onehot": 30}, {"category_one_hot": 29}),
    ("lightgbm", {"max_cat_threshold": 3}, {"category_most": 3}),
    ("lightgbm", {"min_data_per_group": 1}, {"category_rows": 1}),
    ("lightgbm", {"cat_l2": 0.0}, {"category_l2": 0.0}),
    ("lightgbm", {"cat_smooth": 60.0}, {"category_smooth": 60.0}),
    ("lightgbm", {"reg_alpha": 3.0, "reg_lambda": 2.0}, {"l1": 3.0, "l2": 2.0}),
    ("lightgbm", {"min_split_gain": 9.0}, {"gain": 9.0}),
    ("xgboost", {"max_cat_to_onehot": 30}, {"category_one_hot": 29}),
    ("xgboost", {"max_cat_threshold": 5}, {"category_most": 5}),
    ("xgboost", {"reg_alpha": 3.0, "min_child_weight": 40}, {"l1": 3.0, "leaf_curvature": 40.0}),
    ("histogram", {"l2_regularization": 4.0}, {"l2": 4.0}),
    ("histogram", {"min_samples_leaf": 150}, {"leaf_rows": 150}),
]


@pytest.mark.parametrize(("name", "params", "model"), CHANGES)
def test_parameters_mean_what_they_mean_to_the_library(
    name: str, params: dict[str, Any], model: dict[str, Any]
) -> None:
    x, y = generated(2500, 24, 0.05, seed=3)
    wanted = library(name, x, y, x, False, **params)
    found = ours(x, y, x, replace(MODELS[name], **model))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert np.abs(found - ours(x, y, x, MODELS[name])).max() > 1e-3


def test_255_categories_are_taken_and_256_refused() -> None:
    code = np.arange(5100.0) % 255
    y = np.where(code % 3 == 0, 5.0, -5.0)
    x = np.column_stack([np.zeros(5100), np.zeros(5100), code])
    model = BoostingModel(stages=(40,), category_rows=1, leaf_rows=1, category_l2=0.0)
    found = ours(x, y, x, model)
    # No order of the codes tells the two kinds apart: only a set of them does.
    assert np.abs(found - y).max() < 0.2
    x[0, 2] = 255
    with pytest.raises(KernelInputError) as caught:
        ours(x, y, x, model)
    assert caught.value.code == "too_many_categories"


@pytest.mark.parametrize("column", [-1, 3, 10**12])
def test_columns_that_are_not_there_are_refused(column: int) -> None:
    x, _ = generated(50, 3, 0.0, 0)
    with pytest.raises(KernelInputError) as caught:
        BinnedRows(x, x, categorical=[column])
    assert caught.value.code == "index_out_of_range"


BAD: list[dict[str, Any]] = [
    {"library": "other"},
    {"category_l2": -1.0},
    {"category_l2": np.nan},
    {"category_smooth": 0.0},
    {"category_smooth": np.inf},
]


@pytest.mark.parametrize("options", BAD)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    x, y = generated(50, 3, 0.0, 0)
    with pytest.raises(KernelInputError) as caught:
        ours(x, y, x, BoostingModel(**options))
    assert caught.value.code == "bad_option"


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 90),
    columns=st.integers(1, 18),
    categories=st.sampled_from([1, 2, 3, 4, 12, 255]),
    gaps=st.sampled_from([0.0, 0.3, 1.0]),
    style=st.sampled_from(["lightgbm", "xgboost", "histogram"]),
    loss=st.sampled_from(["squared", "logistic", "softmax", "poisson", "quantile"]),
    limits=st.tuples(*(st.sampled_from([0, 1, 2, 10, 10**12]) for _ in range(3))),
    curvature=st.sampled_from([0.0, 1.0]),
    smooth=st.sampled_from([1e-3, 10.0]),
    seed=st.integers(0, 10_000),
)
def test_any_table_is_predicted_finitely_and_alike_by_any_threads(
    rows: int, columns: int, categories: int, gaps: float, style: Any, loss: Any,
    limits: tuple[int, int, int], curvature: float, smooth: float, seed: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    x = rng.integers(0, categories, (rows, columns)) * 1.0
    x[rng.random(x.shape) < gaps] = np.nan
    chosen = [place for place in range(columns) if rng.random() < 0.7]
    valid = rng.integers(-1, categories + 1, (8, columns)) * 1.0
    valid[rng.random(valid.shape) < gaps] = np.nan
    y = rng.integers(0, 2, rows).astype(float)
    one_hot, most, group = limits
    model = BoostingModel(
        loss=loss, classes=3, stages=(1, 4), leaf_rows=int(rng.integers(0, 4)), l2=1.0,
        leaf_curvature=curvature, row_share=rng.uniform(0.3, 1), column_share=rng.uniform(0.3, 1),
        library=style, category_one_hot=one_hot, category_most=most, category_rows=group,
        category_smooth=smooth, depth=3, leaves=None,
    )  # fmt: skip
    scores = [
        boosting(BinnedRows(x, valid, categorical=chosen, threads=t), y, [model], threads=t)[0]
        for t in (1, 2)
    ]
    assert np.isfinite(scores[0]).all()
    np.testing.assert_array_equal(*scores)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), style=st.sampled_from(["lightgbm", "xgboost", "histogram"]))
def test_names_of_categories_do_not_matter(seed: int, style: Any) -> None:
    x, y = generated(600, 12, 0.1, seed)
    names = np.random.default_rng(seed).permutation(np.arange(-5.0, 7.0)) * 1e9
    other = x.copy()
    known = ~np.isnan(x[:, 2])
    other[known, 2] = names[x[known, 2].astype(int)]
    model = BoostingModel(stages=(5,), library=style, category_rows=1, leaf_rows=3, category_l2=1.0)
    fit: Callable[[Floats], Floats] = partial(ours, y=y, model=model, valid=x)
    wanted, found = fit(x), ours(other, y, other, model)
    np.testing.assert_allclose(found, wanted, atol=1e-9)


@pytest.mark.parametrize("style", ["lightgbm", "xgboost", "histogram"])
def test_unseen_categories_are_missing_ones(style: Any) -> None:
    x, y = generated(600, 12, 0.1, 1)
    unseen, missing = x.copy(), x.copy()
    unseen[:, 2], missing[:, 2] = 77.5, np.nan
    model = BoostingModel(stages=(5,), library=style)
    np.testing.assert_array_equal(ours(x, y, unseen, model), ours(x, y, missing, model))


def test_categories_that_derive_from_one_code_are_summed_by_code_with_the_same_result() -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 300, 20_000)
    x = np.column_stack([np.floor(rng.random((300, 8)) * 30)[code], rng.normal(size=20_000)])
    y = np.sin(x[:, 3]) + rng.normal(size=300)[code] + rng.normal(size=20_000)
    model = BoostingModel(stages=(8,))
    rows = [BinnedRows(x, x[:99], detect=way, categorical=range(4)) for way in (True, False)]
    assert [found.combinations for found in rows] == [[300], []]
    np.testing.assert_array_equal(*(boosting(found, y, [model])[0] for found in rows))
