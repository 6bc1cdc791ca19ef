"""Tasks of blends: what is fitted, what is kept, what is found again."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from planner.compile import Compiled
from planner.graph import Role
from planner.ops import Fit, Materialise, Member, Predict
from planner.ops_blend import Blend, OutOfFold
from planner.ops_linear import LinearFolds
from planner.ops_stored import Stored
from planner.plan import Value
from planner.rewrite import RULES
from tests.inprocess import Engine
from tests.planner.blending import build_all, run_all
from tests.planner.planning_cases import CV, RIDGE
from tests.planner.test_lower import check, instructions

Spec = dict[str, Any]
FOLDS = 3
LGBM = "LGBMRegressor(n_estimators={})"


def member(name: str, model: str, **fields: Any) -> Spec:
    return {**RIDGE, "name": name, "model": model, "metrics": ["r2"], **fields}


def blend(name: str, *of: str, how: str = "mean", **fields: Any) -> Spec:
    return {"name": name, "metrics": ["r2"], "blend": {"of": list(of), "how": how, **fields}}


MEMBERS = [
    member("ridge", "Ridge(alpha=0.5)"),
    member("ridge2", "Ridge(alpha=5)"),
    member("tree", "DecisionTreeRegressor(max_depth=3)"),
    member("seeds", "ExtraTreesRegressor(n_estimators=3)", seeds=[1, 2]),
    member("short", LGBM.format(3), prepare=[{"derive": {"per_room": "age / rooms"}}],
           features=[{"columns": ["per_room"]}]),
    member("long", LGBM.format(6), prepare=[{"derive": {"per_room": "age / rooms"}}],
           features=[{"columns": ["per_room"]}]),
]  # fmt: skip
NAMES = [spec["name"] for spec in MEMBERS]
BLENDS = [
    blend("mean", *NAMES),
    blend("weighted", "tree", "short", weights=[1, 2]),
    blend("stack", *NAMES, how="stack", model="Ridge()"),
    blend("nested", "mean", "stack", "tree", how="stack", model="make_pipeline(PCA(2), Lasso())"),
]


def plan(engine: Engine, *specs: Spec, available: Any = lambda value: False) -> Compiled:
    return engine.plan(build_all(engine, *specs, cv=CV), available=available)


def fits(compiled: Compiled) -> list[tuple[str, int | None]]:
    """What is fitted, blends aside: model or group, and fold."""
    return sorted(
        (i.op.label, i.out.fold if i.out.fold is not None else -1)
        for task in compiled.plan.tasks
        for i in task.instructions
        if i.op.role is Role.FIT and not isinstance(i.op, Blend)
    )


def test_plans_are_closed(engine: Engine) -> None:
    compiled = plan(engine, *MEMBERS, *BLENDS)
    check(compiled)
    whole = [value for task in compiled.plan.tasks for value in task.saves]
    for kept in (whole, whole[::2], whole[1::3]):
        again = plan(engine, *MEMBERS, *BLENDS, available=set(kept).__contains__)
        check(again)
        loaded = {value for task in again.plan.tasks for value in task.loads}
        made = {out for task in again.plan.tasks for out, _, _ in task.instructions}
        assert loaded <= made | set(kept)


def test_blends_of_the_batch_cost_no_fit(engine: Engine) -> None:
    alone = plan(engine, *MEMBERS)
    blended = plan(engine, *MEMBERS, *BLENDS[:2])
    assert fits(blended) == fits(alone)
    stacked = plan(engine, *MEMBERS, BLENDS[2])
    assert len(fits(stacked)) == len(fits(alone)) + FOLDS


def test_blends_share_their_members_with_each_other(engine: Engine) -> None:
    compiled = plan(engine, *BLENDS_ALONE)
    values = [i.out for _, i in instructions(compiled, Fit)]
    assert len(values) == len(set(values)) == 3 * FOLDS
    assert len(instructions(compiled, OutOfFold)) == 1
    check(compiled)


BLENDS_ALONE = [
    member("a", "DecisionTreeRegressor(max_depth=3)"),
    blend("x", "a", how="stack", model="DecisionTreeRegressor(max_depth=1)"),
    blend("y", "a", how="stack", model="DecisionTreeRegressor(max_depth=2)"),
    blend("z", "a"),
]


def test_only_what_blends_read_of_a_group_is_kept(engine: Engine) -> None:
    compiled = plan(engine, *MEMBERS[:2], blend("mean", "ridge"))
    assert len(instructions(compiled, LinearFolds)) == 1
    saved = {value for task in compiled.plan.tasks for value in task.saves}
    members = [i for _, i in instructions(compiled, Member)]
    assert len(members) == 2 * FOLDS
    assert [i.out in saved for i in members].count(True) == FOLDS


@pytest.mark.parametrize("rules", [RULES, ()], ids=["rules", "no rules"])
def test_evaluations_of_before_cost_no_fit(engine: Engine, rules: Any) -> None:
    """Also where a rule had made another node of the member's predictions."""
    grouped = [MEMBERS[2], MEMBERS[3], MEMBERS[4], MEMBERS[5]]
    before = engine.plan(build_all(engine, *grouped, cv=CV), rules=rules)
    saved = {value for task in before.plan.tasks for value in task.saves}
    built = build_all(engine, *grouped, *[BLENDS[1], blend("mean", "tree", "seeds", "long")], cv=CV)
    blends = {p: one for p, one in built.items() if p >= len(grouped)}
    after = engine.plan(blends, available=saved.__contains__)
    assert fits(after) == []
    assert instructions(after, Predict) == []
    assert len(instructions(after, Blend)) == 2 * FOLDS
    assert len(instructions(after, Materialise)) == 1  # for the target alone
    check(after)


