import json
import re
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.binder import bind, empty_table
from planner.errors import SpecError
from planner.schema import Column, Schema
from planner.sql import check_expression, check_select
from planner.sqlfunctions import AGGREGATE, DOMAIN, ORDERED_AGGREGATES, SCALAR, WINDOW
from planner.sqltree import connection

COLUMNS = ("a", "b", "d", "s", "user", 'we "ird')
INPUT = Schema(
    (
        Column("a", "integer", "BIGINT"),
        Column("b", "float", "DOUBLE"),
        Column("d", "date", "TIMESTAMP"),
        Column("s", "string", "VARCHAR"),
        Column("user", "string", "VARCHAR"),
        Column('we "ird', "integer", "BIGINT"),
    )
)
TABLES = {"input": INPUT, "other": INPUT, "a file.csv": INPUT}
REFUSALS = {
    "invalid_sql", "forbidden_sql", "unknown_function", "unknown_column", "unknown_type",
    "unknown_dataset", "type_mismatch",
}  # fmt: skip


def refusal(text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        check_expression(text, COLUMNS, "here")
    assert caught.value.path == "here"
    return caught.value


def select_refusal(text: str) -> SpecError:
    with pytest.raises(SpecError) as caught:
        check_select(text, TABLES, "here")
    assert caught.value.path == "here"
    return caught.value


@pytest.mark.parametrize(
    ("text", "columns", "kind"),
    [
        ("hour(d) + 1", ("d",), "scalar"),
        ('A * "B"', ("a", "b"), "scalar"),
        ('"we ""ird" % 2', ('we "ird',), "scalar"),
        ("input.a", ("a",), "scalar"),
        ("user || s", ("user", "s"), "scalar"),
        ("CASE WHEN a > 1 THEN b ELSE -b END", ("a", "b"), "scalar"),
        ("a IN (1, 2) OR s LIKE 'x%' AND b BETWEEN 1 AND 2", ("a", "s", "b"), "scalar"),
        ("d - INTERVAL 3 DAY > DATE '2024-01-31'", ("d",), "scalar"),
        ("extract(year FROM d)", ("d",), "scalar"),
        ("d AT TIME ZONE 'UTC'", ("d",), "scalar"),
        ("try_cast(s AS DOUBLE) IS NOT NULL", ("s",), "scalar"),
        ("list_sum(list_transform([a, 1], x -> x + a))", ("a",), "scalar"),
        ("[x * 2 FOR x IN [a] IF x > 1][1]", ("a",), "scalar"),
        ("TRY(CAST(s AS INTEGER))", ("s",), "scalar"),
        ("{'k': a}.k", ("a",), "scalar"),
        ("1e10 * a", ("a",), "scalar"),
        ("(a IS TRUE) = true", ("a",), "scalar"),
        ("s COLLATE nocase", ("s",), "scalar"),
        ("'it''s -- ; /* ' || s", ("s",), "scalar"),
        ("a -- comment", ("a",), "scalar"),
        ("count(*)", (), "aggregate"),
        ("sum(a) FILTER (WHERE b > 0) / count(DISTINCT s)", ("a", "b", "s"), "aggregate"),
        ("quantile_cont(b, 0.5)", ("b",), "aggregate"),
        ("lag(a, 2, 0) OVER (PARTITION BY s ORDER BY d DESC NULLS FIRST)", ("a", "s", "d"),
         "window"),
        ("a - avg(a) OVER (ORDER BY d RANGE BETWEEN INTERVAL 1 DAY PRECEDING AND CURRENT ROW)",
         ("a", "d"), "window"),
    ],
)  # fmt: skip
def test_expressions_that_are_accepted(text, columns, kind):
    info = check_expression(text, COLUMNS, "here")
    assert (set(info.columns), info.kind) == (set(columns), kind)
    # The canonical text binds, is its own canonical text, and is over the same columns.
    bind(f"SELECT {info.text} FROM {empty_table(INPUT, row=True)}", "here")
    if "__row" not in info.text and not DOMAIN.keys() & set(re.findall(r"\w+", info.text)):
        assert check_expression(info.text, COLUMNS, "here").text == info.text


@pytest.mark.parametrize(
    "text",
    [
        "1) FROM read_csv('x') --",
        "1) FROM input WHERE (true",
        "1 FROM input",
        "1), (2",
        "1) AS x, (SELECT 2",
        "1) UNION SELECT (2",
        "1) ORDER BY (1",
        "1) LIMIT (1",
        "1) GROUP BY (1",
        "1) HAVING (true",
        "1); SELECT (2",
        "1; DROP TABLE input",
        "1 --\n); COPY (SELECT 1) TO 'x' --",
        "a /* unclosed",
        "'unclosed",
        "a AS b",
        "(SELECT 1)",
        "EXISTS(SELECT 1)",
        "a IN (SELECT 1)",
        "a = ANY(SELECT 1)",
        "[x FOR x IN (SELECT 1)]",
        "*",
        "count(*) + COLUMNS('a')",
        "input.*",
        "$1",
        "?",
        "$name",
        "#1",
        "DEFAULT",
        "",
        "--",
        "a\x00b",
        "read_text('/etc/passwd')",
        "main.read_csv('x')",
        "system.main.hour(d)",
        "getenv('HOME')",
        "current_setting('memory_limit')",
        "query('SELECT 1')",
        "query_table('input')",
        "random()",
        "uuid()",
        "now()",
        "today()",
        "age(d)",
        "current_date",
        "CURRENT_TIMESTAMP",
        "session_user",
        "nextval('x')",
        "setseed(0.5)",
        "list_aggregate([a], 'reservoir_quantile')",
        "json_execute_serialized_sql('x')",
        "json_serialize_sql('SELECT 1')",
        "unnest([1, 2])",
        "repeat(s, 1000000000)",
        "repeat(s, a)",
        "range(1000000000)",
        "lpad(s, 100000000, 'x')",
        "__row",
        '"__ROW" + __train',
        "input.__row",
        "list_transform([a], __x -> 1)",
        "CAST('x' AS regclass)",
        "s::blurb",
        "s COLLATE de",
        "ln(ln(ln(ln(ln(ln(ln(b)))))))",
        "sleep_ms(1000)",
        "pg_sleep(1)",
        "write_log('x')",
        "getvariable('x')",
        "\ue000 0",
    ],
)
def test_expressions_that_are_refused(text):
    assert refusal(text).code in {"invalid_sql", "forbidden_sql", "unknown_function",
                                  "unknown_type", "unknown_column"}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("log1p(a)", "unknown_function", "ln(1 + x)"),
        ("hourr(d)", "unknown_function", "'hour'"),
        ("zzz + 1", "unknown_column", "The table has"),
        ("userr", "unknown_column", "'user'"),
        ("random()", "forbidden_sql", "sample"),
        ("now()", "forbidden_sql", "DATE"),
        ("we.ird", "unknown_column", "double quotes"),
        ("a::intt", "unknown_type", ""),
    ],
)
def test_refusals_say_what_to_write_instead(text, code, hint):
    error = refusal(text)
    assert error.code == code
    assert hint in error.hint


