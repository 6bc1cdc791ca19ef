"""The DuckDB backend: queries on Arrow files, and frames as pandas would have read them."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.datasets import load_diabetes

from executor.backends.duckdb import (
    connect,
    describe,
    plain,
    read_table,
    run_query,
    to_frame,
    write_table,
)
from executor.ingest import ingest
from executor.statistics import statistics
from planner.errors import DataError, ExecutionError, SpecError, StratumError
from planner.render import Check, Query

Run = Callable[..., pa.Table]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs SQL over the table ``t``."""

    def run(
        sql: str, table: pa.Table | None = None, checks: tuple[Check, ...] = (), threads: int = 2
    ) -> pa.Table:
        path = str(tmp_path / "t.arrow")
        write_table(pa.table({"a": [1, 2, 3]}) if table is None else table, path)
        query = Query(sql, (("t", "key"),), checks)
        return run_query(query, {"key": path}, threads=threads, memory="1GB")

    return run


def refused(call: Callable[[], Any]) -> StratumError:
    with pytest.raises(StratumError) as caught:
        call()
    return caught.value


def test_rows_keep_their_order_with_several_threads(run: Run) -> None:
    n = 500_000
    table = pa.table({"a": np.arange(n) * 7919 % n, "__row": np.arange(n)})
    found = run('SELECT a, "__row" FROM t WHERE a % 3 <> 0', table)
    expected = table.column("a").to_numpy()
    np.testing.assert_array_equal(found.column("a").to_numpy(), expected[expected % 3 != 0])
    assert (np.diff(found.column("__row").to_numpy()) > 0).all()


def test_wide_numbers_become_plain_where_they_fit(run: Run) -> None:
    found = run(
        "SELECT sum(a) OVER () AS total, a * 1.5::DECIMAL(4, 2) AS price, "
        "a::HUGEINT * 10::HUGEINT ** 20 AS wide, a::UTINYINT AS small FROM t"
    )
    assert found.schema.field("total").type == pa.int64()
    assert found.column("total").to_pylist() == [6, 6, 6]
    assert found.column("price").to_pylist() == [1.5, 3.0, 4.5]
    wide = plain(pa.table({"w": pa.array([10**30, 10**30 + 1], pa.decimal128(38, 0))}))
    assert wide.column("w").to_pylist() == [Decimal(10**30), Decimal(10**30 + 1)]


ZONED = """
from executor.backends.duckdb import run_query
from planner.render import Query

sql = (
    "SELECT TIMESTAMPTZ '2020-01-01 00:00:00' AS a, TIMESTAMPTZ '2020-01-01 00:00:00+02' AS b, "
    "hour(TIMESTAMPTZ '2020-01-01 05:00:00') AS c"
)
print(run_query(Query(sql, ()), {}, threads=1, memory="1GB").to_pylist())
"""


def test_times_are_utc_whatever_the_host() -> None:
    # A process of its own, since the zone is looked up once.
    done = subprocess.run(
        [sys.executable, "-c", ZONED],
        env={**os.environ, "TZ": "Asia/Tokyo", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [{"a": datetime(2020, 1, 1), "b": datetime(2019, 12, 31, 22), "c": 5}]
    assert done.stdout.strip() == str(expected)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT 9223372036854775807 + a FROM t", "Overflow"),
        ("SELECT CAST('x' || a AS INTEGER) FROM t", "'x1'"),
        ("SELECT ln(a - 5) FROM t", "logarithm"),
    ],
)
def test_what_the_data_cannot_do(run: Run, sql: str, words: str) -> None:
    error = refused(lambda: run(sql))
    assert isinstance(error, DataError)
    assert error.code == "data_error"
    assert words in error.message
    assert "try(" in error.hint


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "COPY t TO '/tmp/stolen.csv'",
        "ATTACH '/tmp/other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET threads = 64",
        "SELECT * FROM victim",
        "SELECT getenv('HOME')",
    ],
)
def test_nothing_else_can_be_reached(run: Run, sql: str) -> None:
    victim = pd.DataFrame({"secret": [1]})
    with pytest.raises(StratumError):
        run(sql)
    assert len(victim) == 1
    assert not os.path.exists("/tmp/stolen.csv")


