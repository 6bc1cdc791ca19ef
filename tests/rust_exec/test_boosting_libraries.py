"""Without draws, trees of each library: its bins, its count of rows, its choice of equal splits.

Scores are of rows that training has not seen. After some rounds rounding may decide a split, and
rows below it differ from then on: nearly all rows are compared.
"""

from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from scipy.special import expit, softmax
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from rust_exec import BinnedRows, BoostingModel, boosting
from rust_exec.boosting import Library

Floats = np.ndarray
LIBRARIES: tuple[Library, ...] = ("lightgbm", "xgboost", "histogram")
# How XGBoost's parameters and defaults are said.
XGBOOST: dict[str, Any] = {
    "learning_rate": 0.3, "leaves": None, "depth": 6, "leaf_rows": 0, "leaf_curvature": 1.0,
    "l2": 1.0, "gain": 1e-6,
}  # fmt: skip


def generated(rows: int, seed: int) -> Floats:
    """Several kinds of columns: continuous, positive, of few values, mostly zero."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 6))
    x[:, 1] = np.exp(x[:, 1])
    x[:, 2] = np.round(2 * x[:, 2])
    x[rng.random(rows) < 0.8, 3] = 0
    return x


def target(x: Floats) -> Floats:
    rng = np.random.default_rng(7)
    y = 2 * x[:, 0] + np.sin(3 * x[:, 1]) + x[:, 2] * x[:, 4] + 3 * x[:, 3]
    return y + rng.normal(size=len(x))


def fitted(
    library: Library, x: Floats, y: Floats, valid: Floats, rounds: int, **options: Any
) -> Floats:
    own = {**(XGBOOST if library == "xgboost" else {}), **options}
    weight = own.pop("weight", None)
    most = 256 if library == "xgboost" else 255
    rows = BinnedRows(x, valid, max_bins=most, cuts=library)
    model = BoostingModel(stages=(rounds,), library=library, **own)
    return boosting(rows, y.astype(float), [model], weight=weight)[0][0]


@pytest.mark.parametrize("rows", [60, 300, 1500])
@pytest.mark.parametrize("library", LIBRARIES)
def test_regression(library: Library, rows: int) -> None:
    for seed in range(3):
        x, valid = generated(rows, seed), generated(800, 100 + seed)
        y = target(x)
        models = {
            "lightgbm": lightgbm.LGBMRegressor(n_estimators=5, n_jobs=1, verbose=-1),
            "xgboost": xgboost.XGBRegressor(n_estimators=5, n_jobs=1),
            "histogram": HistGradientBoostingRegressor(max_iter=5, early_stopping=False),
        }
        wanted = models[library].fit(x, y).predict(valid)
        found = fitted(library, x, y, valid, 5)[0]
        same = np.isclose(found, wanted, rtol=1e-4, atol=1e-4)
        assert same.mean() > 0.98, (seed, same.mean())


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("library", LIBRARIES)
def test_classes(library: Library, classes: int) -> None:
    """Weights, so that no two splits gain the same; few values, as weights move bins."""
    x, valid = (np.round(4 * generated(rows, seed)) for rows, seed in ((1500, 0), (500, 1)))
    y = np.digitize(target(x), [0, 6][: classes - 1])
    weight = np.random.default_rng(2).uniform(0.3, 2, len(y))
    models = {
        "lightgbm": lightgbm.LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1),
        "xgboost": xgboost.XGBClassifier(n_estimators=5, n_jobs=1),
        "histogram": HistGradientBoostingClassifier(max_iter=5, early_stopping=False),
    }
    wanted = models[library].fit(x, y, sample_weight=weight).predict_proba(valid)
    loss: dict[str, Any] = {"loss": "logistic"}
    if classes > 2:
        curvature = {"lightgbm": 1.5, "xgboost": 2.0, "histogram": 1.0}[library]
        loss = {"loss": "softmax", "classes": classes, "curvature": curvature}
    scores = fitted(library, x, y, valid, 5, weight=weight, **loss)
    found = softmax(scores.T, axis=1)
    if classes == 2:
        found = np.column_stack((1 - expit(scores[0]), expit(scores[0])))
    assert np.isclose(found, wanted, rtol=1e-4, atol=1e-5).mean() > 0.97


def test_features_are_drawn_for_every_node_of_histogram_boosting() -> None:
    """One tree of stumps sees one feature; a deep one sees others below."""
    x = np.random.default_rng(0).normal(size=(400, 8))
    y = x.sum(axis=1)
    options: dict[str, Any] = {"column_share": 0.1, "leaf_rows": 5, "learning_rate": 1.0}
    probes = np.vstack((np.zeros(8), 3 * np.eye(8), -3 * np.eye(8)))
    used = {}
    for leaves in (2, 31):
        scores = fitted("histogram", x, y, probes, 1, leaves=leaves, **options)[0]
        moved = np.abs(scores[1:] - scores[0]).reshape(2, 8).max(axis=0) > 1e-9
        used[leaves] = int(moved.sum())
    assert used[2] == 1
    assert used[31] > 1
