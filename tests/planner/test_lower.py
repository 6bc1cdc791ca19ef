"""Tasks: what is computed where, what is kept, what is loaded."""

from typing import Any

import pytest

from planner.binder import schema
from planner.compile import Compiled, materialised
from planner.ops import (
    Columns,
    Concat,
    Encode,
    Fit,
    Folds,
    Materialise,
    Predict,
    Score,
    Vector,
)
from planner.ops_linear import LinearFolds
from planner.plan import Instruction, Task, Value
from tests.inprocess import Engine
from tests.planner.planning_cases import CV, NUMBERS, RIDGE, ops

Spec = dict[str, Any]
CITY: Spec = {"columns": ["city"], "steps": ["OneHotEncoder(handle_unknown='ignore')"]}
SCALED: Spec = {"columns": NUMBERS, "steps": ["SimpleImputer()", "StandardScaler()"]}
FOLDS = 3


def svr(alpha: float = 1.0, **changes: Any) -> Spec:
    model = f"SVR(C={alpha})"  # of a kind that no rule makes groups of
    return {**RIDGE, "model": model, "features": [SCALED, CITY], "metrics": ["r2"], **changes}


def instructions(compiled: Compiled, kind: type) -> list[tuple[Task, Instruction]]:
    return [
        (task, instruction)
        for task in compiled.plan.tasks
        for instruction in task.instructions
        if isinstance(instruction.op, kind)
    ]


def check(compiled: Compiled) -> None:
    """Every plan is closed: values are made before they are read, blocks saved before loaded."""
    saved: dict[Value, int] = {}
    for task in compiled.plan.tasks:
        have = set(task.loads)
        for value in task.loads:
            if value in saved:
                assert saved[value] in task.needs, value
        for out, _, inputs in task.instructions:
            assert have.issuperset(inputs)
            assert out not in have
            have.add(out)
        made = {out for out, _, _ in task.instructions}
        assert made.issuperset((*task.saves, *task.scores))
        saved.update(dict.fromkeys(task.saves, task.id))
        assert all(need < task.id for need in task.needs)
    scores = {value for task in compiled.plan.tasks for value in task.scores}
    for plan in compiled.plan.pipelines:
        wanted = {v for seeds in plan.scores.values() for folds in seeds for v in folds}
        assert wanted <= scores
        for task in compiled.plan.tasks:
            if wanted & set(task.scores):
                assert plan.index in task.pipelines


BATCHES: dict[str, list[Spec]] = {
    "one": [svr()],
    "alphas": [svr(alpha) for alpha in (0.1, 1, 10)],
    "ridges": [{**svr(), "model": f"Ridge({a})", "features": [SCALED]} for a in (1, 2)],
    "tables": [svr(), svr(prepare=[{"filter": "age > 4"}]),
               svr(prepare=[{"derive": {"age": "age * 2"}}])],
    "masks": [svr(), svr(prepare=[{"filter": "age > 4", "only": "train"}])],
    "targets": [svr(target={"column": "price", "transform": t})
                for t in ("log1p", "StandardScaler()")],
    "weights": [svr(sample_weight="weight", score_weight="rooms", metrics=["r2", "rmse"])],
    "seeds": [{**svr(), "model": "RandomForestRegressor(n_estimators=2)", "seeds": [1, 2]}],
    "hoisted": [{**svr(), "features": [{"columns": "weight", "steps": ["Binarizer()"]}],
                 "model": "make_pipeline(Normalizer(), Ridge())"}],
}  # fmt: skip


@pytest.mark.parametrize("name", BATCHES)
def test_plans_are_closed(engine: Engine, name: str) -> None:
    compiled = engine.compile(*BATCHES[name], cv=CV)
    check(compiled)
    assert compiled.plan.tasks


@pytest.mark.parametrize("name", BATCHES)
def test_plans_on_half_of_the_blocks_are_closed(engine: Engine, name: str) -> None:
    whole = engine.compile(*BATCHES[name], cv=CV)
    saved = [value for task in whole.plan.tasks for value in task.saves]
    for kept in (saved, saved[::2], saved[1::2], saved[::3]):
        compiled = engine.compile(*BATCHES[name], cv=CV, available=set(kept).__contains__)
        check(compiled)
        made = {out for task in compiled.plan.tasks for out, _, _ in task.instructions}
        loaded = {value for task in compiled.plan.tasks for value in task.loads}
        assert not made & set(kept)
        assert loaded <= made | set(kept)


