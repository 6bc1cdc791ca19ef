"""Grids over the number of rounds or trees: one fit in the engine, one each in the reference."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor
from xgboost import XGBClassifier, XGBRegressor

from tests.oracle import LGBM, XGB, Categories, Encoded, Make, Reference
from tests.parity.harness import Batch

REGRESSION = Batch(
    "prefixes_regression",
    {"cv": "KFold(3, shuffle=True, random_state=0)"},
    lambda reference: KFold(3, shuffle=True, random_state=0).split(reference.X),
)
CLASSES = Batch(
    "prefixes_classes",
    {"cv": "StratifiedKFold(3, shuffle=True, random_state=0)"},
    lambda reference: StratifiedKFold(3, shuffle=True, random_state=0).split(
        reference.X, reference.y
    ),
)
BATCHES = [REGRESSION, CLASSES]
SIZES = (20, 50, 100)
NUMBERS = [{"columns": "numeric"}]
ERRORS = ["rmse", "mae", "r2"]
CLASS_METRICS = ["logloss", "accuracy", "roc_auc"]

Sized = Callable[[int, int], Any]  # size, seed -> estimator


def grid(
    batch: Batch,
    dataset: str,
    model: str,
    make: Sized,
    metrics: list[Any],
    *,
    name: str = "",
    sizes: tuple[int, ...] = SIZES,
    target: Any = "target",
    weight: str | None = None,
    features: Any = None,
    columns: tuple[str, ...] = (),
    **spec: Any,
) -> None:
    """Cases of `model`, ``{}`` in it being the size, for each of `sizes`."""
    seeds = spec.get("seeds", [0])
    column = target if isinstance(target, str) else target["column"]
    if weight is not None:
        spec["sample_weight"] = weight

    def case(size: int) -> None:
        def write(frame: pd.DataFrame) -> Reference:
            makes: list[Make] = [lambda seed=seed: make(size, seed) for seed in seeds]
            features = frame[list(columns)] if columns else frame.drop(columns=column)
            weights = None if weight is None else frame[weight].to_numpy()
            return Reference(makes, features, frame[column], frame, weight=weights)

        write.__name__ = f"{name or model.partition('(')[0]}_{size}"
        register = batch.case(
            dataset, target, model.format(size), metrics, features=features or NUMBERS, **spec
        )
        register(write)

    for size in sizes:
        case(size)


HOMES = ("area", "rooms", "age")
HOME_FEATURES = [{"columns": list(HOMES)}]

grid(
    REGRESSION,
    "diabetes",
    "LGBMRegressor(n_estimators={}, num_leaves=7, subsample=0.7, subsample_freq=1)",
    lambda size, seed: LGBMRegressor(
        n_estimators=size, num_leaves=7, subsample=0.7, subsample_freq=1, random_state=seed, **LGBM
    ),
    ERRORS,
    seeds=[3, 1],
)
grid(
    REGRESSION,
    "homes",
    "LGBMRegressor(n_estimators={}, num_leaves=7, objective='quantile', alpha=0.7)",
    lambda size, seed: LGBMRegressor(
        n_estimators=size, num_leaves=7, objective="quantile", alpha=0.7, random_state=seed, **LGBM
    ),
    ["mae", {"metric": "pinball", "alpha": 0.9}],
    name="weighted_quantiles",
    target="price",
    weight="weight",
    features=HOME_FEATURES,
    columns=HOMES,
)
grid(
    REGRESSION,
    "homes",
    "XGBRegressor(n_estimators={}, max_depth=3, objective='count:poisson', subsample=0.8)",
    lambda size, seed: XGBRegressor(
        n_estimators=size,
        max_depth=3,
        objective="count:poisson",
        subsample=0.8,
        random_state=seed,
        **XGB,
    ),
    ["rmse", "poisson_deviance"],
    name="poisson",
    target="price",
    features=HOME_FEATURES,
    columns=HOMES,
)
grid(
    REGRESSION,
    "homes",
    "LGBMRegressor(n_estimators={}, num_leaves=7, min_child_samples=5)",
    lambda size, seed: TransformedTargetRegressor(
        LGBMRegressor(
            n_estimators=size, num_leaves=7, min_child_samples=5, random_state=seed, **LGBM
        ),
        func=np.log1p,
        inverse_func=np.expm1,
    ),
    ["rmse", "rmsle"],
    name="logarithms",
    target={"column": "price", "transform": "log1p"},
    features=HOME_FEATURES,
    columns=HOMES,
)
grid(
    REGRESSION,
    "diabetes",
    "XGBRegressor(n_estimators={}, max_depth=3, colsample_bytree=0.5)",
    lambda size, seed: XGBRegressor(
        n_estimators=size, max_depth=3, colsample_bytree=0.5, random_state=seed, **XGB
    ),
    ERRORS,
)
grid(
    REGRESSION,
    "diabetes",
    "HistGradientBoostingRegressor(max_iter={}, max_features=0.5)",
    lambda size, seed: HistGradientBoostingRegressor(
        max_iter=size, max_features=0.5, random_state=seed
    ),
    ERRORS,
)
grid(
    REGRESSION,
    "diabetes",
    "GradientBoostingRegressor(n_estimators={}, subsample=0.6)",
    lambda size, seed: GradientBoostingRegressor(
        n_estimators=size, subsample=0.6, random_state=seed
    ),
    ERRORS,
)
grid(
    REGRESSION,
    "diabetes",
    "RandomForestRegressor(n_estimators={}, max_samples=0.7, max_features=0.4)",
    lambda size, seed: RandomForestRegressor(
        n_estimators=size, max_samples=0.7, max_features=0.4, random_state=seed
    ),
    ERRORS,
    sizes=(5, 12, 30),
    seeds=[0, 7],
)
grid(
    REGRESSION,
    "homes",
    "ExtraTreesRegressor(n_estimators={}, min_samples_leaf=2)",
    lambda size, seed: ExtraTreesRegressor(
        n_estimators=size, min_samples_leaf=2, random_state=seed
    ),
    ERRORS,
    target="price",
    weight="weight",
    features=HOME_FEATURES,
    columns=HOMES,
    sizes=(5, 12, 30),
)
grid(
    REGRESSION,
    "diabetes",
    "AdaBoostRegressor(DecisionTreeRegressor(max_depth=4), n_estimators={})",
    lambda size, seed: AdaBoostRegressor(
        DecisionTreeRegressor(max_depth=4), n_estimators=size, random_state=seed
    ),
    ERRORS,
    sizes=(5, 12, 30),
)
grid(
    REGRESSION,
    "diabetes",
    "BaggingRegressor(n_estimators={}, max_features=0.5)",
    lambda size, seed: BaggingRegressor(n_estimators=size, max_features=0.5, random_state=seed),
    ERRORS,
    sizes=(5, 12, 30),
)

grid(
    CLASSES,
    "cancer",
    "LGBMClassifier(n_estimators={}, num_leaves=7, colsample_bytree=0.5)",
    lambda size, seed: LGBMClassifier(
        n_estimators=size, num_leaves=7, colsample_bytree=0.5, random_state=seed, **LGBM
    ),
    [*CLASS_METRICS, "f1"],
)
grid(
    CLASSES,
    "iris",
    "LGBMClassifier(n_estimators={}, num_leaves=5, class_weight='balanced')",
    lambda size, seed: LGBMClassifier(
        n_estimators=size, num_leaves=5, class_weight="balanced", random_state=seed, **LGBM
    ),
    ["logloss", "accuracy", "f1_macro"],
    name="three_classes",
    target="species",
    sizes=(4, 9, 15),
)
grid(
    CLASSES,
    "cancer",
    "XGBClassifier(n_estimators={}, max_depth=3, subsample=0.7)",
    lambda size, seed: XGBClassifier(
        n_estimators=size, max_depth=3, subsample=0.7, random_state=seed, **XGB
    ),
    CLASS_METRICS,
)
grid(
    CLASSES,
    "iris",
    "XGBClassifier(n_estimators={}, max_depth=2)",
    lambda size, seed: Encoded(
        XGBClassifier(n_estimators=size, max_depth=2, random_state=seed, **XGB)
    ),
    ["logloss", "accuracy"],
    name="three_names",
    target="species",
)
grid(
    CLASSES,
    "homes",
    "HistGradientBoostingClassifier(max_iter={}, min_samples_leaf=5)",
    lambda size, seed: HistGradientBoostingClassifier(
        max_iter=size, min_samples_leaf=5, random_state=seed
    ),
    CLASS_METRICS,
    target="sold",
    features=HOME_FEATURES,
    columns=HOMES,
    sizes=(5, 12, 30),
)
grid(
    CLASSES,
    "iris",
    "GradientBoostingClassifier(n_estimators={})",
    lambda size, seed: GradientBoostingClassifier(n_estimators=size, random_state=seed),
    ["logloss", "accuracy"],
    target="species",
    sizes=(5, 12, 30),
)
grid(
    CLASSES,
    "cancer",
    "RandomForestClassifier(n_estimators={}, class_weight='balanced_subsample')",
    lambda size, seed: RandomForestClassifier(
        n_estimators=size, class_weight="balanced_subsample", random_state=seed
    ),
    CLASS_METRICS,
    sizes=(5, 12, 30),
)
grid(
    CLASSES,
    "iris",
    "ExtraTreesClassifier(n_estimators={})",
    lambda size, seed: ExtraTreesClassifier(n_estimators=size, random_state=seed),
    ["logloss", "accuracy"],
    target="species",
    sizes=(5, 12, 30),
)
grid(
    CLASSES,
    "cancer",
    "AdaBoostClassifier(n_estimators={})",
    lambda size, seed: AdaBoostClassifier(n_estimators=size, random_state=seed),
    CLASS_METRICS,
    sizes=(5, 12, 30),
)


def categorical(size: int, seed: int) -> Any:
    return make_pipeline(
        make_column_transformer(
            ("passthrough", ["area"]), (Categories(), ["kind"]), verbose_feature_names_out=False
        ).set_output(transform="pandas"),
        LGBMClassifier(n_estimators=size, min_child_samples=5, random_state=seed, **LGBM),
    )


grid(
    CLASSES,
    "homes",
    "LGBMClassifier(n_estimators={}, min_child_samples=5)",
    categorical,
    CLASS_METRICS,
    name="native_categories",
    target="sold",
    features=[{"columns": ["area"]}, {"columns": ["kind"], "steps": ["ToCategorical()"]}],
    columns=("area", "kind"),
)
