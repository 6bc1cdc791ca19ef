import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from planner.binder import columns as all_columns
from planner.binder import has_mask, schema
from planner.errors import SpecError
from planner.graph import walk
from planner.lineage import narrow, origins, tainted, target_filters
from planner.relational import TRAIN_MASK, AggregateBack, Join, Scan, Sql, Window, scan
from tests.planner.relational_cases import World, rides, weather

WORLD = World(rides=rides(), weather=weather())
STEPS = [
    {"derive": {"hour": "hour(date)", "x": "temp * 2", "y": "x + cnt"}},
    {"derive": {"temp": "temp + 1", "t2": "temp * temp", "cnt": "cnt + t2"}},
    {"derive": {"l": "ln(temp)", "r": "cnt / id"}},
    {"derive": {"w": "sum(temp) OVER (PARTITION BY station)", "z": "w / cnt"}},
    {"filter": "temp > 5"},
    {"filter": "cnt % 3 <> 0", "only": "train"},
    {"drop": "temp"},
    {"select": ["id", "cnt", "station", "temp", "date"]},
    {"rename": {"cnt": "temp", "temp": "cnt"}},
    {"cast": {"cnt": "DOUBLE", "temp": "VARCHAR"}},
    {"fill": {"temp": 0, "station": "none"}},
    {"replace": {"station": {"north": "N", "south": None}}},
    {"join": {"dataset": "weather", "on": "station", "suffix": "_w"}},
    {"join": {"dataset": "weather", "on": "station", "how": "inner", "columns": ["lat"]}},
    {"join": {"dataset": "weather", "on": {"station": "station"}, "many": True, "suffix": "_m"}},
    {"aggregate": {"by": "station", "columns": {
        "n": "count(*)", "m": "avg(temp)", "f": "first(id)"}}},
    {"aggregate": {"by": ["member", "hour"], "columns": {"m": "sum(cnt)", "cnt": "max(cnt)"}}},
    {"aggregate": {"by": "station", "columns": {"am": "avg(temp)", "an": "min(id)"}, "as": "made"}},
    {"join": {"dataset": "made", "on": "station"}},
    {"window": {"partition_by": "station", "order_by": "date", "columns": {
        "p": "lag(temp)", "q": "avg(cnt)", "k": "row_number()"}}},
    {"window": {"frame": "rows 2 preceding", "columns": {"roll": "avg(temp)"}}},
    {"sort": ["member", "temp desc"]},
    {"limit": 31, "offset": 4},
    {"sample": 0.7, "seed": 1},
    {"sample": 25},
    {"union": "rides", "missing": "null"},
    {"sql": "SELECT *, cnt * 2 AS double, lag(id) OVER (ORDER BY date) AS li FROM input "
            "WHERE cnt > 2"},
    {"sql": "SELECT i.*, w.lat AS sql_lat FROM input i LEFT JOIN weather w USING (station)"},
    {"sql": "SELECT station, avg(temp) AS temp, sum(cnt) AS cnt, min(id) AS id, max(date) AS date "
            "FROM input GROUP BY station"},
]  # fmt: skip
PIPELINES = st.lists(st.sampled_from(STEPS), min_size=1, max_size=7)


def prepared(steps):
    """The node after as many of `steps` as fit one after the other."""
    done = []
    node = scan(WORLD.graph, WORLD.datasets["rides"])
    for step in steps:
        try:
            node = WORLD.prepare(*done, step)
        except SpecError:
            continue
        done.append(step)
    return node


@settings(max_examples=120, deadline=None)
@given(PIPELINES, st.data())
def test_narrowing_keeps_rows_order_and_values(steps, data):
    node = prepared(steps)
    names = list(schema(node).names) + ([TRAIN_MASK] if has_mask(node) else [])
    wanted = data.draw(st.lists(st.sampled_from(names), unique=True, max_size=4))
    narrowed = narrow(WORLD.graph, node, wanted)
    assert {column.name for column in all_columns(narrowed)} == set(wanted)
    for column in all_columns(narrowed):
        assert column.sql_type == {c.name: c.sql_type for c in all_columns(node)}[column.name]
    everything = WORLD.run(node)
    got = WORLD.run(narrowed, wanted)
    if wanted:
        assert_frame_equal(got, everything[wanted], check_exact=True)
    else:
        assert len(got) == len(everything)
    assert narrow(WORLD.graph, narrowed, wanted) is narrowed