@pytest.mark.parametrize(
    "text",
    [
        "(" * 11_000 + "a" + ")" * 11_000,
        "+".join(["a"] * 5_000),
        "not " * 4_000 + "true",
        "- " * 8_000 + "a",
        "a" + "::int" * 3_000,
        "[" * 5_000 + "]" * 5_000,
        "CASE WHEN true THEN " * 800 + "1" + " END" * 800,
        "abs(" * 3_000 + "a" + ")" * 3_000,
        "a" * 30_000,
    ],
)
def test_size_and_depth_are_bounded(text):
    assert refusal(text).code == "invalid_sql"


def test_long_sums_fit():
    info = check_expression(" + ".join(["a"] * 200), COLUMNS, "here")
    assert info.columns == ("a",)


def test_lambda_parameters_hide_columns():
    info = check_expression("list_transform([b], a -> a + b)", COLUMNS, "here")
    assert info.columns == ("b",)
    renamed = info.expr.sql({"b": "x y"})
    assert '(a + "x y")' in renamed.replace("((", "(")


def test_order_dependent_aggregates_follow_the_rows():
    for name in ("first", "string_agg", "arg_max"):
        call = {"first": "first(a)", "string_agg": "string_agg(s, ',')", "arg_max": "arg_max(a, b)"}
        assert "ORDER BY __row" in check_expression(call[name], COLUMNS, "p").text
    assert "__row" not in check_expression("first(a ORDER BY b)", COLUMNS, "p").text
    assert "__row" not in check_expression("sum(a)", COLUMNS, "p").text
    assert "__row" not in check_expression("rank() OVER (ORDER BY a)", COLUMNS, "p").text
    assert "__row" in check_expression("row_number() OVER (ORDER BY a)", COLUMNS, "p").text


