"""The benchmark of planning: its pipelines, and what it prints."""

import json
from pathlib import Path

import pytest

from evals import planner_bench
from evals.planner_bench import Point


def test_pipelines_are_distinct_and_reproducible() -> None:
    found = planner_bench.specs(120)
    assert len({json.dumps(spec) for spec in found}) == 120
    assert planner_bench.specs(60) == found[:60]


def test_a_small_run_prints_its_summary_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "planner.json"
    assert planner_bench.main(["--pipelines", "20,40", "--repeat", "1", "--json", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1].startswith("20 pipelines: ")
    first, second = json.loads(out.read_text())["points"]
    assert [first["pipelines"], second["pipelines"]] == [20, 40]
    assert first["rewritten"] <= first["merged"] < first["asked"]
    assert first["asked"] < second["asked"]
    assert second["tasks"] > 0
    assert first["bytes"] > 0


def test_summary_tells_growth_from_the_first_to_the_last() -> None:
    points = [Point(1_000, 1.4, 0, 0, 0, 0, 0), Point(4_000, 5.8, 0, 0, 0, 0, 0)]
    assert planner_bench.summary(points) == "1,000 pipelines: 1.4 s; 4,000: 5.8 s; growth 4.1"
