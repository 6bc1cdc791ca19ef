"""Model families of the workloads, as data."""

from evals.workloads.base import Kind

# Estimator name: family, tolerance class.
FAMILIES: dict[str, tuple[str, Kind]] = {
    "LinearRegression": ("linear", "closed_form"),
    "Ridge": ("ridge", "closed_form"),
    "Lasso": ("lasso", "iterative"),
    "ElasticNet": ("elasticnet", "iterative"),
    "LogisticRegression": ("logistic", "iterative"),
    "KNeighborsClassifier": ("neighbours", "library"),
    "DecisionTreeClassifier": ("tree", "library"),
    "RandomForestClassifier": ("forest", "library"),
    "RandomForestRegressor": ("forest", "library"),
    "ExtraTreesClassifier": ("forest", "library"),
    "HistGradientBoostingClassifier": ("histgb", "library"),
    "LGBMClassifier": ("lightgbm", "library"),
    "LGBMRegressor": ("lightgbm", "library"),
    "XGBClassifier": ("xgboost", "library"),
    "XGBRegressor": ("xgboost", "library"),
    "CatBoostClassifier": ("catboost", "library"),
}

# Families that want numbers on one scale, and categories one-hot encoded.
LINEAR = frozenset({"linear", "ridge", "lasso", "elasticnet", "logistic", "neighbours"})
