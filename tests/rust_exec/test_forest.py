"""The forest kernel against scikit-learn's forests, and what it does with odd input."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import make_classification, make_friedman1
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.metrics import r2_score, roc_auc_score

from rust_exec import KernelInputError, forest

TREES = 60


def regression() -> tuple[np.ndarray, np.ndarray]:
    x, y = make_friedman1(700, 8, noise=1.0, random_state=0)
    return x, y


def asked(x: np.ndarray, y: np.ndarray, **more: Any) -> np.ndarray:
    return forest(x[:500], y[:500], x[500:], [TREES], [7], **more)[0, 0]


@pytest.mark.parametrize("random_cuts", [False, True])
def test_a_regression_is_as_good_as_the_library(random_cuts: bool) -> None:
    x, y = regression()
    kind = ExtraTreesRegressor if random_cuts else RandomForestRegressor
    library = kind(TREES, max_features=4, random_state=0).fit(x[:500], y[:500])
    draws = None if random_cuts else 500
    found = asked(x, y, max_features=4, draws=draws, random_cuts=random_cuts)[:, 0]
    wanted = r2_score(y[500:], library.predict(x[500:]))
    assert r2_score(y[500:], found) == pytest.approx(wanted, abs=0.025)


@pytest.mark.parametrize("random_cuts", [False, True])
@pytest.mark.parametrize("entropy", [False, True])
def test_probabilities_are_as_good_as_the_library(random_cuts: bool, entropy: bool) -> None:
    x, y = make_classification(700, 8, n_informative=5, n_classes=3, flip_y=0.1, random_state=3)
    kind = ExtraTreesClassifier if random_cuts else RandomForestClassifier
    criterion = "entropy" if entropy else "gini"
    library = kind(TREES, criterion=criterion, min_samples_leaf=3, random_state=0)
    wanted = library.fit(x[:500], y[:500]).predict_proba(x[500:])
    found = asked(
        x, y.astype(float), classes=3, entropy=entropy, max_features=2, min_samples_leaf=3,
        draws=None if random_cuts else 500, random_cuts=random_cuts,
    )  # fmt: skip
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    scores = [roc_auc_score(y[500:], p, multi_class="ovr") for p in (found, wanted)]
    assert scores[0] == pytest.approx(scores[1], abs=0.02)


def test_missing_values_are_used_as_the_library_uses_them() -> None:
    x, y = regression()
    x[x > 0.8] = np.nan  # that they are missing says much
    library = RandomForestRegressor(TREES, random_state=0).fit(x[:500], y[:500])
    found = asked(x, y, max_features=8, draws=500)[:, 0]
    wanted = r2_score(y[500:], library.predict(x[500:]))
    assert r2_score(y[500:], found) == pytest.approx(wanted, abs=0.03)


def test_one_tree_of_few_values_is_the_library_s_tree() -> None:
    """Without chance, and with a bin for each value, there is one tree to be grown."""
    rng = np.random.default_rng(5)
    x, y = rng.integers(0, 40, (300, 1)).astype(float), rng.normal(size=300)
    for limits in (
        {"max_depth": 4},
        {"min_samples_leaf": 9},
        {"max_leaf_nodes": 7},
        {"min_impurity_decrease": 0.01},
        {"min_samples_split": 60},
        {"min_weight_fraction_leaf": 0.05},
    ):
        kind = RandomForestRegressor(1, bootstrap=False, random_state=0, **limits)
        weights = rng.integers(0, 4, 300).astype(float)
        wanted = kind.fit(x, y, weights).predict(x)
        found = forest(x, y, x, [1], [0], weights=weights, **limits)[0, 0, :, 0]
        np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_strides_do_not_matter() -> None:
    x, y = regression()
    wide = np.repeat(x, 2, axis=1)[::-1]
    plain = np.ascontiguousarray(wide[:, ::2])
    kept = asked(wide[:, ::2], y, max_features=3, draws=500)
    np.testing.assert_array_equal(kept, asked(plain, y, max_features=3, draws=500))
    columns = np.asfortranarray(plain)
    np.testing.assert_array_equal(kept, asked(columns, y, max_features=3, draws=500))


values = st.one_of(
    st.floats(-1e30, 1e30), st.sampled_from([0.0, -0.0, 1.0, 5e-324, 3e38, float("nan")])
)


@settings(max_examples=60)
@given(st.data(), st.integers(1, 12), st.integers(1, 4), st.sampled_from([0, 2, 3]))
def test_any_numbers_give_finite_predictions(
    data: st.DataObject, rows: int, columns: int, classes: int
) -> None:
    x = data.draw(arrays(np.float64, (rows, columns), elements=values))
    element = st.floats(-1e30, 1e30) if not classes else st.integers(0, classes - 1).map(float)
    y = data.draw(arrays(np.float64, rows, elements=element))
    cuts = data.draw(st.booleans())
    found = forest(
        x, y, x, [2, 1], [1], classes=classes, random_cuts=cuts, draws=None if cuts else rows
    )
    assert found.shape == (1, 2, rows, max(classes, 1))
    assert np.isfinite(found).all()
    if not classes:
        slack = 1e-6 * max(1.0, np.abs(y).max())
        assert (found >= y.min() - slack).all()
        assert (found <= y.max() + slack).all()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"x_train": np.ones((4, 2), dtype=np.float32)}, "bad_array"),
        ({"x_train": np.ones(4)}, "bad_array"),
        ({"x_train": np.ones((0, 2))}, "empty_matrix"),
        ({"x_train": np.ones((4, 0))}, "empty_matrix"),
        ({"x_valid": np.ones((4, 3))}, "shape_mismatch"),
        ({"x_train": np.full((4, 2), np.inf)}, "infinite"),
        ({"x_valid": np.full((4, 2), 1e39)}, "infinite"),
        ({"y_train": np.ones(3)}, "shape_mismatch"),
        ({"y_train": np.array([1, np.nan, 2, 3])}, "bad_target"),
        ({"y_train": np.array([0, 1, 2, 1.0]), "classes": 2}, "bad_target"),
        ({"classes": -1}, "bad_target"),
        ({"classes": 5000}, "too_many_classes"),
        ({"weights": np.ones(3)}, "shape_mismatch"),
        ({"weights": -np.ones(4)}, "bad_weights"),
        ({"sizes": []}, "bad_size"),
        ({"sizes": [-1]}, "bad_size"),
        ({"max_features": 0}, "bad_shape"),
        ({"min_samples_leaf": -2}, "bad_shape"),
        ({"min_impurity_decrease": float("nan")}, "bad_shape"),
        ({"draws": 0}, "bad_shape"),
        ({"balanced": True}, "bad_shape"),
        ({"threads": 0}, "bad_threads"),
    ],
)
def test_bad_input_has_a_code(changes: dict[str, Any], code: str) -> None:
    given = {
        "x_train": np.arange(8.0).reshape(4, 2),
        "y_train": np.arange(4.0),
        "x_valid": np.ones((3, 2)),
        "sizes": [1],
        "seeds": [0],
        **changes,
    }
    with pytest.raises(KernelInputError) as caught:
        forest(**given)
    assert caught.value.code == code


def test_no_rows_to_predict() -> None:
    x, y = regression()
    assert forest(x, y, x[:0], [1], [0], max_features=2).shape == (1, 1, 0, 1)


@pytest.mark.parametrize("random_cuts", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_rows_of_a_whole_table_are_read_where_they_are(random_cuts: bool, order: Any) -> None:
    x, y = regression()
    rows = np.random.default_rng(0).permutation(700)
    train, valid = rows[:500], rows[500:]
    options: dict[str, Any] = {"max_features": 3, "random_cuts": random_cuts, "draws": 400}
    wanted = forest(x[train], y[train], x[valid], [5], [1], **options)
    whole = np.asarray(x, order=order)
    for table in (whole, np.hstack((whole, whole))[:, 8:], whole[::-1][::-1]):
        found = forest(
            table, y[train], table, [5], [1], train_rows=train, valid_rows=valid, **options
        )
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("name", ["train_rows", "valid_rows"])
@pytest.mark.parametrize("row", [-1, 700])
def test_row_numbers_beyond_the_table_are_refused(name: str, row: int) -> None:
    x, y = regression()
    rows = np.arange(700)
    rows[3] = row
    with pytest.raises(KernelInputError) as caught:
        forest(x, y, x, [1], [0], **{name: rows})
    assert caught.value.code == "index_out_of_range"
