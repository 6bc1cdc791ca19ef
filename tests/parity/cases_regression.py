"""Regressors on the diabetes data, four shuffled folds."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.dummy import DummyRegressor
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    Lasso,
    LinearRegression,
    PoissonRegressor,
    Ridge,
)
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MinMaxScaler,
    PolynomialFeatures,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.svm import SVR

from tests.oracle import Make, Reference
from tests.parity.harness import ITERATIVE, Batch

BATCH = Batch(
    "regression",
    {"cv": "KFold(4, shuffle=True, random_state=0)"},
    lambda reference: KFold(4, shuffle=True, random_state=0).split(reference.X),
)
PLAIN = [{"columns": "numeric"}]
SCALED = [{"columns": "numeric", "steps": ["StandardScaler()"]}]


def on(frame: pd.DataFrame, make: Make | list[Make], **more: Any) -> Reference:
    return Reference(make, frame.drop(columns="target"), frame["target"], frame, **more)


def case(model: Any, metrics: list[Any], target: Any = "target", **more: Any) -> Any:
    return BATCH.case("diabetes", target, model, metrics, **more)


@case("LinearRegression()", ["r2", "rmse", "neg_mean_squared_error"], features=PLAIN)
def linear(frame: pd.DataFrame) -> Reference:
    return on(frame, LinearRegression)


@case("Ridge(alpha=0.3)", ["mae", "explained_variance", "medae"], features=SCALED)
def ridge(frame: pd.DataFrame) -> Reference:
    return on(frame, lambda: make_pipeline(StandardScaler(), Ridge(0.3)))


@case("Ridge(alpha=3.0)", ["r2", "max_error"])
def ridge_by_default(frame: pd.DataFrame) -> Reference:
    """The default plan of a linear model imputes and scales."""
    return on(frame, lambda: make_pipeline(SimpleImputer(), StandardScaler(), Ridge(3.0)))


@case(
    {"estimator": "Lasso", "params": {"alpha": 0.5, "max_iter": 20000}},
    ["r2"],
    tolerance=ITERATIVE,
    features="make_pipeline(PolynomialFeatures(2, interaction_only=True), StandardScaler())",
)
def lasso_of_products(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: make_pipeline(
            PolynomialFeatures(2, interaction_only=True),
            StandardScaler(),
            Lasso(alpha=0.5, max_iter=20000),
        ),
    )


@case("ElasticNet(0.1, l1_ratio=0.7)", ["r2", "mape"], tolerance=ITERATIVE, features=SCALED)
def elastic_net(frame: pd.DataFrame) -> Reference:
    return on(frame, lambda: make_pipeline(StandardScaler(), ElasticNet(alpha=0.1, l1_ratio=0.7)))


@case(
    "KNeighborsRegressor(n_neighbors=7, weights='distance')",
    ["rmse", "d2_absolute_error_score"],
    features=[{"columns": "all", "steps": ["MinMaxScaler()", "PCA(n_components=5)"]}],
)
def neighbours(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: make_pipeline(
            MinMaxScaler(),
            PCA(n_components=5, random_state=0),
            KNeighborsRegressor(n_neighbors=7, weights="distance"),
        ),
    )


@case("make_pipeline(SelectKBest(f_regression, k=4), LinearRegression())", ["r2", "rmse"])
def selected_in_model(frame: pd.DataFrame) -> Reference:
    """A Pipeline in `model` gets the table as it is."""
    return on(frame, lambda: make_pipeline(SelectKBest(f_regression, k=4), LinearRegression()))


@case(
    "MLPRegressor(hidden_layer_sizes=(8,), max_iter=20)",
    ["rmse"],
    tolerance=ITERATIVE,
    features=SCALED,
)
def network(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: make_pipeline(
            StandardScaler(),
            MLPRegressor(hidden_layer_sizes=(8,), max_iter=20, random_state=0),
        ),
    )


@case("SVR(C=10)", ["r2", "mae"], tolerance=ITERATIVE)
def support_vectors(frame: pd.DataFrame) -> Reference:
    return on(frame, lambda: make_pipeline(SimpleImputer(), StandardScaler(), SVR(C=10)))


@case(
    "SVR(C=1)",
    ["rmse"],
    target={"column": "target", "transform": "StandardScaler()"},
    tolerance=ITERATIVE,
    features=SCALED,
)
def scaled_target(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: TransformedTargetRegressor(
            make_pipeline(StandardScaler(), SVR(C=1)), transformer=StandardScaler()
        ),
    )


@case(
    "Ridge(alpha=1.0)",
    ["rmsle", "rmse"],
    target={"column": "target", "transform": "log1p"},
    features=SCALED,
)
def logarithmic_target(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: TransformedTargetRegressor(
            make_pipeline(StandardScaler(), Ridge(1.0)), func=np.log1p, inverse_func=np.expm1
        ),
    )


@case("DummyRegressor(strategy='median')", ["mae", "r2"], features=PLAIN)
def dummy(frame: pd.DataFrame) -> Reference:
    return on(frame, lambda: DummyRegressor(strategy="median"))


@case("BayesianRidge()", ["r2"], features=SCALED)
def bayesian_ridge(frame: pd.DataFrame) -> Reference:
    return on(frame, lambda: make_pipeline(StandardScaler(), BayesianRidge()))


@case("PoissonRegressor(alpha=0.01)", ["poisson_deviance"], tolerance=ITERATIVE, features=SCALED)
def poisson(frame: pd.DataFrame) -> Reference:
    return on(frame, lambda: make_pipeline(StandardScaler(), PoissonRegressor(alpha=0.01)))


@case(
    "Ridge(alpha=1.0)",
    ["r2", "rmspe"],
    features=[
        {"columns": ["bmi", "bp"], "steps": ["KBinsDiscretizer(n_bins=5, encode='onehot')"]},
        {"columns": {"regex": "^s[12]$"}, "steps": ["QuantileTransformer(n_quantiles=50)"]},
        {"columns": {"except": ["bmi", "bp", "s1", "s2", "s3"]}},
    ],
)
def binned_and_ranked(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: make_pipeline(
            make_column_transformer(
                (KBinsDiscretizer(n_bins=5, encode="onehot", random_state=0), ["bmi", "bp"]),
                (QuantileTransformer(n_quantiles=50, random_state=0), ["s1", "s2"]),
                ("passthrough", ["age", "sex", "s4", "s5", "s6"]),
            ),
            Ridge(1.0),
        ),
    )


@case(
    "Ridge(alpha=0.1)",
    ["r2"],
    features="FeatureUnion([('p', PCA(3)), ('s', SelectKBest(f_regression, k=3))])",
)
def union(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: make_pipeline(
            make_union(PCA(3, random_state=0), SelectKBest(f_regression, k=3)), Ridge(0.1)
        ),
    )


@case(
    "make_pipeline(make_column_transformer((StandardScaler(), ['bmi', 'bp']), "
    "remainder='passthrough'), Ridge(alpha=0.5))",
    ["r2"],
)
def column_transformer_in_model(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: make_pipeline(
            make_column_transformer((StandardScaler(), ["bmi", "bp"]), remainder="passthrough"),
            Ridge(0.5),
        ),
    )
