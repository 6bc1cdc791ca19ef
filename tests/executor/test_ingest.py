"""Registration: files in, normal form, fingerprints and descriptions out."""

import gzip
import sqlite3
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.backends.duckdb import read_table
from executor.fingerprint import fingerprint
from executor.ingest import ingest
from executor.normalise import normalise
from planner.errors import DataError, SpecError, StratumError


def add(source: Path, **options: Any) -> dict[str, Any]:
    target = source.parent / "datasets"
    target.mkdir(exist_ok=True)
    return ingest(str(source), str(target), options)


def stored(source: Path, **options: Any) -> pa.Table:
    found = add(source, **options)
    return read_table(source.parent / "datasets" / f"{found['fingerprint']}.arrow")


def types(found: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {c["name"]: (c["kind"], c["sql_type"]) for c in found["columns"]}


def refused(source: Path, **options: Any) -> StratumError:
    with pytest.raises(StratumError) as caught:
        add(source, **options)
    assert not list((source.parent / "datasets").iterdir())
    return caught.value


@pytest.fixture
def frame() -> pa.Table:
    return pa.table(
        {
            "n": pa.array([1, None, 3], pa.int64()),
            "x": pa.array([0.5, 1e-300, None], pa.float64()),
            "s": pa.array(["ä", None, "b,c"], pa.large_string()),
            "t": pa.array([datetime(2020, 1, 2, 3, 4, 5), None, datetime(2021, 1, 1)]),
            "d": pa.array([date(2020, 1, 2), None, date(1999, 12, 31)]),
        }
    )


def test_the_stored_file_has_all_columns_and_the_row_number_last(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,name\n1,a\n2,b\n")
    found = add(tmp_path / "a.csv")
    table = stored(tmp_path / "a.csv")
    assert table.to_pydict() == {"x": [1, 2], "name": ["a", "b"], "__row": [0, 1]}
    assert found["rows"] == 2
    assert found["columns"] == [
        {"name": "x", "kind": "integer", "sql_type": "BIGINT", "nullable": False, "distinct": 2},
        {"name": "name", "kind": "string", "sql_type": "VARCHAR", "nullable": False, "distinct": 2},
    ]
    files = list((tmp_path / "datasets").iterdir())
    assert [file.name for file in files] == [f"{found['fingerprint']}.arrow"]
    assert found["bytes"] == files[0].stat().st_size


def test_equal_content_has_one_fingerprint_in_every_format(tmp_path: Path, frame: pa.Table) -> None:
    frame.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get).to_csv(
        tmp_path / "a.csv", index=False
    )
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress((tmp_path / "a.csv").read_bytes()))
    pq.write_table(frame, tmp_path / "a.parquet", row_group_size=2)
    pyarrow.feather.write_feather(frame, tmp_path / "a.feather")
    with pa.ipc.new_stream(tmp_path / "a.arrows", frame.schema) as writer:
        writer.write_table(frame, max_chunksize=1)
    frame.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get).astype({"d": str}).replace(
        {"d": {"None": None}}
    ).to_json(tmp_path / "a.jsonl", orient="records", lines=True, date_format="iso")
    with duckdb.connect(str(tmp_path / "a.duckdb")) as connection:
        connection.execute("CREATE TABLE t AS SELECT * FROM frame")
    with sqlite3.connect(tmp_path / "a.sqlite") as lite:
        lite.execute("CREATE TABLE t (n, x, s, t, d)")
        rows = [
            (r["n"], r["x"], r["s"], r["t"] and str(r["t"]), r["d"] and str(r["d"]))
            for r in frame.to_pylist()
        ]
        lite.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", rows)
    lite.close()
    names = ("a.csv", "b.csv.gz", "a.parquet", "a.feather", "a.arrows", "a.jsonl", "a.duckdb")
    found = {name: add(tmp_path / name) for name in (*names, "a.sqlite")}
    expected = fingerprint(frame)
    assert {name: entry["fingerprint"] for name, entry in found.items()} == dict.fromkeys(
        found, expected
    )
    assert types(found["a.csv"]) == {
        "n": ("integer", "BIGINT"),
        "x": ("float", "DOUBLE"),
        "s": ("string", "VARCHAR"),
        "t": ("date", "TIMESTAMP"),
        "d": ("date", "DATE"),
    }


@pytest.mark.parametrize(
    "other",
    [
        {"a": ["x", "", None], "b": [1, 2, 3]},
        {"a": ["x", None, ""], "b": [1, 2, 4]},
        {"a": ["x", None, ""], "b": [1.0, 2.0, 3.0]},
        {"a": [None, "x", ""], "b": [2, 1, 3]},
        {"b": [1, 2, 3], "a": ["x", None, ""]},
        {"a": ["x", None, ""], "c": [1, 2, 3]},
        {"a": ["x", None, ""], "b": [True, True, True]},
        {"a": ["x", None, ""], "b": [1, 2, None]},
        {"a": ["", None, "x"], "b": [1, 2, 3]},
    ],
)
def test_the_fingerprint_sees_every_difference(other: dict[str, Any]) -> None:
    base = pa.table({"a": ["x", None, ""], "b": [1, 2, 3]})
    assert fingerprint(normalise(base)[0]) != fingerprint(normalise(pa.table(other))[0])


