"""P1 as a script: telco customers, one of six feature sets, one classifier or a blend."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from evals.baselines.common import Problem, cross_validated, model, reseeded, seed_averaged

NUMBERS = ["SeniorCitizen", "tenure", "MonthlyCharges", "TotalCharges"]
SERVICES = ["OnlineSecurity", "OnlineBackup", "DeviceProtection", "TechSupport", "StreamingTV",
            "StreamingMovies"]  # fmt: skip
CATEGORIES = ["gender", "Partner", "Dependents", "PhoneService", "MultipleLines",
              "InternetService", *SERVICES, "Contract", "PaperlessBilling",
              "PaymentMethod"]  # fmt: skip
SCALED = {"LogisticRegression", "KNeighborsClassifier"}

# Names of numbers and strings to use, and (encoder, columns) of further branches.
Made = tuple[list[str], list[str], list[tuple[Any, list[str]]]]


def load(paths: dict[str, str]) -> tuple[pd.DataFrame, pd.Series]:
    """Customers and whether they left; blank totals are those of new customers."""
    df = pd.read_csv(paths["churn"]).drop(columns="customerID")
    df["TotalCharges"] = pd.to_numeric(df["TotalCharges"], errors="coerce").fillna(0.0)
    y = (df.pop("Churn") == "Yes").astype(int)
    return df, y


def raw(df: pd.DataFrame) -> Made:
    return NUMBERS, CATEGORIES, []


def ratios(df: pd.DataFrame) -> Made:
    df["charges_per_month"] = df["TotalCharges"] / (df["tenure"] + 1)
    df["monthly_to_total"] = df["MonthlyCharges"] / (df["TotalCharges"] + 1)
    df["expected_total"] = df["MonthlyCharges"] * df["tenure"]
    df["total_gap"] = df["TotalCharges"] - df["expected_total"]
    df["charge_trend"] = df["MonthlyCharges"] / (df["charges_per_month"] + 1)
    made = ["charges_per_month", "monthly_to_total", "expected_total", "total_gap", "charge_trend"]
    return NUMBERS + made, CATEGORIES, []


def services(df: pd.DataFrame) -> Made:
    df["services"] = (df[SERVICES] == "Yes").sum(axis=1)
    df["streaming"] = (df[["StreamingTV", "StreamingMovies"]] == "Yes").any(axis=1).astype(int)
    df["protected"] = (df[["OnlineSecurity", "TechSupport"]] == "Yes").all(axis=1).astype(int)
    df["alone"] = ((df["Partner"] == "No") & (df["Dependents"] == "No")).astype(int)
    df["automatic"] = df["PaymentMethod"].str.contains("automatic").astype(int)
    df["tenure_bin"] = pd.cut(df["tenure"], [-1, 12, 24, 48, 60, 100], labels=False)
    made = ["services", "streaming", "protected", "alone", "automatic", "tenure_bin"]
    bins = KBinsDiscretizer(n_bins=8, encode="ordinal", strategy="quantile")
    return NUMBERS + made, CATEGORIES, [(bins, ["MonthlyCharges", "TotalCharges"])]


def groups(df: pd.DataFrame) -> Made:
    made = []
    for by in (["Contract"], ["InternetService"], ["PaymentMethod"],
               ["Contract", "InternetService"]):  # fmt: skip
        stem, grouped = "_".join(by), df.groupby(by)
        df[f"{stem}_mean"] = grouped["MonthlyCharges"].transform("mean")
        df[f"{stem}_std"] = grouped["MonthlyCharges"].transform("std")
        df[f"{stem}_tenure"] = grouped["tenure"].transform("mean")
        df[f"{stem}_apart"] = df["MonthlyCharges"] - df[f"{stem}_mean"]
        made += [f"{stem}_{what}" for what in ("mean", "std", "tenure", "apart")]
    return NUMBERS + made, CATEGORIES, []


def pairs(df: pd.DataFrame) -> Made:
    made = {
        "contract_payment": ("Contract", "PaymentMethod"),
        "contract_internet": ("Contract", "InternetService"),
        "payment_billing": ("PaymentMethod", "PaperlessBilling"),
        "internet_security": ("InternetService", "OnlineSecurity"),
    }
    for name, (left, right) in made.items():
        df[name] = df[left] + "|" + df[right]
    return NUMBERS, CATEGORIES, [(TargetEncoder(random_state=0), list(made))]


def frequency(df: pd.DataFrame) -> Made:
    for name in CATEGORIES:
        df[f"{name}_freq"] = df[name].map(df[name].value_counts(normalize=True))
    return NUMBERS + [f"{name}_freq" for name in CATEGORIES], [], []


FEATURES: dict[str, Callable[[pd.DataFrame], Made]] = {
    f.__name__: f for f in (raw, ratios, services, groups, pairs, frequency)
}


def problem(
    paths: dict[str, str],
    features: str,
    model_name: str,
    params: dict[str, Any],
    columns: Sequence[str] | None = None,
) -> Problem:
    """Loads the data, makes features and builds the pipeline; `columns` keeps only these."""
    df, y = load(paths)
    numbers, strings, branches = FEATURES[features](df)
    if columns is not None:
        numbers = [name for name in numbers if name in columns]
        strings = [name for name in strings if name in columns]
    scaled = model_name in SCALED

    def scale(encoder: Any) -> Any:
        return make_pipeline(encoder, StandardScaler()) if scaled else encoder

    transformers: list[tuple[str, Any, list[str]]] = [
        ("num", StandardScaler() if scaled else "passthrough", numbers)
    ]
    if strings and scaled:
        one_hot = OneHotEncoder(drop="if_binary", handle_unknown="ignore", sparse_output=False)
        transformers.append(("cat", one_hot, strings))
    elif strings:
        ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
        transformers.append(("cat", ordinal, strings))
    transformers += [(f"b{i}", scale(encoder), of) for i, (encoder, of) in enumerate(branches)]
    estimator = make_pipeline(ColumnTransformer(transformers), model(model_name, params))
    cv = StratifiedKFold(5, shuffle=True, random_state=0)
    return Problem(df, y, estimator, cv, "roc_auc")


def run(
    paths: dict[str, str],
    features: str,
    model: str,
    params: dict[str, Any],
    columns: Sequence[str] | None = None,
) -> list[float]:
    """AUC of five folds."""
    return cross_validated(problem(paths, features, model, params, columns))


def averaged(
    paths: dict[str, str],
    features: str,
    model: str,
    params: dict[str, Any],
    seeds: Sequence[int],
    columns: Sequence[str] | None = None,
) -> list[float]:
    """AUC of five folds, each the mean over seeds of the model."""
    made = problem(paths, features, model, params, columns)
    return seed_averaged(reseeded(made, seeds))


def blend(paths: dict[str, str], members: list[dict[str, Any]], how: str) -> list[float]:
    """AUC of the mean, the mean rank or a stack of the members' out-of-fold probabilities."""
    columns = []
    for member in members:
        made = problem(paths, member["features"], member["model"], member["params"])
        probabilities = cross_val_predict(
            made.estimator, made.X, made.y, cv=made.cv, method="predict_proba"
        )
        columns.append(probabilities[:, 1])
    # XGBoost predicts in single precision, in which means and weights would differ a little.
    stacked, y = np.column_stack(columns).astype(np.float64), np.asarray(made.y)
    found = []
    for train, valid in made.cv.split(stacked, y):
        if how == "stack":
            final = LogisticRegression(C=1.0).fit(stacked[train], y[train])
            score = final.predict_proba(stacked[valid])[:, 1]
        elif how == "rank_mean":
            score = rankdata(stacked[valid], axis=0).mean(axis=1)
        else:
            score = stacked[valid].mean(axis=1)
        found.append(float(roc_auc_score(y[valid], score)))
    return found