@settings(max_examples=80, deadline=None)
@given(PIPELINES, st.data())
def test_what_taint_says_is_safe_does_not_depend_on_the_target(steps, data):
    """Columns that are not tainted are the same when the target's values are."""
    steps = [step for step in steps if not _selects_rows(step)]
    node = prepared(steps)
    if "cnt" not in schema(node):
        return
    secret = data.draw(st.sampled_from(["cnt", "temp"]))
    frame = rides()
    frame[secret] = frame[secret] * -3 + 7
    changed = World(rides=frame, weather=weather())
    before, after = WORLD.run(node), changed.run(node)
    if target_filters(node, "cnt") or len(before) != len(after):
        return
    origin_taint = _tainted_by_source(node, secret)
    safe = [name for name in schema(node).names if name not in origin_taint]
    assert_frame_equal(before[safe], after[safe], check_exact=True)


def _selects_rows(step):
    return bool({"filter", "limit", "sort"} & step.keys()) or "GROUP BY station" in step.get(
        "sql", ""
    )


def _tainted_by_source(node, source):
    """Columns with `source` of rides anywhere in their origin."""
    found = origins(node)
    return {name for name, origin in found.items() if ("rides0", source) in origin.all}


def ops(node, kind):
    return [step.op for step in walk([node]) if isinstance(step.op, kind)]


def test_unused_steps_vanish_and_equal_uses_are_one_node():
    first = WORLD.prepare(
        {"derive": {"hour": "hour(date)", "dow": "dayofweek(date)", "late": "hour > 18"}},
        {"join": {"dataset": "weather", "on": "station", "suffix": "_w"}},
        {"aggregate": {"by": "station", "columns": {"n": "count(*)", "m": "avg(temp)"}}},
        {"window": {"order_by": "date", "columns": {"p": "lag(temp)"}}},
        {"drop": "id"},
    )
    second = WORLD.prepare(
        {"rename": {"date": "when"}},
        {"derive": {"h": 'hour("when")'}},
        {"derive": {"cnt2": "cnt + 1", "late": "h > 18"}},
    )
    small = narrow(WORLD.graph, first, ["late", "cnt"])
    assert small is narrow(WORLD.graph, second, ["cnt", "late"])
    assert not ops(small, (Join, AggregateBack, Window))
    (read,) = ops(small, Scan)
    assert read.names == ("date", "cnt")
    assert narrow(WORLD.graph, first, []) is narrow(WORLD.graph, second, [])
    assert ops(narrow(WORLD.graph, first, []), Scan)[0].names == ()
    (one,) = ops(narrow(WORLD.graph, first, ["m"]), AggregateBack)
    assert [item.name for item in one.items] == ["m"]


def test_joins_that_choose_rows_stay():
    inner = WORLD.prepare({"join": {"dataset": "weather", "on": "station", "how": "inner"}})
    many = WORLD.prepare({"join": {"dataset": "weather", "on": "station", "many": True}})
    for node in (inner, many):
        assert ops(narrow(WORLD.graph, node, ["id"]), Join)


def test_the_train_mask_is_kept_where_it_is_asked_for():
    node = WORLD.prepare({"filter": "temp > 10", "only": "train"})
    assert not has_mask(narrow(WORLD.graph, node, ["cnt"]))
    plain = narrow(WORLD.graph, WORLD.prepare(), ["cnt"])
    assert narrow(WORLD.graph, node, ["cnt"]) is plain
    masked = narrow(WORLD.graph, node, ["cnt", TRAIN_MASK])
    assert has_mask(masked)
    assert schema(masked).names == ("cnt",)