_columns = st.one_of(
    st.lists(st.one_of(st.none(), st.text(st.characters(codec="utf-8"))), min_size=4, max_size=4),
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), min_size=4, max_size=4),
    st.lists(st.one_of(st.none(), st.floats()), min_size=4, max_size=4),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=4, max_size=4),
)


@given(st.lists(_columns, min_size=1, max_size=3), st.integers(1, 3))
def test_chunks_and_bytes_under_nulls_do_not_count(values: list[list[Any]], cut: int) -> None:
    whole = pa.table({f"c{i}": pa.array(v) for i, v in enumerate(values)})
    # The first row in front of it, so that every array has an offset.
    longer = pa.concat_tables([whole.slice(0, 1), whole])
    pieces = pa.concat_tables([longer.slice(1, cut), longer.slice(1 + cut)])
    assert fingerprint(normalise(pieces)[0]) == fingerprint(normalise(whole)[0])
    assert fingerprint(normalise(longer)[0].slice(1)) == fingerprint(normalise(whole)[0])


def test_masked_values_do_not_count() -> None:
    one, two = (
        pa.Array.from_buffers(
            pa.int64(), 2, [pa.py_buffer(b"\x01"), pa.py_buffer(np.array([5, hidden]))]
        )
        for hidden in (7, 8)
    )
    assert one.to_pylist() == two.to_pylist() == [5, None]
    assert fingerprint(pa.table({"a": one})) == fingerprint(pa.table({"a": two}))


