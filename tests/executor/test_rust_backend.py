"""The kernels' backend against the Python backend, and what happens where there is no kernel."""

import builtins
import importlib
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold, RepeatedKFold, ShuffleSplit, TimeSeriesSplit

import rust_exec
from executor.backends import rust
from executor.backends.base import Context
from executor.backends.python import PythonBackend
from executor.backends.rust import RustBackend
from planner.errors import ExecutionError
from planner.expressions import Call
from planner.ops import Fit, RidgeFolds, RidgePath
from tests.inprocess import Engine
from tests.planner.planning_cases import CV, RIDGE

ALPHAS = (0.01, 1.0, 300.0)
N = 80

SPLITTERS: dict[str, Any] = {
    "kfold": KFold(4),
    "shuffled": KFold(5, shuffle=True, random_state=0),
    "repeated": RepeatedKFold(n_splits=3, n_repeats=2, random_state=1),
    "random": ShuffleSplit(3, test_size=0.3, random_state=2),
    "time": TimeSeriesSplit(4),
}


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


def same(op: Any, inputs: list[Any], fold: int | None = None) -> None:
    """Both backends give the same predictions."""
    found = RustBackend().run(op, inputs, Context(fold))
    wanted = PythonBackend().run(op, inputs, Context(fold))
    pairs = zip(found, wanted, strict=True) if isinstance(found, list) else [(found, wanted)]
    for one, two in pairs:
        assert one.shape == two.shape
        np.testing.assert_allclose(one, two, rtol=1e-8, atol=1e-9 * np.abs(two).max())


@pytest.fixture
def declined(monkeypatch: pytest.MonkeyPatch) -> list[str | None]:
    """What the kernels declined, as they are called."""
    noted: list[str | None] = []
    for name in ("ridge_folds", "ridge_path"):
        kernel = getattr(rust_exec, name)

        def watched(*a: Any, kernel: Callable[..., Any] = kernel, **k: Any) -> Any:
            result = kernel(*a, **k)
            found = result.declined
            noted.extend(found if isinstance(found, list) else [found])
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
    same(RidgeFolds(ALPHAS, intercept, impute, scale), [x, folds, target(x)])
    assert declined == [None] * len(folds)


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("encoded", [True, False])
def test_one_fold_of_an_encoded_matrix(
    splitter: str, intercept: bool, encoded: bool, declined: list[str | None]
) -> None:
    x = numbers()
    for fold, (train, valid) in enumerate(folds := folds_of(splitter)):
        block = (x[train], x[valid]) if encoded else x
        same(RidgePath(ALPHAS, intercept), [block, folds, target(x)], fold)
    assert declined == [None] * len(folds)


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
    same(RidgeFolds(ALPHAS, True, gaps, False), [x, folds, y])
    same(RidgeFolds(ALPHAS, True, gaps, True), [x, folds, y])


def test_targets_of_every_type() -> None:
    x, folds = numbers(), folds_of("kfold")
    for y in (target(x) > 3, np.round(target(x)).astype(np.int64), target(x).astype(np.float32)):
        same(RidgeFolds(ALPHAS, True, False, False), [x, folds, y])
        same(RidgePath(ALPHAS, True), [x, folds, y], 0)


@pytest.mark.parametrize("function", ["log1p", "sqrt", "log"])
def test_transforms_of_the_target_are_undone(function: str) -> None:
    x, folds = numbers(), folds_of("kfold")
    y = getattr(np, function)(np.abs(target(x)) / 3 + 0.1)
    same(RidgeFolds(ALPHAS, True, False, True, function), [x, folds, y])
    same(RidgePath(ALPHAS, True, function), [x, folds, y], 1)


def test_read_only_arrays_do(declined: list[str | None]) -> None:
    x, folds = numbers(), folds_of("kfold")
    y = target(x)
    for array in (x, y, *(rows for fold in folds for rows in fold)):
        array.setflags(write=False)
    same(RidgeFolds(ALPHAS, True, False, False), [x, folds, y])
    assert declined == [None] * 4


def test_more_threads_give_the_same_numbers() -> None:
    x, folds = numbers(), folds_of("shuffled")
    op = RidgeFolds(ALPHAS, True, False, True)
    one, two = (RustBackend().run(op, [x, folds, target(x)], Context(None, t)) for t in (1, 2))
    for left, right in zip(one, two, strict=True):
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
    alphas = (1e-9, 1.0)
    folds = folds_of("kfold")
    op = RidgeFolds(alphas, True, False, scale)
    inputs = [x, folds, target(numbers(4))]
    found = RustBackend().run(op, inputs, Context(None))
    wanted = PythonBackend().run(op, inputs, Context(None))
    for one, two in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6, atol=1e-6 * np.abs(two).max())


