"""Hold-outs by scikit-learn's own splitters, and folds that never touch them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupShuffleSplit, KFold, TimeSeriesSplit, train_test_split

from executor.folds import hold_out, split
from planner import holdouts
from planner.errors import DataError, SpecError
from planner.expressions import Call
from planner.ops import Folds
from planner.ops_holdout import CONFIRM, HoldoutRows
from planner.spec import EvaluateSpec
from planner.splitters import SPLITTERS, count, describe

PARAMETERS: dict[str, dict[str, Any]] = {
    "KFold": {"n_splits": 3, "shuffle": True},
    "StratifiedKFold": {"n_splits": 3, "shuffle": True},
    "GroupKFold": {"n_splits": 3},
    "StratifiedGroupKFold": {"n_splits": 3, "shuffle": True},
    "RepeatedKFold": {"n_splits": 2, "n_repeats": 2},
    "RepeatedStratifiedKFold": {"n_splits": 2, "n_repeats": 2},
    "ShuffleSplit": {"n_splits": 2},
    "StratifiedShuffleSplit": {"n_splits": 2, "test_size": 0.4},
    "GroupShuffleSplit": {"n_splits": 2, "test_size": 0.4},
    "LeaveOneOut": {},
    "LeavePOut": {"p": 2},
    "LeaveOneGroupOut": {},
    "LeavePGroupsOut": {"n_groups": 2},
    "TimeSeriesSplit": {"n_splits": 2},
}


def test_every_splitter_is_tried() -> None:
    assert set(PARAMETERS) | {"PredefinedSplit"} == set(SPLITTERS)


def parts(name: str, table: pd.DataFrame, seed: int, **kept: Any) -> tuple[HoldoutRows, Folds, Any]:
    """The hold-out of a splitter, its folds outside of it, and what it was described as."""
    needs_groups = SPLITTERS[name].groups
    evaluate = EvaluateSpec.model_validate(
        {"holdout": {"seed": seed, **kept}, "groups": "g" if needs_groups else None}
    )
    facts = describe(Call(name, tuple(sorted(PARAMETERS[name].items()))), evaluate.groups, seed)
    given = holdouts.settings(evaluate)
    assert given is not None
    op = holdouts.rows_of(given, facts, evaluate, "y", "binary")
    folds = count(
        facts.call,
        lambda: holdouts.left(op, len(table)),
        lambda column: holdouts.left(op, table[column].nunique()),
        evaluate.groups,
    )
    target = "y" if facts.needs_target else None
    return op, Folds(facts.call, folds, target, evaluate.groups), facts


@settings(max_examples=120, deadline=None)
@given(
    st.sampled_from(sorted(PARAMETERS)),
    st.integers(12, 40),
    st.floats(0.05, 0.5),
    st.integers(0, 2**32 - 1),
    st.integers(0, 10),
)
def test_no_row_of_the_hold_out_is_in_any_fold(
    name: str, n: int, fraction: float, seed: int, noise: int
) -> None:
    rng = np.random.default_rng(noise)
    table = pd.DataFrame({"y": rng.integers(0, 2, n), "g": rng.integers(0, max(4, n // 3), n)})
    try:
        op, folds, facts = parts(name, table, seed, fraction=fraction)
        outside, inside = hold_out(op, table)
        made = split(folds, table, holdout=(outside, inside))
    except (DataError, SpecError):
        assume(False)  # too few rows, groups or members of a class for these numbers
    assert len(inside) > 0
    assert np.array_equal(np.sort(np.concatenate([outside, inside])), np.arange(n))
    kept = set(inside.tolist())
    for train, valid in made:
        assert not kept & set(train.tolist())
        assert not kept & set(valid.tolist())
        assert not set(train.tolist()) & set(valid.tolist())
    if op.draw == "groups":
        assert not set(table["g"].iloc[inside]) & set(table["g"].iloc[outside])
    if op.draw == "last":
        assert inside.min() > outside.max()
    # Stable, and the confirmation is exactly the two sides.
    again = hold_out(op, table.copy())
    assert all(np.array_equal(a, b) for a, b in zip(again, (outside, inside), strict=True))
    ((train, valid),) = split(Folds(holdouts.split_of(facts), 1), table, holdout=again)
    assert np.array_equal(train, outside)
    assert np.array_equal(valid, inside)


@settings(max_examples=40, deadline=None)
@given(st.integers(8, 60), st.floats(0.05, 0.6), st.integers(0, 2**32 - 1), st.booleans())
def test_it_is_train_test_split(n: int, fraction: float, seed: int, stratify: bool) -> None:
    y = np.arange(n) % 2
    op = HoldoutRows("rows", fraction, seed, target="y" if stratify else None)
    try:
        expected = train_test_split(
            np.arange(n), test_size=fraction, random_state=seed, stratify=y if stratify else None
        )
    except ValueError:
        with pytest.raises(DataError):
            hold_out(op, pd.DataFrame({"y": y}))
        return
    for mine, theirs in zip(hold_out(op, pd.DataFrame({"y": y})), expected, strict=True):
        assert np.array_equal(mine, np.sort(theirs))


def test_groups_and_folds_on_what_remains_are_the_librarys() -> None:
    groups = np.repeat(np.arange(10), [3, 1, 4, 1, 5, 9, 2, 6, 5, 3])
    table = pd.DataFrame({"g": groups})
    outside, inside = hold_out(HoldoutRows("groups", 0.3, 4, groups="g"), table)
    shuffle = GroupShuffleSplit(1, test_size=0.3, random_state=4)
    ((rest, kept),) = shuffle.split(groups, groups=groups)
    assert np.array_equal(outside, np.sort(rest))
    assert np.array_equal(inside, np.sort(kept))
    call = Call("KFold", (("n_splits", 3), ("random_state", 1), ("shuffle", True)))
    expected = KFold(3, shuffle=True, random_state=1).split(outside)
    for mine, (train, valid) in zip(
        split(Folds(call, 3), table, holdout=(outside, inside)), expected, strict=True
    ):
        assert np.array_equal(mine[0], outside[train])
        assert np.array_equal(mine[1], outside[valid])


def test_a_time_series_ends_with_its_hold_out_and_keeps_its_gap() -> None:
    facts = describe(Call("TimeSeriesSplit", (("gap", 2), ("max_train_size", 5))), None, 0)
    evaluate = EvaluateSpec(holdout=0.2)
    kept = holdouts.settings(evaluate)
    assert kept is not None
    op = holdouts.rows_of(kept, facts, evaluate, "y", "regression")
    outside, inside = hold_out(op, {}, 20)
    assert inside.tolist() == [16, 17, 18, 19]
    confirm = Folds(holdouts.split_of(facts), 1)
    ((train, valid),) = split(confirm, {}, 20, (outside, inside))
    # As the last fold of the library's own splitter, were the hold-out its last fold.
    own = TimeSeriesSplit(2, gap=2, max_train_size=5, test_size=4)
    expected = list(own.split(np.empty((20, 1))))[-1]
    assert np.array_equal(train, expected[0])
    assert np.array_equal(valid, expected[1])


def test_a_train_only_filter_holds_for_the_refit() -> None:
    table = pd.DataFrame({"keep": [True, False] * 10})
    holdout = hold_out(HoldoutRows("rows", 0.2), table)
    op = Folds(Call(CONFIRM), 1, train_mask="keep")
    ((train, valid),) = split(op, table, holdout=holdout)
    assert train.tolist() == [row for row in holdout[0] if row % 2 == 0]
    assert np.array_equal(valid, holdout[1])


@pytest.mark.parametrize(
    ("op", "table", "code"),
    [
        (HoldoutRows("rows", 0.9, target="y"), {"y": ["a"] * 19 + ["b"]}, "too_few_class_members"),
        (HoldoutRows("groups", 0.5, groups="y"), {"y": ["a"] * 20}, "too_few_groups"),
        (HoldoutRows("groups", 0.5, groups="y"), {"y": ["a", None] * 10}, "missing_values"),
        (HoldoutRows("rows", 0.99), {"y": [1] * 20}, "empty_holdout"),
    ],
)
def test_what_cannot_be_held_out_says_so(op: HoldoutRows, table: Any, code: str) -> None:
    with pytest.raises(DataError) as caught:
        hold_out(op, pd.DataFrame(table))
    assert caught.value.code == code
    assert caught.value.hint


@pytest.mark.parametrize(
    ("cv", "kept", "groups", "task", "code"),
    [
        ("PredefinedSplit", {}, None, "regression", "holdout_unsupported"),
        ("TimeSeriesSplit", {"stratify": True}, None, "binary", "holdout_unsupported"),
        ("TimeSeriesSplit", {"groups": "g"}, None, "binary", "holdout_unsupported"),
        ("GroupKFold", {"stratify": True}, "g", "binary", "holdout_unsupported"),
        ("LeaveOneOut", {"groups": "g"}, None, "binary", "holdout_unsupported"),
        ("KFold", {"stratify": True}, None, "regression", "stratify_continuous"),
    ],
)
def test_what_makes_no_sense_is_refused(
    cv: str, kept: dict[str, Any], groups: str | None, task: Any, code: str
) -> None:
    params = {"PredefinedSplit": (("test_fold", "f"),)}.get(cv, ())
    evaluate = EvaluateSpec.model_validate({"holdout": {"fraction": 0.2, **kept}, "groups": groups})
    given = holdouts.settings(evaluate)
    assert given is not None
    with pytest.raises(SpecError) as caught:
        holdouts.rows_of(given, describe(Call(cv, params), groups, 0), evaluate, "y", task)
    assert caught.value.code == code
    assert caught.value.path.startswith("evaluate.holdout")
