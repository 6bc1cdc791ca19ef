"""The rules: graphs before and after, and that scores stay the same with any of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.graph import Graph, Node, walk
from planner.ops import Apply, Concat, Encode, Predict
from planner.rewrite import RULES, Rule, rewrite
from tests.inprocess import EXACT, Engine
from tests.planner.planning_cases import CV, NUMBERS, RIDGE, nodes, ops

Spec = dict[str, Any]
HOIST = tuple(rule for rule in RULES if rule.name == "hoist_row_wise")


def row_wise(features: list[Any], step: str, **changes: Any) -> Spec:
    model = f"make_pipeline({step}, LinearRegression())"
    return {**RIDGE, "metrics": ["r2"], "features": features, "model": model, **changes}


# Two branches: the builder leaves a concatenation in front of the model's own steps.
DOUBLES = [{"columns": ["area"], "steps": ["SimpleImputer()"]}, {"columns": ["weight"]}]


def test_without_rules_nothing_changes(engine: Engine) -> None:
    outputs = [node for group in engine.build(RIDGE, cv=CV).scores.values() for node in group]
    found = rewrite(engine.graph, outputs, ())
    assert (found.outputs, found.applied, found.origins) == (outputs, {}, {})


def test_hoisting_moves_row_wise_work_above_the_folds(engine: Engine) -> None:
    prepare = [{"fill": {"area": 60.0}}]
    # A concatenation around whole columns, and a row-wise step behind it.
    features = [{"columns": ["area", "weight"], "steps": ["FunctionTransformer(sqrt)"]}]
    spec = row_wise(features, "Normalizer()", prepare=prepare)
    before = engine.build(spec, cv=CV)
    outputs = before.scores["r2"]
    after = rewrite(engine.graph, outputs, HOIST)
    assert [e.op.transformer.name for e in nodes(before, Encode)] == ["Normalizer"]
    assert ops(*after.outputs, kind=Encode) == []
    assert [op.transformer.name for op in ops(*after.outputs, kind=Apply)] == [
        "FunctionTransformer",
        "Normalizer",
    ]
    assert after.applied == {"hoist_row_wise": 1}
    plain, hoisted = (engine.run(spec, cv=CV, rules=rules)[0]["r2"] for rules in ((), HOIST))
    np.testing.assert_allclose(hoisted, plain, rtol=EXACT)


@pytest.mark.parametrize(
    ("features", "prepare"),
    [
        ([{"columns": ["lift", "age"], "steps": ["FunctionTransformer(sqrt)"]}], []),
        ([{"columns": ["note"], "steps": ["HashingVectorizer(n_features=8)"]}], []),
        (DOUBLES, []),
    ],
)
def test_hoisting_leaves_alone_what_depends_on_the_concatenation(
    engine: Engine, features: list[Any], prepare: list[Any]
) -> None:
    """Columns of several types get one dtype there; a hashed text may become dense."""
    spec = row_wise(features, "Normalizer()", prepare=prepare)
    outputs = engine.build(spec, cv=CV).scores["r2"]
    assert rewrite(engine.graph, outputs, HOIST).applied == {}


def test_origins_lead_back_through_all_rules(engine: Engine) -> None:
    """A node rebuilt on a rewritten input stands for the node that it was."""
    prepare = [{"fill": {"area": 60.0}}]
    features = [{"columns": ["area", "weight"], "steps": ["FunctionTransformer(sqrt)"]}]
    model = "make_pipeline(Normalizer(), PCA(1), Ridge())"
    spec = {**RIDGE, "prepare": prepare, "features": features, "model": model, "metrics": ["r2"]}
    built = engine.build(spec, cv=CV)
    before = {node.key: node for node in walk(built.scores["r2"])}
    found = rewrite(engine.graph, built.scores["r2"])
    made = {n.key: n for n in walk(found.outputs) if n.key not in before}
    assert made
    for key, node in made.items():
        old = before[found.origins[key]]
        if isinstance(node.op, Apply | Concat):
            assert isinstance(old.op, Encode)
            assert old.op.transformer.name == "Normalizer"
        else:
            assert old.op == node.op


def test_a_rule_that_changes_what_an_output_is_is_caught(engine: Engine) -> None:
    outputs = engine.build(RIDGE, cv=CV).scores["r2"]

    def broken(graph: Graph, current: Sequence[Node]) -> dict[str, Node]:
        return {current[0].key: current[0].inputs[0]}

    with pytest.raises(AssertionError, match="broken"):
        rewrite(engine.graph, outputs, [Rule("broken", broken)])


def test_rules_see_what_earlier_rules_made(engine: Engine) -> None:
    """The group over all folds asks for whole columns: hoisting must come first."""
    names = [rule.name for rule in RULES]
    assert names.index("hoist_row_wise") < names.index("group_linear")
    seen: list[list[str]] = []

    def look(graph: Graph, current: Sequence[Node]) -> dict[str, Node]:
        seen.append([type(node.op).__name__ for node in walk(current)])
        return {}

    outputs = engine.build(RIDGE, cv=CV).scores["r2"]
    rewrite(engine.graph, outputs, [*RULES, Rule("look", look)])
    assert "LinearFolds" in seen[0]
    assert "Fit" not in seen[0]


# -- no rule changes a score ------------------------------------------------------------------

_BRANCHES = st.sampled_from(
    [
        {"columns": ["rooms", "age"]},
        {"columns": NUMBERS, "steps": ["SimpleImputer()"]},
        {"columns": NUMBERS, "steps": ["SimpleImputer()", "StandardScaler()"]},
        {"columns": ["age", "weight"], "steps": ["StandardScaler()"]},
        {"columns": ["age", "weight"], "steps": ["FunctionTransformer(log1p)", "Normalizer()"]},
        {"columns": ["lift", "rooms"], "steps": ["make_union(FunctionTransformer(square))"]},
        {"columns": ["city"], "steps": ["OneHotEncoder(handle_unknown='ignore')"]},
        {"columns": ["owner"], "steps": ["TargetEncoder()"]},
        {"columns": "note", "steps": ["HashingVectorizer(n_features=8)", "Normalizer()"]},
    ]
)
_FRONTS = st.sampled_from(["", "Normalizer(), ", "Binarizer(), StandardScaler(), "])
_MODELS = st.sampled_from(
    ["Ridge(alpha=0.01)", "Ridge(alpha=1)", "Ridge(alpha=30)", "Ridge(fit_intercept=False)",
     "Ridge(alpha=2, solver='svd')", "LinearRegression()", "DecisionTreeRegressor(max_depth=3)"]
)  # fmt: skip
_TARGETS = st.sampled_from(
    ["price", {"column": "price", "transform": "log1p"},
     {"column": "price", "transform": "StandardScaler()"}, "weight"]
)  # fmt: skip
_PREPARE = st.sampled_from(
    [
        [],
        [{"derive": {"age": "age + 1.0"}}],
        [{"filter": "age > 2"}],
        [{"filter": "age > 2", "only": "train"}],
        [{"fill": {"area": 50.0}}],
    ]
)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    target = draw(_TARGETS)
    branches = draw(st.lists(_BRANCHES, min_size=1, max_size=2))
    if target == "weight":
        branches = [b for b in branches if "weight" not in b["columns"]] or [{"columns": ["age"]}]
    front, model = draw(_FRONTS), draw(_MODELS)
    return {
        "dataset": "flats",
        "target": target,
        "prepare": draw(_PREPARE),
        "features": branches,
        "model": f"make_pipeline({front}{model})" if front else model,
        "metrics": draw(st.sampled_from([["r2"], ["rmse", "r2"]])),
    }


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    batch=st.lists(specs(), min_size=1, max_size=4),
    rules=st.sets(st.sampled_from(RULES), min_size=1),
    cv=st.sampled_from([CV, "TimeSeriesSplit(3)", "ShuffleSplit(2, test_size=0.4)"]),
)
def test_any_rules_give_the_same_scores(
    engine: Engine, batch: list[Spec], rules: set[Rule], cv: str
) -> None:
    chosen = [rule for rule in RULES if rule in rules]
    plain = engine.run(*batch, cv=cv, rules=())
    found = engine.run(*batch, cv=cv, rules=chosen)
    for one, two in zip(plain, found, strict=True):
        assert (one.error and one.error["code"]) == (two.error and two.error["code"])
        assert one.scores.keys() == two.scores.keys()
        for metric, values in one.scores.items():
            np.testing.assert_allclose(two[metric], values, rtol=EXACT, atol=1e-12)


def test_no_rule_touches_predictions_of_classifiers(engine: Engine) -> None:
    spec = {**RIDGE, "target": "dear", "model": "RidgeClassifier()", "metrics": ["roc_auc"]}
    outputs = engine.build(spec, cv=CV).scores["roc_auc"]
    assert rewrite(engine.graph, outputs).outputs == list(outputs)
    assert len(ops(*outputs, kind=Predict)) == 1
