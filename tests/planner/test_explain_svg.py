"""The picture of a plan: well-formed, complete, and of bounded size."""

import re
from typing import Any
from xml.etree import ElementTree

from planner.explain_svg import plan_svg
from tests.inprocess import Engine
from tests.planner.planning_cases import CV, NUMBERS, RIDGE

SVG = "{http://www.w3.org/2000/svg}"
SCALED: dict[str, Any] = {"columns": NUMBERS, "steps": ["SimpleImputer()", "StandardScaler()"]}


def spec(**changes: Any) -> dict[str, Any]:
    return {**RIDGE, "metrics": ["r2"], "features": [SCALED], **changes}


def told(engine: Engine, *specs: dict[str, Any]) -> list[str]:
    """What the boxes of both panels say, in order: ``title: nodes for uses uses``."""
    root = ElementTree.fromstring(plan_svg(engine.compile(*specs, cv=CV).answers))
    return [title.text or "" for title in root.iter(f"{SVG}title")]


def colours(picture: str) -> dict[str, str]:
    """Fill of the last box of each title."""
    return dict(re.findall(r"<title>(.*?): .*?</title><rect [^>]*fill=\"(#\w+)\"", picture))


def test_work_of_each_alone_and_of_all_together(engine: Engine) -> None:
    boxes = told(engine, spec(model="Lasso(positive=True)"), spec(model="SVR()"))
    # Both panels begin with the same columns, and the lower one may have fewer boxes.
    second = next(k for k, box in enumerate(boxes) if k and box.startswith("columns of"))
    above, below = boxes[:second], boxes[second:]
    assert "StandardScaler: 2 for 2 uses" in above
    assert "encoded columns: 1 for 2 uses" in below
    for panel in (above, below):
        assert "SVR: 1 for 1 uses" in panel
        assert "r2: 2 for 2 uses" in panel


def test_colours_tell_shared_grouped_and_own_work(engine: Engine) -> None:
    specs = [spec(model=f"Ridge(alpha={n})") for n in (1, 2)] + [
        spec(model="SVR()"),
        spec(model="NuSVR()"),
    ]
    found = colours(plan_svg(engine.compile(*specs, cv=CV).answers))
    own, shared, grouped = found["SVR"], found["encoded columns"], found["Ridge (group)"]
    assert len({own, shared, grouped}) == 3


def test_its_size_does_not_grow_with_the_pipelines(engine: Engine) -> None:
    few = [spec(model=f"SVR(C={n})") for n in range(1, 4)]
    many = [spec(model=f"SVR(C={n})") for n in range(1, 61)]
    small, large = (plan_svg(engine.compile(*specs, cv=CV).answers) for specs in (few, many))
    assert small.count("<rect") == large.count("<rect")
    assert "60" in large


def test_too_many_kinds_are_one_box(engine: Engine) -> None:
    models = ["SVR()", "LinearSVR()", "NuSVR()", "Lars()", "LassoLars()", "HuberRegressor()",
              "TheilSenRegressor()", "ExtraTreeRegressor()", "DecisionTreeRegressor()",
              "BayesianRidge()", "ARDRegression()", "KernelRidge()", "PLSRegression()",
              "DummyRegressor()", "PoissonRegressor()"]  # fmt: skip
    boxes = told(engine, *[spec(model=model) for model in models])
    assert sum("other kinds" in box for box in boxes) == 2
    rest = next(box for box in boxes if "other kinds" in box)
    assert rest == "4 other kinds: 4 for 4 uses"


def test_names_are_escaped(engine: Engine) -> None:
    engine.add("a<b&c", engine_table())
    picture = plan_svg(engine.compile(spec(dataset="a<b&c", model="SVR()"), cv=CV).answers)
    assert "columns of a&lt;b&amp;c" in picture
    ElementTree.fromstring(picture)


def engine_table() -> Any:
    from tests.planner.planning_cases import flats

    return flats().assign(extra=1)


def test_nothing_to_do_is_a_picture_too() -> None:
    assert "0 pipelines" in plan_svg([])
    ElementTree.fromstring(plan_svg([]))