def test_what_is_stored_makes_no_group_larger(engine: Engine) -> None:
    before = plan(engine, member("long", LGBM.format(60)))
    saved = {value for task in before.plan.tasks for value in task.saves}
    specs = [member("short", LGBM.format(3)), member("long", LGBM.format(60), metrics=["rmse"])]
    after = plan(engine, *specs, available=saved.__contains__)
    assert {label for label, _ in fits(after)} == {op.label for op in _fits_of(engine, specs[0])}
    assert any(isinstance(node.op, Stored) for out in after.outputs for node in out.inputs)


def _fits_of(engine: Engine, spec: Spec) -> list[Any]:
    return [fit.op for fit in engine.build(spec, cv=CV).fits]


LOGISTIC = {"name": "a", "dataset": "flats", "target": "dear", "model": "LogisticRegression()",
            "features": [{"columns": ["rooms", "age"]}]}  # fmt: skip


def test_probabilities_are_stored_beside_decision_values(engine: Engine) -> None:
    """Scores are taken of these, but blends combine those."""
    hist = {**LOGISTIC, "name": "b", "model": "HistGradientBoostingClassifier(max_iter=2)"}
    members = [LOGISTIC, hist]
    mean = {"name": "mean", "blend": {"of": ["a", "b"]}}
    evaluate = {"cv": CV, "metrics": ["roc_auc", "accuracy"]}
    first = engine.plan(build_all(engine, *members, **evaluate))
    check(first)
    built = build_all(engine, *members, mean, **evaluate)
    saved = {value for task in first.plan.tasks for value in task.saves}
    after = engine.plan({2: built[2]}, available=saved.__contains__)
    assert fits(after) == []
    check(after)
    # Not where nothing else is left to be done.
    again = engine.plan(built, available=saved.__contains__)
    assert instructions(again, Predict) == []
    asked = [i.op for _, i in instructions(first, Predict)]
    assert asked.count(Predict(("predict_proba",))) == 2 * FOLDS
    together = [i.out for _, i in instructions(engine.plan(built), Predict)]
    assert len(together) == len(set(together)) == len(asked)


def test_probabilities_are_not_asked_of_models_without(engine: Engine) -> None:
    svc = {**LOGISTIC, "model": "LinearSVC()"}
    compiled = engine.plan(build_all(engine, svc, cv=CV, metrics=["roc_auc"]))
    asked = [i.op for _, i in instructions(compiled, Predict)]
    assert set(asked) == {Predict(("decision_function",))}


