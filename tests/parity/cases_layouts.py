"""How blocks meet: sparse and dense, nested composites, selectors, awkward numbers."""

from typing import Any

import pandas as pd
from lightgbm import LGBMRegressor
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso, LinearRegression, Ridge
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from tests.oracle import LGBM, Reference
from tests.parity.cases_homes import case, on
from tests.parity.harness import ITERATIVE

SPARSE = [
    {"columns": ["street", "city"], "steps": ["OneHotEncoder(handle_unknown='ignore')"]},
    {"columns": ["age"], "steps": ["StandardScaler()"]},
]


def sparse(model: Any) -> Any:
    return make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["street", "city"]),
            (StandardScaler(), ["age"]),
        ),
        model,
    )


@case("LGBMRegressor(n_estimators=15, min_child_samples=3)", ["rmse"], features=SPARSE)
def sparse_lightgbm(frame: pd.DataFrame) -> Reference:
    model = {"n_estimators": 15, "min_child_samples": 3, "random_state": 0}
    return on(frame, lambda: sparse(LGBMRegressor(**model, **LGBM)), ["street", "city", "age"])


@case("ExtraTreesRegressor(n_estimators=6)", ["mae"], features=SPARSE)
def sparse_trees(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: sparse(ExtraTreesRegressor(n_estimators=6, random_state=0)),
        ["street", "city", "age"],
    )


@case("Lasso(alpha=2.0)", ["r2"], features=SPARSE, tolerance=ITERATIVE)
def sparse_lasso(frame: pd.DataFrame) -> Reference:
    return on(frame, lambda: sparse(Lasso(alpha=2.0)), ["street", "city", "age"])


SELECTED = ["area", "age", "garden", "city", "street", "price"]


@case(
    "make_pipeline(make_column_transformer("
    "(make_pipeline(SimpleImputer(), MinMaxScaler()), make_column_selector(dtype_include='number'))"
    ", (OneHotEncoder(handle_unknown='ignore', max_categories=6), ['city', 'street']), "
    "remainder='passthrough'), Ridge(alpha=0.5))",
    ["rmse"],
    prepare=[{"select": SELECTED}],
)
def selected_by_type(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: make_pipeline(
            make_column_transformer(
                (
                    make_pipeline(SimpleImputer(), MinMaxScaler()),
                    make_column_selector(dtype_include="number"),
                ),
                (
                    OneHotEncoder(handle_unknown="ignore", max_categories=6),
                    ["city", "street"],
                ),
                remainder="passthrough",
            ),
            Ridge(0.5),
        ),
        SELECTED[:-1],
    )


@case(
    "Ridge(alpha=0.5)",
    ["r2"],
    features="ColumnTransformer([('a', StandardScaler(), ['age', 'price_class']), "
    "('b', 'passthrough', ['garden'])], transformer_weights={'a': 2.0, 'b': 0.5})",
    prepare=[{"derive": {"price_class": "age % 7"}}],
)
def weighted_branches(frame: pd.DataFrame) -> Reference:
    """What cannot be taken apart stays whole."""
    frame["price_class"] = frame["age"] % 7
    return on(
        frame,
        lambda: make_pipeline(
            ColumnTransformer(
                [
                    ("a", StandardScaler(), ["age", "price_class"]),
                    ("b", "passthrough", ["garden"]),
                ],
                transformer_weights={"a": 2.0, "b": 0.5},
            ),
            Ridge(0.5),
        ),
        ["age", "price_class", "garden"],
    )


@case(
    "LinearRegression()",
    ["r2"],
    prepare=[{"select": ["age", "area", "garden", "price"]}],
    features="Pipeline([('impute', SimpleImputer()), ('none', 'passthrough'), ('both', "
    "FeatureUnion([('same', 'passthrough'), ('p', PCA(n_components=1)), ('off', 'drop')]))])",
)
def steps_that_do_nothing(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: make_pipeline(
            Pipeline(
                [
                    ("impute", SimpleImputer()),
                    ("none", "passthrough"),
                    (
                        "both",
                        FeatureUnion(
                            [
                                ("same", "passthrough"),
                                ("p", PCA(n_components=1, random_state=0)),
                                ("off", "drop"),
                            ]
                        ),
                    ),
                ]
            ),
            LinearRegression(),
        ),
        ["age", "area", "garden"],
    )


AWKWARD = {
    "stamp": "1700000000 + id * 60",
    "tiny": "age * 1e-9",
    "constant": "5.0",
    "double_area": "2 * area",
}
COLUMNS = ["stamp", "tiny", "constant", "area", "double_area"]


def awkward(alpha: float) -> None:
    """Large offsets, tiny scales, constant and collinear columns, under several penalties."""

    def write(frame: pd.DataFrame) -> Reference:
        frame["stamp"] = 1700000000 + frame["id"] * 60
        frame["tiny"] = frame["age"] * 1e-9
        frame["constant"] = 5.0
        frame["double_area"] = 2 * frame["area"]
        return on(
            frame,
            lambda: make_pipeline(SimpleImputer(), StandardScaler(), Ridge(alpha)),
            COLUMNS,
        )

    write.__name__ = f"awkward_numbers_{alpha}"
    case(
        f"Ridge(alpha={alpha})",
        ["rmse", "r2"],
        prepare=[{"derive": AWKWARD}],
        features=[{"columns": COLUMNS, "steps": ["SimpleImputer()", "StandardScaler()"]}],
        tolerance=1e-7,  # the offset costs the reference itself some digits
    )(write)


for penalty in (0.01, 1.0, 100.0):
    awkward(penalty)


@case(
    "make_pipeline(VarianceThreshold(), Ridge(alpha=1.0))",
    ["rmse"],
    features=[{"columns": ["constant", "age"]}],
    prepare=[{"derive": {"constant": "5.0"}}],
)
def steps_after_features(frame: pd.DataFrame) -> Reference:
    """`features` first, then the transformers in front of the model."""
    frame["constant"] = 5.0
    return on(frame, lambda: make_pipeline(VarianceThreshold(), Ridge(1.0)), ["constant", "age"])
