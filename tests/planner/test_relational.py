import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from planner.binder import columns, has_mask, schema
from planner.errors import DataError
from planner.relational import TRAIN_MASK, describe, drop_null, order_by, scan
from tests.planner.relational_cases import World, error_of, rides, weather

RIDES = rides()


@pytest.fixture(scope="module")
def world() -> World:
    return World(rides=RIDES, weather=weather())


def test_derive_is_in_order_and_may_overwrite(world):
    got = world.steps({"derive": {"hour": "hour(date)", "late": "hour >= 18", "cnt": "cnt * 2"}})
    assert got["hour"].tolist() == RIDES["date"].dt.hour.tolist()
    assert got["late"].tolist() == (RIDES["date"].dt.hour >= 18).tolist()
    assert got["cnt"].tolist() == (RIDES["cnt"] * 2).tolist()
    assert list(got.columns) == [*RIDES.columns, "hour", "late"]


def test_derive_overwrites_ignoring_case(world):
    node = world.prepare({"derive": {"Temp": "temp + 1", "x": "TEMP + 1"}})
    assert schema(node).names[3] == "Temp"
    assert_series_equal(world.run(node)["x"], RIDES["temp"] + 2, check_names=False)


def test_derive_swaps_through_sql_at_once(world):
    got = world.steps({"sql": "SELECT id AS cnt, cnt AS id FROM input"})
    assert got["cnt"].tolist() == RIDES["id"].tolist()
    assert got["id"].tolist() == RIDES["cnt"].tolist()


def test_odd_names_work_when_quoted(world):
    got = world.steps(
        {"derive": {"größe; --": '"odd ""name"".x" + 1'}},
        {"derive": {"b": '"größe; --" * 2'}},
        {"rename": {"größe; --": "a.b c"}},
        {"filter": '"a.b c" > 1'},
    )
    expected = RIDES['odd "name".x']
    assert got["b"].tolist() == ((expected + 1) * 2)[expected + 1 > 1].tolist()


@pytest.mark.parametrize(
    ("expression", "reference"),
    [
        ("ln(temp - 10)", lambda d: np.log((d - 10).where(d > 10))),
        ("sqrt(temp - 10)", lambda d: np.sqrt((d - 10).where(d >= 10))),
        ("log10(temp - 10) + log2(temp - 10)", lambda d: np.log10((d - 10).where(d > 10))
         + np.log2((d - 10).where(d > 10))),
        ("log(2, temp - 10)", lambda d: np.log2((d - 10).where(d > 10))),
        ("asin(temp / 10)", lambda d: np.arcsin((d / 10).where((d / 10).abs() <= 1))),
        ("(temp - 10) ** 0.5", lambda d: np.sqrt((d - 10).where(d >= 10))),
        ("(temp - temp) / (temp - temp)", lambda d: d * np.nan),
        ("ln(sqrt(temp))", lambda d: np.log(np.sqrt(d.where(d > 0)))),
    ],
)  # fmt: skip
def test_domain_errors_are_null(world, expression, reference):
    got = world.steps({"derive": {"x": expression}})["x"]
    with np.errstate(all="ignore"):
        expected = reference(RIDES["temp"])
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    null = world.steps({"derive": {"x": expression}}, {"filter": "x IS NULL"})
    assert len(null) == expected.isna().sum() > 0


def test_sums_are_widened():
    big = pd.DataFrame({"x": [2**62, 2**62, 2**62]})
    got = World(rides=big).steps(
        {"aggregate": {"columns": {"s": "sum(x)"}}},
        {"window": {"columns": {"w": "sum(x)"}}},
        {"derive": {"d": "1.5 * (x // 4611686018427387904)"}},
    )
    assert got["s"].tolist() == [3 * 2.0**62] * 3 == got["w"].tolist()
    assert got["d"].dtype == np.float64


def test_filter_keeps_true_rows_in_order(world):
    got = world.steps({"filter": "temp > 10"})
    assert got["id"].tolist() == RIDES.loc[RIDES["temp"] > 10, "id"].tolist()


def test_train_only_filters_make_a_mask_and_keep_the_rows(world):
    node = world.prepare(
        {"filter": "temp > 10", "only": "train"},
        {"derive": {"y": "cnt + 1"}},
        {"filter": "cnt < 20", "only": "train"},
        {"select": ["id", "y"]},
        {"aggregate": {"columns": {"n": "count(*)"}}},
    )
    got = world.run(node)
    expected = (RIDES["temp"] > 10) & (RIDES["cnt"] < 20)
    assert got[TRAIN_MASK].tolist() == expected.tolist()
    assert got["n"].tolist() == [len(RIDES)] * len(RIDES)
    assert schema(node).names == ("id", "y", "n")
    assert has_mask(node)
    assert not has_mask(world.prepare({"filter": "temp > 10"}))


