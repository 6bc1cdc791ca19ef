"""The boundary of the components' kernel: wrong calls give typed errors, and no value breaks it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from rust_exec import ComponentFolds, KernelInputError, component_folds, component_path
from tests.rust_exec.oracle import Floats
from tests.rust_exec.test_components import OPTIONS, Member, run

X = np.random.default_rng(0).normal(size=(12, 2))
ROWS = np.arange(12)
CALL: dict[str, Any] = {
    "x": X,
    "y": X.sum(axis=1, keepdims=True),
    "train": [ROWS[:8]],
    "valid": [ROWS[8:]],
    "members": np.array([[1.0, 1.0]]),
}
WRONG = [
    ({"members": np.empty((0, 2))}, "no_members"),
    ({"members": np.ones((1, 3))}, "shape_mismatch"),
    ({"members": np.ones(2)}, "bad_array"),
    ({"members": np.ones((1, 2), dtype=np.float32)}, "bad_array"),
    ({"members": np.array([[0.0, 1.0]])}, "bad_size"),
    ({"members": np.array([[-1.0, 1.0]])}, "bad_size"),
    ({"members": np.array([[1.5, 1.0]])}, "bad_size"),
    ({"members": np.array([[np.nan, 1.0]])}, "bad_size"),
    ({"members": np.array([[np.inf, 1.0]])}, "bad_size"),
    ({"members": np.array([[1.0, -1.0]])}, "bad_alpha"),
    ({"members": np.array([[1.0, np.nan]])}, "bad_alpha"),
    ({"targets": np.array([1])}, "index_out_of_range"),
    ({"targets": np.array([0, 0])}, "shape_mismatch"),
    ({"solver": "arpack"}, "bad_solver"),
    ({"threads": 0}, "bad_threads"),
]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        *WRONG,
        ({"x": X.astype(np.float32)}, "bad_array"),
        ({"x": X[:0]}, "index_out_of_range"),
        ({"x": X[:, :0]}, "empty_matrix"),
        ({"y": np.ones((3, 1))}, "shape_mismatch"),
        ({"train": [ROWS[:0]]}, "empty_fold"),
        ({"valid": [ROWS + 1]}, "index_out_of_range"),
        ({"valid": [ROWS, ROWS]}, "shape_mismatch"),
        ({"train": [ROWS.astype(np.int32)]}, "bad_array"),
    ],
    ids=str,
)
def test_wrong_calls_of_component_folds(change: dict[str, Any], code: str) -> None:
    with pytest.raises(KernelInputError) as error:
        component_folds(**{**CALL, **change})
    assert error.value.code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        *WRONG,
        ({"x_train": X[:0]}, "empty_matrix"),
        ({"x_valid": X[:, :1]}, "shape_mismatch"),
        ({"y_train": np.ones((3, 1))}, "shape_mismatch"),
    ],
    ids=str,
)
def test_wrong_calls_of_component_path(change: dict[str, Any], code: str) -> None:
    call = {"x_train": X, "y_train": CALL["y"], "x_valid": X, "members": CALL["members"]}
    with pytest.raises(KernelInputError) as error:
        component_path(**{**call, **change})
    assert error.value.code == code


SPECIAL = st.sampled_from([0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 1e308, 1e-308, 5e-324, 1e155])


@settings(max_examples=150, deadline=None)
@given(
    x=npst.arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(1, 5)), elements=SPECIAL),
    rows=st.data(),
    members=st.lists(
        st.tuples(
            st.sampled_from([1.0, 2.0, 5.0, 5e-324, 0.5, 1 - 1e-16, 4e9]),
            st.sampled_from([0.0, 5e-324, 1.0, 1e308]),
        ),
        min_size=1,
        max_size=4,
    ),
    options=OPTIONS,
)
def test_no_values_break_the_kernel(
    x: Floats, rows: st.DataObject, members: list[Member], options: dict[str, Any]
) -> None:
    n = x.shape[0]
    index = npst.arrays(np.int64, st.integers(1, 6), elements=st.integers(0, n - 1))
    train = rows.draw(st.lists(index, min_size=1, max_size=3))
    valid = [rows.draw(index) for _ in train]
    folds = list(zip(train, valid, strict=True))
    assert isinstance(run(x, x[:, 0], folds, members, **options), ComponentFolds)