def test_nothing_is_computed_twice_but_what_is_cheap(engine: Engine) -> None:
    compiled = engine.compile(
        *[svr(alpha) for alpha in (0.1, 1, 10)], svr(features=[SCALED]), cv=CV
    )
    for kind in (Materialise, Folds, Encode, Fit, Predict, Score):
        values = [instruction.out for _, instruction in instructions(compiled, kind)]
        assert len(values) == len(set(values)), kind.__name__
    assert len(instructions(compiled, Fit)) == 4 * FOLDS


def test_what_one_model_needs_is_computed_in_its_task(engine: Engine) -> None:
    compiled = engine.compile(svr(), cv=CV)
    kinds = [[type(i.op).__name__ for i in task.instructions] for task in compiled.plan.tasks]
    assert kinds[0] == ["Materialise", "Folds"]
    assert len(kinds) == 1 + FOLDS
    for kind in kinds[1:]:
        assert kind.count("EncodeBlock") == 1
        assert kind[-3:] == ["Fit", "Predict", "Score"]


def test_what_several_models_need_is_kept(engine: Engine) -> None:
    compiled = engine.compile(svr(1), svr(2), cv=CV)
    for task, instruction in instructions(compiled, Concat):
        assert instruction.out in task.saves
        assert task.pipelines == (0, 1)
    for task, instruction in instructions(compiled, Encode):
        assert instruction.out not in task.saves  # only the whole matrix is asked for


def test_columns_that_are_only_sliced_are_not_kept(engine: Engine) -> None:
    """A slice of a mapped table costs less than a block for each fold."""
    specs = [svr(alpha, features=[{"columns": ["rooms", "age"]}]) for alpha in (1, 2)]
    compiled = engine.compile(*specs, cv=CV)
    saved = {value for task in compiled.plan.tasks for value in task.saves}
    for kind in (Concat, Columns, Vector):
        assert not saved & {i.out for _, i in instructions(compiled, kind)}


def test_a_group_over_all_folds_is_one_task(engine: Engine) -> None:
    compiled = engine.compile(*BATCHES["ridges"], cv=CV)
    ((task, instruction),) = instructions(compiled, LinearFolds)
    assert instruction.out.fold is None
    assert len(task.scores) == 2 * FOLDS
    assert task.pipelines == (0, 1)


def test_one_table_serves_all_that_is_narrowed_from_it(engine: Engine) -> None:
    compiled = engine.compile(
        svr(sample_weight="weight"), svr(features=[{"columns": ["age"]}]), cv=CV
    )
    assert len(instructions(compiled, Materialise)) == 1
    (sql,) = materialised(compiled.plan)
    for name in (*NUMBERS, "city", "price", "weight"):
        assert f'"{name}"' in sql
    for name in ("note", "owner", "lift", "sold_at"):
        assert f'"{name}"' not in sql


def test_folds_are_made_with_the_table_they_are_made_of(engine: Engine) -> None:
    compiled = engine.compile(*BATCHES["masks"], cv=CV)
    for task, instruction in instructions(compiled, Folds):
        source = next(i for i in task.instructions if i.out == instruction.inputs[0])
        assert isinstance(source.op, Materialise)
        assert instruction.out in task.saves


def test_predictions_that_are_stored_need_no_fit(engine: Engine) -> None:
    first = engine.compile(svr(metrics=["r2"]), cv=CV)
    stored = {v for t in first.plan.tasks for v in t.saves}
    second = engine.compile(svr(metrics=["rmse"]), cv=CV, available=stored.__contains__)
    assert instructions(second, Fit) == []
    assert instructions(second, Encode) == []
    assert len(instructions(second, Score)) == FOLDS


def test_estimates_grow_with_the_rows(engine: Engine) -> None:
    compiled = engine.compile(svr(), cv=CV)
    assert all(task.seconds > 0 and task.bytes > 0 for task in compiled.plan.tasks)
    built = {0: engine.build(svr(), cv=CV)}
    from planner.compile import compile_batch

    more = compile_batch(
        engine.graph, built, known=(), rows=lambda node: 10**6, available=lambda v: False
    )
    assert sum(t.seconds for t in more.plan.tasks) > sum(t.seconds for t in compiled.plan.tasks)
    assert sum(t.bytes for t in more.plan.tasks) > 1000 * 90


def test_values_are_named_by_node_and_fold() -> None:
    assert Value("abc").name == "abc"
    assert Value("abc", 0).name == "abc-0"


def test_tables_hold_the_mask_where_folds_read_it(engine: Engine) -> None:
    built = engine.build(svr(prepare=[{"filter": "age > 4", "only": "train"}]), cv=CV)
    (folds,) = ops(*built.scores["r2"], kind=Folds)
    assert folds.train_mask == "__train"
    assert "__train" not in schema(built.prepared).names
    compiled = engine.plan({0: built})
    assert '"__train"' in materialised(compiled.plan)[0]