def test_arrow_types_come_to_the_normal_form(tmp_path: Path) -> None:
    table = pa.table(
        {
            "i8": pa.array([100, None, -1], pa.int8()),
            "u64": pa.array([1, 2, 3], pa.uint64()),
            "big": pa.array([2**64 - 1, 2**64 - 2, None], pa.uint64()),
            "f32": pa.array([0.1, float("nan"), None], pa.float32()),
            "f64": pa.array([0.1, float("nan"), float("inf")]),
            "cat": pa.array(["b", "a", None]).dictionary_encode(),
            "zoned": pa.array([0, 3_600_000, None], pa.timestamp("ms", "Europe/Paris")),
            "money": pa.array([Decimal("1.25"), None, Decimal("-3.50")], pa.decimal128(10, 2)),
            "units": pa.array([1, 2, None], pa.decimal128(20, 0)),
            "nested": [[1, 2], None, []],
            "nothing": pa.nulls(3),
            "bytes": pa.array([b"\xff", b"", None]),
            "d64": pa.array([date(2020, 1, 2)] * 3, pa.date64()),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    found, kept = add(tmp_path / "a.parquet"), stored(tmp_path / "a.parquet").to_pydict()
    assert types(found) == {
        "i8": ("integer", "BIGINT"),
        "u64": ("integer", "BIGINT"),
        "big": ("integer", "DECIMAL(38,0)"),
        "f32": ("float", "FLOAT"),
        "f64": ("float", "DOUBLE"),
        "cat": ("string", "VARCHAR"),
        "zoned": ("date", "TIMESTAMP"),
        "money": ("float", "DOUBLE"),
        "units": ("integer", "BIGINT"),
        "nested": ("string", "VARCHAR"),
        "nothing": ("float", "DOUBLE"),
        "bytes": ("other", "BLOB"),
        "d64": ("date", "DATE"),
    }
    assert kept["f32"] == [np.float32(0.1), None, None]
    assert kept["f64"] == [0.1, None, float("inf")]
    assert kept["big"] == [2**64 - 1, 2**64 - 2, None]
    assert kept["zoned"] == [datetime(1970, 1, 1), datetime(1970, 1, 1, 1), None]
    assert kept["nested"] == ["[1, 2]", None, "[]"]
    assert any("zoned" in w and "UTC" in w for w in found["warnings"])
    assert any("nested" in w for w in found["warnings"])


def test_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '\n{"a": 1, "b": "2020-01-05", "mixed": 1}\n'
        '{"a": 9007199254740993, "c": {"k": [1]}, "mixed": "x"}\n\n'
        '{"b": null, "a": null, "f": 1, "c": null}\n{"f": 0.1, "flag": true}\n'
    )
    found = add(tmp_path / "a.jsonl")
    assert stored(tmp_path / "a.jsonl").drop_columns(["__row"]).to_pydict() == {
        "a": [1, 9007199254740993, None, None],
        "b": [date(2020, 1, 5), None, None, None],
        "mixed": ["1", "x", None, None],
        "c": [None, '{"k": [1]}', None, None],
        "f": [None, None, 1.0, 0.1],
        "flag": [None, None, None, True],
    }
    assert any("'mixed'" in w for w in found["warnings"])
    (tmp_path / "b.json").write_text('[{"a": "5"}, {"a": "6"}]')
    assert types(add(tmp_path / "b.json")) == {"a": ("string", "VARCHAR")}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"a": 1}\n{"a": \n', "Line 2"),
        ('{"a": 1}\n[1]\n', "Line 2"),
        ("[1, 2]", "Item 0"),
        ('[{"a": 1}', "not valid"),
        ("hello", "JSON object"),
    ],
)
def test_broken_json(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.json").write_text(text)
    error = refused(tmp_path / "a.json")
    assert error.code == "malformed_file"
    assert words in error.message


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_databases_with_several_tables_need_a_choice(tmp_path: Path, kind: str) -> None:
    source = tmp_path / f"a.{kind}"
    connect: Any = sqlite3.connect if kind == "sqlite" else duckdb.connect
    connection = connect(str(source))
    connection.execute('CREATE TABLE "odd "" name" (a INTEGER)')
    connection.execute('INSERT INTO "odd "" name" VALUES (7)')
    connection.execute("CREATE TABLE prices (p DOUBLE)")
    connection.commit()
    connection.close()
    error = refused(source)
    assert (error.code, "prices" in error.hint) == ("table_required", True)
    error = refused(source, table="price")
    assert (error.code, error.hint) == ("unknown_table", "Did you mean 'prices'?")
    assert stored(source, table='odd " name').to_pydict() == {"a": [7], "__row": [0]}


def test_views_of_a_database_file_reach_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with duckdb.connect(str(tmp_path / "a.duckdb")) as connection:
        connection.execute(f"CREATE VIEW v AS SELECT * FROM read_csv('{tmp_path}/secret.csv')")
    assert refused(tmp_path / "a.duckdb").code == "malformed_file"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"PK\x03\x04rest", "unsupported_format"),
        (b"PAR1 but no more", "malformed_file"),
        (b"ARROW1\0\0 but no more", "malformed_file"),
        (b"SQLite format 3\0 but no more", "malformed_file"),
        (b"\0\0\0\0\0\0\0\0DUCK but no more", "malformed_file"),
        (b"\x1f\x8b but no more", "malformed_file"),
        (b"", "empty_table"),
        (gzip.compress(b""), "empty_table"),
        (bytes(range(256)) * 20, "malformed_file"),
    ],
)
def test_files_of_other_kinds(tmp_path: Path, content: bytes, code: str) -> None:
    (tmp_path / "file").write_bytes(content)
    assert refused(tmp_path / "file").code == code


def test_text_that_is_no_utf8(tmp_path: Path) -> None:
    wrong = pa.array([b"ok", b"\xff"]).view(pa.string())
    pq.write_table(pa.table({"a": wrong}), tmp_path / "a.parquet")
    assert refused(tmp_path / "a.parquet").code == "malformed_file"


def test_a_missing_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.csv").code == "file_not_found"


@pytest.mark.parametrize(
    ("options", "code", "path"),
    [
        ({"delimeter": ","}, "unknown_option", "options.delimeter"),
        ({"delimiter": ",,"}, "invalid_option", "options.delimiter"),
        ({"header": "yes"}, "invalid_option", "options.header"),
        ({"encoding": "base64"}, "invalid_option", "options.encoding"),
        ({"na_values": [[1]]}, "invalid_option", "options.na_values"),
        ({"na_values": {"aa": ["x"]}}, "unknown_column", "options.na_values"),
        ({"as_text": ["z"]}, "unknown_column", "options.as_text"),
    ],
)
def test_options_are_checked(tmp_path: Path, options: dict[str, Any], code: str, path: str) -> None:
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    error = refused(tmp_path / "a.csv", **options)
    assert isinstance(error, SpecError)
    assert (error.code, error.path) == (code, path)


def test_names(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("__row,größe,row,,__\n1,2,3,4,5\n")
    found = add(tmp_path / "a.csv")
    assert [c["name"] for c in found["columns"]] == [
        "row_2", "größe", "row", "Unnamed: 3", "column"
    ]  # fmt: skip
    assert any("'__row'" in w and "'row_2'" in w for w in found["warnings"])


def test_duplicate_names_are_listed(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("a,A,b,b\n1,2,3,4\n")
    error = refused(tmp_path / "b.csv")
    assert isinstance(error, DataError)
    assert error.code == "duplicate_columns"
    assert "'a', 'A'" in error.message
    assert "'b', 'b'" in error.message
