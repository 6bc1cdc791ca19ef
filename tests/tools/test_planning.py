"""Requests that arrive together: planned as one batch, answered one by one."""

from concurrent.futures import Future
from typing import Any

import pytest

from executor.versions import versions_key
from planner.errors import SpecError
from planner.graph import Graph
from planner.spec import EvaluateSpec
from tests.executor.fault_functions import LIMIT
from tests.tools.conftest import FOLDS, spec
from tools import planning
from tools.batches import Request
from tools.engine import Engine
from tools.jobs import Job
from tools.planning import _Asked


def asked(*pipelines: dict[str, Any], **settings: Any) -> _Asked:
    evaluate = EvaluateSpec(**{**FOLDS, **settings})
    return _Asked(Request("evaluate", list(pipelines), evaluate, ""), Future())


def answer(one: _Asked) -> Job:
    job = one.future.result(0)  # planning has ended
    assert job.wait(LIMIT)
    return job


def encoded(model: str, components: int) -> dict[str, Any]:
    branch = {"columns": "numeric", "steps": [f"PCA(n_components={components}, random_state=9)"]}
    return spec(model, features=[branch])


def test_they_share_one_plan(engine: Engine) -> None:
    batch = [asked(encoded(f"KNeighborsRegressor({k})", 8)) for k in (3, 4)]
    engine._planner._plan(batch, Graph(versions_key()))
    plans = [answer(one).plan for one in batch]
    assert plans[0] is not None
    assert plans[1] is not None
    assert plans[0].nodes_asked == plans[1].nodes_asked
    assert plans[0].nodes_merged < plans[0].nodes_asked
    assert [answer(one).in_order()[0].status for one in batch] == ["ok", "ok"]


def test_a_bad_request_harms_no_other(engine: Engine) -> None:
    twins = [{**spec("Ridge()"), "name": "twin"}] * 2
    batch = [
        asked(spec("Ridge(alpha=51)")),
        asked(*twins, {"from": "twin", "model": "Lasso()"}),
        asked(spec("Ridge()"), budget={"memory": "0GB"}),
        asked(spec("Rigde()"), spec("Ridge(alpha=52)")),
    ]
    engine._planner._plan(batch, Graph(versions_key()))
    assert answer(batch[0]).in_order()[0].status == "ok"
    assert [e.status for e in answer(batch[1]).in_order()] == ["ok", "ok", "failed"]
    with pytest.raises(SpecError, match="invalid_budget"):
        batch[2].future.result(0)
    misspelt, good = answer(batch[3]).in_order()
    assert misspelt.error is not None
    assert misspelt.error.path == "pipelines[0].model"
    assert good.status == "ok"


def test_an_unforeseen_exception_harms_no_other(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = planning.prepare

    def broken(request: Request, *rest: Any) -> None:
        if len(request.pipelines) == 2:
            raise RuntimeError("unforeseen")
        prepare(request, *rest)

    monkeypatch.setattr(planning, "prepare", broken)
    batch = [asked(spec("Ridge(alpha=53)")), asked(spec("Ridge()"), spec("Ridge()"))]
    engine._planner._plan(batch, Graph(versions_key()))
    assert answer(batch[0]).in_order()[0].status == "ok"
    error = batch[1].future.exception(0)
    assert getattr(error, "code", "") == "internal_error"


def test_a_batch_that_cannot_be_compiled_is_planned_one_by_one(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_batch = planning.compile_batch

    def broken(graph: Any, pipelines: Any, **rest: Any) -> Any:
        if len(pipelines) > 1:
            raise RuntimeError("unforeseen")
        return compile_batch(graph, pipelines, **rest)

    monkeypatch.setattr(planning, "compile_batch", broken)
    batch = [asked(spec(f"Ridge(alpha={alpha})")) for alpha in (54, 55)]
    engine._planner._plan(batch, Graph(versions_key()))
    assert [answer(one).in_order()[0].status for one in batch] == ["ok", "ok"]


def test_the_thread_outlives_everything(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("unforeseen")

    monkeypatch.setattr(engine._planner, "_launch", broken)
    request = Request("evaluate", [spec("Ridge()")], EvaluateSpec(**FOLDS), "")
    with pytest.raises(Exception, match="internal_error"):
        engine._planner.submit(request)
    monkeypatch.undo()
    request = Request("evaluate", [spec("Ridge()")], EvaluateSpec(**FOLDS), "")
    assert engine._planner.submit(request).wait(LIMIT)
