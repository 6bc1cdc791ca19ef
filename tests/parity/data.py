"""The tables of the parity suite: scikit-learn's bundled ones and a generated mixed one."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_iris,
    load_wine,
)

ODD = 'Fläche "netto" [m²], {1:2}'


def diabetes() -> pd.DataFrame:
    return load_diabetes(as_frame=True).frame


def cancer() -> pd.DataFrame:
    """Binary, labels 0 and 1; column names with spaces."""
    return load_breast_cancer(as_frame=True).frame


def wine() -> pd.DataFrame:
    return load_wine(as_frame=True).frame


def iris() -> pd.DataFrame:
    """Three classes, as strings."""
    bunch = load_iris(as_frame=True)
    frame = bunch.frame.copy()
    frame["species"] = bunch.target_names[frame.pop("target")]
    return frame


def digits() -> pd.DataFrame:
    return load_digits(as_frame=True).frame.head(500)


def homes() -> pd.DataFrame:
    """240 rows of everything that real tables have: see the columns."""
    rng = np.random.default_rng(20)
    n = 240
    city = rng.choice(["Zürich", "Genève", "Łódź", "東京", "Bern"], n, p=[0.4, 0.2, 0.2, 0.1, 0.1])
    kind = rng.choice(["house", "flat", "studio"], n)
    area = np.round(rng.gamma(6, 18, n) + 20, 1)
    rooms = np.clip(np.round(area / 30 + rng.normal(0, 1, n)), 1, 9)
    street = np.array([f"street {number}" for number in rng.integers(0, 70, n)])
    words = np.array(["bright", "quiet", "view", "lake", "old", "garden", "lift", "étage"])
    age = rng.integers(0, 90, n)
    garden = rng.random(n) < 0.4
    worth = (
        3 * area
        + 40 * (city == "Zürich")
        + 25 * garden
        - 0.8 * age
        + 30 * (kind == "house")
        + rng.normal(0, 40, n)
    )
    price = np.round(np.clip(worth, 15, None), 2)
    frame = pd.DataFrame(
        {
            "id": np.arange(1000, 1000 + n),
            "seller": [f"s{number}" for number in rng.integers(0, 18, n)],
            "sold_at": pd.Timestamp("2023-01-01")
            + pd.to_timedelta(rng.integers(0, 700, n), unit="D")
            + pd.to_timedelta(rng.integers(0, 24, n), unit="h"),
            "area": np.where(rng.random(n) < 0.1, np.nan, area),
            "rooms": pd.array(rooms, dtype="Int64"),
            "age": age,
            "garden": garden,
            "city": pd.Series(city, dtype="str"),
            "kind": pd.Categorical(kind),
            "street": street,
            "note": [" ".join(rng.choice(words, rng.integers(2, 6))) for _ in range(n)],
            "weight": np.round(rng.uniform(0.2, 3, n), 3),
            "fold": rng.integers(-1, 4, n),
            "grade": np.digitize(price, np.quantile(price, [0.25, 0.5, 0.75])) + 1,
            "sold": np.where(price + rng.normal(0, 90, n) > np.median(price), "nein", "ja"),
            "price": price,
            ODD: np.round(area * 0.8, 1),
            "asking": np.where(rng.random(n) < 0.05, np.nan, np.round(price * 1.1)),
        }
    )
    frame.loc[rng.random(n) < 0.08, "rooms"] = pd.NA
    frame.loc[rng.random(n) < 0.07, "city"] = None
    frame["lift"] = pd.array(rng.random(n) < 0.3, dtype="boolean")
    frame.loc[rng.random(n) < 0.1, "lift"] = pd.NA
    return frame


def cities() -> pd.DataFrame:
    """To be joined by city; Bern is missing."""
    return pd.DataFrame(
        {"city": ["Zürich", "Genève", "Łódź", "東京"], "people": [440.0, 200.0, 650.0, 14000.0]}
    )


TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    make.__name__: make for make in (diabetes, cancer, wine, iris, digits, homes, cities)
}


@cache
def written(name: str) -> pd.DataFrame:
    """The table as it is written for the engine."""
    return TABLES[name]()


def plain(name: str) -> pd.DataFrame:
    """The table as a script would hold it: nullable numbers and booleans as floats."""
    frame = written(name).copy()
    if "rooms" in frame:
        frame["rooms"] = frame["rooms"].astype("float64")
        frame["lift"] = frame["lift"].astype("float64")
    if "kind" in frame:
        frame["kind"] = frame["kind"].astype("str")
    return frame
