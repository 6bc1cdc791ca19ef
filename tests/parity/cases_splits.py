"""Splitters: by group, in time, given, repeated, random, and a single hold-out."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import (
    GroupKFold,
    GroupShuffleSplit,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedKFold,
    ShuffleSplit,
    StratifiedGroupKFold,
    TimeSeriesSplit,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tests.oracle import Make, Reference
from tests.parity.harness import ITERATIVE, Batch

FEATURES = [
    {"columns": ["area"], "steps": ["SimpleImputer()"]},
    {"columns": ["age", "garden"]},
    {"columns": ["kind"], "steps": ["OneHotEncoder(handle_unknown='ignore')"]},
]
USED = ["area", "age", "garden", "kind"]


def encoded(model: Any) -> Any:
    return make_pipeline(
        make_column_transformer(
            (SimpleImputer(), ["area"]),
            ("passthrough", ["age", "garden"]),
            (OneHotEncoder(handle_unknown="ignore"), ["kind"]),
        ),
        model,
    )


def on(frame: pd.DataFrame, make: Make, target: str = "price", **more: Any) -> Reference:
    return Reference(make, frame[USED], frame[target], frame, **more)


def ridge() -> Any:
    return encoded(Ridge(1.0))


by_group = Batch(
    "by_group",
    {"cv": "GroupKFold(4)", "groups": "seller"},
    lambda reference: GroupKFold(4).split(reference.X, groups=reference.table["seller"]),
)


@by_group.case("homes", "price", "Ridge(alpha=1.0)", ["rmse", "r2"], features=FEATURES)
def grouped(frame: pd.DataFrame) -> Reference:
    return on(frame, ridge)


@by_group.case(
    "homes",
    "price",
    "Ridge(alpha=1.0)",
    ["rmse"],
    prepare=[{"filter": "garden", "only": "train"}],
    features=FEATURES,
)
def grouped_and_filtered(frame: pd.DataFrame) -> Reference:
    return on(frame, ridge, keep=frame["garden"].to_numpy())


groups_by_default = Batch(
    "groups_by_default",
    {"groups": "seller"},
    lambda reference: StratifiedGroupKFold(5).split(
        reference.X, reference.y, reference.table["seller"]
    ),
)


@groups_by_default.case(
    "homes", "sold", "RandomForestClassifier(n_estimators=12)", ["roc_auc"], features=FEATURES
)
def grouped_classifier(frame: pd.DataFrame) -> Reference:
    model = RandomForestClassifier(n_estimators=12, random_state=0)
    return on(frame, lambda: encoded(model), "sold")


each_group = Batch(
    "each_group",
    {"cv": "LeaveOneGroupOut()", "groups": "kind", "seed": 3},
    lambda reference: LeaveOneGroupOut().split(reference.X, groups=reference.table["kind"]),
)


@each_group.case(
    "homes",
    "price",
    "RandomForestRegressor(n_estimators=10)",
    ["mae"],
    features=[{"columns": ["age", "garden"]}],
)
def each_group_left_out(frame: pd.DataFrame) -> Reference:
    """The seed of the evaluation is the model's."""
    model = RandomForestRegressor(n_estimators=10, random_state=3)
    return Reference(lambda: model, frame[["age", "garden"]], frame["price"], frame)


in_time = Batch(
    "in_time",
    {"cv": "TimeSeriesSplit(4, gap=2)", "order_by": "sold_at"},
    lambda reference: TimeSeriesSplit(4, gap=2).split(reference.X),
)


@in_time.case("homes", "price", "Ridge(alpha=1.0)", ["rmse", "medae"], features=FEATURES)
def ordered(frame: pd.DataFrame) -> Reference:
    frame = frame.sort_values("sold_at", kind="stable").reset_index(drop=True)
    return on(frame, ridge)


