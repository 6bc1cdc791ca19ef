import datetime
import errno
import io
import math
import resource
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from hypothesis.extra import pandas as hpd

from executor import block_file, blocks
from executor.block_file import TEMPORARY, BlockError
from planner.errors import ExecutionError

# The directory of a test may be used by all examples: a block is replaced by the next.
examples = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def round_trip(value: Any, directory: Path) -> Any:
    info = blocks.save(value, directory, "ab")
    assert info.bytes == block_file.block_path(directory, "ab").stat().st_size
    return blocks.load(directory, "ab")


def assert_same_array(found: Any, wanted: Any) -> None:
    assert type(found) is np.ndarray
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    assert not found.flags.writeable
    assert found.tobytes() == wanted.tobytes()


def assert_same(found: Any, wanted: Any) -> None:
    """Equal in type and value, NaN being equal to NaN, also inside of containers."""
    assert type(found) is type(wanted)
    if isinstance(wanted, np.ndarray):
        if wanted.dtype.kind == "O":
            assert found.shape == wanted.shape
            assert not found.flags.writeable
            for one, two in zip(found.ravel(), wanted.ravel(), strict=True):
                assert_same(one, two)
        else:
            assert_same_array(found, wanted)
    elif isinstance(wanted, tuple | list):
        assert len(found) == len(wanted)
        for one, two in zip(found, wanted, strict=True):
            assert_same(one, two)
    elif isinstance(wanted, dict):
        assert_same(list(found.items()), list(wanted.items()))
    elif isinstance(wanted, pd.DataFrame):
        pd.testing.assert_frame_equal(found, wanted, check_exact=True)
    elif isinstance(wanted, np.generic):
        assert found.dtype == wanted.dtype
        assert found.tobytes() == wanted.tobytes()
    elif isinstance(wanted, float):
        assert (math.isnan(found) and math.isnan(wanted)) or found == wanted
        assert math.copysign(1, found) == math.copysign(1, wanted)
    elif wanted is pd.NA or wanted is pd.NaT or wanted is None:
        assert found is wanted
    else:
        assert found == wanted


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


def columns() -> dict[str, Any]:
    n = 5
    berlin = pd.date_range("2020-03-28", periods=n, tz="Europe/Berlin")
    return {
        "float": [1.0, np.nan, -0.0, np.inf, 4.0],
        "float32": np.arange(n, dtype=np.float32),
        "int": range(n),
        "uint8": np.arange(n, dtype=np.uint8),
        "bool": [True, False, True, True, False],
        "str": ["x", None, "y", "ünï", ""],
        "string": pd.array(["a", None, "b", None, "c"], dtype="string"),
        "python strings": pd.array(
            ["a", None, "b", None, "c"], dtype=pd.StringDtype("python", na_value=np.nan)
        ),
        "objects": pd.Series([1, "a", None, 2.5, (1, 2)], dtype=object),
        "object strings": pd.Series(["a", "b", None, np.nan, "a"], dtype=object),
        "category": pd.Categorical(["u", "v", None, "u", "v"], categories=["v", "u", "w"]),
        "ordered": pd.Categorical([1, 2, 1, 2, 3], ordered=True),
        "Int64": pd.array([1, None, 2**60, 4, 5], dtype="Int64"),
        "boolean": pd.array([True, None, True, None, False], dtype="boolean"),
        "Float64": pd.arrays.FloatingArray(
            np.array([1, np.nan, 3, 4, 5.0]), np.array([False, False, True, False, False])
        ),
        "date": pd.date_range("2020", periods=n),
        "date s": pd.date_range("2020", periods=n).as_unit("s"),
        "delta": pd.to_timedelta([1, 2, None, 4, 5], unit="s"),
        "berlin": berlin,
        "berlin ns": berlin.as_unit("ns"),
        "offset": berlin.tz_convert(datetime.timezone(datetime.timedelta(hours=-3, minutes=-30))),
        "period": pd.period_range("2020-01", periods=n, freq="M"),
        "interval": pd.interval_range(0, n),
        "sparse": pd.arrays.SparseArray([0, 0, 1, 2, 0]),
        "sparse nan": pd.arrays.SparseArray([np.nan, 0, 1, 2, np.nan]),
        "lists": pd.array([[1], [2, 3], None, [], [5]], dtype=pd.ArrowDtype(pa.list_(pa.int64()))),
        "decimals": pd.array(
            [Decimal("1.50"), None] * 2 + [Decimal(0)], dtype=pd.ArrowDtype(pa.decimal128(9, 2))
        ),
    }