def test_select_drop_rename(world):
    node = world.prepare(
        {"select": ["cnt", "temp", "station"]},
        {"rename": {"cnt": "temp", "temp": "cnt"}},
        {"drop": "station"},
    )
    got = world.run(node)
    assert list(got.columns) == ["temp", "cnt"]
    assert got["temp"].tolist() == RIDES["cnt"].tolist()


def test_cast(world):
    got = world.steps(
        {"cast": {"cnt": "string", "temp": "DECIMAL(5, 0)", "date": "date"}},
        {"cast": {"station": "int"}, "errors": "null"},
    )
    assert got["cnt"].tolist() == RIDES["cnt"].astype(str).tolist()
    assert got["temp"].dropna().mod(1).eq(0).all()
    assert got["date"].tolist() == RIDES["date"].dt.date.tolist()
    assert got["station"].isna().all()


def test_fill_and_replace(world):
    got = world.steps(
        {"fill": {"station": "it's", "temp": -1}},
        {"replace": {"station": {"north": "N", "été": None}, "cnt": {"3": 30, "5": None}}},
        {"replace": {"member": {"true": None}, "date": {"2024-01-01 00:00:00": None}}},
    )
    assert_series_equal(got["temp"], RIDES["temp"].fillna(-1))
    station = RIDES["station"].fillna("it's").replace({"north": "N", "été": None})
    assert got["station"].fillna("").tolist() == station.fillna("").tolist()
    cnt = RIDES["cnt"].replace(3, 30).astype("float64").where(RIDES["cnt"] != 5)
    np.testing.assert_array_equal(got["cnt"].astype("float64"), cnt)
    assert got["member"].isna().tolist() == RIDES["member"].tolist()
    assert got["date"].isna().sum() == 1


def test_categories_are_filled_as_text():
    frame = pd.DataFrame({"c": pd.Categorical(["a", None, "b"])})
    world = World(rides=frame)
    node = world.prepare({"fill": {"c": "zzz"}}, {"replace": {"c": {"b": "y"}}})
    assert schema(node)["c"].kind == "string"
    assert world.run(node)["c"].tolist() == ["a", "zzz", "y"]


def test_left_join_keeps_rows_and_order(world):
    got = world.steps({"join": {"dataset": "weather", "on": "station", "suffix": "_w"}})
    expected = RIDES.merge(
        weather().dropna(), on="station", how="left", suffixes=("", "_w"), validate="m:1"
    )
    assert_frame_equal(got, expected, check_dtype=False)


def test_inner_join_keeps_order(world):
    got = world.steps(
        {"join": {"dataset": "weather", "on": {"station": "station"}, "how": "inner",
                  "columns": ["lat"]}}
    )  # fmt: skip
    expected = RIDES.merge(weather().dropna()[["station", "lat"]], on="station")
    assert_frame_equal(got, expected, check_dtype=False)


def test_fan_out_is_refused_and_allowed_on_request(world):
    join = {"dataset": "rides", "on": "station", "columns": ["id"], "suffix": "_2"}
    with pytest.raises(DataError) as caught:
        world.steps({"join": join})
    assert caught.value.code == "join_fan_out"
    assert caught.value.path == "prepare[0].join"
    assert str(int(RIDES["station"].notna().sum())) in caught.value.message
    got = world.steps({"join": join | {"many": True}})
    matched = RIDES.dropna(subset="station")
    expected = RIDES.merge(
        matched[["station", "id"]], on="station", how="left", suffixes=("", "_2")
    )
    assert_frame_equal(got[["id", "id_2"]], expected[["id", "id_2"]], check_dtype=False)


def test_duplicates_that_no_row_finds_are_no_fan_out():
    world = World(
        rides=pd.DataFrame({"k": [1, 2]}),
        other=pd.DataFrame({"k": [1, 9, 9], "v": [5, 6, 7]}),
    )
    got = world.steps({"join": {"dataset": "other", "on": "k"}})
    assert got["v"].fillna(-1).tolist() == [5, -1]


