"""Plans that take over tasks of a plan that runs: nothing is made twice, nothing is left out."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from planner.borrow import Source, borrow
from planner.compile import Compiled, compile_batch
from planner.plan import Plan, Value
from tests.inprocess import Engine
from tests.planner.planning_cases import CV, RIDGE, flats

NUMBERS = [{"columns": ["rooms", "age"]}]


def forest(trees: int, **changes: Any) -> dict[str, Any]:
    model = f"RandomForestRegressor(n_estimators={trees}, random_state=0)"
    return {**RIDGE, "features": NUMBERS, "model": model, "metrics": ["r2"], **changes}


def none_stored(value: Value) -> bool:
    return False


def making(*sources: Source) -> Callable[[Value], Source | None]:
    def find(value: Value) -> Source | None:
        return next((s for s in sources if value in s.makers), None)

    return find


def compiled(engine: Engine, source: Source, *specs: dict[str, Any]) -> tuple[Compiled, Plan]:
    """What is compiled while `source` runs, and what comes of borrowing from it."""
    built = {n: engine.build(spec, f"pipelines[{n}]", cv=CV) for n, spec in enumerate(specs)}
    find = making(source)
    found = compile_batch(
        engine.graph,
        built,
        known=(),
        rows=lambda node: 90,
        available=lambda value: find(value) is not None,
        underway=source.scores,
    )
    wanted = {key: source for key in source.scores if key in found.scores}
    plan = borrow(found.plan, wanted, find, none_stored)
    return found, plan


def running(engine: Engine, *specs: dict[str, Any]) -> Source:
    found = engine.compile(*specs, cv=CV)
    return Source(found.plan, found.scores)


def check(plan: Plan) -> None:
    """Ids are distinct, needs come first, everything that is read is made before."""
    seen: set[int] = set()
    made: set[Value] = set()
    for task in plan.tasks:
        assert task.id not in seen
        assert set(task.needs) <= seen
        assert set(task.loads) <= made
        seen.add(task.id)
        made.update(task.saves)
    scores = {value for task in plan.tasks for value in task.scores}
    for pipeline in plan.pipelines:
        for seeds in pipeline.scores.values():
            assert {value for folds in seeds for value in folds} <= scores
    for task in plan.tasks:
        assert task.pipelines


def fits(plan: Plan) -> list[tuple[Value, ...]]:
    return [task.scores for task in plan.tasks if task.scores]


def test_part_of_a_group(engine: Engine) -> None:
    source = running(engine, *(forest(n) for n in (2, 3, 4)))
    found, plan = compiled(engine, source, forest(3))
    assert found.plan.tasks == ()
    assert found.known == 0
    check(plan)
    assert fits(plan) == fits(source.plan)
    assert all(task.pipelines == (0,) for task in plan.tasks)


def test_more_than_a_group(engine: Engine) -> None:
    source = running(engine, *(forest(n) for n in (2, 3)))
    found, plan = compiled(engine, source, forest(3), forest(9))
    check(plan)
    assert len(fits(plan)) == len(fits(source.plan)) + len(fits(found.plan)) == 6


def test_nothing_of_what_runs(engine: Engine) -> None:
    source = running(engine, forest(2))
    engine.add("others", flats(60))
    found, plan = compiled(engine, source, forest(2, dataset="others"))
    assert plan is found.plan
    check(plan)


def test_blocks_in_the_making(engine: Engine) -> None:
    """Another target on the same rows: the split is being made, the fits are not."""
    source = running(engine, forest(2))
    found, plan = compiled(engine, source, forest(2, target="weight"))
    check(plan)
    assert len(fits(plan)) == 3
    assert len(plan.tasks) > len(found.plan.tasks)


@pytest.mark.parametrize("stored", [False, True])
def test_what_is_stored_is_not_made_for_it(engine: Engine, stored: bool) -> None:
    source = running(engine, forest(2), forest(3))
    find = making(source)
    wanted = dict.fromkeys(source.scores, source)
    lacking = Plan((), source.plan.pipelines)
    plan = borrow(lacking, wanted, find, lambda value: stored)
    borrowed = plan.tasks[: len(plan.tasks) - len(lacking.tasks)]
    assert {position for task in borrowed for position in task.pipelines} == {0, 1}
    made = [task for task in plan.tasks if not task.scores]
    assert bool(made) is not stored
    if not stored:
        check(plan)


def test_ids_of_a_plan_with_gaps(engine: Engine) -> None:
    """Parts of plans keep the ids of the whole."""
    source = running(engine, forest(2))
    whole = engine.compile(forest(5, target="weight"), cv=CV)
    plan = Plan(whole.plan.tasks, (*whole.plan.pipelines, *source.plan.pipelines))
    merged = borrow(plan, dict.fromkeys(source.scores, source), making(source), none_stored)
    check(merged)


def test_scores_are_those_of_a_plan_of_its_own(engine: Engine) -> None:
    source = running(engine, *(forest(n) for n in (2, 3, 4)))
    found, plan = compiled(engine, source, forest(3), forest(6))
    alone = engine.run(forest(3), forest(6), cv=CV)
    engine.forget()
    borrowed = engine.execute(replace(found, plan=plan))
    assert [answer.scores for answer in borrowed] == [answer.scores for answer in alone]
