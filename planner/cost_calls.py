"""Seconds that operators take to be fitted, applied and asked.

Input: a call, which may have estimators in it, and the shape of its data. Output: expected seconds
at one thread, from the measured constants of `planner.cost_table`.
"""

from collections.abc import Iterable

from planner.cost_factors import Factors, Shape, candidates_of, factors, folds_of, rounds_of
from planner.cost_table import FITS, PREDICTS, TRANSFORMS, Terms
from planner.expressions import Call, children, walk_calls

# Operators that are about as dear as one in the table; a prefix stands for all its endings.
_LIKE = (
    ("XGBRF", "XGBRegressor"),
    ("GradientBoosting", "GradientBoostingRegressor"),
    ("ExtraTree", "ExtraTreesRegressor"),
    ("DecisionTree", "DecisionTreeRegressor"),
    ("AdaBoost", "AdaBoostRegressor"),
    ("MLP", "MLPRegressor"),
    ("KNeighbors", "KNeighborsRegressor"),
    ("RadiusNeighbors", "KNeighborsRegressor"),
    ("RidgeC", "RidgeCV"),
    ("BayesianRidge", "LinearRegression"),
    ("ARDRegression", "LinearRegression"),
    ("Lars", "Lasso"),
    ("LassoLars", "Lasso"),
    ("Huber", "LogisticRegression"),
    ("Quantile", "LogisticRegression"),
    ("PoissonRegressor", "LogisticRegression"),
    ("GammaRegressor", "LogisticRegression"),
    ("TweedieRegressor", "LogisticRegression"),
    ("MultiTask", "Lasso"),
    ("SGD", "SGDRegressor"),
    ("PassiveAggressive", "SGDRegressor"),
    ("Perceptron", "SGDRegressor"),
    ("LinearSV", "LinearSVC"),
    ("NuSV", "SVC"),
    ("GaussianProcess", "GaussianProcessRegressor"),
    ("KernelRidge", "KernelRidge"),
    ("PLS", "LinearRegression"),
)
_LIKE_TRANSFORMS = (
    ("MaxAbs", "StandardScaler"),
    ("MinMax", "StandardScaler"),
    ("Normalizer", "StandardScaler"),
    ("Binarizer", "StandardScaler"),
    ("FunctionTransformer", "StandardScaler"),
    ("VarianceThreshold", "StandardScaler"),
    ("CountVectorizer", "TfidfVectorizer"),
    ("HashingVectorizer", "TfidfVectorizer"),
    ("IncrementalPCA", "PCA"),
    ("RBFSampler", "Nystroem"),
    ("SelectPercentile", "SelectKBest"),
    ("SelectF", "SelectKBest"),
    ("TargetEncoder", "TargetEncoder"),
    ("SVD", "TruncatedSVD"),
)
_FIT: Terms = (("1", 0.003), ("np", 1e-6))
_TRANSFORM: Terms = (("1", 0.002), ("np", 1e-7))
_PREDICT: Terms = (("1", 3e-4), ("vp", 5e-9))


def fit_seconds(call: Call, shape: Shape, stopping: int = 0) -> float:
    """To fit a predictor; `stopping` is the patience of early stopping."""
    return _of_call(call, shape, FITS, _FIT, stopping)


def transform_seconds(call: Call, shape: Shape) -> float:
    """To fit a transformer on the training rows, and to apply it to both sides."""
    return _of_call(call, shape, TRANSFORMS, _TRANSFORM)


def predict_seconds(call: Call, shape: Shape) -> float:
    """To ask a fitted predictor about the validation rows."""
    inner = [one for one in walk_calls(call) if _known(one.name, PREDICTS, _LIKE)]
    return sum(
        total(_known(one.name, PREDICTS, _LIKE) or _PREDICT, factors(one, shape))
        for one in inner or [call]
    )


def _of_call(
    call: Call, shape: Shape, table: dict[str, Terms], usual: Terms, stopping: int = 0
) -> float:
    """Seconds to fit `call`: its own, and those of the estimators in it."""
    nested = list(_inside(call))
    terms = _known(call.name, table, _LIKE if table is FITS else _LIKE_TRANSFORMS)
    if terms is None and nested:
        terms = (("1", 0.002),)
    seconds = total(terms or usual, factors(call, shape, stopping))
    if not nested:
        return seconds
    return seconds + _repeats(call, shape) * sum(
        _of_call(one, shape, FITS if one.name in FITS else table, usual) for one in nested
    )


def _inside(call: Call) -> Iterable[Call]:
    """The estimators that are fitted when `call` is: the nearest calls in it."""
    if _known(call.name, FITS, _LIKE) is not None:
        return
    stack = list(children(call))
    while stack:
        value = stack.pop()
        if isinstance(value, Call):
            yield value
        else:
            stack.extend(children(value))


def _repeats(call: Call, shape: Shape) -> float:
    """How often the estimators in `call` are fitted."""
    name = call.name
    if name.endswith("SearchCV"):
        return candidates_of(call) * folds_of(call) + 1
    if name.startswith("Stacking"):
        return folds_of(call) + 1
    if name.startswith("Bagging"):
        return rounds_of(call)
    if name in ("CalibratedClassifierCV", "RFECV", "SequentialFeatureSelector"):
        return folds_of(call)
    if name == "RFE":
        return max(shape.columns / 2, 1.0)
    if name in ("OneVsRestClassifier", "OutputCodeClassifier"):
        return max(shape.classes, 2)
    if name == "OneVsOneClassifier":
        return max(shape.classes * (shape.classes - 1) / 2, 1.0)
    return 1.0


def _known(name: str, table: dict[str, Terms], like: tuple[tuple[str, str], ...]) -> Terms | None:
    """The terms for `name`: its own, or of its sibling for the other task, or what it is like."""
    found = table.get(name)
    if found is not None:
        return found
    for ours, other in (("Classifier", "Regressor"), ("Regressor", "Classifier"), ("SVC", "SVR")):
        if name.endswith(ours) and (stem := name.removesuffix(ours) + other) in table:
            return table[stem]
    for prefix, same in like:
        if name.startswith(prefix) and same in table:
            return table[same]
    return None


def total(terms: Terms, numbers: Factors) -> float:
    """Seconds of `terms` with these factors."""
    seconds_in_all = 0.0
    for term, seconds in terms:
        for letter in term:
            if letter != "1":
                seconds *= numbers[letter]
        seconds_in_all += seconds
    return seconds_in_all