def test_aggregate_back_has_a_group_for_null(world):
    got = world.steps(
        {"aggregate": {"by": "station", "columns": {
            "n": "count(*)", "m": "avg(temp)", "hot": "count(*) FILTER (temp > 10)",
            "first_id": "first(id)", "ids": "string_agg(id, ',')", "u": "count(DISTINCT cnt)"}}}
    )  # fmt: skip
    groups = RIDES.groupby("station", dropna=False)
    assert got["id"].tolist() == RIDES["id"].tolist()
    assert got["n"].tolist() == groups["id"].transform("size").tolist()
    np.testing.assert_allclose(got["m"], groups["temp"].transform("mean"))
    hot = RIDES.assign(hot=RIDES["temp"] > 10).groupby("station", dropna=False)["hot"]
    assert got["hot"].tolist() == hot.transform("sum").tolist()
    assert got["first_id"].tolist() == groups["id"].transform(lambda s: s.iloc[0]).tolist()
    joined = groups["id"].transform(lambda s: ",".join(map(str, s)))
    assert got["ids"].tolist() == joined.tolist()
    assert got["u"].tolist() == groups["cnt"].transform("nunique").tolist()


def test_aggregate_as_a_table_can_be_joined(world):
    got = world.steps(
        {"aggregate": {"by": ["station"], "columns": {"m": "max(cnt)"}, "as": "best"}},
        {"join": {"dataset": "best", "on": "station"}},
        {"sql": "SELECT i.id, i.m, (SELECT count(*) FROM best) AS n FROM input i"},
    )
    expected = RIDES.groupby("station")["cnt"].max()
    assert got["m"].fillna(-1).tolist() == RIDES["station"].map(expected).fillna(-1).tolist()
    assert set(got["n"]) == {4}


def test_window(world):
    got = world.steps(
        {"window": {"partition_by": "station", "order_by": ["date desc"], "columns": {
            "prev": "lag(temp)", "change": "cnt - lag(cnt)", "own": "sum(cnt) OVER ()"}}},
        {"window": {"order_by": "date", "frame": "rows between 2 preceding and current row",
                    "columns": {"rolled": "avg(cnt)"}}},
        {"window": {"partition_by": "station", "columns": {"before": "lag(id)", "all": "max(id)",
                                                           "last": "last_value(id)"}}},
    )  # fmt: skip
    by_date = RIDES.sort_values("date", ascending=False)
    groups = by_date.groupby("station", dropna=False)
    assert_series_equal(got["prev"], groups["temp"].shift().sort_index(), check_names=False)
    change = (by_date["cnt"] - groups["cnt"].shift()).sort_index()
    assert_series_equal(got["change"], change, check_names=False, check_dtype=False)
    assert set(got["own"]) == {RIDES["cnt"].sum()}
    rolled = RIDES.sort_values("date")["cnt"].rolling(3, min_periods=1).mean().sort_index()
    np.testing.assert_allclose(got["rolled"], rolled)
    groups = RIDES.groupby("station", dropna=False)["id"]
    assert got["before"].fillna(-1).tolist() == groups.shift().fillna(-1).tolist()
    assert got["all"].tolist() == groups.transform("max").tolist()
    assert got["last"].tolist() == groups.transform(lambda s: s.iloc[-1]).tolist()


def test_window_steps_fill_forward(world):
    step = {"partition_by": "station", "order_by": "id", "frame": "rows unbounded preceding",
            "columns": {"filled": "last_value(temp IGNORE NULLS)"}}  # fmt: skip
    got = world.steps({"window": step})["filled"]
    expected = RIDES.groupby("station", dropna=False)["temp"].ffill()
    assert got.fillna(-1).tolist() == expected.fillna(-1).tolist()
    assert got.notna().sum() > RIDES["temp"].notna().sum()


def test_window_in_derive(world):
    got = world.steps({"derive": {"a": "cnt + 1", "b": "lag(a) OVER (ORDER BY id)", "c": "b + a"}})
    cnt = RIDES["cnt"] + 1
    assert_series_equal(got["c"], cnt.shift() + cnt, check_names=False, check_dtype=False)


def test_sort_is_stable_and_puts_nulls_last(world):
    got = world.steps({"sort": ["station", "member desc"]})
    expected = RIDES.sort_values(
        ["station", "member"], ascending=[True, False], kind="stable", na_position="last"
    )
    # Text is ordered by code point in both.
    assert got["id"].tolist() == expected["id"].tolist()


def test_limit_and_sample(world):
    assert world.steps({"limit": 5, "offset": 3})["id"].tolist() == RIDES["id"][3:8].tolist()
    half = world.steps({"sample": 0.5, "seed": 4})["id"]
    again = world.steps({"sample": 0.5, "seed": 4})["id"]
    other = world.steps({"sample": 0.5, "seed": 5})["id"]
    assert half.tolist() == again.tolist() == sorted(half)
    assert half.tolist() != other.tolist()
    assert 15 <= len(half) <= 45
    exact = world.steps({"sample": 7})["id"]
    assert len(exact) == 7
    assert exact.is_monotonic_increasing
    # A row is drawn or not whatever else is in the table.
    few = world.steps({"filter": "cnt < 20"}, {"sample": 0.5, "seed": 4})["id"]
    assert few.tolist() == half[half.isin(RIDES.loc[RIDES["cnt"] < 20, "id"])].tolist()


