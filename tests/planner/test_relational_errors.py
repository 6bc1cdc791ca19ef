import pytest

from tests.planner.relational_cases import World, error_of, rides, weather

RIDES = rides()


@pytest.fixture(scope="module")
def world() -> World:
    return World(rides=RIDES, weather=weather())


@pytest.mark.parametrize(
    ("step", "code", "path", "hint"),
    [
        ({"derive": {"a": "tmp + 1"}}, "unknown_column", "prepare[0].derive.a", "'temp'"),
        ({"derive": {"a": "hou(date)"}}, "unknown_function", "prepare[0].derive.a", "'hour'"),
        ({"derive": {"a": "hour(station)"}}, "type_mismatch", "prepare[0].derive.a", "Cast"),
        ({"derive": {"a": "sum(cnt)"}}, "invalid_sql", "prepare[0].derive.a", "aggregate"),
        ({"derive": {"a": "cnt +"}}, "invalid_sql", "prepare[0].derive.a", ""),
        ({"derive": {"__a": "cnt"}}, "invalid_name", "prepare[0].derive.__a", ""),
        ({"filter": "cnt"}, "type_mismatch", "prepare[0].filter", "comparison"),
        ({"filter": "sum(cnt) > 1"}, "invalid_sql", "prepare[0].filter", "window"),
        ({"select": ["cnt", "tmp"]}, "unknown_column", "prepare[0].select[1]", "'temp'"),
        ({"select": ["cnt", "cnt"]}, "duplicate_column", "prepare[0].select", ""),
        ({"rename": {"cnt": "TEMP"}}, "duplicate_column", "prepare[0].rename", ""),
        ({"drop": list(RIDES.columns)}, "invalid_step", "prepare[0].drop", ""),
        ({"cast": {"cnt": "int) + (1"}}, "unknown_type", "prepare[0].cast.cnt", ""),
        ({"cast": {"cnt": "blurb"}}, "unknown_type", "prepare[0].cast.cnt", ""),
        ({"cast": {"cnt": "category"}}, "invalid_step", "prepare[0].cast.cnt", "ToCategorical"),
        ({"fill": {"cnt": "many"}}, "type_mismatch", "prepare[0].fill.cnt", ""),
        ({"fill": {"date": "yesterday"}}, "type_mismatch", "prepare[0].fill.date", ""),
        ({"fill": {"cnt": float("nan")}}, "type_mismatch", "prepare[0].fill.cnt", ""),
        ({"replace": {"cnt": {"x": 1}}}, "type_mismatch", "prepare[0].replace.cnt", ""),
        ({"join": {"dataset": "wether", "on": "station"}}, "unknown_dataset",
         "prepare[0].join.dataset", "'weather'"),
        ({"join": {"dataset": "weather", "on": "cnt"}}, "unknown_column", "prepare[0].join.on", ""),
        ({"join": {"dataset": "weather", "on": {"cnt": "station"}}}, "type_mismatch",
         "prepare[0].join.on", "Cast"),
        ({"aggregate": {"by": "tmp", "columns": {"n": "count(*)"}}}, "unknown_column",
         "prepare[0].aggregate.by[0]", "'temp'"),
        ({"aggregate": {"columns": {"n": "cnt"}}}, "invalid_sql",
         "prepare[0].aggregate.columns.n", ""),
        ({"aggregate": {"by": "station", "columns": {"n": "cnt + sum(cnt)"}}}, "invalid_sql",
         "prepare[0].aggregate.columns.n", ""),
        ({"aggregate": {"columns": {"n": "count(*)"}, "as": "weather"}}, "invalid_name",
         "prepare[0].aggregate.as", ""),
        ({"window": {"columns": {"n": "cnt + 1"}}}, "invalid_sql",
         "prepare[0].window.columns.n", "derive"),
        ({"window": {"columns": {"n": "lag(cnt)"}, "frame": "rows 1 preceding) + (1"}},
         "invalid_sql", "prepare[0].window.columns.n", ""),
        ({"window": {"order_by": ["dat desc"], "columns": {"n": "lag(cnt)"}}}, "unknown_column",
         "prepare[0].window.order_by[0]", "'date'"),
        ({"sort": "tmp desc"}, "unknown_column", "prepare[0].sort", "'temp'"),
        ({"union": "weather"}, "unknown_column", "prepare[0].union", "missing"),
        ({"sql": "SELECT foo FROM input"}, "unknown_column", "prepare[0].sql", ""),
        ({"sql": "SELECT 1 AS __row FROM input"}, "forbidden_sql", "prepare[0].sql", ""),
    ],
)  # fmt: skip
def test_errors_say_what_where_and_what_instead(world, step, code, path, hint):
    error = error_of(world, step)
    assert (error.code, error.path) == (code, path)
    assert hint in error.hint
    assert "Traceback" not in error.message
    assert "LINE 1" not in error.message


def test_a_train_filter_cannot_cross_sql_that_makes_rows(world):
    error = error_of(
        world,
        {"filter": "cnt > 3", "only": "train"},
        {"sql": "SELECT station, max(cnt) AS m FROM input GROUP BY 1"},
    )
    assert error.code == "not_supported"
