"""Features that only one pipeline of a batch wants: kept for later ones if they took long."""

from typing import Any

import pytest

from executor import program
from planner.ops import Encode
from planner.plan import Task, Value
from tests.inprocess import Engine
from tests.planner.planning_cases import CV, NUMBERS, RIDGE

SCALED: dict[str, Any] = {"columns": NUMBERS, "steps": ["SimpleImputer()", "RobustScaler()"]}
TEXT: dict[str, Any] = {"columns": ["note"], "steps": ["TfidfVectorizer()"]}


def spec(**changes: Any) -> dict[str, Any]:
    return {**RIDGE, "metrics": ["r2"], "features": [SCALED, TEXT], "model": "SVR()", **changes}


def encoders(engine: Engine, one: dict[str, Any]) -> list[str]:
    """Transformers that would be fitted for `one`, given the blocks that are there."""
    folder = engine.folder / "blocks"

    def stored(value: Value) -> bool:
        return (folder / value.name[:2] / f"{value.name}.block").exists()

    tasks = engine.compile(one, cv=CV, available=stored).plan.tasks
    return [i.op.transformer.name for t in tasks for i in t.instructions if type(i.op) is Encode]


@pytest.fixture
def everything_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_WORTH_SECONDS", 0.0)
    monkeypatch.setattr(program, "_WORTH_BYTES_PER_SECOND", 1e15)


@pytest.mark.usefixtures("everything_is_slow")
def test_a_later_pipeline_finds_the_features_of_an_earlier_one(engine: Engine) -> None:
    other = spec(model="NuSVR()")
    assert encoders(engine, other)
    engine.run(spec(), cv=CV)
    assert encoders(engine, other) == []
    found = engine.run(other, fresh=False, cv=CV)[0]
    assert found["r2"] == engine.run(other, cv=CV)[0]["r2"]


@pytest.mark.usefixtures("everything_is_slow")
def test_a_part_is_found_under_another_whole(engine: Engine) -> None:
    engine.run(spec(), cv=CV)
    wider = spec(features=[TEXT, {"columns": ["rooms"], "steps": ["PowerTransformer()"]}])
    assert set(encoders(engine, wider)) == {"PowerTransformer"}
    found = engine.run(wider, fresh=False, cv=CV)[0]
    assert found["r2"] == engine.run(wider, cv=CV)[0]["r2"]


def test_what_is_quickly_made_is_not_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_WORTH_SECONDS", 1e9)
    engine.run(spec(), cv=CV)
    other = spec(model="NuSVR()")
    assert set(encoders(engine, other)) == {"SimpleImputer", "RobustScaler", "TfidfVectorizer"}


@pytest.mark.usefixtures("everything_is_slow")
def test_what_warns_is_made_again_to_warn_again(engine: Engine) -> None:
    warning = spec(features=[SCALED, {"columns": ["city"], "steps": [
        "SimpleImputer(strategy='most_frequent')", "OneHotEncoder(handle_unknown='warn')"]},
        {"columns": ["owner"], "steps": ["TargetEncoder(target_type='auto')"]},
        {"columns": NUMBERS, "steps": ["SimpleImputer()", "QuantileTransformer()"]},
    ])  # fmt: skip
    first = engine.run(warning, cv=CV)[0].warnings
    assert first  # more quantiles than rows
    again = engine.run({**warning, "model": "NuSVR()"}, fresh=False, cv=CV)[0].warnings
    assert any("quantiles" in text for text in again)


@pytest.mark.usefixtures("everything_is_slow")
def test_what_cannot_be_stored_fails_nothing(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from executor import blocks
    from planner.errors import DataError

    save = blocks.save

    def refuse(value: Any, folder: Any, name: str) -> Any:
        if isinstance(value, tuple) and not isinstance(value[1], str):  # a pair of features
            raise DataError("unstorable_value", "No.")
        return save(value, folder, name)

    monkeypatch.setattr(blocks, "save", refuse)
    assert engine.run(spec(), cv=CV)[0].error is None
    assert encoders(engine, spec(model="NuSVR()"))


def test_costs_add_up_until_something_is_stored(engine: Engine) -> None:
    """A cheap step on top of a dear one that was stored is not stored as well."""
    tasks: list[Task] = list(engine.compile(spec(), cv=CV).plan.tasks)
    state = program._State(tasks[-1], engine.folder, engine.paths, "1GB", program.BACKENDS)
    offered = tasks[-1].offers
    assert len(offered) > 2
    state._spent[offered[0]] = 10.0
    state.values[offered[0]] = (0.0, 0.0)
    (engine.folder / "blocks").mkdir(exist_ok=True)
    state.folder = engine.folder / "blocks"
    assert state._worth(offered[0])
    state._saves = frozenset(offered[:1])
    import numpy as np

    state.values[offered[0]] = (np.zeros((2, 2)), np.zeros((1, 2)))
    state.keep(offered[0])
    assert not state._worth(offered[0])
