"""Warnings about the data: what is found, what is let alone, and that it is said once."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from executor.home import Home
from tests.executor.fault_functions import LIMIT
from tests.tools.fault_table import TABLE_NAME
from tools.engine import Engine
from tools.jobs import Job
from tools.requests import AddDataset, EvaluatePipelines


def tables() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(0)
    n = 600
    x = rng.normal(size=(n, 4))
    y = x[:, 0] + 0.5 * x[:, 1] + rng.normal(size=n)
    plain = pd.DataFrame(x, columns=list("abcd")).assign(y=y)
    copies = pd.concat([plain, plain.iloc[:200]], ignore_index=True)
    patients = np.repeat(np.arange(150), 4)
    level = rng.normal(size=150)[patients]
    end = np.arange(n) >= 480
    few = pd.DataFrame({"u": rng.integers(0, 2, n), "v": rng.integers(0, 3, n)})
    return {
        "plain": plain,
        "leaky": plain.assign(after=y * 3 + 0.01 * rng.normal(size=n)),
        "sums": plain.assign(part=y - x[:, 0]),
        "tail": plain.assign(y=np.where(end, 1000 * y, y), late=np.where(end, 1000 * y, x[:, 3])),
        "copies": copies.sample(frac=1, random_state=0),
        "visits": plain.assign(patient=patients + 10_000, y=level + 0.2 * rng.normal(size=n)),
        "stations": plain.assign(station=patients),
        "few": few.assign(y=few["u"] + rng.normal(size=n)),
        "classes": plain.assign(code=np.where(y > 0, "yes", "no"), y=(y > 0).astype(int)),
    }


@pytest.fixture(scope="module")
def watched(
    engine: Engine, tmp_path_factory: pytest.TempPathFactory, new_home: Any
) -> Iterator[Engine]:
    workspace: Path = tmp_path_factory.mktemp("watched")
    home: Home = new_home()
    with Engine(home, workspace, cores=2, table=TABLE_NAME) as engine:
        for name, frame in tables().items():
            frame.to_csv(workspace / f"{name}.csv", index=False)
            engine.datasets.add(AddDataset(path=f"{name}.csv"))
        yield engine


def ridge(dataset: str, columns: list[str] | str = "numeric", **more: Any) -> dict[str, Any]:
    return {"dataset": dataset, "target": "y", "features": [{"columns": columns}],
            "model": "Ridge()", **more}  # fmt: skip


def job_of(engine: Engine, *pipelines: dict[str, Any], **evaluate: Any) -> Job:
    settings = {"cv": "KFold(3, shuffle=True, random_state=0)", "metrics": ["r2"], **evaluate}
    request = EvaluatePipelines.model_validate({"pipelines": pipelines, "evaluate": settings})
    job = engine.evaluate(request)
    assert job.wait(LIMIT)
    assert job.warned.wait(LIMIT)
    assert job.state == "completed"
    return job


def test_nothing_is_said_of_plain_data(watched: Engine) -> None:
    assert job_of(watched, ridge("plain")).info().warnings == []


def test_a_column_that_gives_the_target_away(watched: Engine) -> None:
    job = job_of(watched, ridge("leaky"), ridge("leaky", model="Lasso()"))
    (text,) = job.info().warnings
    assert text.startswith("'after' may give the target away. It alone gives r2 ")
    # Of the job, not of each pipeline; and the profile's own words.
    assert all(not e.warnings for e in job.in_order())
    profile = watched.datasets.profile("leaky", "y")
    (leak,) = [leak for leak in profile["leaks"] if leak["columns"] == ["after"]]
    assert leak["reason"].split(":")[1] in text
    # Where it is no feature, nothing is given away.
    assert job_of(watched, ridge("leaky", list("abcd"))).info().warnings == []


def test_columns_that_add_up_to_the_target(watched: Engine) -> None:
    (text,) = job_of(watched, ridge("sums")).info().warnings
    assert "a linear combination of them is exactly 'y'" in text
    assert "'a', 'part'" in text


def test_a_class_given_away_by_a_text(watched: Engine) -> None:
    pipeline = ridge("classes", ["a"], model="LogisticRegression()")
    pipeline["features"].append({"columns": ["code"], "steps": ["OneHotEncoder()"]})
    (text,) = job_of(watched, pipeline, metrics=["roc_auc"]).info().warnings
    assert text.startswith("'code' may give the target away. It alone gives auc 1.000")


def test_rows_with_copies_in_other_folds(watched: Engine) -> None:
    (text,) = job_of(watched, ridge("copies")).info().warnings
    share = float(text.partition("%")[0])
    # Half of the rows have a twin, which is in another fold two times of three.
    assert 28 < share < 39
    assert f"({share}% with its target)" in text
    # By nature, few combinations repeat each other.
    assert job_of(watched, ridge("few")).info().warnings == []


def test_entities_that_folds_split(watched: Engine) -> None:
    (text,) = job_of(watched, ridge("visits", list("abcd"))).info().warnings
    assert text.startswith("Folds split the rows of equal 'patient' (4.0 rows a value)")
    assert 'set evaluate.groups to "patient" with GroupKFold(5)' in text
    # Kept whole, or unrelated to the target, they are no matter.
    grouped = job_of(watched, ridge("visits", list("abcd")), cv="GroupKFold(3)", groups="patient")
    assert grouped.info().warnings == []
    assert job_of(watched, ridge("stations", list("abcd"))).info().warnings == []


def test_rows_of_a_hold_out_are_not_looked_at(watched: Engine) -> None:
    """A column that equals the target in the last rows alone, where that is great."""
    pipeline, settings = ridge("tail", ["a", "late"]), {"cv": "TimeSeriesSplit(3)"}
    assert "'late' may give" in " ".join(job_of(watched, pipeline, **settings).info().warnings)
    assert job_of(watched, pipeline, **settings, holdout=0.2).info().warnings == []


def test_it_is_worked_out_once_and_kept(watched: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    call = watched.scheduler.call

    def counted(function: str, *rest: Any, **more: Any) -> Any:
        asked.append(function)
        return call(function, *rest, **more)

    monkeypatch.setattr(watched.scheduler, "call", counted)
    evaluate = {"cv": "KFold(4, shuffle=True, random_state=9)"}
    first = job_of(watched, ridge("leaky"), **evaluate)
    second = job_of(watched, ridge("leaky", model="Ridge(alpha=3)"), **evaluate)
    assert asked.count("data_warnings") == 1
    assert first.info().warnings == second.info().warnings != []
    # Also for who asks for the job later on.
    watched._jobs.pop(second.id)
    assert watched.job_info(second.id).warnings == first.info().warnings
