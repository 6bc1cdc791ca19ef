import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import pandas as hpd

from tests.executor.block_cases import examples, round_trip


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
