"""Selectors, and the default plan."""

from typing import Any

import pytest

from planner.errors import SpecError
from planner.features import ONE_HOT, Branch, Selection, default, describe, explicit
from planner.graph import Graph
from planner.relational import scan
from planner.schema import Column, Dataset, Kind, Schema
from planner.spec import FeatureBranch

TYPES: dict[str, str] = {
    "integer": "BIGINT",
    "float": "DOUBLE",
    "boolean": "BOOLEAN",
    "string": "VARCHAR",
    "date": "TIMESTAMP",
    "categorical": "ENUM('a', 'b')",
    "other": "BIGINT[]",
}


def selection(hidden: str = "", sources: str = "", **kinds: Kind) -> Selection:
    """A selection over columns of these kinds; a number in a name is its cardinality."""
    columns = tuple(
        Column(name, kind, TYPES[kind], nullable=name.endswith("_null"))
        for name, kind in kinds.items()
    )
    table = scan(Graph(), Dataset("t", "f0", 10, Schema(columns)))

    def count(name: str) -> int:
        return int("".join(filter(str.isdigit, name)) or 2)

    return Selection(table, count, frozenset(hidden.split()), frozenset(sources.split()))


MIXED: dict[str, Kind] = {
    "b": "boolean",
    "x": "float",
    "s3": "string",
    "i": "integer",
    "d": "date",
    "c2": "categorical",
    "s500": "string",
    "l": "other",
}


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("numeric", "x i"),
        ("string", "s3 s500"),
        ("categorical", "s3 c2 s500"),
        ("date", "d"),
        ("boolean", "b"),
        ("all", "b x s3 i d c2 s500 l"),
        ("i", "i"),
        (["i", "x"], "i x"),
        (["i", "numeric", "i"], "i x"),
        ({"regex": "^s"}, "s3 s500"),
        ({"regex": "[0-9]{2}"}, "s500"),
        ({"except": ["numeric", "d"]}, "b s3 c2 s500 l"),
        ({"kind": "string", "max_cardinality": 40}, "s3"),
        ({"kind": "string", "min_cardinality": 40}, "s500"),
        ({"kind": "categorical", "min_cardinality": 2, "max_cardinality": 3}, "s3 c2"),
        ([], ""),
    ],
)
def test_selectors(selector: Any, chosen: str) -> None:
    branches = [FeatureBranch.model_validate({"columns": selector})]
    (found,) = explicit(selection(**MIXED), branches, "features")
    assert " ".join(found.columns) == chosen
    assert found.path == "features[0]"


def test_a_column_goes_before_the_selector_of_the_same_name() -> None:
    found = selection(numeric="string", x="float")
    assert found.select("numeric", "p") == ("numeric",)


def test_hidden_columns_are_chosen_by_name_alone() -> None:
    found = selection("x", i="integer", x="float")
    assert found.select("numeric", "p") == ("i",)
    assert found.select("x", "p") == ("x",)
    assert found.select(["x", "i"], "p") == ("x", "i")


def test_what_the_target_is_made_of_is_left_out_and_noted() -> None:
    found = selection("y", "x y", i="integer", x="float", y="float")
    assert found.select("all", "p") == ("i",)
    assert found.left_out == {"x"}


@pytest.mark.parametrize(
    ("selector", "code", "path"),
    [
        ("nope", "unknown_column", "p"),
        (["x", "nope"], "unknown_column", "p[1]"),
        ({"except": ["nope"]}, "unknown_column", "p.except[0]"),
        ({"regex": "["}, "invalid_selector", "p.regex"),
    ],
)
def test_errors_of_selectors(selector: Any, code: str, path: str) -> None:
    parsed = FeatureBranch.model_validate({"columns": selector}).columns
    with pytest.raises(SpecError) as raised:
        selection(x="float").select(parsed, path="p")
    assert (raised.value.code, raised.value.path) == (code, path)


def plan(kinds: dict[str, Kind], **options: Any) -> list[dict[str, Any]]:
    given = {"missing_ok": False, "scale": False, "regression": True, **options}
    return describe(default(selection(**kinds), path="features", **given))


def test_the_default_plan_of_a_tree_that_takes_missing_values() -> None:
    assert plan(MIXED, missing_ok=True) == [
        {"columns": ["x", "i"], "steps": []},
        {"columns": ["b"], "steps": []},
        {"columns": ["s3", "c2"], "steps": [ONE_HOT]},
        {"columns": ["s500"], "steps": ["TargetEncoder(target_type='continuous')"]},
    ]


def test_the_default_plan_of_a_linear_classifier() -> None:
    kinds: dict[str, Kind] = {**MIXED, "b_null": "boolean"}
    assert plan(kinds, scale=True, regression=False) == [
        {"columns": ["x", "i"], "steps": ["SimpleImputer()", "StandardScaler()"]},
        {"columns": ["b", "b_null"], "steps": ["SimpleImputer(strategy='most_frequent')"]},
        {"columns": ["s3", "c2"], "steps": [ONE_HOT]},
        {"columns": ["s500"], "steps": ["TargetEncoder()", "StandardScaler()"]},
    ]


def test_booleans_without_gaps_are_not_imputed() -> None:
    assert plan({"b": "boolean"}, scale=True) == [{"columns": ["b"], "steps": []}]


def test_what_is_shown_can_be_sent_back() -> None:
    shown = plan(MIXED)
    branches = [FeatureBranch.model_validate(branch) for branch in shown]
    found = explicit(selection(**MIXED), branches, "features")
    assert [Branch(tuple(b["columns"]), tuple(b["steps"]), "") for b in shown] == [
        Branch(branch.columns, branch.steps, "") for branch in found
    ]


def test_the_default_plan_leaves_out_text_that_identifies_rows() -> None:
    chosen = selection(s3="string", s500="string", s990="string")
    chosen.rows = lambda: 1000
    branches = default(chosen, missing_ok=True, scale=False, regression=True, path="features")
    assert [branch.columns for branch in branches] == [("s3",), ("s500",)]
    assert chosen.identifiers == {"s990"}
