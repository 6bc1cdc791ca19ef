"""P1 as scripts that crash, each in a way that agents' first attempts do."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from xgboost import XGBClassifier

from evals.baselines.churn_trace import CATEGORIES, NUMBERS

Attempt = Callable[[pd.DataFrame], tuple[pd.DataFrame, BaseEstimator]]


def blank_total(df: pd.DataFrame) -> Any:
    """Casts a column with blanks to a number."""
    df["TotalCharges"] = df["TotalCharges"].astype(float)
    return df[NUMBERS], make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def missing_total(df: pd.DataFrame) -> Any:
    """Leaves missing values to a model that takes none."""
    df["TotalCharges"] = pd.to_numeric(df["TotalCharges"], errors="coerce")
    return df[NUMBERS], make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def scaled_strings(df: pd.DataFrame) -> Any:
    """Scales a string column."""
    return df[["tenure", "Contract"]], make_pipeline(StandardScaler(), LogisticRegression())


def unknown_column(df: pd.DataFrame) -> Any:
    """Asks for a column of another name."""
    columns = ["tenure", "monthly_charges"]
    return df, make_pipeline(
        ColumnTransformer([("num", StandardScaler(), columns)]), LogisticRegression()
    )


def unknown_parameter(df: pd.DataFrame) -> Any:
    """Names a parameter as in another library."""
    return df[["tenure", "MonthlyCharges"]], HistGradientBoostingClassifier(n_estimators=300)


def strings_to_boosting(df: pd.DataFrame) -> Any:
    """Hands strings to XGBoost."""
    return df[["tenure", "Contract", "PaymentMethod"]], XGBClassifier(random_state=0)


def too_many_components(df: pd.DataFrame) -> Any:
    """Asks for more components than there are columns."""
    preprocess = ColumnTransformer(
        [
            ("num", StandardScaler(), ["tenure", "MonthlyCharges"]),
            ("cat", OneHotEncoder(sparse_output=False), CATEGORIES),
        ]
    )
    return df, make_pipeline(
        preprocess, PCA(n_components=100, random_state=0), LogisticRegression(max_iter=1000)
    )


def invalid_value(df: pd.DataFrame) -> Any:
    """Gives a parameter a value outside its range."""
    model = HistGradientBoostingClassifier(learning_rate=-0.1, random_state=0)
    return df[["tenure", "MonthlyCharges"]], model


ATTEMPTS: dict[str, Attempt] = {
    f.__name__: f
    for f in (
        blank_total,
        missing_total,
        scaled_strings,
        unknown_column,
        unknown_parameter,
        strings_to_boosting,
        too_many_components,
        invalid_value,
    )
}


def run(paths: dict[str, str], attempt: str) -> list[float]:
    """Raises, after as much work as such a script does before it crashes."""
    df = pd.read_csv(paths["churn"])
    y = (df.pop("Churn") == "Yes").astype(int)
    X, estimator = ATTEMPTS[attempt](df)
    cv = StratifiedKFold(5, shuffle=True, random_state=0)
    scores = cross_val_score(estimator, X, y, cv=cv, scoring="roc_auc", error_score="raise")
    return [float(score) for score in scores]
