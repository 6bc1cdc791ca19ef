"""Pipelines that differ in the target share a group, and none of them harms another."""

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_score

from tests.executor.fault_functions import LIMIT
from tests.tools.conftest import run, start
from tools.engine import Engine

BASE = {"dataset": "mixed", "features": [{"columns": ["x"]}]}
# The target goes down to -3.
LOG = {"column": "y", "transform": "log1p"}


def expected(alpha: float) -> np.ndarray:
    x = np.arange(60.0)
    return cross_val_score(Ridge(alpha), x[:, None], x % 7 - 3, cv=KFold(3), scoring="r2")


def test_a_target_that_cannot_be_transformed_fails_alone(engine: Engine) -> None:
    alphas = (21.0, 22.0)
    plain = [{**BASE, "target": "y", "model": f"Ridge({alpha})"} for alpha in alphas]
    logged = [{**BASE, "target": LOG, "model": f"Ridge({alpha})"} for alpha in alphas]
    found = run(engine, plain[0], logged[0])
    assert found[0].status == "ok"
    error = found[1].error
    assert error is not None
    assert error.code == "target_transform_domain"
    assert error.path == "pipelines[1].target.transform"
    np.testing.assert_allclose(found[0].metrics["r2"].folds, expected(alphas[0]), rtol=1e-9)
    # What is known to fail is no matter to the others either, and told as when it was alone.
    job = start(engine, logged[1], plain[1])
    assert job.wait(LIMIT)
    again = job.in_order()
    assert [one.status for one in again] == ["failed", "ok"]
    assert again[0].error is not None
    assert (again[0].error.code, again[0].error.message) == (error.code, error.message)
    np.testing.assert_allclose(again[1].metrics["r2"].folds, expected(alphas[1]), rtol=1e-9)


def test_a_target_that_cannot_be_prepared_fails_alone(engine: Engine) -> None:
    """One text of its column is no number."""
    prepare = [{"derive": {"z": "cast(text as integer)"}}]
    alphas = (23.0, 24.0)
    good = [{**BASE, "target": "y", "model": f"Ridge({alpha})"} for alpha in alphas]
    bad = {**BASE, "target": "z", "prepare": prepare, "model": "Ridge(23)"}
    found = run(engine, good[0], bad, good[1])
    assert [one.status for one in found] == ["ok", "failed", "ok"]
    assert found[1].error is not None
    assert found[1].error.code == "data_error"
    for one, alpha in zip(found[::2], alphas, strict=True):
        np.testing.assert_allclose(one.metrics["r2"].folds, expected(alpha), rtol=1e-9)
