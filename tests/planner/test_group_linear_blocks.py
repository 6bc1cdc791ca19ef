"""Linear models behind imputers, scalers and one-hot encoders: one group over all folds, and no
score changes by it."""

from typing import Any

import numpy as np
import pytest

from planner.ops import Encode, Fit
from planner.ops_linear import LinearBlocks, LinearPath
from tests.inprocess import EXACT, Engine
from tests.planner.planning_cases import CV, NUMBERS, RIDGE, flats, ops

Spec = dict[str, Any]
DENSE = "OneHotEncoder(handle_unknown='ignore', sparse_output=False)"
IMPUTED = {"columns": NUMBERS, "steps": ["SimpleImputer()", "StandardScaler()"]}
FAMILY = [
    "LinearRegression()",
    "Ridge(alpha=0.1)",
    "Ridge(alpha=30.0)",
    "Lasso(alpha=0.5)",
    "ElasticNet(alpha=0.1, l1_ratio=0.3)",
]


def branch(columns: list[str], *steps: str) -> Spec:
    return {"columns": columns, "steps": list(steps)}


def spec(model: str, features: Any, **changes: Any) -> Spec:
    return {**RIDGE, "model": model, "features": features, "metrics": ["r2", "rmse"], **changes}


def groups(engine: Engine, features: Any, model: str = "Ridge()", **changes: Any) -> list[Any]:
    """What is fitted behind `features`, in one pipeline alone."""
    compiled = engine.compile(spec(model, features, **changes), cv=CV)
    found = ops(*compiled.outputs)
    return [op for op in found if isinstance(op, LinearBlocks | LinearPath | Fit)]


@pytest.mark.parametrize(
    "features",
    [
        [IMPUTED, branch(["owner", "kind"], DENSE)],
        [branch(["owner"], DENSE), IMPUTED, branch(["kind"], DENSE), branch(["weight"])],
        [branch(["owner", "city"], "OneHotEncoder(drop='first', handle_unknown='ignore', "
                "sparse_output=False)"), branch(["age"])],
        [branch(["kind", "city"], "OneHotEncoder(drop='if_binary', sparse_output=False)"),
         branch(["age"])],
        [branch(["city"], "SimpleImputer(strategy='constant', fill_value='none')", DENSE)],
        [branch(["rooms", "lift"], DENSE)],
        [IMPUTED, branch(["city"], "OneHotEncoder(handle_unknown='ignore')")],
        [branch(NUMBERS, "SimpleImputer(strategy='median')", "StandardScaler()")],
        [branch(NUMBERS, "SimpleImputer(strategy='most_frequent')")],
        [branch(NUMBERS, "SimpleImputer(strategy='constant', fill_value=3)", "MinMaxScaler()")],
        [branch(["rooms", "age"], "RobustScaler()"), branch(["weight"], "MaxAbsScaler()"),
         branch(["lift"])],
        [branch(NUMBERS, "SimpleImputer(strategy='median')", "RobustScaler()"),
         branch(["owner"], DENSE)],
    ],
)  # fmt: skip
@pytest.mark.parametrize("kernels", [True, False])
def test_the_family_scores_as_single_fits(engine: Engine, features: Any, kernels: bool) -> None:
    if not kernels:
        engine.backends = tuple(b for b in engine.backends if b.name != "rust")
    specs = [spec(model, features) for model in FAMILY]
    compiled = engine.compile(*specs, cv=CV)
    assert len(ops(*compiled.outputs, kind=LinearBlocks)) == 1
    assert not ops(*compiled.outputs, kind=Encode)
    found = engine.run(*specs, cv=CV)
    plain = engine.run(*specs, cv=CV, rules=())
    for one, two in zip(found, plain, strict=True):
        np.testing.assert_allclose(one["r2"], two["r2"], rtol=EXACT)
        np.testing.assert_allclose(one["rmse"], two["rmse"], rtol=EXACT)
        assert one.warnings == two.warnings


