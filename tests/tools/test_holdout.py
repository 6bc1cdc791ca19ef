"""Confirming on a hold-out: what is counted, shown, kept and never ranked."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold, cross_val_predict, cross_val_score, train_test_split
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from executor.home import Home
from planner.errors import SpecError
from planner.spec import EvaluateSpec
from tests.executor.fault_functions import LIMIT
from tests.tools.conftest import FOLDS, run, spec
from tools.engine import Engine
from tools.jobs import Job
from tools.requests import AddDataset, ConfirmEvaluations, SearchPipelines
from tools.responses import Evaluation

X, Y = load_diabetes(return_X_y=True)
OUTSIDE, INSIDE = (np.sort(rows) for rows in train_test_split(
    np.arange(len(Y)), test_size=0.2, random_state=0))  # fmt: skip


def ridge(alpha: float) -> dict[str, object]:
    return spec(f"Ridge(alpha={alpha})", features=[{"columns": "numeric"}])


def by_folds(alpha: float) -> np.ndarray:
    return cross_val_score(Ridge(alpha), X[OUTSIDE], Y[OUTSIDE], cv=KFold(3), scoring="r2")


def on_holdout(alpha: float) -> float:
    return float(Ridge(alpha).fit(X[OUTSIDE], Y[OUTSIDE]).score(X[INSIDE], Y[INSIDE]))


def confirm(engine: Engine, *ids: str) -> list[Evaluation]:
    job = engine.confirm(ConfirmEvaluations(confirm=list(ids)))
    assert job.wait(LIMIT)
    assert job.state == "completed"
    return job.in_order()


def search(engine: Engine, alphas: str, **evaluate: object) -> Job:
    settings = EvaluateSpec.model_validate({**FOLDS, **evaluate})
    pipeline = ridge(1) | {"model": f"Ridge(alpha=choose({alphas}))"}
    request = SearchPipelines(pipeline=pipeline, evaluate=settings, strategy="grid")
    job = engine.search(request)
    assert job.wait(LIMIT)
    assert job.state == "completed"
    return job


@pytest.fixture
def fresh(workspace: Path, new_home: Callable[[], Home]) -> Home:
    """A home whose hold-outs nobody has looked at."""
    return new_home()


def opened(home: Home, workspace: Path) -> Engine:
    return Engine(home, workspace, cores=2)


def test_finalists_of_a_search_are_confirmed(fresh: Home, workspace: Path) -> None:
    alphas = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
    with opened(fresh, workspace) as engine:
        engine.datasets.add(AddDataset(path="diabetes.csv"))
        job = search(engine, ", ".join(map(str, alphas)), holdout=0.2)
        info = job.info()
    expected = {alpha: by_folds(alpha).mean() for alpha in alphas}
    ranked = sorted(alphas, key=lambda alpha: -expected[alpha])
    assert [e.metrics["r2"].mean for e in info.evaluations] == pytest.approx(
        [expected[alpha] for alpha in ranked], rel=1e-9
    )
    held = [e.holdout for e in info.evaluations]
    assert held[3:] == [None] * 3
    for alpha, found, evaluation in zip(ranked, held[:3], info.evaluations, strict=False):
        assert found is not None
        assert found.metrics == pytest.approx({"r2": on_holdout(alpha)}, rel=1e-9)
        assert found.looks == 3
        assert any("3 pipelines have been scored" in text for text in evaluation.warnings)
    assert len({found.id for found in held[:3] if found}) == 1


def test_looks_are_counted_across_restarts(fresh: Home, workspace: Path) -> None:
    with opened(fresh, workspace) as engine:
        engine.datasets.add(AddDataset(path="diabetes.csv"))
        one, two = run(engine, ridge(1), ridge(2), holdout=0.2)
        assert one.holdout is None
        (first,) = confirm(engine, one.id)
        assert first.holdout is not None
        assert (first.holdout.looks, first.warnings) == (1, [])
        assert first.metrics == one.metrics
        assert first.id == one.id
        # The same score again is no new look.
        (again,) = confirm(engine, one.name)
        assert again.holdout == first.holdout
        # Nor is another job that has the same pipeline among others.
        assert run(engine, ridge(1), holdout=0.2)[0].holdout is None
    with opened(fresh, workspace) as engine:
        (second,) = confirm(engine, two.id)
        assert second.holdout is not None
        assert second.holdout.looks == 2
        assert second.holdout.id == first.holdout.id
        assert any("Each look weakens it" in text for text in second.warnings)
        # Another hold-out has looks of its own, and says that its rows have been in folds.
        other = run(engine, ridge(1), holdout={"fraction": 0.2, "seed": 7})[0]
        (found,) = confirm(engine, other.id)
        assert found.holdout is not None
        assert found.holdout.looks == 1
        assert found.holdout.id != first.holdout.id
        assert any("had rows of this hold-out in their folds" in text for text in found.warnings)
        # What was found is found again, also of a job of the server before.
        stored = engine.job_info(engine.catalog.list_jobs(50)[-2].id).evaluations
        assert [e.holdout for e in stored] == [first.holdout]


def test_the_leaderboard_never_sees_the_hold_out(fresh: Home, workspace: Path) -> None:
    with opened(fresh, workspace) as engine:
        engine.datasets.add(AddDataset(path="diabetes.csv"))
        job = search(engine, "0.1, 1.0, 10.0", holdout=0.2)
        before = engine.leaderboard("r2")
        assert [row.mean for row in before.rows] == pytest.approx(
            sorted((by_folds(a).mean() for a in (0.1, 1.0, 10.0)), reverse=True), rel=1e-9
        )
        assert before.note == ""
        confirm(engine, *(e.id for e in job.in_order()))
        after = engine.leaderboard("r2")
        assert [(row.id, row.mean) for row in after.rows] == [
            (row.id, row.mean) for row in before.rows
        ]
        # Scores by all rows are of other settings.
        run(engine, ridge(1))
        assert "2 different settings" in engine.leaderboard("r2").note


def test_a_blend_is_confirmed_with_its_members(engine: Engine) -> None:
    blend = {"name": "both", "blend": {"of": ["one", "two"], "weights": [3, 1]}}
    members = [ridge(0.5) | {"name": "one"}, spec("DecisionTreeRegressor(max_depth=3)",
               features=[{"columns": "numeric"}], name="two")]  # fmt: skip
    evaluations = run(engine, *members, blend, holdout=0.2)
    assert [e.status for e in evaluations] == ["ok"] * 3
    (found,) = confirm(engine, evaluations[2].id)
    fitted = [Ridge(0.5), DecisionTreeRegressor(max_depth=3, random_state=0)]
    predicted = [model.fit(X[OUTSIDE], Y[OUTSIDE]).predict(X[INSIDE]) for model in fitted]
    expected = r2_score(Y[INSIDE], np.average(predicted, axis=0, weights=[3, 1]))
    assert found.holdout is not None
    assert found.holdout.metrics == pytest.approx({"r2": expected}, rel=1e-9)
    assert found.metrics == evaluations[2].metrics


def stacked(members: list[Any], top: Any, x: np.ndarray, y: np.ndarray, seed: int) -> float:
    """By hand: the model on top is fitted on out-of-fold predictions of the rows outside, and
    asked about what the members, fitted on all of these, predict inside."""
    method = "predict_proba" if y.dtype.kind in "OU" else "predict"
    stratify = y if method == "predict_proba" else None
    outside, inside = (np.sort(rows) for rows in train_test_split(
        np.arange(len(y)), test_size=0.2, random_state=seed, stratify=stratify))  # fmt: skip
    columns, held = [], []
    for member in members:
        columns.append(
            cross_val_predict(member, x[outside], y[outside], cv=KFold(3), method=method)
        )
        held.append(getattr(clone(member).fit(x[outside], y[outside]), method)(x[inside]))
    top.fit(np.column_stack(columns), y[outside])
    return float(top.score(np.column_stack(held), y[inside]))


TREE = "DecisionTreeRegressor(max_depth=3)"


@pytest.mark.parametrize("nested", [False, True])
def test_a_stack_is_confirmed_with_its_members(engine: Engine, nested: bool) -> None:
    members = [ridge(0.5) | {"name": "one"},
               spec(TREE, features=[{"columns": "numeric"}], name="two")]  # fmt: skip
    top = "make_pipeline(StandardScaler(), Ridge(alpha=2.0))"
    stack = {"name": "s", "blend": {"of": ["one", "two"], "how": "stack", "model": top}}
    mean = {"name": "m", "blend": {"of": ["s", "one"]}}
    evaluations = run(engine, *members, stack, *([mean] if nested else []), holdout=0.2)
    assert {e.status for e in evaluations} == {"ok"}
    (found,) = confirm(engine, evaluations[-1].id)
    assert found.holdout is not None, found.warnings
    plain = [Ridge(0.5), DecisionTreeRegressor(max_depth=3, random_state=0)]
    model = make_pipeline(StandardScaler(), Ridge(2.0))
    expected = stacked(plain, model, X, Y, 0)
    if nested:
        held = np.column_stack(
            [one.fit(X[OUTSIDE], Y[OUTSIDE]).predict(X[INSIDE]) for one in plain]
        )
        both = np.mean([model.predict(held), held[:, 0]], axis=0)
        expected = r2_score(Y[INSIDE], both)
    assert found.holdout.metrics == pytest.approx({"r2": expected}, rel=1e-9)
    assert found.metrics == evaluations[-1].metrics


def test_a_stack_of_classifiers_is_confirmed(engine: Engine) -> None:
    derive = {"y": "CASE WHEN target < 90 THEN 'low' WHEN target < 200 THEN 'mid' ELSE 'top' END"}
    names = ["bmi", "bp", "s5"]
    base = {"dataset": "diabetes", "target": "y", "prepare": [{"derive": derive}],
            "features": [{"columns": names}]}  # fmt: skip
    models = ["DecisionTreeClassifier(max_depth=2)", "GaussianNB()"]
    members = [{**base, "name": f"c{k}", "model": model} for k, model in enumerate(models)]
    stack = {"blend": {"of": ["c0", "c1"], "how": "stack", "model": "DecisionTreeClassifier()"}}
    evaluations = run(engine, *members, stack, holdout=0.2, metrics=["accuracy"], cv="KFold(3)")
    assert {e.status for e in evaluations} == {"ok"}, evaluations[-1].error
    (found,) = confirm(engine, evaluations[-1].id)
    assert found.holdout is not None, found.warnings
    labels = np.where(Y < 90, "low", np.where(Y < 200, "mid", "top")).astype(object)
    columns = [load_diabetes().feature_names.index(name) for name in names]
    plain = [DecisionTreeClassifier(max_depth=2, random_state=0), GaussianNB()]
    expected = stacked(plain, DecisionTreeClassifier(random_state=0), X[:, columns], labels, 0)
    assert found.holdout.metrics == pytest.approx({"accuracy": expected}, rel=1e-12)


def test_a_look_that_fails_leaves_the_folds_as_they_are(engine: Engine) -> None:
    """A class that only the hold-out has gives no log loss there."""
    row = X[INSIDE[0]]
    rare = " AND ".join(f"abs(s{n} - ({row[n + 3]})) < 1e-9" for n in (1, 2, 3))
    pipeline = {
        "dataset": "diabetes",
        "target": "y",
        "prepare": [{"derive": {"y": f"CASE WHEN {rare} THEN 'c' WHEN age > 0 THEN 'a' "
                                     "ELSE 'b' END"}}],
        "features": [{"columns": ["bmi", "bp"]}],
        "model": "LogisticRegression()",
    }  # fmt: skip
    kept = {"fraction": 0.2, "stratify": False}
    (folds,) = run(engine, pipeline, holdout=kept, metrics=["logloss"], cv="KFold(3)")
    assert folds.status == "ok", folds.error
    (found,) = confirm(engine, folds.id)
    assert (found.status, found.metrics, found.holdout) == ("ok", folds.metrics, None)
    assert any("It has no score on the hold-out: [" in text for text in found.warnings)


@pytest.mark.parametrize(
    ("ids", "code", "path"),
    [
        (["ev_none"], "unknown_evaluation", "confirm[0]"),
        (["plain"], "no_holdout", "confirm[0]"),
        (["bad"], "not_scored", "confirm[0]"),
        (["kept", "other"], "mixed_settings", "confirm[1]"),
    ],
)
def test_what_cannot_be_confirmed(engine: Engine, ids: list[str], code: str, path: str) -> None:
    run(engine, ridge(1) | {"name": "plain"})
    run(engine, ridge(1) | {"name": "kept"}, holdout=0.2)
    run(engine, ridge(1) | {"name": "other"}, holdout=0.3)
    bad = spec("KNeighborsRegressor(n_neighbors=5000)", features=[{"columns": "numeric"}])
    run(engine, bad | {"name": "bad"}, holdout=0.2)
    with pytest.raises(SpecError) as caught:
        engine.confirm(ConfirmEvaluations(confirm=ids))
    assert (caught.value.code, caught.value.path) == (code, path)
    assert caught.value.hint
