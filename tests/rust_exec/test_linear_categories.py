"""One-hot columns that are never written out, and statistics that are given: whatever is answered
agrees with scikit-learn's own ColumnTransformer in front of the model."""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, RobustScaler, StandardScaler

from rust_exec import Categories, KernelInputError, LinearFolds, linear_folds
from tests.rust_exec.oracle import (
    NET_PROMISE,
    PROMISE,
    Floats,
    Folds,
    Net,
    Options,
    check_descent,
    net_array,
)
from tests.rust_exec.test_ridge_folds import KINDS, LAYOUTS, SPLITS, lay_out, make, split

DROPS: list[str | None] = [None, "first", "if_binary"]
NETS = [Net(0.01, 0.5), Net(0.3), Net(1e-3, 0.9, 1e-6, 300)]


def categories(codes: Any, drop: str | None = None) -> Categories:
    sizes = [int(column.max(initial=-1)) + 1 for column in codes.T]
    return Categories(
        codes.astype(np.int32),
        np.array(sizes, dtype=np.int64),
        np.full(codes.shape[1], DROPS.index(drop), dtype=np.int64),
    )


def fit(x: Floats, y: Floats, folds: Folds, members: Any = (0.0, 1.0), **more: Any) -> LinearFolds:
    closed = np.array([m for m in members if not isinstance(m, Net)], dtype=np.float64)
    nets = net_array([m for m in members if isinstance(m, Net)])
    sides = [list(side) for side in zip(*folds, strict=True)]
    return linear_folds(x, y[:, None], *sides, closed, nets, **more)


def check(
    x: Floats,
    codes: Any,
    y: Floats,
    folds: Folds,
    members: list[Any],
    front: list[Any],
    drop: str | None = None,
    intercept: bool = True,
    **more: Any,
) -> LinearFolds:
    """Codes come first in the library's design, so `order` matters to the nets."""
    found = categories(codes, drop)
    p, many = x.shape[1], int(found.sizes.sum())
    order = np.r_[p : p + many, :p]
    result = fit(
        x, y, folds, members, categories=found, order=order, fit_intercept=intercept, **more
    )
    table = np.hstack([codes.astype(float), x])
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False, drop=drop)
    places = list(range(codes.shape[1], table.shape[1]))
    numbers = make_pipeline(*front) if front else "passthrough"
    steps = [("codes", encoder, list(range(codes.shape[1]))), ("x", numbers, places)]
    for k, (train, valid) in enumerate(folds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            transformer = ColumnTransformer(steps)
            fitted = transformer.fit_transform(table[train])
            rows = transformer.transform(table[valid])
        for j, member in enumerate(members):
            if result.declined[k][j] is not None:
                assert np.isnan(result.predictions[k][:, j]).all()
                continue
            model = Options(fit_intercept=intercept).pipeline(member)[-1]
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                expected = model.fit(fitted, y[train]).predict(rows)
            if isinstance(member, Net):
                check_descent(result.descent[k, j], model, caught)
            mse = np.mean((expected - y[valid]) ** 2)
            got = np.mean((result.predictions[k][:, j] - y[valid]) ** 2)
            promise = NET_PROMISE if isinstance(member, Net) else PROMISE
            assert abs(got - mse) <= promise * mse, (k, member, got, mse)
    return result


def answered(result: LinearFolds) -> bool:
    return all(reason is None for fold in result.declined for reason in fold)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(KINDS),
    n=st.integers(6, 90),
    p=st.integers(0, 8),
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    seed=st.integers(0, 2**32 - 1),
    folds=SPLITS,
    layout=LAYOUTS,
    drop=st.sampled_from(DROPS),
    scale=st.booleans(),
    holes=st.sampled_from([0.0, 0.2]),
)
def test_whatever_is_answered_is_scikit_learns(
    kind: str, n: int, p: int, sizes: list[int], seed: int, folds: str, layout: str,
    drop: str | None, scale: bool, holes: float,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    x, y = make(kind, n, p + 1, seed)
    x = x[:, :p]
    # Some categories are rare, so that folds have none of them.
    codes = np.column_stack([np.minimum(rng.geometric(0.3, n), size) - 1 for size in sizes])
    y = y + rng.normal(size=n) + codes[:, 0]
    if holes:
        x = np.where(rng.random(x.shape) < holes, np.nan, x)
    front: list[Any] = [SimpleImputer()] if holes else []
    front += [StandardScaler()] if scale else []
    cv = [fold for fold in split(folds, n, seed) if len(fold[0]) and len(fold[1])]
    if p == 0:
        front, scale = [], False
    elif holes and any(np.isnan(x[train]).all(axis=0).any() for train, _ in cv):
        return  # the imputer would leave a column out
    members = [0.0, 1e-2, 10.0, Net(0.1, 0.5)]
    check(
        lay_out(x, layout) if p else x, codes, y, cv, members, front, drop,
        scale=scale, impute=bool(holes),
    )  # fmt: skip


def data(n: int = 300, seed: int = 0) -> tuple[Floats, Any, Floats]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4)) * [1, 5, 0.1, 2] + [0, 9, 1, -3]
    codes = np.column_stack([rng.integers(0, 7, n), rng.integers(0, 2, n), rng.integers(0, 30, n)])
    y = x @ [1, 0.2, 4, -1] + codes[:, 0] ** 2 / 5 + (codes[:, 2] % 3) + rng.normal(size=n)
    return x, codes, y


