"""Boosting: trees are LightGBM's where bins and draws leave no choice; properties where they do."""

from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingRegressor

from rust_exec import BinnedRows, BoostingModel, KernelInputError, boosting

Floats = np.ndarray


def fit(x: Any, y: Any, model: BoostingModel, valid: Any = None, **options: Any) -> Floats:
    """Scores (stages, outputs, n_valid) of one model, of the training rows by default."""
    rows = BinnedRows(x, x if valid is None else valid)
    return boosting(rows, np.asarray(y, dtype=float), [model], **options)[0]


def generated(rows: int, columns: int = 5, seed: int = 0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns))
    y = 2 * x[:, 0] + np.sin(3 * x[:, 1]) + x[:, 2] * x[:, 3] + rng.normal(size=rows)
    return x, y


def lightgbm_scores(x: Any, y: Any, **params: Any) -> Floats:
    """With fewer distinct values than bins, each has one: the bins are then the kernel's."""
    model = lightgbm.LGBMRegressor(min_data_in_bin=1, n_jobs=1, verbose=-1, **params)
    return np.asarray(model.fit(x, y).predict(x))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("params", "model"),
    [
        ({}, {}),
        ({"num_leaves": 7, "min_child_samples": 3}, {"leaves": 7, "leaf_rows": 3}),
        ({"max_depth": 3, "reg_lambda": 5.0}, {"depth": 3, "l2": 5.0}),
        ({"reg_alpha": 4.0, "min_split_gain": 2.0}, {"l1": 4.0, "gain": 2.0}),
        ({"min_child_weight": 30.0}, {"leaf_curvature": 30.0}),
    ],
)
def test_trees_are_lightgbms_where_bins_leave_no_choice(
    seed: int, params: dict[str, Any], model: dict[str, Any]
) -> None:
    x, y = generated(250, seed=seed)
    x[np.random.default_rng(seed).random(x.shape) < 0.1] = np.nan
    found = fit(x, y, BoostingModel(stages=(6,), **model))[0, 0]
    wanted = lightgbm_scores(x, y, n_estimators=6, **params)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_trees_are_those_of_histogram_boosting_where_bins_leave_no_choice() -> None:
    x, y = generated(250)
    found = fit(x, y, BoostingModel(stages=(5,), library="histogram", l2=1.5))[0, 0]
    library = HistGradientBoostingRegressor(
        max_iter=5, l2_regularization=1.5, early_stopping=False
    ).fit(x, y)
    np.testing.assert_allclose(found, library.predict(x), atol=1e-9)


@pytest.mark.parametrize("seed", [1, 2])  # without equal gains of several splits
def test_leaves_may_have_exactly_the_least_sum_of_second_derivatives(seed: int) -> None:
    # Four rows of 1/4 each have XGBoost's min_child_weight: classes of one size start at 1/2.
    x = np.floor(np.random.default_rng(seed).random((2500, 2)) * 40)
    y = np.sin(x[:, 0] / 6) + np.random.default_rng(seed).normal(size=2500)
    y = (y > np.median(y)).astype(float)
    model = BoostingModel(
        loss="logistic", stages=(2,), leaves=None, depth=6, learning_rate=0.3, leaf_rows=1,
        leaf_curvature=1.0, l2=1.0, library="xgboost",
    )  # fmt: skip
    library = xgboost.XGBClassifier(n_estimators=2, n_jobs=1).fit(x, y)
    wanted = library.predict(x, output_margin=True)
    np.testing.assert_allclose(fit(x, y, model)[0, 0], wanted, atol=1e-5)


def logistic(y: Floats, scores: Floats) -> float:
    return float(np.mean(np.logaddexp(0, scores[0]) - y * scores[0]))


def softmax(y: Floats, scores: Floats) -> float:
    chosen = scores[y.astype(int), np.arange(len(y))]
    return float(np.mean(np.logaddexp.reduce(scores, axis=0) - chosen))


def poisson(y: Floats, scores: Floats) -> float:
    return float(np.mean(np.exp(scores[0]) - y * scores[0]))


def absolute(y: Floats, scores: Floats) -> float:
    return float(np.mean(np.abs(y - scores[0])))


def pinball(y: Floats, scores: Floats) -> float:
    gap = y - scores[0]
    return float(np.mean(np.maximum(0.8 * gap, -0.2 * gap)))


