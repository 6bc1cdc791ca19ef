"""A small table of every kind of column, and plain scikit-learn on it, for planner tests."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import get_scorer
from sklearn.model_selection import KFold

from planner.corrections import Corrections, Ratios
from planner.graph import Node, walk

CV = "KFold(3, shuffle=True, random_state=1)"
FOLDS = KFold(3, shuffle=True, random_state=1)
NUMBERS = ["area", "rooms", "age"]
RIDGE: dict[str, Any] = {
    "dataset": "flats",
    "target": "price",
    "features": [{"columns": ["rooms", "age"]}],
    "model": "Ridge(alpha=0.5)",
}


def flats(rows: int = 90) -> pd.DataFrame:
    """Prices that depend on everything else; missing areas and cities, text beyond ASCII."""
    rng = np.random.default_rng(7)
    city = rng.choice(["Genève", "Łódź", "Bern", "東京"], rows, p=[0.5, 0.2, 0.2, 0.1])
    area = rng.gamma(6, 12, rows).round(1) + 15
    rooms = rng.integers(1, 7, rows)
    age = rng.integers(0, 90, rows)
    lift = rng.random(rows) < 0.4
    words = ["été", "quiet", "lake", "naïve", "view", "old"]
    price = 3 * area + 20 * rooms - age + 25 * lift + 30 * (city == "Bern") + rng.normal(0, 9, rows)
    frame = pd.DataFrame(
        {
            "area": np.where(rng.random(rows) < 0.1, np.nan, area),
            "rooms": rooms,
            "age": age,
            "lift": lift,
            "city": pd.Series(city, dtype="str"),
            "kind": rng.choice(["flat", "loft"], rows),
            "note": [" ".join(rng.choice(words, 3)) for _ in range(rows)],
            "owner": rng.choice([f"o{n}" for n in range(12)], rows),
            "weight": rng.uniform(0.5, 2, rows).round(2),
            "part": rng.integers(0, 3, rows),
            "sold_at": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(rows), unit="D"),
            "grade": np.array(["low", "mid", "top"])[np.digitize(price, [250, 330])],
            "dear": np.where(price > np.median(price), "ja", "nein"),
            "price": price.round(3),
        }
    )
    frame.loc[rng.random(rows) < 0.08, "city"] = None
    return frame


def expected(
    model: Any,
    features: Any,
    target: Any,
    metric: str = "r2",
    folds: Any = FOLDS,
    weight: np.ndarray | None = None,
) -> list[float]:
    """Scores of a fresh clone of `model` on each fold, by scikit-learn alone."""
    from sklearn.base import clone

    scores = []
    for train, valid in folds.split(features):
        more = {} if weight is None else {"sample_weight": weight[train]}
        fitted = clone(model).fit(_rows(features, train), target.iloc[train], **more)
        score = get_scorer(metric)(fitted, _rows(features, valid), target.iloc[valid])
        scores.append(float(score))
    return scores


def _rows(features: Any, rows: np.ndarray) -> Any:
    return features.iloc[rows] if hasattr(features, "iloc") else features[rows]


def ops(*outputs: Node, kind: type | None = None) -> list[Any]:
    """The ops under `outputs`, inputs first; of one kind if it is given."""
    found = [node.op for node in walk(outputs)]
    return [op for op in found if kind is None or isinstance(op, kind)]


def nodes(built: Any, kind: type) -> list[Node]:
    """The nodes of a built pipeline whose op is of this kind, inputs first."""
    outputs = [node for group in built.scores.values() for node in group]
    return [node for node in walk(outputs) if isinstance(node.op, kind)]


def corrections_of(observed: Iterable[tuple[str, str, float, float]]) -> Corrections:
    """From (kind, backend, expected seconds, measured seconds), oldest first."""
    ratios = Ratios()
    for kind, backend, expected, measured in observed:
        ratios.add(kind, backend, expected, measured)
    return ratios.corrections()
