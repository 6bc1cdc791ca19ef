"""Several targets in one call: every member is the library's on a target of its own."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rust_exec import LinearFolds, component_folds, component_path, linear_folds, linear_path
from tests.rust_exec.oracle import (
    Floats,
    Folds,
    Net,
    Options,
    answered,
    assert_right,
    net_array,
)
from tests.rust_exec.oracle import run as run_alone
from tests.rust_exec.test_ridge_folds import KINDS, LAYOUTS, OPTIONS, SPLITS, lay_out, make, split

ALPHAS = [0.0, 1.0, 0.1]
NETS = [Net(0.1, 0.5), Net(0.02)]
MODELS = len(ALPHAS) + len(NETS)
TRANSFORMS: list[Callable[[Floats], Floats]] = [
    lambda y: y,
    lambda y: np.log1p(np.abs(y)),
    lambda y: 1e6 * y + 3,
    np.round,
]


def run(x: Floats, y: Floats, folds: Folds, options: Options, threads: int = 1) -> LinearFolds:
    """Every model for every column of `y`, of which member j has number j % t."""
    t = y.shape[1]
    return linear_folds(
        x,
        y,
        [train for train, _ in folds],
        [valid for _, valid in folds],
        np.repeat(ALPHAS, t),
        np.repeat(net_array(NETS), t, axis=0),
        targets=np.tile(np.arange(t), MODELS),
        threads=threads,
        **vars(options),
    )


def part(result: LinearFolds, k: int, t: int) -> LinearFolds:
    """What target k of t has of the result."""
    return LinearFolds(
        result.coef[:, k::t],
        result.intercept[:, k::t],
        [predictions[:, k::t] for predictions in result.predictions],
        result.descent[:, k::t],
        [reasons[k::t] for reasons in result.declined],
    )


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(KINDS),
    n=st.integers(5, 90),
    p=st.integers(1, 24),
    seed=st.integers(0, 2**32 - 1),
    folds=SPLITS,
    layout=LAYOUTS,
    options=OPTIONS,
    transforms=st.lists(st.sampled_from(TRANSFORMS), min_size=2, max_size=4),
    holes=st.sampled_from([0.0, 0.1]),
)
def test_every_target_is_answered_as_by_the_library(
    kind: str,
    n: int,
    p: int,
    seed: int,
    folds: str,
    layout: str,
    options: Options,
    transforms: list[Callable[[Floats], Floats]],
    holes: float,
) -> None:
    x, base = make(kind, n, p, seed)
    rng = np.random.default_rng(seed)
    if options.impute:
        x[rng.random(x.shape) < holes] = np.nan
    y = np.column_stack([f(base + rng.normal(size=n)) for f in transforms])
    cv = split(folds, n, seed)
    assume(all(len(train) for train, _ in cv))
    result = run(lay_out(x, layout), lay_out(y, layout), cv, options)
    for k in range(y.shape[1]):
        assert_right(part(result, k, y.shape[1]), x, y[:, k], cv, ALPHAS, options, NETS)


def three(n: int = 80, p: int = 6) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, p))
    y = x @ rng.normal(size=(p, 3)) + rng.normal(size=(n, 3))
    return x, y


@pytest.mark.parametrize("folds", ["partition", "hold_outs"])
def test_ordinary_targets_are_all_answered_on_any_number_of_threads(folds: str) -> None:
    x, y = three()
    cv = split(folds, len(x), 0)
    one, two = (run(x, y, cv, Options(scale=True), threads) for threads in (1, 2))
    assert answered(one)
    np.testing.assert_array_equal(one.coef, two.coef)
    for a, b in zip(one.predictions, two.predictions, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e200])
@pytest.mark.parametrize("folds", ["partition", "hold_outs"])
def test_a_bad_value_of_a_target_is_a_matter_of_its_own_members(bad: float, folds: str) -> None:
    """Also where only the validation rows of a fold have it."""
    x, y = three()
    wrong = y.copy()
    wrong[3, 1] = bad
    cv = split(folds, len(x), 0)
    result = run(x, wrong, cv, Options(scale=True))
    alone = run_alone(x, wrong[:, 1], cv, ALPHAS, Options(scale=True), nets=NETS)
    assert {"non_finite"} <= {reason for fold in alone.declined for reason in fold}
    assert part(result, 1, 3).declined == alone.declined
    for k in (0, 2):
        mine = part(result, k, 3)
        assert answered(mine)
        assert_right(mine, x, y[:, k], cv, ALPHAS, Options(scale=True), NETS)


def test_a_member_that_is_declined_leaves_other_targets_alone() -> None:
    """A target that the features explain exactly, beside one that they do not."""
    x, y = three()
    y[:, 0] = x[:, 2]
    cv = split("partition", len(x), 0)
    result = run(x, y, cv, Options())
    assert not answered(part(result, 0, 3))
    for k in (1, 2):
        assert answered(part(result, k, 3))
        assert_right(part(result, k, 3), x, y[:, k], cv, ALPHAS, Options(), NETS)


def test_the_targets_of_one_matrix() -> None:
    x, y = three()
    y[:, 1] = np.nan
    train, valid = slice(0, 60), slice(60, None)
    nets = net_array(NETS[:1])
    targets = np.array([2, 0, 1, 2])
    found = linear_path(
        x[train], y[train], x[valid], np.array([0.0, 1.0, 1.0]), nets, targets=targets
    )
    assert found.declined == [None, None, "non_finite", None]
    members: list[Any] = [0.0, 1.0, 1.0, NETS[0]]
    for j in (0, 1, 3):
        model = Options().pipeline(members[j]).fit(x[train], y[train, targets[j]])
        np.testing.assert_allclose(found.predictions[:, j], model.predict(x[valid]), rtol=1e-9)


def test_components_of_several_targets() -> None:
    x, y = three()
    y[3, 1] = np.nan
    members = np.array([[2.0, 0.0], [0.9, 1.0], [4.0, 1.0]])
    every, targets = np.repeat(members, 3, axis=0), np.tile(np.arange(3), 3)
    cv = split("partition", len(x), 0)
    sides = [train for train, _ in cv], [valid for _, valid in cv]
    together = component_folds(x, y, *sides, every, targets=targets, scale=True)
    rows = slice(4, 60)
    path = component_path(x[rows], y[rows], x[60:], every, targets=targets)
    for k in (0, 2):
        alone = component_folds(x, y[:, [k]], *sides, members, scale=True)
        for fold, predictions in enumerate(alone.predictions):
            assert together.declined[fold][k::3] == alone.declined[fold] == [None] * 3
            np.testing.assert_allclose(
                together.predictions[fold][:, k::3], predictions, rtol=1e-9, atol=1e-12
            )
        one = component_path(x[rows], y[rows, [k]], x[60:], members)
        np.testing.assert_allclose(
            path.predictions[:, k::3], one.predictions, rtol=1e-9, atol=1e-12
        )
    assert [fold[1::3] for fold in together.declined] == [["non_finite"] * 3] * 4


@pytest.mark.parametrize("row", [3, 35])
def test_predictions_that_overflow_are_declined_and_harm_no_other_member(row: int) -> None:
    """The executor relies on it: it does not look for them again."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(60, 3))
    y = x @ [30.0, 2.0, 3.0] + generator.normal(size=60)
    valid = x[:36].copy()
    valid[row, 0] = 1.7e308
    flat = net_array([Net(1e6)])
    found = linear_path(x, y[:, None], valid, np.array([1.0, 1e3]), flat)
    assert found.declined == ["non_finite", "non_finite", None]
    assert np.isnan(found.predictions[:, :2]).all()
    np.testing.assert_allclose(found.predictions[:, 2], y.mean(), rtol=1e-9)