@pytest.mark.parametrize(
    "features",
    [
        # Surely or possibly sparse: an iterative solver, which stops at a tolerance.
        [branch(["owner"], "OneHotEncoder(handle_unknown='ignore')")],
        [branch(["age"]), branch(["owner"], "OneHotEncoder(handle_unknown='ignore')")],
        [branch(["age"]), branch(["kind"], "OneHotEncoder(drop='first')")],
        # Of rare categories only the training rows can tell.
        [branch(["owner"], "OneHotEncoder(min_frequency=5, sparse_output=False, "
                "handle_unknown='infrequent_if_exist')")],
        [branch(["kind"], "OneHotEncoder(categories=[['flat', 'loft']], sparse_output=False)")],
        [branch(["city"], "SimpleImputer(strategy='most_frequent')", DENSE)],
        [branch(["age"], "StandardScaler(with_std=False)"), branch(["owner"], DENSE)],
        [branch(["age"], "MinMaxScaler(feature_range=(1, 2))")],
        [branch(["age"], "MinMaxScaler(clip=True)")],
        [branch(["owner"], DENSE, "StandardScaler()")],
    ],
)  # fmt: skip
def test_other_encodings_are_left_to_their_libraries(engine: Engine, features: Any) -> None:
    assert [type(op) for op in groups(engine, features)] == [Fit]


def test_without_an_intercept_scalers_are_left_to_the_library(engine: Engine) -> None:
    bare = "Ridge(fit_intercept=False)"
    scaled = [branch(["age"], "MinMaxScaler()"), branch(["owner"], DENSE)]
    assert [type(op) for op in groups(engine, scaled, bare)] == [Fit]
    plain = [branch(["age"]), branch(["owner"], DENSE)]
    assert [type(op) for op in groups(engine, plain, bare)] == [LinearBlocks]
    specs = [spec(model, plain) for model in (bare, "Lasso(0.1, fit_intercept=False)")]
    found, wanted = engine.run(*specs, cv=CV), engine.run(*specs, cv=CV, rules=())
    for one, two in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one["r2"], two["r2"], rtol=EXACT)


def test_categories_that_only_validation_rows_have(engine: Engine) -> None:
    """They are zeros, or an error, or a warning; all as the library has it."""
    rare = flats()
    rare["owner"] = rare["owner"].where(rare["part"] > 0, "été")
    rare.loc[rare["part"] == 1, "kind"] = "castle"
    engine.add("rare", rare)
    encoders = [
        DENSE,
        "OneHotEncoder(sparse_output=False)",
        "OneHotEncoder(drop='first', handle_unknown='ignore', sparse_output=False)",
        "OneHotEncoder(drop='if_binary', handle_unknown='ignore', sparse_output=False)",
    ]
    specs = [
        spec(model, [IMPUTED, branch(["owner", "kind"], encoder)], dataset="rare")
        for encoder in encoders
        for model in ("Ridge()", "Lasso(0.1)", "LinearRegression()")
    ]
    found = engine.run(*specs, cv="PredefinedSplit('part')")
    plain = engine.run(*specs, cv="PredefinedSplit('part')", rules=())
    for one, two in zip(found, plain, strict=True):
        # Of the folds that fail, a group tells the first, and single fits here the last.
        said = [(a.error or {}).get("message", "").partition("[")[0] for a in (one, two)]
        assert said[0] == said[1]
        assert (one.error or {}).get("code") == (two.error or {}).get("code")
        if two.error is None:
            np.testing.assert_allclose(one["r2"], two["r2"], rtol=EXACT)
            # A task tells its own warnings, and one over all folds those of every fold.
            assert set(one.warnings) >= set(two.warnings)
    assert [bool(answer.error) for answer in plain] == [False] * 3 + [True] * 3 + [False] * 6
    assert any(answer.warnings for answer in plain)


def test_gaps_without_an_imputer_are_told_of(engine: Engine) -> None:
    specs = [spec("Ridge()", [branch(NUMBERS), branch(["owner"], DENSE)])]
    found, plain = engine.run(*specs, cv=CV), engine.run(*specs, cv=CV, rules=())
    assert found[0].error
    assert plain[0].error
    assert found[0].error["code"] == plain[0].error["code"]
    assert found[0].error["message"] == plain[0].error["message"]