def test_the_allow_list_names_real_functions_only():
    rows = connection().execute("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    real = {row[0].lower() for row in rows}
    syntax = {"count_star", "overlay", "filter"}
    assert (SCALAR | AGGREGATE | WINDOW) - real - syntax == set()
    assert ORDERED_AGGREGATES < AGGREGATE
    table_functions = connection().execute(
        "SELECT function_name FROM duckdb_functions() WHERE function_type IN "
        "('table', 'pragma', 'table_macro')"
    )
    shared = {row[0].lower() for row in table_functions.fetchall()} & SCALAR
    assert shared == {"range", "generate_series", "repeat"}


def test_impure_functions_are_not_on_the_allow_list():
    rows = connection().execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability = 'VOLATILE'"
    )
    assert {row[0].lower() for row in rows.fetchall()} & (SCALAR | AGGREGATE | WINDOW) == set()


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
    ],
)  # fmt: skip
def test_selects_that_are_refused(text, code):
    error = select_refusal(text)
    assert error.code == code if code else error.code in REFUSALS


PIECES = st.sampled_from(
    """a b s d user "we ""ird" 1 2.5 'x' ( ) , ; -- /* */ + - * / . :: [ ] { } -> = < > $1 ? # %
    SELECT FROM WHERE AS input read_csv('x') read_text('/etc/passwd') getenv('HOME') random()
    COPY TO INTO VALUES WITH UNION ALL ORDER BY GROUP HAVING LIMIT OVER FILTER CASE WHEN THEN ELSE
    END IN NOT NULL AND OR CAST count(*) sum(a) lag(a) hour(d) COLUMNS(*) EXISTS DISTINCT USING
    QUALIFY WINDOW now() INT 'x.csv' "x.csv" LATERAL lambda x : ;SELECT "x\\" $$ $$x$$ e'\\n'
    """.split()
)
SOUP = st.lists(PIECES, min_size=1, max_size=14).map(" ".join)


def accepted(check: Any, text: str, known: Any) -> Any:
    """What `check` makes of `text`; None where it refuses it in one of the known ways."""
    try:
        return check(text, known, "here")
    except SpecError as error:
        if error.code not in REFUSALS:
            raise
        return None


def functions_and_tables(sql: str) -> tuple[set[str], set[str]]:
    """What DuckDB sees in `sql`, by an independent walk of its serialised tree."""
    row = connection().execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    assert row is not None
    parsed = json.loads(row[0])
    assert not parsed["error"]
    assert len(parsed["statements"]) == 1
    return (
        set(re.findall(r'"function_name":"([^"]*)"', row[0])),
        set(re.findall(r'"table_name":"([^"]*)"', row[0])),
    )


@settings(max_examples=300, deadline=None)
@given(SOUP)
def test_nothing_is_smuggled_through_an_expression(text):
    info = accepted(check_expression, text, COLUMNS)
    if info is None:
        return
    functions, tables = functions_and_tables(f"SELECT {info.text} AS x, 1 AS y FROM input")
    assert functions <= SCALAR | AGGREGATE | WINDOW
    assert tables == {"input"}
    assert "SUBQUERY" not in info.text
    # Between other columns it stays one column.
    source = empty_table(INPUT, row=True)
    try:
        relation = duckdb.sql(f"SELECT 1, {info.text}, 2 FROM {source} GROUP BY ALL LIMIT 0")
    except duckdb.Error:
        return
    assert len(relation.columns) == 3


@settings(max_examples=300, deadline=None)
@given(SOUP.map("SELECT ".__add__))
def test_nothing_is_smuggled_through_a_select(text):
    info = accepted(check_select, text, TABLES)
    if info is None:
        return
    functions, tables = functions_and_tables(info.text)
    assert functions <= SCALAR | AGGREGATE | WINDOW | {"unnest"}
    assert tables <= {*TABLES, ""}
