"""Small tables, and how the tests run what the planner rendered on them."""

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from planner.binder import kind_of, schema
from planner.errors import StratumError
from planner.graph import Graph, Node
from planner.relational import TRAIN_MASK, prepare, scan
from planner.render import render
from planner.schema import Column, Dataset, Schema
from planner.steps import parse_steps


def rides(rows: int = 60) -> pd.DataFrame:
    """A table of each kind of column, with missing values and ties."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "id": np.arange(rows) * 10,
            "date": pd.date_range("2024-01-01", periods=rows, freq="7h")[rng.permutation(rows)],
            "station": rng.choice(["north", "south", "été", None], rows),
            "temp": rng.normal(10, 5, rows).round(1),
            "member": rng.random(rows) < 0.5,
            "cnt": rng.integers(0, 40, rows),
            'odd "name".x': rng.integers(0, 5, rows),
        }
    )
    frame.loc[[4, 9], "temp"] = np.nan
    return frame


def weather() -> pd.DataFrame:
    """One row per station, one of them unknown to the rides, one key missing."""
    return pd.DataFrame(
        {
            "station": ["north", "été", "west", None],
            "lat": [1.5, 2.5, 3.5, 4.5],
            "temp": [100.0, 200.0, 300.0, 400.0],
        }
    )


class World:
    """Registered tables; runs steps through the planner and DuckDB."""

    def __init__(self, **frames: pd.DataFrame) -> None:
        self.frames = frames
        self.connection = duckdb.connect(config={"threads": "1"})
        self.connection.execute("SET TimeZone = 'UTC'")
        self.datasets: dict[str, Dataset] = {}
        self.graph = Graph()
        for name, frame in frames.items():
            table = pa.Table.from_pandas(frame, preserve_index=False)
            table = table.append_column("__row", pa.array(range(len(frame)), pa.int64()))
            self.connection.register(f"__scan_{name}0", table)
            relation = self.connection.sql(f'SELECT * EXCLUDE (__row) FROM "__scan_{name}0"')
            columns = tuple(
                Column(
                    column,
                    kind_of(str(sql_type)),
                    str(sql_type),
                    nullable=bool(frame[column].isna().any()),
                    distinct=int(frame[column].nunique()),
                )
                for column, sql_type in zip(relation.columns, relation.types, strict=True)
            )
            self.datasets[name] = Dataset(name, f"{name}0", len(frame), Schema(columns))

    def prepare(self, *steps: dict[str, Any], table: str = "rides") -> Node:
        node = scan(self.graph, self.datasets[table])
        parsed = parse_steps(list(steps), "prepare")
        return prepare(self.graph, node, parsed, self.datasets, "prepare")

    def run(self, node: Node, columns: list[str] | None = None) -> pd.DataFrame:
        """The rows of `node`; a failed check is raised as the backend would."""
        query = render(node, columns)
        for check in query.checks:
            found = self.connection.execute(check.sql).fetchone()
            if found and found[0]:
                raise check.error(found[0])
        table = self.connection.sql(query.sql).to_arrow_table()
        if columns is None:
            self._check_schema(node, table)
        return table.to_pandas()

    def steps(self, *steps: dict[str, Any]) -> pd.DataFrame:
        return self.run(self.prepare(*steps))

    @staticmethod
    def _check_schema(node: Node, table: pa.Table) -> None:
        """What the planner foretold is what came."""
        with duckdb.connect() as connection:
            connection.register("t", table)
            relation = connection.sql("SELECT * FROM t")
            types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        types.pop(TRAIN_MASK, None)
        expected = {column.name: column.sql_type for column in schema(node)}
        assert types == expected
        for column in schema(node):
            if not column.nullable:
                assert table.column(column.name).null_count == 0


def error_of(world: World, *steps: dict[str, Any]) -> StratumError:
    """The error that these steps are refused with."""
    try:
        node = world.prepare(*steps)
    except StratumError as error:
        return error
    raise AssertionError(f"accepted: {steps} as {render(node).sql}")
