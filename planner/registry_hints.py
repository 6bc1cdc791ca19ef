"""Names that agents write and no operator has, with what to write instead.

Input: an unknown name. Output: a hint, or an empty string.
"""

from collections.abc import Container

_MODELS = {
    "RandomForest": "RandomForest{}",
    "ExtraTrees": "ExtraTrees{}",
    "GradientBoosting": "HistGradientBoosting{}",
    "HistGradientBoosting": "HistGradientBoosting{}",
    "HistGB": "HistGradientBoosting{}",
    "AdaBoost": "AdaBoost{}",
    "XGBoost": "XGB{}",
    "XGB": "XGB{}",
    "LightGBM": "LGBM{}",
    "LGBM": "LGBM{}",
    "LGB": "LGBM{}",
    "DecisionTree": "DecisionTree{}",
    "KNN": "KNeighbors{}",
    "KNeighbors": "KNeighbors{}",
    "KNearestNeighbors": "KNeighbors{}",
    "MLP": "MLP{}",
    "NeuralNetwork": "MLP{}",
    "GaussianProcess": "GaussianProcess{}",
    "Voting": "Voting{}",
    "Stacking": "Stacking{}",
    "Dummy": "Dummy{}",
}

_WRITE = {
    "LinearRegressor": "LinearRegression",
    "LinearClassifier": "LogisticRegression",
    "LogisticRegressor": "LogisticRegression",
    "Logistic": "LogisticRegression",
    "LogisticClassifier": "LogisticRegression",
    "RidgeRegression": "Ridge",
    "RidgeRegressor": "Ridge",
    "LassoRegression": "Lasso",
    "LassoRegressor": "Lasso",
    "ElasticNetRegression": "ElasticNet",
    "SVM": "SVC or SVR",
    "SVMClassifier": "SVC",
    "SVMRegressor": "SVR",
    "NaiveBayes": "GaussianNB, MultinomialNB or CategoricalNB",
    "Imputer": "SimpleImputer",
    "MeanImputer": "SimpleImputer(strategy='mean')",
    "MedianImputer": "SimpleImputer(strategy='median')",
    "ModeImputer": "SimpleImputer(strategy='most_frequent')",
    "ConstantImputer": "SimpleImputer(strategy='constant', fill_value=...)",
    "Scaler": "StandardScaler",
    "ZScore": "StandardScaler",
    "LogTransformer": "FunctionTransformer(log1p)",
    "Log1pTransformer": "FunctionTransformer(log1p)",
    "OHE": "OneHotEncoder",
    "OneHot": "OneHotEncoder",
    "DummyEncoder": "OneHotEncoder(drop='first')",
    "get_dummies": "OneHotEncoder",
    "TfIdf": "TfidfVectorizer",
    "SVD": "TruncatedSVD",
    "BoxCox": "PowerTransformer(method='box-cox')",
    "YeoJohnson": "PowerTransformer()",
    "MeanEncoder": "TargetEncoder",
    "LeaveOneOutEncoder": "TargetEncoder (it cross-fits)",
    "CatBoostEncoder": "TargetEncoder (it cross-fits)",
    "MEstimateEncoder": "TargetEncoder (it cross-fits)",
    "JamesSteinEncoder": "TargetEncoder (it cross-fits)",
    "WOEEncoder": "TargetEncoder (it cross-fits)",
    "CountFrequencyEncoder": "an aggregate step with count(*), joined back by the column",
    "CountEncoder": "an aggregate step with count(*), joined back by the column",
    "FrequencyEncoder": "an aggregate step with count(*), joined back by the column",
}

_LABELS = (
    "Class labels are encoded without being asked; for feature columns write OrdinalEncoder() "
    "or OneHotEncoder()."
)
_DEEP = "Deep-learning libraries are not available; MLPRegressor and MLPClassifier are."
_SPLIT = 'Say how to split in `cv`: KFold(5), TimeSeriesSplit(5), or {"holdout": 0.2}.'
_METRIC = "Name metrics in `metrics`, as strings such as 'rmse' or 'roc_auc'."

_OTHER = {
    "LabelEncoder": _LABELS,
    "LabelBinarizer": _LABELS,
    "MultiLabelBinarizer": _LABELS,
    "train_test_split": _SPLIT,
    "cross_val_score": _SPLIT,
    "cross_validate": _SPLIT,
    "cross_val_predict": "Out-of-fold predictions of another pipeline are a `blend`.",
    "make_scorer": _METRIC,
    "mean_squared_error": _METRIC,
    "roc_auc_score": _METRIC,
    "accuracy_score": _METRIC,
    "SMOTE": "Resampling is not available; most classifiers take class_weight='balanced'.",
    "RandomOverSampler": "Most classifiers take class_weight='balanced'.",
    "RandomUnderSampler": 'Write {"filter": ..., "only": "train"}, or class_weight="balanced".',
    "passthrough": "A feature branch with no steps hands its columns on unchanged.",
    "drop": "Leave the columns out, or write a drop step in `prepare`.",
    "choose": "choose(...) is expanded by evaluate_pipelines and search_pipelines only.",
    "lambda": "Name a function such as log1p, or derive the column in `prepare`.",
    "TabNetRegressor": _DEEP,
    "TabNetClassifier": _DEEP,
    "KerasRegressor": _DEEP,
    "KerasClassifier": _DEEP,
    "Sequential": _DEEP,
    "TextEncoder": "Encoders that download a model are not available; StringEncoder() is.",
    "LLMEncoder": "Encoders that download a model are not available; StringEncoder() is.",
    "Joiner": "Write a join step in `prepare`.",
    "AggJoiner": "Write an aggregate step in `prepare`.",
    "AggTarget": "Target statistics are fitted per fold: TargetEncoder().",
    "Dataset": "Write the scikit-learn class, such as LGBMRegressor(...).",
    "DMatrix": "Write the scikit-learn class, such as XGBRegressor(...).",
}

_SKRUB = {
    "ApplyToCols", "CatEncoder", "Cleaner", "DatetimeEncoder", "DropCols", "DropSimilar",
    "DropUninformative", "DurationToFloat", "GapEncoder", "MinHashEncoder", "SelectCols",
    "SessionEncoder", "SimilarityEncoder", "SquashingScaler", "StringEncoder",
    "TableVectorizer", "ToCategorical", "ToDatetime", "ToFloat",
}  # fmt: skip
_CATBOOST = {"CatBoostClassifier", "CatBoostRegressor", "CatBoost"}


def hint_for(name: str, known: Container[str]) -> str:
    """What to write instead of `name`, if it is a well-known wrong name; else ''."""
    for library, names in (("skrub", _SKRUB), ("catboost", _CATBOOST)):
        if name in names and name not in known:
            if name == "CatBoost" and "CatBoostRegressor" in known:
                return "Write CatBoostRegressor or CatBoostClassifier."
            return (
                f"It is {library}'s, which is not installed here; install the extra "
                f"mcp-server-stratum[{library}]."
            )
    if name in _OTHER:
        return _OTHER[name]
    if name in _WRITE:
        return f"Write {_WRITE[name]}."
    for ending in ("Regressor", "Classifier", "Regression", "Classification"):
        stem = name.removesuffix(ending)
        if stem != name and stem in _MODELS:
            kind = "Regressor" if ending.startswith("Regress") else "Classifier"
            return f"Write {_MODELS[stem].format(kind)}."
    if name in _MODELS:
        both = [_MODELS[name].format(kind) for kind in ("Regressor", "Classifier")]
        return f"Write {both[0]} or {both[1]}."
    return ""
