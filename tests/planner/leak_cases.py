"""Ways to carry the target `cnt` of the table of rides into a feature, and harmless look-alikes.

Each case: a name, data steps, and a column that they make.
"""

from typing import Any

Case = tuple[str, list[dict[str, Any]], str]


def sql(text: str) -> list[dict[str, Any]]:
    return [{"sql": text}]


_BY_STATION = "SELECT station, {} FROM input {} GROUP BY station"


def joined(query: str, column: str = "f", on: str = "station") -> list[dict[str, Any]]:
    """The main table with a column of a sub-query put to it by a key."""
    return sql(f"SELECT i.*, t.{column} FROM input i LEFT JOIN ({query}) t USING ({on})")


LEAKS: list[Case] = [
    # -- plain values
    ("a copy", [{"derive": {"f": "cnt"}}], "f"),
    ("arithmetic", [{"derive": {"f": "cnt * 0.5 + temp"}}], "f"),
    ("two steps on", [{"derive": {"a": "cnt"}}, {"derive": {"f": "a % 2"}}], "f"),
    ("a condition", [{"derive": {"f": "CASE WHEN cnt > 5 THEN temp ELSE 0 END"}}], "f"),
    ("only the condition", [{"derive": {"f": "CASE WHEN cnt > 5 THEN 1 ELSE 0 END"}}], "f"),
    ("whether it is missing", [{"derive": {"f": "cnt IS NULL"}}], "f"),
    ("a fill", [{"derive": {"gap": "nullif(temp, temp)"}}, {"derive": {"f": "coalesce(gap, cnt)"}}],
     "f"),
    ("renamed, then used", [{"derive": {"c": "cnt"}}, {"rename": {"c": "f"}}], "f"),
    ("over a name that was harmless", [{"derive": {"temp": "temp + cnt"}}], "temp"),
    ("swapped names", [{"derive": {"c": "cnt"}}, {"rename": {"c": "temp", "temp": "old"}}], "temp"),
    ("a lambda", [{"derive": {"f": "list_sum(list_transform([1, 2], x -> x * cnt))"}}], "f"),
    ("a struct", [{"derive": {"s": "{'v': cnt}"}}, {"derive": {"f": "s.v"}}], "f"),
    ("json", [{"derive": {"f": "json_extract_string(to_json({'v': cnt}), '$.v')"}}], "f"),
    # -- windows, groups, orders
    ("a window over it", [{"derive": {"f": "avg(cnt) OVER (PARTITION BY station)"}}], "f"),
    ("a window by it", [{"derive": {"f": "count(*) OVER (PARTITION BY cnt)"}}], "f"),
    ("a rank by it", [{"derive": {"f": "row_number() OVER (ORDER BY cnt)"}}], "f"),
    ("a frame filter", [{"derive": {"f": "count(*) FILTER (cnt > 4) OVER (PARTITION BY station)"}}],
     "f"),
    ("lag of it", [{"window": {"order_by": "date", "columns": {"f": "lag(cnt)"}}}], "f"),
    ("default of a lag", [{"window": {"order_by": "date", "columns": {"f": "lag(temp, 1, cnt)"}}}],
     "f"),
    ("window partition", [{"window": {"partition_by": "cnt", "columns": {"f": "avg(temp)"}}}], "f"),
    ("sorted by it, then numbered",
     [{"sort": "cnt"}, {"window": {"columns": {"f": "row_number()"}}}], "f"),
    ("sorted by it, then the row before",
     [{"sort": "cnt"}, {"derive": {"f": "lag(temp) OVER ()"}}], "f"),
    ("sorted by it, then the first of a group",
     [{"sort": "cnt desc"}, {"aggregate": {"by": "station", "columns": {"f": "first(temp)"}}}],
     "f"),
    ("sorted by what is made of it, then numbered",
     [{"derive": {"c": "-cnt"}}, {"sort": "c"}, {"window": {"columns": {"f": "row_number()"}}}],
     "f"),
    ("mean by group", [{"aggregate": {"by": "station", "columns": {"f": "avg(cnt)"}}}], "f"),
    ("size of its group", [{"aggregate": {"by": "cnt", "columns": {"f": "count(*)"}}}], "f"),
    ("filtered count",
     [{"aggregate": {"by": "station", "columns": {"f": "count(*) FILTER (cnt > 4)"}}}], "f"),
    ("where it is greatest",
     [{"aggregate": {"by": "station", "columns": {"f": "arg_max(temp, cnt)"}}}], "f"),
    ("ordered by it inside",
     [{"aggregate": {"by": "station", "columns": {"f": "first(temp ORDER BY cnt)"}}}], "f"),
    ("a list of it",
     [{"aggregate": {"by": "station", "columns": {"f": "list_avg(list(cnt))"}}}], "f"),
    ("a table of its means",
     [{"aggregate": {"by": "station", "columns": {"f": "avg(cnt)"}, "as": "m"}},
      {"join": {"dataset": "m", "on": "station"}}], "f"),
    ("a table of sums and one of counts",
     [{"aggregate": {"by": "station", "columns": {"s": "sum(cnt)", "n": "count(*)"}, "as": "m"}},
      {"join": {"dataset": "m", "on": "station"}}, {"derive": {"f": "s / n"}}], "f"),
    ("joined by it", [{"join": {"dataset": "weather", "on": {"cnt": "lat"}, "suffix": "_w"}}],
     "station_w"),
    ("joined by a key made of it",
     [{"derive": {"k": "'n' || cnt"}},
      {"join": {"dataset": "weather", "on": {"k": "station"}}}], "lat"),
    ("joined to itself", [{"join": {"dataset": "rides", "on": "id", "suffix": "_2"}}], "cnt_2"),
    ("stacked", [{"union": "rides"}, {"derive": {"f": "cnt + 1"}}], "f"),
    ("as many rows as match it, counted",
     [{"join": {"dataset": "rides", "on": "cnt", "many": True, "suffix": "_2"}},
      {"aggregate": {"by": "id", "columns": {"f": "count(*)"}}}], "f"),
    ("counted where it is great, then put to all rows",
     [{"filter": "cnt > 4"},
      {"aggregate": {"by": "station", "columns": {"f": "count(*)"}, "as": "m"}},
      {"union": "rides"}, {"join": {"dataset": "m", "on": "station"}}], "f"),
    # -- sql: plain forms
    ("sql: an alias", sql("SELECT *, cnt AS f FROM input"), "f"),
    ("sql: an alias of an alias", sql("SELECT *, cnt + 1 AS a, a * 2 AS f FROM input"), "f"),
    ("sql: replaced in the star", sql("SELECT * REPLACE (cnt + temp AS temp) FROM input"), "temp"),
    ("sql: qualified", sql("SELECT input.*, input.cnt / 2 AS f FROM input"), "f"),
    ("sql: upper case", sql("SELECT *, CNT AS f FROM INPUT"), "f"),
    ("sql: column aliases",
     sql("SELECT t.a AS id, t.f, t.cnt FROM (SELECT id, cnt, cnt FROM input) AS t(a, f, cnt)"),
     "f"),
    ("sql: COLUMNS", sql("SELECT COLUMNS('cnt|temp') FROM input"), "temp"),
    ("sql: the row as json", sql("SELECT i.*, to_json(i)::VARCHAR AS f FROM input i"), "f"),
    ("sql: hash of the row", sql("SELECT i.*, hash(i) AS f FROM input i"), "f"),
    # -- sql: windows
    ("sql: window over it",
     sql("SELECT *, avg(cnt) OVER (PARTITION BY station) AS f FROM input"), "f"),
    ("sql: rank by it", sql("SELECT *, rank() OVER (ORDER BY cnt DESC) AS f FROM input"), "f"),
    ("sql: a named window",
     sql("SELECT *, count(*) OVER w AS f FROM input WINDOW w AS (PARTITION BY cnt)"), "f"),
    ("sql: ordered in a sub-query, then numbered",
     sql("SELECT *, row_number() OVER () AS f FROM (SELECT * FROM input ORDER BY cnt)"), "f"),
    ("sql: ordered in a cte, then numbered",
     sql("WITH s AS (SELECT * FROM input ORDER BY cnt) SELECT *, row_number() OVER () AS f FROM s"),
     "f"),
    ("sql: ordered, then numbered by a step",
     [*sql("SELECT id, temp, cnt FROM input ORDER BY cnt, id"),
      {"window": {"columns": {"f": "row_number()"}}}], "f"),
    ("sql: ordered in a sub-query, then the first",
     joined("SELECT station, first(temp) AS f FROM (SELECT * FROM input ORDER BY cnt) "
            "GROUP BY station"), "f"),
    # -- sql: sub-queries
    ("sql: cte", sql("WITH m AS (SELECT station, avg(cnt) AS f FROM input GROUP BY 1) "
                     "SELECT i.*, m.f FROM input i JOIN m USING (station)"), "f"),
    ("sql: cte of a cte",
     sql("WITH a AS (SELECT station AS s, cnt AS c FROM input), b AS (SELECT s, max(c) AS f FROM a "
         "GROUP BY s) SELECT i.*, b.f FROM input i LEFT JOIN b ON i.station = b.s"), "f"),
    ("sql: cte with column names",
     sql("WITH m(s, f) AS (SELECT station, avg(cnt) FROM input GROUP BY 1) "
         "SELECT i.*, m.f FROM input i JOIN m ON m.s = i.station"), "f"),
    ("sql: mean by group, joined", joined(_BY_STATION.format("avg(cnt) AS f", "")), "f"),
    ("sql: scalar sub-query", sql("SELECT *, (SELECT avg(cnt) FROM input) AS f FROM input"), "f"),
    ("sql: correlated value",
     sql("SELECT *, (SELECT avg(r.cnt) FROM rides r WHERE r.station = i.station) AS f "
         "FROM input i"),
     "f"),
    ("sql: correlated condition",
     sql("SELECT *, (SELECT count(*) FROM rides r WHERE r.cnt < i.temp) AS f FROM input i"), "f"),
    ("sql: exists",
     sql("SELECT *, EXISTS (SELECT 1 FROM rides r WHERE r.id = i.id AND r.cnt > 4) AS f "
         "FROM input i"), "f"),
    ("sql: in", sql("SELECT *, id IN (SELECT id FROM rides WHERE cnt > 4) AS f FROM input"), "f"),
    ("sql: it is in", sql("SELECT *, cnt IN (SELECT lat FROM weather) AS f FROM input"), "f"),
    ("sql: any", sql("SELECT *, temp > ANY (SELECT cnt FROM rides) AS f FROM input"), "f"),
    ("sql: lateral",
     sql("SELECT i.*, t.f FROM input i, LATERAL (SELECT avg(r.cnt) AS f FROM rides r "
         "WHERE r.station = i.station) t"), "f"),
    ("sql: lateral count",
     sql("SELECT i.*, t.f FROM input i, LATERAL (SELECT count(*) AS f FROM rides r "
         "WHERE r.cnt < i.temp) t"), "f"),
    ("sql: a list, unnested",
     sql("SELECT i.*, t.f FROM input i LEFT JOIN (SELECT station, unnest(list(cnt)) AS f "
         "FROM input GROUP BY station) t USING (station)"), "f"),
    ("sql: a list aggregate", joined(_BY_STATION.format("list_sum(list(cnt)) AS f", "")), "f"),
    # -- sql: which rows a sub-query has
    ("sql: counted where it is great", joined(_BY_STATION.format("count(*) AS f",
                                                                 "WHERE cnt > 4")), "f"),
    ("sql: counted behind a filtered sub-query",
     joined("SELECT station, count(*) AS f FROM (SELECT * FROM input WHERE cnt > 4) "
            "GROUP BY station"), "f"),
    ("sql: counted behind a filtered cte",
     sql("WITH g AS (SELECT * FROM input WHERE cnt > 4), n AS (SELECT station, count(*) AS f "
         "FROM g GROUP BY station) SELECT i.*, n.f FROM input i LEFT JOIN n USING (station)"), "f"),
    ("sql: counted behind a semi join",
     joined("SELECT station, count(*) AS f FROM input SEMI JOIN (SELECT id FROM rides "
            "WHERE cnt > 4) USING (id) GROUP BY station"), "f"),
    ("sql: whether a filtered row is there",
     joined("SELECT id, 1 AS f FROM input WHERE cnt > 4", on="id"), "f"),
    ("sql: chosen by having",
     joined(_BY_STATION.format("count(*) AS f", "") + " HAVING avg(cnt) > 4"), "f"),
    ("sql: chosen by qualify",
     joined("SELECT station, temp AS f FROM input "
            "QUALIFY row_number() OVER (PARTITION BY station ORDER BY cnt DESC) = 1"), "f"),
    ("sql: chosen by distinct on",
     joined("SELECT DISTINCT ON (station) station, temp AS f FROM input ORDER BY station, cnt"),
     "f"),
    ("sql: chosen by order and limit",
     joined("SELECT station, temp AS f FROM input ORDER BY cnt LIMIT 1"), "f"),
    ("sql: distinct values counted",
     joined("SELECT station, count(*) AS f FROM (SELECT DISTINCT station, cnt FROM input) "
            "GROUP BY station"), "f"),
    ("sql: groups counted",
     joined("SELECT station, count(*) AS f FROM (SELECT station FROM input GROUP BY station, cnt) "
            "GROUP BY station"), "f"),
    ("sql: rows taken off",
     joined("SELECT id, 1 AS f FROM (SELECT id, cnt FROM input EXCEPT SELECT id, 2 FROM input)",
            on="id"), "f"),
    ("sql: rows in common",
     joined("SELECT id, 1 AS f FROM (SELECT id, cnt FROM input INTERSECT SELECT id, 2 FROM input)",
            on="id"), "f"),
    ("sql: distinct union counted",
     joined("SELECT station, count(*) AS f FROM (SELECT station, cnt FROM input UNION "
            "SELECT station, cnt FROM rides) GROUP BY station"), "f"),
    ("sql: any of several queries",
     joined("SELECT station, temp AS f FROM input WHERE id < 3 UNION ALL "
            "SELECT station, cnt FROM input WHERE id = 3"), "f"),
    # -- sql: joins
    ("sql: join using it",
     sql("SELECT i.*, r.temp AS f FROM input i LEFT JOIN rides r USING (cnt)"), "f"),
    ("sql: natural join",
     sql("SELECT i.*, r.f FROM input i NATURAL LEFT JOIN (SELECT cnt, temp AS f FROM rides) r"),
     "f"),
    ("sql: comma join on it",
     sql("SELECT i.*, r.temp AS f FROM input i, rides r WHERE r.cnt = i.cnt"), "f"),
    ("sql: join on an expression of it",
     sql("SELECT i.*, w.lat AS f FROM input i LEFT JOIN weather w ON w.lat > i.cnt * 2"), "f"),
    ("sql: asof join on it",
     sql("SELECT i.*, r.temp AS f FROM input i ASOF JOIN rides r ON i.cnt >= r.cnt"), "f"),
    ("sql: right join",
     sql("SELECT r.id, r.cnt, i.temp AS f FROM input i RIGHT JOIN rides r ON r.cnt = i.temp"), "f"),
    ("sql: matches counted",
     sql("SELECT i.id, any_value(i.cnt) AS cnt, count(*) AS f FROM input i LEFT JOIN rides r "
         "ON r.cnt < i.temp GROUP BY i.id"), "f"),
    ("sql: matches counted by a window",
     sql("SELECT i.id, i.cnt, count(*) OVER (PARTITION BY i.id) AS f FROM input i "
         "LEFT JOIN rides r ON r.cnt < i.temp"), "f"),
    ("sql: matches, counted by a step",
     [*sql("SELECT i.* FROM input i LEFT JOIN rides r ON r.cnt < i.temp"),
      {"aggregate": {"by": "id", "columns": {"f": "count(*)"}}}], "f"),
    ("sql: rows repeated as often as it says, counted by a step",
     [*sql("SELECT i.* FROM input i, LATERAL (SELECT unnest(list_where([1, 2], [true, cnt > 4])) "
           "AS r) t"),
      {"aggregate": {"by": "id", "columns": {"f": "count(*)"}}}], "f"),
    ("sql: a table function behind column aliases",
     sql("SELECT t.x1 AS id, t.x4 AS cnt, t.x4 * 2 AS f "
         "FROM (SELECT id, temp, date, cnt FROM input) AS t(x1, x2, x3, x4), range(1) AS r(n)"),
     "f"),
    # -- sql: groups
    ("sql: grouped by it",
     sql("SELECT cnt, avg(temp) AS f FROM input GROUP BY cnt"), "f"),
    ("sql: group by all", sql("SELECT cnt, id % 9 AS g, avg(temp) AS f FROM input GROUP BY ALL"),
     "f"),
    ("sql: group by position", sql("SELECT cnt, count(*) AS f FROM input GROUP BY 1"), "f"),
    ("sql: rollup", sql("SELECT station, cnt, count(*) AS f FROM input GROUP BY ROLLUP "
                        "(station, cnt)"), "f"),
    ("sql: grouped by an alias of it",
     sql("SELECT cnt AS k, max(cnt) AS cnt, count(*) AS f FROM input GROUP BY k"), "f"),
    # -- sql: set operations
    ("sql: union all by position",
     sql("SELECT id, temp AS f, cnt FROM input UNION ALL SELECT id, cnt, cnt FROM rides"), "f"),
    ("sql: union by name",
     sql("SELECT id, temp AS f, cnt FROM input UNION ALL BY NAME "
         "SELECT cnt, id, cnt AS f FROM rides"), "f"),
]  # fmt: skip

