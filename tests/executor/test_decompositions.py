"""PCA of several sizes from one decomposition, against scikit-learn's PCA of each size."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from executor.backends.base import Context
from executor.backends.decompositions import solver
from executor.backends.python import PythonBackend
from planner.expressions import Call, with_params
from planner.ops_encodings import Components, Decomposition

BACKEND = PythonBackend()
CONTEXT = Context(0)


def outcome(ask: Callable[[], Any]) -> Any:
    """The value, or what the error says."""
    try:
        return ask()
    except ValueError as error:
        return str(error)


def variants(train: Any, valid: Any, sizes: list[int], **params: Any) -> tuple[Any, dict[int, Any]]:
    """What was shared, and the pair or the error of each size."""
    call = Call("PCA", tuple(sorted(params.items())))
    folds: Any = [(np.arange(train.shape[0]), np.arange(valid.shape[0]))]
    shared = BACKEND.run(
        Decomposition(call, tuple(sorted(sizes))), [(train, valid), folds], CONTEXT
    )
    found: dict[int, Any] = {}
    for size in sizes:
        op = Components(with_params(call, n_components=size))
        found[size] = outcome(
            lambda op=op: BACKEND.run(op, [shared, (train, valid), folds], CONTEXT)
        )
    return shared, found


def compare(train: Any, valid: Any, sizes: list[int], **params: Any) -> Any:
    """Both sides of every size are the library's to the last bit; what was shared."""
    shared, found = variants(train, valid, sizes, **params)
    for size in sizes:
        model = PCA(n_components=size, **params)
        wanted = outcome(lambda m=model: (m.fit_transform(train), m.transform(valid)))
        if isinstance(wanted, str):
            assert found[size] == wanted
            continue
        for ours, theirs in zip(found[size], wanted, strict=True):
            assert ours.dtype == theirs.dtype
            assert ours.flags.c_contiguous == theirs.flags.c_contiguous
            np.testing.assert_array_equal(ours, theirs)
    return shared


@st.composite
def tables(draw: st.DrawFn) -> tuple[Any, Any]:
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    rows, columns = draw(st.integers(2, 40)), draw(st.integers(1, 8))
    both: Any = rng.normal(size=(rows + 6, columns)) * rng.uniform(0.01, 100, columns)
    kind = draw(st.sampled_from(["plain", "constant", "duplicate", "rows", "integers"]))
    if kind == "constant":
        both[:, 0] = 3
    elif kind == "duplicate":
        both[:, -1] = both[:, 0]
    elif kind == "rows":
        both[1::2] = both[: len(both[1::2])]
    elif kind == "integers":
        both = both.astype(np.int64)
    form = draw(st.sampled_from(["array", "fortran", "single", "frame"]))
    if form == "frame":
        frame = pd.DataFrame(both).rename(columns=str)
        return frame.iloc[:rows], frame.iloc[rows:]
    both = {"array": both, "fortran": np.asfortranarray(both), "single": both.astype("float32")}[
        form
    ]
    return both[:rows], both[rows:]


@pytest.mark.filterwarnings("ignore:invalid value encountered")
@pytest.mark.filterwarnings("ignore:divide by zero")
@settings(max_examples=120, deadline=None)
@given(
    tables(),
    st.lists(st.integers(1, 10), min_size=2, max_size=4, unique=True),
    st.sampled_from(["auto", "full", "covariance_eigh"]),
    st.booleans(),
)
def test_every_size_is_what_the_library_gives(
    table: tuple[Any, Any], sizes: list[int], solver: str, whiten: bool
) -> None:
    compare(*table, sizes, svd_solver=solver, whiten=whiten, random_state=0)


SHAPES = [(300, 20), (300, 40), (450, 60), (600, 100), (600, 59), (600, 60), (40, 90)]


@pytest.mark.parametrize("shape", SHAPES)
def test_the_solver_is_what_the_library_chooses(shape: tuple[int, int]) -> None:
    X = np.random.default_rng(0).normal(size=shape)
    smaller = min(shape)
    for size in (1, int(0.8 * smaller) - 1, int(0.8 * smaller), int(0.8 * smaller) + 1, smaller):
        wanted = PCA(n_components=size, random_state=0).fit(X)._fit_svd_solver
        assert solver(Call("PCA"), size, shape) == wanted
    assert solver(Call("PCA"), smaller + 1, shape) is None


@pytest.mark.parametrize("shape", SHAPES)
def test_sizes_on_both_sides_of_the_choice(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    smaller = min(shape)
    sizes = [3, int(0.8 * smaller) + 1, smaller]
    shared = compare(rng.normal(size=shape), rng.normal(size=(9, shape[1])), sizes, random_state=0)
    assert len(shared) == 5


def test_randomised_solutions_are_left_to_the_library() -> None:
    """They start from as many random directions as are asked for."""
    rng = np.random.default_rng(2)
    train, valid = rng.normal(size=(600, 100)), rng.normal(size=(5, 100))
    assert compare(train, valid, [3, 9, 30], random_state=0) == ()
    large = PCA(9, random_state=0, svd_solver="randomized").fit(train)
    small = PCA(3, random_state=0, svd_solver="randomized").fit(train)
    assert np.abs(large.components_[:3] - small.components_).max() > 1e-6


def test_sparse_features_are_left_to_the_library() -> None:
    X = sp.random_array((60, 8), density=0.3, format="csr", rng=np.random.default_rng(1))
    shared, found = variants(X[:50], X[50:], [2, 3], random_state=0)
    assert shared == ()
    wanted = PCA(2, random_state=0).fit_transform(X[:50])
    np.testing.assert_array_equal(found[2][0], wanted)


def test_names_of_columns_raise_no_warning() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=["ä", "b", "c"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        variants(frame[:20], frame[20:], [1, 2])
