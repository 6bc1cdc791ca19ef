import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from planner.errors import DataError
from planner.relational import TRAIN_MASK, describe
from tests.planner.relational_cases import World, rides, weather

RIDES = rides()


@pytest.fixture(scope="module")
def world() -> World:
    return World(rides=RIDES, weather=weather())


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
