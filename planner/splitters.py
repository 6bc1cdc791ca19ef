"""Splitters: what a cross-validation needs from the table, and how many folds it makes.

Input: a parsed splitter `Call` (names and parameters as in sklearn.model_selection), or a
hold-out. Output: the same call checked and seeded, with the columns it reads. The row positions
are made by `executor.folds`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import comb
from typing import Any, TypeGuard

from planner.errors import SpecError, did_you_mean
from planner.expressions import Call, Literal
from planner.ops import Task
from planner.spec import Holdout

MAX_FOLDS = 1000

REQUIRED = object()  # the default of a parameter that has none


@dataclass(frozen=True)
class SplitterDef:
    """A splitter of scikit-learn.

    Attributes:
        parameters: Names with defaults (`REQUIRED` if none), in the order of the constructor.
        target: Whether it stratifies by the target.
        groups: Whether it reads a group column.
        seed: When `random_state` matters: ``""`` never, ``always``, or with ``shuffle``.
    """

    parameters: Mapping[str, object]
    target: bool = False
    groups: bool = False
    seed: str = ""


_FOLD = {"n_splits": 5, "shuffle": False, "random_state": None}
_REPEAT = {"n_splits": 5, "n_repeats": 10, "random_state": None}
_SHUFFLE = {"n_splits": 10, "test_size": None, "train_size": None, "random_state": None}
_TIME = {"n_splits": 5, "max_train_size": None, "test_size": None, "gap": 0}

SPLITTERS: dict[str, SplitterDef] = {
    "KFold": SplitterDef(_FOLD, seed="shuffle"),
    "StratifiedKFold": SplitterDef(_FOLD, target=True, seed="shuffle"),
    "GroupKFold": SplitterDef(_FOLD, groups=True, seed="shuffle"),
    "StratifiedGroupKFold": SplitterDef(_FOLD, target=True, groups=True, seed="shuffle"),
    "RepeatedKFold": SplitterDef(_REPEAT, seed="always"),
    "RepeatedStratifiedKFold": SplitterDef(_REPEAT, target=True, seed="always"),
    "ShuffleSplit": SplitterDef(_SHUFFLE, seed="always"),
    "StratifiedShuffleSplit": SplitterDef(_SHUFFLE, target=True, seed="always"),
    "GroupShuffleSplit": SplitterDef({**_SHUFFLE, "n_splits": 5}, groups=True, seed="always"),
    "LeaveOneOut": SplitterDef({}),
    "LeavePOut": SplitterDef({"p": REQUIRED}),
    "LeaveOneGroupOut": SplitterDef({}, groups=True),
    "LeavePGroupsOut": SplitterDef({"n_groups": REQUIRED}, groups=True),
    "TimeSeriesSplit": SplitterDef(_TIME),
    "PredefinedSplit": SplitterDef({"test_fold": REQUIRED}),
}


@dataclass(frozen=True)
class SplitterFacts:
    """A checked and seeded splitter, and the columns it reads.

    `fold_column` is the column of a PredefinedSplit: the fold in which a row is validated, or
    -1 for a row that is always trained on.
    """

    call: Call
    needs_target: bool = False
    needs_groups: bool = False
    fold_column: str | None = None


def describe(call: Call, groups: str | None, seed: int, path: str = "") -> SplitterFacts:
    """Checks `call` and fills its random_state with `seed` where it is open and matters.

    Raises:
        SpecError: ``unknown_splitter``, ``unknown_parameter``, ``missing_parameter``,
            ``invalid_parameter`` (with scikit-learn's words where it has any),
            ``groups_required`` or ``too_many_folds``.
    """
    found = SPLITTERS.get(call.name)
    if found is None:
        raise SpecError(
            "unknown_splitter",
            f"'{call.name}' is no cross-validation splitter.",
            path=path,
            hint=did_you_mean(call.name, SPLITTERS, "Use one of " + ", ".join(SPLITTERS) + "."),
        )
    values = _values(call, found, path)
    if found.groups and groups is None:
        raise SpecError(
            "groups_required",
            f"{call.name} needs groups, but none are named.",
            path=path,
            hint="Set evaluate.groups to the column whose values must not be split.",
        )
    _check(call.name, values, path)
    given = dict(call.params)
    shuffled = found.seed == "always" or (found.seed == "shuffle" and values["shuffle"] is True)
    if shuffled and values["random_state"] is None:
        given["random_state"] = seed
    seeded = Call(call.name, tuple(sorted(given.items(), key=lambda item: item[0])))
    fold_column = values.get("test_fold")
    return SplitterFacts(
        seeded, found.target, found.groups, fold_column if isinstance(fold_column, str) else None
    )


def count(
    call: Call,
    rows: Callable[[], int],
    distinct: Callable[[str], int],
    groups: str | None = None,
    path: str = "",
) -> int:
    """The number of folds of a checked splitter.

    Args:
        call: As returned by `describe`.
        rows: The number of rows of the table; called only where it is needed.
        distinct: The number of distinct non-null values of a column, -1 not counted for the
            column of a PredefinedSplit; called only where it is needed.
        groups: The group column.
        path: Where in the request, for errors.

    Raises:
        SpecError: ``too_many_folds`` above `MAX_FOLDS`; ``too_few_folds`` if there are none.
    """
    values: dict[str, Any] = {**SPLITTERS[call.name].parameters, **dict(call.params)}
    if call.name == "LeaveOneOut":
        folds = rows()
    elif call.name == "LeavePOut":
        folds = comb(rows(), values["p"])
    elif call.name == "LeaveOneGroupOut":
        folds = distinct(groups or "")
    elif call.name == "LeavePGroupsOut":
        folds = comb(distinct(groups or ""), values["n_groups"])
    elif call.name == "PredefinedSplit":
        folds = distinct(values["test_fold"])
    else:
        folds = values["n_splits"] * values.get("n_repeats", 1)
    _bound(folds, path)
    if folds < 1:
        raise SpecError(
            "too_few_folds",
            f"{call.name} makes no fold of this table.",
            path=path,
            hint="Check the column it splits by, and the filters of `prepare`.",
        )
    return folds


def default_cv(task: Task, grouped: bool, seed: int) -> Call:
    """Five folds: stratified for classification, by group where there are groups."""
    if grouped:
        return Call("GroupKFold" if task == "regression" else "StratifiedGroupKFold")
    name = "KFold" if task == "regression" else "StratifiedKFold"
    return Call(name, (("random_state", seed), ("shuffle", True)))


def holdout(cv: Holdout) -> Call:
    """The split of ``train_test_split(test_size=..., random_state=..., stratify=...)``."""
    name = "StratifiedShuffleSplit" if cv.stratify else "ShuffleSplit"
    return Call(name, (("n_splits", 1), ("random_state", cv.seed), ("test_size", cv.holdout)))


def _values(call: Call, found: SplitterDef, path: str) -> dict[str, Any]:
    """All parameters with their values, defaults filled in."""
    values: dict[str, Any] = dict(found.parameters)
    for name, value in call.params:
        if name not in values:
            listed = ", ".join(values)
            raise SpecError(
                "unknown_parameter",
                f"{call.name} has no parameter '{name}'.",
                path=path,
                hint=did_you_mean(
                    name, values, f"It takes {listed}." if listed else "It takes none."
                ),
            )
        values[name] = value
    for name, value in values.items():
        if value is REQUIRED:
            raise SpecError(
                "missing_parameter",
                f"{call.name} needs the parameter '{name}'.",
                path=path,
                hint=f"Write {call.name}('column') with the column that holds the fold numbers."
                if name == "test_fold"
                else f"Write {call.name}({name}=2).",
            )
    return values


def _check(name: str, values: Mapping[str, Any], path: str) -> None:
    least = {
        "n_splits": 1 if name.endswith("ShuffleSplit") else 2,
        "n_repeats": 1,
        "p": 1,
        "n_groups": 1,
        "gap": 0,
        "max_train_size": 1,
    }
    for key, low in least.items():
        value = values.get(key)
        if key in values and not (key == "max_train_size" and value is None):
            _require(_integer(value) and value >= low, name, key, value, f"an integer >= {low}",
                     path)  # fmt: skip
    for key in ("test_size", "train_size"):
        value = values.get(key)
        if value is None:
            continue
        whole = _integer(value) and value >= 1
        if name == "TimeSeriesSplit":
            _require(whole, name, key, value, "a number of rows, at least 1", path)
        else:
            share = isinstance(value, float) and 0 < value < 1
            _require(
                whole or share, name, key, value, "a number of rows, or a share such as 0.2", path
            )
    _check_random(name, values, path)
    test, train = values.get("test_size"), values.get("train_size")
    if isinstance(test, float) and isinstance(train, float) and test + train > 1:
        raise SpecError(
            "invalid_parameter",
            f"The sum of test_size and train_size = {test + train}, should be in the (0, 1) range.",
            path=path,
            hint="Reduce test_size or train_size.",
        )
    if "test_fold" in values:
        _require(
            isinstance(values["test_fold"], str) and bool(values["test_fold"]),
            name, "test_fold", values["test_fold"],
            "the name of the column that holds the fold numbers", path,
        )  # fmt: skip
    if "n_splits" in values:
        _bound(values["n_splits"] * values.get("n_repeats", 1), path)


def _check_random(name: str, values: Mapping[str, Any], path: str) -> None:
    state = values.get("random_state")
    if state is not None:
        good = _integer(state) and 0 <= state < 2**32
        _require(good, name, "random_state", state, "an integer from 0 to 2**32 - 1", path)
    if "shuffle" not in values:
        return
    _require(isinstance(values["shuffle"], bool), name, "shuffle", values["shuffle"],
             "True or False", path)  # fmt: skip
    if not values["shuffle"] and state is not None:
        raise SpecError(
            "invalid_parameter",
            "Setting a random_state has no effect since shuffle is False.",
            path=path,
            hint=f"Write {name}(..., shuffle=True, random_state={state}), or leave random_state "
            "out.",
        )


def _integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _require(good: bool, name: str, key: str, value: Literal, expected: str, path: str) -> None:
    if not good:
        raise SpecError(
            "invalid_parameter",
            f"The parameter '{key}' of {name} cannot be {value!r:.60}.",
            path=path,
            hint=f"It is {expected}.",
        )


def _bound(folds: int, path: str) -> None:
    if folds > MAX_FOLDS:
        raise SpecError(
            "too_many_folds",
            f"This cross-validation makes {folds} folds; at most {MAX_FOLDS} are allowed.",
            path=path,
            hint="Use KFold or GroupKFold with fewer splits, or a ShuffleSplit.",
        )