def test_one_call_does_not_see_the_tables_of_another() -> None:
    with connect({"mine": pa.table({"a": [1]})}, threads=1, memory="1GB", shared=True) as first:
        assert first.sql("SELECT a FROM mine").fetchall() == [(1,)]
        with connect({}, threads=1, memory="1GB", shared=True) as second:
            with pytest.raises(duckdb.CatalogException):
                second.sql("SELECT a FROM mine")
            with pytest.raises(duckdb.Error):
                second.execute("SET enable_external_access = true")
    error = refused(describe_unknown)
    assert error.code == "invalid_sql"


def describe_unknown() -> None:
    with connect({}, threads=1, memory="1GB", shared=True) as connection:
        connection.sql("SELECT a FROM mine")


def test_unknown_columns_are_an_error_of_the_spec(run: Run) -> None:
    error = refused(lambda: run("SELECT b FROM t"))
    assert isinstance(error, SpecError)
    assert error.code == "invalid_sql"
    assert "LINE" not in error.message


def test_running_out_of_memory(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "t.arrow")
    write_table(pa.table({"a": np.arange(3_000_000)}), path)
    query = Query("SELECT list(a || 'xxxxxxxxxxxxxxxx') FROM t", (("t", "k"),))
    error = refused(lambda: run_query(query, {"k": path}, threads=1, memory="20MB"))
    assert error.code == "out_of_memory"


def test_a_failed_check_is_reported_before_the_query(run: Run) -> None:
    passed = Check("SELECT count(*) FROM t WHERE a > 5", "never", "", "")
    failed = Check("SELECT count(*) FROM t WHERE a > 1", "too_big", "{n} rows.", "prepare[0]")
    assert run("SELECT a FROM t", checks=(passed,)).num_rows == 3
    error = refused(lambda: run("SELECT error('not reached') FROM t", checks=(passed, failed)))
    assert (error.code, error.message, error.path) == ("too_big", "2 rows.", "prepare[0]")


def test_a_dataset_that_is_gone() -> None:
    query = Query("SELECT 1", (("t", "key"),))
    error = refused(lambda: run_query(query, {}, threads=1, memory="1GB"))
    assert error.code == "dataset_gone"


def test_tables_are_mapped_and_equal(tmp_path: Path) -> None:
    table = pa.table({"a": pa.chunked_array([[1.5], [None, 2.5]]), "s": ["x", None, "é"]})
    path = tmp_path / "t.arrow"
    before = pa.total_allocated_bytes()
    size = write_table(table, path)
    assert [file.name for file in tmp_path.iterdir()] == ["t.arrow"]
    found = read_table(path)
    assert found.equals(table)
    assert found.column("a").num_chunks == 1
    assert size == path.stat().st_size
    assert pa.total_allocated_bytes() == before


def test_damaged_files_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "t.arrow"
    write_table(pa.table({"a": np.arange(1000)}), path)
    data = path.read_bytes()
    for content in (data[:-50], data[:1000], b"", b"x" * 100):
        path.write_bytes(content)
        error = refused(lambda: read_table(path))
        assert isinstance(error, ExecutionError)
        assert error.code == "corrupt_block"
    assert refused(lambda: read_table(tmp_path / "none")).code == "corrupt_block"


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_table(pa.table({"a": [1]}), tmp_path / "none" / "t.arrow")
    (tmp_path / "t.arrow").mkdir()
    with pytest.raises(OSError, match=r"t\.arrow"):
        write_table(pa.table({"a": [1]}), tmp_path / "t.arrow")
    assert [file.name for file in tmp_path.iterdir()] == ["t.arrow"]


def test_describe_names_the_types_of_duckdb() -> None:
    table = pa.table(
        {
            "a": pa.array([1], pa.int64()),
            "b": pa.array([1.0], pa.float32()),
            "c": pa.array(["x"], pa.large_string()),
            "d": pa.array([date(2020, 1, 1)]),
            "odd name": pa.array([1], pa.decimal128(38, 0)),
        }
    )
    assert describe(table) == ["BIGINT", "FLOAT", "VARCHAR", "DATE", "DECIMAL(38,0)"]


