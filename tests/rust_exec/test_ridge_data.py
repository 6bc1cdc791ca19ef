"""Ridge on scikit-learn's bundled data sets: agrees, and is not declined."""

import numpy as np
import pytest
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_linnerud,
    load_wine,
    make_friedman1,
)
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, TimeSeriesSplit

from rust_exec import linear_path
from tests.rust_exec.oracle import PROMISE, Floats, Options, answered, assert_agrees, net_array

ALPHAS = [1e-3, 0.1, 1.0, 10.0, 1e4]


def data(name: str) -> tuple[Floats, Floats]:
    match name:
        case "diabetes":
            x, y = load_diabetes(return_X_y=True)
        case "diabetes_raw":
            x, y = load_diabetes(return_X_y=True, scaled=False)
        case "breast_cancer":
            x, y = load_breast_cancer(return_X_y=True)
        case "wine":
            x, y = load_wine(return_X_y=True)
        case "digits":
            # Pixels that are constant, everywhere or in some folds only.
            x, y = load_digits(return_X_y=True)
        case "linnerud":
            x, targets = load_linnerud(return_X_y=True)
            y = targets[:, 0]
        case _:
            x, y = make_friedman1(500, noise=1.0, random_state=0)
    return x.astype(np.float64), y.astype(np.float64)


NAMES = "diabetes diabetes_raw breast_cancer wine digits linnerud friedman".split()


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "cv",
    [
        KFold(5),
        KFold(3, shuffle=True, random_state=0),
        ShuffleSplit(2, random_state=0),
        TimeSeriesSplit(3),
    ],
    ids=["kfold", "shuffled", "hold_outs", "time_series"],
)
def test_bundled_data(name: str, cv: KFold, scale: bool) -> None:
    x, y = data(name)
    folds = list(cv.split(x))
    # A fold of the digits has two pixels that are lit in one and the same training image only;
    # a penalty must tell them apart.
    alphas = [alpha for alpha in ALPHAS if name != "digits" or alpha >= 10]
    result = assert_agrees(x, y, folds, alphas, Options(scale=scale))
    assert answered(result)


def test_stratified_and_imputed() -> None:
    x, y = data("breast_cancer")
    x = np.asfortranarray(x)
    x[np.random.default_rng(0).random(x.shape) < 0.05] = np.nan
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(x, y))
    result = assert_agrees(x, y, folds, ALPHAS, Options(impute=True, scale=True))
    assert answered(result)


def test_few_missing_columns() -> None:
    x, y = data("diabetes")
    x[::7, 2] = np.nan
    x[::11, 5] = np.nan
    folds = list(KFold(5).split(x))
    for options in (Options(impute=True), Options(impute=True, scale=True)):
        assert answered(assert_agrees(x, y, folds, ALPHAS, options))


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_path_agrees_with_ridge(fit_intercept: bool, order: str) -> None:
    x, y = data("diabetes_raw")
    x = np.asarray(x, order=order)
    train, valid = slice(0, 300), slice(300, None)
    alphas, nets = np.array(ALPHAS), net_array([])
    path = linear_path(
        x[train], y[train, None], x[valid], alphas, nets, fit_intercept=fit_intercept
    )
    assert path.declined == [None] * len(ALPHAS)
    assert path.predictions.shape == (142, len(ALPHAS))
    for j, alpha in enumerate(ALPHAS):
        model = Ridge(alpha, fit_intercept=fit_intercept).fit(x[train], y[train])
        expected = np.mean((model.predict(x[valid]) - y[valid]) ** 2)
        found = np.mean((path.predictions[:, j] - y[valid]) ** 2)
        assert abs(found - expected) <= PROMISE * expected
        np.testing.assert_allclose(path.coef[j], model.coef_, rtol=1e-7)
        np.testing.assert_allclose(path.intercept[j], model.intercept_, rtol=1e-7, atol=1e-9)


def test_path_declines_with_a_reason() -> None:
    x, y = data("diabetes")
    twice = np.column_stack([x, x + 1e-6 * np.random.default_rng(0).normal(size=x.shape)])
    path = linear_path(twice, y[:, None], twice[:5], np.array([0.0, 1.0]), net_array([]))
    assert path.declined == ["ill_conditioned", None]
    assert path.predictions.shape == (5, 2)
    assert np.isnan(path.predictions).all(axis=0).tolist() == [True, False]
    assert np.isnan(path.coef).all(axis=1).tolist() == [True, False]
