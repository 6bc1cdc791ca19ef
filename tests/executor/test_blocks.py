import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from executor import block_file, blocks
from tests.executor.block_cases import assert_same, assert_same_array, examples, round_trip

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(2**62, 2**65),
    st.floats(),
    st.complex_numbers(allow_nan=False),
    st.text(st.characters(), max_size=8),  # half surrogate pairs included
    st.binary(max_size=8),
    st.dates(),
    st.times(),
    st.datetimes(timezones=st.sampled_from([None, datetime.UTC])),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.sampled_from([pd.NA, pd.NaT, np.float32(0.1), np.int8(-3), np.str_("é"), np.bool_(True)]),
    st.sampled_from([np.datetime64("2020-01-02T03:04:05.6", "ms"), np.datetime64("NaT", "ns")]),
)
hashable = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5))
values = st.recursive(
    st.one_of(scalars, hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, min_side=0))),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(hashable, inner, max_size=3),
    ),
    max_leaves=12,
)
dtypes = st.one_of(
    hnp.scalar_dtypes(),
    hnp.datetime64_dtypes(),
    hnp.timedelta64_dtypes(),
    hnp.byte_string_dtypes(),
    hnp.unicode_string_dtypes(),
    hnp.array_dtypes(hnp.scalar_dtypes()),
)


@examples
@given(value=values)
def test_values_round_trip(tmp_path: Path, value: Any) -> None:
    assert_same(round_trip(value, tmp_path), value)


@examples
@given(
    array=dtypes.flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0))
    ),
    fortran=st.booleans(),
)
def test_arrays_keep_dtype_bytes_and_order(tmp_path: Path, array: Any, fortran: bool) -> None:
    array = np.asfortranarray(array) if fortran and array.ndim else array
    found = round_trip(array, tmp_path)
    assert_same_array(found, array)
    assert found.flags.c_contiguous == array.flags.c_contiguous
    assert found.flags.f_contiguous == array.flags.f_contiguous


def test_slices_keep_their_order(tmp_path: Path) -> None:
    square = np.arange(10_000.0).reshape(100, 100)
    assert round_trip(square[::2, 3:50], tmp_path).flags.c_contiguous
    found = round_trip(square.T[::2, 3:50], tmp_path)
    assert found.flags.f_contiguous
    assert_same_array(found, square.T[::2, 3:50])
    assert_same_array(round_trip(square[0, ::-1], tmp_path), square[0, ::-1])


def test_loading_maps_and_does_not_copy(tmp_path: Path) -> None:
    array = np.arange(1000.0)
    frame = pd.DataFrame(np.ones((50, 4)), columns=list("abcd"))
    blocks.save((array, frame), tmp_path, "ab")
    one, two = blocks.load(tmp_path, "ab"), blocks.load(tmp_path, "ab")
    with open(block_file.block_path(tmp_path, "ab"), "r+b") as file:
        offset = file.read().index(array.tobytes())
        assert offset % 64 == 0
        file.seek(offset)
        file.write(np.float64(-7.0).tobytes())
    assert one[0][0] == two[0][0] == -7.0  # both see the file
    assert not one[1].to_numpy().flags.writeable


def test_writing_into_a_loaded_value_changes_neither_the_file_nor_another_load(
    tmp_path: Path,
) -> None:
    array, sparse = np.arange(1000.0), scipy.sparse.random(50, 40, 0.3, format="csr")
    blocks.save((array, sparse), tmp_path, "ab")
    file = block_file.block_path(tmp_path, "ab")
    before = file.read_bytes()
    one, two = blocks.load(tmp_path, "ab"), blocks.load(tmp_path, "ab")
    one[0][:] = -1.0
    one[1].data *= 2.0
    np.testing.assert_array_equal(two[0], array)
    np.testing.assert_array_equal(two[1].data, sparse.data)
    assert file.read_bytes() == before


@examples
@given(
    array=hnp.arrays(object, hnp.array_shapes(min_dims=0, max_dims=2, min_side=0), elements=scalars)
)
def test_object_arrays_round_trip(tmp_path: Path, array: Any) -> None:
    assert_same(round_trip(array, tmp_path), array)


