"""Tables that the SQL tests read, and how they look at refusals."""

import pytest

from planner.errors import SpecError
from planner.schema import Column, Schema
from planner.sql import check_expression, check_select

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
