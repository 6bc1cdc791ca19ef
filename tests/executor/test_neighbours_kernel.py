"""Nearest neighbours by the kernel, against scikit-learn's own searches, to the last bit."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neighbors._base import KNeighborsMixin
from threadpoolctl import threadpool_limits

import rust_exec
from executor.backends import neighbours
from executor.backends.base import Context
from executor.backends.neighbours import kernel_search
from executor.models import FittedModel
from planner.expressions import Call
from planner.ops import Fit
from tests.executor.test_neighbours import MANY, METHODS, Data, compare

SIZES = [1, 2, 7, 30]


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """As in a worker."""
    with threadpool_limits(1):
        yield


def lists(points: Any, asked: Any, sizes: list[int], threads: int = 1, **params: Any) -> Any:
    model = KNeighborsRegressor(sizes[-1], **params).fit(points, np.zeros(points.shape[0]))
    return kernel_search(model, asked, sizes, threads)


def check(points: Any, asked: Any, sizes: list[int], **params: Any) -> None:
    """Distances, neighbours and their order are those of a search for each size."""
    found = lists(points, asked, sizes, **params)
    assert found is not None
    for size, (distances, rows) in found.items():
        model = KNeighborsRegressor(size, **params).fit(points, np.zeros(points.shape[0]))
        wanted = model.kneighbors(asked)
        assert distances.flags.c_contiguous
        assert rows.flags.c_contiguous
        np.testing.assert_array_equal(distances, wanted[0])
        np.testing.assert_array_equal(rows, wanted[1])


def table(kind: str, rows: int, columns: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, columns))
    match kind:
        case "integers":
            return np.round(values)
        case "scaled integers":
            return (np.round(values) - 0.37) / 1.7
        case "duplicates":
            return values[rng.integers(0, rows // 3 + 1, rows)]
        case "one value":
            return np.ones((rows, columns)) * 0.1
        case "far":
            return 1e9 + values * 1e-3
        case "wide":
            return values * np.logspace(-20, 20, columns)
        case "tiny":
            return values * 1e-160
    return values


KINDS = ["plain", "integers", "scaled integers", "duplicates", "one value", "far", "wide", "tiny"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("algorithm", ["brute", "kd_tree"])
@pytest.mark.parametrize(
    ("rows", "asked", "columns"),
    [(700, 300, 6), (513, 257, 20), (300, 1300, 9), (300, 1025, 17), (64, 1, 4), (31, 96, 1)],
)
def test_lists_are_the_librarys(
    kind: str, algorithm: str, rows: int, asked: int, columns: int
) -> None:
    both = table(kind, rows + asked, columns)
    sizes = [size for size in (*SIZES, rows // 2, rows) if size <= rows]
    check(both[:rows], both[rows:], sorted(set(sizes)), algorithm=algorithm)


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    algorithm=st.sampled_from(["brute", "kd_tree"]),
    rows=st.integers(2, 90),
    asked=st.integers(1, 40),
    columns=st.integers(1, 40),
    leaf=st.integers(1, 40),
    seed=st.integers(0, 2**20),
    single=st.booleans(),
)
def test_any_shape(
    kind: str, algorithm: str, rows: int, asked: int, columns: int, leaf: int, seed: int,
    single: bool,
) -> None:  # fmt: skip
    both = table(kind, rows + asked, columns, seed)
    if single:
        both = both.astype(np.float32)
    sizes = sorted({1, rows // 2 or 1, rows})
    check(both[:rows], both[rows:], sizes, algorithm=algorithm, leaf_size=leaf)


@pytest.mark.parametrize("columns", [2, 30, 255, 256])
def test_an_odd_last_row_is_the_librarys(columns: int) -> None:
    both = table("plain", 600 + 257, columns)
    check(both[:600], both[600:], SIZES, algorithm="brute")


@pytest.mark.parametrize("columns", [4, 20])
@pytest.mark.parametrize("kind", ["plain", "integers", "scaled integers", "duplicates", "far"])
@pytest.mark.parametrize("name", ["KNeighborsClassifier", "KNeighborsRegressor"])
def test_predictions_are_equal_to_the_last_bit(name: str, kind: str, columns: int) -> None:
    both = table(kind, 1500, columns)
    y = np.random.default_rng(1).integers(0, 4, 900)
    compare(name, Data(both[:900], both[900:], y), MANY, exact=True)


@pytest.mark.parametrize("name", ["KNeighborsClassifier", "KNeighborsRegressor"])
def test_rows_that_are_training_rows_have_no_distance(name: str) -> None:
    points = np.round(table("plain", 400, 20))
    y = np.random.default_rng(2).integers(0, 3, 400)
    compare(name, Data(points, points[:150], y), MANY, exact=True)


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree"])
def test_threads_change_nothing(algorithm: str) -> None:
    both = table("duplicates", 1600, 8)
    one = lists(both[:900], both[900:], SIZES, 1, algorithm=algorithm)
    two = lists(both[:900], both[900:], SIZES, 3, algorithm=algorithm)
    for size in SIZES:
        for a, b in zip(one[size], two[size], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("both", "params"),
    [
        (table("plain", 200, 257), {"algorithm": "brute"}),  # a BLAS sums it in parts
        (table("plain", 200, 20), {"p": 1}),
        (table("plain", 200, 20), {"p": 3}),
        (table("plain", 200, 20), {"metric": "cosine"}),
        (table("plain", 200, 3), {"algorithm": "ball_tree"}),
        (np.round(table("plain", 200, 20)).astype(np.int64), {}),
        (sp.csr_matrix(table("plain", 200, 20)), {}),
        (table("plain", 200, 20) * 1e160, {"algorithm": "brute"}),
        (table("plain", 200, 6) * 1e160, {"algorithm": "kd_tree"}),
        (table("plain", 200, 6), {"metric": "minkowski", "metric_params": {"w": np.ones(6)}}),
    ],
)
def test_other_searches_are_left_to_the_library(both: Any, params: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lists(both[:150], both[150:], [1, 5], **params) is None


def test_a_tree_of_few_features_and_many_rows_is_faster_than_the_kernel() -> None:
    both = table("plain", 9_000, 2)
    assert lists(both[:8_900], both[8_900:], [1, 5]) is None


def test_several_threads_of_the_library_break_ties_in_another_way() -> None:
    both = table("plain", 1600, 20)
    with threadpool_limits(2):
        assert lists(both[:1500], both[1500:], [1, 5]) is None
        assert lists(both[:50], both[50:], [1, 5], algorithm="brute") is not None


def test_integers_in_a_tree() -> None:
    both = np.random.default_rng(0).integers(-3, 4, (500, 7))
    check(both[:400], both[400:], SIZES)


def test_frames() -> None:
    both = pd.DataFrame(table("plain", 300, 17), columns=[f"ż{place}" for place in range(17)])
    check(both.iloc[:200], both.iloc[200:], SIZES)
    with pytest.raises(ValueError, match="feature names"):
        lists(both.iloc[:200], both.iloc[200:].set_axis(range(17), axis=1).add_prefix("x"), SIZES)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("columns", [4, 20])
def test_gaps_are_an_error_of_the_library(columns: int, bad: float) -> None:
    both = table("plain", 300, columns)
    both[250, 1] = bad
    with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
        lists(both[:200], both[200:], SIZES)


def test_a_fault_of_the_kernel_is_told_and_the_library_searches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: Any, **__: Any) -> Any:
        error = rust_exec.KernelInternalError("no")
        error.code = "kernel_internal"
        raise error

    both = table("plain", 300, 20)
    monkeypatch.setattr(rust_exec, "nearest_brute", fails)
    with pytest.warns(RuntimeWarning, match="kernel_internal"):
        assert lists(both[:200], both[200:], SIZES) is None


def test_one_search_of_the_kernel_serves_all(monkeypatch: pytest.MonkeyPatch) -> None:
    both = table("duplicates", 300, 20)
    y = np.arange(200.0)
    compare("KNeighborsRegressor", Data(both[:200], both[200:], y), MANY)  # after the trial
    asked: list[Any] = []
    kernel = rust_exec.answers_brute

    def noted(*arguments: Any, **named: Any) -> Any:
        asked.append(arguments[4])
        return kernel(*arguments, **named)

    monkeypatch.setattr(rust_exec, "answers_brute", noted)
    compare("KNeighborsRegressor", Data(both[:200], both[200:], y), MANY, exact=True)
    assert asked == [[1, 2, 7, 30]]


@pytest.mark.parametrize("columns", [4, 20])
@pytest.mark.parametrize("weights", ["uniform", "distance", None, lambda found: 1 / (1 + found)])
@pytest.mark.parametrize("kind", [KNeighborsClassifier, KNeighborsRegressor])
def test_a_single_model_searches_with_the_kernel(
    kind: Any, weights: Any, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = table("duplicates", 300, columns)
    y = np.random.default_rng(3).integers(0, 3, 200)
    alone = kind(6, weights=weights).fit(both[:200], y)
    fitted = FittedModel(alone, both[200:], Fit(Call("Any"), "regression"), None, False, None)
    model = neighbours.with_kernel(lambda *_: fitted)(fitted.op, [], Context(0)).estimator
    wanted = [getattr(alone, name)(both[200:]) for name in METHODS[kind.__name__]]
    monkeypatch.setattr(KNeighborsMixin, "kneighbors", None)
    found = [getattr(model, name)(both[200:]) for name in METHODS[kind.__name__]]
    for one, two in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, two)


def test_what_the_kernel_does_not_serve_stays_the_librarys_model() -> None:
    both = table("plain", 100, 20)
    for alone in (KNeighborsRegressor(p=1), KNeighborsRegressor(algorithm="ball_tree"), Ridge()):
        alone.fit(both[:80], np.arange(80.0))
        fitted = FittedModel(alone, both[80:], Fit(Call("Any"), "regression"), None, False, None)
        assert neighbours.with_kernel(lambda *_, f=fitted: f)(fitted.op, [], Context(0)) is fitted


def test_more_neighbours_than_rows_is_an_error_of_that_model_alone() -> None:
    both = table("plain", 60, 20)
    data = Data(both[:40], both[40:], np.arange(40) % 3)
    members = [(size, "distance") for size in (3, 40, 41)]
    for kind in (KNeighborsClassifier, KNeighborsRegressor):
        compare(kind.__name__, data, members, exact=True)


def far_apart(rows: int, columns: int, seed: int) -> np.ndarray:
    """Clusters so far apart that single precision tells nothing within them."""
    rng = np.random.default_rng(seed)
    near = np.round(rng.normal(size=(rows, columns)), rng.integers(0, 3))
    return near + 1e7 * rng.integers(0, 2, (rows, 1))


@settings(max_examples=60, deadline=None)
@given(
    kind=st.sampled_from([*KINDS, "constant columns", "far apart", "descending"]),
    name=st.sampled_from(["KNeighborsClassifier", "KNeighborsRegressor"]),
    algorithm=st.sampled_from(["brute", "kd_tree"]),
    rows=st.integers(3, 400),
    asked=st.sampled_from([1, 2, 11, 12, 13, 191, 192, 193, 385]),
    columns=st.integers(2, 24),
    classes=st.integers(2, 9),
    known=st.booleans(),
    single=st.booleans(),
    seed=st.integers(0, 2**20),
)
def test_answers_are_the_librarys_to_the_last_bit(
    kind: str, name: str, algorithm: str, rows: int, asked: int, columns: int, classes: int,
    known: bool, single: bool, seed: int,
) -> None:  # fmt: skip
    """Means, labels and probabilities: ties in votes, no distance, all points as neighbours."""
    if kind == "far apart":
        both = far_apart(rows + asked, columns, seed)
    else:
        both = table(kind, rows + asked, columns, seed)
    if kind == "constant columns":
        both[:, : columns // 2] = 0.7
        both = np.round(both, 1)
    if kind == "descending":  # each point is nearer than those before
        both[:rows] = both[:rows][np.argsort(-np.abs(both[:rows]).sum(axis=1))]
        both[rows:] *= 1e-3
    if known:
        both[rows:] = both[np.arange(asked) % rows]
    if single and kind != "tiny":
        both = both.astype(np.float32)
    rng = np.random.default_rng(seed)
    y: np.ndarray = rng.normal(size=rows)
    if name == "KNeighborsClassifier":
        y = np.array(["a", "b", "ż", "d", "e", "f", "g", "h", "i"])[rng.integers(0, classes, rows)]
    elif seed % 3 == 0:
        y = rng.integers(-(10**6), 10**6, rows)
    members = [
        (size, weights)
        for size in sorted({1, 2, min(9, rows), rows // 2 or 1, rows})
        for weights in ("uniform", "distance")
    ]
    data = Data(both[:rows], both[rows:], y)
    compare(name, data, members, exact=True, algorithm=algorithm)


@pytest.mark.parametrize("algorithm", ["brute", "kd_tree"])
@pytest.mark.parametrize("kind", [KNeighborsClassifier, KNeighborsRegressor])
def test_threads_do_not_change_answers(kind: Any, algorithm: str) -> None:
    both = table("duplicates", 1600, 8)
    model = kind(30, algorithm=algorithm).fit(both[:900], np.arange(900) % 7)
    members = [(size, weights) for size in SIZES for weights in ("uniform", "distance")]
    one, many = (
        neighbours.kernel_answers(model, both[900:], members, True, threads) for threads in (1, 3)
    )
    assert one is not None
    assert many is not None
    for member in members:
        for a, b in zip(one[member], many[member], strict=True):
            np.testing.assert_array_equal(a, b)


def predicted(model: Any, rows: Any) -> Any:
    fitted = FittedModel(model, rows, Fit(Call("Any"), "regression"), None, False, None)
    run = neighbours.with_kernel(lambda *_: fitted)
    return run(fitted.op, [], Context(0)).estimator.predict(rows)


@pytest.mark.parametrize("y", [np.ones((200, 2)), np.ones(200, np.float32), np.full(200, 2**50)])
def test_other_targets_are_averaged_by_the_library(y: Any) -> None:
    both = table("plain", 300, 20)
    model = KNeighborsRegressor().fit(both[:200], y)
    assert neighbours.kernel_answers(model, both[200:], [(5, "uniform")], False, 1) is None
    found = predicted(model, both[200:])
    np.testing.assert_array_equal(found, model.predict(both[200:]))
