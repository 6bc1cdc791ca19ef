"""P3: payments of American hospitals; four encodings by twelve models."""

from pathlib import Path
from typing import Any

import pandas as pd

from evals.workloads.base import Pipeline, Workload, data_file
from evals.workloads.expressions import call
from evals.workloads.models import FAMILIES, LINEAR
from evals.workloads.tables import sized, written

FUNCTION = "evals.baselines.cms_grid:run"
# The target is log1p of the payment, and rmsle the RMSE of its logarithms.
EVALUATE = {"cv": "KFold(5, shuffle=True, random_state=0)", "metrics": ["rmsle"]}
TARGET = {"column": "Average Total Payments", "transform": "log1p"}
DIAGNOSIS = "DRG Definition"
NUMBERS = ["Total Discharges", "Average Covered Charges", "lat", "lon"]
STRINGS = [DIAGNOSIS, "Provider Name", "Provider City", "Provider State",
           "Hospital Referral Region (HRR) Description"]  # fmt: skip
# Close to a copy of the target.
LEAK = "Average Medicare Payments"
PREPARE: list[dict[str, Any]] = [
    {"derive": {"Total Discharges": "cast(replace(\"Total Discharges\", ',', '') as bigint)"}},
    {"drop": [LEAK]},
]
TARGETED = {"columns": STRINGS, "steps": ["TargetEncoder(random_state=0)"]}
AGGREGATES: list[dict[str, Any]] = [
    {
        "aggregate": {
            "by": ["Provider Id"],
            "columns": {
                "provider_diagnoses": "count(*)",
                "provider_discharges": 'sum("Total Discharges")',
                "provider_charges": 'avg("Average Covered Charges")',
            },
        }
    },
    {
        "aggregate": {
            "by": ["Provider State"],
            "columns": {
                "state_rows": "count(*)",
                "state_charges": 'avg("Average Covered Charges")',
                "state_charges_std": 'stddev("Average Covered Charges")',
            },
        }
    },
    {"fill": {"state_charges_std": 0}},  # a state of one row has none
    {
        "derive": {
            "charges_to_provider": '"Average Covered Charges" / provider_charges',
            "charges_to_state": '"Average Covered Charges" / state_charges',
        }
    },
]
AGGREGATED = ["provider_diagnoses", "provider_discharges", "provider_charges", "state_rows",
              "state_charges", "state_charges_std", "charges_to_provider",
              "charges_to_state"]  # fmt: skip

ORDINAL = "OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=-1)"
# Encodings: data steps and branches of features.
ENCODINGS: dict[str, dict[str, Any]] = {
    "ordinal": {
        "prepare": PREPARE,
        "features": [{"columns": NUMBERS}, {"columns": STRINGS, "steps": [ORDINAL]}],
    },
    "target": {"prepare": PREPARE, "features": [{"columns": NUMBERS}, TARGETED]},
    "text": {
        "prepare": PREPARE,
        "features": [
            {"columns": NUMBERS},
            {
                "columns": [DIAGNOSIS],
                "steps": [
                    "TfidfVectorizer(ngram_range=(1, 2))",
                    "TruncatedSVD(n_components=30, random_state=0)",
                ],
            },
            {
                "columns": ["Provider State"],
                "steps": ["OneHotEncoder(handle_unknown='ignore', sparse_output=False)"],
            },
        ],
    },
    "aggregates": {
        "prepare": [*PREPARE, *AGGREGATES],
        "features": [{"columns": [*NUMBERS, *AGGREGATED]}, TARGETED],
    },
}
MODELS: list[tuple[str, str, dict[str, Any]]] = [
    *((f"ridge-{a:g}", "Ridge", {"alpha": a}) for a in (0.1, 1.0, 10.0)),
    *(
        (f"elasticnet-{a:g}", "ElasticNet", {"alpha": a, "l1_ratio": 0.5})
        for a in (0.001, 0.01, 0.1)
    ),
    *(
        (f"lightgbm-{n}", "LGBMRegressor",
         {"n_estimators": 200, "learning_rate": 0.1, "num_leaves": n})
        for n in (15, 31, 63)
    ),
    *(
        (f"xgboost-{d}", "XGBRegressor",
         {"n_estimators": 200, "learning_rate": 0.1, "max_depth": d})
        for d in (4, 6, 8)
    ),
]  # fmt: skip


def workload(rows: int | None, folder: Path) -> Workload:
    """48 pipelines; `rows` is at most the 181,215 of the table, or more by repetition."""
    path = str(data_file("cms_inpatient_2016", "cms_inpatient_2016.parquet"))
    if rows is not None:
        frame = sized(pd.read_parquet(path), rows, jitter=[NUMBERS[1], TARGET["column"]])
        path = written(frame, folder, f"cms_{rows}.parquet")
    return Workload(
        name="cms_grid",
        title="P3 hospital payments: encodings by models",
        datasets={"cms": path},
        evaluate=EVALUATE,
        metric="rmsle",
        pipelines=tuple(
            _pipeline(f"{encoding}-{name}", encoding, model, params)
            for encoding in ENCODINGS
            for name, model, params in MODELS
        ),
    )


def _pipeline(name: str, encoding: str, model: str, params: dict[str, Any]) -> Pipeline:
    family, kind = FAMILIES[model]
    estimator = call(model, params)
    spec = {
        "name": name,
        "dataset": "cms",
        "target": TARGET,
        **ENCODINGS[encoding],
        "model": f"make_pipeline(StandardScaler(), {estimator})" if family in LINEAR else estimator,
    }
    arguments = {"encoding": encoding, "model": model, "params": params}
    return Pipeline(name, spec, FUNCTION, arguments, kind, family)
