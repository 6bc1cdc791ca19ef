"""Stored intermediate results that are gone or damaged cost time, and never an answer."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from tests.executor.fault_functions import LIMIT
from tests.tools.conftest import run, spec, start, tasks
from tests.tools.fault_table import CRASH
from tools.asked import Again
from tools.engine import Engine
from tools.turns import Steps


def knn(k: int, components: int) -> dict[str, object]:
    branch = {"columns": "numeric", "steps": [f"PCA(n_components={components}, random_state=0)"]}
    return spec(f"KNeighborsRegressor(n_neighbors={k})", features=[branch])


def expected(k: int, components: int) -> np.ndarray:
    x, y = load_diabetes(return_X_y=True)
    model = make_pipeline(PCA(components, random_state=0), KNeighborsRegressor(k))
    return cross_val_score(model, x, y, cv=KFold(3), scoring="r2")


def blocks(engine: Engine) -> list[Path]:
    return sorted(engine.home.blocks.glob("??/*.block"))


@pytest.fixture
def fresh(engine: Engine) -> Iterator[Engine]:
    """The engine without the blocks of other tests."""
    for file in blocks(engine):
        engine.store.remove(file.stem)
    yield engine
    for file in blocks(engine):
        engine.store.remove(file.stem)


def replace(file: Path, data: bytes) -> None:
    """New content under the same name; processes that have mapped the old file keep that."""
    other = file.with_suffix(".new")
    other.write_bytes(data)
    other.replace(file)


def truncate(file: Path) -> None:
    replace(file, file.read_bytes()[:-20])


def damage(file: Path) -> None:
    replace(file, b"\0" * file.stat().st_size)


@pytest.mark.parametrize("harm", [truncate, damage], ids=["truncated", "damaged"])
def test_blocks_that_cannot_be_read_are_made_again(fresh: Engine, harm: object) -> None:
    components = 3 if harm is truncate else 4
    job = start(fresh, knn(3, components), knn(4, components))
    assert job.wait(LIMIT)
    before = blocks(fresh)
    assert len(before) >= 3  # the shared encoding of each fold, at least
    for file in before:
        harm(file)  # type: ignore[operator]
    job = start(fresh, knn(5, components), knn(6, components))
    planned = tasks(job)
    assert job.wait(LIMIT)
    for evaluation, k in zip(job.in_order(), (5, 6), strict=True):
        assert evaluation.status == "ok", evaluation.error
        folds = np.array(evaluation.metrics["r2"].folds)
        np.testing.assert_allclose(folds, expected(k, components), rtol=1e-9)
    assert job.state == "completed"
    # The first plan relied on the blocks: it was not planned to make them.
    again = start(fresh, knn(7, components), knn(8, components))
    assert tasks(again) == planned
    assert again.wait(LIMIT)


def test_a_block_that_vanishes_after_planning(
    fresh: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(fresh, knn(3, 5), knn(4, 5))
    gone = {file.stem for file in blocks(fresh)}
    has, remove = fresh.store.has, fresh.store.remove

    def still_has(name: str) -> bool:
        return name in gone or has(name)

    def note(name: str) -> None:
        gone.discard(name)
        remove(name)

    for name in gone:
        remove(name)
    monkeypatch.setattr(fresh.store, "has", still_has)
    monkeypatch.setattr(fresh.store, "remove", note)
    evaluation = run(fresh, knn(9, 5))[0]
    assert evaluation.status == "ok", evaluation.error
    np.testing.assert_allclose(np.array(evaluation.metrics["r2"].folds), expected(9, 5), rtol=1e-9)


def test_what_can_never_be_read_ends_as_an_error(
    fresh: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that claims to have what it has not: the job must end all the same."""
    run(fresh, knn(3, 6), knn(4, 6))
    claimed = {file.stem for file in blocks(fresh)}
    has = fresh.store.has
    for name in claimed:
        fresh.store.remove(name)
    monkeypatch.setattr(fresh.store, "has", lambda name: name in claimed or has(name))
    job = start(fresh, knn(10, 6), spec("Ridge(alpha=77)", features=[{"columns": ["age"]}]))
    assert job.wait(LIMIT)
    error = job.in_order()[0].error
    assert error is not None
    assert error.code == "block_unreadable"
    monkeypatch.undo()
    evaluation = run(fresh, knn(10, 6))[0]  # and it is not remembered
    np.testing.assert_allclose(np.array(evaluation.metrics["r2"].folds), expected(10, 6), rtol=1e-9)


