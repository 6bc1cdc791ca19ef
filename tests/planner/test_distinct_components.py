"""Where decompositions read distinct rows only, and that no score changes by it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from planner.ops_distinct import DistinctComponents
from planner.rewrite import RULES
from tests.inprocess import Engine
from tests.planner.planning_cases import CV, ops

Spec = dict[str, Any]
RULE = tuple(rule for rule in RULES if rule.name == "distinct_components")
STEPS = [
    "TfidfVectorizer(analyzer='char_wb', ngram_range=(2, 3))",
    "TruncatedSVD(n_components=8, random_state=0)",
]


def houses(rows: int = 1200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abcdefgho"), 5)) for _ in range(70)]
    names = np.array([" ".join(rng.choice(words, 3)) for _ in range(150)])
    codes = rng.integers(0, 150, rows)
    worth = rng.normal(size=150)
    return pd.DataFrame(
        {
            "name": names[codes],
            "size": rng.gamma(5, 10, rows),
            "price": worth[codes] + rng.normal(size=rows),
            "dear": np.where(worth[codes] > 0, "yes", "no"),
        }
    )


def spec(model: str, *, steps: list[str] = STEPS, **changes: Any) -> Spec:
    features = [{"columns": "name", "steps": steps}, {"columns": ["size"]}]
    return {"dataset": "houses", "target": "price", "metrics": ["r2"], "features": features,
            "model": model, **changes}  # fmt: skip


@pytest.fixture
def houses_engine(engine: Engine) -> Engine:
    engine.add("houses", houses())
    return engine


def served(engine: Engine, *specs: Spec) -> int:
    return len(ops(*engine.compile(*specs, cv=CV, rules=RULE).outputs, kind=DistinctComponents))


@pytest.mark.parametrize(
    "models",
    [
        ["Ridge()"],
        ["Ridge(0.01, solver='cholesky')", "make_pipeline(StandardScaler(), Ridge(10))"],
    ],
)
def test_scores_of_ridge(houses_engine: Engine, models: list[str]) -> None:
    specs = [spec(model) for model in models]
    assert served(houses_engine, *specs) == 1
    together = houses_engine.run(*specs, cv=CV)
    for ours, theirs in zip(together, houses_engine.run(*specs, cv=CV, rules=()), strict=True):
        assert ours.error is None
        assert theirs.error is None
        np.testing.assert_allclose(ours["r2"], theirs["r2"], rtol=1e-9)


@pytest.mark.parametrize(
    "other",
    [
        spec("DecisionTreeRegressor(max_depth=3)"),
        spec("KNeighborsRegressor()"),
        spec("Lasso(0.1)"),
        spec("make_pipeline(StandardScaler(), DecisionTreeRegressor(max_depth=3))"),
        spec("make_pipeline(KBinsDiscretizer(), Ridge())"),
        spec("RidgeClassifier()", target="dear", metrics=["accuracy"]),
    ],
)
def test_what_compares_keeps_the_library_s_features(houses_engine: Engine, other: Spec) -> None:
    assert served(houses_engine, other) == 0
    assert served(houses_engine, spec("Ridge()"), other) == 0


@pytest.mark.parametrize(
    ("model", "last"),
    [
        ("Ridge(0)", STEPS[1]),
        ("Ridge(solver='saga')", STEPS[1]),
        ("Ridge(positive=True)", STEPS[1]),
        ("Ridge()", "TruncatedSVD(n_components=8, algorithm='arpack')"),
        ("Ridge()", "PCA(n_components=8)"),
    ],
)
def test_other_solvers_are_the_library_s(houses_engine: Engine, model: str, last: str) -> None:
    assert served(houses_engine, spec(model, steps=[STEPS[0], last])) == 0


def test_failures_are_told_as_ever(houses_engine: Engine) -> None:
    specs = [spec("Ridge()", steps=[STEPS[0], f"TruncatedSVD(n_components={k})"])
             for k in (8, 5000)]  # fmt: skip
    together = houses_engine.run(*specs, cv=CV)
    apart = houses_engine.run(*specs, cv=CV, rules=())
    assert [a.error for a in together] == [a.error for a in apart]
    assert together[1].error is not None
