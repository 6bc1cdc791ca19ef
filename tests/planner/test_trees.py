"""Fidelity 'statistical': which fits kernels may stand in for, and that keys tell them apart."""

from typing import Any

import numpy as np
import pytest

from planner.cost import Shape, bytes_of, kind_of, rounds, seconds_of
from planner.fidelity import planned, reached
from planner.graph import walk
from planner.ops import Fit, Predict
from planner.ops_prefix import PrefixFit
from planner.ops_trees import TreesFit, by_kernel
from planner.trees import STAND_INS
from tests.inprocess import Engine, operators
from tests.planner.planning_cases import CV, RIDGE, ops

FOREST = "RandomForestRegressor(n_estimators={})"
STATISTICAL = {"cv": CV, "fidelity": "statistical"}


def spec(model: str, **changes: Any) -> dict[str, Any]:
    return {**RIDGE, "model": model, "metrics": ["r2"], **changes}


def fits(engine: Engine, model: str, **changes: Any) -> list[Fit]:
    compiled = engine.compile(spec(model, **changes), rules=(), **STATISTICAL)
    return ops(*compiled.outputs, kind=Fit)


def is_statistical(engine: Engine, model: str, **changes: Any) -> bool:
    (fit,) = fits(engine, model, **changes)
    return isinstance(fit, TreesFit)


def test_keys_of_exact_and_statistical_scores_differ(engine: Engine) -> None:
    exact, again = (engine.compile(spec(FOREST.format(5)), cv=CV) for _ in range(2))
    inexact = engine.compile(spec(FOREST.format(5)), **STATISTICAL)
    keys = [{node.key for node in one.outputs} for one in (exact, again, inexact)]
    assert keys[0] == keys[1]
    assert keys[0].isdisjoint(keys[2])
    assert (planned(exact.outputs), planned(inexact.outputs)) == ("exact", "statistical")
    assert {node.key for node in engine.compile(spec("Ridge()"), cv=CV).outputs} == {
        node.key for node in engine.compile(spec("Ridge()"), **STATISTICAL).outputs
    }


def test_all_names_are_operators() -> None:
    known = operators()
    for name, params in STAND_INS.items():
        operator = known[name]
        assert set(params) <= {*operator.by_name, *operator.extra}, name


@pytest.mark.parametrize(
    "params",
    [
        "", "max_depth=4, min_samples_leaf=0.01", "max_features='log2', bootstrap=False",
        "max_leaf_nodes=9, min_impurity_decrease=0.1", "max_samples=0.5, ccp_alpha=0.0",
    ],
)  # fmt: skip
def test_parameters_that_are_understood(engine: Engine, params: str) -> None:
    assert is_statistical(engine, f"ExtraTreesRegressor({params})")


@pytest.mark.parametrize(
    "params",
    [
        "criterion='absolute_error'", "ccp_alpha=0.1", "max_depth=0", "max_features=1.5",
        "monotonic_cst=[1, 0]", "min_samples_leaf=0", "oob_score=True", "warm_start=True",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_left_to_the_library(engine: Engine, params: str) -> None:
    assert not is_statistical(engine, f"RandomForestRegressor({params})")


def test_other_models_and_nested_ones_stay_exact(engine: Engine) -> None:
    for model in ("Ridge()", "BaggingRegressor(RandomForestRegressor(n_estimators=2))"):
        assert not is_statistical(engine, model)


def test_numbers_of_trees_share_one_fit(engine: Engine) -> None:
    models = [spec(FOREST.format(size)) for size in (3, 9)]
    compiled = engine.compile(*models, **STATISTICAL)
    (group,) = ops(*compiled.outputs, kind=PrefixFit)
    assert by_kernel(group)
    assert group.sizes == (3, 9)
    assert planned(compiled.outputs) == "statistical"
    small, large = engine.run(*models, **STATISTICAL)
    np.testing.assert_array_equal(small["r2"], engine.one(models[0], **STATISTICAL)["r2"])
    np.testing.assert_array_equal(large["r2"], engine.one(models[1], **STATISTICAL)["r2"])
    exact = engine.one(models[1], cv=CV)["r2"]
    assert large["r2"] != exact
    np.testing.assert_allclose(large["r2"], exact, atol=0.5)


def test_kernels_read_columns_of_doubles_where_they_are(engine: Engine) -> None:
    def features(columns: list[str], **evaluate: str) -> str:
        case = {**spec(FOREST.format(3)), "features": [{"columns": columns}]}
        compiled = engine.compile(case, cv=CV, **evaluate)
        (fit,) = (node for node in walk(compiled.outputs, tables=False) if isinstance(node.op, Fit))
        return type(fit.inputs[0].op).__name__

    assert features(["area", "weight"], fidelity="statistical") == "Columns"
    assert features(["area", "weight"]) == "Concat"
    assert features(["area", "rooms"], fidelity="statistical") == "Concat"


def test_costs_are_told_apart() -> None:
    from planner.expressions import Call

    fit = Fit(Call("RandomForestRegressor"), "regression")
    stand_in = TreesFit.of(fit)
    shape = Shape(rows=1000, valid=100, columns=10)
    assert seconds_of(stand_in, shape) < seconds_of(fit, shape)
    assert bytes_of(stand_in, shape) == bytes_of(fit, shape)
    assert rounds(stand_in) == rounds(fit)
    predict = Predict(("predict",))
    group = PrefixFit(stand_in, "n_estimators", (1, 2))
    assert kind_of(stand_in) == kind_of(group) != kind_of(fit)
    assert kind_of(predict, stand_in) == kind_of(predict, group) != kind_of(predict, fit)


def test_the_label_after_the_run() -> None:
    told = ["LibraryFitted: 'X' was fitted by its library, and is exact: so."]
    assert reached("statistical", []) == reached("statistical", ["UserWarning: x"]) == "statistical"
    assert reached("statistical", told) == reached("exact", []) == "exact"