LOSSES: list[tuple[dict[str, Any], Any, Any]] = [
    ({"loss": "logistic"}, lambda y: (y > 0) * 1.0, logistic),
    (
        {"loss": "softmax", "classes": 3, "curvature": 1.5},
        lambda y: np.digitize(y, [-1, 1]),
        softmax,
    ),
    ({"loss": "poisson", "step": 0.7}, lambda y: np.floor(np.exp(y / 2)), poisson),
    ({"loss": "absolute"}, lambda y: y, absolute),
    ({"loss": "quantile", "level": 0.8}, lambda y: y, pinball),
]
OBJECTIVES = ("binary", "multiclass", "poisson", "regression_l1", "quantile")


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("place", range(5))
def test_losses_of_training_rows_come_down_as_in_lightgbm(place: int, weighted: bool) -> None:
    settings_, of, loss = LOSSES[place]
    gaps = []
    for seed in range(3):
        x, y = generated(1500, seed=seed)
        y = of(y)
        weight = np.random.default_rng(seed).uniform(0.3, 2, len(y)) if weighted else None
        kinds = (lightgbm.LGBMClassifier, lightgbm.LGBMRegressor)
        kind = kinds[OBJECTIVES[place] not in ("binary", "multiclass")]
        alpha = {"alpha": 0.8} if OBJECTIVES[place] == "quantile" else {}
        model = kind(objective=OBJECTIVES[place], n_estimators=20, n_jobs=1, verbose=-1, **alpha)
        raw = model.fit(x, y, sample_weight=weight).predict(x, raw_score=True)
        if OBJECTIVES[place] == "poisson":
            raw = np.log(model.predict(x))
        raw = raw.reshape(len(y), -1).T
        scores = fit(x, y, BoostingModel(stages=(20,), **settings_), weight=weight)[0]
        start = loss(y, np.median(scores, axis=1, keepdims=True) * np.ones_like(scores))
        gaps.append((loss(y, scores) - loss(y, raw)) / (start - loss(y, raw)))
    assert abs(np.mean(gaps)) < 0.03


def test_stages_are_the_beginnings_of_one_fit() -> None:
    x, y = generated(400)
    staged = fit(x, y, BoostingModel(stages=(1, 5, 9), row_share=0.7, column_share=0.6))
    for place, rounds in enumerate((1, 5, 9)):
        alone = fit(x, y, BoostingModel(stages=(rounds,), row_share=0.7, column_share=0.6))
        np.testing.assert_array_equal(staged[place], alone[0])


def test_seeds_draw_other_rows_and_features() -> None:
    x, y = generated(400)
    models = [BoostingModel(row_share=0.5, seed=seed) for seed in (1, 1, 2)]
    one, same, other = boosting(BinnedRows(x, x), y, models)
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


def test_rows_by_weight_and_rows_repeated_agree() -> None:
    # Distinct values have bins of their own, so that repeating rows moves none of them.
    x, y = generated(120)
    counts = np.random.default_rng(1).integers(1, 4, len(y))
    model = BoostingModel(stages=(10,), leaf_rows=1, leaf_curvature=8.0, library="xgboost")
    weighted = fit(x, y, model, weight=counts.astype(float))
    repeated = fit(np.repeat(x, counts, axis=0), np.repeat(y, counts), model, valid=x)
    np.testing.assert_allclose(weighted, repeated, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 80),
    columns=st.integers(1, 18),
    seed=st.integers(0, 10_000),
    loss=st.sampled_from(["squared", "logistic", "softmax", "poisson", "quantile", "absolute"]),
    levels=st.sampled_from([1, 2, 5, 10_000]),
    scale=st.sampled_from([1e-200, 1.0, 1e150]),
    gaps=st.sampled_from([0.0, 0.3, 1.0]),
    leaf_rows=st.integers(0, 5),
)
def test_any_table_is_predicted_finitely(
    rows: int, columns: int, seed: int, loss: Any, levels: int, scale: float, gaps: float,
    leaf_rows: int,
) -> None:  # fmt: skip
    rng = np.random.default_rng(seed)
    x = np.floor(rng.random((rows, columns)) * levels) * scale
    x[rng.random(x.shape) < gaps] = np.nan
    y = rng.integers(0, 2, rows).astype(float)
    model = BoostingModel(
        loss=loss, classes=3, stages=(1, 4), leaf_rows=leaf_rows, leaf_curvature=0.0, l2=1.0,
        row_share=rng.uniform(0.3, 1), column_share=rng.uniform(0.3, 1),
    )  # fmt: skip
    valid = rng.normal(size=(7, columns)) * scale
    valid[rng.random(valid.shape) < gaps] = np.nan
    scores = fit(x, y, model, valid)
    assert scores.shape == (2, 3 if loss == "softmax" else 1, 7)
    assert np.isfinite(scores).all()
    threaded = boosting(BinnedRows(x, valid, threads=2), y, [model], threads=2)[0]
    np.testing.assert_array_equal(scores, threaded)


