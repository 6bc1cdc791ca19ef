import pytest

from planner.binder import bind, empty_table
from planner.sql import check_select
from tests.planner.sql_cases import INPUT, REFUSALS, TABLES, select_refusal


@pytest.mark.parametrize(
    ("text", "tables"),
    [
        ("SELECT * FROM input", ("input",)),
        ("SELECT 1;", ()),
        ("FROM INPUT SELECT a", ("input",)),
        ("VALUES (1), (2)", ()),
        ("WITH t AS (SELECT a FROM other), u AS (SELECT * FROM t) SELECT * FROM u", ("other",)),
        ("SELECT * FROM input i JOIN other USING (a)", ("input", "other")),
        ("SELECT (SELECT max(a) FROM other o WHERE o.s = i.s) FROM input i", ("input", "other")),
        ("SELECT a FROM input UNION ALL SELECT a FROM other ORDER BY 1 LIMIT 3",
         ("input", "other")),
        ("SELECT * EXCLUDE (b) REPLACE (a + 1 AS a) FROM input", ("input",)),
        ("SELECT COLUMNS('^[ab]$') FROM input", ("input",)),
        ("SELECT s, sum(a) FROM input GROUP BY ALL HAVING sum(a) > 1 ORDER BY ALL", ("input",)),
        ("SELECT *, row_number() OVER w FROM input WINDOW w AS (ORDER BY a) "
         "QUALIFY row_number() OVER w = 1", ("input",)),
        ('SELECT * FROM "a file.csv"', ("a file.csv",)),
        ("SELECT user FROM input", ("input",)),
        ("SELECT upper(s) AS u, u || lower(trim(u)) || repeat(u, 2) FROM input", ("input",)),
        ("SELECT * FROM range(10) r, unnest([1, 2])", ()),
        ("SELECT * FROM input ASOF JOIN other ON input.s = other.s AND input.d >= other.d",
         ("input", "other")),
    ],
)  # fmt: skip
def test_selects_that_are_accepted(text, tables):
    info = check_select(text, TABLES, "here")
    assert info.tables == tables
    given_tables = ", ".join(f'"{name}" AS (SELECT * FROM {empty_table(INPUT)})' for name in TABLES)
    bind(f"WITH {given_tables} SELECT * FROM ({info.text})", "here")
    assert check_select(info.text, TABLES, "here").tables == tables


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SELECT", "invalid_sql"),
        ("SELECT * FROM", "invalid_sql"),
        ("", "forbidden_sql"),
        ("SELECT 1; SELECT 2", "forbidden_sql"),
        ("INSERT INTO input SELECT 1", "forbidden_sql"),
        ("WITH t AS (INSERT INTO input VALUES (1) RETURNING *) SELECT * FROM t", "forbidden_sql"),
        ("WITH t AS (DELETE FROM input RETURNING *) SELECT * FROM t", "forbidden_sql"),
        ("COPY input TO 'x.csv'", "forbidden_sql"),
        ("WITH t AS (COPY input TO 'x') SELECT 1", None),
        ("ATTACH 'x.db'", "forbidden_sql"),
        ("PRAGMA version", None),
        ("SET threads = 4", "forbidden_sql"),
        ("INSTALL httpfs", "forbidden_sql"),
        ("CREATE TABLE x AS SELECT 1", "forbidden_sql"),
        ("EXPLAIN SELECT 1", "forbidden_sql"),
        ("EXPLAIN ANALYZE SELECT 1", "forbidden_sql"),
        ("DESCRIBE input", "forbidden_sql"),
        ("SUMMARIZE input", "forbidden_sql"),
        ("SHOW TABLES", "forbidden_sql"),
        ("SELECT * FROM (DESCRIBE input)", "forbidden_sql"),
        ("CALL pragma_version()", "forbidden_sql"),
        ("PREPARE p AS SELECT 1", "forbidden_sql"),
        ("SELECT * FROM 'x.csv'", "forbidden_sql"),
        ("SELECT * FROM '/etc/passwd'", "forbidden_sql"),
        ("SELECT * FROM read_csv('x')", "forbidden_sql"),
        ("SELECT * FROM glob('*')", "forbidden_sql"),
        ("SELECT * FROM duckdb_settings()", "forbidden_sql"),
        ("SELECT * FROM duckdb_settings", "unknown_dataset"),
        ("SELECT * FROM information_schema.tables", "forbidden_sql"),
        ("SELECT * FROM main.input", "forbidden_sql"),
        ("SELECT * FROM memory.main.input", "forbidden_sql"),
        ("SELECT * FROM inputs", "unknown_dataset"),
        ("SELECT * FROM __scan_input0", "forbidden_sql"),
        ("SELECT __row FROM input", "forbidden_sql"),
        ("SELECT * FROM query('SELECT 1')", "forbidden_sql"),
        ("SELECT * FROM query_table('input')", "forbidden_sql"),
        ("SELECT * FROM range(100000000000)", "forbidden_sql"),
        ("SELECT * FROM repeat('x', 100)", "forbidden_sql"),
        ("SELECT * FROM input WHERE d < now()", "forbidden_sql"),
        ("SELECT * FROM input WHERE d < current_date", "forbidden_sql"),
        ("SELECT * FROM input WHERE a = $1", "forbidden_sql"),
        ("SELECT * FROM input TABLESAMPLE 10%", "forbidden_sql"),
        ("SELECT * FROM input USING SAMPLE 3", "forbidden_sql"),
        ("SELECT * FROM input AT (VERSION => 1)", "forbidden_sql"),
        ("SELECT * FROM input POSITIONAL JOIN other", "forbidden_sql"),
        ("WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT * FROM t",
         "forbidden_sql"),
        ("WITH input AS (SELECT 1) SELECT * FROM input", "invalid_sql"),
        ("SELECT * FROM (WITH duckdb_settings AS (SELECT 1) SELECT 1), duckdb_settings",
         "unknown_dataset"),
        ("SELECT * FROM (WITH \"x.csv\" AS (SELECT 1) SELECT 1), 'x.csv'", "forbidden_sql"),
        ("WITH t AS (SELECT * FROM u), u AS (SELECT 1) SELECT * FROM t", "unknown_dataset"),
        ("SELECT a INTO x FROM input", None),
        ("SELECT * FROM input ORDER BY getenv('x')", None),
        ("SELECT * FROM input LIMIT (SELECT random())", "forbidden_sql"),
        ("SELECT * FROM (VALUES (read_text('x')))", "forbidden_sql"),
        ("SELECT * REPLACE (read_text('x') AS a) FROM input", "forbidden_sql"),
        ("SELECT CAST(1 AS foo.bar)", "unknown_type"),
        ("PIVOT input ON s USING sum(a)", "forbidden_sql"),
        ("SELECT repeat('a', 1000) AS p, regexp_matches(s, repeat(p, 1000000)) FROM input",
         "forbidden_sql"),
        ("SELECT hex(hex('a')) AS p, hex(hex(p)) AS q, hex(hex(q)) AS r, strftime(d, r) FROM input",
         "forbidden_sql"),
        ("SELECT * FROM input WHERE s LIKE repeat(repeat('a', 1000), 100000)", "forbidden_sql"),
    ],
)  # fmt: skip
def test_selects_that_are_refused(text, code):
    error = select_refusal(text)
    assert error.code == code if code else error.code in REFUSALS
