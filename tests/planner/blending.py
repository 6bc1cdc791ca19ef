"""Building blends by name, as the engine does for one call."""

from typing import Any

from planner.build import Built
from planner.build_blend import build_blend
from planner.errors import StratumError
from planner.spec import BlendPipeline
from tests.inprocess import Answer, Engine

Spec = dict[str, Any]


def build_all(engine: Engine, *specs: Spec, **evaluate: Any) -> dict[int, Built]:
    """Members have names and stand before the blends of them."""
    built: dict[int, Built] = {}
    names: dict[str, Built] = {}
    for position, spec in enumerate(specs):
        path = f"pipelines[{position}]"
        if "blend" in spec:
            blend = BlendPipeline.model_validate(spec)
            members = [names[name] for name in blend.blend.of]
            made: Built = build_blend(engine.environment(**evaluate), blend, members, path)
        else:
            made = engine.build(spec, path, **evaluate)
        built[position] = made
        if "name" in spec:
            names[spec["name"]] = made
    return built


def refused(engine: Engine, *specs: Spec, **evaluate: Any) -> StratumError:
    """The error that the last of `specs` is refused with."""
    build_all(engine, *specs[:-1], **evaluate)
    try:
        build_all(engine, *specs, **evaluate)
    except StratumError as error:
        return error
    raise AssertionError(f"accepted: {specs[-1]}")


def run_all(engine: Engine, *specs: Spec, **evaluate: Any) -> list[Answer]:
    """Answers of all pipelines, computed from nothing."""
    engine.forget()
    return engine.execute(engine.plan(build_all(engine, *specs, **evaluate)))