@pytest.mark.parametrize(
    ("steps", "target", "expected"),
    [
        ([], "cnt", set()),
        ([{"derive": {"a": "cnt + 1", "b": "a * temp", "c": "temp"}}], "cnt", {"a", "b"}),
        ([{"derive": {"y": "log2(cnt)"}}], "y", {"cnt"}),
        ([{"derive": {"y": "cnt + temp", "z": "temp + 1"}}], "y", {"cnt", "temp", "z"}),
        ([{"derive": {"cnt": "cnt > 5", "old": "1"}}], "cnt", set()),
        ([{"rename": {"cnt": "y"}}, {"derive": {"cnt": "id"}}], "y", set()),
        ([{"aggregate": {"by": "station", "columns": {
            "m": "avg(cnt)", "n": "count(*)", "f": "count(*) FILTER (cnt > 3)"}}}],
         "cnt", {"m", "f"}),
        ([{"aggregate": {"by": "cnt", "columns": {"n": "count(*)", "m": "avg(temp)"}}}],
         "cnt", {"n", "m"}),
        ([{"aggregate": {"by": "station", "columns": {"y": "avg(temp)"}}}], "y", {"temp"}),
        ([{"aggregate": {"columns": {"y": "count(*)"}}}, {"derive": {"z": "y * 2"}}], "y", {"z"}),
        ([{"window": {"partition_by": "station", "order_by": "cnt",
                      "columns": {"r": "row_number()", "s": "sum(temp)"}}}], "cnt", {"r", "s"}),
        ([{"window": {"order_by": "date", "columns": {"p": "lag(cnt)", "q": "lag(temp)"}}}],
         "cnt", {"p"}),
        ([{"derive": {"k": "cnt % 2"}}, {"rename": {"id": "j"}},
          {"aggregate": {"by": "k", "columns": {"m": "avg(temp)"}, "as": "t"}},
          {"join": {"dataset": "t", "on": "k"}}], "cnt", {"k", "m"}),
        ([{"join": {"dataset": "rides", "on": "id", "suffix": "_2"}}], "cnt", {"cnt_2"}),
        ([{"union": "rides"}, {"derive": {"a": "cnt"}}], "cnt", {"a"}),
        ([{"fill": {"cnt": 0}}, {"derive": {"c": "cnt"}}], "cnt", {"c"}),
        ([{"sql": "SELECT *, cnt * 2 AS a, temp AS b FROM input"}], "cnt", {"a"}),
        ([{"sql": "SELECT cnt AS y, id, row_number() OVER (ORDER BY cnt) AS r FROM input"}],
         "y", {"r"}),
        ([{"sql": "SELECT i.*, m.m, m.n FROM input i JOIN (SELECT station, avg(cnt) AS m, "
                  "count(*) AS n FROM input GROUP BY 1) m USING (station)"}], "cnt", {"m"}),
        ([{"sql": "WITH t AS (SELECT id AS k, cnt AS c FROM input) "
                  "SELECT input.*, t.c FROM input LEFT JOIN t ON input.id = t.k"}], "cnt", {"c"}),
        ([{"sql": "SELECT *, (SELECT avg(cnt) FROM input) AS a, (SELECT max(lat) FROM weather) AS b"
                  " FROM input"}], "cnt", {"a"}),
        ([{"sql": "SELECT *, (SELECT count(*) FROM rides r WHERE r.cnt < i.temp) AS a "
                  "FROM input i"}], "cnt", {"a"}),
        ([{"sql": "SELECT i.*, r.temp AS a FROM input i, rides r WHERE r.cnt = i.cnt"}],
         "cnt", {"a"}),
        ([{"sql": "SELECT i.*, w.lat FROM input i LEFT JOIN weather w ON i.cnt = w.lat"}],
         "cnt", {"lat"}),
        ([{"sql": "SELECT id, max(cnt) AS y, max(temp) AS a FROM input GROUP BY id, cnt"}],
         "y", {"a"}),
        ([{"sql": "SELECT member, cnt, avg(temp) AS a FROM input GROUP BY ALL"}], "cnt", {"a"}),
        ([{"sql": "SELECT cnt, temp FROM input UNION ALL SELECT id, cnt FROM rides"}],
         "cnt", {"temp"}),
        ([{"sql": "SELECT cnt, cnt + 1 AS b, b + 1 AS c, id FROM input ORDER BY id LIMIT 5"}],
         "cnt", {"b", "c"}),
        ([{"sql": "SELECT COLUMNS('cnt|temp') FROM input"}], "cnt", {"temp"}),
        ([{"sql": "SELECT cnt, list_sum(list_transform([temp], cnt -> cnt + 1)) AS a FROM input"}],
         "cnt", set()),
    ],
)  # fmt: skip
def test_taint(steps, target, expected):
    node = WORLD.prepare(*steps)
    assert tainted(node, target) - {target} == expected
    assert target in tainted(node, target)


@pytest.mark.parametrize(
    ("step", "count"),
    [
        ({"filter": "cnt > 3"}, 1),
        ({"filter": "temp > 3"}, 0),
        ({"filter": "cnt > 3", "only": "train"}, 1),
        ({"sort": "cnt"}, 1),
        ({"sql": "SELECT * FROM input WHERE cnt > 3"}, 1),
        ({"sql": "SELECT * FROM input ORDER BY cnt LIMIT 3"}, 1),
        ({"sql": "SELECT input.* FROM input JOIN weather ON cnt = lat"}, 1),
        ({"sql": "SELECT input.*, lat FROM input JOIN weather USING (station)"}, 0),
        ({"derive": {"a": "cnt"}}, 0),
    ],
)
def test_choosing_rows_by_the_target_is_reported_but_does_not_taint(step, count):
    node = WORLD.prepare(step)
    warnings = target_filters(node, "cnt")
    assert len(warnings) == count
    assert "temp" not in tainted(node, "cnt")
    assert "lat" not in tainted(node, "cnt") or "JOIN weather ON cnt" in step["sql"]


def test_narrowing_is_iterative_enough_for_the_longest_pipelines():
    steps = [{"filter": f"cnt > {-number}"} for number in range(100)]
    steps += [{"derive": {"temp": "temp + 1"}} for _ in range(100)]
    node = WORLD.prepare(*steps)
    small = narrow(WORLD.graph, node, ["temp"])
    assert WORLD.run(small)["temp"].equals(rides()["temp"] + 100)
    assert not ops(small, Sql)
