"""The other side of the demo: the same pipelines, one by one, with pandas and scikit-learn.

Input: a JSON file with specs and data files as the only argument, and a line on stdin to start.
Output: JSON lines; ``{"ready": true}`` once the libraries are imported, then for each spec its
position, means of its metrics, and seconds. Each pipeline reads the file, makes its columns and
cross-validates, as a script would; libraries run at their defaults.
"""

import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import sklearn.compose
import sklearn.decomposition
import sklearn.ensemble
import sklearn.feature_extraction
import sklearn.impute
import sklearn.linear_model
import sklearn.preprocessing
import xgboost
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder

_MODULES = (
    sklearn.compose,
    sklearn.decomposition,
    sklearn.ensemble,
    sklearn.feature_extraction,
    sklearn.impute,
    sklearn.linear_model,
    sklearn.preprocessing,
    lightgbm,
    xgboost,
)
_SCORERS = {
    "rmse": "neg_root_mean_squared_error",
    "mae": "neg_mean_absolute_error",
    "logloss": "neg_log_loss",
}


def load(path: str, dates: list[str]) -> pd.DataFrame:
    if path.endswith((".parquet", ".pq")):
        return pd.read_parquet(path)
    return pd.read_csv(path, parse_dates=dates, sep="\t" if path.endswith(".tsv") else ",")


def add_housing_parts(frame: pd.DataFrame) -> pd.DataFrame:
    date = frame["date_of_transfer"].dt
    frame["year"] = date.year
    frame["month"] = date.month
    frame["weekday"] = (date.day_of_week + 1) % 7
    frame["age_days"] = (frame["date_of_transfer"] - pd.Timestamp("1995-01-01")).dt.days
    return frame


def build(text: str) -> Any:
    """The object that a constructor expression of the demo's own specs describes."""
    names = {
        name: getattr(module, name)
        for module in _MODULES
        for name in dir(module)
        if not name.startswith("_")
    }
    found = eval(text, {"__builtins__": {}}, names)
    # As the server does, so that both sides draw the same numbers.
    # ("deprecated" is what TargetEncoder's is by default, which draws all the same.)
    if found.get_params().get("random_state", 0) in (None, "deprecated"):
        found.set_params(random_state=0)
    return found


def evaluate(spec: dict[str, Any], path: str, dates: list[str]) -> dict[str, float]:
    """Means over the folds by metric."""
    frame = load(path, dates)
    if spec.get("prepare"):
        frame = add_housing_parts(frame)
    target = spec["target"]
    column = target["column"] if isinstance(target, dict) else target
    y = frame.pop(column)
    branches = []
    for position, branch in enumerate(spec["features"]):
        columns = list(frame) if branch["columns"] == "all" else branch["columns"]
        steps = [build(step) for step in branch["steps"]]
        transformer = make_pipeline(*steps) if steps else "passthrough"
        branches.append((f"branch{position}", transformer, columns))
    model = make_pipeline(ColumnTransformer(branches), build(spec["model"]))
    if isinstance(target, dict):
        model = TransformedTargetRegressor(model, func=np.log1p, inverse_func=np.expm1)
    if y.dtype.kind not in "if":
        y = LabelEncoder().fit_transform(y)
    scores = cross_validate(
        model,
        frame,
        y,
        cv=KFold(5, shuffle=True, random_state=0),
        scoring={metric: _SCORERS.get(metric, metric) for metric in spec["metrics"]},
        error_score="raise",
    )
    return {
        metric: float(np.mean(scores[f"test_{metric}"])) * (-1 if metric in _SCORERS else 1)
        for metric in spec["metrics"]
    }


def main() -> None:
    request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    warnings.simplefilter("ignore")
    _say({"ready": True})
    sys.stdin.readline()
    for position, spec in enumerate(request["pipelines"]):
        data = request["datasets"][spec["dataset"]]
        began = time.perf_counter()
        try:
            answer: dict[str, Any] = {"metrics": evaluate(spec, data["path"], data["dates"])}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        seconds = time.perf_counter() - began
        _say({"position": position, "seconds": seconds, **answer})


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


if __name__ == "__main__":
    main()
