"""P0 as a script: house sales, two ways to make features, one model."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder
from skrub import StringEncoder, TableVectorizer

from evals.baselines.common import Problem, cross_validated, log_target, model

DATES = ["year", "month", "weekday", "day_of_year", "month_sin", "month_cos", "weekday_sin",
         "weekday_cos"]  # fmt: skip
PLACES = ["town_city", "district", "county"]
CODES = ["property_type", "old_new", "duration", "ppd_category_type"]


def encoded(df: pd.DataFrame) -> tuple[pd.DataFrame, Any]:
    """Date parts with cyclic encodings; string, target and one-hot encoders."""
    when = df["date_of_transfer"].dt
    df["year"] = when.year
    df["month"] = when.month
    df["weekday"] = when.dayofweek
    df["day_of_year"] = when.dayofyear
    df["month_sin"] = np.sin(2 * np.pi * df["month"] / 12)
    df["month_cos"] = np.cos(2 * np.pi * df["month"] / 12)
    df["weekday_sin"] = np.sin(2 * np.pi * df["weekday"] / 7)
    df["weekday_cos"] = np.cos(2 * np.pi * df["weekday"] / 7)

    def strings() -> Any:
        return make_pipeline(StringEncoder(n_components=20, random_state=0), StandardScaler())

    places = make_pipeline(TargetEncoder(random_state=0), StandardScaler())
    preprocess = ColumnTransformer(
        [
            ("dates", StandardScaler(), DATES),
            ("town", strings(), "town_city"),
            ("district", strings(), "district"),
            ("places", places, PLACES),
            ("codes", OneHotEncoder(handle_unknown="ignore", sparse_output=False), CODES),
        ]
    )
    return df[[*DATES, *PLACES, *CODES]], preprocess


def vectorised(df: pd.DataFrame) -> tuple[pd.DataFrame, Any]:
    """skrub's vectoriser over the whole table."""
    df = df.drop(columns=["transaction_id", "record_status"])
    vectorizer = TableVectorizer(high_cardinality=StringEncoder(random_state=0))
    return df, make_pipeline(vectorizer, SimpleImputer(), StandardScaler())


FEATURES = {"encoded": encoded, "vectorised": vectorised}


def problem(
    paths: dict[str, str], features: str, model_name: str, params: dict[str, Any]
) -> Problem:
    """Loads the data, makes row-wise features and builds the pipeline."""
    df = pd.read_csv(paths["sales"], parse_dates=["date_of_transfer"])
    y = df.pop("price")
    X, preprocess = FEATURES[features](df)
    estimator = log_target(make_pipeline(preprocess, model(model_name, params)))
    return Problem(X, y, estimator, KFold(3, shuffle=True, random_state=0), "r2")


def run(paths: dict[str, str], features: str, model: str, params: dict[str, Any]) -> list[float]:
    """R2 of three folds."""
    return cross_validated(problem(paths, features, model, params))