def test_union(world):
    got = world.steps(
        {"filter": "cnt > 5", "only": "train"}, {"union": "weather", "missing": "null"}
    )
    expected = pd.concat([RIDES, weather()], ignore_index=True)
    mask = [*(RIDES["cnt"] > 5), *[True] * 4]
    assert got.pop(TRAIN_MASK).tolist() == mask
    assert got.pop("member").isna().tolist() == [False] * 60 + [True] * 4
    assert_frame_equal(got, expected.drop(columns="member"), check_dtype=False)


def test_plain_sql_steps_become_ordinary_ops(world):
    node = world.prepare(
        {"sql": "SELECT * EXCLUDE (cnt), i.cnt % 2 AS odd, lag(cnt) OVER (ORDER BY date) AS b "
                "FROM input AS i WHERE i.cnt > 5"}
    )  # fmt: skip
    assert "sql" not in describe(node)
    got = world.run(node)
    kept = RIDES[RIDES["cnt"] > 5]
    assert got["odd"].tolist() == (kept["cnt"] % 2).tolist()
    before = kept.sort_values("date")["cnt"].shift().loc[kept.index]
    assert got["b"].fillna(-1).tolist() == before.fillna(-1).tolist()
    assert "cnt" not in got


def test_sql_joins_keep_row_order(world):
    got = world.steps(
        {"sql": "WITH m AS (SELECT station, max(cnt) AS top FROM input GROUP BY 1) "
                "SELECT i.*, top FROM input i LEFT JOIN m ON i.station IS NOT DISTINCT FROM "
                "m.station"}
    )  # fmt: skip
    assert got["id"].tolist() == RIDES["id"].tolist()
    top = RIDES.groupby("station", dropna=False)["cnt"].transform("max")
    assert got["top"].tolist() == top.tolist()


def test_sql_that_makes_rows_is_ordered(world):
    got = world.steps({"sql": "SELECT member, sum(cnt) AS s FROM input GROUP BY ALL"})
    assert got["member"].tolist() == [False, True]
    down = world.steps({"sql": "SELECT cnt, id FROM input ORDER BY cnt DESC LIMIT 9"})
    expected = RIDES.sort_values(["cnt", "id"], ascending=[False, True], kind="stable").head(9)
    assert down["id"].tolist() == expected["id"].tolist()


def test_drop_null_and_order_by(world):
    table = scan(world.graph, world.datasets["rides"])
    assert drop_null(world.graph, table, "cnt") is table
    node = order_by(world.graph, drop_null(world.graph, table, "temp"), ["temp desc"])
    assert not schema(node)["temp"].nullable
    got = world.run(node)
    expected = RIDES.dropna(subset="temp").sort_values("temp", ascending=False, kind="stable")
    assert got["id"].tolist() == expected["id"].tolist()
    assert describe(node) == "scan rides -> drop null temp -> sort by temp"


def test_facts_of_columns_are_carried_only_where_they_hold(world):
    plain = world.prepare({"derive": {"x": "cnt"}}, {"rename": {"cnt": "n"}})
    assert schema(plain)["n"].distinct == RIDES["cnt"].nunique()
    assert not schema(plain)["n"].nullable
    assert not schema(plain)["x"].nullable
    fewer = world.prepare({"filter": "cnt > 3"})
    assert schema(fewer)["cnt"].distinct is None
    assert not schema(fewer)["cnt"].nullable
    joined = world.prepare({"join": {"dataset": "weather", "on": "station"}})
    assert schema(joined)["lat"].nullable
    assert schema(joined)["cnt"].distinct == RIDES["cnt"].nunique()


def test_equal_steps_are_one_node(world):
    steps = [
        {"derive": {"a": "cnt+1"}},
        {"aggregate": {"by": "station", "columns": {"n": "sum(a)"}}},
    ]
    respelled = [
        {"derive": {"a": " CNT + /* one */ 1 -- end"}},
        {"aggregate": {"by": ["station"], "columns": {"n": "SUM( a )"}}},
    ]
    assert world.prepare(*steps) is world.prepare(*respelled)
    assert columns(world.prepare(*steps)) == columns(world.prepare(*respelled))


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
