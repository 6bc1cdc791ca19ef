"""P4 as a script: california_housing, seven derived columns, a linear model."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from evals.baselines.common import Problem, cross_validated, model


def engineered(df: pd.DataFrame) -> pd.DataFrame:
    """The table with the derived columns."""
    df["rooms_per_household"] = df["total_rooms"] / df["households"]
    df["bedrooms_per_room"] = df["total_bedrooms"] / df["total_rooms"]
    df["people_per_household"] = df["population"] / df["households"]
    df["log_income"] = np.log1p(df["median_income"])
    df["income_squared"] = df["median_income"] ** 2
    df["income_per_room"] = df["median_income"] / df["total_rooms"]
    df["new_house"] = (df["housing_median_age"] < 15).astype(int)
    return df


def problem(paths: dict[str, str], model_name: str, params: dict[str, Any]) -> Problem:
    """Loads the data and builds the pipeline."""
    df = engineered(pd.read_csv(paths["housing"]))
    y = df.pop("median_house_value")
    numeric = [c for c in df.columns if c != "ocean_proximity"]
    preprocess = ColumnTransformer(
        [
            ("num", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numeric),
            ("cat", OneHotEncoder(handle_unknown="ignore"), ["ocean_proximity"]),
        ]
    )
    estimator = make_pipeline(preprocess, model(model_name, params))
    return Problem(df, y, estimator, KFold(5, shuffle=True, random_state=0), "r2")


def run(paths: dict[str, str], model: str, params: dict[str, Any]) -> list[float]:
    """R2 of five folds."""
    return cross_validated(problem(paths, model, params))