def test_a_forced_refusal_falls_back_fold_by_fold(monkeypatch: pytest.MonkeyPatch) -> None:
    x, folds = numbers(), folds_of("kfold")
    kernel = rust_exec.ridge_folds

    def refuses_two(*arguments: Any, **more: Any) -> Any:
        result = kernel(*arguments, **more)
        for fold in (1, 3):
            result.declined[fold] = "ill_conditioned"
            result.predictions[fold][:] = np.nan
        return result

    monkeypatch.setattr(rust_exec, "ridge_folds", refuses_two)
    same(RidgeFolds(ALPHAS, True, False, True), [x, folds, target(x)])


def test_a_forced_refusal_of_a_path_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    x, folds = numbers(), folds_of("kfold")

    def refuses(x_train: Any, y: Any, x_valid: Any, alphas: Any, **more: Any) -> Any:
        nothing = np.full((len(x_valid), len(alphas)), np.nan)
        return rust_exec.RidgePath(np.empty(0), np.empty(0), nothing, "non_finite")

    monkeypatch.setattr(rust_exec, "ridge_path", refuses)
    same(RidgePath(ALPHAS, True), [x, folds, target(x)], 2)


@pytest.mark.parametrize("name", ["ridge_folds", "ridge_path"])
def test_a_fault_of_the_kernel_is_served_by_the_library(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **more: Any) -> Any:
        error = rust_exec.KernelInternalError("lost")
        error.code = "kernel_panicked"
        raise error

    monkeypatch.setattr(rust_exec, name, broken)
    x, folds = numbers(), folds_of("kfold")
    op: Any = RidgePath(ALPHAS, True)
    fold: int | None = 0
    if name == "ridge_folds":
        op, fold = RidgeFolds(ALPHAS, True, False, True), None
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
    op, inputs = RidgePath((1.0, 2.0), True), [pair, folds, target(numbers())]
    found = RustBackend().run(op, inputs, Context(0))
    np.testing.assert_array_equal(found, PythonBackend().run(op, inputs, Context(0)))
    assert declined == []


def test_missing_values_raise_what_the_library_raises() -> None:
    x, folds = numbers(gaps=0.1), folds_of("kfold")
    inputs = [x, folds, target(x)]
    with pytest.raises(ValueError, match="Input X contains NaN"):
        RustBackend().run(RidgeFolds(ALPHAS, True, False, True), inputs, Context(None))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        RustBackend().run(RidgePath(ALPHAS, True), inputs, Context(0))


def test_predictions_beyond_all_bounds_are_an_error() -> None:
    x, folds = numbers(), folds_of("kfold")
    op = RidgeFolds((1.0,), True, False, True, "log1p")
    with np.errstate(over="ignore"), pytest.raises(ExecutionError) as raised:
        RustBackend().run(op, [x, folds, target(x) * 1e6], Context(None))
    assert raised.value.code == "non_finite_predictions"


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(12, 60),
    columns=st.integers(1, 12),
    splits=st.integers(2, 5),
    gaps=st.sampled_from([0.0, 0.2]),
    scale=st.booleans(),
    alphas=st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=4, unique=True),
    seed=st.integers(0, 10**6),
)
def test_any_shape(
    rows: int, columns: int, splits: int, gaps: float, scale: bool, alphas: list[float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)) * rng.uniform(0.1, 10, columns)
    y = rng.normal(size=rows)
    x[rng.random(x.shape) < gaps] = np.nan
    x[:3] = np.nan_to_num(x[:3])
    folds = list(KFold(splits).split(x))
    same(RidgeFolds(tuple(sorted(alphas)), True, gaps > 0, scale), [x, folds, y])


# -- without the extension --------------------------------------------------------------------


def test_only_groups_are_supported() -> None:
    assert RustBackend().supports(RidgePath(ALPHAS, True))
    assert not RustBackend().supports(Fit(Call("Ridge"), "regression"))


def test_a_missing_extension_leaves_the_python_path(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {**RIDGE, "metrics": ["r2"]}
    wanted = engine.one(spec, cv=CV)["r2"]
    real = builtins.__import__

    def without(name: str, *more: Any, **rest: Any) -> Any:
        if name.partition(".")[0] == "rust_exec":
            raise ImportError("no extension for this platform")
        return real(name, *more, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", without)
        bare = importlib.reload(rust)
        assert not bare.HAS_KERNELS
        assert not bare.RustBackend().supports(RidgePath(ALPHAS, True))
        engine.backends = (
            *(b for b in engine.backends if b.name == "duckdb"), bare.RustBackend(), PythonBackend()
        )  # fmt: skip
        np.testing.assert_allclose(engine.one(spec, cv=CV)["r2"], wanted, rtol=1e-9)
    importlib.reload(rust)
    assert rust.HAS_KERNELS


def test_a_worker_without_the_extension_can_be_imported() -> None:
    code = (
        "import sys; sys.modules['rust_exec'] = None\n"
        "from executor import program\n"
        "from planner.ops import RidgePath\n"
        "op = RidgePath((1.0,), True)\n"
        "print([b.name for b in program.BACKENDS if b.supports(op)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100
    )
    assert done.stdout.strip() == "['python']"
