"""P3 as a script: hospital payments, one of four encodings, one model."""

from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from evals.baselines.common import Problem, cross_validated, log_target, model

NUMBERS = ["Total Discharges", "Average Covered Charges", "lat", "lon"]
STRINGS = ["DRG Definition", "Provider Name", "Provider City", "Provider State",
           "Hospital Referral Region (HRR) Description"]  # fmt: skip
LINEAR = {"Ridge", "ElasticNet"}


def ordinal(df: pd.DataFrame) -> ColumnTransformer:
    """Strings as numbers."""
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return ColumnTransformer([("num", "passthrough", NUMBERS), ("cat", encoder, STRINGS)])


def target(df: pd.DataFrame) -> ColumnTransformer:
    """Strings as cross-fitted means of the target."""
    encoder = TargetEncoder(random_state=0)
    return ColumnTransformer([("num", "passthrough", NUMBERS), ("cat", encoder, STRINGS)])


def text(df: pd.DataFrame) -> ColumnTransformer:
    """Words of the diagnosis in thirty dimensions, and the state."""
    words = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2)), TruncatedSVD(n_components=30, random_state=0)
    )
    states = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return ColumnTransformer(
        [
            ("num", "passthrough", NUMBERS),
            ("words", words, "DRG Definition"),
            ("state", states, ["Provider State"]),
        ]
    )


def aggregates(df: pd.DataFrame) -> ColumnTransformer:
    """Means of the target, and what providers and states charge."""
    provider = df.groupby("Provider Id")
    state = df.groupby("Provider State")["Average Covered Charges"]
    df["provider_diagnoses"] = provider["Provider Id"].transform("size")
    df["provider_discharges"] = provider["Total Discharges"].transform("sum")
    df["provider_charges"] = provider["Average Covered Charges"].transform("mean")
    df["state_rows"] = state.transform("size")
    df["state_charges"] = state.transform("mean")
    df["state_charges_std"] = state.transform("std").fillna(0)
    df["charges_to_provider"] = df["Average Covered Charges"] / df["provider_charges"]
    df["charges_to_state"] = df["Average Covered Charges"] / df["state_charges"]
    made = ["provider_diagnoses", "provider_discharges", "provider_charges", "state_rows",
            "state_charges", "state_charges_std", "charges_to_provider",
            "charges_to_state"]  # fmt: skip
    encoder = TargetEncoder(random_state=0)
    return ColumnTransformer([("num", "passthrough", NUMBERS + made), ("cat", encoder, STRINGS)])


ENCODINGS = {"ordinal": ordinal, "target": target, "text": text, "aggregates": aggregates}


def problem(
    paths: dict[str, str], encoding: str, model_name: str, params: dict[str, Any]
) -> Problem:
    """Loads the data, makes row-wise features and builds the pipeline."""
    df = pd.read_parquet(paths["cms"]).drop(columns="Average Medicare Payments")
    df["Total Discharges"] = df["Total Discharges"].str.replace(",", "").astype(int)
    y = df.pop("Average Total Payments")
    preprocess = ENCODINGS[encoding](df)
    steps = [StandardScaler()] if model_name in LINEAR else []
    estimator = log_target(make_pipeline(preprocess, *steps, model(model_name, params)))
    cv = KFold(5, shuffle=True, random_state=0)
    return Problem(df, y, estimator, cv, "neg_root_mean_squared_log_error")


def run(paths: dict[str, str], encoding: str, model: str, params: dict[str, Any]) -> list[float]:
    """RMSLE of five folds."""
    return cross_validated(problem(paths, encoding, model, params))
