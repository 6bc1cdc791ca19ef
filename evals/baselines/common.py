"""What all scripts share: estimators by name, and cross-validation. Output: scores per fold.

Nothing here or in the other baselines imports the engine. Thread counts are the libraries'
defaults; one thread per fit is had with ``OMP_NUM_THREADS=1`` and, for LightGBM and CatBoost,
``LOKY_MAX_CPU_COUNT=1`` in the environment.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import root_mean_squared_log_error
from sklearn.model_selection import cross_val_score

_MODULES = {
    "LinearRegression": "sklearn.linear_model",
    "Ridge": "sklearn.linear_model",
    "Lasso": "sklearn.linear_model",
    "ElasticNet": "sklearn.linear_model",
    "LogisticRegression": "sklearn.linear_model",
    "KNeighborsClassifier": "sklearn.neighbors",
    "DecisionTreeClassifier": "sklearn.tree",
    "RandomForestClassifier": "sklearn.ensemble",
    "RandomForestRegressor": "sklearn.ensemble",
    "ExtraTreesClassifier": "sklearn.ensemble",
    "HistGradientBoostingClassifier": "sklearn.ensemble",
    "LGBMClassifier": "lightgbm",
    "LGBMRegressor": "lightgbm",
    "XGBClassifier": "xgboost",
    "XGBRegressor": "xgboost",
    "CatBoostClassifier": "catboost",
}
_UNSEEDED = {"LinearRegression", "KNeighborsClassifier"}
# Quiet, and for LightGBM without the timing test that makes its results vary.
_EXTRA: dict[str, dict[str, Any]] = {
    "lightgbm": {"verbose": -1, "force_col_wise": True},
    "catboost": {"verbose": 0, "allow_writing_files": False},
}


@dataclass(frozen=True)
class Problem:
    """What a script has in its hands before it cross-validates.

    Attributes:
        X: Rows as they go into `estimator`.
        y: Target as it is scored.
        estimator: Unfitted; makes its own features per fold.
        cv: scikit-learn splitter.
        scoring: scikit-learn scorer; scores of ``neg_`` scorers are returned positive.
    """

    X: pd.DataFrame
    y: Any
    estimator: Any
    cv: Any
    scoring: str


def model(name: str, params: Mapping[str, Any], seed: int = 0) -> Any:
    """A seeded estimator of a library, by class name."""
    module = _MODULES[name]
    seeded = {} if name in _UNSEEDED else {"random_state": seed}
    library = importlib.import_module(module)
    return getattr(library, name)(**{**seeded, **_EXTRA.get(module, {}), **params})


def log_target(estimator: Any) -> Any:
    """Fits to log(1 + y), predicts y."""
    return TransformedTargetRegressor(estimator, func=np.log1p, inverse_func=np.expm1)


def cross_validated(problem: Problem) -> list[float]:
    """Scores of the folds, in their order."""
    scores = cross_val_score(
        problem.estimator,
        problem.X,
        problem.y,
        cv=problem.cv,
        scoring=problem.scoring,
        error_score="raise",
    )
    sign = -1.0 if problem.scoring.startswith("neg_") else 1.0
    return [float(sign * score) for score in scores]


def seed_averaged(problems: Sequence[Problem]) -> list[float]:
    """The mean over the same problem with several seeds, fold by fold."""
    return [float(score) for score in np.mean([cross_validated(p) for p in problems], axis=0)]


def early_stopped(problem: Problem, patience: int) -> list[float]:
    """Boosting that stops on the validation fold; root mean squared log errors of the folds.

    Args:
        problem: Its estimator is an LGBMRegressor or XGBRegressor behind `log_target`.
        patience: Rounds without progress before it stops.
    """
    y = np.asarray(problem.y)
    log_y = np.log1p(y)
    found = []
    for train, valid in problem.cv.split(problem.X, y):
        booster = clone(problem.estimator.regressor)
        seen, unseen = problem.X.iloc[train], problem.X.iloc[valid]
        watched = [(unseen, log_y[valid])]
        if type(booster).__name__ == "LGBMRegressor":
            stop = importlib.import_module("lightgbm").early_stopping(patience, verbose=False)
            booster.fit(seen, log_y[train], eval_set=watched, callbacks=[stop])
        else:
            booster.set_params(early_stopping_rounds=patience)
            booster.fit(seen, log_y[train], eval_set=watched, verbose=False)
        predicted = np.expm1(booster.predict(unseen))
        found.append(float(root_mean_squared_log_error(y[valid], predicted)))
    return found


def reseeded(problem: Problem, seeds: Sequence[int]) -> list[Problem]:
    """The problem with its final model's seed replaced by each of `seeds`."""
    found = []
    for seed in seeds:
        estimator = clone(problem.estimator)
        last = estimator.steps[-1][0]
        found.append(
            replace(problem, estimator=estimator.set_params(**{f"{last}__random_state": seed}))
        )
    return found
