"""The kernel of components against the libraries' path, and what it leaves to them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

import rust_exec
from executor.backends.base import Context
from executor.backends.python import PythonBackend
from executor.backends.rust import RustBackend
from planner.errors import StratumError
from planner.expressions import Call
from planner.ops_components import ComponentFolds, ComponentMember, ComponentPath
from tests.executor.test_rust_backend import SPLITTERS, folds_of, mixed, numbers, target

LEAST_SQUARES = Call("LinearRegression")
RIDGES = tuple(Call("Ridge", (("alpha", alpha),)) for alpha in (0.01, 30.0))
MEMBERS = tuple(
    ComponentMember(size, model) for size in (1, 3, 0.8, None) for model in (LEAST_SQUARES, *RIDGES)
)


def correlated(gaps: float = 0.0) -> np.ndarray:
    """Columns of like units, for which least squares uses all components."""
    x = numbers(5) / np.logspace(-3, 3, 5)
    x[:, 1] += x[:, 0]
    x[np.random.default_rng(3).random(x.shape) < gaps] = np.nan
    return x


def compare(op: Any, inputs: list[Any], fold: int | None = None) -> list[str | None]:
    """Both backends give the same; why members were declined, fold by fold."""
    found = RustBackend().run(op, inputs, Context(fold))
    wanted = PythonBackend().run(op, inputs, Context(fold))
    declined = []
    pairs = zip(found, wanted, strict=True) if isinstance(found, list) else [(found, wanted)]
    for ours, theirs in pairs:
        for position in range(len(op.members)):
            one, two = ours[position].predictions, theirs[position].predictions
            declined.append(ours[position].declined)
            if isinstance(two, StratumError):
                assert isinstance(one, StratumError)
                assert (one.code, one.message) == (two.code, two.message)
                continue
            np.testing.assert_allclose(one, two, rtol=1e-8, atol=1e-9 * np.abs(two).max())
    return declined


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize(
    ("impute", "scale"), [(False, False), (True, False), (True, True), (False, True)]
)
@pytest.mark.parametrize("whiten", [False, True])
def test_all_folds_at_once(
    splitter: str, masked: bool, impute: bool, scale: bool, whiten: bool
) -> None:
    x = correlated(0.1 if impute else 0.0)
    pca = Call("PCA", (("whiten", True),) if whiten else ())
    op = ComponentFolds(pca, MEMBERS, impute, scale)
    folds = folds_of(splitter, masked)
    assert compare(op, [x, folds, target(x)]) == [None] * len(folds) * len(MEMBERS)


@pytest.mark.parametrize("solver", ["auto", "full", "covariance_eigh"])
def test_one_matrix_per_fold(solver: str) -> None:
    x, folds = correlated(), folds_of("kfold")
    op = ComponentPath(Call("PCA", (("svd_solver", solver),)), MEMBERS)
    pair = (x[folds[1][0]], x[folds[1][1]])
    assert compare(op, [pair, folds, target(x)], 1) == [None] * len(MEMBERS)
    assert compare(op, [pd.DataFrame(x), folds, target(x)], 2) == [None] * len(MEMBERS)


def test_tables_of_booleans_and_integers() -> None:
    frame = mixed()
    op = ComponentFolds(Call("PCA"), MEMBERS[:6], False, True)
    y = target(frame.to_numpy(dtype=float))
    assert set(compare(op, [frame, folds_of("shuffled"), y])) == {None}


@pytest.mark.parametrize("function", ["log1p", "sqrt"])
def test_predictions_undo_the_transform_of_the_target(function: str) -> None:
    x, folds = correlated(), folds_of("kfold")
    y = getattr(np, function)(np.abs(target(x)))
    op = ComponentFolds(Call("PCA"), MEMBERS, False, True, (function,))
    assert set(compare(op, [x, folds, y])) == {None}


def test_what_the_kernel_declines_is_solved_by_the_library() -> None:
    """Two columns of equal variance and nothing in common: their first component is anything."""
    angle = 2 * np.pi * np.arange(80) / 80
    x = np.column_stack([np.cos(angle), np.sin(angle), 0.5 * np.cos(2 * angle)])
    folds = [(np.arange(80), np.arange(80))]
    members = tuple(ComponentMember(size, RIDGES[0]) for size in (1, 2, 3))
    op = ComponentFolds(Call("PCA"), members, False, False)
    y = x.sum(axis=1) + np.random.default_rng(0).normal(size=80)
    assert compare(op, [x, folds, y]) == ["small_gap", None, None]


def test_a_size_beyond_all_columns_fails_alone() -> None:
    x, folds = correlated(), folds_of("kfold")
    members = tuple(ComponentMember(size, RIDGES[0]) for size in (2, 6, 3))
    for op, fold in (
        (ComponentFolds(Call("PCA"), members, False, True), None),
        (ComponentPath(Call("PCA"), members), 0),
    ):
        assert set(compare(op, [x, folds, target(x)], fold)) == {None, "too_many_components"}
        found: Any = RustBackend().run(op, [x, folds, target(x)], Context(fold))
        error = (found[0] if isinstance(found, list) else found)[1].predictions
        assert isinstance(error, StratumError)
        assert error.code == "too_few_features"


def test_missing_values_fail_as_in_the_library() -> None:
    x, folds = correlated(0.1), folds_of("kfold")
    for backend in (RustBackend(), PythonBackend()):
        for op, fold in (
            (ComponentFolds(Call("PCA"), MEMBERS, False, True), None),
            (ComponentPath(Call("PCA"), MEMBERS), 0),
        ):
            with pytest.raises(ValueError, match="PCA does not accept missing values"):
                backend.run(op, [x, folds, target(x)], Context(fold))


@pytest.mark.parametrize("name", ["component_folds", "component_path"])
def test_a_fault_of_the_kernel_is_served_by_the_library(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any, **more: Any) -> Any:
        error = rust_exec.KernelInternalError("lost")
        error.code = "kernel_panicked"
        raise error

    monkeypatch.setattr(rust_exec, name, broken)
    x, folds = correlated(), folds_of("kfold")
    op: Any = ComponentPath(Call("PCA"), MEMBERS)
    fold: int | None = 0
    if name == "component_folds":
        op, fold = ComponentFolds(Call("PCA"), MEMBERS, False, True), None
    with pytest.warns(RuntimeWarning, match=r"components failed \(kernel_panicked\)"):
        assert set(compare(op, [x, folds, target(x)], fold)) == {"failed"}


@pytest.mark.parametrize(
    "make",
    [sp.csr_matrix, lambda x: x.astype(np.float32), lambda x: x.astype(object)],
    ids=["sparse", "single", "objects"],
)
def test_other_matrices_go_to_the_library(make: Callable[[np.ndarray], Any]) -> None:
    x, folds = correlated(), folds_of("kfold")
    block = make(np.round(x, 1))
    pair = (block[folds[0][0]], block[folds[0][1]])
    pca = Call("PCA", (("svd_solver", "covariance_eigh"),))
    members = tuple(member for member in MEMBERS if member.size in (1, 3))
    op, inputs = ComponentPath(pca, members), [pair, folds, target(x)]
    found = RustBackend().run(op, inputs, Context(0))
    wanted = PythonBackend().run(op, inputs, Context(0))
    for position in range(len(members)):
        one, two = found[position], wanted[position]
        np.testing.assert_array_equal(one.predictions, two.predictions)
        assert one.declined is None
