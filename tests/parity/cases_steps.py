"""Data steps on the mixed table against pandas."""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder

from tests.oracle import Reference
from tests.parity.cases_homes import case, on
from tests.parity.data import cities


@case(
    "Ridge(alpha=1.0)",
    ["rmse"],
    prepare=[{"filter": "area < 150", "only": "train"}],
    features=[{"columns": ["area"], "steps": ["SimpleImputer()"]}, {"columns": ["age"]}],
)
def filtered_training_rows(frame: pd.DataFrame) -> Reference:
    """Rows with an unknown area are not known to pass."""
    return on(
        frame,
        lambda: make_pipeline(
            make_column_transformer((SimpleImputer(), ["area"]), ("passthrough", ["age"])),
            Ridge(1.0),
        ),
        ["area", "age"],
        keep=(frame["area"] < 150).to_numpy(),
    )


@case(
    "HistGradientBoostingRegressor(max_iter=15)",
    ["r2"],
    prepare=[
        {"filter": "age >= 5 and city is not null"},
        {
            "derive": {
                "month": "month(sold_at)",
                "weekend": "dayofweek(sold_at) in (0, 6)",
                "per_room": "area / rooms",
                "size": "case when per_room > 30 then 2 when per_room > 20 then 1 else 0 end",
                "late": "hour(sold_at) >= 12",
            }
        },
    ],
    features=[{"columns": ["month", "weekend", "per_room", "size", "late", "age"]}],
)
def derived(frame: pd.DataFrame) -> Reference:
    frame = frame[(frame["age"] >= 5) & frame["city"].notna()].reset_index(drop=True)
    frame["month"] = frame["sold_at"].dt.month
    frame["weekend"] = frame["sold_at"].dt.day_of_week >= 5
    frame["per_room"] = frame["area"] / frame["rooms"]
    frame["size"] = np.select([frame["per_room"] > 30, frame["per_room"] > 20], [2, 1], 0)
    frame["late"] = frame["sold_at"].dt.hour >= 12
    return on(
        frame,
        lambda: HistGradientBoostingRegressor(max_iter=15, random_state=0),
        ["month", "weekend", "per_room", "size", "late", "age"],
    )


@case(
    "RandomForestRegressor(n_estimators=10)",
    ["rmse"],
    prepare=[
        {
            "aggregate": {
                "by": ["seller"],
                "columns": {"homes": "count(*)", "oldest": "max(age)", "mean_age": "avg(age)"},
            }
        },
        {
            "window": {
                "partition_by": ["seller"],
                "order_by": ["sold_at", "id"],
                "columns": {"before": "lag(age)", "nth": "row_number()"},
            }
        },
        {"fill": {"before": 0}},
    ],
    features=[{"columns": ["homes", "oldest", "mean_age", "before", "nth"]}],
)
def aggregated_and_windowed(frame: pd.DataFrame) -> Reference:
    by = frame.groupby("seller")
    frame["homes"] = by["id"].transform("size")
    frame["oldest"] = by["age"].transform("max")
    frame["mean_age"] = by["age"].transform("mean")
    ordered = frame.sort_values(["sold_at", "id"]).groupby("seller")
    frame["before"] = ordered["age"].shift(1).reindex(frame.index).fillna(0)
    frame["nth"] = ordered.cumcount() + 1
    return on(
        frame,
        lambda: RandomForestRegressor(n_estimators=10, random_state=0),
        ["homes", "oldest", "mean_age", "before", "nth"],
    )


@case(
    "Ridge(alpha=1.0)",
    ["r2"],
    prepare=[
        {"join": {"dataset": "cities", "on": ["city"], "how": "left"}},
        {"derive": {"known": "people is not null"}},
    ],
    features=[
        {
            "columns": ["people"],
            "steps": ["SimpleImputer(strategy='constant', fill_value=1)",
                      "FunctionTransformer(log1p)"],
        },
        {"columns": ["known", "age"]},
    ],
)  # fmt: skip
def joined(frame: pd.DataFrame) -> Reference:
    frame = frame.merge(cities(), on="city", how="left")
    frame["known"] = frame["people"].notna()
    return on(
        frame,
        lambda: make_pipeline(
            make_column_transformer(
                (
                    make_pipeline(
                        SimpleImputer(strategy="constant", fill_value=1),
                        FunctionTransformer(np.log1p),
                    ),
                    ["people"],
                ),
                ("passthrough", ["known", "age"]),
            ),
            Ridge(1.0),
        ),
        ["people", "known", "age"],
    )


@case("LinearRegression()", ["rmse"], target="asking", features=[{"columns": ["age", "garden"]}])
def rows_without_target_are_dropped(frame: pd.DataFrame) -> Reference:
    frame = frame.dropna(subset="asking").reset_index(drop=True)
    return on(frame, LinearRegression, ["age", "garden"], target="asking")


CHORES = [
    {"rename": {"area": "m2"}},
    {"cast": {"garden": "integer"}},
    {"fill": {"city": "?"}},
    {"replace": {"kind": {"studio": "flat"}}},
    {"sql": "SELECT *, m2 / (age + 1) AS ratio FROM input"},
    {"drop": ["rooms"]},
]


@case(
    "HistGradientBoostingRegressor(max_iter=12)",
    ["r2"],
    prepare=CHORES,
    features=[
        {"columns": ["m2", "garden", "ratio"]},
        {"columns": ["city", "kind"], "steps": ["OrdinalEncoder()"]},
    ],
)
def chores(frame: pd.DataFrame) -> Reference:
    frame = frame.rename(columns={"area": "m2"})
    frame["garden"] = frame["garden"].astype(int)
    frame["city"] = frame["city"].fillna("?")
    frame["kind"] = frame["kind"].replace({"studio": "flat"})
    frame["ratio"] = frame["m2"] / (frame["age"] + 1)
    return on(
        frame,
        lambda: make_pipeline(
            make_column_transformer(
                ("passthrough", ["m2", "garden", "ratio"]), (OrdinalEncoder(), ["city", "kind"])
            ),
            HistGradientBoostingRegressor(max_iter=12, random_state=0),
        ),
        ["m2", "garden", "ratio", "city", "kind"],
    )
