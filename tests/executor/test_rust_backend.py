"""The kernels' backend against the Python backend."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, RepeatedKFold, ShuffleSplit, TimeSeriesSplit

import rust_exec
from executor.backends.base import Context
from executor.backends.linear import Answers
from executor.backends.python import PythonBackend
from executor.backends.rust import RustBackend
from planner.errors import ExecutionError
from planner.expressions import Call
from planner.ops_linear import LinearFolds, LinearMember, LinearPath

N = 80
CLOSED = (
    Call("LinearRegression"),
    *(Call("Ridge", (("alpha", alpha),)) for alpha in (0.01, 1.0, 300.0)),
)
NETS = (
    Call("ElasticNet", (("alpha", 0.2), ("l1_ratio", 0.3))),
    Call("Lasso", (("alpha", 0.1), ("tol", 1e-6))),
)
FAMILY = (*NETS, *CLOSED)

SPLITTERS: dict[str, Any] = {
    "kfold": KFold(4),
    "shuffled": KFold(5, shuffle=True, random_state=0),
    "repeated": RepeatedKFold(n_splits=3, n_repeats=2, random_state=1),
    "random": ShuffleSplit(3, test_size=0.3, random_state=2),
    "time": TimeSeriesSplit(4),
}


def group(calls: Sequence[Call], target: int = 0) -> tuple[LinearMember, ...]:
    return tuple(LinearMember(call, target) for call in calls)


def folds_of(name: str, masked: bool = False) -> list[tuple[np.ndarray, np.ndarray]]:
    """Positions as `executor.folds` makes them; masked folds train on every third row less."""
    pairs = [(np.asarray(a), np.asarray(b)) for a, b in SPLITTERS[name].split(np.empty((N, 1)))]
    return [(a[a % 3 > 0], b) for a, b in pairs] if masked else pairs


def numbers(columns: int = 4, gaps: float = 0.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(5, 2, (N, columns)) * np.logspace(-3, 3, columns)
    x[rng.random(x.shape) < gaps] = np.nan
    return x


def target(x: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(9)
    scaled = np.nan_to_num((x - np.nanmean(x, axis=0)) / np.nanstd(x, axis=0))
    return 3 + scaled.sum(axis=1) + rng.normal(0, 0.5, len(x))


def mixed(seed: int = 0) -> pd.DataFrame:
    """Booleans, integers and floats, as a table hands them on."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "flag": rng.random(N) < 0.5,
            "count": rng.integers(0, 50, N),
            "share": rng.random(N),
            "small": rng.integers(0, 5, N).astype(np.int8),
        }
    )


def without_intercept(members: tuple[Call, ...]) -> tuple[Call, ...]:
    bare = ("fit_intercept", False)
    return tuple(Call(m.name, tuple(sorted([*m.params, bare]))) for m in members)


def table(answers: Answers) -> np.ndarray:
    """Predictions (n_valid, members)."""
    columns = [answers[position].predictions for position in range(len(answers))]
    for column in columns:
        assert not isinstance(column, Exception), column
    return np.column_stack([np.asarray(column) for column in columns])


def tables(found: Any) -> list[np.ndarray]:
    return [table(fold) for fold in (found if isinstance(found, list) else [found])]


def same(op: Any, inputs: list[Any], fold: int | None = None) -> None:
    """Both backends give the same predictions."""
    found = RustBackend().run(op, inputs, Context(fold))
    wanted = PythonBackend().run(op, inputs, Context(fold))
    for one, two in zip(tables(found), tables(wanted), strict=True):
        assert one.shape == two.shape
        np.testing.assert_allclose(one, two, rtol=1e-8, atol=1e-9 * np.abs(two).max())