HARMLESS: list[Case] = [
    ("arithmetic", [{"derive": {"f": "temp * 2 + hour(date)"}}], "f"),
    ("beside it", [{"derive": {"c": "cnt + 1", "f": "temp + 1"}}, {"drop": "c"}], "f"),
    ("a name that was its", [{"rename": {"temp": "f", "id": "temp"}}], "f"),
    ("a lambda parameter of its name",
     [{"derive": {"f": "list_sum(list_transform([temp], cnt -> cnt + 1))"}}], "f"),
    ("mean by group", [{"aggregate": {"by": "station", "columns": {"f": "avg(temp)"}}}], "f"),
    ("size of a group", [{"aggregate": {"by": ["station"], "columns": {"f": "count(*)"}}}], "f"),
    ("lag", [{"window": {"partition_by": "station", "order_by": "date",
                         "columns": {"f": "lag(temp)"}}}], "f"),
    ("rows chosen by it, a mean of the rest",
     [{"filter": "cnt > 2"}, {"aggregate": {"by": "station", "columns": {"f": "avg(temp)"}}}], "f"),
    ("rows chosen by it, a table of the rest, put to them",
     [{"filter": "cnt > 2"},
      {"aggregate": {"by": "station", "columns": {"f": "avg(temp)"}, "as": "m"}},
      {"join": {"dataset": "m", "on": "station"}}], "f"),
    ("training rows chosen by it", [{"filter": "cnt > 2", "only": "train"},
                                    {"derive": {"f": "temp + 1"}}], "f"),
    ("sorted by another, numbered",
     [{"sort": "date"}, {"window": {"columns": {"f": "row_number()"}}}], "f"),
    ("sorted by it, not numbered", [{"sort": "cnt"}, {"derive": {"f": "temp + 1"}}], "f"),
    ("joined by another key", [{"join": {"dataset": "weather", "on": "station"}}], "lat"),
    ("sampled", [{"sample": 0.9}, {"derive": {"f": "temp"}}], "f"),
    ("sql: star and more", sql("SELECT *, temp * 2 AS f FROM input"), "f"),
    ("sql: the star without it", sql("SELECT * EXCLUDE (cnt), temp AS f, cnt FROM input"), "f"),
    ("sql: rows chosen by it",
     sql("SELECT *, avg(temp) OVER (PARTITION BY station) AS f FROM input WHERE cnt > 2"), "f"),
    ("sql: rows chosen by it in a sub-query",
     sql("SELECT t.*, w.lat AS f FROM (SELECT * FROM input WHERE cnt IS NOT NULL) t "
         "LEFT JOIN weather w USING (station)"), "f"),
    ("sql: rows chosen by it in a cte",
     sql("WITH t AS (SELECT * FROM input WHERE cnt > 2) SELECT *, temp + 1 AS f FROM t"), "f"),
    ("sql: mean of another, joined", joined(_BY_STATION.format("avg(temp) AS f", "")), "f"),
    ("sql: another table filtered, joined",
     sql("SELECT i.*, w.lat AS f FROM input i LEFT JOIN (SELECT * FROM weather WHERE lat > 1) w "
         "USING (station)"), "f"),
    ("sql: scalar sub-query of another table, rows chosen by it",
     sql("SELECT *, (SELECT max(lat) FROM weather) AS f FROM input WHERE cnt > 2"), "f"),
    ("sql: correlated with another column",
     sql("SELECT *, (SELECT max(lat) FROM weather w WHERE w.station = i.station) AS f "
         "FROM input i"), "f"),
    ("sql: rank by another", sql("SELECT *, rank() OVER (ORDER BY date) AS f FROM input"), "f"),
    ("sql: ordered by another, then numbered",
     sql("SELECT *, row_number() OVER () AS f FROM (SELECT * FROM input ORDER BY date)"), "f"),
    ("sql: a target made by grouping",
     sql("SELECT station, sum(cnt) AS cnt, avg(temp) AS f FROM input WHERE cnt IS NOT NULL "
         "GROUP BY station"), "f"),
    ("sql: an alias of its name inside",
     joined("SELECT station, avg(cnt) AS f FROM (SELECT station, temp AS cnt FROM input) "
            "GROUP BY station"), "f"),
    ("sql: stacked", sql("SELECT id, temp AS f, cnt FROM input UNION ALL "
                         "SELECT id, temp, cnt FROM rides"), "f"),
]  # fmt: skip
