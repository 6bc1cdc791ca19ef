"""Linear models on the components of one decomposition, against scikit-learn's pipelines."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression, Ridge

from executor.backends.base import Context
from executor.backends.python import PythonBackend
from executor.backends.rust import RustBackend
from planner.errors import StratumError
from planner.expressions import Call
from planner.ops import Member
from planner.ops_components import ComponentMember, ComponentPath

BACKEND = PythonBackend()
CONTEXT = Context(0)


def answers(
    train: np.ndarray,
    valid: np.ndarray,
    y: np.ndarray,
    members: list[tuple[int, Any]],
    **params: Any,
) -> list[Any]:
    """Predictions of every member, or the code of its error; alpha 0 is least squares."""
    pca = Call("PCA", tuple(sorted(params.items())))
    folds: Any = [(np.arange(len(y)), np.arange(len(valid)))]
    calls = [(size, Call("Ridge", (("alpha", a),)) if a else Call("LinearRegression"))
             for size, a in members]  # fmt: skip
    op = ComponentPath(pca, tuple(ComponentMember(*call) for call in calls))
    found = BACKEND.run(op, [(train, valid), folds, y], CONTEXT)
    values = []
    for index in range(len(members)):
        try:
            values.append(BACKEND.run(Member(index), [found], CONTEXT)[0])
        except StratumError as error:
            values.append(error.code)
    return values


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**20),
    st.integers(4, 60),
    st.integers(2, 7),
    st.sampled_from(["plain", "constant", "duplicate", "nearly", "far"]),
    st.sampled_from(["auto", "full", "covariance_eigh"]),
    st.booleans(),
    st.lists(
        st.tuples(st.integers(1, 8), st.sampled_from([0, 1e-4, 1.0, 1e3])),
        min_size=2, max_size=6, unique=True,
    ),
)  # fmt: skip
def test_predictions_are_those_of_the_library(
    seed: int,
    rows: int,
    columns: int,
    kind: str,
    solver: str,
    whiten: bool,
    members: list[tuple[int, float]],
) -> None:
    rng = np.random.default_rng(seed)
    both = rng.normal(size=(rows + 5, columns)) * 10 ** rng.uniform(-2, 2, columns)
    if kind == "constant":
        both[:, 0] = 7
    elif kind in ("duplicate", "nearly"):
        both[:, -1] = both[:, 0] * (1 + (kind == "nearly") * 1e-7 * rng.normal(size=rows + 5))
    elif kind == "far":
        both += 1e4
    train, valid, y = both[:rows], both[rows:], both[:rows].sum(axis=1) + rng.normal(size=rows)
    params = {"svd_solver": solver, "whiten": whiten, "random_state": 0}
    found = answers(train, valid, y, members, **params)
    for (size, alpha), ours in zip(members, found, strict=True):
        if size > min(train.shape):
            assert ours == "too_few_features"
            continue
        pca = PCA(size, **params)
        model = Ridge(alpha) if alpha else LinearRegression()
        theirs = model.fit(pca.fit_transform(train), y).predict(pca.transform(valid))
        scale = np.abs(theirs).max() + np.abs(y).max()
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9 * scale)


def test_a_size_of_another_solver_is_solved_by_itself() -> None:
    """A complete decomposition for 55 of 60 components, a randomised one for 5."""
    rng = np.random.default_rng(0)
    train, valid, y = rng.normal(size=(600, 60)), rng.normal(size=(4, 60)), rng.normal(size=600)
    small, _, large = answers(train, valid, y, [(5, 1.0), (55, 1.0), (60, 1.0)], random_state=0)
    for size, ours in ((5, small), (60, large)):
        pca = PCA(size, random_state=0)
        theirs = Ridge(1.0).fit(pca.fit_transform(train), y).predict(pca.transform(valid))
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_predictions_that_are_not_finite_are_refused() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)), rng.normal(size=30) + 1e3
    folds = [(np.arange(30), np.arange(30))]
    members = tuple(ComponentMember(size, Call("LinearRegression")) for size in (1, 2))
    for backend in (BACKEND, RustBackend()):
        group = ComponentPath(Call("PCA"), members, ("log1p",))
        with np.errstate(over="ignore"):
            found = backend.run(group, [(X, X), folds, y], CONTEXT)
        with pytest.raises(StratumError, match="NaN or infinite"):
            BACKEND.run(Member(1), [found], CONTEXT)