@pytest.mark.parametrize("drop", DROPS)
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("folds", ["shuffled_partition", "hold_outs", "growing"])
def test_ordinary_data_are_not_declined(drop: str | None, scale: bool, folds: str) -> None:
    x, codes, y = data()
    members = [0.0, 0.1, 10.0, *NETS]
    front = [StandardScaler()] if scale else []
    cv = split(folds, len(x), 1)
    assert answered(check(x, codes, y, cv, members, front, drop, scale=scale))


def test_many_rows_and_threads_give_the_same_numbers() -> None:
    x, codes, y = data(40_000)
    folds = split("shuffled_partition", len(x), 0)
    one, two = (
        fit(x, y, folds, [0.0, 1.0, Net(0.01)], categories=categories(codes), threads=threads)
        for threads in (1, 2)
    )
    assert answered(one)
    np.testing.assert_array_equal(one.coef, two.coef)


def test_without_an_intercept_and_without_numbers() -> None:
    x, codes, y = data()
    folds = split("shuffled_partition", len(x), 0)
    assert answered(check(x, codes, y, folds, [0.0, 1.0, NETS[0]], [], intercept=False))
    none = np.empty((len(x), 0))
    assert answered(check(none, codes, y, folds, [0.0, 1.0, NETS[0]], []))


def test_a_category_of_one_validation_row_alone_is_zeros() -> None:
    x, codes, y = data()
    codes[17, 0] = 7
    folds = split("partition", len(x), 0)
    result = check(x, codes, y, folds, [0.0, 1.0, NETS[0]], [StandardScaler()], scale=True)
    assert answered(result)
    assert (result.coef[0, :, 4 + 7] == 0).all()


@pytest.mark.parametrize("scaler", [MinMaxScaler, RobustScaler, None])
@pytest.mark.parametrize("strategy", ["median", "mean"])
@pytest.mark.parametrize("folds", ["shuffled_partition", "hold_outs"])
def test_given_statistics(scaler: Any, strategy: str, folds: str) -> None:
    x, codes, y = data()
    rng = np.random.default_rng(5)
    x[:, 1:3] = np.where(rng.random((len(x), 2)) < 0.2, np.nan, x[:, 1:3])
    cv = split(folds, len(x), 3)
    # A column whose gaps are in validation rows only.
    x[cv[0][1][:3], 0] = np.nan
    front: list[Any] = [SimpleImputer(strategy=strategy), *([scaler()] if scaler else [])]
    fills = np.full((len(cv), 4), np.nan)
    divisors = np.ones((len(cv), 4))
    for k, (train, _) in enumerate(cv):
        if strategy == "median":
            fills[k] = np.nanmedian(x[train], axis=0)
        if scaler is not None:
            scale = scaler().fit(SimpleImputer(strategy=strategy).fit_transform(x[train])).scale_
            divisors[k] = 1 / scale if scaler is MinMaxScaler else scale
    members = [0.0, 0.1, 10.0, *NETS]
    result = check(x, codes, y, cv, members, front, impute=True, fills=fills, divisors=divisors)
    assert answered(result)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"codes": np.zeros((5, 1), np.int32)}, "shape_mismatch"),
        ({"codes": np.zeros((6, 1), np.int64)}, "bad_array"),
        ({"codes": np.zeros((6, 1), np.float64)}, "bad_array"),
        ({"codes": np.full((6, 1), 3, np.int32)}, "bad_category"),
        ({"codes": np.full((6, 1), -2, np.int32)}, "bad_category"),
        ({"sizes": np.array([-1])}, "bad_category"),
        ({"sizes": np.array([2**40])}, "bad_category"),
        ({"sizes": np.array([2**31 - 1])}, "bad_category"),
        ({"sizes": np.array([3, 3])}, "shape_mismatch"),
        ({"drop": np.array([3])}, "bad_category"),
        ({"drop": np.array([0, 0])}, "shape_mismatch"),
        ({"order": np.arange(4)}, "bad_order"),
        ({"order": np.array([0, 1, 2, 3, 3])}, "bad_order"),
        ({"order": np.array([0, 1, 2, 3, -1])}, "bad_order"),
        ({"fills": np.zeros((1, 2))}, "shape_mismatch"),
        ({"fills": np.full((2, 2), np.inf)}, "bad_statistic"),
        ({"divisors": np.zeros((2, 2))}, "bad_statistic"),
        ({"divisors": np.ones((2, 3))}, "shape_mismatch"),
        ({"divisors": np.ones((2, 2)), "fit_intercept": False}, "needs_intercept"),
        ({"scale": True, "fit_intercept": False}, "needs_intercept"),
    ],
)
def test_malformed_input(change: dict[str, Any], code: str) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(6, 2)), rng.normal(size=6)
    folds = split("partition", 6, 0)[:2]
    given = {
        "codes": np.zeros((6, 1), np.int32),
        "sizes": np.array([3]),
        "drop": np.array([0]),
        **change,
    }
    beside = Categories(*(given.pop(name) for name in ("codes", "sizes", "drop")))
    with pytest.raises(KernelInputError) as caught:
        fit(x, y, folds, categories=beside, **given)
    assert caught.value.code == code


def test_neither_a_column_nor_a_category() -> None:
    nothing = Categories(np.zeros((6, 0), np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64))
    with pytest.raises(KernelInputError) as caught:
        fit(np.empty((6, 0)), np.zeros(6), split("partition", 6, 0), categories=nothing)
    assert caught.value.code == "empty_matrix"
