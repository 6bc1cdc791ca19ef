"""Linear models on components over folds: whatever is not declined agrees with scikit-learn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from rust_exec import ComponentFolds, component_folds, component_path
from tests.rust_exec.oracle import Floats, Folds
from tests.rust_exec.test_ridge_folds import KINDS, LAYOUTS, PROPERTY, SPLITS, lay_out, make, split

Member = tuple[float, float]
PROMISE = 1e-9


def pipeline(size: float, alpha: float, options: dict[str, Any]) -> Pipeline:
    """The library's own; a size of 1 and more is a number of components."""
    steps: list[Any] = [SimpleImputer()] if options.get("impute") else []
    steps += [StandardScaler()] if options.get("scale") else []
    components = int(size) if size >= 1 else size
    steps.append(
        PCA(components, whiten=options.get("whiten", False), random_state=0,
            svd_solver=options.get("solver", "auto"))
    )  # fmt: skip
    return make_pipeline(*steps, Ridge(alpha) if alpha else LinearRegression())


def run(
    x: Floats, y: Floats, folds: Folds, members: Sequence[Member], threads: int = 1, **options: Any
) -> ComponentFolds:
    train, valid = [train for train, _ in folds], [valid for _, valid in folds]
    array = np.array(members, dtype=np.float64)
    return component_folds(x, y[:, None], train, valid, array, threads=threads, **options)


def assert_agrees(
    x: Floats, y: Floats, folds: Folds, members: Sequence[Member], **options: Any
) -> ComponentFolds:
    """Every model that is not declined has scikit-learn's mean squared error to 1e-9 of itself,
    and its coefficients say what its predictions do."""
    result = run(x, y, folds, members, **options)
    assert result.coef.shape == (len(folds), len(members), x.shape[1])
    assert result.intercept.shape == (len(folds), len(members))
    for k, (train, valid) in enumerate(folds):
        assert result.predictions[k].shape == (len(valid), len(members))
        for m, (size, alpha) in enumerate(members):
            predictions = result.predictions[k][:, m]
            if result.declined[k][m] is not None:
                assert np.isnan(predictions).all()
                assert np.isnan(result.coef[k, m]).all()
                assert np.isnan(result.intercept[k, m])
                continue
            model = pipeline(size, alpha, options).fit(x[train], y[train])
            wanted = np.mean((model.predict(x[valid]) - y[valid]) ** 2)
            found = np.mean((predictions - y[valid]) ** 2)
            assert abs(found - wanted) <= PROMISE * wanted, (k, size, alpha)
            rows = x[valid]
            if options.get("impute"):
                rows = np.where(np.isnan(rows), np.nanmean(x[train], axis=0), rows)
            by_hand = rows @ result.coef[k, m] + result.intercept[k, m]
            scale = np.nanmax(np.abs(x), axis=0) @ np.abs(result.coef[k, m])
            error = np.abs(by_hand - predictions)
            assert (error <= 1e-13 * (scale + abs(result.intercept[k, m])) + 1e-300).all()
    return result


def reasons(result: ComponentFolds) -> set[str | None]:
    return {reason for fold in result.declined for reason in fold}


SIZES = st.one_of(st.integers(1, 12).map(float), st.floats(0.05, 0.999))
ALPHAS = st.one_of(st.just(0.0), st.floats(-6, 6).map(lambda exponent: 10.0**exponent))
OPTIONS = st.fixed_dictionaries(
    {
        "impute": st.booleans(),
        "scale": st.booleans(),
        "whiten": st.booleans(),
        "solver": st.sampled_from(["auto", "covariance_eigh", "full"]),
    }
)


