"""Choices: which combinations there are, what they are called, and what stays untouched."""

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.choices import Choices, at, count, expand
from planner.errors import SpecError


def specs(spec: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    return [choice.spec for choice in expand(spec, **options)]


def labels(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [choice.labels for choice in expand(spec)]


def models(model: str) -> list[str]:
    return [spec["model"] for spec in specs({"model": model})]


def test_a_spec_without_choices_is_itself() -> None:
    spec = {"name": "a", "model": "Ridge(alpha=1)", "features": [{"columns": "numeric"}]}
    (only,) = expand(spec)
    assert only.spec == spec
    assert only.labels == {}
    assert count(spec) == 1


def test_product_in_order() -> None:
    spec = {
        "name": "base",
        "model": "Ridge(alpha=choose(0.1, 1), solver=choose('svd', 'lsqr'))",
        "seeds": {"choose": [[0], [1, 2]], "name": "seeds"},
    }
    found = expand(spec)
    assert [choice.spec["model"] for choice in found[::2]] == [
        f"Ridge(alpha={alpha}, solver={solver})"
        for alpha, solver in product(("0.1", "1"), ("'svd'", "'lsqr'"))
    ]
    assert [choice.spec["seeds"] for choice in found] == [[0], [1, 2]] * 4
    assert found[0].labels == {"alpha": 0.1, "solver": "svd", "seeds": [0]}
    assert found[-1].spec["name"] == "base[alpha=1,solver=lsqr,seeds=[1,2]]"
    assert len({choice.spec["name"] for choice in found}) == 8


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("choose(Ridge(), Lasso())", ["Ridge()", "Lasso()"]),
        ("Ridge(choose(1, 2))", ["Ridge(1)", "Ridge(2)"]),
        ("choose(Ridge, Lasso)(alpha=1)", ["Ridge(alpha=1)", "Lasso(alpha=1)"]),
        ("Ridge( alpha = choose( 1,2 ) )", ["Ridge( alpha = 1 )", "Ridge( alpha = 2 )"]),
        ("MLPRegressor((choose(8, 16), 4))", ["MLPRegressor((8, 4))", "MLPRegressor((16, 4))"]),
        (
            "choose(Ridge(alpha=choose(1, 2)), Lasso())",
            ["Ridge(alpha=1)", "Ridge(alpha=2)", "Lasso()"],
        ),
        ("f('é😀', choose('ü', 'x'), 'é')", ["f('é😀', 'ü', 'é')", "f('é😀', 'x', 'é')"]),
        (
            "  f(\r\n 'é',\n choose(\n  g(\n1),\n  2),\r\n 3)\n",
            ["  f(\r\n 'é',\n g(\n1),\r\n 3)\n", "  f(\r\n 'é',\n 2,\r\n 3)\n"],
        ),
        ("f('choose(1, 2)')", ["f('choose(1, 2)')"]),
        ("f(x.choose(1, 2))", ["f(x.choose(1, 2))"]),
        ("choose(1, 2", ["choose(1, 2"]),
        ("f('''\nchoose(1)''', choose(1, 2))", [f"f('''\nchoose(1)''', {i})" for i in (1, 2)]),
    ],
)
def test_text_around_a_choice_is_kept(model: str, expected: list[str]) -> None:
    assert models(model) == expected


def test_choices_in_sql_keep_precedence() -> None:
    spec = {"prepare": [{"derive": {"x": "price * choose(a + b, 3) - choose(-1, c)"}}]}
    found = [made["prepare"][0]["derive"]["x"] for made in specs(spec)]
    assert found == [
        "price * (a + b) - (-1)",
        "price * (a + b) - c",
        "price * 3 - (-1)",
        "price * 3 - c",
    ]
    assert labels(spec)[0] == {"x": "(a + b)", "x#2": -1}


def test_labels() -> None:
    assert labels({"model": "choose(Ridge(alpha=choose(1, 2)), Lasso())"}) == [
        {"model": "Ridge(alpha=...)", "alpha": 1},
        {"model": "Ridge(alpha=...)", "alpha": 2},
        {"model": "Lasso()"},
    ]
    both = {"model": "Stack([SVC(C=choose(1, 2)), Logit(C=choose(3, 4))])"}
    assert Choices(both).labels == ("SVC.C", "Logit.C")
    thrice = {"model": "Stack([SVC(C=choose(1, 2)), SVC(C=choose(3, 4)), SVC(C=choose(5, 6))])"}
    assert Choices(thrice).labels == ("C", "C#2", "C#3")
    steps = {"features": [{"steps": ["A(k=choose(1, 2))"]}, {"steps": ["A(k=choose(1, 2))"]}]}
    assert Choices(steps).labels == ("features[0].steps[0].A.k", "features[1].steps[0].A.k")
    named = {"model": "Ridge(alpha=choose(1, 2, name='penalty'))"}
    assert Choices(named).labels == ("penalty",)
    form = {"model": {"estimator": "Ridge", "params": {"alpha": {"choose": [1, 2]}}}}
    assert labels(form) == [{"alpha": 1}, {"alpha": 2}]
    assert specs(form)[1]["model"] == {"estimator": "Ridge", "params": {"alpha": 2}}


