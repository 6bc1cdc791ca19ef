"""Blends as clients of an engine see them: by name and by id, in one call and over several."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict, train_test_split
from sklearn.tree import DecisionTreeRegressor

from planner.spec import EvaluateSpec
from tests.executor.fault_functions import LIMIT
from tests.tools.conftest import FOLDS, run, spec, start, tasks
from tests.tools.fault_table import CRASH
from tools.engine import Engine
from tools.jobs import Job
from tools.requests import EvaluatePipelines, SearchPipelines
from tools.responses import Evaluation

Spec = dict[str, Any]


def tree(name: str, seed: int, **fields: Any) -> Spec:
    """Trees of different seeds differ: so do their depths."""
    model = f"DecisionTreeRegressor(max_depth={1 + seed % 10}, random_state={seed})"
    return spec(model, name=name, **fields)


def plain_tree(seed: int) -> DecisionTreeRegressor:
    return DecisionTreeRegressor(max_depth=1 + seed % 10, random_state=seed)


def blend(name: str, *of: str, how: str = "mean", **fields: Any) -> Spec:
    return {"name": name, "blend": {"of": list(of), "how": how, **fields}}


def mean_of(*seeds: int) -> list[float]:
    """R2 by fold of the mean of such trees."""
    x, y = load_diabetes(return_X_y=True)
    found = []
    for train, valid in KFold(3).split(x):
        models = [plain_tree(seed) for seed in seeds]
        predicted = np.mean([m.fit(x[train], y[train]).predict(x[valid]) for m in models], axis=0)
        residue = ((y[valid] - predicted) ** 2).sum() / ((y[valid] - y[valid].mean()) ** 2).sum()
        found.append(1 - residue)
    return found


def error_of(evaluation: Evaluation) -> tuple[str, str]:
    assert evaluation.error is not None
    return evaluation.error.code, evaluation.error.path


def done(engine: Engine, *pipelines: Spec, **settings: Any) -> tuple[Job, list[Evaluation]]:
    job = start(engine, *pipelines, **settings)
    assert job.wait(LIMIT)
    return job, job.in_order()


def test_members_of_one_call_in_any_order(engine: Engine) -> None:
    found = run(engine, blend("m", "t1", "t2"), tree("t1", 1), tree("t2", 2))
    assert [one.status for one in found] == ["ok"] * 3
    np.testing.assert_allclose(np.array(found[0].metrics["r2"].folds), mean_of(1, 2), rtol=1e-9)


class TestEarlierEvaluations:
    def test_by_name_and_id_nothing_is_fitted_again(self, engine: Engine) -> None:
        run(engine, tree("early1", 11), tree("early2", 12), spec("Ridge(alpha=5)", name="early3"))
        ids = [engine.evaluation(f"early{n}").id for n in (1, 2, 3)]
        mixed = blend("later", ids[0], "early2")
        plan = engine.explain(EvaluatePipelines(pipelines=[mixed], evaluate=EvaluateSpec(**FOLDS)))
        assert "DecisionTree" not in plan.text
        assert "mean of 2" in plan.text
        job, found = done(engine, mixed)
        assert tasks(job) <= 3 + 1  # a blend a fold; the target, where no table is left
        np.testing.assert_allclose(
            np.array(found[0].metrics["r2"].folds), mean_of(11, 12), rtol=1e-9
        )
        again, _ = done(engine, blend("another name", *ids[:2]))
        assert tasks(again) == 0  # what was combined is the same

    def test_a_stack_of_them(self, engine: Engine) -> None:
        run(engine, tree("deep1", 21), tree("deep2", 22))
        job, found = done(engine, blend("s", "deep1", "deep2", how="stack", model="Ridge(2)"))
        assert tasks(job) <= 3 + 1 + 1
        x, y = load_diabetes(return_X_y=True)
        folds = list(KFold(3).split(x))
        oof = np.empty((len(y), 2))
        for column, seed in enumerate((21, 22)):
            for train, valid in folds:
                model = plain_tree(seed).fit(x[train], y[train])
                oof[valid, column] = model.predict(x[valid])
        wanted = [Ridge(2).fit(oof[t], y[t]).score(oof[v], y[v]) for t, v in folds]
        np.testing.assert_allclose(np.array(found[0].metrics["r2"].folds), wanted, rtol=1e-9)

    def test_a_blend_keeps_the_members_it_was_made_of(self, engine: Engine) -> None:
        """Also when their names mean something else by now."""
        first = run(engine, tree("once", 31), blend("kept", "once"))[1]
        run(engine, tree("once", 32))
        stored = engine.evaluation(first.id).spec
        assert stored["blend"]["of"] == [engine.evaluation(stored["blend"]["of"][0]).id]
        again = run(engine, {"from": "kept"}, blend("over", "kept", first.id))
        assert again[0].metrics == first.metrics
        np.testing.assert_allclose(again[1].metrics["r2"].folds, first.metrics["r2"].folds)
        assert run(engine, blend("new", "once"))[0].metrics != first.metrics

    def test_under_other_folds_members_are_fitted_anew(self, engine: Engine) -> None:
        run(engine, tree("old", 41))
        _, found = done(engine, blend("other", "old"), cv="KFold(4)")
        assert found[0].status == "ok"
        assert len(found[0].metrics["r2"].folds) == 4
        stored = engine.evaluation("other").spec["blend"]["of"][0]
        assert engine.evaluation(stored).name == "old"

    def test_a_name_of_its_own_means_the_earlier_one(self, engine: Engine) -> None:
        run(engine, tree("best", 51))
        found = run(engine, blend("best", "best", "t"), tree("t", 52))
        np.testing.assert_allclose(
            np.array(found[0].metrics["r2"].folds), mean_of(51, 52), rtol=1e-9
        )


class TestRefusals:
    def test_unknown_members(self, engine: Engine) -> None:
        found = run(engine, tree("oak", 1), blend("b", "oak", "oka"), blend("c", "zzz"))
        assert error_of(found[1]) == ("unknown_pipeline", "pipelines[1].blend.of[1]")
        assert found[1].error is not None
        assert "'oak'" in found[1].error.hint
        assert error_of(found[2]) == ("unknown_pipeline", "pipelines[2].blend.of[0]")
        assert found[0].status == "ok"

    def test_members_with_choices_are_named(self, engine: Engine) -> None:
        choosing = spec("DecisionTreeRegressor(max_depth=choose(2, 4))", name="pick")
        found = run(engine, choosing, blend("b", "pick"), blend("c", "pick[max_depth=2]"))
        assert error_of(found[2]) == ("unknown_pipeline", "pipelines[1].blend.of[0]")
        assert found[2].error is not None
        assert "pick[max_depth=2], pick[max_depth=4]" in found[2].error.hint
        assert found[3].status == "ok"

    def test_circles(self, engine: Engine) -> None:
        found = run(
            engine, tree("leaf", 1), blend("x", "leaf", "y"), blend("y", "z"), blend("z", "x"),
            blend("narcissus", "narcissus"), blend("fine", "leaf"),
        )  # fmt: skip
        assert [one.status for one in found] == ["ok", *["failed"] * 4, "ok"]
        assert error_of(found[1]) == ("circular_blend", "pipelines[1].blend.of[1]")
        assert [error_of(one)[0] for one in found[2:5]] == ["circular_blend"] * 3
        # What failed is stored under its name, and names itself there.
        again = run(engine, blend("w", "narcissus"))
        assert error_of(again[0])[0] == "circular_blend"

    def test_members_that_cannot_be_built(self, engine: Engine) -> None:
        found = run(
            engine, spec("Rigde()", name="bad"), blend("b", "ok", "bad"), tree("ok", 1),
            blend("c", "b"), {"from": "nobody"},
        )  # fmt: skip
        assert error_of(found[1]) == ("blend_member_failed", "pipelines[1].blend.of[1]")
        assert found[1].error is not None
        assert "'bad'" in found[1].error.message
        assert "Ridge" in found[1].error.hint
        assert error_of(found[3])[0] == "blend_member_failed"
        assert found[2].status == "ok"

    def test_members_that_fail_and_crash(self, engine: Engine) -> None:
        bad = spec("KNeighborsRegressor(n_neighbors=100000)", name="bad")
        crash = spec(f"DecisionTreeRegressor(random_state={CRASH})", name="crash")
        stack = blend("c", "crash", "ok", how="stack", model="Ridge()")
        specs = [bad, crash, tree("ok", 1), blend("b", "ok", "bad"), stack, blend("d", "ok")]
        found = run(engine, *specs)
        good = [one.status == "ok" for one in found]
        assert good == [False, False, True, False, False, True]
        assert error_of(found[3]) == (error_of(found[0])[0], "pipelines[3].blend.of[1]")
        assert error_of(found[4]) == ("worker_crashed", "pipelines[4].blend.of[0]")
        # A failure that is sure to come again is known.
        job, again = done(engine, blend("b", "ok", "bad"), tree("ok", 1), bad)
        assert tasks(job) == 0
        assert error_of(again[0]) == (error_of(found[0])[0], "pipelines[0].blend.of[1]")

    def test_the_shape_of_the_spec(self, engine: Engine) -> None:
        found = run(
            engine, tree("t", 1), {**blend("b", "t"), "model": "Ridge()"},
            blend("c", "t", how="median"), {"name": "d", "blend": {"off": ["t"]}},
            {"name": "e", "blend": "t"},
        )  # fmt: skip
        assert [error_of(one)[0] for one in found[1:]] == [
            "unknown_field", "invalid_value", "unknown_field", "invalid_value",
        ]  # fmt: skip
        assert error_of(found[1])[1] == "pipelines[1].model"
        assert error_of(found[2])[1] == "pipelines[2].blend.how"
        assert found[3].error is not None
        assert "'of'" in found[3].error.hint


class TestDownstream:
    def test_patches_and_choices(self, engine: Engine) -> None:
        found = run(
            engine, tree("p", 61), tree("q", 62), blend("base", "p", "q"),
            {"from": "base", "name": "heavy", "blend": {"weights": [3, 1]}},
            {"name": "both", "metrics": ["spearman"],
             "blend": {"of": ["p", "q"], "how": {"choose": ["mean", "rank_mean"]}}},
        )  # fmt: skip
        assert [one.name for one in found[2:]] == [
            "base", "heavy", "both[how=mean]", "both[how=rank_mean]"
        ]  # fmt: skip
        assert [one.status for one in found] == ["ok"] * 6
        assert found[2].metrics != found[3].metrics
        later = run(engine, {"from": "base", "blend": {"how": "stack", "model": "Ridge()"}})
        assert later[0].status == "ok"

    def test_ids(self, engine: Engine) -> None:
        specs = [tree("p", 71), tree("q", 72), blend("a", "p", "q"), blend("b", "q", "p"),
                 blend("c", "p", "q", weights=[1, 2]), blend("d", "p"),
                 blend("e", "p", "q", how="stack", model="Ridge()")]  # fmt: skip
        first = [one.id for one in run(engine, *specs)]
        assert len(set(first)) == len(specs)
        assert [one.id for one in run(engine, *reversed(specs))] == first[::-1]

    def test_the_leaderboard_has_them(self, engine: Engine) -> None:
        found = run(
            engine, tree("p", 81), tree("q", 82), blend("lead", "p", "q"), blend("lead2", "q")
        )
        rows = {row.id: row for row in engine.leaderboard("r2", "diabetes", 1000).rows}
        row = rows[found[2].id]
        assert (row.name, row.dataset, row.target) == ("lead", "diabetes", "target")
        mean = found[2].metrics["r2"].mean
        assert row.mean == pytest.approx(mean)
        assert {found[0].id, found[3].id} <= set(rows)
        stored = engine.job_info(engine.evaluation(found[2].id).job)
        assert {one.id for one in stored.evaluations} == {one.id for one in found}

    def test_a_search_over_blends(self, engine: Engine) -> None:
        run(engine, tree("sp", 91), tree("sq", 92))
        space = {
            "name": "search",
            "blend": {"of": ["sp", "sq"], "weights": {"choose": [[1, 1], [1, 3], [3, 1]]}},
        }
        job = engine.search(
            SearchPipelines(
                pipeline=space, evaluate=EvaluateSpec(**FOLDS), strategy="grid", trials=3
            )
        )
        assert job.wait(LIMIT)
        assert [one.status for one in job.in_order()] == ["ok"] * 3

    def test_a_hold_out_is_kept_out(self, engine: Engine) -> None:
        specs = [tree("p", 1), blend("s", "p", "q", how="stack", model="Ridge()"), tree("q", 2)]
        found = run(engine, *specs, holdout=0.25)
        assert [one.status for one in found] == ["ok"] * 3

    def test_a_hold_out_confirms_means_and_stacks(self, engine: Engine) -> None:
        run(engine, tree("hp", 3), tree("hq", 4))
        mean, stack = (
            {"name": "held", "blend": {"of": ["hp", "hq"], **how}}
            for how in ({"how": "mean"}, {"how": "stack", "model": "Ridge()"})
        )
        settings = EvaluateSpec(**FOLDS, holdout=0.25)
        found = []
        for space in (mean, stack):
            job = engine.search(SearchPipelines(pipeline=space, evaluate=settings, trials=1))
            assert job.wait(LIMIT)
            found.extend(job.in_order())
        assert [one.status for one in found] == ["ok", "ok"]
        x, y = load_diabetes(return_X_y=True)
        outside, inside = (np.sort(part) for part in train_test_split(
            np.arange(len(y)), test_size=0.25, random_state=0))  # fmt: skip
        models = [plain_tree(seed).fit(x[outside], y[outside]) for seed in (3, 4)]
        wanted = r2_score(y[inside], np.mean([m.predict(x[inside]) for m in models], axis=0))
        assert found[0].holdout is not None
        assert found[0].holdout.metrics["r2"] == pytest.approx(wanted, rel=1e-9)
        # The model of the stack is fitted on out-of-fold predictions of the rows outside.
        seen = [cross_val_predict(plain_tree(k), x[outside], y[outside], cv=KFold(3))
                for k in (3, 4)]  # fmt: skip
        top = Ridge().fit(np.column_stack(seen), y[outside])
        held = np.column_stack([m.predict(x[inside]) for m in models])
        assert found[1].holdout is not None
        wanted = r2_score(y[inside], top.predict(held))
        assert found[1].holdout.metrics["r2"] == pytest.approx(wanted, rel=1e-9)

    def test_classifiers_found_again(self, engine: Engine) -> None:
        """Those that are scored by decision values, too."""
        base = {"dataset": "cancer", "target": "target"}
        models = ("LogisticRegression(C=0.01, max_iter=5000)",
                  "HistGradientBoostingClassifier(max_iter=4)")  # fmt: skip
        members = [{**base, "name": f"c{n}", "model": m} for n, m in enumerate(models)]
        scored = {"metrics": ["roc_auc"]}
        assert [one.status for one in run(engine, *members, **scored)] == ["ok", "ok"]
        blends = [blend("cm", "c0", "c1"), blend("cr", "c0", "c1", how="rank_mean"),
                  blend("cs", "c0", "c1", how="stack", model="LogisticRegression()")]  # fmt: skip
        settings = EvaluateSpec(**{**FOLDS, **scored})
        asked = EvaluatePipelines(pipelines=blends, evaluate=settings)
        text = engine.explain(asked).text
        assert "HistGradient" not in text
        assert "StandardScaler" not in text
        assert [one.status for one in run(engine, *blends, **scored)] == ["ok"] * 3