@in_time.case(
    "homes",
    "price",
    "Ridge(alpha=1.0)",
    ["rmse"],
    prepare=[
        {"window": {"order_by": ["sold_at", "id"], "columns": {"last": "lag(age)"}}},
        {"filter": "last is not null"},
    ],
    features=[{"columns": ["last", "age"]}],
)
def ordered_with_lag(frame: pd.DataFrame) -> Reference:
    """The order of the window is its own; the folds see `order_by`."""
    frame["last"] = frame.sort_values(["sold_at", "id"])["age"].shift(1).reindex(frame.index)
    frame = frame.dropna(subset="last").sort_values("sold_at", kind="stable")
    frame = frame.reset_index(drop=True)
    return Reference(lambda: Ridge(1.0), frame[["last", "age"]], frame["price"], frame)


given = Batch(
    "given",
    {"cv": "PredefinedSplit('fold')"},
    lambda reference: PredefinedSplit(reference.table["fold"].to_numpy()).split(),
)


@given.case("homes", "price", "Ridge(alpha=1.0)", ["rmse"], features=FEATURES)
def given_folds(frame: pd.DataFrame) -> Reference:
    return on(frame, ridge)


repeated = Batch(
    "repeated",
    {"cv": "RepeatedKFold(n_splits=3, n_repeats=2)", "seed": 7},
    lambda reference: RepeatedKFold(n_splits=3, n_repeats=2, random_state=7).split(reference.X),
)


@repeated.case("homes", "price", "Ridge(alpha=1.0)", ["r2"], features=FEATURES)
def repeated_folds(frame: pd.DataFrame) -> Reference:
    return on(frame, ridge)


random = Batch(
    "random",
    {"cv": "ShuffleSplit(3, test_size=0.2)", "seed": 11},
    lambda reference: ShuffleSplit(3, test_size=0.2, random_state=11).split(reference.X),
)


@random.case(
    "homes",
    "price",
    "RandomForestRegressor(n_estimators=10)",
    ["r2", "rmse"],
    features=FEATURES,
)
def random_splits(frame: pd.DataFrame) -> Reference:
    return on(frame, lambda: encoded(RandomForestRegressor(n_estimators=10, random_state=11)))


def held_out(reference: Reference) -> Any:
    rows = np.arange(len(reference.X))
    return [train_test_split(rows, test_size=0.25, random_state=3, stratify=reference.y)]


holdout = Batch(
    "holdout",
    {"cv": {"holdout": 0.25, "seed": 3, "stratify": True}, "positive": "ja"},
    held_out,
    positive="ja",
)
SCALED = [{"columns": ["age", "garden"], "steps": ["StandardScaler()"]}]


@holdout.case(
    "homes",
    "sold",
    "LogisticRegression()",
    ["roc_auc", "recall", "average_precision", "brier", "f1", "logloss"],
    tolerance=ITERATIVE,
    features=SCALED,
)
def the_lesser_label_positive(frame: pd.DataFrame) -> Reference:
    return Reference(
        lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        frame[["age", "garden"]],
        frame["sold"],
        frame,
        positive="ja",
    )


def outside(reference: Reference) -> Any:
    """Folds of the groups that a hold-out of whole groups leaves."""
    groups = reference.table["seller"].to_numpy()
    drawn = GroupShuffleSplit(1, test_size=0.25, random_state=2)
    rest = np.sort(next(drawn.split(groups, groups=groups))[0])
    folds = GroupKFold(3).split(rest, groups=groups[rest])
    return [(rest[train], rest[valid]) for train, valid in folds]


outside_a_holdout = Batch(
    "outside_a_holdout",
    {"cv": "GroupKFold(3)", "groups": "seller", "holdout": {"fraction": 0.25, "seed": 2}},
    outside,
)


@outside_a_holdout.case("homes", "price", "Ridge()", ["r2", "rmse"], features=FEATURES)
def ridge_outside_a_holdout(frame: pd.DataFrame) -> Reference:
    return on(frame, ridge)


@outside_a_holdout.case(
    "homes",
    "price",
    "RandomForestRegressor(n_estimators=10, random_state=11)",
    ["rmse"],
    features=FEATURES,
)
def forest_outside_a_holdout(frame: pd.DataFrame) -> Reference:
    return random_splits(frame)


BATCHES = [
    by_group,
    groups_by_default,
    each_group,
    in_time,
    given,
    repeated,
    random,
    holdout,
    outside_a_holdout,
]
