"""The reference: what a careful user would write with pandas and scikit-learn alone.

Input: data frames, estimators, row positions. Output: scores per fold. Nothing here may import
the code under test.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import sklearn.metrics as m
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import get_scorer, get_scorer_names, make_scorer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder
from threadpoolctl import threadpool_limits

Split = tuple[np.ndarray, np.ndarray]
Make = Callable[[], Any]

# LightGBM's sums depend on the thread count and on how histograms are built.
LGBM = {"n_jobs": 1, "force_col_wise": True, "deterministic": True, "verbose": -1}
XGB = {"n_jobs": 1}


@dataclass(frozen=True)
class Reference:
    """One experiment in plain library terms.

    Attributes:
        make: Gives a fresh, unfitted, seeded estimator; several give the mean over seeds.
        X: Features, one row per row of the prepared table.
        y: Target, as it is scored.
        table: The prepared table, for splitters that need more than X and y.
        weight: Handed to `fit`, or None.
        score_weight: Handed to the metrics, or None.
        keep: True for rows that may be trained on, or None for all.
        positive: The positive class of binary metrics, or None for the greater label.
        fit: Fits other than by ``fit(X, y)``: ``fit(model, X, y, X_valid, y_valid)``.
    """

    make: Make | Sequence[Make]
    X: Any
    y: pd.Series
    table: pd.DataFrame
    weight: np.ndarray | None = None
    score_weight: np.ndarray | None = None
    keep: np.ndarray | None = None
    positive: Any = None
    fit: Callable[..., Any] | None = field(default=None, repr=False)


def cross_validate(
    reference: Reference, splits: Iterable[Split], metrics: Sequence[str]
) -> dict[str, list[float]]:
    """Scores by metric and fold; a fold's value is its mean over seeds."""
    folds = [(np.asarray(train), np.asarray(valid)) for train, valid in splits]
    makes = reference.make if isinstance(reference.make, Sequence) else [reference.make]
    positive = reference.positive
    if positive is None and not pd.api.types.is_float_dtype(reference.y):
        positive = np.unique(reference.y.to_numpy())[-1]
    scorers = {name: scorer(name, positive) for name in metrics}
    weights = {} if reference.score_weight is None else {"sample_weight": reference.score_weight}
    found: dict[str, list[list[float]]] = {name: [] for name in metrics}
    with threadpool_limits(1):
        for train, valid in folds:
            if reference.keep is not None:
                train = train[reference.keep[train]]
            values: dict[str, list[float]] = {name: [] for name in metrics}
            for make in makes:
                model = _fit(reference, make(), train, valid)
                rows, y = _rows(reference.X, valid), reference.y.iloc[valid]
                taken = {key: value[valid] for key, value in weights.items()}
                for name, score in scorers.items():
                    values[name].append(score(model, rows, y, **taken))
            for name in metrics:
                found[name].append(values[name])
    return {name: [float(np.mean(fold)) for fold in folds] for name, folds in found.items()}


def _rows(features: Any, positions: np.ndarray) -> Any:
    return features.iloc[positions] if hasattr(features, "iloc") else features[positions]


def _fit(reference: Reference, model: Any, train: np.ndarray, valid: np.ndarray) -> Any:
    X, y = _rows(reference.X, train), reference.y.iloc[train]
    if reference.fit is not None:
        return reference.fit(model, X, y, _rows(reference.X, valid), reference.y.iloc[valid])
    if reference.weight is None:
        return model.fit(X, y)
    return model.fit(X, y, **{_weight_name(model): reference.weight[train]})


def _weight_name(model: Any) -> str:
    if isinstance(model, Pipeline):
        return f"{model.steps[-1][0]}__sample_weight"
    if isinstance(model, TransformedTargetRegressor) and isinstance(model.regressor, Pipeline):
        return f"{model.regressor.steps[-1][0]}__sample_weight"
    return "sample_weight"


def rmspe(y: Any, predicted: Any) -> float:
    return float(np.sqrt(np.mean(((y - predicted) / y) ** 2)))


def smape(y: Any, predicted: Any) -> float:
    return float(np.mean(2 * np.abs(y - predicted) / (np.abs(y) + np.abs(predicted))))


