"""Regressors on a mixed table: missing values, categories, text, weights, data steps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)
from xgboost import XGBRegressor

from tests.oracle import LGBM, XGB, Categories, Make, Reference
from tests.parity.data import cities
from tests.parity.harness import ITERATIVE, Batch

BATCH = Batch(
    "homes",
    {"cv": "KFold(3, shuffle=True, random_state=1)"},
    lambda reference: KFold(3, shuffle=True, random_state=1).split(reference.X),
)
NUMERIC = ["area", "rooms", "age"]
UNUSED = ["id", "seller", "sold_at", "note", "weight", "fold", "grade", "sold", "asking"]


def on(
    frame: pd.DataFrame, make: Make, columns: Sequence[str], target: str = "price", **more: Any
) -> Reference:
    return Reference(make, frame[list(columns)], frame[target], frame, **more)


def case(model: Any, metrics: list[Any], target: Any = "price", **more: Any) -> Any:
    return BATCH.case("homes", target, model, metrics, **more)


def one_hot() -> OneHotEncoder:
    return OneHotEncoder(drop="if_binary", handle_unknown="ignore", sparse_output=False)


@case("Ridge(alpha=2.0)", ["r2", "rmse", "rmsle"], prepare=[{"drop": UNUSED}])
def default_plan_of_a_linear_model(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: make_pipeline(
            make_column_transformer(
                (make_pipeline(SimpleImputer(), StandardScaler()), NUMERIC),
                ("passthrough", ["garden"]),
                (one_hot(), ["city", "kind"]),
                (make_pipeline(TargetEncoder(random_state=0), StandardScaler()), ["street"]),
            ),
            Ridge(2.0),
        ),
        [*NUMERIC, "garden", "city", "kind", "street"],
    )


@case("HistGradientBoostingRegressor(max_iter=30)", ["r2", "mape"], prepare=[{"drop": UNUSED}])
def default_plan_of_boosting(frame: pd.DataFrame) -> Reference:
    """Missing numbers reach models that take them."""
    return on(
        frame,
        lambda: make_pipeline(
            make_column_transformer(
                ("passthrough", NUMERIC),
                ("passthrough", ["garden"]),
                (one_hot(), ["city", "kind"]),
                (TargetEncoder(random_state=0), ["street"]),
            ),
            HistGradientBoostingRegressor(max_iter=30, random_state=0),
        ),
        [*NUMERIC, "garden", "city", "kind", "street"],
    )


@case(
    "LGBMRegressor(n_estimators=30, num_leaves=7)",
    ["rmse"],
    features=[
        {"columns": NUMERIC, "steps": ["SimpleImputer(strategy='median', add_indicator=True)"]},
        {"columns": ["city", "kind"], "steps": ["OneHotEncoder(handle_unknown='ignore')"]},
        {"columns": ["street"], "steps": ["TargetEncoder(smooth=5.0)"]},
    ],
)
def imputed_one_hot_and_target_encoded(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: make_pipeline(
            make_column_transformer(
                (SimpleImputer(strategy="median", add_indicator=True), NUMERIC),
                (OneHotEncoder(handle_unknown="ignore"), ["city", "kind"]),
                (TargetEncoder(smooth=5.0, random_state=0), ["street"]),
            ),
            LGBMRegressor(n_estimators=30, num_leaves=7, random_state=0, **LGBM),
        ),
        [*NUMERIC, "city", "kind", "street"],
    )


ORDINAL = (
    "OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=-1, encoded_missing_value=-2)"
)


@case(
    "RandomForestRegressor(n_estimators=15)",
    ["mae"],
    features=[
        {"columns": ["city", "kind", "street"], "steps": [ORDINAL]},
        {"columns": ["age", "garden"]},
    ],
)
def ordinal_forest(frame: pd.DataFrame) -> Reference:
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
    )
    return on(
        frame,
        lambda: make_pipeline(
            make_column_transformer(
                (encoder, ["city", "kind", "street"]), ("passthrough", ["age", "garden"])
            ),
            RandomForestRegressor(n_estimators=15, random_state=0),
        ),
        ["city", "kind", "street", "age", "garden"],
    )


NATIVE = [
    {"columns": ["area", "age"]},
    {"columns": ["city", "kind"], "steps": ["ToCategorical()"]},
]


def native(model: Any) -> Any:
    transformer = make_column_transformer(
        ("passthrough", ["area", "age"]), (Categories(), ["city", "kind"])
    )
    return make_pipeline(transformer.set_output(transform="pandas"), model)


@case("HistGradientBoostingRegressor(max_iter=20)", ["r2"], features=NATIVE)
def native_categories_in_scikit_learn(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: native(HistGradientBoostingRegressor(max_iter=20, random_state=0)),
        ["area", "age", "city", "kind"],
    )


@case("LGBMRegressor(n_estimators=20, num_leaves=7)", ["r2"], features=NATIVE)
def native_categories_in_lightgbm(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: native(LGBMRegressor(n_estimators=20, num_leaves=7, random_state=0, **LGBM)),
        ["area", "age", "city", "kind"],
    )


@case("XGBRegressor(n_estimators=20, enable_categorical=True)", ["r2"], features=NATIVE)
def native_categories_in_xgboost(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: native(
            XGBRegressor(n_estimators=20, enable_categorical=True, random_state=0, **XGB)
        ),
        ["area", "age", "city", "kind"],
    )


@case(
    "Ridge(alpha=1.0)",
    ["rmse"],
    tolerance=ITERATIVE,
    features=[
        {"columns": "note", "steps": ["TfidfVectorizer(ngram_range=(1, 2))"]},
        {"columns": ["age"], "steps": ["StandardScaler()"]},
    ],
)
def text(frame: pd.DataFrame) -> Reference:
    """Sparse features; the ridge solver iterates there."""
    return on(
        frame,
        lambda: make_pipeline(
            make_column_transformer(
                (TfidfVectorizer(ngram_range=(1, 2)), "note"), (StandardScaler(), ["age"])
            ),
            Ridge(1.0),
        ),
        ["note", "age"],
    )


@case(
    "LinearRegression()",
    ["r2"],
    features=[{"columns": "note", "steps": ["CountVectorizer(min_df=3)"]}],
    prepare=[{"select": ["note", "age", "garden", "price"]}],
    remainder="passthrough",
)
def remainder_goes_last(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: make_pipeline(
            make_column_transformer(
                (CountVectorizer(min_df=3), "note"), ("passthrough", ["age", "garden"])
            ),
            LinearRegression(),
        ),
        ["note", "age", "garden"],
    )


@case(
    "Ridge(alpha=1.0)",
    ["rmse", "r2", "mae"],
    sample_weight="weight",
    features=[{"columns": ["age", "garden"], "steps": ["StandardScaler()"]}],
)
def weighted_fit(frame: pd.DataFrame) -> Reference:
    """Weights go to the model, not to the transformers."""
    return on(
        frame,
        lambda: make_pipeline(StandardScaler(), Ridge(1.0)),
        ["age", "garden"],
        weight=frame["weight"].to_numpy(),
    )


@case(
    "LGBMRegressor(n_estimators=15, num_leaves=5)",
    ["rmse", "mae"],
    sample_weight="weight",
    score_weight="weight",
    features=[{"columns": NUMERIC}],
)
def weighted_fit_and_score(frame: pd.DataFrame) -> Reference:
    weight = frame["weight"].to_numpy()
    return on(
        frame,
        lambda: LGBMRegressor(n_estimators=15, num_leaves=5, random_state=0, **LGBM),
        NUMERIC,
        weight=weight,
        score_weight=weight,
    )


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
    frame["weekend"] = frame["sold_at"].dt.dayofweek >= 5
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