def test_values_are_known_by_what_was_asked_for(engine: Engine) -> None:
    """Not by what the rules make of it, which depends on the rest of the batch."""
    built = build_all(engine, MEMBERS[4], MEMBERS[5], cv=CV)
    asked = {
        Value(node.inputs[0].key, fold)
        for one in built.values()
        for nodes in one.scores.values()
        for node in nodes
        for fold in range(FOLDS)
    }
    compiled = engine.plan(built)
    assert {type(i.op).__name__ for t in compiled.plan.tasks for i in t.instructions
            if i.op.role is Role.FIT} == {"PrefixFit"}  # fmt: skip
    saved = {value for task in compiled.plan.tasks for value in task.saves}
    assert asked <= saved


def test_every_way_gives_the_same_scores(engine: Engine) -> None:
    whole = run_all(engine, *MEMBERS, *BLENDS, cv=CV)
    blocks = engine.folder / "blocks"

    def stored(value: Value) -> bool:
        return (blocks / value.name[:2] / f"{value.name}.block").exists()

    # Again, all predictions at hand.
    compiled = plan(engine, *MEMBERS, *BLENDS, available=stored)
    assert {label for label, fold in fits(compiled)}.isdisjoint(
        op.label for spec in MEMBERS[2:] for op in _fits_of(engine, spec)
    )
    again = engine.execute(compiled)
    # One by one, each finding what was left by those before.
    engine.forget()
    single = []
    for count in range(1, len(MEMBERS) + len(BLENDS) + 1):
        specs = [*MEMBERS, *BLENDS][:count]
        built = build_all(engine, *specs, cv=CV)
        last = engine.plan({count - 1: built[count - 1]}, available=stored)
        single.extend(engine.execute(last))
    for one, two, three in zip(whole, again, single, strict=True):
        np.testing.assert_allclose(two["r2"], one["r2"], rtol=1e-9)
        np.testing.assert_allclose(three["r2"], one["r2"], rtol=1e-9)


def test_a_failing_member_fails_its_blends_alone(engine: Engine) -> None:
    bad = member("bad", "KNeighborsRegressor(n_neighbors=1000)")
    specs = [*MEMBERS[:3], bad, blend("good", "ridge", "tree"), blend("worse", "tree", "bad"),
             blend("worst", "bad", "ridge", how="stack", model="Ridge()")]  # fmt: skip
    answers = run_all(engine, *specs, cv=CV)
    alone = run_all(engine, bad, cv=CV)[0].error
    assert alone is not None
    for position, of in ((5, 1), (6, 0)):
        error = answers[position].error
        assert error is not None
        assert error["path"] == f"pipelines[{position}].blend.of[{of}]"
        assert (error["code"], error["message"]) == (alone["code"], alone["message"])
    assert [answer.error is None for answer in answers] == [True] * 3 + [False, True, False, False]


def test_a_stack_does_not_see_its_own_fold(engine: Engine) -> None:
    """A member that has learnt the training rows by heart says nothing of the others, and a
    target of noise cannot be predicted, whatever is put on top."""
    engine.add("noise", noise(np.random.default_rng(0)))
    shared = {"dataset": "noise", "target": "y", "features": [{"columns": ["id", "x"]}]}
    heart = {**shared, "name": "heart", "model": "KNeighborsRegressor(n_neighbors=1)"}
    tree = {**shared, "name": "tree", "model": "DecisionTreeRegressor()"}
    stack = blend("stack", "heart", "tree", how="stack", model="DecisionTreeRegressor()")
    linear = blend("linear", "heart", "tree", how="stack", model="Ridge()")
    answers = run_all(engine, heart, tree, stack, linear, cv="KFold(5)", metrics=["r2"])
    assert all(np.mean(answer["r2"]) < 0.05 for answer in answers)


def noise(rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame({"id": np.arange(400.0), "x": rng.random(400), "y": rng.normal(size=400)})
