import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from planner.errors import SpecError
from planner.steps import KINDS, MAX_STEPS, Step, parse_steps

EXAMPLES = [
    {"derive": {"a": "b + 1"}},
    {"filter": "a > 1", "only": "train"},
    {"select": ["a"]},
    {"drop": ["a"]},
    {"drop": "a"},
    {"rename": {"a": "b"}},
    {"cast": {"a": "BIGINT"}, "errors": "null"},
    {"fill": {"a": 0, "b": "x", "c": False, "d": 0.5}},
    {"replace": {"a": {"x": "y", "z": None}}},
    {"join": {"dataset": "t", "on": ["k"], "how": "inner", "suffix": "_t", "many": True}},
    {"join": {"dataset": "t", "on": {"k": "key"}}},
    {"aggregate": {"by": ["k"], "columns": {"n": "count(*)"}}},
    {"aggregate": {"by": "k", "columns": {"n": "count(*)"}, "as": "t"}},
    {"window": {"partition_by": ["k"], "order_by": ["d"], "frame": "rows 1 preceding",
                "columns": {"x": "lag(a)"}}},
    {"sort": ["a", "b desc"]},
    {"limit": 10, "offset": 2},
    {"sample": 0.5, "seed": 3},
    {"sample": 100},
    {"union": ["t"], "missing": "null"},
    {"sql": "SELECT * FROM input"},
]  # fmt: skip


@pytest.mark.parametrize("raw", EXAMPLES, ids=lambda raw: next(iter(raw)))
def test_every_step_is_parsed_and_dumps_to_itself(raw):
    (step,) = parse_steps([raw], "prepare")
    assert isinstance(step, KINDS[next(iter(raw))])
    dumped = step.model_dump(by_alias=True, exclude_unset=True)
    assert dumped == raw


def test_the_examples_cover_all_steps():
    assert {next(iter(raw)) for raw in EXAMPLES} == set(KINDS)


def test_every_step_has_a_schema_with_its_fields():
    document = TypeAdapter(Step).json_schema(by_alias=True)
    assert len(document["anyOf"]) == len(KINDS)
    for name, model in KINDS.items():
        schema = model.model_json_schema(by_alias=True)
        assert name in schema["properties"]
        assert schema["additionalProperties"] is False
        assert schema["description"]


@pytest.mark.parametrize(
    ("raw", "code", "path", "hint"),
    [
        ({"derve": {}}, "unknown_step", "p[0]", "'derive'"),
        ({"aggregation": {}}, "unknown_step", "p[0]", "'aggregate'"),
        ({"zzz": 1}, "unknown_step", "p[0]", "Steps: derive"),
        ({}, "invalid_step", "p[0]", ""),
        ("derive", "invalid_step", "p[0]", ""),
        ({"derive": {"a": "1"}, "filter": "a > 1"}, "invalid_step", "p[0]", "two steps"),
        ({"filter": "a", "onyl": "train"}, "invalid_step", "p[0].onyl", "'only'"),
        ({"filter": "a", "only": "test"}, "invalid_step", "p[0].only", ""),
        ({"join": {"datast": "t", "on": "k"}}, "invalid_step", "p[0].join.datast", "'dataset'"),
        ({"join": {"dataset": "t"}}, "invalid_step", "p[0].join.on", ""),
        ({"derive": {}}, "invalid_step", "p[0].derive", ""),
        ({"derive": {"a": ""}}, "invalid_step", "p[0].derive.a", ""),
        ({"derive": {"a": 1}}, "invalid_step", "p[0].derive.a", ""),
        ({"limit": -1}, "invalid_step", "p[0].limit", ""),
        ({"limit": True}, "invalid_step", "p[0].limit", ""),
        ({"sample": 1.5}, "invalid_step", "p[0].sample", ""),
        ({"sample": 0}, "invalid_step", "p[0].sample", ""),
        ({"fill": {"a": None}}, "invalid_step", "p[0].fill.a", ""),
        ({"python": "def transform(df): ..."}, "code_disabled", "p[0].python", "SQL"),
        ({"sql": "x" * 20_001}, "invalid_step", "p[0].sql", ""),
    ],
)
def test_errors_name_the_field_and_the_repair(raw, code, path, hint):
    with pytest.raises(SpecError) as caught:
        parse_steps([raw], "p")
    assert (caught.value.code, caught.value.path) == (code, path)
    assert hint in caught.value.hint


def test_the_number_of_steps_is_bounded():
    step = {"limit": 1}
    assert len(parse_steps([step] * MAX_STEPS, "p")) == MAX_STEPS
    with pytest.raises(SpecError):
        parse_steps([step] * (MAX_STEPS + 1), "p")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*KINDS, "only", "seed", "x"]), JSON, max_size=2))
def test_any_json_is_a_step_or_a_spec_error(raw):
    try:
        (step,) = parse_steps([raw], "p")
    except SpecError as error:
        place = error.path
    else:
        place = "p[0]" if type(step) in KINDS.values() else ""
    assert place.startswith("p[0]")
