"""Blends and stacks are what a script makes of out-of-fold predictions on the same folds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier, LGBMRegressor
from scipy.stats import rankdata, spearmanr
from sklearn import metrics as m
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.ensemble import RandomForestRegressor as Forest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits
from xgboost import XGBRegressor

from tests.oracle import LGBM, XGB
from tests.parity.data import written
from tests.parity.harness import EXACT, matches
from tests.parity.run import run

Make = Callable[[], Any]
Array = np.ndarray[Any, Any]
NUMBERS = [{"columns": "numeric"}]


@dataclass(frozen=True)
class Member:
    """A pipeline, and the fresh estimators of its seeds."""

    spec: dict[str, Any]
    makes: Sequence[Make]
    method: str = "predict_proba"


@dataclass(frozen=True)
class Problem:
    dataset: str
    target: str
    folds: Any
    cv: str
    members: dict[str, Member]

    @property
    def data(self) -> tuple[pd.DataFrame, Array]:
        frame = written(self.dataset)
        return frame.drop(columns=self.target), frame[self.target].to_numpy()

    def splits(self) -> list[tuple[Array, Array]]:
        return list(self.folds.split(*self.data))

    def out_of_fold(self, name: str) -> Array:
        """(n,) values or (n, classes) probabilities: the mean over seeds."""
        X, y = self.data
        member = self.members[name]
        seeds = []
        for make in member.makes:
            rows: dict[int, Any] = {}
            for train, valid in self.splits():
                model = make().fit(X.iloc[train], y[train])
                rows.update(zip(valid, getattr(model, member.method)(X.iloc[valid]), strict=True))
            seeds.append(np.array([rows[row] for row in range(len(X))], dtype=np.float64))
        return np.asarray(np.mean(seeds, axis=0))


def _spec(model: str, **fields: Any) -> dict[str, Any]:
    return {"features": NUMBERS, "model": model, **fields}


REGRESSION = Problem(
    "diabetes", "target", KFold(4, shuffle=True, random_state=3),
    "KFold(4, shuffle=True, random_state=3)",
    {
        "ridge": Member(_spec("Ridge(alpha=0.1)"), [lambda: Ridge(0.1)], "predict"),
        "ridge2": Member(_spec("Ridge(alpha=3)"), [lambda: Ridge(3)], "predict"),
        "log": Member(
            _spec("Ridge(alpha=0.1)", target={"column": "target", "transform": "log1p"}),
            [lambda: TransformedTargetRegressor(Ridge(0.1), func=np.log1p, inverse_func=np.expm1)],
            "predict",
        ),
        "lgb": Member(
            _spec("LGBMRegressor(n_estimators=20)"),
            [lambda: LGBMRegressor(n_estimators=20, random_state=0, **LGBM)], "predict",
        ),
        # With "lgb" a group of prefixes, where there is such a rule.
        "lgb-longer": Member(
            _spec("LGBMRegressor(n_estimators=40)"),
            [lambda: LGBMRegressor(n_estimators=40, random_state=0, **LGBM)], "predict",
        ),
        "xgb": Member(
            _spec("XGBRegressor(n_estimators=10)"),
            [lambda: XGBRegressor(n_estimators=10, random_state=0, **XGB)], "predict",
        ),
        "forest": Member(
            _spec("RandomForestRegressor(n_estimators=5)", seeds=[1, 2, 3]),
            [lambda: Forest(5, random_state=1), lambda: Forest(5, random_state=2),
             lambda: Forest(5, random_state=3)], "predict",
        ),
    },
)  # fmt: skip
CANCER = Problem(
    "cancer", "target", StratifiedKFold(3, shuffle=True, random_state=1),
    "StratifiedKFold(3, shuffle=True, random_state=1)",
    {
        "logistic": Member(
            _spec("make_pipeline(StandardScaler(), LogisticRegression(C=0.01))"),
            [lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.01))],
        ),
        "lgb": Member(
            _spec("LGBMClassifier(n_estimators=15)"),
            [lambda: LGBMClassifier(n_estimators=15, random_state=0, **LGBM)],
        ),
        "hist": Member(
            _spec("HistGradientBoostingClassifier(max_iter=10)"),
            [lambda: HistGradientBoostingClassifier(max_iter=10, random_state=0)],
        ),
        "svc": Member(
            _spec("make_pipeline(StandardScaler(), LinearSVC())"),
            [lambda: make_pipeline(StandardScaler(), LinearSVC(random_state=0))],
            "decision_function",
        ),
        "forest": Member(
            _spec("RandomForestClassifier(n_estimators=7)", seeds=[4, 5]),
            [lambda: RandomForestClassifier(7, random_state=4),
             lambda: RandomForestClassifier(7, random_state=5)],
        ),
    },
)  # fmt: skip
IRIS = Problem(
    "iris", "species", StratifiedKFold(3, shuffle=True, random_state=1),
    "StratifiedKFold(3, shuffle=True, random_state=1)",
    {
        "logistic": Member(
            _spec("LogisticRegression(C=0.1, max_iter=300)"),
            [lambda: LogisticRegression(C=0.1, max_iter=300)],
        ),
        "lgb": Member(
            _spec("LGBMClassifier(n_estimators=10)"),
            [lambda: LGBMClassifier(n_estimators=10, random_state=0, **LGBM)],
        ),
        "forest": Member(
            _spec("RandomForestClassifier(n_estimators=7)", seeds=[4, 5]),
            [lambda: RandomForestClassifier(7, random_state=4),
             lambda: RandomForestClassifier(7, random_state=5)],
        ),
    },
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A blend; `meta` is the estimator of a stack."""

    name: str
    problem: Problem
    of: list[str]
    how: str
    metrics: list[str]
    weights: list[float] | None = None
    model: str | None = None
    meta: Make | None = None

    @property
    def spec(self) -> dict[str, Any]:
        blend: dict[str, Any] = {"of": self.of, "how": self.how}
        if self.weights:
            blend["weights"] = self.weights
        if self.model:
            blend["model"] = self.model
        return {"name": self.name, "blend": blend, "metrics": self.metrics}

    def predicted(self) -> list[tuple[Array, Array]]:
        """By fold: the validation targets, and what the blend says of them."""
        _, y = self.problem.data
        members = [self.problem.out_of_fold(name) for name in self.of]
        found = []
        for train, valid in self.problem.splits():
            if self.how == "stack":
                assert self.meta is not None
                binary = len(np.unique(y)) == 2
                parts = [x[:, 1:] if binary else x.reshape(len(y), -1) for x in members]
                X = np.hstack(parts)
                model = self.meta().fit(X[train], y[train])
                ask = getattr(model, "predict_proba", None) or model.predict
                found.append((y[valid], ask(X[valid])))
                continue
            parts = [member[valid] for member in members]
            if self.how == "rank_mean":
                parts = [x[:, 1] if x.ndim == 2 else x for x in parts]
                parts = [rankdata(x) for x in parts]
            found.append((y[valid], np.average(parts, axis=0, weights=self.weights)))
        return found


