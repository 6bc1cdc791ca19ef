"""Blocks side by side, and rows of them."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import FunctionTransformer

from executor.features import array_of, concatenate, has_categories, same_categories, take

MIXED = pd.DataFrame(
    {
        "i": [1, 2, 3],
        "f": [0.5, np.nan, 1.5],
        "b": [True, False, True],
        "o": pd.Series([True, np.nan, False], dtype=object),
        "n": pd.array([2**60, None, 1], dtype="Int64"),
        "s": ["a", None, "é"],
        "c": pd.Categorical(["x", "y", None]),
    }
)


@pytest.mark.parametrize(
    ("columns", "dtype"),
    [
        ("i", np.int64),
        ("f", np.float64),
        ("b", np.bool_),
        ("i f", np.float64),
        ("i b", np.float64),
        ("b f", np.float64),
        ("o", np.float64),
        ("o i f b", np.float64),
        ("n", np.float64),
        ("n f", np.float64),
        ("s", object),
        ("s i", object),
    ],
)
def test_frames_of_numbers_become_numeric_arrays(columns: str, dtype: Any) -> None:
    frame = MIXED[columns.split()]
    array = array_of(frame)
    assert array.dtype == dtype
    assert array.shape == frame.shape
    if dtype is not object:
        wanted = frame.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
        np.testing.assert_array_equal(array.astype(np.float64), wanted)


@pytest.mark.parametrize(
    ("values", "numeric"),
    [
        ([True, False, np.nan], True),
        ([1, 2.5, None], True),
        ([1, pd.NA, 3], True),
        (["1", "2", "3"], False),
        ([True, "x", np.nan], False),
        ([pd.Timestamp("2024"), pd.NaT, None], False),
    ],
)
def test_objects_become_numbers_only_if_they_are_numbers(values: list[Any], numeric: bool) -> None:
    array = np.array(values, dtype=object).reshape(-1, 1)
    found = array_of(array)
    assert (found.dtype == np.float64) == numeric
    if not numeric:
        assert found is array


def test_dtypes_of_arrays_are_kept() -> None:
    for dtype in (np.float32, np.int8, np.float64, np.bool_):
        array = np.ones((2, 2), dtype=dtype)
        assert array_of(array) is array
        assert concatenate([array, array], 0.3)[0].dtype == dtype


blocks = st.sampled_from(["dense", "sparse", "frame", "series", "full"])


def _block(kind: str, values: np.ndarray) -> Any:
    if kind == "sparse":
        return sp.csr_matrix(values)
    if kind == "full":
        return values + 1.0
    if kind == "frame":
        return pd.DataFrame(values, columns=[f"c{i}" for i in range(values.shape[1])])
    if kind == "series":
        return pd.Series(values[:, 0])
    return values


@given(
    kinds=st.lists(blocks, min_size=1, max_size=4),
    threshold=st.sampled_from([0.0, 0.2, 0.3, 0.5, 1.0]),
    data=st.data(),
)
def test_blocks_meet_as_in_a_column_transformer(
    kinds: list[str], threshold: float, data: st.DataObject
) -> None:
    values = [
        data.draw(hnp.arrays(np.float64, (6, 2), elements=st.sampled_from([0.0, 0.0, 0.0, 1.5])))
        for _ in kinds
    ]
    made = [_block(kind, array) for kind, array in zip(kinds, values, strict=True)]
    parts = [
        # Series are not what a transformer of a ColumnTransformer may return.
        (_returning(b.to_frame() if isinstance(b, pd.Series) else b), [position])
        for position, b in enumerate(made)
    ]
    frame = pd.DataFrame(np.zeros((6, len(kinds))))
    wanted = make_column_transformer(*parts, sparse_threshold=threshold).fit_transform(frame)
    found, sparse = concatenate(made, threshold)
    assert sparse == sp.issparse(wanted) == sp.issparse(found)
    dense = (lambda x: x.toarray()) if sparse else np.asarray
    np.testing.assert_array_equal(dense(found), dense(wanted))


def _returning(value: Any) -> FunctionTransformer:
    return FunctionTransformer(lambda _: value)


def test_the_decision_of_the_training_rows_is_repeated() -> None:
    train, valid = sp.eye(10, format="csr"), sp.csr_matrix(np.ones((2, 10)))
    _, sparse = concatenate([train], 0.3)
    assert sparse
    assert sp.issparse(concatenate([valid], 0.3, sparse)[0])
    assert not sp.issparse(concatenate([train], 0.3, False)[0])


def test_a_union_is_sparse_if_any_block_is() -> None:
    found, sparse = concatenate([np.ones((3, 2)), sp.csr_matrix(np.ones((3, 2)))], None)
    assert sparse
    assert found.format == "csr"


def test_text_among_sparse_blocks_says_what_it_is() -> None:
    with pytest.raises(ValueError, match="could not convert string to float"):
        concatenate([sp.eye(3, format="csr"), MIXED[["s"]]], 1.0)


def test_categories_survive_a_concatenation() -> None:
    blocks = [MIXED[["i", "o"]], MIXED[["c"]], np.eye(3), sp.eye(3, format="csr")]
    found, sparse = concatenate(blocks, 0.3)
    assert not sparse
    assert has_categories(found)
    assert list(found.columns) == [str(position) for position in range(9)]
    assert isinstance(found.dtypes.iloc[2], pd.CategoricalDtype)
    assert all(dtype.kind in "if" for dtype in found.dtypes.drop(found.columns[2]))
    np.testing.assert_array_equal(found["1"], [1.0, np.nan, 0.0])


def test_categories_are_those_of_the_training_rows() -> None:
    every = pd.Series(list("abcabd"), dtype="category")
    train, valid = same_categories(every.iloc[:3].iloc[[0, 2]], every.iloc[3:])
    assert list(train.cat.categories) == list(valid.cat.categories) == ["a", "c"]
    assert valid.isna().tolist() == [False, True, True]
    assert valid.cat.codes.tolist() == [0, -1, -1]


def test_categories_of_frames_are_matched_by_position() -> None:
    train = pd.DataFrame({"x": pd.Categorical(["a", "b"]), "n": [1, 2]})
    valid = pd.DataFrame({"x": ["b", "z"], "n": [3, 4]}, index=[7, 9])
    train.columns = valid.columns = pd.Index(["same", "same"])
    left, right = same_categories(train, valid)
    assert list(right.columns) == ["same", "same"]
    assert list(right.index) == [7, 9]
    assert right.iloc[:, 0].cat.codes.tolist() == [1, -1]
    assert right.iloc[:, 1].tolist() == [3, 4]
    assert left.iloc[:, 0].dtype == right.iloc[:, 0].dtype


def test_blocks_without_categories_are_left_alone() -> None:
    for block in (np.eye(2), sp.eye(2), MIXED[["i"]], MIXED["s"]):
        left, right = same_categories(block, block)
        assert left is block
        assert right is block


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "lil"])
def test_rows_of_any_sparse_matrix(form: str) -> None:
    dense = np.arange(12.0).reshape(4, 3)
    found = take(sp.csr_matrix(dense).asformat(form), np.array([3, 0]))
    np.testing.assert_array_equal(found.toarray(), dense[[3, 0]])


def test_rows_are_copies() -> None:
    array, frame = np.arange(6.0).reshape(3, 2), MIXED[["i", "f"]].copy()
    rows = np.array([0, 1])
    take(array, rows)[:] = -1
    part = take(frame, rows)
    part["new"] = 1
    part.iloc[0, 0] = 99
    np.testing.assert_array_equal(array, np.arange(6.0).reshape(3, 2))
    pd.testing.assert_frame_equal(frame, MIXED[["i", "f"]])
