"""Estimators that hold others or search by themselves, labels of other kinds, weights."""

from typing import Any

import pandas as pd
from lightgbm import LGBMClassifier, early_stopping
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.feature_selection import RFE, SelectFromModel
from sklearn.linear_model import (
    Lasso,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeCV,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, OneHotEncoder, PowerTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier

from tests.oracle import LGBM, XGB, Encoded, Reference
from tests.parity import cases_classification, cases_regression
from tests.parity.harness import ITERATIVE

regression, on_diabetes = cases_regression.case, cases_regression.on
classification, on = cases_classification.BATCH.case, cases_classification.on
PLAIN, SCALED = cases_regression.PLAIN, cases_regression.SCALED


@regression("GridSearchCV(Ridge(), {'alpha': [0.01, 0.1, 1.0]}, cv=3)", ["r2"], features=PLAIN)
def grid_search(frame: pd.DataFrame) -> Reference:
    return on_diabetes(frame, lambda: GridSearchCV(Ridge(), {"alpha": [0.01, 0.1, 1.0]}, cv=3))


@regression("RidgeCV(alphas=[0.01, 0.1, 1.0])", ["r2", "rmse"], features=SCALED)
def ridge_cv(frame: pd.DataFrame) -> Reference:
    return on_diabetes(
        frame, lambda: make_pipeline(StandardScaler(), RidgeCV(alphas=[0.01, 0.1, 1.0]))
    )


@regression("LassoCV(cv=3, alphas=20)", ["r2"], tolerance=ITERATIVE, features=SCALED)
def lasso_cv(frame: pd.DataFrame) -> Reference:
    return on_diabetes(
        frame,
        lambda: make_pipeline(StandardScaler(), LassoCV(cv=3, alphas=20, random_state=0)),
    )


@regression(
    "make_pipeline(RFE(LinearRegression(), n_features_to_select=4), "
    "SelectFromModel(Lasso(alpha=0.1)), DecisionTreeRegressor(max_depth=4))",
    ["r2"],
)
def selection_by_models(frame: pd.DataFrame) -> Reference:
    return on_diabetes(
        frame,
        lambda: make_pipeline(
            RFE(LinearRegression(), n_features_to_select=4),
            SelectFromModel(Lasso(alpha=0.1, random_state=0)),
            DecisionTreeRegressor(max_depth=4, random_state=0),
        ),
    )


@regression(
    "TransformedTargetRegressor(Ridge(alpha=0.2), transformer=PowerTransformer())",
    ["rmse"],
    tolerance=ITERATIVE,
    features=SCALED,
)
def transformed_target_in_model(frame: pd.DataFrame) -> Reference:
    return on_diabetes(
        frame,
        lambda: make_pipeline(
            StandardScaler(),
            TransformedTargetRegressor(Ridge(0.2), transformer=PowerTransformer()),
        ),
    )


@regression(
    "HistGradientBoostingRegressor(max_iter=60, early_stopping=True, n_iter_no_change=3)",
    ["rmse"],
    features=PLAIN,
    seeds=[2],
)
def boosting_that_stops_itself(frame: pd.DataFrame) -> Reference:
    return on_diabetes(
        frame,
        lambda: HistGradientBoostingRegressor(
            max_iter=60, early_stopping=True, n_iter_no_change=3, random_state=2
        ),
    )


@regression("RandomForestRegressor(n_estimators=6, n_jobs=2)", ["rmse"], features=PLAIN)
def equal_to_another(frame: pd.DataFrame) -> Reference:
    return on_diabetes(frame, lambda: RandomForestRegressor(n_estimators=6, random_state=0))


@regression("RandomForestRegressor(n_estimators=6)", ["rmse"], features=PLAIN)
def equal_to_the_one_before(frame: pd.DataFrame) -> Reference:
    return equal_to_another(frame)


@regression("Ridge(alpha=0.3)", ["r2", "rmse"], target="bmi", features=[{"columns": ["s1", "s5"]}])
def another_target(frame: pd.DataFrame) -> Reference:
    return Reference(lambda: Ridge(0.3), frame[["s1", "s5"]], frame["bmi"], frame)


@classification(
    "cancer",
    "target",
    "CalibratedClassifierCV(GaussianNB(), cv=3)",
    ["brier", "roc_auc"],
    tolerance=ITERATIVE,
    features=PLAIN,
)
def calibrated(frame: pd.DataFrame) -> Reference:
    return on(frame, "target", lambda: CalibratedClassifierCV(GaussianNB(), cv=3))


@classification(
    "wine",
    "target",
    "OneVsRestClassifier(LogisticRegression(C=0.3))",
    ["roc_auc_ovr", "accuracy"],
    tolerance=ITERATIVE,
    features=SCALED,
)
def one_against_the_rest(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        "target",
        lambda: make_pipeline(StandardScaler(), OneVsRestClassifier(LogisticRegression(C=0.3))),
    )


@classification(
    "cancer",
    "target",
    "LGBMClassifier(n_estimators=200, learning_rate=0.3, num_leaves=5)",
    ["logloss", "roc_auc"],
    features=PLAIN,
    early_stopping={"rounds": 3, "metric": "auc"},
)
def lightgbm_stopped_by_auc(frame: pd.DataFrame) -> Reference:
    def fit(model: Any, X: Any, y: Any, X_valid: Any, y_valid: Any) -> Any:
        stop = early_stopping(3, verbose=False)
        return model.fit(X, y, eval_set=[(X_valid, y_valid)], callbacks=[stop])

    # A metric named is the one that is watched; `eval_metric` of fit would watch two.
    model = {
        "metric": "auc",
        "n_estimators": 200,
        "learning_rate": 0.3,
        "num_leaves": 5,
        "random_state": 0,
    }
    frame = frame.rename(columns=lambda name: name.replace(" ", "_"))
    return on(frame, "target", lambda: LGBMClassifier(**model, **LGBM), fit=fit)


HOME = [
    {"columns": ["age", "garden"], "steps": ["MaxAbsScaler()"]},
    {"columns": ["city"], "steps": ["OneHotEncoder(handle_unknown='ignore')"]},
]


def home(model: Any) -> Any:
    return make_pipeline(
        make_column_transformer(
            (MaxAbsScaler(), ["age", "garden"]),
            (OneHotEncoder(handle_unknown="ignore"), ["city"]),
        ),
        model,
    )


USED = ("age", "garden", "city")


@classification(
    "homes",
    "sold",
    "LogisticRegression(class_weight={'ja': 3, 'nein': 1})",
    ["accuracy", "roc_auc", "precision"],
    tolerance=ITERATIVE,
    sample_weight="weight",
    score_weight="weight",
    features=HOME,
)
def class_and_sample_weights(frame: pd.DataFrame) -> Reference:
    weight = frame["weight"].to_numpy()
    return on(
        frame,
        "sold",
        lambda: home(LogisticRegression(class_weight={"ja": 3, "nein": 1})),
        *USED,
        weight=weight,
        score_weight=weight,
    )


@classification(
    "homes",
    "garden",
    "DecisionTreeClassifier(max_depth=4)",
    ["f1", "roc_auc", "brier", "average_precision"],
    features=[{"columns": ["age", "price"]}],
)
def boolean_target(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        "garden",
        lambda: DecisionTreeClassifier(max_depth=4, random_state=0),
        "age",
        "price",
    )


@classification(
    "homes",
    "garden",
    "XGBClassifier(n_estimators=8, max_depth=2)",
    ["f1", "logloss"],
    sample_weight="weight",
    features=[{"columns": ["age", "price"]}],
)
def boolean_target_of_xgboost(frame: pd.DataFrame) -> Reference:
    model = {"n_estimators": 8, "max_depth": 2, "random_state": 0}
    weight = frame["weight"].to_numpy()
    return on(
        frame,
        "garden",
        lambda: Encoded(XGBClassifier(**model, **XGB)),
        "age",
        "price",
        weight=weight,
    )


@classification(
    "homes",
    "grade",
    "XGBClassifier(n_estimators=60, max_depth=2)",
    ["quadratic_kappa", "f1_macro", "logloss"],
    features=[{"columns": ["age", "area", "rooms"]}],
    early_stopping={"rounds": 3},
)
def grades_from_one(frame: pd.DataFrame) -> Reference:
    """Labels 1..4 for a library that wants 0..3."""

    def fit(model: Any, X: Any, y: Any, X_valid: Any, y_valid: Any) -> Any:
        return model.fit(X, y, eval_set=[(X_valid, y_valid - 1)], verbose=False)

    model = {"n_estimators": 60, "max_depth": 2, "random_state": 0, "early_stopping_rounds": 3}
    return on(
        frame,
        "grade",
        lambda: Encoded(XGBClassifier(**model, **XGB)),
        "age",
        "area",
        "rooms",
        fit=fit,
    )
