"""Pages of query results: bounded, and nothing but JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from executor.backends.duckdb import write_table
from executor.query import query
from planner.errors import StratumError


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, str]:
    n = 1000
    table = pa.table(
        {"a": np.arange(n), "s": [f"row {i}" for i in range(n)], "__row": np.arange(n)}
    )
    write_table(table, tmp_path / "t.arrow")
    return {"my data": str(tmp_path / "t.arrow")}


def one(tables: dict[str, str], expression: str, **options: Any) -> Any:
    found = query(f"SELECT {expression} AS x", tables, 1, **options)
    return json.loads(json.dumps(found, allow_nan=False))["rows"][0][0]


def test_a_page_says_whether_there_is_more(tables: dict[str, str]) -> None:
    found = query('SELECT * FROM "my data" ORDER BY a DESC', tables, 2)
    assert found == {
        "columns": [{"name": "a", "type": "BIGINT"}, {"name": "s", "type": "VARCHAR"}],
        "rows": [[999, "row 999"], [998, "row 998"]],
        "row_count": 2,
        "truncated": True,
    }
    assert not query('SELECT * FROM "my data" LIMIT 2', tables, 2)["truncated"]
    assert query('SELECT a FROM "my data"', tables, 3)["rows"] == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("NULL", None),
        ("true", True),
        ("9007199254740992", 9007199254740992),
        ("9007199254740993", "9007199254740993"),
        ("'NaN'::DOUBLE", None),
        ("'-inf'::DOUBLE", "-Infinity"),
        ("1.50::DECIMAL(5, 2)", 1.5),
        ('(SELECT sum(a) FROM "my data")', 499500),
        ("170141183460469231731687303715884105727", "170141183460469231731687303715884105727"),
        ("DATE '2020-02-29'", "2020-02-29"),
        ("TIMESTAMP '2020-02-29 10:00:00.5'", "2020-02-29 10:00:00.500000"),
        ("TIMESTAMPTZ '2020-02-29 10:00:00+02'", "2020-02-29 08:00:00"),
        ("TIME '10:00:01'", "10:00:01"),
        ("'\\xFF\\x00'::BLOB", "0xff00"),
        ("[1, NULL, 3]", [1, None, 3]),
        ("{'k': [DATE '2020-01-01'], 'f': 'nan'::FLOAT}", {"k": ["2020-01-01"], "f": None}),
        ("MAP {'a': 1}", [["a", 1]]),
        ("'x'::ENUM('x', 'y')", "x"),
        ("'550e8400-e29b-41d4-a716-446655440000'::UUID", "550e8400-e29b-41d4-a716-446655440000"),
    ],
)
def test_cells(tables: dict[str, str], expression: str, expected: Any) -> None:
    assert one(tables, expression) == expected


@pytest.mark.parametrize(
    "expression",
    ["INTERVAL 3 DAYS", "'infinity'::DATE", "'infinity'::TIMESTAMP", "DATE '4714-01-01 (BC)'"],
)
def test_what_json_and_python_have_not_is_text(tables: dict[str, str], expression: str) -> None:
    assert isinstance(one(tables, expression), str)


def test_long_cells_are_cut(tables: dict[str, str]) -> None:
    assert one(tables, "repeat('x', 100000)", max_cell=10) == "xxxxxxxxx…"
    assert len(one(tables, "repeat('x', 100000)::BLOB", max_cell=10)) == 10
    nested = one(tables, "[repeat('x', 1000) for i in range(1000)]", max_cell=100)
    assert len(nested) <= 100
    deep = one(tables, "[[[[[[[[[1]]]]]]]]]")
    assert len(json.dumps(deep)) < 100


def test_large_pages_are_cut(tables: dict[str, str]) -> None:
    found = query("SELECT repeat('x', 400) AS x FROM \"my data\"", tables, 1000, max_bytes=5000)
    assert found["truncated"]
    assert found["row_count"] == len(found["rows"]) == 12
    columns = ", ".join(f"a AS c{i}" for i in range(600))
    wide = query(f'SELECT {columns} FROM "my data"', tables, 1)
    assert len(wide["columns"]) == len(wide["rows"][0]) == 500
    assert wide["columns_omitted"] == 100


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ('SELECT nope FROM "my data"', "invalid_sql"),
        ('SELECT "__row" FROM "my data"', "invalid_sql"),
        ("SELECT * FROM other", "invalid_sql"),
        ("SELEC 1", "invalid_sql"),
        ("", "invalid_sql"),
        ("CREATE TABLE x AS SELECT 1", "invalid_sql"),
        ("SELECT * FROM read_text('/etc/passwd')", "sql_not_allowed"),
        ("SELECT 1::TINYINT + 1000::INTEGER::TINYINT", "data_error"),
    ],
)
def test_errors(tables: dict[str, str], sql: str, code: str) -> None:
    with pytest.raises(StratumError) as caught:
        query(sql, tables, 10)
    assert caught.value.code == code


@pytest.mark.parametrize("limit", [0, -1, 10**9])
def test_limits(tables: dict[str, str], limit: int) -> None:
    with pytest.raises(StratumError) as caught:
        query("SELECT 1", tables, limit)
    assert caught.value.code == "invalid_limit"


def test_data_are_not_changed(tables: dict[str, str]) -> None:
    before = Path(tables["my data"]).read_bytes()
    for sql in ('DELETE FROM "my data"', 'DROP VIEW "my data"', 'UPDATE "my data" SET a = 1'):
        with pytest.raises(StratumError):
            query(sql, tables, 10)
    assert Path(tables["my data"]).read_bytes() == before
