"""Corrections of estimates: robust, bounded, and nothing without observations."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.corrections import (
    KEPT,
    MOST,
    NO_CORRECTIONS,
    accuracy,
    by_kind,
    size_of,
)
from tests.planner.planning_cases import corrections_of

seconds = st.floats(1e-6, 1e4)
kinds = st.sampled_from(["Fit Ridge", "Fit Lasso", "Encode PCA"])
backends = st.sampled_from(["python", "rust"])
observations = st.lists(st.tuples(kinds, backends, seconds, seconds), max_size=40)


@given(kind=st.text(max_size=5), expected=seconds)
def test_nothing_changes_without_observations(kind: str, expected: float) -> None:
    assert NO_CORRECTIONS.factor(kind, expected) == 1.0
    assert corrections_of([]).factor(kind, expected) == 1.0


@given(observed=observations, kind=kinds, expected=seconds)
def test_factors_are_bounded(
    observed: list[tuple[str, str, float, float]], kind: str, expected: float
) -> None:
    factor = corrections_of(observed).factor(kind, expected)
    assert math.exp(-MOST) * 0.999 <= factor <= math.exp(MOST) * 1.001


@given(observed=observations, kind=kinds, expected=seconds, data=st.data())
def test_a_longer_measurement_never_lowers_an_estimate(
    observed: list[tuple[str, str, float, float]], kind: str, expected: float, data: st.DataObject
) -> None:
    before = corrections_of(observed).factor(kind, expected)
    longer = [
        (k, b, e, m * data.draw(st.sampled_from([1.0, 1.5, 100.0]))) for k, b, e, m in observed
    ]
    assert corrections_of(longer).factor(kind, expected) >= before * (1 - 1e-9)


@given(observed=observations, kind=kinds, expected=seconds)
def test_measurements_as_expected_change_nothing(
    observed: list[tuple[str, str, float, float]], kind: str, expected: float
) -> None:
    exact = [(k, b, max(e, 1e-5), max(e, 1e-5)) for k, b, e, _ in observed]
    assert corrections_of(exact).factor(kind, expected) == pytest.approx(1.0)


@given(ratio=st.floats(0.1, 10), count=st.integers(1, 40))
def test_more_observations_are_believed_more(ratio: float, count: int) -> None:
    few = corrections_of([("Fit Ridge", "python", 1.0, ratio)] * count)
    more = corrections_of([("Fit Ridge", "python", 1.0, ratio)] * (count + 5))
    off = [abs(math.log(c.factor("Fit Ridge", 1.0) / ratio)) for c in (few, more)]
    assert off[1] <= off[0] + 1e-9
    assert off[0] <= abs(math.log(ratio)) + 1e-9


def test_many_observations_are_nearly_the_answer() -> None:
    corrections = corrections_of([("Fit Ridge", "python", 1.0, 3.0)] * 50)
    assert corrections.factor("Fit Ridge", 1.0) == pytest.approx(3.0, rel=0.1)


def test_an_accident_does_not_count() -> None:
    observed = [("Fit Ridge", "python", 1.0, 1.0)] * 20 + [("Fit Ridge", "python", 1.0, 1e3)] * 3
    assert corrections_of(observed).factor("Fit Ridge", 1.0) == pytest.approx(1.0)


def test_sizes_are_told_apart() -> None:
    small, large = 0.01, 10.0
    assert size_of(small) != size_of(large)
    observed = [("Fit SVC", "python", small, small)] * 30
    observed += [("Fit SVC", "python", large, 5 * large)] * 30
    corrections = corrections_of(observed)
    assert corrections.factor("Fit SVC", large) > 3 > corrections.factor("Fit SVC", small)


def test_the_backend_that_runs_it_most_counts() -> None:
    observed = [("RidgeFolds Ridge", "rust", 1.0, 1.0)] * 9
    observed += [("RidgeFolds Ridge", "python", 1.0, 30.0)] * 3
    assert corrections_of(observed).factor("RidgeFolds Ridge", 1.0) == pytest.approx(1.0, rel=0.2)


def test_a_slow_machine_shows_in_kinds_never_seen() -> None:
    kinds = [f"Fit {name}" for name in ("A", "B", "C", "D", "E", "F", "G", "H")]
    corrections = corrections_of((kind, "python", 1.0, 2.0) for kind in kinds for _ in range(9))
    assert corrections.factor("Fit Unseen", 1.0) == pytest.approx(2.0, rel=0.4)
    assert corrections.factor("Fit Unseen", 1.0) > 1.3


def test_the_newest_observations_count() -> None:
    observed = [("Fit Ridge", "python", 1.0, 9.0)] * KEPT + [
        ("Fit Ridge", "python", 1.0, 1.0)
    ] * KEPT
    assert corrections_of(observed).factor("Fit Ridge", 1.0) == pytest.approx(1.0)


def test_accuracy() -> None:
    found = accuracy([(1.0, 1.0), (1.0, 4.0), (2.0, 1.0), (0.0, 1.0), (1.0, 0.0)])
    assert found is not None
    assert (found.count, found.median, found.factor) == (3, 1.0, 2.0)
    assert found.within == pytest.approx(2 / 3)
    assert accuracy([(0.0, 1.0)]) is None


def test_accuracy_by_kind_has_the_dearest_first() -> None:
    found = by_kind([("a", 1.0, 1.0), ("b", 1.0, 9.0), ("a", 1.0, 2.0), ("c", 0.0, 5.0)])
    assert list(found) == ["b", "a"]
    assert found["a"].count == 2