def test_cancelling_while_it_is_planned_again(
    fresh: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(fresh, knn(3, 7), knn(4, 7))
    for file in blocks(fresh):
        damage(file)
    planner = fresh._planner
    original = planner._again

    def cancel_first(item: Again) -> Steps:
        item.execution.cancel()
        return original(item)

    monkeypatch.setattr(planner, "_again", cancel_first)
    job = start(fresh, knn(11, 7))
    assert job.wait(LIMIT)
    assert job.state == "cancelled"
    assert job.in_order()[0].status == "cancelled"


class TestTables:
    """A derived column that fails at run time fails those that use it."""

    @staticmethod
    def spec(column: str, k: int) -> dict[str, object]:
        return {
            "dataset": "mixed",
            "target": "y",
            "prepare": [{"derive": {"good": "x * 2", "bad": "cast(text as integer)"}}],
            "features": [{"columns": [column]}],
            "model": f"KNeighborsRegressor(n_neighbors={k})",
        }

    def test_only_those(self, fresh: Engine) -> None:
        job = start(fresh, self.spec("bad", 3), self.spec("good", 3), self.spec("bad", 4))
        assert job.wait(LIMIT)
        found = job.in_order()
        assert [e.status for e in found] == ["failed", "ok", "failed"]
        for evaluation, position in ((found[0], 0), (found[2], 2)):
            assert evaluation.error is not None
            assert evaluation.error.path == f"pipelines[{position}].prepare"
        alone = run(fresh, self.spec("good", 3))[0]
        assert alone.metrics == found[1].metrics

    def test_again_and_alone(self, fresh: Engine) -> None:
        for _ in range(2):
            evaluation = run(fresh, self.spec("bad", 5))[0]
            assert evaluation.error is not None
            assert evaluation.error.path == "pipelines[0].prepare"


class TestAGroupThatFailed:
    """Its members are run apart: what one of them does harms no other."""

    def test_by_a_crash(self, engine: Engine) -> None:
        raw = [{"columns": "numeric"}]
        models = ("Ridge(alpha=4.5)", f"Ridge(alpha=3.5, random_state={CRASH})", "Lasso(alpha=4.5)")
        job = start(engine, *(spec(model, features=raw) for model in models))
        assert job.wait(LIMIT)
        found = job.in_order()
        assert [e.status for e in found] == ["ok", "failed", "ok"]
        assert found[1].error is not None
        assert (found[1].error.code, found[1].error.path) == (
            "worker_crashed",
            "pipelines[1].model",
        )
        x, y = load_diabetes(return_X_y=True)
        ridge = cross_val_score(Ridge(4.5), x, y, cv=KFold(3), scoring="r2")
        assert found[0].metrics["r2"].folds == pytest.approx(ridge, rel=1e-9)

    def test_by_the_time_that_one_of_them_takes(self, engine: Engine) -> None:
        def forest(trees: int) -> dict[str, object]:
            return spec(f"RandomForestRegressor({trees}, max_depth=1, random_state=17)")

        budget = {"pipeline_seconds": 4}
        job = start(engine, forest(3), forest(1_000_000), budget=budget)
        assert job.wait(LIMIT)
        assert [(e.status, e.error and e.error.code) for e in job.in_order()] == [
            ("ok", None),
            ("timeout", "timeout"),
        ]
