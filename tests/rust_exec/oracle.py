"""The oracle of the linear kernel: scikit-learn's own pipeline, fold by fold, model by model."""

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, LinearRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from rust_exec import LinearFolds, linear_folds

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Folds = list[tuple[Rows, Rows]]

PROMISE = 1e-9
NET_PROMISE = 1e-7


@dataclass(frozen=True)
class Net:
    """The parameters of an elastic net."""

    alpha: float
    l1_ratio: float = 1.0
    tol: float = 1e-4
    max_iter: int = 1000


@dataclass(frozen=True)
class Options:
    impute: bool = False
    scale: bool = False
    fit_intercept: bool = True

    def pipeline(self, member: float | Net) -> Pipeline:
        """The library's own for a ridge penalty (0: least squares) or a net."""
        steps = [SimpleImputer(strategy="mean")] if self.impute else []
        steps += [StandardScaler()] if self.scale else []
        if isinstance(member, Net):
            model = ElasticNet(**vars(member), fit_intercept=self.fit_intercept)
        elif member == 0:
            model = LinearRegression(fit_intercept=self.fit_intercept)
        else:
            model = Ridge(member, fit_intercept=self.fit_intercept)
        return make_pipeline(*steps, model)


def net_array(nets: Sequence[Net]) -> Floats:
    return np.array([tuple(vars(net).values()) for net in nets], dtype=np.float64).reshape(-1, 4)


def run(
    x: Floats,
    y: Floats,
    folds: Folds,
    alphas: Sequence[float],
    options: Options,
    threads: int = 1,
    nets: Sequence[Net] = (),
) -> LinearFolds:
    return linear_folds(
        x,
        y[:, None],
        [train for train, _ in folds],
        [valid for _, valid in folds],
        np.asarray(alphas, dtype=np.float64),
        net_array(nets),
        impute=options.impute,
        scale=options.scale,
        fit_intercept=options.fit_intercept,
        threads=threads,
    )


def answered(result: LinearFolds) -> bool:
    """Whether nothing was declined."""
    return all(reason is None for fold in result.declined for reason in fold)


def assert_agrees(
    x: Floats,
    y: Floats,
    folds: Folds,
    alphas: Sequence[float],
    options: Options,
    nets: Sequence[Net] = (),
) -> LinearFolds:
    """As :func:`assert_right`, of one target."""
    result = run(x, y, folds, alphas, options, nets=nets)
    assert_right(result, x, y, folds, alphas, options, nets)
    return result


def assert_right(
    result: LinearFolds,
    x: Floats,
    y: Floats,
    folds: Folds,
    alphas: Sequence[float],
    options: Options,
    nets: Sequence[Net] = (),
) -> None:
    """Every model that is not declined scores as scikit-learn's: MSE to 1e-9 of itself (nets:
    1e-7), and R2 to the same share of what the model leaves unexplained. Nets stop in the same
    round, and tell the same gap."""
    p, members = x.shape[1], [*alphas, *nets]
    assert result.coef.shape == (len(folds), len(members), p)
    assert result.intercept.shape == (len(folds), len(members))
    assert result.descent.shape == (len(folds), len(members), 3)
    for k, (train, valid) in enumerate(folds):
        assert result.predictions[k].shape == (len(valid), len(members))
        for j, member in enumerate(members):
            predictions = result.predictions[k][:, j]
            if result.declined[k][j] is not None:
                assert np.isnan(predictions).all()
                assert np.isnan(result.coef[k, j]).all()
                assert np.isnan(result.intercept[k, j])
                assert np.isnan(result.descent[k, j]).all()
                continue
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                model = options.pipeline(member).fit(x[train], y[train])
            promise = PROMISE
            if isinstance(member, Net):
                promise = NET_PROMISE
                check_descent(result.descent[k, j], model[-1], caught)
            expected = model.predict(x[valid])
            mse = np.mean((expected - y[valid]) ** 2)
            found = np.mean((predictions - y[valid]) ** 2)
            assert abs(found - mse) <= promise * mse, (k, member, found, mse)
            spread = np.mean((y[valid] - y[valid].mean()) ** 2)
            if spread > 0:
                r2, expected_r2 = 1 - found / spread, 1 - mse / spread
                assert abs(r2 - expected_r2) <= promise * max(abs(1 - expected_r2), 1e-6)
            check_raw_coefficients(x, result, k, j, train, valid, options)


def check_descent(
    descent: Floats, model: ElasticNet, caught: list[warnings.WarningMessage]
) -> None:
    """Rounds, and the warning that is due where they were too few."""
    fit_intercept = bool(model.fit_intercept)
    rounds, gap, tolerance = descent
    assert rounds == model.n_iter_
    said = [str(w.message) for w in caught if issubclass(w.category, ConvergenceWarning)]
    assert len(said) == (gap > tolerance)
    for text in said:
        told = re.search(r"Duality gap: (\S+), tolerance: (\S+)", text)
        assert told is not None
        # Only told. Without an intercept, columns that are standardised far from zero keep a
        # mean of rounding errors in the library, times a target that is not centred.
        if fit_intercept:
            np.testing.assert_allclose(float(told[1]), gap, rtol=1e-4)
        np.testing.assert_allclose(float(told[2]), tolerance, rtol=1e-2)


def check_raw_coefficients(
    x: Floats, result: LinearFolds, k: int, j: int, train: Rows, valid: Rows, options: Options
) -> None:
    """`coef` and `intercept` say the same as `predictions`, on raw imputed features."""
    rows = x[valid]
    if options.impute:
        rows = np.where(np.isnan(rows), np.nanmean(x[train], axis=0), rows)
    by_hand = rows @ result.coef[k, j] + result.intercept[k, j]
    # Predictions are taken about the means of the columns, so they round like those.
    size = np.nanmax(np.abs(x), axis=0) @ np.abs(result.coef[k, j])
    error = np.abs(by_hand - result.predictions[k][:, j])
    assert (error <= 1e-13 * (size + abs(result.intercept[k, j])) + 1e-300).all()
