"""P4: a sweep of linear models over california_housing with seven derived columns.

LinearRegression has nothing to sweep; Ridge, Lasso and ElasticNet have 25 settings each.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from evals.workloads.base import Pipeline, Workload, data_file
from evals.workloads.expressions import call
from evals.workloads.models import FAMILIES
from evals.workloads.tables import sized, written

TARGET = "median_house_value"
MEASURED = [
    "longitude", "latitude", "housing_median_age", "total_rooms", "total_bedrooms", "population",
    "households", "median_income",
]  # fmt: skip
DERIVED = {
    "rooms_per_household": "total_rooms / households",
    "bedrooms_per_room": "total_bedrooms / total_rooms",
    "people_per_household": "population / households",
    "log_income": "ln(1 + median_income)",
    "income_squared": "median_income * median_income",
    "income_per_room": "median_income / total_rooms",
    "new_house": "housing_median_age < 15",
}
PREPARE = [{"derive": DERIVED}, {"cast": {"new_house": "INTEGER"}}]
FEATURES = [
    {
        "columns": [*MEASURED, *DERIVED],
        "steps": ["SimpleImputer(strategy='median')", "StandardScaler()"],
    },
    {"columns": ["ocean_proximity"], "steps": ["OneHotEncoder(handle_unknown='ignore')"]},
]
EVALUATE = {"cv": "KFold(5, shuffle=True, random_state=0)", "metrics": ["r2"]}
FUNCTION = "evals.baselines.linear_sweep:run"

RIDGE = [round(10 ** (-3 + index / 4), 5) for index in range(25)]
LASSO = [round(10 ** (1 + index / 8), 4) for index in range(25)]
NET = [(alpha, ratio) for alpha in (0.001, 0.003, 0.01, 0.03, 0.1)
       for ratio in (0.1, 0.3, 0.5, 0.7, 0.9)]  # fmt: skip


def workload(rows: int | None, folder: Path) -> Workload:
    """76 pipelines; more rows than the 20,640 repeat them with noise."""
    path = str(data_file("california_housing", "housing.csv"))
    if rows is not None:
        frame = sized(pd.read_csv(path), rows, jitter=[*MEASURED[3:], TARGET])
        path = written(frame, folder, f"housing_{rows}.csv")
    pipelines = [
        _pipeline("linear", "LinearRegression", {}),
        *(_pipeline(f"ridge-{a:g}", "Ridge", {"alpha": a}) for a in RIDGE),
        *(_pipeline(f"lasso-{a:g}", "Lasso", {"alpha": a}) for a in LASSO),
        *(_pipeline(f"net-{a:g}-{r:g}", "ElasticNet", {"alpha": a, "l1_ratio": r})
          for a, r in NET),
    ]  # fmt: skip
    return Workload(
        name="linear_sweep",
        title="P4 linear sweep over california_housing",
        datasets={"housing": path},
        evaluate=EVALUATE,
        metric="r2",
        pipelines=tuple(pipelines),
    )


def _pipeline(name: str, model: str, params: dict[str, Any]) -> Pipeline:
    family, kind = FAMILIES[model]
    spec = {
        "name": name,
        "dataset": "housing",
        "target": TARGET,
        "prepare": PREPARE,
        "features": FEATURES,
        "model": call(model, params),
    }
    return Pipeline(name, spec, FUNCTION, {"model": model, "params": params}, kind, family)
