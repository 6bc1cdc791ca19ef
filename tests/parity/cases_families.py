"""Neighbouring pipelines, which the engine may serve by one computation: each must still be
what it would be alone."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.oracle import LGBM, Reference
from tests.parity import cases_homes, cases_regression
from tests.parity.harness import ITERATIVE

PLAIN, SCALED = cases_regression.PLAIN, cases_regression.SCALED
Model = Callable[[Any], Any]


def family(
    name: str, values: list[Any], text: str, make: Model, metrics: list[str], **more: Any
) -> None:
    """One case on the diabetes data per value; `text` has the value at ``{}``."""

    def register(value: Any) -> None:
        def write(frame: pd.DataFrame) -> Reference:
            return cases_regression.on(frame, lambda: make(value))

        write.__name__ = f"{name}_{value}"
        cases_regression.case(text.format(value), metrics, **more)(write)

    for value in values:
        register(value)


family(
    "plain_ridge",
    [0.001, 0.1, 10.0, 1000.0],
    "Ridge(alpha={})",
    Ridge,
    ["r2", "mae"],
    features=PLAIN,
)
family(
    "scaled_ridge",
    [0, 1e-06, 3.0, 300.0],
    "Ridge(alpha={})",
    lambda alpha: make_pipeline(SimpleImputer(), StandardScaler(), Ridge(alpha)),
    ["rmse"],
    features=[{"columns": "numeric", "steps": ["SimpleImputer()", "StandardScaler()"]}],
)
family(
    "ridge_without_intercept",
    [0.5, 5.0, 50.0],
    "Ridge(alpha={}, fit_intercept=False)",
    lambda alpha: make_pipeline(StandardScaler(), Ridge(alpha, fit_intercept=False)),
    ["rmse"],
    features=SCALED,
)
family(
    "ridge_of_logarithm",
    [0.1, 1.0, 10.0],
    "Ridge(alpha={})",
    lambda alpha: TransformedTargetRegressor(
        make_pipeline(StandardScaler(), Ridge(alpha)), func=np.log1p, inverse_func=np.expm1
    ),
    ["rmsle", "mae"],
    features=SCALED,
    target={"column": "target", "transform": "log1p"},
)
family(
    "lasso_path",
    [0.05, 0.5, 5.0],
    "Lasso(alpha={}, tol=1e-10, max_iter=50000)",
    lambda alpha: make_pipeline(StandardScaler(), Lasso(alpha=alpha, tol=1e-10, max_iter=50000)),
    ["r2"],
    features=SCALED,
    tolerance=ITERATIVE,
)
family(
    "elastic_net_mix",
    [0.2, 0.8],
    "ElasticNet(alpha=0.5, l1_ratio={}, tol=1e-10, max_iter=50000)",
    lambda mix: make_pipeline(
        StandardScaler(), ElasticNet(alpha=0.5, l1_ratio=mix, tol=1e-10, max_iter=50000)
    ),
    ["r2"],
    features=SCALED,
    tolerance=ITERATIVE,
)
family(
    "neighbours",
    [1, 4, 15],
    "KNeighborsRegressor(n_neighbors={})",
    lambda k: make_pipeline(StandardScaler(), KNeighborsRegressor(k)),
    ["rmse"],
    features=SCALED,
)
family(
    "components",
    [2, 6, 9],
    "make_pipeline(StandardScaler(), PCA(n_components={}), LinearRegression())",
    lambda size: make_pipeline(StandardScaler(), PCA(size, random_state=0), LinearRegression()),
    ["r2"],
)
family(
    "best",
    [1, 5, 8],
    "make_pipeline(SelectKBest(f_regression, k={}), Ridge(alpha=0.01))",
    lambda k: make_pipeline(SelectKBest(f_regression, k=k), Ridge(0.01)),
    ["r2"],
)
family(
    "boosted",
    [5, 20, 60],
    "LGBMRegressor(n_estimators={}, num_leaves=7, learning_rate=0.1)",
    lambda size: LGBMRegressor(
        n_estimators=size, num_leaves=7, learning_rate=0.1, random_state=0, **LGBM
    ),
    ["rmse"],
    features=PLAIN,
)
family(
    "forest_of",
    [3, 9, 20],
    "RandomForestRegressor(n_estimators={})",
    lambda size: RandomForestRegressor(n_estimators=size, random_state=0),
    ["rmse"],
    features=PLAIN,
)
family(
    "extra_trees_of",
    [3, 12],
    "ExtraTreesRegressor(n_estimators={}, min_samples_leaf=3)",
    lambda size: ExtraTreesRegressor(n_estimators=size, min_samples_leaf=3, random_state=0),
    ["rmse"],
    features=PLAIN,
)


def encoded_ridge(alpha: float) -> None:
    """Ridge on an encoded matrix: fitted features, several penalties."""

    def write(frame: pd.DataFrame) -> Reference:
        return cases_homes.on(
            frame,
            lambda: make_pipeline(
                make_column_transformer(
                    (make_pipeline(SimpleImputer(), StandardScaler()), ["area", "age"]),
                    (
                        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
                        ["city", "kind"],
                    ),
                ),
                Ridge(alpha),
            ),
            ["area", "age", "city", "kind"],
        )

    write.__name__ = f"encoded_ridge_{alpha}"
    cases_homes.case(
        f"Ridge(alpha={alpha})",
        ["rmse", "r2"],
        features=[
            {"columns": ["area", "age"], "steps": ["SimpleImputer()", "StandardScaler()"]},
            {
                "columns": ["city", "kind"],
                "steps": ["OneHotEncoder(handle_unknown='ignore', sparse_output=False)"],
            },
        ],
    )(write)


for penalty in (0.01, 1.5, 200.0):
    encoded_ridge(penalty)
