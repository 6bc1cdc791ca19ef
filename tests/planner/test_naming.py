"""Names made for unnamed pipelines."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from planner.choices import expand
from planner.naming import names


def test_what_differs_is_named() -> None:
    specs = [{"model": f"Ridge(alpha={alpha}, solver='svd')"} for alpha in (0.1, 1)]
    assert names(specs) == ["Ridge-alpha=0.1", "Ridge-alpha=1"]
    specs = [
        {
            "model": "LGBMRegressor(learning_rate=0.05)",
            "features": [{"steps": ["TargetEncoder()"]}],
        },
        {"model": "LGBMRegressor(learning_rate=0.1)", "features": [{"steps": ["OneHotEncoder()"]}]},
        {"model": "make_pipeline(StandardScaler(), Ridge(2))"},
    ]
    assert names(specs) == ["LGBM-lr=0.05-te", "LGBM-lr=0.1-ohe", "Ridge-1=2-std"]


def test_a_lone_pipeline() -> None:
    assert names([{"model": "Ridge(alpha=0.1)"}]) == ["Ridge-alpha=0.1"]
    assert names([{"model": {"estimator": "Ridge", "params": {"alpha": 2}}}]) == ["Ridge-alpha=2"]
    assert names([{"model": {"python": "def build(): ..."}}]) == ["python"]
    assert names([{"blend": {"of": ["a", "b"], "how": "rank_mean"}}]) == ["blend-rank_mean"]
    assert names([{}]) == ["pipeline"]


def test_other_fields() -> None:
    specs: list[dict[str, Any]] = [
        {"model": "Ridge()", "seeds": [0, 1, 2]},
        {"model": "Ridge()", "early_stopping": {"rounds": 50}},
        {"model": "Ridge()", "target": {"column": "y", "transform": "log1p"}},
        {"model": "Ridge()", "prepare": [{"window": {}}]},
    ]
    assert names(specs) == ["Ridge-3seeds", "Ridge-es50", "Ridge-log1p", "Ridge-window"]


def test_given_names_stay_and_are_never_taken() -> None:
    ridge = {"model": "Ridge()"}
    assert names([ridge, {"name": "Ridge", "model": "Lasso()"}, ridge]) == [
        "Ridge#2",
        "Ridge",
        "Ridge#3",
    ]
    assert names([{"name": "a"}, {"name": "a"}, {"name": "a#2"}]) == ["a", "a#3", "a#2"]


def test_expanded_choices_get_different_names() -> None:
    spec = {"model": "LGBMRegressor(num_leaves=choose(7, 15), learning_rate=choose(0.1, 0.2))"}
    assert names([choice.spec for choice in expand(spec)]) == [
        "LGBM-leaves=7-lr=0.1",
        "LGBM-leaves=7-lr=0.2",
        "LGBM-leaves=15-lr=0.1",
        "LGBM-leaves=15-lr=0.2",
    ]


def test_many_equal_pipelines() -> None:
    made = names([{"model": "Ridge()"}] * 5_000)
    assert made[:2] == ["Ridge", "Ridge#2"]
    assert len(set(made)) == 5_000


json_values = st.recursive(
    st.none() | st.integers() | st.text(max_size=70),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["steps", "column", "rounds", "x"]), inner)
    ),
    max_leaves=6,
)
models = st.sampled_from(["Ridge()", "SVR(C=1)", "not (", "X" * 90 + "()"]) | json_values


@given(
    st.lists(
        st.fixed_dictionaries(
            {"model": models},
            optional={
                "name": st.sampled_from(["a", "Ridge", "Ridge#2"]),
                "features": json_values,
                "prepare": json_values,
                "target": json_values,
                "seeds": json_values,
            },
        ),
        max_size=6,
    )
)
def test_names_are_short_unique_and_repeatable(specs: list[dict[str, Any]]) -> None:
    made = names(specs)
    assert len(set(made)) == len(specs)
    assert all(0 < len(name) <= 60 for name in made)
    assert names(specs) == made
