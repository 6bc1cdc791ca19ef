"""What a splitter needs and how many folds it makes, held against scikit-learn."""

import inspect

import numpy as np
import pytest
import sklearn.model_selection as ms

from planner import splitters
from planner.errors import SpecError
from planner.expressions import Call
from planner.spec import Holdout
from planner.splitters import SPLITTERS, count, default_cv, describe, holdout


def call(name: str, **params: object) -> Call:
    return Call(name, tuple(sorted(params.items())))  # type: ignore[arg-type]


def never(*_: object) -> int:
    raise AssertionError("the table is not to be asked")


@pytest.mark.parametrize("name", sorted(SPLITTERS))
def test_parameters_are_scikit_learns(name: str) -> None:
    known = {
        key: splitters.REQUIRED if value.default is value.empty else value.default
        for key, value in inspect.signature(getattr(ms, name)).parameters.items()
        if value.kind not in (value.VAR_POSITIONAL, value.VAR_KEYWORD)
    }
    assert dict(SPLITTERS[name].parameters) == known
    assert list(SPLITTERS[name].parameters) == list(known)


def test_no_splitter_is_missing() -> None:
    known = {
        name
        for name in ms.__all__
        if inspect.isclass(kind := vars(ms).get(name))
        and hasattr(kind, "split")
        and name not in ("BaseCrossValidator", "BaseShuffleSplit")
    }
    assert set(SPLITTERS) == known


def test_columns() -> None:
    facts = describe(call("StratifiedGroupKFold"), "patient", 0)
    assert facts.needs_target
    assert facts.needs_groups
    assert describe(call("PredefinedSplit", test_fold="fold"), None, 0).fold_column == "fold"
    plain = describe(call("KFold"), "patient", 0)
    assert not plain.needs_groups
    assert not plain.needs_target


@pytest.mark.parametrize(
    ("given", "seeded"),
    [
        (call("KFold"), call("KFold")),
        (call("KFold", shuffle=True), call("KFold", shuffle=True, random_state=7)),
        (call("KFold", shuffle=True, random_state=0), call("KFold", shuffle=True, random_state=0)),
        (call("ShuffleSplit"), call("ShuffleSplit", random_state=7)),
        (call("RepeatedKFold"), call("RepeatedKFold", random_state=7)),
        (call("TimeSeriesSplit"), call("TimeSeriesSplit")),
        (call("LeaveOneOut"), call("LeaveOneOut")),
    ],
)
def test_seed(given: Call, seeded: Call) -> None:
    assert describe(given, None, 7).call == seeded


def test_counts_without_data() -> None:
    assert count(call("KFold"), never, never) == 5
    assert count(call("RepeatedStratifiedKFold", n_splits=3, n_repeats=4), never, never) == 12
    assert count(call("ShuffleSplit"), never, never) == 10
    assert count(call("GroupShuffleSplit"), never, never, "g") == 5


def test_counts_from_data() -> None:
    groups = np.repeat(np.arange(6), 3)
    x = np.zeros((18, 1))
    for given in (
        call("LeaveOneOut"),
        call("LeavePOut", p=2),
        call("LeaveOneGroupOut"),
        call("LeavePGroupsOut", n_groups=2),
    ):
        known = getattr(ms, given.name)(**dict(given.params)).get_n_splits(x, groups=groups)
        assert count(given, lambda: 18, {"g": 6}.__getitem__, "g") == known
    assert count(call("PredefinedSplit", test_fold="f"), never, {"f": 4}.__getitem__) == 4


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (call("KFlod"), "unknown_splitter"),
        (call("KFold", splits=3), "unknown_parameter"),
        (call("KFold", n_splits=1), "invalid_parameter"),
        (call("KFold", n_splits=2.0), "invalid_parameter"),
        (call("KFold", n_splits=True), "invalid_parameter"),
        (call("KFold", shuffle=1), "invalid_parameter"),
        (call("KFold", random_state=0), "invalid_parameter"),
        (call("KFold", shuffle=True, random_state=-1), "invalid_parameter"),
        (call("KFold", n_splits=1001), "too_many_folds"),
        (call("RepeatedKFold", n_repeats=300), "too_many_folds"),
        (call("RepeatedKFold", n_repeats=0), "invalid_parameter"),
        (call("GroupKFold"), "groups_required"),
        (call("LeavePOut"), "missing_parameter"),
        (call("PredefinedSplit"), "missing_parameter"),
        (call("PredefinedSplit", test_fold=3), "invalid_parameter"),
        (call("ShuffleSplit", test_size=1.5), "invalid_parameter"),
        (call("ShuffleSplit", test_size=0), "invalid_parameter"),
        (call("ShuffleSplit", test_size=0.6, train_size=0.6), "invalid_parameter"),
        (call("TimeSeriesSplit", test_size=0.2), "invalid_parameter"),
        (call("TimeSeriesSplit", gap=-1), "invalid_parameter"),
        (call("TimeSeriesSplit", max_train_size=0), "invalid_parameter"),
    ],
)
def test_refusals(given: Call, code: str) -> None:
    with pytest.raises(SpecError) as caught:
        describe(given, None, 0, "evaluate.cv")
    assert (caught.value.code, caught.value.path) == (code, "evaluate.cv")
    assert caught.value.hint


def test_too_many_and_too_few_by_data() -> None:
    with pytest.raises(SpecError, match="5000 folds"):
        count(call("LeaveOneOut"), lambda: 5000, never)
    with pytest.raises(SpecError) as caught:
        count(call("LeavePGroupsOut", n_groups=3), never, lambda _: 2, "g", "evaluate.cv")
    assert caught.value.code == "too_few_folds"


def test_default() -> None:
    assert default_cv("regression", False, 3) == call("KFold", random_state=3, shuffle=True)
    assert default_cv("binary", False, 3) == call("StratifiedKFold", random_state=3, shuffle=True)
    assert default_cv("regression", True, 3) == call("GroupKFold")
    assert default_cv("multiclass", True, 3) == call("StratifiedGroupKFold")


def test_holdout() -> None:
    made = holdout(Holdout(holdout=0.25, seed=4, stratify=True))
    assert made == call("StratifiedShuffleSplit", n_splits=1, random_state=4, test_size=0.25)
    assert describe(made, None, 9).call == made
    assert count(made, never, never) == 1
