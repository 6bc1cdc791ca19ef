"""Regressors on a mixed table: missing values, categories, text, weights, data steps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from xgboost import XGBRegressor

from tests.oracle import LGBM, XGB, Categories, Make, Reference
from tests.parity.data import ODD
from tests.parity.harness import ITERATIVE, Batch

BATCH = Batch(
    "homes",
    {"cv": "KFold(3, shuffle=True, random_state=1)"},
    lambda reference: KFold(3, shuffle=True, random_state=1).split(reference.X),
)
NUMERIC = ["area", "rooms", "age"]
UNUSED = ["id", "seller", "sold_at", "note", "weight", "fold", "grade", "sold", "asking", ODD]


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
                (SimpleImputer(strategy="most_frequent"), ["garden", "lift"]),
                (one_hot(), ["city", "kind"]),
                (make_pipeline(TargetEncoder(random_state=0), StandardScaler()), ["street"]),
            ),
            Ridge(2.0),
        ),
        [*NUMERIC, "garden", "lift", "city", "kind", "street"],
    )


@case("HistGradientBoostingRegressor(max_iter=30)", ["r2", "mape"], prepare=[{"drop": UNUSED}])
def default_plan_of_boosting(frame: pd.DataFrame) -> Reference:
    """Missing numbers reach models that take them."""
    return on(
        frame,
        lambda: make_pipeline(
            make_column_transformer(
                ("passthrough", NUMERIC),
                ("passthrough", ["garden", "lift"]),
                (one_hot(), ["city", "kind"]),
                (TargetEncoder(random_state=0), ["street"]),
            ),
            HistGradientBoostingRegressor(max_iter=30, random_state=0),
        ),
        [*NUMERIC, "garden", "lift", "city", "kind", "street"],
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
    "LGBMRegressor(n_estimators=12, num_leaves=5)",
    ["rmse"],
    features=[{"columns": [ODD, "age", "lift"]}],
)
def odd_names_and_missing_booleans(frame: pd.DataFrame) -> Reference:
    frame = frame.rename(columns={ODD: "net"})
    return on(
        frame,
        lambda: LGBMRegressor(n_estimators=12, num_leaves=5, random_state=0, **LGBM),
        ["net", "age", "lift"],
    )


@case(
    "Ridge(alpha=1.0)",
    ["rmse", "rmsle"],
    target={"column": "price", "transform": "log1p"},
    sample_weight="weight",
    features=[{"columns": ["street"], "steps": ["TargetEncoder()"]}, {"columns": ["garden"]}],
)
def target_encoding_of_a_transformed_target(frame: pd.DataFrame) -> Reference:
    """All that is fitted sees the transformed target."""
    return on(
        frame,
        lambda: TransformedTargetRegressor(
            make_pipeline(
                make_column_transformer(
                    (TargetEncoder(random_state=0), ["street"]), ("passthrough", ["garden"])
                ),
                Ridge(1.0),
            ),
            func=np.log1p,
            inverse_func=np.expm1,
        ),
        ["street", "garden"],
        weight=frame["weight"].to_numpy(),
    )


@case(
    "Ridge(alpha=1.0)",
    ["rmse"],
    tolerance=ITERATIVE,
    features=[
        {"columns": "note", "steps": ["TfidfVectorizer()", "TruncatedSVD(n_components=3)"]},
        {"columns": NUMERIC, "steps": ["KNNImputer(n_neighbors=3)", "RobustScaler()"]},
    ],
)
def reduced_text_and_imputed_by_neighbours(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: make_pipeline(
            make_column_transformer(
                (make_pipeline(TfidfVectorizer(), TruncatedSVD(3, random_state=0)), "note"),
                (make_pipeline(KNNImputer(n_neighbors=3), RobustScaler()), NUMERIC),
            ),
            Ridge(1.0),
        ),
        ["note", *NUMERIC],
    )
