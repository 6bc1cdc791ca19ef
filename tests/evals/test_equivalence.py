"""Scores of kernels that stand in under statistical fidelity, against the libraries'."""

import warnings

import numpy as np
import pytest

from evals.equivalence import MODELS, Row, rows


def row(library: list[float], kernel: list[float]) -> Row:
    return Row("m", "d", "r2", np.array(library), np.array(kernel))


def test_the_same_scores_are_equivalent_and_a_shift_is_not() -> None:
    scores = list(np.random.default_rng(0).normal(0.8, 0.001, 40))
    assert row(scores, scores).equivalent
    assert not row(scores, [score - 0.01 for score in scores]).equivalent
    assert row([0.5, 0.5], [0.5, 0.5]).equivalent
    # Too few seeds show nothing, however close the means are.
    assert not row([0.7, 0.9], [0.7, 0.9]).equivalent
    assert row(scores, [0.8 + 9 * (score - 0.8) for score in scores]).spread_p < 0.01


def test_kernels_score_as_the_libraries_on_a_few_seeds() -> None:
    """No difference that four seeds would show; on bundled and generated data."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = rows(4, [MODELS[0].name, MODELS[1].name])
    assert len(found) == 6
    for one in found:
        assert abs(one.difference) <= one.margin + 3 * one.half_width, one


@pytest.mark.slow
def test_kernels_score_as_the_libraries() -> None:
    """Over twenty seeds no mean differs, at a level that holds for all rows together, by more
    than the margin; and most rows are shown to be within it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = rows(20)
    for one in found:
        assert abs(one.difference) - 1.8 * one.half_width <= one.margin, one
        assert one.spread_p > 0.001, one
    assert sum(one.equivalent for one in found) >= len(found) / 2
