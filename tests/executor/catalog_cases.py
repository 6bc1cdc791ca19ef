"""Values and helpers that the tests of the catalog share."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from executor.catalog import (
    DatasetRow,
    EvaluationRow,
)
from planner.schema import Dataset, Schema

ROOT = Path(sys.modules["executor"].__path__[0]).parent
examples = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
text = st.text(st.characters(codec="utf-8"), max_size=10)
# SQLite does not keep the sign of a zero.
durations = st.floats().map(lambda seconds: seconds + 0.0)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


def same(one: Any, two: Any) -> bool:
    """Equality by text, under which NaN equals NaN and 1 differs from 1.0."""
    return repr(one) == repr(two)


def evaluation(position: int = 0, **fields: Any) -> EvaluationRow:
    values: dict[str, Any] = {
        "id": f"e{position}",
        "job": "j1",
        "position": position,
        "name": f"pipeline {position}",
        "spec": {"model": f"Ridge({position})"},
        "status": "ok",
        "dataset": "homes",
        "target": "price",
        "metric": "r2",
        "metrics": {"r2": {"mean": position / 10, "std": 0.0, "folds": [position / 10]}},
        "comparable": "c1",
        "created": 5.0,
    }
    return EvaluationRow(**{**values, **fields})


def run_child(path: Path, code: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(child_command(path, code), cwd=ROOT, check=True, **options)


def child_command(path: Path, code: str) -> list[str]:
    setup = (
        "import sys; from pathlib import Path; from executor.catalog import *\n"
        f"catalog = Catalog(Path({str(path)!r}), '/here')\n"
    )
    return [sys.executable, "-c", setup + code]


def dataset(name: str, fingerprint: str = "f") -> DatasetRow:
    return DatasetRow(Dataset(name, fingerprint, 3, Schema(())), "a.csv", 10, created=1.0)
