"""Sizes that workers report: those of the values an instruction read and made."""

from pathlib import Path
from typing import Any

import pytest

from executor.extents import UNKNOWN, extents
from planner.graph import Op
from planner.ops import Columns, Encode, Fit, Folds, Predict, Score
from planner.ops_encode import EncodeBlock
from tests.inprocess import Engine
from tests.planner.planning_cases import NUMBERS, RIDGE, flats

Sizes = list[Any]
CITY = {"columns": ["city", "kind"], "steps": ["OneHotEncoder(handle_unknown='ignore')"]}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine(Path(tmp_path_factory.mktemp("extents")), flats=flats())


def sizes(engine: Engine, **changes: Any) -> dict[type[Op], Sizes]:
    """Of the newest instruction of each kind."""
    spec = {**RIDGE, "metrics": ["r2"], "model": "SVR()", **changes}
    engine.forget()
    found: dict[type[Op], Sizes] = {}
    for task in engine.compile(spec, cv="KFold(3)").plan.tasks:
        for name, _, seconds, position, reported in engine.task(task)["timings"]:
            op = task.instructions[position].op
            assert name == type(op).__name__
            assert seconds >= 0
            found[type(op)] = reported
    return found


def test_dense_features(engine: Engine) -> None:
    steps = ["SimpleImputer()", "PolynomialFeatures(2, interaction_only=True)", "PCA(2)"]
    found = sizes(engine, features=[{"columns": NUMBERS, "steps": steps}])
    assert found[Folds][0] == 90
    assert found[Columns][3] == 3
    assert found[Encode] == [60, 7, 0.0, 2, 0.0, 30, 1]  # PCA
    assert found[Fit][:2] == [60, 2]
    assert found[Fit][5] == 30
    assert found[Predict][:2] == [30, 2]
    assert found[Score][0] == 30


def test_sparse_features(engine: Engine) -> None:
    found = sizes(engine, features=[CITY], model="Lasso(positive=True)")
    rows, columns, stored, out, out_stored, valid, classes = found[EncodeBlock]
    assert (rows, columns, stored, valid, classes) == (60, 2, 0.0, 30, 1)
    assert (out, out_stored) == (7, 2.0)  # four cities, none, two kinds; two ones a row


def test_classes(engine: Engine) -> None:
    found = sizes(engine, target="grade", metrics=["accuracy"], model="SVC()")
    assert found[Fit][6] == found[Predict][6] == 3


class Broken:
    @property
    def shape(self) -> tuple[int, ...]:
        raise RuntimeError("no shape")


@pytest.mark.parametrize("value", [Broken(), None, [], [(1, 2)], (), "text", object()])
def test_what_has_no_size_is_no_error(value: Any) -> None:
    assert extents([value], value, 0)[:2] == UNKNOWN[:2]
