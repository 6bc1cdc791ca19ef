"""What several clients ask for at once. Input: sizes. Output: a data file, pipelines, requests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

DATASET = "clients"
EVALUATE: dict[str, Any] = {"cv": "KFold(5, shuffle=True, random_state=0)", "metrics": ["r2"]}
_COLUMNS = 20


def write_data(folder: Path, rows: int) -> Path:
    """A table of numbers with a target that depends on some of them, with gaps."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(rows, _COLUMNS))
    frame = pd.DataFrame(values, columns=[f"x{n}" for n in range(_COLUMNS)])
    noise = rng.normal(size=rows)
    frame["y"] = 2 * frame["x0"] - frame["x1"] * frame["x2"] + np.sin(frame["x3"]) + noise
    frame.loc[rng.random(rows) < 0.05, "x4"] = np.nan
    path = folder / f"{DATASET}.parquet"
    frame.to_parquet(path, index=False)
    return path


def pipelines(count: int) -> list[dict[str, Any]]:
    """Distinct pipelines, of which neighbours are of different kinds: linear models and forests,
    which are grouped, and boosted and single trees, which are not."""
    features = [{"columns": "numeric", "steps": ["SimpleImputer()", "StandardScaler()"]}]
    found = []
    for number in range(count):
        kind, step = number % 4, number // 4
        model = (
            f"Ridge(alpha={0.01 * 2**step})",
            f"LGBMRegressor(n_estimators=40, num_leaves={7 + 2 * step}, verbosity=-1)",
            f"RandomForestRegressor(n_estimators={4 + step}, max_depth=8)",
            f"DecisionTreeRegressor(max_depth=10, min_samples_leaf={2 + step})",
        )[kind]
        found.append(
            {
                "name": f"p{number:03d}",
                "dataset": DATASET,
                "target": "y",
                "features": features,
                "model": model,
            }
        )
    return found


def overlapping(
    whole: Sequence[dict[str, Any]], clients: int, each: int
) -> list[list[dict[str, Any]]]:
    """For each client `each` pipelines in a row of `whole`, from evenly spread beginnings."""
    found = []
    for client in range(clients):
        first = client * len(whole) // clients
        found.append([whole[(first + n) % len(whole)] for n in range(each)])
    return found


def single(number: int) -> dict[str, Any]:
    """A cheap pipeline that nobody has asked for before."""
    return {
        "name": f"single{number}",
        "dataset": DATASET,
        "target": "y",
        "features": [{"columns": ["x0", "x1"]}],
        "model": f"Ridge(alpha={1000 + number})",
    }


def flood(count: int) -> list[dict[str, Any]]:
    """Many pipelines that share nothing but their features."""
    features = [{"columns": "numeric"}]
    return [
        {
            "name": f"flood{number}",
            "dataset": DATASET,
            "target": "y",
            "features": features,
            "model": f"DecisionTreeRegressor(max_depth=6, min_samples_leaf={2 + number})",
        }
        for number in range(count)
    ]
