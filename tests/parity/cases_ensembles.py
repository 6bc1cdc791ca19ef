"""Trees, forests, boosting and ensembles on the diabetes data."""

from typing import Any

import pandas as pd
from lightgbm import LGBMRegressor, early_stopping
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from xgboost import XGBRegressor

from tests.oracle import LGBM, XGB, Make, Reference
from tests.parity.cases_regression import PLAIN, SCALED, case, on


@case("DecisionTreeRegressor(max_depth=5)", ["r2", "medae"], features=PLAIN)
def tree(frame: pd.DataFrame) -> Reference:
    return on(frame, lambda: DecisionTreeRegressor(max_depth=5, random_state=0))


@case("RandomForestRegressor(n_estimators=20, max_features=0.5)", ["r2", "mae"], features=PLAIN)
def forest(frame: pd.DataFrame) -> Reference:
    return on(
        frame, lambda: RandomForestRegressor(n_estimators=20, max_features=0.5, random_state=0)
    )


@case("RandomForestRegressor(n_estimators=8)", ["rmse"], features=PLAIN, seeds=[3, 1, 2])
def forest_of_three_seeds(frame: pd.DataFrame) -> Reference:
    makes: list[Make] = [
        lambda seed=seed: RandomForestRegressor(n_estimators=8, random_state=seed)
        for seed in (3, 1, 2)
    ]
    return on(frame, makes)


@case("ExtraTreesRegressor(n_estimators=15, random_state=5)", ["r2"], features=PLAIN)
def extra_trees(frame: pd.DataFrame) -> Reference:
    return on(frame, lambda: ExtraTreesRegressor(n_estimators=15, random_state=5))


@case("HistGradientBoostingRegressor(max_iter=25, max_leaf_nodes=9)", ["r2", "smape"])
def histogram_boosting(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: HistGradientBoostingRegressor(max_iter=25, max_leaf_nodes=9, random_state=0),
    )


@case("GradientBoostingRegressor(n_estimators=25, subsample=0.7)", ["rmse"], features=PLAIN)
def boosting(frame: pd.DataFrame) -> Reference:
    return on(
        frame, lambda: GradientBoostingRegressor(n_estimators=25, subsample=0.7, random_state=0)
    )


@case(
    "GradientBoostingRegressor(loss='quantile', alpha=0.9, n_estimators=20)",
    [{"metric": "pinball", "alpha": 0.9}, "mae"],
    features=PLAIN,
)
def quantiles(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: GradientBoostingRegressor(
            loss="quantile", alpha=0.9, n_estimators=20, random_state=0
        ),
    )


@case("AdaBoostRegressor(n_estimators=10)", ["rmse"], features=PLAIN)
def adaptive_boosting(frame: pd.DataFrame) -> Reference:
    return on(frame, lambda: AdaBoostRegressor(n_estimators=10, random_state=0))


@case(
    "LGBMRegressor(n_estimators=40, num_leaves=7, subsample=0.8, subsample_freq=1)",
    ["r2", "rmse"],
    features=PLAIN,
)
def lightgbm(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: LGBMRegressor(
            n_estimators=40, num_leaves=7, subsample=0.8, subsample_freq=1, random_state=0, **LGBM
        ),
    )


@case(
    "LGBMRegressor(n_estimators=300, learning_rate=0.2, num_leaves=7)",
    ["rmse"],
    features=PLAIN,
    early_stopping={"rounds": 5},
)
def lightgbm_stopped_on_the_fold(frame: pd.DataFrame) -> Reference:
    def fit(model: Any, X: Any, y: Any, X_valid: Any, y_valid: Any) -> Any:
        stop = early_stopping(5, verbose=False)
        return model.fit(X, y, eval_set=[(X_valid, y_valid)], callbacks=[stop])

    return on(
        frame,
        lambda: LGBMRegressor(
            n_estimators=300, learning_rate=0.2, num_leaves=7, random_state=0, **LGBM
        ),
        fit=fit,
    )


@case("XGBRegressor(n_estimators=30, max_depth=3, subsample=0.8)", ["r2"], features=PLAIN)
def xgboost(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: XGBRegressor(n_estimators=30, max_depth=3, subsample=0.8, random_state=0, **XGB),
    )


@case(
    "XGBRegressor(n_estimators=200, max_depth=3)",
    ["rmse"],
    features=PLAIN,
    early_stopping={"rounds": 4, "on": {"inner": 0.2}},
)
def xgboost_stopped_on_inner_rows(frame: pd.DataFrame) -> Reference:
    def fit(model: Any, X: Any, y: Any, X_valid: Any, y_valid: Any) -> Any:
        X, X_stop, y, y_stop = train_test_split(X, y, test_size=0.2, random_state=0)
        return model.fit(X, y, eval_set=[(X_stop, y_stop)], verbose=False)

    return on(
        frame,
        lambda: XGBRegressor(
            n_estimators=200, max_depth=3, random_state=0, early_stopping_rounds=4, **XGB
        ),
        fit=fit,
    )


@case(
    "VotingRegressor([('a', Ridge()), ('b', DecisionTreeRegressor(max_depth=3))])",
    ["r2"],
    features=PLAIN,
)
def voting(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: VotingRegressor(
            [("a", Ridge()), ("b", DecisionTreeRegressor(max_depth=3, random_state=0))]
        ),
    )


@case(
    "StackingRegressor([('a', Ridge()), ('b', KNeighborsRegressor())], "
    "final_estimator=LinearRegression(), cv=3)",
    ["r2"],
    features=SCALED,
)
def stacking(frame: pd.DataFrame) -> Reference:
    return on(
        frame,
        lambda: make_pipeline(
            StandardScaler(),
            StackingRegressor(
                [("a", Ridge()), ("b", KNeighborsRegressor())],
                final_estimator=LinearRegression(),
                cv=3,
            ),
        ),
    )


@case("BaggingRegressor(Ridge(alpha=0.1), n_estimators=6)", ["r2"], features=PLAIN)
def bagging(frame: pd.DataFrame) -> Reference:
    return on(frame, lambda: BaggingRegressor(Ridge(alpha=0.1), n_estimators=6, random_state=0))
