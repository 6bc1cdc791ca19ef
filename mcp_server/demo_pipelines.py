"""What the demo evaluates: for each dataset its pipelines, as specs for the server.

Input: dataset names and, for data of one's own, the columns and features that the server chose.
Output: specs. `demo_baseline` runs the same descriptions with pandas and scikit-learn.
"""

from collections.abc import Iterable
from typing import Any

Spec = dict[str, Any]
Features = list[dict[str, Any]]

CV = "KFold(5, shuffle=True, random_state=0)"
REGRESSION = ["r2", "rmse"]
CLASSIFICATION = ["roc_auc", "accuracy"]
ALPHAS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)

# Both sides derive these: in SQL here, with pandas there.
HOUSING_PARTS = {
    "year": "year(date_of_transfer)",
    "month": "month(date_of_transfer)",
    "weekday": "dayofweek(date_of_transfer)",
    "age_days": "date_diff('day', DATE '1995-01-01', date_of_transfer)",
}
_HOUSING_KINDS = ["property_type", "old_new", "duration", "ppd_category_type"]
_HOUSING_PLACES = ["town_city", "district", "county"]
_TARGET_ENCODER = "TargetEncoder(random_state=0)"


def built_in(*, smoke: bool) -> list[Spec]:
    """Pipelines over three datasets, one of them broken on purpose."""
    every = [*_diabetes(), *_breast_cancer(), *_uk_housing()]
    kept = every[::3] if smoke else every
    broken = _spec("diabetes", "target", "typo", None, "Ridge(alhpa=1.0)", REGRESSION)
    return [*kept, broken]


def for_table(
    dataset: str, target: str, task: str, metrics: list[str], features: Features, binary: bool
) -> list[Spec]:
    """A default set of pipelines for a table of one's own."""
    if task == "regression":
        models = [f"Ridge(alpha={alpha})" for alpha in ALPHAS]
        models += [f"Lasso(alpha={alpha})" for alpha in ALPHAS[:4]]
        models += ["RandomForestRegressor(n_estimators=50, random_state=0)"]
        models += _boosting("Regressor", (50, 100, 200))
        models += ["HistGradientBoostingRegressor(random_state=0)"]
    else:
        models = [f"LogisticRegression(C={c}, max_iter=1000)" for c in ALPHAS]
        models += ["RandomForestClassifier(n_estimators=50, random_state=0)"]
        models += _boosting("Classifier", (50, 100, 200))
        models += ["HistGradientBoostingClassifier(random_state=0)"]
        if not binary:
            metrics = ["accuracy"]
    return [_spec(dataset, target, "default", features, model, metrics) for model in models]


def _diabetes() -> Iterable[Spec]:
    scaled: Features = [{"columns": "all", "steps": ["StandardScaler()"]}]
    squares: Features = [
        {
            "columns": "all",
            "steps": ["PolynomialFeatures(2, include_bias=False)", "StandardScaler()"],
        }
    ]
    models = [f"Ridge(alpha={alpha})" for alpha in ALPHAS]
    models += [f"Lasso(alpha={alpha})" for alpha in (0.03, 0.1, 0.3, 1)]
    models += [
        f"ElasticNet(alpha={alpha}, l1_ratio={ratio})"
        for alpha in (0.1, 0.3, 1)
        for ratio in (0.2, 0.8)
    ]
    for label, features in (("scaled", scaled), ("squares", squares)):
        for model in models:
            yield _spec("diabetes", "target", label, features, model, REGRESSION)
    for model in (
        "RandomForestRegressor(n_estimators=100, random_state=0)",
        *_boosting("Regressor", (50, 100)),
    ):
        yield _spec("diabetes", "target", "scaled", scaled, model, REGRESSION)


def _breast_cancer() -> Iterable[Spec]:
    scaled: Features = [{"columns": "all", "steps": ["StandardScaler()"]}]
    components: Features = [
        {"columns": "all", "steps": ["StandardScaler()", "PCA(n_components=10, random_state=0)"]}
    ]
    for label, features in (("scaled", scaled), ("pca", components)):
        for c in ALPHAS[1:7]:
            model = f"LogisticRegression(C={c}, max_iter=1000)"
            yield _spec("breast_cancer", "target", label, features, model, CLASSIFICATION)
    for model in (
        "RandomForestClassifier(n_estimators=100, random_state=0)",
        *_boosting("Classifier", (50, 100)),
    ):
        yield _spec("breast_cancer", "target", "scaled", scaled, model, CLASSIFICATION)


def _uk_housing() -> Iterable[Spec]:
    parts = list(HOUSING_PARTS)
    kinds = {"columns": _HOUSING_KINDS, "steps": ["OneHotEncoder(handle_unknown='ignore')"]}
    coarse: Features = [
        {"columns": parts[:1], "steps": ["StandardScaler()"]},
        kinds,
        {"columns": _HOUSING_PLACES[2:], "steps": [_TARGET_ENCODER]},
    ]
    fine: Features = [
        {"columns": parts, "steps": ["StandardScaler()"]},
        kinds,
        {"columns": _HOUSING_PLACES, "steps": [_TARGET_ENCODER, "StandardScaler()"]},
    ]
    for label, features in (("coarse", coarse), ("fine", fine)):
        models = [f"Ridge(alpha={alpha})" for alpha in (0.1, 1, 10, 100)]
        models += _boosting("Regressor", (50, 100))
        if label == "fine":
            models.append("RandomForestRegressor(n_estimators=30, max_depth=12, random_state=0)")
        for model in models:
            spec = _spec("uk_housing", "price", label, features, model, REGRESSION)
            spec["target"] = {"column": "price", "transform": "log1p"}
            spec["prepare"] = [{"derive": HOUSING_PARTS}]
            yield spec


def _boosting(task: str, sizes: Iterable[int]) -> list[str]:
    found = []
    for size in sizes:
        found.append(f"LGBM{task}(n_estimators={size}, random_state=0, verbose=-1)")
        found.append(f"XGB{task}(n_estimators={size}, random_state=0)")
    return found


def _spec(
    dataset: str,
    target: str,
    label: str,
    features: Features | None,
    model: str,
    metrics: list[str],
) -> Spec:
    shown = model.replace(", random_state=0", "").replace(", verbose=-1", "")
    shown = shown.replace(", max_iter=1000", "").replace("n_estimators=", "")
    spec: Spec = {
        "name": f"{dataset}: {label} {shown}",
        "dataset": dataset,
        "target": target,
        "model": model,
        "metrics": metrics,
    }
    if features is not None:
        spec["features"] = features
    return spec
