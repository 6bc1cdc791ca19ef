import numpy as np
import pandas as pd
import pytest

from planner.errors import DataError
from planner.graph import Graph
from planner.relational import TRAIN_MASK, prepare, scan
from planner.render import render
from planner.schema import Column, Dataset, Schema
from planner.steps import parse_steps
from tests.planner.relational_cases import World, rides, weather


@pytest.fixture(scope="module")
def world() -> World:
    return World(rides=rides(), weather=weather())


def test_columns_come_as_asked_for(world):
    node = world.prepare({"filter": "cnt > 5", "only": "train"})
    assert list(world.run(node, ["temp", "id"]).columns) == ["temp", "id"]
    assert list(world.run(node, [TRAIN_MASK, "id"]).columns) == [TRAIN_MASK, "id"]
    assert list(world.run(node).columns) == [*rides().columns, TRAIN_MASK]
    assert world.run(node, [])["__row"].tolist() == list(range(60))


def test_scans_are_listed_once_with_their_fingerprints(world):
    node = world.prepare(
        {"join": {"dataset": "weather", "on": "station"}},
        {"sql": "SELECT input.*, r.cnt AS c FROM input JOIN rides r USING (id)"},
    )
    query = render(node)
    assert dict(query.scans) == {"__scan_rides0": "rides0", "__scan_weather0": "weather0"}
    assert len(query.scans) == 2


def test_order_is_asked_for_only_where_it_was_disturbed(world):
    assert "ORDER BY" not in render(world.prepare({"filter": "cnt > 3"})).sql
    joined = world.prepare({"join": {"dataset": "weather", "on": "station"}})
    assert render(joined).sql.endswith('ORDER BY "__row"')


def test_one_thread_is_asked_for_where_floats_are_added(world):
    assert not render(world.prepare({"derive": {"a": "temp + 1"}})).ordered
    for step in (
        {"aggregate": {"by": "station", "columns": {"m": "avg(temp)"}}},
        {"window": {"columns": {"m": "avg(temp)"}}},
        {"sql": "SELECT avg(temp) AS m FROM input"},
    ):
        assert render(world.prepare(step)).ordered


def test_checks_see_the_steps_before_the_join():
    world = World(
        rides=pd.DataFrame({"k": [1, 2, 2], "v": [1, 2, 3]}),
        other=pd.DataFrame({"k": [2, 2, 3], "w": [1, 2, 3]}),
    )
    join = {"join": {"dataset": "other", "on": "k"}}
    with pytest.raises(DataError, match="2 rows find more than one row of 'other'"):
        world.steps({"filter": "v > 0"}, join)
    assert world.steps({"filter": "k <> 2"}, join)["v"].tolist() == [1]
    assert render(world.prepare(join | {"join": join["join"] | {"many": True}})).checks == ()


def test_a_join_on_the_keys_of_an_aggregate_needs_no_check(world):
    node = world.prepare(
        {"aggregate": {"by": "station", "columns": {"m": "max(cnt)"}, "as": "t"}},
        {"join": {"dataset": "t", "on": "station"}},
    )
    assert render(node).checks == ()


def test_float_sums_do_not_depend_on_the_join_before_them():
    rng = np.random.default_rng(0)
    rows = 30_000
    frame = pd.DataFrame(
        {"k": rng.integers(0, 50, rows), "g": rng.integers(0, 7, rows),
         "x": rng.normal(size=rows) * 10.0 ** rng.integers(-8, 8, rows)}
    )  # fmt: skip
    other = pd.DataFrame({"k": rng.permutation(50), "v": rng.normal(size=50)})
    world = World(rides=frame, other=other)
    sums = {"aggregate": {"by": "g", "columns": {"s": "sum(x)", "m": "avg(x)"}}}
    window = {"window": {"partition_by": "g", "columns": {"t": "sum(x)"}}}
    plain = world.steps(sums, window)
    joined = world.steps({"join": {"dataset": "other", "on": "k"}}, sums, window)
    columns = ["s", "m", "t"]
    pd.testing.assert_frame_equal(plain[columns], joined[columns], check_exact=True)


def test_overwriting_columns_in_windows_and_aggregates(world):
    got = world.steps(
        {"aggregate": {"by": "member", "columns": {"CNT": "sum(cnt)"}}},
        {"window": {"columns": {"id": "row_number()"}}},
    )
    expected = rides().groupby("member")["cnt"].transform("sum")
    assert got["CNT"].tolist() == expected.tolist()
    assert got["id"].tolist() == list(range(1, 61))
    assert "cnt" not in got


@pytest.mark.parametrize("name", ['a"b', "a'b", "ä ö", "select", "a.b", "x;--", "日本", "%s{n}"])
def test_any_name_is_quoted(name):
    frame = pd.DataFrame({name: [3, 1, 2], "k": ["a", "b", "a"]})
    world = World(rides=frame, other=pd.DataFrame({"k": ["a", "b"], name: [5, 6]}))
    quoted = '"' + name.replace('"', '""') + '"'
    got = world.steps(
        {"derive": {"d": f"{quoted} + 1"}},
        {"join": {"dataset": "other", "on": "k", "suffix": "!"}},
        {"aggregate": {"by": name, "columns": {f"n{name}": f"sum({quoted})"}}},
        {"window": {"partition_by": "k", "order_by": f"{name} desc", "columns": {"r": "rank()"}}},
        {"sort": [f"{name} desc nulls first"]},
        {"fill": {name: 0}},
        {"sql": f"SELECT *, {quoted} AS again FROM input"},
        {"sql": f"SELECT input.*, o.{quoted} AS once FROM input JOIN other o USING (k)"},
    )
    assert got[name].tolist() == [3, 2, 1]
    assert got["d"].tolist() == [4, 3, 2]
    assert got[f"{name}!"].tolist() == [5, 5, 6]
    assert got["r"].tolist() == [1, 2, 1]
    assert got["again"].tolist() == [3, 2, 1]
    assert got["once"].tolist() == [5, 5, 6]


def test_many_columns_and_steps_stay_small():
    names = [f"c{number}" for number in range(2_000)]
    columns = tuple(Column(name, "float", "DOUBLE") for name in names)
    dataset = Dataset("wide", "wide0", 10, Schema(columns))
    graph = Graph()
    steps = parse_steps([{"derive": {"c0": "c0 + 1"}} for _ in range(100)], "prepare")
    node = prepare(graph, scan(graph, dataset), steps, {"wide": dataset}, "prepare")
    assert len(render(node, ["c0"]).sql) < 50_000