@pytest.mark.parametrize("name", columns())
def test_column_types_round_trip(tmp_path: Path, name: str) -> None:
    series = pd.Series(columns()[name], name=name)
    pd.testing.assert_series_equal(round_trip(series, tmp_path), series, check_exact=True)
    frame = series.to_frame()
    pd.testing.assert_frame_equal(round_trip(frame, tmp_path), frame, check_exact=True)
    index = pd.Index(series.array, name=("a", 1), dtype=series.dtype)
    pd.testing.assert_index_equal(round_trip(index, tmp_path), index, exact=True)
    found = round_trip(series.array, tmp_path)
    assert type(found) is type(series.array)


def test_mixed_frames_round_trip(tmp_path: Path) -> None:
    frame = pd.DataFrame(columns())
    found = round_trip(frame, tmp_path)
    pd.testing.assert_frame_equal(found, frame, check_exact=True)
    # What an estimator makes of it has the same bytes in the same order.
    numeric = ["float", "int", "float32"]
    one, two = found[numeric].to_numpy(), frame[numeric].to_numpy()
    assert one.tobytes("A") == two.tobytes("A")
    assert one.flags.f_contiguous == two.flags.f_contiguous


@pytest.mark.parametrize("order", ["C", "F"])
def test_numeric_frames_keep_their_memory_order(tmp_path: Path, order: Any) -> None:
    frame = pd.DataFrame(np.asarray(np.random.default_rng(0).random((9, 4)), order=order))
    found = round_trip(frame, tmp_path)
    pd.testing.assert_frame_equal(found, frame, check_exact=True)
    assert found.to_numpy().flags.f_contiguous == frame.to_numpy().flags.f_contiguous


INDEXES = {
    "range": pd.RangeIndex(2, 8, 2, name="r"),
    "mixed": pd.Index([1, "1", None], dtype=object),
    "numbers": pd.Index([1.5, np.nan, 1.5]),
    "tuples": pd.Index([("a", 1), ("b", 2), ("a", 1)], tupleize_cols=False),
    "multi": pd.MultiIndex.from_tuples([("a", 1), ("b", 2), ("a", 1)], names=["x", None]),
    "dates": pd.date_range("2020", periods=3, freq="2D", name="d"),
    "zones": pd.date_range("2020", periods=3, freq="h", tz="Europe/Berlin"),
    "deltas": pd.timedelta_range("1h", periods=3, freq="h"),
    "categories": pd.CategoricalIndex(["b", "a", "b"]),
    "duplicates": pd.Index(["a", "a", "b"]),
}


@pytest.mark.parametrize("name", INDEXES)
def test_labels_round_trip(tmp_path: Path, name: str) -> None:
    labels = INDEXES[name]
    for frame in (
        pd.DataFrame({"x": [1, 2, 3]}, index=labels),
        pd.DataFrame(np.ones((2, 3)), columns=labels),
        pd.DataFrame([[1, "a", 2.0]], columns=labels),
        pd.DataFrame(index=labels),
        pd.DataFrame(columns=labels),
    ):
        found = round_trip(frame, tmp_path)
        pd.testing.assert_frame_equal(
            found, frame, check_exact=True, check_index_type="exact", check_column_type="exact"
        )
        assert getattr(found.index, "freq", None) == getattr(frame.index, "freq", None)


@examples
@given(
    frame=hpd.data_frames(
        [
            hpd.column("a", dtype=float),
            hpd.column("b", dtype=np.int32),
            hpd.column("c", elements=st.text(st.characters(codec="utf-8"), max_size=5)),
            hpd.column("d", dtype="datetime64[ns]"),
            hpd.column("e", dtype=float),
            hpd.column("f", dtype=bool),
        ],
        index=hpd.indexes(dtype=np.int64, max_size=8),
    ),
    picked=st.lists(st.integers(0, 5), max_size=8),
)
def test_frames_round_trip(tmp_path: Path, frame: pd.DataFrame, picked: list[int]) -> None:
    chosen = frame.iloc[:, picked]  # any order, duplicates, none at all
    found = round_trip(chosen, tmp_path)
    pd.testing.assert_frame_equal(found, chosen, check_exact=True)


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


class Opaque:
    pass