@settings(PROPERTY, max_examples=150)
@given(
    kind=st.sampled_from(KINDS),
    n=st.integers(5, 120),
    p=st.integers(1, 12),
    seed=st.integers(0, 2**32 - 1),
    folds=SPLITS,
    layout=LAYOUTS,
    members=st.lists(st.tuples(SIZES, ALPHAS), min_size=1, max_size=5),
    options=OPTIONS,
    holes=st.sampled_from([0.0, 0.02, 0.3]),
)
def test_answers_agree_with_scikit_learn(
    kind: str,
    n: int,
    p: int,
    seed: int,
    folds: str,
    layout: str,
    members: list[Member],
    options: dict[str, Any],
    holes: float,
) -> None:
    x, y = make(kind, n, p, seed)
    if options["impute"]:
        x[np.random.default_rng(seed + 1).random((n, p)) < holes] = np.nan
    chosen = [fold for fold in split(folds, n, seed) if len(fold[0]) > 1 and len(fold[1])]
    assume(chosen)
    assert_agrees(lay_out(x, layout), y, chosen, members, **options)


def spectrum(n: int, lengths: Sequence[float], seed: int) -> Floats:
    """(n, p) centred rows whose singular values are exactly in these proportions."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, len(lengths)))
    left, _ = np.linalg.qr(x - x.mean(axis=0))
    right, _ = np.linalg.qr(rng.normal(size=(len(lengths), len(lengths))))
    return np.asarray(left * np.asarray(lengths) @ right.T * np.sqrt(n))


@settings(PROPERTY, max_examples=150)
@given(
    n=st.integers(60, 300),
    p=st.integers(2, 10),
    seed=st.integers(0, 2**32 - 1),
    gap=st.floats(-13, -1).map(lambda exponent: 10.0**exponent),
    whiten=st.booleans(),
    alpha=ALPHAS,
)
def test_lengths_that_are_close_agree_or_are_declined(
    n: int, p: int, seed: int, gap: float, whiten: bool, alpha: float
) -> None:
    lengths = np.linspace(2, 1, p)
    lengths[1] = lengths[0] * (1 - gap)
    x = spectrum(n, lengths, seed)
    rng = np.random.default_rng(seed)
    y = x @ rng.normal(size=p) + rng.normal(size=n)
    whole = [(np.arange(n), np.arange(n))]
    result = assert_agrees(x, y, whole, [(1, alpha), (2, alpha)], whiten=whiten)
    if gap < 1e-12:
        assert result.declined[0][0] is not None
    if gap > 1e-5:
        assert result.declined == [[None, None]]
    assert result.declined[0][1] is None


@pytest.mark.parametrize("folds", ["partition", "shuffled_partition", "hold_outs", "growing"])
@pytest.mark.parametrize("impute", [False, True])
@pytest.mark.parametrize("scale", [False, True])
@pytest.mark.parametrize("whiten", [False, True])
def test_ordinary_data_are_not_declined(
    folds: str, impute: bool, scale: bool, whiten: bool
) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 8)) @ rng.normal(size=(8, 8)) + 5 * rng.normal(size=8)
    y = x @ rng.normal(size=8) + rng.normal(size=240)
    if impute:
        x[rng.random(x.shape) < 0.1] = np.nan
    members = [(size, alpha) for size in (1.0, 3.0, 5.0, 8.0, 0.5, 0.95) for alpha in (0, 0.1, 50)]
    options = {"impute": impute, "scale": scale, "whiten": whiten}
    result = assert_agrees(x, y, split(folds, 240, 0), members, **options)
    assert reasons(result) == {None}


def test_equal_lengths_are_declined_by_themselves() -> None:
    """Which of them is kept is a matter of rounding; both or neither is not."""
    x = spectrum(300, [3, 2, 2, 1], 0)
    y = x.sum(axis=1) + np.random.default_rng(1).normal(size=300)
    folds = [(np.arange(300), np.arange(300))]
    members = [(1, 1.0), (2, 1.0), (3, 1.0), (2, 0.0), (4, 0.0)]
    result = assert_agrees(x, y, folds, members)
    assert result.declined == [[None, "small_gap", None, "small_gap", None]]


def test_a_gap_that_costs_too_many_digits_is_declined() -> None:
    """Far enough for the components to be told apart, not for nine digits of their scores."""
    x = spectrum(300, [3, 2, 2 * (1 - 3e-9), 1], 0)
    y = x.sum(axis=1) + 1e-3 * np.random.default_rng(1).normal(size=300)
    folds = [(np.arange(300), np.arange(300))]
    result = assert_agrees(x, y, folds, [(2, 1.0), (3, 1.0)])
    assert result.declined == [["ill_conditioned", None]]


@pytest.mark.parametrize("kind", ["constant", "duplicate", "dummies"])
@pytest.mark.parametrize("scale", [False, True])
def test_components_without_variance_are_declined(kind: str, scale: bool) -> None:
    for seed in range(5):
        x, y = make(kind, 120, 5, seed)
        y += np.random.default_rng(seed).normal(size=120)
        members = [(2, 1.0), (3, 0.0), (5, 0.0)]
        # Covariances lose their digits to a constant of 3e7.
        solver = "auto" if scale else "full"
        folds = split("partition", 120, seed)
        result = assert_agrees(x, y, folds, members, scale=scale, solver=solver)
        for fold in result.declined:
            assert fold[2] in ("rank_deficient", "small_gap", "ill_conditioned")
            # Indicators of equally frequent values may have components of one length.
            assert kind == "dummies" or fold[:2] == [None, None]


def test_all_components_with_a_penalty_are_ridge_on_the_columns() -> None:
    x, y = make("duplicate", 120, 5, 0)
    result = assert_agrees(x, y, split("partition", 120, 0), [(5, 1.0), (5, 0.0)])
    assert {fold[0] for fold in result.declined} == {None}
    assert {fold[1] for fold in result.declined} == {"small_gap"}


def test_a_constant_column_in_training_alone() -> None:
    x, y = make("constant_in_training", 60, 4, 3)
    for scale in (False, True):
        for folds in ("partition", "one_row_each"):
            assert_agrees(x, y, split(folds, 60, 0), [(1, 1.0), (3, 0.5)], scale=scale)


def test_fewer_rows_than_columns() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 40)), rng.normal(size=30)
    members = [(1, 1.0), (10, 1.0), (20, 0.0), (21, 1.0), (40, 1.0)]
    folds = split("partition", 30, 0)[:1]
    assert len(folds[0][0]) == 22
    result = assert_agrees(x, y, folds, members, scale=True)
    assert result.declined[0][-1] == "too_many_components"
    result = run(x, y, folds, [(22, 1.0), (23, 1.0)], scale=True)
    # Centring takes one direction away.
    assert result.declined == [["small_gap", "too_many_components"]]


def test_what_auto_means_depends_on_the_shape() -> None:
    """Covariances of tall data, all of small data, else random projections unless nearly all."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(600, 60)), rng.normal(size=600)
    members = [(5, 1.0), (50, 1.0), (0.5, 1.0)]
    wide = [(np.arange(599), np.arange(600))]
    assert assert_agrees(x, y, wide, members).declined == [["randomised_solver", None, None]]
    tall = [(np.arange(600), np.arange(600))]
    assert assert_agrees(x, y, tall, members).declined == [[None, None, None]]
    small = [(np.arange(500), np.arange(600))]
    assert assert_agrees(x, y, small, members).declined == [[None, None, None]]
    given = assert_agrees(x, y, wide, members, solver="full")
    assert given.declined == [[None, None, None]]


