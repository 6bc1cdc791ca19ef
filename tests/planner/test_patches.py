"""Specs as edits of others."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import SpecError
from planner.patches import merge, resolve

Spec = dict[str, Any]


def full(*pipelines: Spec, known: dict[str, Spec] | None = None) -> list[Spec]:
    return resolve(pipelines, (known or {}).get)


def refusal(*pipelines: Spec) -> SpecError:
    with pytest.raises(SpecError) as caught:
        full(*pipelines)
    return caught.value


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        # The examples of RFC 7386, appendix A.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target: Any, patch: Any, expected: Any) -> None:
    assert merge(target, patch) == expected


values = st.recursive(
    st.none() | st.integers(0, 3),
    lambda inner: st.dictionaries(st.sampled_from("ab"), inner) | st.lists(inner, max_size=2),
    max_leaves=8,
)


@given(values, st.dictionaries(st.sampled_from("ab"), values))
def test_merging_twice_is_merging_once(target: Any, patch: Any) -> None:
    before = repr(target), repr(patch)
    once = merge(target, patch)
    assert merge(once, patch) == once
    assert (repr(target), repr(patch)) == before


def test_full_specs_are_kept() -> None:
    spec = {"name": "a", "model": "Ridge()", "features": None}
    assert full(spec) == [spec]


def test_from_earlier_and_later() -> None:
    a = {"name": "a", "model": "Ridge()", "seeds": [1], "target": {"column": "y"}}
    b = {"from": "a", "model": "Lasso()", "target": {"transform": "log1p"}}
    c = {"from": "a", "seeds": None, "name": "c"}
    expected_b = {
        "model": "Lasso()",
        "seeds": [1],
        "target": {"column": "y", "transform": "log1p"},
    }
    expected_c = {"name": "c", "model": "Ridge()", "target": {"column": "y"}}
    assert full(a, b, c) == [a, expected_b, expected_c]
    assert full(c, b, a) == [expected_c, expected_b, a]


def test_chains_and_stored_specs() -> None:
    stored = {"e1": {"name": "old", "model": "Ridge()", "x": 1}}
    pipelines = ({"from": "b", "z": 3}, {"name": "b", "from": "e1", "y": 2})
    assert full(*pipelines, known=stored) == [
        {"model": "Ridge()", "x": 1, "y": 2, "z": 3},
        {"name": "b", "model": "Ridge()", "x": 1, "y": 2},
    ]
    again = {"name": "old", "from": "old", "x": 2}
    assert full(again, known={"old": stored["e1"]}) == [{"name": "old", "model": "Ridge()", "x": 2}]


def test_a_long_chain() -> None:
    chain = [{"name": "0", "model": "Ridge()"}]
    chain += [{"name": str(i), "from": str(i - 1), f"f{i % 3}": i} for i in range(1, 3_000)]
    chain.reverse()
    assert full(*chain)[0]["model"] == "Ridge()"


def test_variants() -> None:
    base = {"name": "base", "model": "Ridge()", "seeds": [0]}
    variants = [{}, {"model": "Lasso()", "name": "l"}, {"from": "other"}, {"seeds": None}]
    batch = {"base": base, "variants": variants}
    other = {"name": "other", "model": "SVR()"}
    assert full(batch, other, {"from": "base", "x": 1}) == [
        {"model": "Ridge()", "seeds": [0]},
        {"name": "l", "model": "Lasso()", "seeds": [0]},
        {"model": "SVR()"},
        {"model": "Ridge()"},
        other,
        {"model": "Ridge()", "seeds": [0], "x": 1},
    ]
    patched = {"base": {"from": "other", "x": 1}, "variants": [{"y": 2}]}
    assert full(other, patched)[1] == {"model": "SVR()", "x": 1, "y": 2}


@pytest.mark.parametrize(
    ("pipelines", "code", "path"),
    [
        ([{"name": "a", "from": "a"}], "circular_from", "pipelines[0].from"),
        (
            [{"name": "a", "from": "b"}, {"name": "b", "from": "a"}],
            "circular_from",
            "pipelines[0].from",
        ),
        ([{"name": "lgb-1"}, {"from": "lgb_1"}], "unknown_pipeline", "pipelines[1].from"),
        ([{"name": "a"}, {"name": "a"}, {"from": "a"}], "ambiguous_from", "pipelines[2].from"),
        ([{"from": 3}], "invalid_from", "pipelines[0].from"),
        ([{"base": {}, "variants": 3}], "invalid_variants", "pipelines[0]"),
        ([{"base": {}, "variants": [], "x": 1}], "invalid_variants", "pipelines[0]"),
        ([{"base": {}, "variants": [1]}], "invalid_variants", "pipelines[0].variants[0]"),
        (
            [{"base": {}, "variants": [{"from": "zz"}]}],
            "unknown_pipeline",
            "pipelines[0].variants[0].from",
        ),
    ],
)
def test_refused(pipelines: list[Spec], code: str, path: str) -> None:
    error = refusal(*pipelines)
    assert (error.code, error.path) == (code, path)


def test_near_names_are_suggested() -> None:
    assert "'lgb-1'" in refusal({"name": "lgb-1"}, {"from": "lgb_1"}).hint


def test_depth_is_bounded() -> None:
    patch: Any = 1
    for _ in range(1_000):
        patch = {"a": patch}
    assert refusal({"name": "b"}, {"from": "b", "a": patch}).code == "too_deep"
