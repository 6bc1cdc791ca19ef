"""Refused requests: the code, the place, and what may stand there instead."""

from typing import Any

import pytest
from pydantic import BaseModel

from planner.errors import SpecError
from planner.spec import EvaluateSpec, PipelineSpec
from tools.requests import Batch
from tools.validation import validated

P: dict[str, Any] = {"dataset": "d", "target": "y", "model": "Ridge()"}


def refused(model: type[BaseModel], data: Any, path: str = "") -> SpecError:
    with pytest.raises(SpecError) as caught:
        validated(model, data, path)
    assert "constrained" not in str(caught.value)  # words of pydantic
    assert "literal[" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("fields", "place", "hint"),
    [
        ({"modle": "Ridge()"}, "modle", "'model'"),
        ({"target": {"colum": "y"}}, "target.colum", "'column'"),
        ({"model": {"estimator": "Ridge", "parms": {}}}, "model.parms", "'params'"),
        ({"features": [{"cols": "numeric"}]}, "features[0].cols", "'columns'"),
        (
            {"features": [{"columns": {"exept": ["a"]}}]},
            "features[0].columns.exept",
            "'except'",
        ),
        (
            {"features": [{"columns": "all", "steps": [{"estimatr": "PCA"}]}]},
            "features[0].steps[0].estimatr",
            "'estimator'",
        ),
        (
            {"features": [{"columns": {"min_cardinality": 3, "knd": "all"}}]},
            "features[0].columns.knd",
            "'kind'",
        ),
        (
            {"early_stopping": {"rounds": 5, "on": {"outer": 0.2}}},
            "early_stopping.on.outer",
            "inner",
        ),
    ],
)
def test_unknown_fields(fields: dict[str, Any], place: str, hint: str) -> None:
    error = refused(PipelineSpec, {**P, **fields}, "pipelines[3]")
    assert (error.code, error.path) == ("unknown_field", f"pipelines[3].{place}")
    assert hint in error.hint


@pytest.mark.parametrize(
    ("model", "data", "place", "words"),
    [
        (PipelineSpec, {**P, "target": 5}, "target", "text or an object"),
        (PipelineSpec, {**P, "model": None}, "model", "text or an object"),
        (PipelineSpec, {**P, "metrics": "r2"}, "metrics", "a list, not 'r2'"),
        (PipelineSpec, {**P, "prepare": [5]}, "prepare[0]", "an object"),
        (PipelineSpec, {**P, "seeds": [-1]}, "seeds[0]", "greater than or equal to 0"),
        (PipelineSpec, {**P, "remainder": "keep"}, "remainder", "'drop' or 'passthrough'"),
        (
            PipelineSpec,
            {**P, "features": [{"columns": {"kind": "nums"}}]},
            "features[0].columns.kind",
            "'numeric'",
        ),
        (
            PipelineSpec,
            {**P, "features": [{"columns": ["a", 5]}]},
            "features[0].columns[1]",
            "text",
        ),
        (
            PipelineSpec,
            {**P, "early_stopping": {"rounds": 5, "on": "inside"}},
            "early_stopping.on",
            "'validation' or an object",
        ),
        (EvaluateSpec, {"cv": 5}, "cv", "text or an object"),
        (EvaluateSpec, {"cv": {"holdout": 2}}, "cv.holdout", "less than 1"),
        (EvaluateSpec, {"order_by": 5}, "order_by", "text or a list"),
        (EvaluateSpec, {"budget": {"seconds": -1}}, "budget.seconds", "greater than 0"),
        (Batch, {"pipelines": ["x"]}, "pipelines[0]", "an object"),
        (Batch, {"pipelines": [P], "datasets": {"a": 5}}, "datasets.a", "text or an object"),
    ],
)
def test_wrong_values(model: type[BaseModel], data: Any, place: str, words: str) -> None:
    error = refused(model, data)
    assert (error.code, error.path) == ("invalid_value", place)
    assert words in error.message


@pytest.mark.parametrize("size", ["lots", "8XB", "-1GB", "GB"])
def test_memory_that_is_no_size(size: str) -> None:
    error = refused(Batch, {"pipelines": [P], "evaluate": {"budget": {"memory": size}}})
    assert (error.code, error.path) == ("invalid_budget", "evaluate.budget.memory")
    assert size in error.message
    assert "8GB" in error.hint


def test_missing_fields() -> None:
    error = refused(PipelineSpec, {"dataset": "d", "model": "Ridge()"}, "pipelines[0]")
    assert (error.code, error.path) == ("missing_field", "pipelines[0].target")
    error = refused(PipelineSpec, {**P, "metrics": [{"metrc": "fbeta"}]})
    assert (error.code, error.path) == ("missing_field", "metrics[0].metric")


def test_what_is_valid_passes() -> None:
    evaluate = {"budget": {"memory": "8GB", "seconds": 3}, "cv": {"holdout": 0.2}}
    batch = validated(Batch, {"pipelines": [P], "evaluate": evaluate})
    assert batch.evaluate.budget.memory == "8GB"