def test_long_options_are_told_apart() -> None:
    long = "x" * 100
    spec = {"name": "n", "features": {"choose": [[long + "a"], [long + "b"]]}}
    first, second = expand(spec)
    assert first.labels != second.labels
    assert first.spec["name"] != second.spec["name"]
    assert len(first.spec["name"]) <= 200


def test_names_stay_within_bounds() -> None:
    wide = ", ".join(f"p{i}=choose('{'a' * 30}', '{'b' * 30}')" for i in range(8))
    names = [spec["name"] for spec in specs({"name": "n" * 150, "model": f"F({wide})"})]
    assert len(set(names)) == 256
    assert max(map(len, names)) <= 200


def test_choices_anywhere_in_the_json_and_within_options() -> None:
    spec = {
        "features": {
            "choose": [
                None,
                [{"columns": "all", "steps": {"choose": [[], ["PCA(choose(2, 3))"]]}}],
            ]
        },
        "remainder": {"choose": ["drop", "passthrough"], "name": "rest"},
    }
    found = expand(spec)
    assert len(found) == (1 + 1 + 2) * 2 == count(spec)
    assert found[0].spec == {"features": None, "remainder": "drop"}
    assert found[-1].spec["features"] == [{"columns": "all", "steps": ["PCA(3)"]}]
    assert found[-1].labels["rest"] == "passthrough"


def test_a_column_called_choose_is_no_choice() -> None:
    spec = {"prepare": [{"derive": {"choose": "a + 1", "b": "2"}}]}
    assert specs(spec) == [spec]


def test_a_huge_product_is_counted_and_sampled() -> None:
    text = ", ".join(f"p{i}=choose({', '.join(map(str, range(10)))})" for i in range(100))
    choices = Choices({"model": f"F({text})"})
    assert choices.count == 10**100
    digits = "0123456789" * 10
    assert list(choices.at(int(digits)).labels.values()) == [int(digit) for digit in digits]
    with pytest.raises(SpecError) as caught:
        choices.expand(1_000)
    assert caught.value.code == "too_many_choices"
    with pytest.raises(IndexError):
        choices.at(10**100)


@pytest.mark.parametrize(
    ("spec", "code", "path"),
    [
        ({"model": "Ridge(alpha=choose())"}, "invalid_choice", "p.model"),
        ({"model": "Ridge(alpha=choose(*[1]))"}, "invalid_choice", "p.model"),
        ({"model": "Ridge(alpha=choose(1, of=2))"}, "invalid_choice", "p.model"),
        ({"model": "Ridge(alpha=choose(1, name=2))"}, "invalid_choice", "p.model"),
        ({"a": [{"choose": []}]}, "invalid_choice", "p.a[0]"),
        ({"a": {"choose": [1], "name": 3}}, "invalid_choice", "p.a"),
    ],
)
def test_refused(spec: dict[str, Any], code: str, path: str) -> None:
    with pytest.raises(SpecError) as caught:
        expand(spec, "p")
    assert (caught.value.code, caught.value.path) == (code, path)


def test_depth_is_bounded() -> None:
    spec: Any = 1
    for _ in range(1_000):
        spec = [spec]
    with pytest.raises(SpecError) as caught:
        expand({"a": spec})
    assert caught.value.code == "too_deep"


def test_deep_text_is_left_to_the_parser() -> None:
    deep = "-" * 150 + "choose(1, 2)"
    assert models(deep)  # no crash; the expression parser refuses it


trees: st.SearchStrategy[Any] = st.recursive(
    st.integers(0, 3) | st.sampled_from(["F(choose(1, choose(2, 3)))", "plain", "choose(1, 2)"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
        | st.lists(inner, min_size=1, max_size=3).map(lambda options: {"choose": options})
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(["x", "y"]), trees))
def test_numbering_agrees_with_expansion(spec: dict[str, Any]) -> None:
    total = count(spec)
    if total > 300:
        return
    found = expand(spec)
    assert len(found) == total
    for index in (0, total // 2, total - 1):
        assert at(spec, index) == found[index]
    told = [tuple(choice.labels.items()) for choice in found]
    assert len(set(map(repr, told))) == total
    assert all("choose" not in repr(choice.spec) for choice in found)
