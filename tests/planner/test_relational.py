import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_series_equal

from planner.binder import columns, has_mask, schema
from planner.relational import TRAIN_MASK, describe, drop_null, order_by, scan
from tests.planner.relational_cases import World, rides, weather

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
