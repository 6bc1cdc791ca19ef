"""P2 as a script: hourly bike rentals, date features, one model or a blend of several."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import Ridge
from sklearn.metrics import root_mean_squared_log_error
from sklearn.model_selection import KFold, TimeSeriesSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from evals.baselines.common import Problem, cross_validated, early_stopped, log_target, model

WEATHER = ["holiday", "weathersit", "temp", "atemp", "hum", "windspeed"]
Features = Callable[[pd.DataFrame], pd.DataFrame]


def parts(df: pd.DataFrame) -> pd.DataFrame:
    """Hour, weekday, month and year."""
    X = df[WEATHER].copy()
    X["hour"] = df["date"].dt.hour
    X["weekday"] = df["date"].dt.dayofweek
    X["month"] = df["date"].dt.month
    X["year"] = df["date"].dt.year
    return X


def cyclic(df: pd.DataFrame) -> pd.DataFrame:
    """Sines and cosines of hour, weekday and month."""
    X = df[WEATHER].copy()
    when = df["date"].dt
    for name, value, period in (
        ("hour", when.hour, 24),
        ("weekday", when.dayofweek, 7),
        ("month", when.month, 12),
    ):
        X[f"{name}_sin"] = np.sin(2 * np.pi * value / period)
        X[f"{name}_cos"] = np.cos(2 * np.pi * value / period)
    X["year"] = when.year
    return X


def rush(df: pd.DataFrame) -> pd.DataFrame:
    """Parts, the day of the year, working days and rush hours."""
    X = parts(df)
    X["week"] = df["date"].dt.isocalendar().week.astype(int)
    X["day_of_year"] = df["date"].dt.dayofyear
    X["working"] = ((X["weekday"] < 5) & (X["holiday"] == 0)).astype(int)
    peak = X["hour"].isin([7, 8, 9, 16, 17, 18, 19])
    X["rush"] = ((X["working"] == 1) & peak).astype(int)
    X["working_hour"] = X["working"] * X["hour"]
    return X


def seasons(df: pd.DataFrame) -> pd.DataFrame:
    """Names for parts of the day and of the year, months since the start, comfort."""
    X = df[WEATHER].copy()
    when = df["date"].dt
    X["hour"] = when.hour
    X["months"] = (when.year - 2011) * 12 + when.month
    X["weekend"] = (when.dayofweek >= 5).astype(int)
    X["comfort"] = df["temp"] * (1 - df["hum"])
    X["feels"] = df["atemp"] - df["temp"]
    X["part_of_day"] = pd.cut(
        when.hour, [-1, 5, 11, 17, 23], labels=["night", "morning", "afternoon", "evening"]
    ).astype(str)
    names = {m: s for s, months in (("winter", (12, 1, 2)), ("spring", (3, 4, 5)),
             ("summer", (6, 7, 8)), ("autumn", (9, 10, 11))) for m in months}  # fmt: skip
    X["season"] = when.month.map(names)
    return X


def lags(df: pd.DataFrame) -> pd.DataFrame:
    """Rush hours and the weather of one, two and 24 hours before."""
    X = rush(df)
    for column in ("temp", "hum", "windspeed"):
        for hours in (1, 2, 24):
            X[f"{column}_lag{hours}"] = df[column].shift(hours)
    return X


def changes(df: pd.DataFrame) -> pd.DataFrame:
    """Lags and what has changed since."""
    X = lags(df)
    X["temp_change"] = X["temp"] - X["temp_lag1"]
    X["hum_change"] = X["hum"] - X["hum_lag1"]
    X["temp_change_day"] = X["temp"] - X["temp_lag24"]
    return X


def rolling(df: pd.DataFrame) -> pd.DataFrame:
    """Lags and rolling means over three and 24 hours."""
    X = lags(df)
    for hours in (3, 24):
        for column in ("temp", "hum"):
            mean = df[column].rolling(hours, min_periods=1).mean()
            X[f"{column}_mean{hours}"] = mean.round(6)
    return X


FEATURES: dict[str, Features] = {f.__name__: f for f in (parts, cyclic, rush, seasons)}
WINDOWS: dict[str, Features] = {f.__name__: f for f in (lags, changes, rolling)}


def problem(
    paths: dict[str, str], features: str, target: str, model_name: str, params: dict[str, Any]
) -> Problem:
    """Loads the data, makes features and builds the pipeline; on log(1 + y) or on y."""
    df = pd.read_csv(paths["bike"], parse_dates=["date"])
    y = df["cnt"]
    in_time = features in WINDOWS
    X = (WINDOWS if in_time else FEATURES)[features](df)
    estimator = model(model_name, params)
    if features == "seasons":
        encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
        numbers = [c for c in X if c not in ("part_of_day", "season")]
        preprocess = ColumnTransformer(
            [("num", "passthrough", numbers), ("cat", encoder, ["part_of_day", "season"])]
        )
        estimator = make_pipeline(preprocess, estimator)
    if target == "log1p":
        estimator = log_target(estimator)
    cv = TimeSeriesSplit(5) if in_time else KFold(5, shuffle=True, random_state=0)
    return Problem(X, y, estimator, cv, "neg_root_mean_squared_log_error")


def run(
    paths: dict[str, str], features: str, target: str, model: str, params: dict[str, Any]
) -> list[float]:
    """RMSLE of five folds."""
    return cross_validated(problem(paths, features, target, model, params))


def stopped(
    paths: dict[str, str],
    features: str,
    target: str,
    model: str,
    params: dict[str, Any],
    patience: int,
) -> list[float]:
    """RMSLE of five folds, on each of which boosting stops; for models of log(1 + y)."""
    return early_stopped(problem(paths, features, target, model, params), patience)


def blend(paths: dict[str, str], members: list[dict[str, Any]], how: str) -> list[float]:
    """RMSLE of the mean of the members' predictions, or a positive Ridge fitted to them."""
    columns = []
    for member in members:
        made = problem(
            paths, member["features"], member["target"], member["model"], member["params"]
        )
        columns.append(cross_val_predict(made.estimator, made.X, made.y, cv=made.cv))
    # XGBoost predicts in single precision, in which means and weights would differ a little.
    stacked, y = np.column_stack(columns).astype(np.float64), np.asarray(made.y)
    found = []
    for train, valid in made.cv.split(stacked):
        if how == "stack":
            final = Ridge(alpha=1.0, positive=True, fit_intercept=False)
            predicted = final.fit(stacked[train], y[train]).predict(stacked[valid])
        else:
            predicted = stacked[valid].mean(axis=1)
        found.append(float(root_mean_squared_log_error(y[valid], predicted)))
    return found