@pytest.fixture
def declined(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What the kernels declined, as they are called."""
    noted: list[str | None] = []
    for name in ("linear_folds", "linear_path"):
        kernel = getattr(rust_exec, name)

        def watched(
            *a: Any, kernel: Callable[..., Any] = kernel, name: str = name, **k: Any
        ) -> Any:
            result = kernel(*a, **k)
            folds = result.declined if name == "linear_folds" else [result.declined]
            noted.extend(reason for fold in folds for reason in fold)
            return result

        monkeypatch.setattr(rust_exec, name, watched)
    return noted


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize(
    ("impute", "scale"), [(False, False), (True, False), (True, True), (False, True)]
)
@pytest.mark.parametrize("intercept", [True, False])
def test_all_folds_at_once(
    splitter: str, masked: bool, impute: bool, scale: bool, intercept: bool,
    declined: list[str | None],
) -> None:  # fmt: skip
    x = numbers(gaps=0.1 if impute else 0.0)
    folds = folds_of(splitter, masked)
    members = FAMILY if intercept else without_intercept(FAMILY)
    if not scale:  # in units this wide the library drops directions from least squares
        members = tuple(member for member in members if member.name != "LinearRegression")
    same(LinearFolds(group(members), impute, scale), [x, folds, target(x)])
    assert declined == [None] * len(folds) * len(members)


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("encoded", [True, False])
def test_one_fold_of_an_encoded_matrix(
    splitter: str, intercept: bool, encoded: bool, declined: list[str | None]
) -> None:
    x = numbers() / np.logspace(-3, 3, 4)
    members = FAMILY if intercept else without_intercept(FAMILY)
    for fold, (train, valid) in enumerate(folds := folds_of(splitter)):
        block = (x[train], x[valid]) if encoded else x
        same(LinearPath(group(members)), [block, folds, target(x)], fold)
    assert declined == [None] * len(folds) * len(members)


@pytest.mark.parametrize(
    "x",
    [
        mixed(),
        mixed()[["flag"]],
        mixed()[["count", "small"]],
        numbers(1),
        np.asfortranarray(numbers()),
        numbers(8)[:, ::2],
        pd.DataFrame(numbers(), columns=["é", "a b", "注", "c"]),
        mixed().assign(flag=mixed()["flag"].astype(object).where(mixed()["share"] > 0.1, np.nan)),
        mixed().assign(count=mixed()["count"].astype("Int64")),
    ],
    ids=["mixed", "bool", "ints", "one", "fortran", "strided", "names", "gaps", "nullable"],
)
def test_columns_of_every_type(x: Any) -> None:
    folds, y = folds_of("shuffled"), target(numbers())
    gaps = bool(pd.DataFrame(x).isna().any().any())
    same(LinearFolds(group(FAMILY), gaps, False), [x, folds, y])
    same(LinearFolds(group(FAMILY), gaps, True), [x, folds, y])


def test_targets_of_every_type() -> None:
    x, folds = numbers(), folds_of("kfold")
    for y in (target(x) > 3, np.round(target(x)).astype(np.int64), target(x).astype(np.float32)):
        same(LinearFolds(group(FAMILY), False, False), [x, folds, y])
        same(LinearPath(group(FAMILY)), [x, folds, y], 0)


@pytest.mark.parametrize("function", ["log1p", "sqrt", "log"])
def test_transforms_of_the_target_are_undone(function: str) -> None:
    x, folds = numbers(), folds_of("kfold")
    y = getattr(np, function)(np.abs(target(x)) / 3 + 0.1)
    same(LinearFolds(group(FAMILY), False, True, (function,)), [x, folds, y])
    same(LinearPath(group(FAMILY), (function,)), [x, folds, y], 1)


def test_read_only_arrays_do(declined: list[str | None]) -> None:
    x, folds = numbers(), folds_of("kfold")
    y = target(x)
    for array in (x, y, *(rows for fold in folds for rows in fold)):
        array.setflags(write=False)
    same(LinearFolds(group(FAMILY), False, False), [x, folds, y])
    assert declined.count(None) == len(declined) - 4  # least squares in units this wide


def test_more_threads_give_the_same_numbers() -> None:
    x, folds = numbers(), folds_of("shuffled")
    op = LinearFolds(group(FAMILY), False, True)
    one, two = (RustBackend().run(op, [x, folds, target(x)], Context(None, t)) for t in (1, 2))
    for left, right in zip(tables(one), tables(two), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(
    "x",
    [
        np.column_stack([numbers(2), numbers(2)[:, 0] * (1 + 1e-13)]),
        np.column_stack([numbers(2), np.where(np.arange(N) == 3, 1.0, 0.0)]),
        numbers(70),
        np.column_stack([numbers(2), np.full(N, 7.0)]),
    ],
    ids=["duplicates", "constant in a fold", "more columns than rows", "constant"],
)
@pytest.mark.parametrize("scale", [True, False])
def test_what_the_kernel_declines_is_given_to_the_library(x: np.ndarray, scale: bool) -> None:
    folds = folds_of("kfold")
    members = (*NETS, *(Call("Ridge", (("alpha", alpha),)) for alpha in (1e-9, 1.0)))
    op = LinearFolds(group((*members, Call("LinearRegression"))), False, scale)
    inputs = [x, folds, target(numbers(4))]
    found = RustBackend().run(op, inputs, Context(None))
    wanted = PythonBackend().run(op, inputs, Context(None))
    for one, two in zip(tables(found), tables(wanted), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-6 * np.abs(two).max())


def test_a_forced_refusal_falls_back_fold_by_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    x, folds = numbers(), folds_of("kfold")
    kernel = rust_exec.linear_folds

    def refuses_two(*arguments: Any, **more: Any) -> Any:
        result = kernel(*arguments, **more)
        for fold in (1, 3):
            for member in (0, 4):
                result.declined[fold][member] = "ill_conditioned"
                result.predictions[fold][:, member] = np.nan
        return result

    monkeypatch.setattr(rust_exec, "linear_folds", refuses_two)
    same(LinearFolds(group(FAMILY), False, True), [x, folds, target(x)])


def test_a_forced_refusal_of_a_path_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    x, folds = numbers(), folds_of("kfold")

    def refuses(x_train: Any, y: Any, x_valid: Any, alphas: Any, nets: Any, **more: Any) -> Any:
        count = len(alphas) + len(nets)
        nothing = np.full((len(x_valid), count), np.nan)
        descent = np.full((count, 3), np.nan)
        reasons: list[str | None] = ["non_finite"] * count
        return rust_exec.LinearPath(np.empty(0), np.empty(0), nothing, descent, reasons)

    monkeypatch.setattr(rust_exec, "linear_path", refuses)
    same(LinearPath(group(FAMILY)), [x, folds, target(x)], 2)


@pytest.mark.parametrize("name", ["linear_folds", "linear_path"])
def test_a_fault_of_the_kernel_is_served_by_the_library(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **more: Any) -> Any:
        error = rust_exec.KernelInternalError("lost")
        error.code = "kernel_panicked"
        raise error

    monkeypatch.setattr(rust_exec, name, broken)
    x, folds = numbers(), folds_of("kfold")
    op: Any = LinearPath(group(FAMILY))
    fold: int | None = 0
    if name == "linear_folds":
        op, fold = LinearFolds(group(FAMILY), False, True), None
    with pytest.warns(RuntimeWarning, match="kernel_panicked"):
        same(op, [x, folds, target(x)], fold)


@pytest.mark.parametrize(
    "block",
    [
        sp.csr_matrix(np.round(numbers())),
        numbers().astype(np.float32),
        numbers().astype(object),
        pd.DataFrame(numbers()),
    ],
    ids=["sparse", "single", "objects", "frame"],
)
def test_other_matrices_go_to_the_library(block: Any, declined: list[str | None]) -> None:
    folds = folds_of("kfold")
    rows = block.iloc if isinstance(block, pd.DataFrame) else block
    pair = (rows[folds[0][0]], rows[folds[0][1]])
    op, inputs = LinearPath(group(FAMILY)), [pair, folds, target(numbers())]
    found = RustBackend().run(op, inputs, Context(0))
    wanted = PythonBackend().run(op, inputs, Context(0))
    np.testing.assert_array_equal(table(found), table(wanted))
    assert declined == []


def test_wide_matrices_without_closed_forms_go_to_the_library(declined: list[str | None]) -> None:
    """Their moments would cost more than the few descents."""
    x, folds = numbers(110), folds_of("kfold")
    wide = LinearPath(group(NETS[:1]))
    same(wide, [x / np.logspace(-3, 3, 110), folds, target(numbers())], 0)
    assert declined == []


def test_missing_values_fail_as_in_the_library() -> None:
    x, folds = numbers(gaps=0.1), folds_of("kfold")
    inputs = [x, folds, target(x)]
    for op, fold in (
        (LinearFolds(group(FAMILY), False, True), None),
        (LinearPath(group(FAMILY)), 0),
    ):
        found = RustBackend().run(op, inputs, Context(fold))
        answers = found[2] if isinstance(found, list) else found
        for position, member in enumerate(FAMILY):
            error = answers[position].predictions
            assert isinstance(error, ExecutionError)
            assert (error.code, error.message.split()[0]) == ("missing_values", member.name)


def test_predictions_beyond_all_bounds_are_an_error_of_the_member() -> None:
    x, folds = numbers(), folds_of("kfold")
    calls = (Call("Ridge"), Call("Ridge", (("alpha", 1e300),)))
    op = LinearFolds(group(calls), False, True, ("log1p",))
    y = (target(x) - target(x).mean()) * 1e6
    found = RustBackend().run(op, [x, folds, y], Context(None))[0]
    error = found[0].predictions
    assert isinstance(error, ExecutionError)
    assert error.code == "non_finite_predictions"
    assert (
        error.message
        == PythonBackend().run(op, [x, folds, y], Context(None))[0][0].predictions.message
    )


def test_what_does_not_converge_warns_in_the_librarys_words() -> None:
    x, folds = numbers(), folds_of("kfold")
    calls = [Call("Lasso", (("alpha", 1e-4), ("max_iter", rounds))) for rounds in (1, 1000)]
    op = LinearFolds(group((*calls, Call("Ridge"))), False, True)
    found = RustBackend().run(op, [x, folds, target(x)], Context(None))
    wanted = PythonBackend().run(op, [x, folds, target(x)], Context(None))
    for one, two in zip(found, wanted, strict=True):
        assert [len(one[position].notes) for position in range(3)] == [1, 0, 0]
        for position in range(3):
            assert one[position].notes == two[position].notes


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(12, 60),
    columns=st.integers(1, 12),
    splits=st.integers(2, 5),
    gaps=st.sampled_from([0.0, 0.2]),
    scale=st.booleans(),
    alphas=st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=4, unique=True),
    nets=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_any_shape(
    rows: int,
    columns: int,
    splits: int,
    gaps: float,
    scale: bool,
    alphas: list[float],
    nets: bool,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)) * rng.uniform(0.1, 10, columns)
    y = rng.normal(size=rows)
    x[rng.random(x.shape) < gaps] = np.nan
    x[:3] = np.nan_to_num(x[:3])
    folds = list(KFold(splits).split(x))
    members = tuple(Call("Ridge", (("alpha", alpha),)) for alpha in alphas)
    same(LinearFolds(group((*members, *FAMILY * nets)), gaps > 0, scale), [x, folds, y])
