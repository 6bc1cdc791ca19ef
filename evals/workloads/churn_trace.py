"""P1: telco customers, the trace of an agent that drafts, improves, repairs and blends."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from evals.workloads import base
from evals.workloads.base import Pipeline, Workload, data_file
from evals.workloads.churn_broken import BROKEN
from evals.workloads.churn_features import SETS, fields
from evals.workloads.expressions import call
from evals.workloads.models import FAMILIES, LINEAR
from evals.workloads.tables import sized, written

FUNCTION = "evals.baselines.churn_trace:run"
AVERAGED = "evals.baselines.churn_trace:averaged"
BLENDED = "evals.baselines.churn_trace:blend"
ATTEMPT = "evals.baselines.churn_broken:run"
EVALUATE = {
    "cv": "StratifiedKFold(5, shuffle=True, random_state=0)",
    "metrics": ["roc_auc"],
}
Params = dict[str, Any]

MODELS: dict[str, tuple[str, Params]] = {
    "lightgbm": ("LGBMClassifier", {"n_estimators": 300, "learning_rate": 0.05}),
    "xgboost": ("XGBClassifier", {"n_estimators": 300, "learning_rate": 0.05, "max_depth": 5}),
    "catboost": ("CatBoostClassifier", {"iterations": 300, "learning_rate": 0.05, "depth": 6}),
    "histgb": ("HistGradientBoostingClassifier", {"max_iter": 200, "learning_rate": 0.05}),
    "logistic": ("LogisticRegression", {"C": 1.0, "max_iter": 1000}),
}
DRAFTS: dict[str, tuple[str, Params]] = {
    "draft-logistic": ("LogisticRegression", {"max_iter": 1000}),
    "draft-tree": ("DecisionTreeClassifier", {"max_depth": 6}),
    "draft-neighbours": ("KNeighborsClassifier", {"n_neighbors": 25}),
    "draft-forest": ("RandomForestClassifier", {"n_estimators": 200}),
    "draft-lightgbm": ("LGBMClassifier", {}),
}
# The first draft looks at two columns only.
FIRST = ["tenure", "MonthlyCharges"]
EDITS: list[tuple[str, str, Params]] = [
    ("ratios", "lightgbm", {"num_leaves": 15}),
    ("ratios", "lightgbm", {"num_leaves": 7, "min_child_samples": 40}),
    ("ratios", "lightgbm", {"n_estimators": 600, "learning_rate": 0.02}),
    ("pairs", "lightgbm", {"num_leaves": 15}),
    ("pairs", "lightgbm", {"colsample_bytree": 0.6, "reg_lambda": 5.0}),
    ("ratios", "xgboost", {"max_depth": 3}),
    ("ratios", "xgboost", {"max_depth": 3, "subsample": 0.8, "colsample_bytree": 0.8}),
    ("services", "xgboost", {"max_depth": 3}),
    ("pairs", "xgboost", {"max_depth": 3, "min_child_weight": 5}),
    ("ratios", "histgb", {"max_leaf_nodes": 15}),
    ("services", "histgb", {"max_leaf_nodes": 7, "l2_regularization": 1.0}),
    ("pairs", "histgb", {"learning_rate": 0.03}),
    ("services", "logistic", {"C": 0.1}),
    ("groups", "logistic", {"C": 0.03}),
    ("ratios", "logistic", {"C": 10.0}),
]
SEEDS = list(range(7))
SEEDED: dict[str, tuple[str, str, Params]] = {
    "seeds-ratios-lightgbm": (
        "ratios", "LGBMClassifier",
        {"n_estimators": 300, "learning_rate": 0.03, "num_leaves": 7, "subsample": 0.8,
         "subsample_freq": 1, "colsample_bytree": 0.6},
    ),
    "seeds-pairs-lightgbm": (
        "pairs", "LGBMClassifier",
        {"n_estimators": 300, "learning_rate": 0.03, "num_leaves": 7, "subsample": 0.8,
         "subsample_freq": 1, "colsample_bytree": 0.6},
    ),
    "seeds-ratios-xgboost": (
        "ratios", "XGBClassifier",
        {"n_estimators": 300, "learning_rate": 0.03, "max_depth": 3, "subsample": 0.8},
    ),
    "seeds-services-xgboost": (
        "services", "XGBClassifier",
        {"n_estimators": 300, "learning_rate": 0.03, "max_depth": 3, "subsample": 0.8},
    ),
    "seeds-raw-forest": (
        "raw", "RandomForestClassifier", {"n_estimators": 200, "min_samples_leaf": 5},
    ),
    "seeds-groups-trees": (
        "groups", "ExtraTreesClassifier", {"n_estimators": 200, "min_samples_leaf": 5},
    ),
}  # fmt: skip


def workload(rows: int | None, folder: Path) -> Workload:
    """64 pipelines, and 20 blends; more rows than the 7,043 repeat them with noise."""
    path = str(data_file("telco_churn", "Telco-Customer-Churn.csv"))
    if rows is not None:
        frame = sized(pd.read_csv(path), rows, jitter=["MonthlyCharges"])
        path = written(frame, folder, f"churn_{rows}.csv")
    pipelines = list(_trace())
    notes = []
    if importlib.util.find_spec("catboost") is None:
        pipelines = [p for p in pipelines if p.family != "catboost"]
        notes.append("CatBoost pipelines are left out: it is not installed")
    if base.BLENDS:
        pipelines += _blends(pipelines)
    else:
        notes.append("blends are left out")
    return Workload(
        name="churn_trace",
        title="P1 an agent's trace over telco customers",
        datasets={"churn": path},
        evaluate=EVALUATE,
        metric="roc_auc",
        pipelines=tuple(pipelines),
        notes=tuple(notes),
    )


def _trace() -> Iterator[Pipeline]:
    """Drafts, improvements with the crashes that come before them, and seeds."""
    for name, (model, params) in DRAFTS.items():
        yield pipeline(name, "raw", model, params, FIRST if name == "draft-logistic" else None)
    crashes = {repair: attempt for attempt, (repair, _) in BROKEN.items()}
    for features in SETS:
        for short, (model, params) in MODELS.items():
            name = f"{features}-{short}"
            if name in crashes:
                yield _attempt(crashes[name])
            yield pipeline(name, features, model, params)
    for number, (features, short, changed) in enumerate(EDITS, 1):
        model, params = MODELS[short]
        yield pipeline(f"edit{number}-{features}-{short}", features, model, {**params, **changed})
    for name, (features, model, params) in SEEDED.items():
        yield pipeline(name, features, model, params, seeds=SEEDS)


def pipeline(
    name: str,
    features: str,
    model: str,
    params: Params,
    columns: list[str] | None = None,
    seeds: list[int] | None = None,
) -> Pipeline:
    """One pipeline over the customers; `features` is one of `SETS`, `columns` replaces it."""
    family, kind = FAMILIES[model]
    spec: dict[str, Any] = {
        "name": name,
        "dataset": "churn",
        "target": "Churn",
        **fields(features, linear=family in LINEAR),
        "model": call(model, params),
    }
    arguments: dict[str, Any] = {"features": features, "model": model, "params": params}
    if columns is not None:
        spec["features"] = [{"columns": columns, "steps": ["StandardScaler()"]}]
        arguments["columns"] = columns
    if seeds is not None:
        spec["seeds"] = arguments["seeds"] = seeds
    function = FUNCTION if seeds is None else AVERAGED
    return Pipeline(name, spec, function, arguments, kind, family)


def _attempt(attempt: str) -> Pipeline:
    spec = {
        "name": f"broken-{attempt}",
        "dataset": "churn",
        "target": "Churn",
        "prepare": [],
        **BROKEN[attempt][1],
    }
    return Pipeline(
        name=f"broken-{attempt}",
        spec=spec,
        function=ATTEMPT,
        arguments={"attempt": attempt},
        kind="closed_form",
        family="broken",
        crashes=True,
    )


def _blends(pipelines: list[Pipeline]) -> list[Pipeline]:
    """Six means over models, six mean ranks over models, eight stacks over feature sets.

    A script has kept none of its earlier predictions: it refits the members.
    """
    known = {p.name: p.arguments for p in pipelines}
    wanted: list[tuple[str, str, list[str]]] = []
    for features in SETS:
        members = [f"{features}-{model}" for model in MODELS if f"{features}-{model}" in known]
        wanted.append((f"mean-{features}", "mean", members))
        wanted.append((f"rank-{features}", "rank_mean", members))
    sets = list(SETS)
    for model in ("lightgbm", "xgboost", "histgb", "logistic"):
        wanted.append((f"stack-{model}", "stack", [f"{features}-{model}" for features in sets]))
        wanted.append((f"stack-{model}-3", "stack", [f"{f}-{model}" for f in sets[1:4]]))
    return [_blend(name, how, members, known) for name, how, members in wanted]


def _blend(name: str, how: str, members: list[str], known: dict[str, Params]) -> Pipeline:
    blend: dict[str, Any] = {"of": members, "how": how}
    if how == "stack":
        blend["model"] = "LogisticRegression(C=1.0)"
    arguments = {"members": [known[member] for member in members], "how": how}
    return Pipeline(name, {"name": name, "blend": blend}, BLENDED, arguments, "iterative", "blend")
