"""The crashing attempts of P1: their specs, and which pipeline of the trace repairs each."""

from typing import Any

from evals.workloads.churn_features import CATEGORIES, DROP, NUMBERS, ONE_HOT

_SCALED = [{"columns": NUMBERS, "steps": ["StandardScaler()"]}]
_LOGISTIC = "LogisticRegression(max_iter=1000)"
_TWO = [{"columns": ["tenure", "MonthlyCharges"]}]

# Attempt, the pipeline that follows it as its repair, and what differs from a working spec.
BROKEN: dict[str, tuple[str, dict[str, Any]]] = {
    "blank_total": (
        "raw-logistic",
        {
            "prepare": [{"derive": {"TotalCharges": "cast(TotalCharges as double)"}}, DROP],
            "features": _SCALED,
            "model": _LOGISTIC,
        },
    ),
    "missing_total": (
        "ratios-logistic",
        {
            "prepare": [{"derive": {"TotalCharges": "try_cast(TotalCharges as double)"}}, DROP],
            "features": _SCALED,
            "model": _LOGISTIC,
        },
    ),
    "scaled_strings": (
        "groups-logistic",
        {
            "features": [{"columns": ["tenure", "Contract"], "steps": ["StandardScaler()"]}],
            "model": "LogisticRegression()",
        },
    ),
    "unknown_column": (
        "pairs-logistic",
        {
            "features": [{"columns": ["tenure", "monthly_charges"], "steps": ["StandardScaler()"]}],
            "model": "LogisticRegression()",
        },
    ),
    "unknown_parameter": (
        "ratios-histgb",
        {"features": _TWO, "model": "HistGradientBoostingClassifier(n_estimators=300)"},
    ),
    "strings_to_boosting": (
        "services-xgboost",
        {
            "features": [{"columns": ["tenure", "Contract", "PaymentMethod"]}],
            "model": "XGBClassifier()",
        },
    ),
    "too_many_components": (
        "services-logistic",
        {
            "features": [
                {"columns": ["tenure", "MonthlyCharges"], "steps": ["StandardScaler()"]},
                {"columns": CATEGORIES, "steps": [ONE_HOT]},
            ],
            "model": f"make_pipeline(PCA(n_components=100), {_LOGISTIC})",
        },
    ),
    "invalid_value": (
        "pairs-histgb",
        {
            "features": _TWO,
            "model": "HistGradientBoostingClassifier(learning_rate=-0.1)",
        },
    ),
}