CSV = """i,j,f,s,b,c,d,t,e,big
1,1,0.5,x,True,True,2020-01-01,2020-01-01 10:00:00,,9007199254740993
2,,,,False,,,,,2
3,-3,1e300,"é,",True,False,1999-12-31,1999-12-31 23:59:59,,3
"""


def test_frames_are_what_read_csv_gives(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(CSV)
    found = ingest(str(tmp_path / "a.csv"), str(tmp_path), {})
    table = read_table(tmp_path / f"{found['fingerprint']}.arrow")
    frame = to_frame(table, [name for name in table.column_names if name != "__row"])
    expected = pd.read_csv(io.StringIO(CSV), parse_dates=["d", "t"])
    pd.testing.assert_frame_equal(frame, expected)
    assert frame.columns.dtype == expected.columns.dtype
    picked = to_frame(table, ["t", "i"])
    pd.testing.assert_frame_equal(picked, expected[["t", "i"]])
    none = to_frame(table, [])
    assert none.shape == (3, 0)


def test_frames_of_real_data_are_those_of_pandas(tmp_path: Path) -> None:
    data = load_diabetes(as_frame=True, scaled=False).frame
    data.to_csv(tmp_path / "a.csv", index=False)
    found = ingest(str(tmp_path / "a.csv"), str(tmp_path), {})
    table = read_table(tmp_path / f"{found['fingerprint']}.arrow").drop_columns(["__row"])
    pd.testing.assert_frame_equal(to_frame(table), pd.read_csv(tmp_path / "a.csv"))


def test_types_that_csv_has_not(run: Run) -> None:
    table = pa.table(
        {
            "n": pa.array([2**60 + 1, None, -1], pa.int64()),
            "w": pa.array([10**30, None, 1], pa.decimal128(38, 0)),
            "f": pa.array([0.1, None, 2], pa.float32()),
        }
    )
    text = "CASE WHEN n > 0 THEN 'hi' WHEN n < 0 THEN 'lo' END"
    found = run(f"SELECT *, {text} AS s, ({text})::ENUM('lo', 'hi', 'no') AS e FROM t", table)
    frame = to_frame(found)
    assert frame["n"].tolist() == [2**60 + 1, pd.NA, -1]
    assert str(frame["n"].dtype) == "Int64"
    assert frame["w"].dtype == np.float64
    assert frame["w"].iloc[0] == 1e30
    assert frame["f"].dtype == np.float32
    assert frame["e"].tolist()[::2] == ["hi", "lo"]
    assert frame["e"].isna().tolist() == [False, True, False]
    assert list(frame["e"].cat.categories) == ["lo", "hi", "no"]
    assert frame["s"].dtype == frame["e"].cat.categories.dtype


def test_numbers_are_views_and_cannot_be_written_to(tmp_path: Path) -> None:
    write_table(pa.table({"a": np.arange(10.0), "b": np.arange(10)}), tmp_path / "t.arrow")
    table = read_table(tmp_path / "t.arrow")
    frame = to_frame(table)
    for name in ("a", "b"):
        address = table.column(name).chunk(0).buffers()[1].address
        assert frame[name].to_numpy().ctypes.data == address
        assert not frame[name].to_numpy().flags.writeable


def test_statistics(tmp_path: Path) -> None:
    path = str(tmp_path / "t.arrow")
    write_table(
        pa.table(
            {
                "a": [1, 1, None, 2],
                'odd "': ["x", None, None, ""],
                "f": [float("nan"), 1.0, None, 1.0],
                "__row": [0, 1, 2, 3],
            }
        ),
        path,
    )
    requests = [
        ["distinct", "a"], ["rows"], ["missing", "a"], ["missing", 'odd "'],
        ["distinct", 'odd "'], ["distinct", "f"], ["missing", "f"],
    ]  # fmt: skip
    query = Query("SELECT * FROM s", (("s", "key"),))
    assert statistics(query, {"key": path}, requests) == {"values": [2, 4, 1, 2, 2, 1, 2]}
    assert statistics(query, {"key": path}, []) == {"values": []}
