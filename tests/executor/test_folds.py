"""Folds are those of scikit-learn's splitters on the raw columns."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import sklearn.model_selection as ms
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.folds import split
from planner.errors import DataError, ExecutionError, SpecError
from planner.expressions import Call
from planner.ops import Folds
from planner.spec import Holdout
from planner.splitters import SPLITTERS, count, describe, holdout

N = 60
RNG = np.random.default_rng(0)
COLUMNS: dict[str, Any] = {
    "label": RNG.choice(["b", "a", "ç"], N, p=[0.5, 0.3, 0.2]),
    "number": RNG.integers(0, 3, N) * 5 - 5,
    "flag": RNG.integers(0, 2, N).astype(bool),
    "group": RNG.choice(["g1", "g2", "G3", "é", "g10", "", "x"], N),
    "day": np.datetime64("2024-01-01") + RNG.integers(0, 7, N),
    "key": RNG.integers(2**53, 2**53 + 7, N),
    "fold": RNG.integers(-1, 4, N),
    "real": RNG.normal(size=N),
}


def operation(call: Call, groups: str | None, target: str | None = None, **more: Any) -> Folds:
    facts = describe(call, groups, 5)

    def distinct(name: str) -> int:
        values = pd.unique(COLUMNS[name])
        return len(values) - (name == "fold" and -1 in values)

    return Folds(
        splitter=facts.call,
        count=count(facts.call, lambda: N, distinct, groups),
        target=target if facts.needs_target else None,
        groups=groups if facts.needs_groups else None,
        fold_column=facts.fold_column,
        **more,
    )


def same(ours: list[Any], theirs: Any) -> None:
    theirs = list(theirs)
    assert len(ours) == len(theirs)
    for (train, valid), (known_train, known_valid) in zip(ours, theirs, strict=True):
        assert train.dtype == valid.dtype == np.int64
        np.testing.assert_array_equal(train, known_train)
        np.testing.assert_array_equal(valid, known_valid)


CASES: list[dict[str, Any]] = [
    {"name": "KFold"},
    {"name": "KFold", "n_splits": 7, "shuffle": True, "random_state": 3},
    {"name": "StratifiedKFold", "n_splits": 3},
    {"name": "StratifiedKFold", "n_splits": 3, "shuffle": True, "random_state": 1},
    {"name": "GroupKFold", "n_splits": 3},
    {"name": "GroupKFold", "n_splits": 3, "shuffle": True, "random_state": 1},
    {"name": "StratifiedGroupKFold", "n_splits": 3},
    {"name": "StratifiedGroupKFold", "n_splits": 3, "shuffle": True, "random_state": 1},
    {"name": "RepeatedKFold", "n_repeats": 3, "random_state": 2},
    {"name": "RepeatedStratifiedKFold", "n_splits": 3, "n_repeats": 2, "random_state": 2},
    {"name": "ShuffleSplit", "test_size": 0.3, "random_state": 4},
    {"name": "ShuffleSplit", "n_splits": 2, "test_size": 7, "train_size": 20, "random_state": 4},
    {"name": "StratifiedShuffleSplit", "n_splits": 4, "test_size": 0.3, "random_state": 4},
    {"name": "GroupShuffleSplit", "test_size": 0.3, "random_state": 4},
    {"name": "LeaveOneOut"},
    {"name": "LeaveOneGroupOut"},
    {"name": "LeavePGroupsOut", "n_groups": 2},
    {"name": "TimeSeriesSplit", "n_splits": 4, "gap": 2, "max_train_size": 20},
]


def reads() -> list[tuple[dict[str, Any], str, str]]:
    """Every case with every column that it reads."""
    return [
        (case, target, groups)
        for case in CASES
        for target in (["label", "number", "flag"] if SPLITTERS[case["name"]].target else ["label"])
        for groups in (["group", "day", "key"] if SPLITTERS[case["name"]].groups else ["group"])
    ]


@pytest.mark.parametrize("kind", ["arrow", "pandas", "category"])
@pytest.mark.parametrize(("case", "target", "groups"), reads(), ids=str)
def test_folds(case: dict[str, Any], target: str, groups: str, kind: str) -> None:
    uses = SPLITTERS[case["name"]]
    params = {key: value for key, value in case.items() if key != "name"}
    op = operation(Call(case["name"], tuple(sorted(params.items()))), groups, target)
    table: Any = pd.DataFrame(COLUMNS)
    if kind == "arrow":
        table = pa.table(COLUMNS)
    elif kind == "category":
        # In another order than that of the values, which must not matter.
        for name in ("label", "group"):
            values = list(dict.fromkeys(COLUMNS[name].tolist()))
            table[name] = pd.Categorical(table[name], categories=values)
    known = getattr(ms, case["name"])(**params).split(
        np.zeros((N, 1)),
        COLUMNS[target] if uses.target else None,
        # scikit-learn's own check refuses times, which are as good as their numbers.
        (COLUMNS[groups].astype(np.int64) if groups == "day" else COLUMNS[groups])
        if uses.groups
        else None,
    )
    same(split(op, table), known)


def test_an_enum_is_split_by_value() -> None:
    table = pa.table({"label": pa.array(COLUMNS["label"]).dictionary_encode()})
    op = operation(Call("StratifiedKFold", (("n_splits", 3),)), None, "label")
    same(split(op, table, N), ms.StratifiedKFold(3).split(np.zeros((N, 1)), COLUMNS["label"]))


def test_predefined() -> None:
    op = operation(Call("PredefinedSplit", (("test_fold", "fold"),)), None)
    assert op.count == 4
    folds = split(op, pa.table(COLUMNS), N)
    same(folds, ms.PredefinedSplit(COLUMNS["fold"]).split())
    always = np.flatnonzero(COLUMNS["fold"] == -1)
    assert all(np.isin(always, train).all() for train, _ in folds)


@settings(deadline=None, max_examples=40)
@given(
    n=st.integers(10, 200),
    share=st.floats(0.05, 0.9),
    seed=st.integers(0, 2**32 - 1),
    stratify=st.booleans(),
)
def test_holdout_is_train_test_split(n: int, share: float, seed: int, stratify: bool) -> None:
    y = np.arange(n) % 2
    call = describe(holdout(Holdout(holdout=share, seed=seed, stratify=stratify)), None, 0).call
    op = Folds(splitter=call, count=1, target="y" if stratify else None)
    try:
        known = ms.train_test_split(
            np.arange(n), test_size=share, random_state=seed, stratify=y if stratify else None
        )
    except ValueError as error:
        refusal = str(error)
    else:
        same(split(op, pa.table({"y": y}), n), [known])
        return
    with pytest.raises(DataError) as caught:
        split(op, pa.table({"y": y}), n)
    assert caught.value.message == refusal


def test_the_mask_narrows_training_only() -> None:
    mask = [True, False, None, True, True, True]
    op = Folds(splitter=Call("KFold", (("n_splits", 3),)), count=3, train_mask="__train")
    folds = split(op, pa.table({"__train": mask}), 6)
    assert [train.tolist() for train, _ in folds] == [[3, 4, 5], [0, 4, 5], [0, 3]]
    assert [valid.tolist() for _, valid in folds] == [[0, 1], [2, 3], [4, 5]]


def fails(op: Folds, columns: dict[str, Any], n: int) -> DataError | SpecError | ExecutionError:
    with pytest.raises((DataError, SpecError, ExecutionError)) as caught:
        split(op, pa.table(columns), n)
    return caught.value


def test_refusals() -> None:
    five = Call("KFold")
    assert fails(Folds(five, 5), {}, 3).code == "too_few_rows"
    stratified = Folds(Call("StratifiedKFold"), 5, target="y")
    error = fails(stratified, {"y": ["a", "b"] * 3}, 6)
    assert (error.code, bool(error.hint)) == ("too_few_class_members", True)
    assert "number of members in each class" in error.message
    grouped = Folds(Call("GroupKFold"), 5, groups="g")
    assert fails(grouped, {"g": [1, 2, 3] * 4}, 12).code == "too_few_groups"
    assert fails(grouped, {"g": [1, None, 3] * 4}, 12).code == "missing_values"
    continuous = fails(stratified, {"y": [0.5, 1.0] * 10}, 20)
    assert isinstance(continuous, SpecError)
    assert continuous.code == "stratify_continuous"
    single = Folds(Call("StratifiedShuffleSplit", (("random_state", 0),)), 10, target="y")
    assert fails(single, {"y": ["a", "a", "b"]}, 3).code == "too_few_class_members"
    emptied = Folds(Call("KFold", (("n_splits", 2),)), 2, train_mask="m")
    assert fails(emptied, {"m": [True, True, False, False]}, 4).code == "empty_fold"
    predefined = Folds(Call("PredefinedSplit", (("test_fold", "f"),)), 1, fold_column="f")
    assert fails(predefined, {"f": [0, 0, 0]}, 3).code == "empty_fold"
    assert fails(predefined, {"f": ["a", "b", "c"]}, 3).code == "split_failed"
    assert fails(predefined, {"f": [0, 1, 0]}, 3).code == "fold_count"
    late = Folds(Call("TimeSeriesSplit", (("test_size", 5),)), 5)
    assert fails(late, {}, 20).code == "too_few_rows"
