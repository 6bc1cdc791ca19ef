"""Whatever rules are on, a batch has the same scores: rules save work and change nothing else."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.rewrite import RULES, Rule
from tests.inprocess import Engine
from tests.planner.planning_cases import CV, NUMBERS, RIDGE, flats

IMPUTED = {"columns": NUMBERS, "steps": ["SimpleImputer()"]}
SCALED = {"columns": NUMBERS, "steps": ["SimpleImputer()", "StandardScaler()"]}
# What the rules look for, and what they must leave alone.
FEATURES: list[list[dict[str, Any]]] = [
    [IMPUTED],
    [SCALED],
    [SCALED, {"columns": ["kind"], "steps": ["OneHotEncoder()"]}],
    [SCALED, {"columns": ["kind"], "steps": ["TargetEncoder(random_state=0)"]}],
    [{"columns": ["weight"], "steps": ["FunctionTransformer(sqrt)"]}],
    [{"columns": NUMBERS, "steps": ["SimpleImputer()", "PCA(n_components=2)"]}],
    [{"columns": NUMBERS, "steps": ["SimpleImputer()", "PCA(n_components=1)"]}],
    [{"columns": NUMBERS, "steps": ["SimpleImputer()", "SelectKBest(f_regression, k=1)"]}],
    [{"columns": NUMBERS, "steps": ["SimpleImputer()", "SelectKBest(f_regression, k=2)"]}],
    [SCALED, {"columns": ["note"], "steps": ["TfidfVectorizer()"]}],
    [SCALED, {"columns": ["note"], "steps": ["TfidfVectorizer(min_df=3)"]}],
    [{"columns": ["note"], "steps": ["TfidfVectorizer()", "TruncatedSVD(2, random_state=0)"]}],
]
MODELS = [
    "Ridge(alpha=0.3)", "Ridge(alpha=30)", "Lasso(alpha=0.5)", "LinearRegression()",
    "ElasticNet(alpha=0.2, l1_ratio=0.3)", "KNeighborsRegressor(n_neighbors=3)",
    "KNeighborsRegressor(n_neighbors=7, weights='distance')",
    "LGBMRegressor(n_estimators=5, min_child_samples=3, random_state=0)",
    "LGBMRegressor(n_estimators=12, min_child_samples=3, random_state=0)",
    "RandomForestRegressor(n_estimators=3, max_depth=3, random_state=0)",
    "RandomForestRegressor(n_estimators=8, max_depth=3, random_state=0)",
    "GradientBoostingRegressor(n_estimators=4, random_state=0)",
    "GradientBoostingRegressor(n_estimators=9, random_state=0)",
    "SVR()", "make_pipeline(Binarizer(threshold=1.1), SVR())",
]  # fmt: skip
# What kernels may answer, of columns of doubles.
STATISTICAL = [
    {**RIDGE, "features": [{"columns": ["area", "weight"]}], "model": model, "metrics": ["r2"]}
    for model in MODELS
    if "LGBM" in model or "Forest" in model
]
TARGETS: list[Any] = ["price", {"column": "price", "transform": "log1p"}]
# An iterative solver may stop elsewhere when its input differs in the last bits.
TOLERANCE = 1e-7

spec = st.builds(
    lambda features, model, target: {
        **RIDGE, "target": target, "features": features, "model": model,
        "metrics": ["r2", "mae"],
    },
    st.sampled_from(FEATURES),
    st.sampled_from(MODELS),
    st.sampled_from(TARGETS),
)  # fmt: skip


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(tmp_path_factory.mktemp("rules"), flats=flats())


def scores(
    engine: Engine, batch: Sequence[dict[str, Any]], rules: Sequence[Rule], **evaluate: Any
) -> list[dict[str, list[float]]]:
    answers = engine.run(*batch, rules=rules, cv=CV, **evaluate)
    assert [answer.error for answer in answers] == [None] * len(batch)
    return [answer.scores for answer in answers]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(spec, min_size=2, max_size=6), st.sets(st.sampled_from(range(len(RULES)))))
def test_any_rules_may_be_off(tables: Engine, batch: list[dict[str, Any]], off: set[int]) -> None:
    expected = scores(tables, batch, ())
    kept = tuple(rule for position, rule in enumerate(RULES) if position not in off)
    for one, other in zip(scores(tables, batch, kept), expected, strict=True):
        for metric, folds in other.items():
            np.testing.assert_allclose(one[metric], folds, rtol=TOLERANCE, atol=TOLERANCE)


def test_rules_do_not_change_what_kernels_of_trees_answer(tables: Engine) -> None:
    expected = scores(tables, STATISTICAL, (), fidelity="statistical")
    assert scores(tables, STATISTICAL, RULES, fidelity="statistical") == expected


def test_the_batches_meet_every_rule(tables: Engine) -> None:
    """The property says nothing of a rule that never fires."""
    batch = [
        {**RIDGE, "features": features, "model": model, "metrics": ["r2"]}
        for features in FEATURES
        for model in MODELS
    ]
    # One rule asks that all readers of some features are Ridge.
    batches = [batch, [{**one, "model": "Ridge(alpha=0.3)"} for one in batch]]
    met = {name for one in batches for name in tables.compile(*one, cv=CV).rules}
    met |= set(tables.compile(*STATISTICAL, cv=CV, fidelity="statistical").rules)
    assert met == {rule.name for rule in RULES}
