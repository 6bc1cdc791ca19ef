"""P2: hourly bike rentals, as an agent of the AIDE kind explores them.

Four uses of the date by two targets by three models; a boosting grid with early stopping; lags and
rolling means of the weather under time-ordered folds; blends.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from evals.workloads import base
from evals.workloads.base import Pipeline, Workload, data_file
from evals.workloads.bike_features import DATE_PARTS, WINDOWS
from evals.workloads.expressions import call
from evals.workloads.models import FAMILIES
from evals.workloads.tables import sized, written

FUNCTION = "evals.baselines.bike_aide:run"
STOPPED = "evals.baselines.bike_aide:stopped"
BLENDED = "evals.baselines.bike_aide:blend"
METRICS = ["rmsle"]
EVALUATE = {"cv": "KFold(5, shuffle=True, random_state=0)", "metrics": METRICS}
IN_TIME = {"cv": "TimeSeriesSplit(5)", "metrics": METRICS}
ROUNDS, PATIENCE = 1000, 50

# Counts are modelled as they are by a Poisson objective, whose predictions are positive.
MODELS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "raw": {
        "forest": ("RandomForestRegressor", {"n_estimators": 100, "min_samples_leaf": 2}),
        "lightgbm": (
            "LGBMRegressor",
            {"n_estimators": 300, "learning_rate": 0.05, "objective": "poisson"},
        ),
        "xgboost": (
            "XGBRegressor",
            {"n_estimators": 300, "learning_rate": 0.05, "objective": "count:poisson"},
        ),
    },
    "log1p": {
        "forest": ("RandomForestRegressor", {"n_estimators": 100, "min_samples_leaf": 2}),
        "lightgbm": ("LGBMRegressor", {"n_estimators": 300, "learning_rate": 0.05}),
        "xgboost": ("XGBRegressor", {"n_estimators": 300, "learning_rate": 0.05}),
    },
}
GRID: list[tuple[str, str, dict[str, Any]]] = [
    *(
        (f"lightgbm-{leaves}-{rate:g}", "LGBMRegressor",
         {"n_estimators": ROUNDS, "num_leaves": leaves, "learning_rate": rate})
        for leaves in (15, 31, 63) for rate in (0.03, 0.1)
    ),
    *(
        (f"xgboost-{depth}-{rate:g}", "XGBRegressor",
         {"n_estimators": ROUNDS, "max_depth": depth, "learning_rate": rate})
        for depth in (4, 6, 8) for rate in (0.05, 0.1)
    ),
]  # fmt: skip
# Weights of members that are counts: no negative ones, or predictions would be negative too.
STACK = "Ridge(alpha=1.0, positive=True, fit_intercept=False)"
BLENDS: dict[str, dict[str, Any]] = {
    "blend-forest": {"of": ["parts-log1p-forest", "rush-log1p-forest"], "how": "mean"},
    "blend-parts": {
        "of": ["parts-log1p-forest", "parts-log1p-lightgbm", "parts-log1p-xgboost"],
        "how": "mean",
    },
    "blend-targets": {"of": ["rush-raw-lightgbm", "rush-log1p-lightgbm"], "how": "mean"},
    "blend-dates": {
        "of": ["parts-log1p-lightgbm", "cyclic-log1p-lightgbm", "seasons-log1p-lightgbm"],
        "how": "mean",
    },
    "stack-rush": {
        "of": ["rush-log1p-forest", "rush-log1p-lightgbm", "rush-log1p-xgboost"],
        "how": "stack",
        "model": STACK,
    },
    "stack-dates": {
        "of": ["cyclic-log1p-lightgbm", "rush-log1p-xgboost", "seasons-log1p-forest"],
        "how": "stack",
        "model": STACK,
    },
}


def workload(rows: int | None, folder: Path) -> Workload:
    """54 pipelines, and 6 blends; more hours than the 17,379 repeat them, later."""
    path = str(data_file("bike_sharing", "bike_sharing.csv"))
    if rows is not None:
        path = written(_table(path, rows), folder, f"bike_{rows}.csv")
    pipelines = [
        *(
            _pipeline(f"{dates}-{target}-{name}", dates, target, model, params)
            for dates in DATE_PARTS
            for target, models in MODELS.items()
            for name, (model, params) in models.items()
        ),
        *(
            _pipeline(f"grid-{dates}-{name}", dates, "log1p", model, params, PATIENCE)
            for dates in ("cyclic", "rush")
            for name, model, params in GRID
        ),
        *(
            _pipeline(f"{windows}-{name}", windows, "log1p", *MODELS["log1p"][name])
            for windows in WINDOWS
            for name in ("lightgbm", "xgboost")
        ),
    ]
    return Workload(
        name="bike_aide",
        title="P2 bike rentals, explored by an agent",
        datasets={"bike": path},
        evaluate=EVALUATE,
        metric="rmsle",
        pipelines=(*pipelines, *_blends(pipelines)),
        notes=() if base.BLENDS else ("blends are left out",),
    )


def _table(path: str, rows: int) -> pd.DataFrame:
    frame = pd.read_csv(path)
    hours = len(frame)
    grown = sized(frame, rows, serial="instant")
    if rows > hours:
        years = pd.to_timedelta((grown.index // hours) * 731, unit="D")
        grown["date"] = (pd.to_datetime(grown["date"]) + years).dt.strftime("%Y-%m-%d %H:%M:%S")
    return grown


def _pipeline(
    name: str,
    features: str,
    target: str,
    model: str,
    params: dict[str, Any],
    patience: int | None = None,
) -> Pipeline:
    family, kind = FAMILIES[model]
    in_time = features in WINDOWS
    spec: dict[str, Any] = {
        "name": name,
        "dataset": "bike",
        "target": {"column": "cnt", "transform": "log1p"} if target == "log1p" else "cnt",
        **(WINDOWS if in_time else DATE_PARTS)[features],
        "model": call(model, params),
    }
    if patience is not None:
        spec["early_stopping"] = {"rounds": patience}
    arguments: dict[str, Any] = {
        "features": features,
        "target": target,
        "model": model,
        "params": params,
    }
    function = FUNCTION
    if patience is not None:
        arguments["patience"], function = patience, STOPPED
    evaluate = IN_TIME if in_time else None
    return Pipeline(name, spec, function, arguments, kind, family, evaluate=evaluate)


def _blends(pipelines: list[Pipeline]) -> list[Pipeline]:
    """Blends refit their members in a script, which has kept none of their predictions."""
    members = {p.name: p.arguments for p in pipelines}
    return [
        Pipeline(
            name=name,
            spec={"name": name, "blend": blend},
            function=BLENDED,
            arguments={"members": [members[of] for of in blend["of"]], "how": blend["how"]},
            kind="iterative",
            family="blend",
        )
        for name, blend in (BLENDS.items() if base.BLENDS else ())
    ]