def test_object_arrays_keep_nested_values_and_one_nan(tmp_path: Path) -> None:
    array = np.empty(5, object)
    array[:] = [[1, "a"], (2.5, None), np.arange(3), float("nan"), pd.Timestamp("2020", tz="UTC")]
    found = round_trip(array, tmp_path)
    assert_same(found, array)
    assert id(found[3]) == id(np.nan)


def test_equal_strings_are_stored_once(tmp_path: Path) -> None:
    array = np.array(["a long name of a category " * 10] * 10_000, dtype=object)
    info = blocks.save(array, tmp_path, "ab")
    assert info.bytes < 200_000
    found = blocks.load(tmp_path, "ab")
    assert found[0] is found[9_999]


def test_string_dtype_arrays(tmp_path: Path) -> None:
    array = np.array(["a", "", "ünï"], dtype=np.dtypes.StringDType())
    found = round_trip(array, tmp_path)
    assert found.dtype == array.dtype
    assert found.tolist() == array.tolist()


@pytest.mark.parametrize("kind", ["csr_matrix", "csc_matrix", "csr_array", "csc_array"])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sparse_round_trip(tmp_path: Path, kind: str, index: Any) -> None:
    rng = np.random.default_rng(0)
    dense = rng.random((30, 20), dtype=np.float32) * (rng.random((30, 20)) < 0.2)
    matrix = getattr(scipy.sparse, kind)(dense)
    matrix.indices, matrix.indptr = matrix.indices.astype(index), matrix.indptr.astype(index)
    found = round_trip(matrix, tmp_path)
    assert type(found) is type(matrix)
    assert found.shape == matrix.shape
    for part in ("data", "indices", "indptr"):
        assert_same_array(getattr(found, part), getattr(matrix, part))
    np.testing.assert_array_equal((found @ np.eye(20)), dense)
    np.testing.assert_array_equal(found[[3, 1]].toarray(), dense[[3, 1]])


def test_empty_sparse_and_explicit_zeros(tmp_path: Path) -> None:
    found = round_trip(scipy.sparse.csr_matrix((0, 7)), tmp_path)
    assert found.shape == (0, 7)
    matrix = scipy.sparse.csr_matrix(([0.0, 1.0], ([0, 1], [1, 0])), shape=(2, 2))
    assert round_trip(matrix, tmp_path).nnz == 2


TABLES = {
    "plain": pa.table({"a": [1, None, 3], "b": ["x", None, "y"]}, metadata={"key": "value"}),
    "no columns": pa.table({"a": [1, 2, 3]}, metadata={"key": "value"}).select([]),
    "no rows": pa.table({"a": pa.array([], pa.string())}),
    "nothing": pa.table({}),
    "sliced": pa.table({"a": list(range(100)), "b": [str(i) for i in range(100)]}).slice(7, 11),
    "dictionaries": pa.table(
        {
            "a": pa.chunked_array(
                [pa.array(["p", "q"]).dictionary_encode(), pa.array(["r"]).dictionary_encode()]
            )
        }
    ),
    "nan": pa.table({"a": pa.array([float("nan"), None, 1.0], from_pandas=False)}),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_round_trip(tmp_path: Path, name: str) -> None:
    table = TABLES[name]
    found = round_trip(table, tmp_path)
    assert found.schema.equals(table.schema, check_metadata=True)
    assert found.num_rows == table.num_rows
    assert str(found.to_pydict()) == str(table.to_pydict())


def test_kinds_are_reported(tmp_path: Path) -> None:
    kinds = {
        "array": np.ones(3),
        "objects": np.array([None]),
        "tuple": (np.ones(3), np.ones(2)),
        "list": [],
        "frame": pd.DataFrame(),
        "table": pa.table({}),
        "sparse": scipy.sparse.csr_matrix((1, 1)),
        "scalar": None,
    }
    for kind, value in kinds.items():
        assert blocks.save(value, tmp_path, "ab").kind == kind
