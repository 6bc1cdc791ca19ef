"""Linear models behind PCAs of several sizes, and that no score changes by their group."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from planner.ops import Fit, Member
from planner.ops_components import ComponentFolds, ComponentPath
from planner.ops_encodings import Decomposition
from planner.rewrite import RULES
from tests.inprocess import EXACT, Engine
from tests.planner.planning_cases import CV, RIDGE, ops

Spec = dict[str, Any]
NUMBERS = ["rooms", "age", "part", "weight"]
COMPONENTS = tuple(
    rule for rule in RULES if rule.name in ("group_decompositions", "group_components")
)


def linear(size: Any, model: str = "Ridge(1)", **changes: Any) -> Spec:
    features = [{"columns": NUMBERS, "steps": ["StandardScaler()", f"PCA({size})"]}]
    return {**RIDGE, "model": model, "features": features, "metrics": ["r2", "mae"], **changes}


def groups(engine: Engine, *specs: Spec) -> list[str]:
    """Fits and groups after the rules."""
    outputs = engine.compile(*specs, cv=CV, rules=COMPONENTS).outputs
    return [
        op.label for op in ops(*outputs) if isinstance(op, Fit | ComponentFolds | ComponentPath)
    ]


def close(engine: Engine, *specs: Spec, cv: Any = CV) -> None:
    """Scores are those of single fits, and errors are the same."""
    together = engine.run(*specs, cv=cv, rules=COMPONENTS)
    alone = engine.run(*specs, cv=cv, rules=())
    for found, wanted in zip(together, alone, strict=True):
        assert found.error == wanted.error
        for metric, values in wanted.scores.items():
            np.testing.assert_allclose(found[metric], values, rtol=EXACT)


def test_sizes_and_penalties_are_one_group(engine: Engine) -> None:
    specs = [linear(3), linear(1, "Ridge(0.1)"), linear(2, "LinearRegression()"), linear(1)]
    compiled = engine.compile(*specs, cv=CV, rules=())
    assert len(ops(*compiled.outputs, kind=Fit)) == 4
    assert groups(engine, *specs) == [
        "scale, 4 linear models on n_components=1, 2, 3 of one PCA over all folds from shared "
        "moments"
    ]
    compiled = engine.compile(*specs, cv=CV, rules=COMPONENTS)
    assert len(ops(*compiled.outputs, kind=Member)) == 4
    close(engine, *specs)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "Ridge(1, fit_intercept=False)"},
        {"model": "Ridge(1, solver='svd')"},
        {"model": "Ridge(1, positive=True)"},
        {"model": "Ridge(0)"},
        {"model": "LinearRegression(positive=True)"},
        {"model": "Lasso()"},
        {"model": "KNeighborsRegressor(3)"},
        {"model": "make_pipeline(StandardScaler(), Ridge(1))"},
        {"sample_weight": "weight"},
        {"target": {"column": "price", "transform": "StandardScaler()"}},
        {"features": [{"columns": ["age"]}, {"columns": NUMBERS, "steps": ["PCA(3)"]}]},
        {"features": [{"columns": NUMBERS, "steps": ["StandardScaler()", "PCA('mle')"]}]},
        {"features": [{"columns": NUMBERS, "steps": ["PCA(3, svd_solver='arpack')"]}]},
    ],
)
def test_what_is_not_least_squares_on_components_stays_a_fit(engine: Engine, change: Spec) -> None:
    specs = [linear(2), {**linear(3), **change}]
    outputs = engine.compile(*specs, cv=CV, rules=COMPONENTS).outputs
    assert len(ops(*outputs, kind=Fit)) == 1
    close(engine, *specs)


@pytest.mark.parametrize(
    "change",
    [
        {"features": [{"columns": NUMBERS, "steps": ["PCA(3)"]}]},
        {"features": [{"columns": NUMBERS, "steps": ["SimpleImputer()", "PCA(3)"]}]},
        {"features": [{"columns": NUMBERS, "steps": ["StandardScaler()", "PCA(3, whiten=True)"]}]},
    ],
)
def test_other_rows_or_components_are_a_group_of_their_own(engine: Engine, change: Spec) -> None:
    specs = [linear(2), {**linear(3), **change}]
    assert len(groups(engine, *specs)) == 2
    close(engine, *specs)


def test_shares_of_the_variance_and_all_components_are_members(engine: Engine) -> None:
    specs = [linear("0.9"), linear("0.3"), linear(2), linear(""), linear("None", "Ridge(3)")]
    assert len(groups(engine, *specs)) == 1
    close(engine, *specs)


def test_of_encoded_columns_there_is_a_group_per_fold_for_several_sizes(engine: Engine) -> None:
    encoded = [{"columns": NUMBERS, "steps": ["PolynomialFeatures(2)", "StandardScaler()"]}]
    specs = [linear(2, f"make_pipeline(PCA({size}), {model})", features=encoded)
             for size in (2, 5) for model in ("Ridge(1)", "Ridge(9)")]  # fmt: skip
    outputs = engine.compile(*specs, cv=CV, rules=COMPONENTS).outputs
    assert len(ops(*outputs, kind=ComponentPath)) == 1
    assert not ops(*outputs, kind=Fit)
    close(engine, *specs)
    of_one_size = specs[:2]
    assert not ops(*engine.compile(*of_one_size, cv=CV).outputs, kind=ComponentPath)
    close(engine, *of_one_size)


def test_trees_on_the_same_components_have_the_library_s(engine: Engine) -> None:
    tree = "DecisionTreeRegressor(max_depth=3, random_state=0)"
    specs = [linear(size, model) for size in (1, 2, 3) for model in (tree, "Ridge(1)")]
    outputs = engine.compile(*specs, cv=CV).outputs
    assert len(ops(*outputs, kind=Decomposition)) == 1
    assert [op.sizes for op in ops(*outputs, kind=Decomposition)] == [(1, 2, 3)]
    assert len(ops(*outputs, kind=ComponentFolds)) == 1
    close(engine, *specs)


@pytest.mark.parametrize("more", ["", ", whiten=True", ", svd_solver='full'"])
@pytest.mark.parametrize("target", ["price", {"column": "price", "transform": "log1p"}])
@pytest.mark.parametrize("cv", [CV, "ShuffleSplit(2, test_size=0.4)", "TimeSeriesSplit(3)"])
def test_scores_are_those_of_single_fits(engine: Engine, more: str, target: Any, cv: str) -> None:
    specs = [
        linear(f"{size}{more}", model, target=target)
        for size in (1, 2, 4)
        for model in ("Ridge(0.001)", "Ridge(50)", "LinearRegression()")
    ]
    close(engine, *specs, cv=cv)


def test_components_without_variance_are_left_to_the_library(engine: Engine) -> None:
    """Equal columns, and one that is constant: the last components are nothing but rounding."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 3)), columns=["a", "b", "c"])
    frame["price"] = frame.sum(axis=1) + 1e3
    engine.add("flat", frame.assign(b=frame["a"], d=4.0, e=frame["a"] + 1e-9 * frame["c"]))
    features = [{"columns": ["a", "b", "c", "d", "e"]}]
    for more in ("", ", whiten=True", ", svd_solver='full'"):
        specs = [
            linear(
                2, f"make_pipeline(PCA({size}{more}), {model})", features=features, dataset="flat"
            )
            for size in (1, 2, 3, 5)
            for model in ("Ridge(1e-6)", "Ridge(1)", "LinearRegression()")
        ]
        close(engine, *specs)


