"""Blends and out-of-fold features against plain NumPy on any members, weights and folds."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from executor.backends.base import Context
from executor.backends.python import PythonBackend
from planner.blend_members import proportions
from planner.errors import DataError
from planner.ops_blend import Blend, OutOfFold

Array = np.ndarray[Any, Any]
HERE = Context(0)


def run(op: Any, *inputs: Any) -> Any:
    return PythonBackend().run(op, inputs, HERE)


def proba(rng: np.random.Generator, rows: int, classes: Array) -> tuple[Array, str, Array]:
    raw = rng.random((rows, len(classes))) + 1e-3
    return raw / raw.sum(axis=1, keepdims=True), "predict_proba", classes


@st.composite
def blends(draw: st.DrawFn) -> tuple[Blend, list[Array]]:
    how = draw(st.sampled_from(["mean", "rank_mean"]))
    counts = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    rows = draw(st.integers(1, 12))
    number = st.integers(-3, 3).map(float) | st.floats(-1e6, 1e6, width=32)
    values = [
        np.array(draw(st.lists(number, min_size=rows, max_size=rows))) for _ in range(sum(counts))
    ]
    weights: tuple[float, ...] = ()
    if draw(st.booleans()):
        given_weights = draw(st.lists(st.floats(0.01, 100), min_size=len(counts),
                                      max_size=len(counts)))  # fmt: skip
        weights = tuple(np.array(given_weights) / np.sum(given_weights))
    return Blend(how, tuple(counts), weights, "predict"), values


@settings(max_examples=150, deadline=None)
@given(blends())
def test_any_blend_of_values(case: tuple[Blend, list[Array]]) -> None:
    op, values = case
    found, method, classes = run(op, None, *[(v, "predict", None) for v in values])
    members, start = [], 0
    for count in op.counts:
        mean = sum(values[start : start + count]) / count
        members.append(rankdata(mean) / len(mean) if op.how == "rank_mean" else mean)
        start += count
    weights = op.weights or [1 / len(members)] * len(members)
    wanted = sum(w * member for w, member in zip(weights, members, strict=True))
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-6)
    assert (method, classes) == ("predict", None)
    if op.how == "rank_mean":
        assert (found > 0).all()
        assert (found <= 1 + 1e-12).all()


def test_labels_are_those_of_the_greatest_mean() -> None:
    classes = np.array(["a", "b", "c"], dtype=object)
    one = (np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7]]), "predict_proba", classes)
    two = (np.array([[0.1, 0.8, 0.1], [0.2, 0.2, 0.6]]), "predict_proba", classes)
    labels, method, _ = run(Blend("mean", (1, 1), (), "predict"), None, one, two)
    assert labels.tolist() == ["b", "c"]
    assert method == "predict"
    labels, _, _ = run(Blend("mean", (1, 1), (0.9, 0.1), "predict"), None, one, two)
    assert labels.tolist() == ["a", "c"]


def test_single_precision_is_combined_in_double() -> None:
    values = np.array([1 / 3, 2 / 3], dtype=np.float32)
    found, _, _ = run(Blend("mean", (1, 1), (), "predict"), None, *[(values, "predict", None)] * 2)
    assert found.dtype == np.float64
    assert found.tolist() == values.astype(np.float64).tolist()


def test_ranks_of_probabilities_and_decisions() -> None:
    classes = np.array([0, 1])
    sure = (np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.4, 0.6]]), "predict_proba", classes)
    far = (np.array([-30.0, 4.0, 2000.0, 3.0]), "decision_function", classes)
    op = Blend("rank_mean", (1, 1), (), "decision_function")
    found, method, _ = run(op, None, sure, far)
    np.testing.assert_allclose(found, [1 / 4, (4 + 3) / 8, (2.5 + 4) / 8, (2.5 + 2) / 8])
    assert method == "decision_function"


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(1, 9), min_size=2, max_size=4))
def test_equal_sums_of_ranks_stay_equal(seed: int, weights: list[int]) -> None:
    """In proportion, as a script that leaves ranks and weights whole would have it."""
    rng = np.random.default_rng(seed)
    members = [rng.permutation(30).astype(float) for _ in weights]
    op = Blend("rank_mean", (1,) * len(weights), proportions([w / 10 for w in weights]), "predict")
    found, _, _ = run(op, None, *[(values, "predict", None) for values in members])
    sums = sum(w * rankdata(values) for w, values in zip(weights, members, strict=True))
    np.testing.assert_array_equal(rankdata(found), rankdata(sums))


def test_members_that_lack_a_class() -> None:
    """Of a class that a member has not seen it says nothing."""
    one = (np.array([[0.25, 0.75]]), "predict_proba", np.array([1, 2]))
    two = (np.array([[0.5, 0.25, 0.25]]), "predict_proba", np.array([1, 2, 5]))
    found, _, classes = run(Blend("mean", (1, 1), (), "predict_proba"), None, one, two)
    assert classes.tolist() == [1, 2, 5]
    np.testing.assert_allclose(found, [[0.375, 0.5, 0.125]])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 4), st.integers(1, 3), st.booleans())
def test_out_of_fold_rows_are_where_they_belong(
    seed: int, k: int, members: int, seeds: bool
) -> None:
    rng = np.random.default_rng(seed)
    parts = np.array_split(rng.permutation(17), k)
    folds = [(np.setdiff1d(np.arange(17), part), part) for part in parts]
    counts = tuple(1 + (seeds and i == 0) for i in range(members))
    whole = rng.random((sum(counts), 17))
    answers = [(row[part], "predict", None) for row in whole for part in parts]
    found = run(OutOfFold(counts, "regression"), folds, *answers)
    wanted = whole if counts[0] == 1 else np.vstack([whole[:2].mean(axis=0), whole[2:]])
    np.testing.assert_allclose(found, wanted.T, rtol=1e-12)


def test_out_of_fold_classes() -> None:
    """A fold whose model lacks a class has 0 there; a binary task has one column a member."""
    folds = [(np.array([2, 3]), np.array([0, 1])), (np.array([0, 1]), np.array([2, 3]))]
    rng = np.random.default_rng(0)
    first, second = proba(rng, 2, np.array(["a", "c"])), proba(rng, 2, np.array(["a", "b", "c"]))
    found = run(OutOfFold((1,), "multiclass"), folds, first, second)
    np.testing.assert_array_equal(found[:2], np.insert(first[0], 1, 0.0, axis=1))
    np.testing.assert_array_equal(found[2:], second[0])
    first, second = proba(rng, 2, np.array([0, 1])), proba(rng, 2, np.array([0, 1]))
    found = run(OutOfFold((1, 1), "binary"), folds, first, second, second, first)
    np.testing.assert_array_equal(found[:2], np.column_stack([first[0][:, 1], second[0][:, 1]]))


def test_rows_outside_of_all_folds_have_no_prediction() -> None:
    folds = [(np.array([2]), np.array([4])), (np.array([4]), np.array([2]))]
    answers = [(np.array([7.0]), "predict", None), (np.array([8.0]), "predict", None)]
    found = run(OutOfFold((1,), "regression"), folds, *answers)
    assert found[[4, 2], 0].tolist() == [7.0, 8.0]


@pytest.mark.parametrize(
    "folds",
    [
        [(np.array([0, 1]), np.array([2])), (np.array([0, 2]), np.array([1]))],  # 0: never
        [(np.array([0]), np.array([1, 2])), (np.array([1]), np.array([0, 2]))],  # 2: twice
    ],
)
def test_folds_that_are_no_partition(folds: Any) -> None:
    answers = [(np.zeros(len(valid)), "predict", None) for _, valid in folds]
    with pytest.raises(DataError, match="stack_needs_partition"):
        run(OutOfFold((1,), "regression"), folds, *answers)
