"""Ridge over folds: whatever is not declined agrees with scikit-learn."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sklearn.model_selection import (
    BaseCrossValidator,
    KFold,
    RepeatedKFold,
    ShuffleSplit,
    TimeSeriesSplit,
)

from tests.rust_exec.oracle import Floats, Folds, Options, answered, assert_agrees, run

KINDS = [
    "plain",
    "constant",
    "constant_in_training",
    "duplicate",
    "nearly_duplicate",
    "scales",
    "offsets",
    "outlier",
    "dummies",
    "low_rank",
]
ALPHAS = st.lists(st.floats(-6, 6).map(lambda e: 10.0**e), min_size=1, max_size=4)
OPTIONS = st.builds(Options, st.booleans(), st.booleans(), st.booleans())
# The same examples every time: searching further is a task of its own, not of every run.
PROPERTY = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


def split(kind: str, n: int, seed: int) -> Folds:
    rng = np.random.default_rng(seed)
    splitters: dict[str, BaseCrossValidator] = {
        "partition": KFold(min(n, 4)),
        "shuffled_partition": KFold(min(n, 3), shuffle=True, random_state=seed),
        "repeated": RepeatedKFold(n_splits=2, n_repeats=2, random_state=seed),
        "hold_outs": ShuffleSplit(2, test_size=0.3, random_state=seed),
        "growing": TimeSeriesSplit(2),
    }
    if kind == "one_row_each":
        return list(KFold(n).split(np.zeros((n, 1))))[:8]
    if kind == "leave_one_out":
        return list(KFold(min(n, 10)).split(np.zeros((min(n, 10), 1))))
    if kind in splitters:
        return list(splitters[kind].split(np.zeros((n, 1))))
    folds = list(KFold(2).split(np.zeros((n, 1))))
    if kind == "filtered":
        return [(train[rng.random(len(train)) < 0.7], valid) for train, valid in folds]
    return [(rng.choice(train, len(train)), valid) for train, valid in folds]


SPLITS = st.sampled_from(
    [
        "partition",
        "shuffled_partition",
        "repeated",
        "hold_outs",
        "growing",
        "leave_one_out",
        "one_row_each",
        "filtered",
        "bootstrap",
    ]
)


def make(kind: str, n: int, p: int, seed: int) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    match kind:
        case "constant":
            x[:, 0] = rng.choice([0.0, 0.1, -3e7])
        case "constant_in_training":
            x[:, 0] = 0.1
            x[0, 0] = 5.0
        case "duplicate":
            x[:, -1] = x[:, 0]
        case "nearly_duplicate":
            x[:, -1] = x[:, 0] + 10.0 ** rng.uniform(-9, -1) * rng.normal(size=n)
        case "scales":
            x *= 10.0 ** rng.uniform(-8, 8, size=p)
        case "offsets":
            x += 10.0 ** rng.uniform(0, 9) * rng.normal(size=p)
        case "outlier":
            x[rng.integers(n)] *= 10.0 ** rng.uniform(1, 8)
        case "dummies":
            x = np.eye(p)[rng.integers(p, size=n)]
        case "low_rank":
            k = max(1, p // 2)
            x = x[:, :k] @ rng.normal(size=(k, p)) + 1e-7 * rng.normal(size=(n, p))
    spread = x.std(axis=0)
    weights = rng.normal(size=p) / np.where(spread > 1e-12, spread, np.inf)
    y = x @ weights + 10.0 ** rng.uniform(-3, 1) * rng.normal(size=n)
    return x, y + rng.choice([0.0, 50.0, -1e5])


def lay_out(x: Floats, layout: str) -> Floats:
    n, p = x.shape
    match layout:
        case "F":
            return np.asfortranarray(x)
        case "strided":
            wide = np.full((2 * n, 3 * p), np.nan)
            wide[::2, ::3] = x
            return wide[::2, ::3]
        case "columns_of_wider":
            wide = np.full((n, p + 2), np.nan)
            wide[:, 1:-1] = x
            return wide[:, 1:-1]
        case "reversed":
            return x[::-1, ::-1].copy()[::-1, ::-1]
    return np.ascontiguousarray(x)


LAYOUTS = st.sampled_from(["C", "F", "strided", "columns_of_wider", "reversed"])


@PROPERTY
@given(
    kind=st.sampled_from(KINDS),
    n=st.integers(5, 90),
    p=st.integers(1, 24),
    seed=st.integers(0, 2**32 - 1),
    folds=SPLITS,
    layout=LAYOUTS,
    alphas=ALPHAS,
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
    alphas: list[float],
    options: Options,
    holes: float,
) -> None:
    x, y = make(kind, n, p, seed)
    if options.impute:
        x[np.random.default_rng(seed + 1).random((n, p)) < holes] = np.nan
    chosen = [fold for fold in split(folds, n, seed) if len(fold[0]) and len(fold[1])]
    assume(chosen)
    assert_agrees(lay_out(x, layout), y, chosen, alphas, options)


@PROPERTY
@given(
    n=st.integers(60, 200),
    p=st.integers(1, 10),
    seed=st.integers(0, 2**32 - 1),
    folds=st.sampled_from(["partition", "shuffled_partition", "repeated", "hold_outs", "filtered"]),
    layout=LAYOUTS,
    alphas=ALPHAS,
    options=OPTIONS,
    spread=st.floats(0, 3),
)
def test_ordinary_data_are_not_declined(
    n: int,
    p: int,
    seed: int,
    folds: str,
    layout: str,
    alphas: list[float],
    options: Options,
    spread: float,
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p)) * 10.0 ** rng.uniform(-spread, spread, size=p)
    x += 5 * rng.normal(size=p) * x.std(axis=0)
    y = x @ (rng.normal(size=p) / x.std(axis=0)) + rng.normal(size=n)
    if options.impute:
        x[rng.random((n, p)) < 0.1] = np.nan
    result = assert_agrees(lay_out(x, layout), y, split(folds, n, seed), alphas, options)
    assert answered(result)


@pytest.mark.parametrize("kind", ["constant", "constant_in_training", "duplicate", "dummies"])
@pytest.mark.parametrize("scale", [False, True])
def test_singular_designs_are_answered_with_a_penalty(kind: str, scale: bool) -> None:
    for seed in range(5):
        x, y = make(kind, 80, 6, seed)
        y += np.random.default_rng(seed).normal(size=80)
        for folds in ("partition", "hold_outs"):
            result = assert_agrees(x, y, split(folds, 80, seed), [1e-3, 1.0], Options(scale=scale))
            assert answered(result)


def test_more_features_than_rows_is_answered_with_a_penalty() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 60)), rng.normal(size=40)
    for scale in (False, True):
        result = assert_agrees(x, y, split("partition", 40, 0), [0.1, 100.0], Options(scale=scale))
        assert answered(result)


def test_huge_targets_and_features_keep_their_digits() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 4))
    y = x.sum(axis=1) + rng.normal(size=100)
    for factor in (1e-100, 1e100):
        scaled = Options(scale=True)
        result = assert_agrees(x * factor, y * factor, split("partition", 100, 0), [0.1], scaled)
        assert answered(result)


def test_many_missing_columns_take_the_direct_path() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 8))
    y = x.sum(axis=1) + rng.normal(size=120)
    x[rng.random(x.shape) < 0.2] = np.nan
    for folds in (2, 5):
        options = Options(impute=True, scale=True)
        cv = list(KFold(folds).split(x))
        assert answered(assert_agrees(x, y, cv, [0.1, 10.0], options))


def test_threads_do_not_change_a_bit() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40_000, 3)), rng.normal(size=40_000)
    for folds in (split("partition", 40_000, 0), split("hold_outs", 40_000, 0)):
        one, two = (run(x, y, folds, [1.0], Options(scale=True), threads) for threads in (1, 2))
        np.testing.assert_array_equal(one.coef, two.coef)
        for a, b in zip(one.predictions, two.predictions, strict=True):
            np.testing.assert_array_equal(a, b)


def test_only_the_folds_concerned_are_declined() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 2)), rng.normal(size=60)
    x[0, 0] = np.inf
    rows = np.arange(60)
    folds = [(rows[20:40], rows[:20]), (rows[20:40], rows[40:]), (rows[:40], rows[40:])]
    assert run(x, y, folds, [1.0], Options()).declined == [["non_finite"], [None], ["non_finite"]]
    x[0, 0] = np.nan
    assert run(x, y, folds, [1.0], Options()).declined == [["non_finite"], [None], ["non_finite"]]
    assert_agrees(x, y, folds, [1.0], Options(impute=True))
    x[20:40, 1] = np.nan
    imputed = run(x, y, folds, [1.0], Options(impute=True))
    assert imputed.declined == [["empty_column"], ["empty_column"], [None]]


def test_reasons_to_decline() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    folds = split("partition", 60, 0)
    twice = np.column_stack([x, x[:, 0] + 2e-6 * rng.normal(size=60)])
    assert run(twice, y, folds, [0.0, 1.0], Options()).declined == [["rank_deficient", None]] * 4
    # No two libraries agree to 1e-9 of an error that is itself rounding.
    assert run(x, x.sum(axis=1), folds, [0.0], Options()).declined == [["ill_conditioned"]] * 4
    assert run(x * 1e200, y, folds, [1.0], Options()).declined == [["non_finite"]] * 4
    target = y.copy()
    target[3] = np.nan
    assert run(x, target, folds, [1.0], Options()).declined == [["non_finite"]] * 4
