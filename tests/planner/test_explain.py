"""Plans as text: for agents, and as snapshots of what the planner makes of typical batches."""

import json
from typing import Any

import pytest

from planner.explain import MAX_LINES, graph_json, plan_text
from planner.ops import Encode, Fit
from tests.inprocess import Engine
from tests.planner.planning_cases import CV, NUMBERS, RIDGE, ops
from tests.planner.snapshot import check, graph_text, tasks_text, without_seconds

Spec = dict[str, Any]

SCALED: Spec = {"columns": NUMBERS, "steps": ["SimpleImputer()", "StandardScaler()"]}
CITY: Spec = {"columns": ["city"], "steps": ["OneHotEncoder(handle_unknown='ignore')"]}
TEXT: Spec = {"columns": "note", "steps": ["TfidfVectorizer()", "TruncatedSVD(3)"]}


def spec(**changes: Any) -> Spec:
    return {**RIDGE, "metrics": ["r2"], **changes}


BATCHES: dict[str, list[Spec]] = {
    "one_ridge": [spec()],
    "ridge_alphas_over_all_folds": [
        spec(features=[SCALED], model=f"Ridge(alpha={alpha})") for alpha in (0.1, 1, 10)
    ],
    "shared_encoders": [
        spec(features=[SCALED, CITY], model="SVR()"),
        spec(features=[SCALED, CITY], model="RandomForestRegressor(n_estimators=5)"),
        spec(features=[SCALED], model="SVR()"),
    ],
    "text_and_alphas": [
        spec(features=[TEXT, CITY], model=f"Ridge(alpha={alpha})") for alpha in (1, 2)
    ],
    "prepared_tables": [
        spec(prepare=[{"derive": {"month": "month(sold_at)"}}],
             features=[{"columns": ["rooms", "month"]}], model="SVR()"),
        spec(prepare=[{"derive": {"unused": "age + 1"}}], model="SVR()"),
        spec(prepare=[{"filter": "age > 5"}], model="SVR()"),
    ],
    "metrics_and_seeds": [
        spec(target="dear", model="RandomForestClassifier(n_estimators=3)", seeds=[0, 1],
             metrics=["roc_auc", "accuracy", "logloss"]),
    ],
    "targets": [
        spec(target={"column": "price", "transform": "log1p"}, features=[CITY], model="SVR()"),
        spec(target={"column": "price", "transform": "StandardScaler()"}, model="SVR()",
             features=[{"columns": ["owner"], "steps": ["TargetEncoder()"]}]),
    ],
    "hoisted": [
        spec(features=[{"columns": ["weight"], "steps": ["FunctionTransformer(sqrt)"]}],
             model="make_pipeline(Normalizer(), SVR())"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", BATCHES)
def test_plans_are_as_stored(engine: Engine, name: str) -> None:
    compiled = engine.compile(*BATCHES[name], cv="KFold(2)")
    names = [f"p{position}" for position in range(len(BATCHES[name]))]
    parts = [plan_text(compiled, names), graph_text(compiled), tasks_text(compiled)]
    check(name, without_seconds("\n\n".join(parts)))


def test_the_text_counts_what_is_shared(engine: Engine) -> None:
    specs = [spec(features=[SCALED, CITY], model=f"SVR(C={a})") for a in (1, 2, 3, 4)]
    compiled = engine.compile(*specs, cv=CV)
    text = plan_text(compiled, ["a", "b", "c", "d"])
    alone = engine.compile(specs[0], cv=CV)
    assert compiled.asked == 4 * alone.asked
    assert compiled.merged < compiled.asked
    assert text.splitlines()[0].startswith(
        f"4 pipelines: {compiled.asked} nodes if each ran alone, {compiled.merged} after merging"
    )
    assert "for 4 pipelines" in text
    assert "for a\n" in text + "\n"


def test_a_long_plan_is_cut(engine: Engine) -> None:
    specs = [spec(model=f"SVR(C={alpha})") for alpha in range(1, MAX_LINES + 20)]
    compiled = engine.compile(*specs, cv=CV)
    lines = plan_text(compiled, [f"p{i}" for i in range(len(specs))]).splitlines()
    assert len(lines) == MAX_LINES + 2
    assert lines[-1].startswith("... and ")


def test_known_scores_and_rules_are_mentioned(engine: Engine) -> None:
    built = engine.build(spec(), cv=CV)
    known = [node.key for nodes in built.scores.values() for node in nodes]
    compiled = engine.compile(spec(), spec(model="Ridge(2)"), cv=CV, known=known)
    text = plan_text(compiled, ["a", "b"])
    assert "Known already, at no cost: 1 score." in text
    assert "rule group_linear: 1 node replaced" in text


def test_everything_known_needs_no_task(engine: Engine) -> None:
    built = engine.build(spec(), cv=CV)
    known = [node.key for nodes in built.scores.values() for node in nodes]
    compiled = engine.compile(spec(), spec(), cv=CV, known=known)
    assert compiled.plan.tasks == ()
    assert compiled.known == 2
    assert plan_text(compiled, ["a", "b"]).startswith("2 pipelines")


def test_the_graph_as_json(engine: Engine) -> None:
    compiled = engine.compile(*BATCHES["shared_encoders"], cv=CV)
    graph = json.loads(json.dumps(graph_json(compiled)))
    ids = [node["id"] for node in graph["nodes"]]
    assert len(set(ids)) == len(ids) == compiled.rewritten
    edges = graph["edges"]
    assert all(source in ids and target in ids for source, target in edges)
    for node in graph["nodes"]:
        assert node["consumers"] == sum(source == node["id"] for source, _ in edges)
    shared = next(node for node in graph["nodes"] if "OneHotEncoder" in node["label"])
    assert shared["consumers"] == 2


def test_labels_are_short(engine: Engine) -> None:
    long = spec(features=[{"columns": "all", "steps": []}], model="DecisionTreeRegressor()")
    for op in ops(*engine.compile(long, cv=CV).outputs):
        assert len(op.label) < 100
    assert Encode(_call("PCA()"), False).label == "PCA()"
    assert Fit(_call("Ridge(alpha=2)"), "regression").label == "Ridge(alpha=2.0)"


def _call(text: str) -> Any:
    from planner import expressions
    from tests.inprocess import operators

    return expressions.parse(text, operators())
