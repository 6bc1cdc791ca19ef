import re

import pytest

from planner.binder import bind, empty_table
from planner.sql import check_expression
from planner.sqlfunctions import AGGREGATE, DOMAIN, ORDERED_AGGREGATES, SCALAR, WINDOW
from planner.sqltree import connection
from tests.planner.sql_cases import COLUMNS, INPUT, refusal


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


@pytest.mark.parametrize(
    "text",
    [
        "regexp_matches(s, repeat(repeat('a', 1000), 100000))",
        "strftime(d, repeat('aaaa', 1000000))",
        "s LIKE format('{:>1000000000}', 'a')",
        "s LIKE printf('%1000000000d', 1)",
        "strftime(d, hex(hex(hex(hex('a')))))",
        "round(b, len(range(1000000)))",
        "strftime(d, list_reduce(range(30), (x, y) -> x || x))",
        "strftime(d, array_to_string([x || x FOR x IN ['a']], ','))",
        "list_transform([a], x -> repeat(repeat('a', 1000000), 1000000))",
        "list_transform([a], y -> list_reduce(range(30), (x, z) -> x || x))",
        "list_transform([a], y -> [x || x FOR x IN ['a']])",
        "lag(a, len(repeat('a', 10))) OVER (ORDER BY d)",
        "CASE WHEN a > 1 THEN lpad(lpad('a', 1000000), 1000000) END",
        "strftime(d, replace(replace('aaaa', 'a', 'aaaa'), 'a', 'aaaa'))",
    ],
)
def test_constants_stay_small_since_the_binder_computes_them(text):
    assert refusal(text).code == "forbidden_sql"


@pytest.mark.parametrize(
    "text",
    [
        "a IN (1, 2) AND list_contains(range(1, 10), a)",
        "repeat('ab', 3) || s",
        "replace(s, 'a', upper(trim(lower('B'))))",
        "list_transform([a, b], x -> x * 2)",
        "list_transform([s], x -> repeat(x, 3) || list_sum([a FOR a IN [b]]))",
        "d > strptime('2024', '%Y') + INTERVAL 3 DAY + INTERVAL '2' MONTH",
        "DATE '2024-01-01' + to_days(CAST(floor(abs(-2.5)) AS INTEGER))",
        "format('{:>8}', s) || lpad(s, 10, '0')",
    ],
)
def test_small_constants_are_fine(text):
    assert check_expression(text, COLUMNS, "here").columns is not None


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
