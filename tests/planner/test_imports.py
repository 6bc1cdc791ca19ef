"""The planner runs in the server, which has to start at once and stay small."""

import subprocess
import sys
from pathlib import Path

import planner

ROOT = Path(planner.__path__[0]).parent

# What DuckDB imports by itself when it is handed a Python value.
HEAVY = ("numpy", "pandas", "pyarrow", "sklearn")

CODE = f"""
import sys
from planner.binder import bind
from planner.graph import Graph
from planner.relational import prepare, scan
from planner.render import render
from planner.schema import Column, Dataset, Schema
from planner.steps import parse_steps

columns = (
    Column("a", "integer", "BIGINT", False, 3),
    Column("day", "date", "DATE", True, 3),
    Column("name", "string", "VARCHAR", True, 3),
)
data = Dataset("d", "f" * 32, 3, Schema(columns))
steps = [
    {{"derive": {{"b": "a + 1", "m": "month(day)", "it's": "name || '?'"}}}},
    {{"fill": {{"day": "2020-01-01", "name": "it's"}}}},
    {{"filter": "b > 1"}},
    {{"sql": "SELECT a, count(*) AS n FROM input GROUP BY a"}},
]
graph = Graph()
render(prepare(graph, scan(graph, data), parse_steps(steps, "prepare"), {{"d": data}}, "prepare"))
print(*[name for name in {HEAVY!r} if name in sys.modules])
"""


def test_checking_and_binding_sql_imports_no_data_library() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == ""