ALL = list(REGRESSION.members)
NUMERIC = ["r2", "rmse"]
SCORED = ["roc_auc", "logloss", "accuracy", "f1"]
CLASSES = ["accuracy", "logloss", "f1_macro", "roc_auc_ovr"]
STACKED = "make_pipeline(StandardScaler(), LogisticRegression(C=0.5))"
CASES = [
    Case("mean", REGRESSION, ALL, "mean", NUMERIC),
    Case("one", REGRESSION, ["forest"], "mean", NUMERIC),
    Case("weighted", REGRESSION, ["lgb", "ridge2", "xgb"], "mean", NUMERIC, [5, 1, 0.5]),
    Case("ranks", REGRESSION, ["ridge", "log", "forest"], "rank_mean", ["spearman"], [1, 2, 1]),
    Case("stack", REGRESSION, ALL, "stack", NUMERIC, None, "Ridge(alpha=2)", lambda: Ridge(2)),
    Case("stack-boosted", REGRESSION, ["ridge", "ridge2", "forest"], "stack", NUMERIC, None,
         "LGBMRegressor(n_estimators=5)",
         lambda: LGBMRegressor(n_estimators=5, random_state=0, **LGBM)),
    Case("binary-mean", CANCER, ["logistic", "lgb", "hist", "forest"], "mean", SCORED),
    Case("binary-weighted", CANCER, ["logistic", "lgb"], "mean", SCORED, [0.3, 0.1]),
    Case("binary-ranks", CANCER, ["logistic", "svc", "hist", "forest"], "rank_mean",
         ["roc_auc", "average_precision"]),
    Case("binary-stack", CANCER, ["logistic", "lgb", "forest"], "stack", SCORED, None, STACKED,
         lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.5))),
    Case("classes-mean", IRIS, ["logistic", "lgb", "forest"], "mean", CLASSES),
    Case("classes-weighted", IRIS, ["logistic", "lgb"], "mean", CLASSES, [1, 4]),
    Case("classes-stack", IRIS, ["logistic", "lgb", "forest"], "stack", CLASSES, None, STACKED,
         lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.5))),
]  # fmt: skip


def value(metric: str, y: Array, predicted: Array) -> float:
    """The metric by scikit-learn; labels are those of the greatest probability."""
    positive = predicted[:, 1] if predicted.ndim == 2 else predicted
    labels = np.unique(y)
    if metric in ("accuracy", "f1", "f1_macro"):
        said = labels[predicted.argmax(axis=1)]
        average = "macro" if metric == "f1_macro" else "binary"
        if metric == "accuracy":
            return float(m.accuracy_score(y, said))
        return float(m.f1_score(y, said, average=average))
    found = {
        "r2": lambda: m.r2_score(y, predicted),
        "rmse": lambda: m.root_mean_squared_error(y, predicted),
        "spearman": lambda: spearmanr(y, predicted).statistic,
        "roc_auc": lambda: m.roc_auc_score(y, positive),
        "average_precision": lambda: m.average_precision_score(y, positive),
        "logloss": lambda: m.log_loss(y, predicted),
        "roc_auc_ovr": lambda: m.roc_auc_score(y, predicted, multi_class="ovr"),
    }
    return float(found[metric]())


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """All evaluations by name: a call for each problem, blends before their members."""
    home: Path = tmp_path_factory.mktemp("blends")
    found: dict[str, dict[str, Any]] = {}
    for problem in (REGRESSION, CANCER, IRIS):
        blends = [case.spec for case in CASES if case.problem is problem]
        members = [
            {"name": name, "dataset": problem.dataset, "target": problem.target, **member.spec}
            for name, member in problem.members.items()
        ]
        metric = "r2" if problem is REGRESSION else "accuracy"
        batch = {
            "evaluate": {"cv": problem.cv, "metrics": [metric]},
            "pipelines": [*blends, *members],
        }
        answer = run({problem.dataset: written(problem.dataset)}, batch, home)
        found.update({entry["name"]: entry for entry in answer["evaluations"]})
    return found


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_blends(case: Case, answers: dict[str, dict[str, Any]]) -> None:
    found = answers[case.name]
    assert found["status"] == "ok", found["error"]
    with threadpool_limits(1):
        predicted = case.predicted()
    for metric in case.metrics:
        wanted = [value(metric, y, values) for y, values in predicted]
        matches(found["metrics"][metric], wanted, EXACT)
