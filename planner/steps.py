"""The data steps of ``prepare``: models of what an agent may write.

Input: the JSON of the steps. Output: validated, immutable models, one per step. Names of columns
and SQL are resolved later, by `planner.relational`.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, ValidationError

from planner.errors import SpecError, did_you_mean
from planner.spec import Expression, Model, Name

MAX_STEPS = 200
MAX_COLUMNS = 5_000

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr
Columns = Annotated[dict[Name, Expression], Field(min_length=1, max_length=MAX_COLUMNS)]
Names = Annotated[list[Name], Field(min_length=1, max_length=MAX_COLUMNS)]
SortKeys = Name | Names


class DeriveStep(Model):
    """New or overwritten columns, in the order written; later ones see earlier ones."""

    derive: Columns


class FilterStep(Model):
    """Keep rows where the SQL condition is true; ``"only": "train"`` drops training rows only."""

    filter: Expression
    only: Literal["train"] | None = None


class SelectStep(Model):
    """Keep these columns, in this order."""

    select: Names


class DropStep(Model):
    """Remove these columns."""

    drop: Name | Names


class RenameStep(Model):
    """Old name to new name, all at once."""

    rename: Annotated[dict[Name, Name], Field(min_length=1, max_length=MAX_COLUMNS)]


class CastStep(Model):
    """Column to SQL type (``BIGINT``, ``DOUBLE``, ``VARCHAR``, ``DATE``, ...).

    `errors`: a value that does not fit fails the pipeline (``"raise"``) or becomes NULL.
    """

    cast: Annotated[dict[Name, Name], Field(min_length=1, max_length=MAX_COLUMNS)]
    errors: Literal["raise", "null"] = "raise"


class FillStep(Model):
    """Column to the constant that stands in for its missing values."""

    fill: Annotated[dict[Name, Scalar], Field(min_length=1, max_length=MAX_COLUMNS)]


class ReplaceStep(Model):
    """Column to ``{old value: new value}``; null makes a value missing."""

    replace: Annotated[
        dict[
            Name, Annotated[dict[str, Scalar | None], Field(min_length=1, max_length=MAX_COLUMNS)]
        ],
        Field(min_length=1, max_length=MAX_COLUMNS),
    ]


class JoinSpec(Model):
    """The second table, and how its rows are found.

    `on` is a name, names, or ``{left name: right name}``; the right keys are not repeated in the
    result. Colliding names of the right table get `suffix`. A left row with several matches is
    refused unless `many`.
    """

    dataset: Name
    on: Name | Names | Annotated[dict[Name, Name], Field(min_length=1, max_length=100)]
    how: Literal["left", "inner"] = "left"
    columns: Names | None = None
    suffix: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    many: bool = False


class JoinStep(Model):
    """Columns of another dataset, or of a table made by ``aggregate ... as``."""

    join: JoinSpec


class AggregateSpec(Model):
    """Aggregates per group, put on every row; with `as`, a new table that can be joined."""

    by: Name | list[Name] = Field(default=[], max_length=200)
    columns: Columns
    as_: Name | None = Field(default=None, alias="as")


class AggregateStep(Model):
    """Group-wise values; NULL keys are a group of their own."""

    aggregate: AggregateSpec


class WindowSpec(Model):
    """Window functions over ``PARTITION BY partition_by ORDER BY order_by frame``.

    An expression with an OVER clause of its own keeps it. `order_by` entries are names, with
    ``desc`` and ``nulls first`` as in SQL; without it the row order counts. `frame` is SQL, such
    as ``rows between 6 preceding and current row``.
    """

    partition_by: Name | list[Name] = Field(default=[], max_length=200)
    order_by: Name | list[Name] = Field(default=[], max_length=200)
    frame: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    columns: Columns


class WindowStep(Model):
    """Lags, ranks, running and group-wise values; rows and their order stay."""

    window: WindowSpec


class SortStep(Model):
    """Sort by columns (``"date"``, ``"price desc"``); ties keep their order."""

    sort: SortKeys


class LimitStep(Model):
    """The first rows, after `offset` others."""

    limit: Annotated[StrictInt, Field(ge=0, le=2**62)]
    offset: Annotated[StrictInt, Field(ge=0, le=2**62)] = 0


class SampleStep(Model):
    """A fraction (below 1) or a number of rows, drawn by a hash of row and seed."""

    sample: Annotated[StrictInt, Field(ge=1, le=2**62)] | Annotated[StrictFloat, Field(gt=0, le=1)]
    seed: Annotated[StrictInt, Field(ge=0, lt=2**63)] = 0


class UnionStep(Model):
    """The rows of other datasets below these; columns by name.

    A column that a table lacks is an error, or NULL with ``"missing": "null"``.
    """

    union: Name | Annotated[list[Name], Field(min_length=1, max_length=50)]
    missing: Literal["error", "null"] = "error"


class SqlStep(Model):
    """One SELECT over ``input`` (the table so far) and any registered dataset."""

    sql: Expression


Step = (
    DeriveStep
    | FilterStep
    | SelectStep
    | DropStep
    | RenameStep
    | CastStep
    | FillStep
    | ReplaceStep
    | JoinStep
    | AggregateStep
    | WindowStep
    | SortStep
    | LimitStep
    | SampleStep
    | UnionStep
    | SqlStep
)

KINDS: dict[str, type[Model]] = {
    "derive": DeriveStep,
    "filter": FilterStep,
    "select": SelectStep,
    "drop": DropStep,
    "rename": RenameStep,
    "cast": CastStep,
    "fill": FillStep,
    "replace": ReplaceStep,
    "join": JoinStep,
    "aggregate": AggregateStep,
    "window": WindowStep,
    "sort": SortStep,
    "limit": LimitStep,
    "sample": SampleStep,
    "union": UnionStep,
    "sql": SqlStep,
}


def parse_steps(raw: Sequence[dict[str, Any]], path: str) -> tuple[Step, ...]:
    """The steps as models.

    Raises:
        SpecError: `unknown_step` (with near names), `invalid_step` with the path of the field at
            fault, `code_disabled` for python steps.
    """
    if len(raw) > MAX_STEPS:
        raise SpecError(
            "invalid_step", f"{len(raw)} steps; at most {MAX_STEPS} are accepted.", path=path
        )
    return tuple(_parse_step(step, f"{path}[{index}]") for index, step in enumerate(raw))


def _parse_step(raw: Any, path: str) -> Step:
    if not isinstance(raw, dict) or not raw:
        raise SpecError(
            "invalid_step",
            'A step is an object with one step name, such as {"derive": {...}}.',
            path=path,
        )
    named = [key for key in raw if key in KINDS]
    if "python" in raw:
        raise SpecError(
            "code_disabled",
            "Python steps are not accepted by this server.",
            path=f"{path}.python",
            hint="Write the step as SQL: derive, window, aggregate or sql.",
        )
    if not named:
        name = str(next(iter(raw)))
        raise SpecError(
            "unknown_step",
            f"There is no data step '{name}'.",
            path=path,
            hint=did_you_mean(name, KINDS, f"Steps: {', '.join(KINDS)}."),
        )
    model = KINDS[named[0]]
    extra = [key for key in named[1:] if key not in model.model_fields]
    if extra:
        raise SpecError(
            "invalid_step",
            f"A step has one name; here are '{named[0]}' and '{extra[0]}'.",
            path=path,
            hint="Write them as two steps, in the order they should run.",
        )
    try:
        return model.model_validate(raw)  # type: ignore[return-value]
    except ValidationError as error:
        raise _invalid(error, model, named[0], path) from None


def _invalid(error: ValidationError, model: type[Model], kind: str, path: str) -> SpecError:
    details = error.errors(include_url=False, include_input=False)
    # A field that does not exist says more than the one that is therefore missing.
    first = max(details, key=lambda item: (item["type"] == "extra_forbidden", len(item["loc"])))
    where = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}"
        for part in first["loc"]
        if isinstance(part, int) or not _is_tag(part)
    )
    hint = ""
    if first["type"] == "extra_forbidden":
        unknown = str(first["loc"][-1])
        fields = _fields(model)
        hint = did_you_mean(unknown, fields, f"Fields: {', '.join(fields)}.")
        message = f"'{kind}' has no field '{unknown}'."
    else:
        message = f"'{kind}': {first['msg'][0].lower()}{first['msg'][1:]}."
    return SpecError("invalid_step", message, path=path + where, hint=hint)


def _is_tag(part: str) -> bool:
    """Whether a part of pydantic's location names a union member and not a field."""
    return part in ("str", "int", "float", "bool") or part.startswith(
        ("list[", "dict[", "constrained-", "function-")
    )


def _fields(model: type[Model]) -> list[str]:
    names: list[str] = []
    for name, info in model.model_fields.items():
        names.append(info.alias or name)
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, Model):
            names.extend(field.alias or key for key, field in inner.model_fields.items())
    return names
