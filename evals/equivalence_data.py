"""Data sets and models of the equivalence test: bundled with scikit-learn, or generated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.metrics import log_loss, r2_score, roc_auc_score

from planner.ops import Task


@dataclass(frozen=True)
class Data:
    """`score` is of (y, predictions or probabilities), greater is better."""

    name: str
    task: Task
    metric: str
    make: Callable[[], tuple[np.ndarray, np.ndarray]]
    score: Callable[[Any, Any], float]


@dataclass(frozen=True)
class Model:
    text: str

    @property
    def name(self) -> str:
        return self.text.partition("(")[0]

    @property
    def regression(self) -> bool:
        return self.name.endswith("Regressor")


def _diabetes() -> tuple[np.ndarray, np.ndarray]:
    x, y = datasets.load_diabetes(return_X_y=True)
    return x, y


def _cancer() -> tuple[np.ndarray, np.ndarray]:
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return x, y


def _digits() -> tuple[np.ndarray, np.ndarray]:
    x, y = datasets.load_digits(n_class=6, return_X_y=True)
    return x, y


def _imbalanced() -> tuple[np.ndarray, np.ndarray]:
    x, y = datasets.make_classification(
        1500, 15, n_informative=6, weights=[0.93], flip_y=0.03, class_sep=0.8, random_state=1
    )
    return x, y


def _gaps() -> tuple[np.ndarray, np.ndarray]:
    """Some values are missing at random, others where they are large."""
    x, y = datasets.make_friedman1(1200, 8, noise=1.0, random_state=2)
    rng = np.random.default_rng(2)
    x[rng.random(x.shape) < 0.1] = np.nan
    x[:, 0][x[:, 0] > 0.85] = np.nan
    return x, y


def _noise() -> tuple[np.ndarray, np.ndarray]:
    """Twenty of the features say nothing, and some of them have few values."""
    x, y = datasets.make_friedman1(1200, 25, noise=2.0, random_state=3)
    x[:, 15:] = np.round(4 * x[:, 15:])
    return x, y


def _r2(y: Any, found: Any) -> float:
    return float(r2_score(y, found))


def _auc(y: Any, found: Any) -> float:
    return float(roc_auc_score(y, found[:, 1]))


def _log_loss(y: Any, found: Any) -> float:
    return -float(log_loss(y, found))


DATA: tuple[Data, ...] = (
    Data("diabetes", "regression", "r2", _diabetes, _r2),
    Data("friedman+NaN", "regression", "r2", _gaps, _r2),
    Data("friedman+noise", "regression", "r2", _noise, _r2),
    Data("cancer", "binary", "auc", _cancer, _auc),
    Data("digits", "multiclass", "-log loss", _digits, _log_loss),
    Data("imbalanced", "binary", "auc", _imbalanced, _auc),
)

MODELS: tuple[Model, ...] = (
    Model("RandomForestRegressor(n_estimators=100, max_features=0.5)"),
    Model("RandomForestClassifier(n_estimators=100)"),
    Model("ExtraTreesRegressor(n_estimators=100)"),
    Model("ExtraTreesClassifier(n_estimators=100, min_samples_leaf=2)"),
    # With draws of rows and features: without them the libraries' scores have no spread.
    Model("LGBMRegressor(n_estimators=80, subsample=0.7, subsample_freq=1, colsample_bytree=0.7)"),
    Model("LGBMClassifier(n_estimators=50, subsample=0.7, subsample_freq=1, reg_lambda=1)"),
    Model("XGBRegressor(n_estimators=50, subsample=0.7, colsample_bytree=0.7)"),
    Model("XGBClassifier(n_estimators=40, subsample=0.7, max_depth=4)"),
    Model("HistGradientBoostingRegressor(max_iter=60, max_features=0.7)"),
    Model("HistGradientBoostingClassifier(max_iter=40, max_features=0.7)"),
)
