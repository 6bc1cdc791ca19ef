"""Request models of the tools. Input: JSON of a tool call or a batch file."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from planner.spec import Budget, EvaluateSpec, Name

MAX_PIPELINES = 10_000
MAX_CONFIRMED = 10
JsonObject = dict[str, Any]


class Request(BaseModel):
    """Base: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AddDataset(Request):
    """A file or folder inside the workspace, to be registered under a name.

    Attributes:
        path: CSV, TSV, Parquet, JSON lines, Arrow, DuckDB or SQLite file, or a folder of them
            (registered as ``name.file`` each).
        name: Defaults to the file name without its ending.
        table: Table inside a DuckDB or SQLite file.
        na_values: Texts to read as missing, besides empty fields.
        delimiter: CSV delimiter; sniffed if omitted.
        encoding: Of a text file, if it is not UTF-8.
        dayfirst: Whether dates such as 03/04/2020 start with the day, where the data leave it
            open.
        as_text: Columns to keep as text.
    """

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    name: Name | None = None
    table: Name | None = None
    na_values: Annotated[list[str], Field(max_length=100)] = []
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    encoding: Name | None = None
    dayfirst: bool | None = None
    as_text: Annotated[list[Name], Field(max_length=10_000)] | None = None


class EvaluatePipelines(Request):
    """Pipelines to score, and how. A pipeline is a spec, a blend of others (``{"blend": {...}}``),
    a patch of one (``{"from": name or id, ...}``), or ``{"base": spec, "variants": [patch, ...]}``.
    """

    pipelines: Annotated[list[JsonObject], Field(min_length=1, max_length=MAX_PIPELINES)]
    evaluate: EvaluateSpec = EvaluateSpec()


class ConfirmEvaluations(Request):
    """Evaluations whose settings keep a hold-out, to be scored on it.

    Attributes:
        confirm: Ids or names: a few finalists, since each look weakens the hold-out.
        budget: As of any job.
    """

    confirm: Annotated[list[Name], Field(min_length=1, max_length=MAX_CONFIRMED)]
    budget: Budget = Budget()


class SearchPipelines(Request):
    """A spec with choices to explore within a budget. With a hold-out, the best three are
    confirmed on it.

    Attributes:
        pipeline: A spec with ``choose(...)`` in expressions or ``{"choose": [...]}`` anywhere.
        strategy: ``grid`` tries combinations in order, ``random`` a seeded sample of them.
        trials: At most this many combinations.
        seed: Of the random strategy.
    """

    pipeline: JsonObject
    evaluate: EvaluateSpec = EvaluateSpec()
    strategy: Literal["grid", "random"] = "random"
    trials: Annotated[int, Field(ge=1, le=MAX_PIPELINES)] = 50
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0


class Batch(Request):
    """A batch file: ``{"datasets": {name: path}, "evaluate": {...}, "pipelines": [...]}``."""

    datasets: dict[str, str | AddDataset] = {}
    evaluate: EvaluateSpec = EvaluateSpec()
    pipelines: Annotated[list[JsonObject], Field(min_length=1, max_length=MAX_PIPELINES)]


__all__ = [
    "MAX_CONFIRMED",
    "MAX_PIPELINES",
    "AddDataset",
    "Batch",
    "Budget",
    "ConfirmEvaluations",
    "EvaluatePipelines",
    "EvaluateSpec",
    "SearchPipelines",
]
