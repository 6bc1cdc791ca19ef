"""Work that runs already is not begun again, whoever asks for it, when, and in what company."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

from executor.running import Running
from planner.graph import Role
from tests.executor.fault_functions import LIMIT, Gate
from tests.tools.conftest import spec
from tests.tools.fault_table import CRASH, GATE
from tests.tools.test_planning import send, statuses, wait_queued
from tools.engine import Engine
from tools.jobs import Job

pytestmark = pytest.mark.timeout(LIMIT * 3)


class Ran:
    """What the engine has run: instructions of tasks that ended, by role."""

    def __init__(self) -> None:
        self.roles: Counter[Role] = Counter()
        self.metrics: Counter[str] = Counter()

    def __call__(self, running: Running, answer: Any, seconds: float) -> None:
        for instruction in running.task.instructions if running.task is not None else ():
            self.roles[instruction.op.role] += 1
            if instruction.op.role is Role.SCORE:
                self.metrics[getattr(instruction.op, "metric", "")] += 1

    @property
    def fits(self) -> int:
        return self.roles[Role.FIT]


@pytest.fixture
def ran(engine: Engine) -> Iterator[Ran]:
    found = Ran()
    engine.scheduler.observer = found
    yield found
    engine.scheduler.observer = None


def planned(engine: Engine, *pipelines: dict[str, Any], session: str, **settings: Any) -> Job:
    """A job that has been planned, and whose tasks are queued."""
    job = send(engine, *pipelines, session=session, **settings)
    wait_queued(engine, job)
    return job


def forest(trees: int, depth: int) -> dict[str, Any]:
    model = f"RandomForestRegressor(n_estimators={trees}, max_depth={depth}, random_state={GATE})"
    return spec(model, features=[{"columns": "numeric"}])


def tree(depth: int, leaf: int) -> dict[str, Any]:
    model = f"DecisionTreeRegressor(max_depth={depth}, min_samples_leaf={leaf}"
    return spec(f"{model}, random_state={GATE})", features=[{"columns": "numeric"}])


def folds(job: Job) -> list[np.ndarray]:
    assert statuses(job) == ["ok"] * len(job.entries)
    return [np.array(e.metrics["r2"].folds) for e in job.in_order()]


def plain(model: Any) -> np.ndarray:
    x, y = load_diabetes(return_X_y=True)
    return cross_val_score(model, x, y, cv=KFold(3), scoring="r2")


def plain_forest(trees: int, depth: int) -> np.ndarray:
    return plain(RandomForestRegressor(trees, max_depth=depth, random_state=GATE))


def pass_all(gate: Gate, arrived: int, count: int) -> None:
    """Lets `count` tasks through, of which `arrived` have come."""
    for number in range(count):
        if number >= arrived:
            gate.arrived()
        gate.open()


def test_the_same_fits_of_another_plan(engine: Engine, gate: Gate, ran: Ran) -> None:
    first = planned(engine, tree(2, 2), session="a")
    gate.arrived()
    second = planned(engine, tree(2, 2), session="b")
    pass_all(gate, 1, 3)
    expected = plain(DecisionTreeRegressor(max_depth=2, min_samples_leaf=2, random_state=GATE))
    for job in (first, second):
        np.testing.assert_allclose(folds(job)[0], expected, rtol=1e-9)
    assert ran.fits == 3


def test_some_of_a_group_that_runs(engine: Engine, gate: Gate, ran: Ran) -> None:
    """Five forests run as one fit a fold; another client asks for three of them."""
    first = planned(engine, *(forest(n, 2) for n in (2, 3, 4, 5, 6)), session="a")
    gate.arrived()
    second = planned(engine, *(forest(n, 2) for n in (3, 4, 5)), session="b")
    pass_all(gate, 1, 3)
    assert ran.fits <= 3
    for found, trees in zip([*folds(first), *folds(second)], (2, 3, 4, 5, 6, 3, 4, 5), strict=True):
        np.testing.assert_allclose(found, plain_forest(trees, 2), rtol=1e-9)
    assert ran.fits == 3
    assert second.plan is not None
    assert second.plan.scores_known == 0


def test_a_group_that_overlaps_one_that_runs(engine: Engine, gate: Gate, ran: Ran) -> None:
    """Only what the other client does not fit is fitted for this one."""
    first = planned(engine, *(forest(n, 3) for n in (2, 3)), session="a")
    gate.arrived()
    second = planned(engine, *(forest(n, 3) for n in (3, 7)), session="b")
    pass_all(gate, 1, 6)
    for found, trees in zip([*folds(first), *folds(second)], (2, 3, 3, 7), strict=True):
        np.testing.assert_allclose(found, plain_forest(trees, 3), rtol=1e-9)
    assert ran.fits == 6


def test_a_group_of_which_only_some_folds_are_left(engine: Engine, gate: Gate, ran: Ran) -> None:
    """Its first fold has ended; no score of it is in the catalog yet."""
    first = planned(engine, *(forest(n, 4) for n in (2, 3)), session="a")
    pids = {gate.arrived(), gate.arrived()}
    assert len(pids) == 2
    gate.open()
    gate.arrived()  # the third fold has taken the place of the one that ended
    second = planned(engine, forest(2, 4), session="b")
    gate.open(), gate.open()
    for found, trees in zip([*folds(first), *folds(second)], (2, 3, 2), strict=True):
        np.testing.assert_allclose(found, plain_forest(trees, 4), rtol=1e-9)
    assert ran.fits == 3


def test_blocks_in_the_making(engine: Engine, gate: Gate, ran: Ran) -> None:
    """An encoding that two pipelines share is being made; a third one waits for it."""

    def reduced(depth: int) -> dict[str, Any]:
        branch = {"columns": "numeric", "steps": [f"PCA(n_components=3, random_state={GATE})"]}
        model = f"DecisionTreeRegressor(max_depth={depth}, random_state=0)"
        return spec(model, features=[branch])

    first = planned(engine, reduced(2), reduced(3), session="a")
    gate.arrived()
    second = planned(engine, reduced(4), session="b")
    pass_all(gate, 1, 3)  # a second time, each fold would be held up again
    for found, depth in zip([*folds(first), *folds(second)], (2, 3, 4), strict=True):
        tree = DecisionTreeRegressor(max_depth=depth, random_state=0)
        model = make_pipeline(PCA(3, random_state=GATE), tree)
        np.testing.assert_allclose(found, plain(model), rtol=1e-9)
    assert ran.fits == 9


def test_the_first_client_leaves(engine: Engine, gate: Gate, ran: Ran) -> None:
    first = planned(engine, *(forest(n, 5) for n in (2, 3)), session="a")
    gate.arrived()
    second = planned(engine, forest(3, 5), session="b")
    assert engine.cancel_job(first.id).state == "cancelled"
    pass_all(gate, 1, 3)
    np.testing.assert_allclose(folds(second)[0], plain_forest(3, 5), rtol=1e-9)
    assert ran.fits == 3


def test_the_first_client_leaves_before_the_second_one_has_come_far(
    engine: Engine, gate: Gate, ran: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between planning and starting: what was to be shared is given up, and run after all."""
    first = planned(engine, *(forest(n, 6) for n in (2, 3)), session="a")
    gate.arrived(), gate.arrived()
    submit = engine.scheduler.submit
    submitted = threading.Event()

    def late(job: Any) -> None:
        engine.cancel_job(first.id)
        submit(job)
        submitted.set()

    with monkeypatch.context() as patch:
        patch.setattr(engine.scheduler, "submit", late)
        second = send(engine, forest(3, 6), session="b")
        assert submitted.wait(LIMIT)
    pass_all(gate, 0, 3)
    np.testing.assert_allclose(folds(second)[0], plain_forest(3, 6), rtol=1e-9)
    assert first.state == "cancelled"


def test_a_member_that_crashes_takes_only_its_own_session_along(engine: Engine, gate: Gate) -> None:
    """One group of two sessions dies of its worker; each is then planned for itself."""

    def crashing(trees: int) -> dict[str, Any]:
        return spec(f"RandomForestRegressor({trees}, max_depth=1, random_state={CRASH})")

    marked = planned(engine, crashing(2), crashing(3), tree(4, 4), session="a")
    other = planned(engine, crashing(3), tree(4, 4), session="b")
    pass_all(gate, 0, 3)
    assert statuses(marked) == ["failed", "failed", "ok"]
    assert statuses(other) == ["failed", "ok"]
    for job in (marked, other):
        error = job.in_order()[0].error
        assert error is not None
        assert (error.code, error.path) == ("worker_crashed", "pipelines[0].model")


def test_nothing_is_left_of_jobs_that_have_ended(engine: Engine) -> None:
    assert statuses(send(engine, spec("Ridge(alpha=91)"))) == ["ok"]
    assert len(engine._planner._underway) == 0
    assert not len(engine._planner._underway._scores)
    assert not len(engine._planner._underway._blocks)