def test_far_from_the_origin(engine: Engine) -> None:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(rng.normal(size=(90, 4)) * [1, 2, 3, 4] + 1e5, columns=list("abcd"))
    frame["price"] = frame["a"] - frame["d"] + rng.normal(size=90)
    engine.add("far", frame)
    features = [{"columns": list("abcd")}]
    specs = [linear(2, f"make_pipeline(PCA({size}), Ridge(1))", features=features, dataset="far")
             for size in (1, 2, 4)]  # fmt: skip
    close(engine, *specs)


def test_single_precision_is_left_to_the_library(engine: Engine) -> None:
    frame = pd.DataFrame(np.random.default_rng(2).normal(size=(80, 4)), columns=list("abcd"))
    frame["price"] = frame["a"] + frame["b"]
    engine.add("single", frame.astype(dict.fromkeys("abcd", "float32")))
    features = [{"columns": list("abcd")}]
    specs = [linear(2, f"make_pipeline(PCA({size}), Ridge(1))", features=features, dataset="single")
             for size in (1, 2, 4)]  # fmt: skip
    close(engine, *specs)


def test_randomised_sizes_are_left_to_the_library(engine: Engine) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(600, 60))).rename(columns=lambda place: f"x{place}")
    frame["price"] = frame["x0"] + rng.normal(size=600)
    engine.add("wide", frame)
    specs = [linear(2, f"make_pipeline(PCA({size}), Ridge(1))", features=None, dataset="wide")
             for size in (5, 50, 60)]  # fmt: skip
    close(engine, *specs)


def test_too_many_components_fail_alone_and_at_their_step(engine: Engine) -> None:
    specs = [linear(2), linear(5), linear(3)]
    together = engine.run(*specs, cv=CV)
    assert [answer.error is None for answer in together] == [True, False, True]
    close(engine, *specs)
    # Hidden behind other transformers, the number of columns is not known before.
    specs = [linear(2, f"make_pipeline(PolynomialFeatures(), PCA({size}), Ridge(1))",
                    features=[{"columns": NUMBERS}]) for size in (2, 40, 3)]  # fmt: skip
    close(engine, *specs)


def test_a_failure_of_all_is_told_at_each_step(engine: Engine) -> None:
    features = [{"columns": ["area", "age", "rooms"]}]
    specs = [linear(2, f"make_pipeline(PCA({size}), Ridge(1))", features=features)
             for size in (1, 2)]  # fmt: skip
    close(engine, *specs)
    specs = [linear(2, features=[{"columns": ["area", "age"], "steps": [f"PCA({size})"]}])
             for size in (1, 2)]  # fmt: skip
    close(engine, *specs)
