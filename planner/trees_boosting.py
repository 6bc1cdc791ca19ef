"""Boosting models that a kernel may stand in for: what is understood of each parameter.

Not here, so that the library fits: early stopping, DART and GOSS, constraints, sampling of
features by level or node, bins beyond what a byte holds. Joint conditions are the kernel's
(`executor.backends.rust.boosting`).
"""

from collections.abc import Mapping

from planner.understood import Understood, either, number, one_of, whole

_LARGE = 1e300
_ANY = either(one_of(True, False, None), number(-_LARGE, _LARGE))
_POSITIVE = number(0.0, _LARGE, open_below=True)
_PENALTY = number(0.0, _LARGE)
_SHARE = number(0.0, 1.0, open_below=True)
_BALANCED = one_of(None, "balanced")

_LIGHTGBM: dict[str, Understood] = {
    "boosting_type": one_of("gbdt"),
    "n_estimators": whole(1),
    "num_leaves": whole(2),
    "max_depth": whole(-1),
    "learning_rate": _POSITIVE,
    "subsample_for_bin": whole(1),
    "class_weight": _BALANCED,
    "min_split_gain": _PENALTY,
    "min_child_weight": _PENALTY,
    "min_child_samples": whole(0),
    "subsample": _SHARE,
    "subsample_freq": whole(0),
    "colsample_bytree": _SHARE,
    "reg_alpha": _PENALTY,
    "reg_lambda": _PENALTY,
    "random_state": whole(0),
    "importance_type": one_of("split", "gain"),
    "max_bin": either(*(one_of(bins) for bins in range(2, 256))),
    "boost_from_average": one_of(True),
    "max_cat_to_onehot": whole(1),
    "max_cat_threshold": whole(1),
    "min_data_per_group": whole(1),
    "cat_l2": _PENALTY,
    "cat_smooth": _POSITIVE,
}
_XGBOOST: dict[str, Understood] = {
    "booster": one_of("gbtree"),
    "tree_method": one_of("auto", "hist"),
    "n_estimators": whole(1),
    "max_depth": whole(0),
    "max_leaves": whole(0),
    "max_bin": either(*(one_of(bins) for bins in range(2, 257))),
    "grow_policy": one_of("depthwise", "lossguide"),
    "learning_rate": _POSITIVE,
    "gamma": _PENALTY,
    "min_child_weight": _PENALTY,
    "subsample": _SHARE,
    "colsample_bytree": _SHARE,
    "colsample_bylevel": one_of(1, 1.0),
    "colsample_bynode": one_of(1, 1.0),
    "reg_alpha": _PENALTY,
    "reg_lambda": _PENALTY,
    "random_state": whole(0),
    "enable_categorical": one_of(True, False),
    "max_cat_to_onehot": whole(1),
    "max_cat_threshold": whole(1),
    "importance_type": one_of("gain", "weight", "cover", "total_gain", "total_cover"),
}
_HISTOGRAM: dict[str, Understood] = {
    "learning_rate": _POSITIVE,
    "max_iter": whole(1),
    "max_leaf_nodes": either(one_of(None), whole(2)),
    "max_depth": either(one_of(None), whole(1)),
    "min_samples_leaf": whole(1),
    "l2_regularization": _PENALTY,
    "max_features": _SHARE,
    "max_bins": either(*(one_of(bins) for bins in range(2, 256))),
    "categorical_features": one_of(None, "from_dtype"),
    "early_stopping": one_of(False, "auto"),
    "scoring": one_of(None, "loss"),
    "validation_fraction": _ANY,
    "n_iter_no_change": _ANY,
    "tol": _ANY,
    "warm_start": one_of(False),
    "random_state": whole(0),
}

# By estimator.
BOOSTING: dict[str, Mapping[str, Understood]] = {
    "LGBMRegressor": {
        **_LIGHTGBM,
        "class_weight": one_of(None),
        "objective": one_of(
            None, "regression", "regression_l1", "l1", "l2", "mae", "mse", "poisson", "quantile"
        ),
        "alpha": _SHARE,
    },
    "LGBMClassifier": {**_LIGHTGBM, "objective": one_of(None, "binary", "multiclass")},
    # Not count:poisson, whose leaf values XGBoost limits.
    "XGBRegressor": {
        **_XGBOOST,
        "objective": one_of("reg:squarederror", "reg:absoluteerror"),
    },
    "XGBClassifier": {
        **_XGBOOST,
        "objective": one_of("binary:logistic", "multi:softprob", "multi:softmax"),
    },
    "HistGradientBoostingRegressor": {
        **_HISTOGRAM,
        "loss": one_of("squared_error", "absolute_error", "poisson", "quantile"),
        "quantile": _SHARE,
    },
    "HistGradientBoostingClassifier": {
        **_HISTOGRAM,
        "loss": one_of("log_loss"),
        "class_weight": _BALANCED,
    },
}
