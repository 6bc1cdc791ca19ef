"""Blocks in one pass and encoders on codes: what is replaced, and what is left alone."""

from typing import Any

import numpy as np
import pytest

from planner.graph import Node, walk
from planner.ops import Concat, Encode
from planner.ops_encode import CodedEncode, Codes, EncodeBlock
from planner.rewrite import RULES
from tests.inprocess import Engine
from tests.planner.planning_cases import CV, NUMBERS, RIDGE

SCALED: dict[str, Any] = {"columns": NUMBERS, "steps": ["SimpleImputer()", "StandardScaler()"]}
CITY: dict[str, Any] = {"columns": ["city"], "steps": ["OneHotEncoder(handle_unknown='ignore')"]}
PLAIN = tuple(rule for rule in RULES if rule.name not in ("fuse_encoders", "share_codes"))


def spec(*features: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**RIDGE, "metrics": ["r2"], "features": [*features], "model": "SVR()", **changes}


def of(engine: Engine, kind: type, *specs: dict[str, Any]) -> list[Node]:
    outputs = engine.compile(*specs, cv=CV).outputs
    return [node for node in walk(outputs, tables=False) if type(node.op) is kind]


def test_branches_become_one_block(engine: Engine) -> None:
    one = spec(SCALED, CITY)
    assert of(engine, Encode, one) == of(engine, Concat, one) == []
    (block,) = of(engine, EncodeBlock, one)
    assert isinstance(block.op, EncodeBlock)
    assert [[call.name for call in calls] for calls in block.op.steps] == [
        ["SimpleImputer", "StandardScaler"],
        ["OneHotEncoder"],
    ]
    assert [type(node.op).__name__ for node in block.inputs] == [
        "Folds", "Columns", "Columns", "Codes",
    ]  # fmt: skip


def test_what_is_not_known_stays_a_block_of_its_own(engine: Engine) -> None:
    owner = {"columns": ["owner"], "steps": ["TargetEncoder(random_state=0)", "StandardScaler()"]}
    bins = {"columns": NUMBERS, "steps": ["SimpleImputer()", "RobustScaler()"]}
    (block,) = of(engine, EncodeBlock, spec(SCALED, owner, bins))
    assert isinstance(block.op, EncodeBlock)
    assert [len(calls) for calls in block.op.steps] == [2, 0, 0]
    assert [type(node.op).__name__ for node in block.inputs[2:]] == ["Encode", "Encode"]


@pytest.mark.parametrize(
    "step",
    [
        "OneHotEncoder(min_frequency=3)",
        "OneHotEncoder(categories=[['a']])",
        "OneHotEncoder(dtype=float32)",
        "OneHotEncoder(handle_unknown='warn')",
        "OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=99)",
        "OrdinalEncoder(encoded_missing_value=-3)",
    ],
)
def test_other_parameters_are_the_librarys(engine: Engine, step: str) -> None:
    one = spec({"columns": ["city"], "steps": [step]})
    assert of(engine, EncodeBlock, one) == []
    assert len(of(engine, Encode if "categories" in step else CodedEncode, one)) == 1


@pytest.mark.parametrize(
    "step",
    [
        "SimpleImputer(add_indicator=True)",
        "SimpleImputer(missing_values=-1)",
        "SimpleImputer(strategy='most_frequent')",
        "SimpleImputer(keep_empty_features=True)",
        "MinMaxScaler(clip=True)",
        "RobustScaler()",
    ],
)
def test_other_numeric_steps_stay(engine: Engine, step: str) -> None:
    assert len(of(engine, Encode, spec({"columns": NUMBERS, "steps": [step]}))) == 1


def test_plain_columns_are_not_copied(engine: Engine) -> None:
    assert of(engine, EncodeBlock, spec({"columns": ["rooms"]}, {"columns": ["age"]})) == []


def test_codes_are_shared_by_encoders_and_pipelines(engine: Engine) -> None:
    target = {"columns": ["city"], "steps": ["TargetEncoder(random_state=0)"]}
    batch = [spec(SCALED, CITY), spec(SCALED, target), spec(target, CITY)]
    assert len(of(engine, Codes, *batch)) == 1


def test_the_key_of_a_block_does_not_depend_on_the_batch(engine: Engine) -> None:
    one, other = spec(SCALED, CITY), spec(SCALED, model="KNeighborsRegressor()")
    (alone,) = of(engine, EncodeBlock, one)
    assert alone.key in {node.key for node in of(engine, EncodeBlock, other, one)}


def test_a_failing_step_is_told_at_its_place_and_fails_its_own_pipeline(engine: Engine) -> None:
    strict = {"columns": ["owner"], "steps": ["OrdinalEncoder()"]}
    batch = [spec(SCALED, CITY), spec(SCALED, strict), spec(SCALED)]
    found, wanted = (engine.run(*batch, rules=rules, cv=CV) for rules in (RULES, PLAIN))
    assert [answer.error for answer in found] == [answer.error for answer in wanted]
    failed = found[1].error
    assert failed is not None
    assert failed["code"] == "unknown_category"
    assert failed["path"] == "pipelines[1].features[1].steps[0]"
    for one, other in zip(found[::2], wanted[::2], strict=True):
        np.testing.assert_array_equal(one["r2"], other["r2"])


@pytest.mark.parametrize("model", ["DecisionTreeRegressor(random_state=0)", "SVR()", "Ridge()"])
def test_scores_are_those_of_the_plain_steps(engine: Engine, model: str) -> None:
    batch = [
        spec(SCALED, CITY, model=model),
        spec(SCALED, {"columns": ["owner"], "steps": ["TargetEncoder(random_state=0)"]}, CITY,
             model=f"make_pipeline(StandardScaler(), {model})"),
        spec({"columns": ["city", "owner"], "steps": [
            "SimpleImputer(strategy='most_frequent')",
            "OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=-1)"]},
             {**SCALED, "steps": ["SimpleImputer(strategy='median')", "MinMaxScaler()"]},
             model=model),
    ]  # fmt: skip
    found, wanted = (engine.run(*batch, rules=rules, cv=CV) for rules in (RULES, PLAIN))
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one["r2"], other["r2"])
