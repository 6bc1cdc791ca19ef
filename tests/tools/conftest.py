"""One engine on bundled data for all tests, and more of them that start quickly."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from executor.home import Home
from planner.spec import EvaluateSpec
from tests.executor.fault_functions import LIMIT, Gate
from tests.tools.fault_table import TABLE_NAME
from tools.engine import Engine
from tools.jobs import Job
from tools.requests import AddDataset, EvaluatePipelines
from tools.responses import Evaluation

FOLDS = {"cv": "KFold(3)", "metrics": ["r2"]}


def spec(model: str, **fields: Any) -> dict[str, Any]:
    return {"dataset": "diabetes", "target": "target", "model": model, **fields}


def start(engine: Engine, *pipelines: dict[str, Any], **settings: Any) -> Job:
    evaluate = EvaluateSpec(**{**FOLDS, **settings})
    return engine.evaluate(EvaluatePipelines(pipelines=list(pipelines), evaluate=evaluate))


def run(engine: Engine, *pipelines: dict[str, Any], **settings: Any) -> list[Evaluation]:
    """The evaluations, in the order sent."""
    job = start(engine, *pipelines, **settings)
    assert job.wait(LIMIT)
    return job.in_order()


def tasks(job: Job) -> int:
    assert job.plan is not None
    return job.plan.tasks


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    load_diabetes(as_frame=True).frame.to_csv(folder / "diabetes.csv", index=False)
    load_breast_cancer(as_frame=True).frame.to_csv(folder / "cancer.csv", index=False)
    mixed = pd.DataFrame({"x": range(60), "text": ["1"] * 59 + ["one"]})
    mixed.assign(y=mixed["x"] % 7 - 3.0).to_csv(folder / "mixed.csv", index=False)
    return folder


@pytest.fixture(scope="session")
def engine(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with Engine(Home(tmp_path_factory.mktemp("home")), workspace, cores=2,
                table=TABLE_NAME) as engine:  # fmt: skip
        for name in ("diabetes", "cancer", "mixed"):
            engine.datasets.add(AddDataset(path=f"{name}.csv"))
        yield engine


@pytest.fixture(scope="session")
def new_home(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Home]:
    """Makes homes that have the list of operators already, which takes seconds to make."""
    engine.registry()

    def make() -> Home:
        home = Home(tmp_path_factory.mktemp("home"))
        for file in engine.home.path.glob("operators-*.json"):
            shutil.copy(file, home.path)
        return home

    return make


@pytest.fixture
def gate(engine: Engine) -> Iterator[Gate]:
    """Where tasks of the shared engine wait that are marked with GATE."""
    gate = Gate(engine.home.path, "gate")
    yield gate
    gate.close()
    for end in ("arrived", "open"):
        (engine.home.path / f"gate.{end}").unlink()
