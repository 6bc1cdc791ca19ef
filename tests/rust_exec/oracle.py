"""The oracle of the ridge kernel: scikit-learn's own pipeline, fold by fold, penalty by penalty."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from rust_exec import RidgeFolds, ridge_folds

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
Folds = list[tuple[Rows, Rows]]

PROMISE = 1e-9


@dataclass(frozen=True)
class Options:
    impute: bool = False
    scale: bool = False
    fit_intercept: bool = True

    def pipeline(self, alpha: float) -> Pipeline:
        steps = [SimpleImputer(strategy="mean")] if self.impute else []
        steps += [StandardScaler()] if self.scale else []
        return make_pipeline(*steps, Ridge(alpha, fit_intercept=self.fit_intercept))


def run(
    x: Floats, y: Floats, folds: Folds, alphas: Sequence[float], options: Options, threads: int = 1
) -> RidgeFolds:
    return ridge_folds(
        x,
        y,
        [train for train, _ in folds],
        [valid for _, valid in folds],
        np.asarray(alphas, dtype=np.float64),
        impute=options.impute,
        scale=options.scale,
        fit_intercept=options.fit_intercept,
        threads=threads,
    )


def assert_agrees(
    x: Floats, y: Floats, folds: Folds, alphas: Sequence[float], options: Options
) -> RidgeFolds:
    """Every fold that is not declined scores as scikit-learn's: MSE to 1e-9 of itself, and R2
    to the same share of what the model leaves unexplained."""
    result = run(x, y, folds, alphas, options)
    p = x.shape[1]
    assert result.coef.shape == (len(folds), len(alphas), p)
    assert result.intercept.shape == (len(folds), len(alphas))
    for k, (train, valid) in enumerate(folds):
        predictions = result.predictions[k]
        assert predictions.shape == (len(valid), len(alphas))
        if result.declined[k] is not None:
            assert np.isnan(predictions).all()
            assert np.isnan(result.coef[k]).all()
            assert np.isnan(result.intercept[k]).all()
            continue
        for j, alpha in enumerate(alphas):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = options.pipeline(alpha).fit(x[train], y[train])
            expected = model.predict(x[valid])
            mse = np.mean((expected - y[valid]) ** 2)
            found = np.mean((predictions[:, j] - y[valid]) ** 2)
            assert abs(found - mse) <= PROMISE * mse, (k, alpha, found, mse)
            spread = np.mean((y[valid] - y[valid].mean()) ** 2)
            if spread > 0:
                r2, expected_r2 = 1 - found / spread, 1 - mse / spread
                assert abs(r2 - expected_r2) <= PROMISE * max(abs(1 - expected_r2), 1e-6)
            check_raw_coefficients(x, result, k, j, train, valid, options)
    return result


def check_raw_coefficients(
    x: Floats, result: RidgeFolds, k: int, j: int, train: Rows, valid: Rows, options: Options
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