def test_a_share_that_rounding_decides_is_declined() -> None:
    lengths = [2.0, 1.0, 1.0, np.sqrt(2)]
    x = spectrum(200, lengths, 0)
    y = x.sum(axis=1) + np.random.default_rng(0).normal(size=200)
    folds = [(np.arange(200), np.arange(200))]
    result = assert_agrees(x, y, folds, [(0.5, 1.0), (0.51, 1.0), (0.49, 1.0), (0.75, 0.0)])
    assert result.declined == [["borderline", None, None, "borderline"]]


def test_far_from_the_origin_and_from_one_unit() -> None:
    """The library's covariances lose digits with the means, and its projections too."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4)) * [1, 2, 3, 4]
    y = x.sum(axis=1) + rng.normal(size=200)
    folds = split("partition", 200, 0)
    near = assert_agrees(x + 10, y, folds, [(2, 1.0)])
    assert reasons(near) == {None}
    far = assert_agrees(x + 1e6, y, folds, [(2, 1.0)])
    assert reasons(far) == {"ill_conditioned"}
    for shift in (1e3, 1e6):
        assert reasons(assert_agrees(x + shift, y, folds, [(2, 1.0)], scale=True)) == {None}
    units = np.array([1e-6, 1.0, 1e3, 1e6])
    assert_agrees(x * units, y, folds, [(1, 1.0), (2, 1.0), (4, 0.0)], solver="full")


def test_short_components_are_left_to_least_squares_and_whitening() -> None:
    """`LinearRegression` leaves out what is a millionth of the longest."""
    x = spectrum(200, [1, 0.1, 0.03, 3e-7], 0)
    y = x @ np.array([1, 2, 3, 4]) + np.random.default_rng(0).normal(size=200)
    folds = [(np.arange(200), np.arange(200))]
    result = run(x, y, folds, [(3, 0.0), (4, 0.0), (4, 1.0)])
    assert result.declined == [[None, "small_gap", None]]
    assert_agrees(x, y, folds, [(3, 0.0), (4, 0.0), (4, 1.0)])
    assert_agrees(x, y, folds, [(3, 0.0), (4, 0.0), (4, 1.0)], whiten=True)


def test_threads_do_not_change_a_bit() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40_000, 3)) * [1, 2, 3], rng.normal(size=40_000)
    for folds in (split("partition", 40_000, 0), split("hold_outs", 40_000, 0)):
        one, two = (run(x, y, folds, [(2, 1.0)], threads, scale=True) for threads in (1, 2))
        np.testing.assert_array_equal(one.coef, two.coef)
        for a, b in zip(one.predictions, two.predictions, strict=True):
            np.testing.assert_array_equal(a, b)


def test_one_matrix_is_a_fold_of_its_own() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 5)) * np.arange(1, 6)
    y = x.sum(axis=1) + rng.normal(size=90)
    members = np.array([(2, 1.0), (4, 0.0), (9, 1.0)])
    for solver in ("auto", "full"):
        one = component_path(x[:60], y[:60, None], x[60:], members, solver=solver)
        folds = [(np.arange(60), np.arange(60, 90))]
        all_ = run(x, y, folds, members.tolist(), solver=solver)
        assert one.declined == all_.declined[0] == [None, None, "too_many_components"]
        np.testing.assert_allclose(one.predictions[:, :2], all_.predictions[0][:, :2], rtol=1e-12)
        np.testing.assert_allclose(one.coef[:2], all_.coef[0][:2], rtol=1e-11)
        np.testing.assert_allclose(one.intercept[:2], all_.intercept[0][:2], atol=1e-12)


def test_values_that_cannot_be_summed_are_declined() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    folds = split("partition", 60, 0)
    for bad in (np.nan, np.inf, 1e200):
        broken = x.copy()
        broken[0, 0] = bad
        assert reasons(run(broken, y, folds, [(1, 1.0)])) == {"non_finite"}
    empty = x.copy()
    empty[:, 1] = np.nan
    assert reasons(run(empty, y, folds, [(1, 1.0)], impute=True)) == {"empty_column"}
    constant = np.ones((60, 3))
    assert reasons(run(constant, y, folds, [(1, 1.0)])) == {"rank_deficient"}
    # No two libraries agree to 1e-9 of an error that is itself rounding.
    assert reasons(run(x, x.sum(axis=1), folds, [(3, 0.0)])) == {"ill_conditioned"}