@pytest.mark.parametrize(
    "value",
    [
        Opaque(),
        np.array([Opaque()], dtype=object),
        [1, {2, 3}],
        np.ma.masked_array([1, 2], [True, False]),
        np.array([(1, None)], dtype=[("a", int), ("b", object)]),
        datetime.datetime(2020, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")),
    ],
    ids=repr,
)
def test_what_cannot_be_restored_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ExecutionError) as caught:
        blocks.save(value, tmp_path, "ab")
    assert caught.value.code == "unstorable_value"
    assert list((tmp_path / TEMPORARY).iterdir()) == []
    assert not block_file.block_path(tmp_path, "ab").exists()


def test_missing_block(tmp_path: Path) -> None:
    with pytest.raises(BlockError) as caught:
        blocks.load(tmp_path, "ab")
    assert caught.value.code == "block_unreadable"


@examples
@given(data=st.data())
def test_truncation_is_always_detected(tmp_path: Path, data: st.DataObject) -> None:
    value = (np.arange(20), pd.DataFrame({"a": ["x", "y"]}), None)
    blocks.save(value, tmp_path, "ab")
    path = block_file.block_path(tmp_path, "ab")
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(BlockError):
        blocks.load(tmp_path, "ab")


@examples
@given(data=st.data())
def test_damage_outside_of_the_content_is_detected(tmp_path: Path, data: st.DataObject) -> None:
    value = (np.arange(20), pd.DataFrame({"a": ["x", "y"]}), None)
    blocks.save(value, tmp_path, "ab")
    path = block_file.block_path(tmp_path, "ab")
    changed = bytearray(path.read_bytes())
    start = changed.index(b'{"k":"tuple"')
    position = data.draw(
        st.integers(start, len(changed) - 1).filter(
            # eight bytes of the trailer hold the seconds, which are a hint
            lambda at: not len(changed) - 32 <= at < len(changed) - 24
        )
    )
    changed[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    with pytest.raises(BlockError):
        blocks.load(tmp_path, "ab")


@examples
@given(garbage=st.binary(max_size=300))
def test_garbage_is_refused(tmp_path: Path, garbage: bytes) -> None:
    path = block_file.block_path(tmp_path, "ab")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(garbage)
    with pytest.raises(BlockError):
        blocks.load(tmp_path, "ab")


@pytest.mark.parametrize(
    "node",
    [
        {"k": "pickle", "v": "80"},
        {"k": "array", "shape": [4], "order": "C", "dtype": "'|O'", "at": [64, 32]},
        {"k": "array", "shape": [9], "order": "C", "dtype": "'<f8'", "at": [64, 72]},
        {"k": "array", "shape": [1], "order": "C", "dtype": "__import__('os')", "at": [64, 8]},
        {"k": "sparse", "t": "Opaque", "shape": [1, 1], "v": []},
        {"k": "table", "rows": None, "at": [64, 8]},
        {"k": "frame"},
        {},
    ],
    ids=str,
)
def test_well_formed_files_of_strange_content_are_refused(tmp_path: Path, node: Any) -> None:
    with block_file.create_block(tmp_path, "ab") as writer:
        writer.align()
        writer.write(bytes(8))
        writer.manifest = node
    with pytest.raises(BlockError):
        blocks.load(tmp_path, "ab")


def test_an_exhausted_disk_leaves_no_file(tmp_path: Path) -> None:
    for directory in (tmp_path / TEMPORARY, tmp_path / "ab"):
        directory.mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        for value in (np.zeros(100_000), pa.table({"a": np.zeros(100_000)})):
            with pytest.raises(ExecutionError) as caught:
                blocks.save(value, tmp_path, "ab")
            assert caught.value.code == "disk_full"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert_same(round_trip(np.zeros(10), tmp_path), np.zeros(10))


def test_a_full_device_when_the_file_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def close(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    def full(path: Path, mode: str) -> Full:
        path.touch()
        return Full()

    with monkeypatch.context() as patched:
        patched.setattr(block_file, "open", full, raising=False)
        with pytest.raises(ExecutionError) as caught:
            blocks.save(1, tmp_path, "ab")
    assert caught.value.code == "disk_full"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_failed_save_keeps_the_block_before(tmp_path: Path) -> None:
    blocks.save([1, 2], tmp_path, "ab")
    with pytest.raises(ExecutionError):
        blocks.save([np.zeros(1000), Opaque()], tmp_path, "ab")
    assert blocks.load(tmp_path, "ab") == [1, 2]


def test_trailers_are_read_without_numpy() -> None:
    root = Path(sys.modules["executor"].__path__[0]).parent
    code = "import sys, executor.store; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
