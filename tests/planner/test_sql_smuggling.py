import json
import re
from typing import Any

import duckdb
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.binder import empty_table
from planner.errors import SpecError
from planner.sql import check_expression, check_select
from planner.sqlfunctions import AGGREGATE, SCALAR, WINDOW
from planner.sqltree import connection
from tests.planner.sql_cases import COLUMNS, INPUT, REFUSALS, TABLES

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