@pytest.mark.parametrize("cuts", ["even", "lightgbm"])
def test_rows_of_a_whole_table_are_read_where_they_are(cuts: Any) -> None:
    x, y = generated(900)
    rows = np.random.default_rng(0).permutation(900)
    train, valid = rows[:700], rows[700:]
    model = BoostingModel(stages=(5,))
    parts = BinnedRows(x[train], x[valid], cuts=cuts)
    wanted = boosting(parts, y[train], [model])[0]
    for table in (x, np.asfortranarray(x)):
        whole = BinnedRows(table, table, cuts=cuts, train_rows=train, valid_rows=valid)
        np.testing.assert_array_equal(boosting(whole, y[train], [model])[0], wanted)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_monotone_transforms_of_features_change_nothing(seed: int) -> None:
    x, y = generated(200, seed=seed)
    other = np.column_stack(
        [x[:, 0] ** 3, np.exp(x[:, 1]), 7 * x[:, 2], np.arctan(x[:, 3]), x[:, 4]]
    )
    model = BoostingModel(stages=(10,))
    np.testing.assert_array_equal(fit(x, y, model), fit(other, y, model))


def test_columns_of_one_code_are_summed_by_code_with_the_same_result() -> None:
    rng = np.random.default_rng(0)
    code = rng.integers(0, 400, 20_000)
    x = np.column_stack([rng.normal(size=(400, 20))[code], rng.normal(size=(20_000, 3))])
    y = x[:, 0] + x[:, 5] * x[:, 21] + rng.normal(size=20_000)
    model = BoostingModel(stages=(10,))
    rows = BinnedRows(x, x[:100])
    assert rows.combinations == [400]
    wanted = boosting(BinnedRows(x, x[:100], detect=False), y, [model])[0]
    np.testing.assert_array_equal(boosting(rows, y, [model])[0], wanted)
    told = BinnedRows(x, x[:100], detect=False, derived=[list(range(20))])
    assert told.combinations == [400]
    np.testing.assert_array_equal(boosting(told, y, [model])[0], wanted)


def test_strides_do_not_matter_and_nothing_is_written() -> None:
    x, y = generated(300, 6)
    wide = np.asfortranarray(np.repeat(x, 2, axis=1))[:, ::2]
    wide.flags.writeable = False
    model = BoostingModel(stages=(5,))
    np.testing.assert_array_equal(fit(wide, y[::-1][::-1], model), fit(x, y, model))


X, Y = generated(30)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda: BinnedRows(X.astype(np.float32), X), "bad_array"),  # type: ignore[arg-type]
        (lambda: BinnedRows(X[:, 0], X), "bad_array"),
        (lambda: BinnedRows(X[:0], X), "empty_matrix"),
        (lambda: BinnedRows(X[:, :0], X[:, :0]), "empty_matrix"),
        (lambda: BinnedRows(X, X[:, 1:]), "shape_mismatch"),
        (lambda: BinnedRows(X, X, max_bins=1), "bad_bins"),
        (lambda: BinnedRows(X, X, max_bins=256), "bad_bins"),
        (lambda: BinnedRows(X, X, max_bins=256, cuts="lightgbm"), "bad_bins"),
        (lambda: BinnedRows(X, X, max_bins=257, cuts="xgboost"), "bad_bins"),
        (lambda: BinnedRows(X, X, cuts="catboost"), "bad_option"),  # type: ignore[arg-type]
        (lambda: BinnedRows(X, X, threads=0), "bad_threads"),
        (lambda: fit(X, Y[1:], BoostingModel()), "shape_mismatch"),
        (lambda: fit(X, Y * np.nan, BoostingModel()), "bad_target"),
        (lambda: fit(X, Y, BoostingModel(loss="logistic")), "bad_target"),
        (lambda: fit(X, Y, BoostingModel(loss="softmax", classes=2)), "bad_target"),
        (lambda: fit(X, -abs(Y), BoostingModel(loss="poisson")), "bad_target"),
        (lambda: fit(X, Y, BoostingModel(), weight=-np.ones(30)), "bad_weight"),
        (lambda: fit(X, Y, BoostingModel(), weight=np.ones(3)), "shape_mismatch"),
        (lambda: fit(X, Y, BoostingModel(), threads=-1), "bad_threads"),
        (lambda: fit(X, Y, BoostingModel(stages=())), "bad_option"),
        (lambda: fit(X, Y, BoostingModel(leaves=1)), "bad_option"),
        (lambda: fit(X, Y, BoostingModel(loss="hinge")), "bad_option"),  # type: ignore[arg-type]
        (lambda: fit(X, Y * 1e300, BoostingModel()), "non_finite"),
    ],
)
def test_wrong_arguments_are_input_errors(call: Any, code: str) -> None:
    with pytest.raises(KernelInputError) as caught:
        call()
    assert caught.value.code == code


def test_no_rows_to_predict_and_derived_columns_that_are_not_there() -> None:
    rows = BinnedRows(X, X[:0], derived=[[0, 99, 0], []])
    assert boosting(rows, Y, [BoostingModel()])[0].shape == (1, 1, 0)
    assert boosting(rows, Y, []) == []
