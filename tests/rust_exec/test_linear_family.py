"""Least squares and elastic nets over folds: whatever is not declined agrees with scikit-learn."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import ElasticNet
from sklearn.model_selection import KFold

from rust_exec import linear_path
from tests.rust_exec.oracle import Net, Options, answered, assert_agrees, net_array, run
from tests.rust_exec.test_ridge_folds import KINDS, LAYOUTS, OPTIONS, SPLITS, lay_out, make, split

NETS = st.lists(
    st.builds(
        Net,
        st.floats(-5, 1).map(lambda e: 10.0**e),
        st.sampled_from([1e-3, 0.1, 0.5, 0.99, 1.0]),
        st.sampled_from([1e-2, 1e-4, 1e-6, 1e-9]),
        st.sampled_from([1, 2, 5, 60, 300]),
    ),
    max_size=4,
)
# Least squares, and company that must not suffer from its refusal.
CLOSED = st.sampled_from([[0.0], [0.0, 1.0], []])


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(KINDS),
    n=st.integers(5, 90),
    p=st.integers(1, 24),
    seed=st.integers(0, 2**32 - 1),
    folds=SPLITS,
    layout=LAYOUTS,
    closed=CLOSED,
    nets=NETS,
    options=OPTIONS,
    holes=st.sampled_from([0.0, 0.02, 0.3]),
)
def test_whatever_is_answered_is_scikit_learns(
    kind: str,
    n: int,
    p: int,
    seed: int,
    folds: str,
    layout: str,
    closed: list[float],
    nets: list[Net],
    options: Options,
    holes: float,
) -> None:
    x, y = make(kind, n, p, seed)
    if options.impute:
        x[np.random.default_rng(seed).random(x.shape) < holes] = np.nan
    cv = split(folds, n, seed)
    assume((closed or nets) and all(len(train) for train, _ in cv))
    assert_agrees(lay_out(x, layout), y, cv, closed, options, nets)


def test_a_ridge_beside_least_squares_of_fewer_directions_is_probed_by_itself() -> None:
    """One row far out: least squares leaves the other directions out, the ridge does not."""
    x, y = make("outlier", 64, 11, 17328618)
    cv = split("partition", 64, 17328618)
    assert_agrees(x, y, cv, [0.0, 1.0], Options(impute=False, scale=False, fit_intercept=False))


@pytest.mark.parametrize("folds", ["partition", "shuffled_partition", "hold_outs", "bootstrap"])
def test_least_squares_of_units_far_apart_keeps_its_digits(folds: str) -> None:
    """Half of the directions are left out, and the smallest of the others is in small units."""
    x, y = make("scales", 23, 6, 1819999)
    cv = split(folds, 23, 1819999)
    options = Options(impute=False, scale=False, fit_intercept=False)
    assert answered(assert_agrees(x, y, cv, [0.0], options))


def test_values_imputed_far_from_zero_round_in_the_library() -> None:
    """Means of a thousand million are rounded to 1e-7, next to values that differ by one."""
    x, y = make("offsets", 40, 24, 239590)
    x[np.random.default_rng(239591).random(x.shape) < 0.3] = np.nan
    options = Options(impute=True, scale=True)
    cv = split("one_row_each", 40, 239590)
    result = assert_agrees(x, y, cv, [1.0], options, [Net(0.1, 0.5)])
    assert ["ill_conditioned"] * 2 in result.declined


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    n=st.integers(60, 300),
    p=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
    nets=NETS.filter(bool),
    options=OPTIONS,
    factor=st.sampled_from([1e-3, 1.0, 1e3]),
)
def test_ordinary_data_are_not_declined(
    n: int, p: int, seed: int, nets: list[Net], options: Options, factor: float
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * factor
    if not options.scale:
        x /= factor
    y = factor * (rng.normal(size=n) + rng.normal(size=(n, p)) @ rng.normal(size=p))
    # The gap of a tolerance that small is rounding.
    nets = [net for net in nets if net.tol > 1e-9 and net.max_iter > 1]
    result = assert_agrees(x, y, split("partition", n, seed), [0.0], options, nets)
    assert answered(result)


@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("load", [load_diabetes, load_breast_cancer])
def test_bundled_data(load: object, scale: bool) -> None:
    assert callable(load)
    x, y = load(return_X_y=True)
    nets = [Net(alpha, ratio) for alpha in (0.01, 0.1, 1.0) for ratio in (0.2, 1.0)]
    folds = list(KFold(4, shuffle=True, random_state=0).split(x))
    result = assert_agrees(x, y.astype(np.float64), folds, [0.1], Options(scale=scale), nets)
    assert answered(result)


def test_a_penalty_below_the_rounding_of_the_slopes_is_left_to_the_library() -> None:
    """Whether the dual point is feasible, and with it the gap, is then a matter of rounding."""
    x, y = make("plain", 60, 3, 0)
    result = run(x, y * 1e90, split("partition", 60, 0), [], Options(), nets=[Net(1.0, 0.5)])
    assert result.declined == [["borderline"]] * 4


def test_too_few_rounds_give_what_the_library_gives_with_its_warning() -> None:
    x, y = make("low_rank", 80, 10, 1)
    nets = [Net(1e-4, 1.0, 1e-8, rounds) for rounds in (1, 2, 3, 40)]
    result = assert_agrees(x, y, split("partition", 80, 0), [], Options(scale=True), nets)
    assert answered(result)
    assert (result.descent[:, :, 1] > result.descent[:, :, 2]).all()


def test_a_penalty_that_leaves_nothing_needs_no_round() -> None:
    x, y = make("plain", 60, 4, 0)
    result = assert_agrees(x, y, split("partition", 60, 0), [], Options(), [Net(1e9)])
    assert answered(result)
    assert (result.descent[:, 0, 0] == 0).all()
    assert (result.coef == 0).all()


def test_least_squares_leaves_constant_columns_out_as_the_library_does() -> None:
    x, y = make("plain", 60, 4, 0)
    for value in (0.0, 1.0, -3e4):
        constant = np.column_stack([x, np.full(60, value)])
        for scale in (False, True):
            result = assert_agrees(
                constant, y, split("partition", 60, 0), [0.0], Options(scale=scale)
            )
            assert answered(result)
            assert (result.coef[:, :, -1] == 0).all()
    # So large that its rounding could count as a direction of its own.
    huge = np.column_stack([x * 1e-9, np.full(60, 1e9 / 3)])
    declined = run(huge, y, split("partition", 60, 0), [0.0], Options()).declined
    assert declined == [["constant_column"]] * 4


@pytest.mark.parametrize(
    ("exponent", "reason"), [(-4.5, None), (-6.0, "rank_deficient"), (-7.5, None), (-12, None)]
)
def test_least_squares_keeps_the_directions_that_the_library_keeps(
    exponent: float, reason: str | None
) -> None:
    """LinearRegression drops singular values below a millionth of the greatest; near that bound
    rounding decides."""
    x, y = make("plain", 60, 3, 0)
    x[:, 0] *= 10.0**exponent
    result = assert_agrees(x, y, split("partition", 60, 0), [0.0], Options())
    assert result.declined == [[reason]] * 4
    # Standardised, the units do not matter.
    assert answered(assert_agrees(x, y, split("partition", 60, 0), [0.0], Options(scale=True)))


def test_least_squares_of_dependent_columns_is_that_of_least_norm() -> None:
    for kind in ("duplicate", "dummies"):
        x, y = make(kind, 80, 6, 3)
        y = y + np.random.default_rng(0).normal(size=80)
        for scale in (False, True):
            result = assert_agrees(x, y, split("partition", 80, 0), [0.0], Options(scale=scale))
            assert answered(result)
            # Also where a validation row is of a kind that no training row is of.
            x[:20] = 0
            x[:20, 2] = 1
            assert_agrees(x, y, split("partition", 80, 0), [0.0], Options(scale=scale))


def test_least_squares_of_more_features_than_rows() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 60)), rng.normal(size=40)
    for scale in (False, True):
        result = assert_agrees(x, y, split("partition", 40, 0), [0.0], Options(scale=scale))
        assert answered(result)


def test_collinear_columns_are_no_matter_to_nets() -> None:
    for kind in ("duplicate", "dummies", "constant", "constant_in_training"):
        x, y = make(kind, 80, 6, 3)
        y = y + np.random.default_rng(0).normal(size=80)
        nets = [Net(0.01, 0.5), Net(0.1)]
        result = assert_agrees(x, y, split("partition", 80, 0), [0.0, 1.0], Options(), nets)
        assert answered(result), kind


def test_a_constant_target_is_left_to_the_library() -> None:
    """Its squares are zero but for rounding, and so is the gap to reach."""
    x, _ = make("plain", 60, 3, 0)
    result = run(x, np.full(60, 0.1), split("partition", 60, 0), [], Options(), nets=[Net(0.1)])
    assert result.declined == [["borderline"]] * 4


def test_a_tolerance_of_zero_is_left_to_the_library() -> None:
    x, y = make("plain", 60, 3, 0)
    net = Net(0.01, 1.0, 0.0, 10**9)
    result = run(x, y, split("partition", 60, 0), [], Options(), nets=[net])
    assert result.declined == [["borderline"]] * 4


def test_threads_do_not_change_a_bit() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40_000, 3)), rng.normal(size=40_000)
    folds = split("partition", 40_000, 0)
    nets = [Net(0.001), Net(0.002, 0.5)]
    one, two = (run(x, y, folds, [0.0], Options(), threads, nets) for threads in (1, 2))
    np.testing.assert_array_equal(one.coef, two.coef)
    for a, b in zip(one.predictions, two.predictions, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("fit_intercept", [False, True])
def test_path_agrees_with_elastic_net(fit_intercept: bool) -> None:
    x, y = load_diabetes(return_X_y=True)
    train, valid = slice(0, 300), slice(300, None)
    nets = [Net(0.05), Net(0.001, 0.3)]
    path = linear_path(
        x[train],
        y[train, None],
        np.asfortranarray(x[valid]),
        np.array([0.0]),
        net_array(nets),
        fit_intercept=fit_intercept,
    )
    assert path.declined == [None] * 3
    assert path.predictions.flags.f_contiguous
    for j, net in enumerate(nets, start=1):
        model = ElasticNet(**vars(net), fit_intercept=fit_intercept).fit(x[train], y[train])
        assert path.descent[j, 0] == model.n_iter_
        np.testing.assert_allclose(path.predictions[:, j], model.predict(x[valid]), rtol=1e-9)
        np.testing.assert_allclose(path.coef[j], model.coef_, rtol=1e-7, atol=1e-9)
