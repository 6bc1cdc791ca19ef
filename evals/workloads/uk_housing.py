"""P0: British house sales, as in the paper, over a generated table.

Stage 1 tries two feature sets with four models; stage 2 tunes the winners.
"""

from pathlib import Path
from typing import Any

from evals.workloads.base import Pipeline, Workload
from evals.workloads.expressions import call
from evals.workloads.models import FAMILIES
from evals.workloads.tables import written
from tools.sample_data import uk_housing

ROWS, SEED = 20_000, 0
FUNCTION = "evals.baselines.uk_housing:run"
EVALUATE = {"cv": "KFold(3, shuffle=True, random_state=0)", "metrics": ["r2"]}
TARGET = {"column": "price", "transform": "log1p"}

DATES = {
    "year": "year(date_of_transfer)",
    "month": "month(date_of_transfer)",
    "weekday": "isodow(date_of_transfer) - 1",
    "day_of_year": "dayofyear(date_of_transfer)",
    "month_sin": "sin(2 * pi() * month / 12)",
    "month_cos": "cos(2 * pi() * month / 12)",
    "weekday_sin": "sin(2 * pi() * weekday / 7)",
    "weekday_cos": "cos(2 * pi() * weekday / 7)",
}
PLACES = ["town_city", "district", "county"]
CODES = ["property_type", "old_new", "duration", "ppd_category_type"]
STRINGS = "StringEncoder(n_components=20, random_state=0)"

# Feature sets: data steps and features.
FEATURES: dict[str, dict[str, Any]] = {
    "encoded": {
        "prepare": [
            {"cast": {"date_of_transfer": "DATE"}},
            {"derive": DATES},
        ],
        "features": [
            {"columns": list(DATES), "steps": ["StandardScaler()"]},
            {"columns": ["town_city"], "steps": [STRINGS, "StandardScaler()"]},
            {"columns": ["district"], "steps": [STRINGS, "StandardScaler()"]},
            {"columns": PLACES, "steps": ["TargetEncoder(random_state=0)", "StandardScaler()"]},
            {
                "columns": CODES,
                "steps": ["OneHotEncoder(handle_unknown='ignore', sparse_output=False)"],
            },
        ],
    },
    "vectorised": {
        "prepare": [
            {"cast": {"date_of_transfer": "TIMESTAMP"}},
            {"drop": ["transaction_id", "record_status"]},
        ],
        "features": "make_pipeline(TableVectorizer(high_cardinality=StringEncoder("
        "random_state=0)), SimpleImputer(), StandardScaler())",
    },
}
STAGE_1: dict[str, tuple[str, dict[str, Any]]] = {
    "ridge": ("Ridge", {"alpha": 1.0}),
    "xgboost": ("XGBRegressor", {"n_estimators": 300, "learning_rate": 0.1, "max_depth": 6}),
    "lightgbm": ("LGBMRegressor", {"n_estimators": 300, "learning_rate": 0.1}),
    "elasticnet": ("ElasticNet", {"alpha": 0.001, "l1_ratio": 0.5}),
}
LIGHTGBM = [(rate, depth) for rate in (0.05, 0.1) for depth in (4, 6, 8)]
RIDGE = [0.001, 0.01, 0.1, 0.3, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0]
NET = [(a, r) for a in (0.0001, 0.0003, 0.003, 0.01, 0.03) for r in (0.1, 0.3, 0.7, 0.9)]


def workload(rows: int | None, folder: Path) -> Workload:
    """44 pipelines over `rows` sales."""
    rows = ROWS if rows is None else rows
    path = written(uk_housing(rows, SEED), folder, f"uk_housing_{rows}.csv")
    stage_1 = [
        pipeline(f"{features}-{name}", features, model, params)
        for features in FEATURES
        for name, (model, params) in STAGE_1.items()
    ]
    stage_2 = [
        *(
            pipeline(
                f"tuned-lightgbm-{rate:g}-{depth}",
                "encoded",
                "LGBMRegressor",
                {"n_estimators": 300, "learning_rate": rate, "max_depth": depth},
            )
            for rate, depth in LIGHTGBM
        ),
        *(pipeline(f"tuned-ridge-{a:g}", "encoded", "Ridge", {"alpha": a}) for a in RIDGE),
        *(
            pipeline(
                f"tuned-elasticnet-{a:g}-{r:g}",
                "encoded",
                "ElasticNet",
                {"alpha": a, "l1_ratio": r},
            )
            for a, r in NET
        ),
    ]
    return Workload(
        name="uk_housing",
        title="P0 house prices of the paper",
        datasets={"sales": path},
        evaluate=EVALUATE,
        metric="r2",
        pipelines=(*stage_1, *stage_2),
    )


def pipeline(name: str, features: str, model: str, params: dict[str, Any]) -> Pipeline:
    """One pipeline over the sales; `features` is one of `FEATURES`."""
    family, kind = FAMILIES[model]
    spec = {
        "name": name,
        "dataset": "sales",
        "target": TARGET,
        **FEATURES[features],
        "model": call(model, params),
    }
    arguments = {"features": features, "model": model, "params": params}
    return Pipeline(name, spec, FUNCTION, arguments, kind, family)
