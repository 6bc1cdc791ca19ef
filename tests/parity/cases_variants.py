"""Variants of one model or transformer in one batch, which the engine makes from one search, one
decomposition, one scoring or one counting: each is still what the library gives alone."""

from collections.abc import Callable
from typing import Any

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import (
    SelectFpr,
    SelectKBest,
    SelectPercentile,
    f_classif,
    f_regression,
)
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from tests.oracle import Reference
from tests.parity import cases_classification, cases_homes, cases_regression
from tests.parity.harness import ITERATIVE

SCALED = cases_regression.SCALED
PLAIN = cases_regression.PLAIN
Make = Callable[[], Any]


def named(write: Callable[[pd.DataFrame], Reference], *parts: Any) -> Any:
    write.__name__ = "_".join(str(part) for part in parts)
    return write


def regressor(name: str, text: str, make: Make, **more: Any) -> None:
    """A case on the diabetes data."""

    def write(frame: pd.DataFrame) -> Reference:
        return cases_regression.on(frame, make)

    cases_regression.case(text, ["r2", "mae"], **more)(named(write, "variant", name))


def classifier(data: str, target: str, name: str, text: str, make: Make, **more: Any) -> None:
    """A case on data with two or three classes."""

    def write(frame: pd.DataFrame) -> Reference:
        return cases_classification.on(frame, target, make)

    metrics = ["accuracy", "logloss", "roc_auc" if data == "cancer" else "roc_auc_ovr"]
    register = cases_classification.BATCH.case(data, target, text, metrics, **more)
    register(named(write, "variant", data, name))


# Neighbours. The iris data have duplicate rows; those on cancer are searched by brute force.
for size in (1, 3, 20, 160, 170):
    for weights in ("uniform", "distance"):
        given = {"n_neighbors": size, "weights": weights}
        regressor(
            f"neighbours_{size}_{weights}",
            f"KNeighborsRegressor({size}, weights='{weights}')",
            lambda given=given: make_pipeline(StandardScaler(), KNeighborsRegressor(**given)),
            features=SCALED,
        )
        if size > 100:
            continue
        for data, target in (("cancer", "target"), ("iris", "species"), ("wine", "target")):
            classifier(
                data,
                target,
                f"neighbours_{size}_{weights}",
                f"KNeighborsClassifier({size}, weights='{weights}')",
                lambda given=given: KNeighborsClassifier(**given),
                features=PLAIN,
            )

# Decompositions, for models that are continuous in them and for one that compares.
for size in (1, 3, 7, 10):
    regressor(
        f"components_{size}",
        f"make_pipeline(StandardScaler(), PCA({size}), LinearRegression())",
        lambda size=size: make_pipeline(StandardScaler(), PCA(size), LinearRegression()),
    )
    regressor(
        f"components_of_a_tree_{size}",
        f"make_pipeline(PCA({size}, whiten=True), DecisionTreeRegressor(max_depth=4))",
        lambda size=size: make_pipeline(
            PCA(size, whiten=True), DecisionTreeRegressor(max_depth=4, random_state=0)
        ),
    )
    for data, target in (("cancer", "target"), ("iris", "species")):
        if size < 4 or data == "cancer":
            classifier(
                data,
                target,
                f"components_{size}",
                f"make_pipeline(PCA({size}, svd_solver='full'), GaussianNB())",
                lambda size=size: make_pipeline(PCA(size, svd_solver="full"), GaussianNB()),
            )

# Selections.
for k in (2, 4, 10):
    regressor(
        f"best_{k}",
        f"make_pipeline(SelectKBest(f_regression, k={k}), LinearRegression())",
        lambda k=k: make_pipeline(SelectKBest(f_regression, k=k), LinearRegression()),
    )
    for data, target in (("cancer", "target"), ("wine", "target")):
        classifier(
            data,
            target,
            f"best_{k}",
            f"make_pipeline(SelectKBest(k={k}), GaussianNB())",
            lambda k=k: make_pipeline(SelectKBest(f_classif, k=k), GaussianNB()),
        )
for data, target in (("cancer", "target"), ("wine", "target")):
    classifier(
        data,
        target,
        "best_percentile",
        "make_pipeline(SelectPercentile(percentile=35), GaussianNB())",
        lambda: make_pipeline(SelectPercentile(f_classif, percentile=35), GaussianNB()),
    )
    classifier(
        data,
        target,
        "best_by_p",
        "make_pipeline(SelectFpr(alpha=1e-6), GaussianNB())",
        lambda: make_pipeline(SelectFpr(f_classif, alpha=1e-6), GaussianNB()),
    )

# Vocabularies.
VECTORISERS: dict[str, Make] = {
    "TfidfVectorizer()": TfidfVectorizer,
    "TfidfVectorizer(min_df=60)": lambda: TfidfVectorizer(min_df=60),
    "TfidfVectorizer(max_df=0.45, sublinear_tf=True)": lambda: TfidfVectorizer(
        max_df=0.45, sublinear_tf=True
    ),
    "TfidfVectorizer(max_features=5, norm='l1')": lambda: TfidfVectorizer(
        max_features=5, norm="l1"
    ),
    "CountVectorizer(binary=True)": lambda: CountVectorizer(binary=True),
}


def of_notes(number: int, step: str, make: Make) -> None:
    """Cases on the free text of the homes: prices, and whether they were sold."""

    def encoded(model: Any) -> Any:
        return make_pipeline(make_column_transformer((make(), "note")), model)

    def price(frame: pd.DataFrame) -> Reference:
        return cases_homes.on(frame, lambda: encoded(Ridge(1)), ["note"])

    def sold(frame: pd.DataFrame) -> Reference:
        return cases_classification.on(frame, "sold", lambda: encoded(LogisticRegression()), "note")

    features = [{"columns": "note", "steps": [step]}]
    cases_homes.case("Ridge(1)", ["rmse", "r2"], features=features)(
        named(price, "variant_vocabulary", number)
    )
    cases_classification.BATCH.case(
        "homes",
        "sold",
        "LogisticRegression()",
        ["roc_auc", "logloss"],
        tolerance=ITERATIVE,
        features=features,
    )(named(sold, "variant_vocabulary", number))


for number, (step, make) in enumerate(VECTORISERS.items()):
    of_notes(number, step, make)
