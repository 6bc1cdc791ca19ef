"""A tiny workload for the tests of the runner. Input: a folder. Output: six pipelines.

scikit-learn's bundled diabetes data; small enough for every system to end within seconds.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from evals.workloads.base import Kind, Pipeline, Workload

NAME = "selftest"
_CV = "KFold(3, shuffle=True, random_state=0)"
_FEATURES = [{"columns": "numeric", "steps": ["StandardScaler()"]}]


def workload(folder: Path) -> Workload:
    """Ridge x3, Lasso, a forest, and one that crashes."""
    path = folder / "diabetes.csv"
    load_diabetes(as_frame=True).frame.to_csv(path, index=False)
    pipelines = [
        _pipeline(f"ridge-{alpha}", f"Ridge(alpha={alpha})", "closed_form", "ridge", alpha=alpha)
        for alpha in (0.1, 1.0, 10.0)
    ]
    pipelines.append(_pipeline("lasso", "Lasso(alpha=0.5)", "iterative", "lasso", alpha=0.5))
    pipelines.append(
        _pipeline("forest", "RandomForestRegressor(n_estimators=20)", "library", "forest")
    )
    pipelines.append(
        _pipeline("broken", "Ridge()", "closed_form", "ridge", column="no_such_column")
    )
    return Workload(
        name=NAME,
        title="Self-test",
        datasets={"diabetes": str(path)},
        evaluate={"cv": _CV, "metrics": ["r2"]},
        metric="r2",
        pipelines=tuple(pipelines),
    )


def _pipeline(name: str, model: str, kind: Kind, family: str, **arguments: Any) -> Pipeline:
    features: list[dict[str, Any]] = list(_FEATURES)
    if "column" in arguments:
        features = [{"columns": [arguments["column"]], "steps": ["StandardScaler()"]}]
    spec = {"dataset": "diabetes", "target": "target", "features": features, "model": model}
    return Pipeline(
        name=name,
        spec=spec,
        function="evals.selftest:script",
        arguments={"family": family, **arguments},
        kind=kind,
        family=family,
        crashes="column" in arguments,
    )


@dataclass(frozen=True)
class Problem:
    """As `evals.baselines.common.Problem`."""

    X: pd.DataFrame
    y: pd.Series
    estimator: Any
    cv: Any
    scoring: str


def problem(paths: dict[str, str], family: str, alpha: float = 1.0, column: str = "") -> Problem:
    """What a script has in its hands before it cross-validates."""
    data = pd.read_csv(paths["diabetes"])
    target = data.pop("target")
    if column:
        data = data[[column]]
    models: dict[str, BaseEstimator] = {
        "ridge": Ridge(alpha=alpha),
        "lasso": Lasso(alpha=alpha),
        "forest": RandomForestRegressor(n_estimators=20, random_state=0),
    }
    model = make_pipeline(StandardScaler(), models[family])
    return Problem(data, target, model, KFold(3, shuffle=True, random_state=0), "r2")


def script(paths: dict[str, str], family: str, alpha: float = 1.0, column: str = "") -> list[float]:
    """What an agent's script would do."""
    p = problem(paths, family, alpha, column)
    scores = cross_val_score(p.estimator, p.X, p.y, cv=p.cv, scoring=p.scoring)
    return [float(score) for score in scores]


def planted(paths: dict[str, str], **arguments: Any) -> list[float]:
    """A script with a wrong score, for the test of the oracle."""
    scores = script(paths, **arguments)
    return [scores[0] + 1e-4, *scores[1:]]


def slow(paths: dict[str, str], seconds: float) -> list[float]:
    """A script that takes its time, for the test of the limit."""
    del paths
    time.sleep(seconds)
    return [0.0]


def marked(paths: dict[str, str], log: str) -> list[float]:
    """A script that says that it ran."""
    with open(log, "a") as file:
        file.write(json.dumps(sorted(paths)) + "\n")
    return [0.0]