def gini(y: Any, score: Any, positive: Any) -> float:
    return float(2 * m.roc_auc_score(y == positive, score) - 1)


# Metrics that are no scorer names: function, response method, arguments.
_FUNCTIONS: dict[str, tuple[Callable[..., float], str, dict[str, Any]]] = {
    "mse": (m.mean_squared_error, "predict", {}),
    "rmse": (m.root_mean_squared_error, "predict", {}),
    "mae": (m.mean_absolute_error, "predict", {}),
    "mape": (m.mean_absolute_percentage_error, "predict", {}),
    "medae": (m.median_absolute_error, "predict", {}),
    "rmsle": (m.root_mean_squared_log_error, "predict", {}),
    "max_error": (m.max_error, "predict", {}),
    "poisson_deviance": (m.mean_poisson_deviance, "predict", {}),
    "pinball(alpha=0.9)": (m.mean_pinball_loss, "predict", {"alpha": 0.9}),
    "smape": (smape, "predict", {}),
    "rmspe": (rmspe, "predict", {}),
    "logloss": (m.log_loss, "predict_proba", {}),
    "kappa": (m.cohen_kappa_score, "predict", {}),
    "quadratic_kappa": (m.cohen_kappa_score, "predict", {"weights": "quadratic"}),
    "error_rate": (m.zero_one_loss, "predict", {}),
}
_BINARY: dict[str, tuple[Callable[..., float], Any, dict[str, Any]]] = {
    "f1": (m.f1_score, "predict", {}),
    "precision": (m.precision_score, "predict", {}),
    "recall": (m.recall_score, "predict", {}),
    "jaccard": (m.jaccard_score, "predict", {}),
    "fbeta(beta=2)": (m.fbeta_score, "predict", {"beta": 2}),
    "average_precision": (
        m.average_precision_score,
        ("decision_function", "predict_proba"),
        {},
    ),
    "brier": (m.brier_score_loss, "predict_proba", {}),
}


def scorer(name: str, positive: Any) -> Callable[..., float]:
    """A scikit-learn scorer for a metric of ours; `positive` where it takes a pos_label."""
    if isinstance(positive, np.generic):
        positive = positive.item()
    if name in _BINARY:
        function, method, arguments = _BINARY[name]
        return make_scorer(function, response_method=method, pos_label=positive, **arguments)
    if "pos_label=" in name:
        base, label = name.removesuffix(")").split("(pos_label=")
        return scorer(base, label.strip("'"))
    if name == "gini":
        both = ("decision_function", "predict_proba")
        return make_scorer(gini, response_method=both, positive=positive)
    if name.startswith("top_k_accuracy"):
        k = int(name.removesuffix(")").rpartition("=")[2])
        both = ("decision_function", "predict_proba")
        return make_scorer(m.top_k_accuracy_score, response_method=both, k=k)
    if name in _FUNCTIONS:
        function, method, arguments = _FUNCTIONS[name]
        return make_scorer(function, response_method=method, **arguments)
    assert name in get_scorer_names(), name
    return get_scorer(name)


class Encoded(ClassifierMixin, BaseEstimator):
    """A classifier of 0..k-1 behind labels of any type, as a script would wrap XGBClassifier."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def fit(self, X: Any, y: Any, **more: Any) -> "Encoded":
        self.encoder_ = LabelEncoder().fit(y)
        self.classes_ = self.encoder_.classes_
        self.model.fit(X, self.encoder_.transform(y), **more)
        return self

    def predict(self, X: Any) -> Any:
        return self.encoder_.inverse_transform(self.model.predict(X))

    def predict_proba(self, X: Any) -> Any:
        return self.model.predict_proba(X)


class Categories(TransformerMixin, BaseEstimator):
    """Columns as pandas categories of the training rows; other values become missing."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> "Categories":
        self.dtypes_ = {
            name: pd.CategoricalDtype(sorted(X[name].dropna().unique())) for name in X.columns
        }
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:
        return X.astype(self.dtypes_)

    def set_output(self, *, transform: Any = None) -> "Categories":
        return self

    def get_feature_names_out(self, names: Any = None) -> Any:
        return np.asarray(names)
