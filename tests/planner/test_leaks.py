"""The target is refused as a feature however it gets there, and nothing else is."""

from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from planner.binder import schema
from planner.lineage import blame, chooses_rows, tainted
from planner.relational import describe_step
from tests.inprocess import Engine
from tests.planner.leak_cases import HARMLESS, LEAKS
from tests.planner.relational_cases import World, rides, weather

WORLD = World(rides=rides(), weather=weather())
Steps = list[dict[str, Any]]


def other_targets() -> pd.DataFrame:
    """The rides with each other's targets."""
    frame = rides()
    frame["cnt"] = frame["cnt"].to_numpy()[::-1] * 2 + 1
    return frame


OTHER = World(rides=other_targets(), weather=weather())


@pytest.mark.parametrize(
    ("steps", "column"), [case[1:] for case in LEAKS], ids=[case[0] for case in LEAKS]
)
def test_leaks_are_seen(steps: Steps, column: str) -> None:
    node = WORLD.prepare(*steps)
    assert column in schema(node)
    assert column in tainted(node, "cnt")
    # A column of a dataset that is read a second time is made by no step.
    copied = any("union" in step or "rides" in str(step.get("join")) for step in steps)
    step = blame(node, column, "cnt")
    assert copied or (step is not None and describe_step(step))


@pytest.mark.parametrize(
    ("steps", "column"), [case[1:] for case in HARMLESS], ids=[case[0] for case in HARMLESS]
)
def test_the_harmless_is_let_through(steps: Steps, column: str) -> None:
    node = WORLD.prepare(*steps)
    assert column in schema(node)
    assert column not in tainted(node, "cnt")


@pytest.mark.parametrize(
    "steps", [case[1] for case in [*LEAKS, *HARMLESS]], ids=[c[0] for c in [*LEAKS, *HARMLESS]]
)
def test_what_is_let_through_is_the_same_for_other_targets(steps: Steps) -> None:
    """Where the target does not choose the rows, nothing untainted depends on it."""
    node = WORLD.prepare(*steps)
    found = tainted(node, "cnt")
    names = [name for name in schema(node).names if name not in found]
    if "id" not in names:
        return
    before, after = (
        world.run(node, names).drop_duplicates("id", keep=False).sort_values("id")
        for world in (WORLD, OTHER)
    )
    if set(before["id"]) == set(after["id"]):
        assert_frame_equal(
            before.reset_index(drop=True), after.reset_index(drop=True), check_exact=True
        )


MEAN = {"aggregate": {"by": "city", "columns": {"m": "avg(price)"}}}


@pytest.mark.parametrize(
    ("prepare", "column", "step"),
    [
        ([MEAN], "m", "aggregate m by city"),
        ([MEAN, {"derive": {"m2": "m * 2"}}, {"rename": {"m2": "late"}}], "late", "derive m2"),
        ([{"derive": {"p": "ln(price)"}}, {"drop": ["city"]}], "p", "derive p"),
        ([{"sort": "price"}, {"window": {"columns": {"n": "row_number()"}}}], "n", "window n"),
        ([{"aggregate": {"by": "city", "columns": {"m": "max(price)"}, "as": "t"}},
          {"join": {"dataset": "t", "on": "city"}}], "m", "aggregate m by city"),
        ([{"derive": {"k": "price::INT"}}, {"rename": {"k": "rooms", "rooms": "r"}},
          {"aggregate": {"by": "rooms", "columns": {"m": "count(*)"}}}], "m",
         "aggregate m by rooms"),
        ([{"sql": "SELECT i.*, t.m FROM input i JOIN (SELECT city, avg(price) AS m FROM input "
                  "GROUP BY city) t USING (city)"}], "m", "sql SELECT i.*"),
    ],
)  # fmt: skip
def test_the_refusal_names_the_step_and_what_to_do(
    engine: Engine, prepare: Steps, column: str, step: str
) -> None:
    spec = {"dataset": "flats", "target": "price", "prepare": prepare, "model": "Ridge()"}
    error = engine.error({**spec, "features": [{"columns": ["area"]}, {"columns": [column]}]})
    assert error.code == "target_leak"
    assert error.path == "pipelines[0].features[1]"
    assert f"(step: {step}" in error.message
    assert "TargetEncoder()" in error.hint
    assert engine.error({**spec, "features": [{"columns": "numeric"}]}).code == "target_leak"


def test_which_steps_choose_rows() -> None:
    for step, chosen in (
        ({"filter": "temp > 3"}, True),
        ({"limit": 5}, True),
        ({"union": "rides"}, True),
        ({"join": {"dataset": "weather", "on": "station", "how": "inner"}}, True),
        ({"join": {"dataset": "weather", "on": "station"}}, False),
        ({"filter": "temp > 3", "only": "train"}, False),
        ({"derive": {"a": "temp"}}, False),
        ({"sort": "temp"}, False),
    ):
        assert chooses_rows(WORLD.prepare(step, {"derive": {"z": "1"}})) is chosen
