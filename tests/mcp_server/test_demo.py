"""The demo: what it sends can run, and its plain scripts compute the same."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcp_server import demo_data
from mcp_server.app import StratumServer
from mcp_server.demo_baseline import evaluate
from mcp_server.demo_pipelines import CV, Spec, built_in, for_table
from tests.mcp_server.clients import LIMIT, ROOT, answer, ask
from tools.engine import Engine
from tools.requests import AddDataset

DATES = {"uk_housing": ["date_of_transfer"]}


@pytest.fixture(scope="module")
def files(workspace: Path, engine: Engine) -> dict[str, Path]:
    """The demo's data, registered."""
    folder = workspace / "demo"
    folder.mkdir()
    paths = demo_data.write(folder, smoke=True)
    for path in paths:
        engine.datasets.add(AddDataset(path=f"demo/{path.name}"))
    return {path.stem: path for path in paths}


def test_all_but_one_pipeline_can_run(server: StratumServer, files: dict[str, Path]) -> None:
    specs = built_in(smoke=False)
    assert len(specs) > 60
    assert {spec["dataset"] for spec in specs} == set(files)
    assert len({spec["name"] for spec in specs}) == len(specs)
    arguments = {"pipelines": specs, "evaluate": {"cv": CV}}
    errors = answer(ask(server, "explain_plan", arguments))["errors"]
    assert [problem["code"] for problem in errors] == ["unknown_parameter"]


def _cheap(smoke: bool = False) -> list[Spec]:
    """One linear pipeline for each set of features."""
    found: dict[str, Spec] = {}
    for spec in built_in(smoke=smoke)[:-1]:
        if spec["model"].startswith(("Ridge", "Lasso", "Logistic")):
            found.setdefault(json.dumps([spec["dataset"], spec["features"]]), spec)
    return list(found.values())


@pytest.mark.parametrize("spec", _cheap(), ids=lambda spec: spec["name"])
def test_plain_scripts_give_the_same_scores(
    server: StratumServer, files: dict[str, Path], spec: Spec
) -> None:
    dataset = spec["dataset"]
    expected = evaluate(spec, str(files[dataset]), DATES.get(dataset, []))
    arguments = {"pipelines": [spec], "evaluate": {"cv": CV}}
    (found,) = answer(ask(server, "evaluate_pipelines", arguments))["evaluations"]
    for metric, value in expected.items():
        assert found["metrics"][metric]["mean"] == pytest.approx(value, rel=1e-6)


def test_a_table_of_ones_own_gets_a_default_set(
    server: StratumServer, files: dict[str, Path]
) -> None:
    spec: dict[str, Any] = {"dataset": "uk_housing", "target": "price", "model": "Ridge()"}
    arguments = {"pipelines": [spec], "evaluate": {"cv": CV}, "limit": 1}
    (first,) = answer(ask(server, "evaluate_pipelines", arguments))["evaluations"]
    specs = for_table("uk_housing", "price", "regression", ["r2"], first["features"], False)
    ridge = next(spec for spec in specs if spec["model"] == "Ridge(alpha=1)")
    expected = evaluate(ridge, str(files["uk_housing"]), [])
    # The chosen encoder draws its folds; both sides seed it alike.
    assert first["metrics"]["r2"]["mean"] == pytest.approx(expected["r2"], rel=1e-6)


@pytest.mark.slow
def test_the_smoke_run_ends_well() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mcp_server.demo", "--smoke"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=3 * LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Largest relative difference" in done.stdout
    assert "unknown_parameter" in done.stdout
