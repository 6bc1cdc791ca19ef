"""Pydantic's validation errors as our own, with near names for misspelt fields.

Input: a `ValidationError` and the model that was asked for. Output: a `SpecError` that names the
place in the request and the fields that may stand there.
"""

import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from planner.errors import SpecError, did_you_mean

ModelType = TypeVar("ModelType", bound=BaseModel)

# What stands for pydantic's types of errors, where a value has the wrong type.
_EXPECTED = {
    "string_type": "text", "int_type": "an integer", "int_parsing": "an integer",
    "int_from_float": "an integer", "float_type": "a number", "float_parsing": "a number",
    "bool_type": "true or false", "bool_parsing": "true or false", "list_type": "a list",
    "dict_type": "an object", "model_type": "an object", "model_attributes_type": "an object",
}  # fmt: skip


def validated(model: type[ModelType], data: Any, path: str = "") -> ModelType:
    """`data` as a `model`; SpecError as of `spec_error`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise spec_error(error, path, model) from None


def spec_error(error: ValidationError, path: str, model: type[BaseModel]) -> SpecError:
    """The gravest problem of `error` as a `SpecError` placed below `path`.

    Its code is `unknown_field`, `missing_field`, `invalid_budget` or `invalid_value`.
    """
    problems = [_Problem.of(found, path, model) for found in error.errors(include_url=False)]
    # Unions report every branch. One that lacks a field which another has was not meant.
    strange = {p.branch for p in problems if p.kind == "extra_forbidden" and p.field in p.fields}
    problems = [p for p in problems if p.branch not in strange] or problems
    # An unknown or missing field says most, then what is deepest.
    ranking = {"extra_forbidden": 0, "missing": 1}
    problem = min(problems, key=lambda p: (ranking.get(p.kind, 2), -p.depth))
    place, field = problem.place, problem.field
    if problem.kind == "extra_forbidden":
        names = problem.fields
        return SpecError(
            "unknown_field",
            f"There is no field '{field}' here.",
            path=place,
            hint=did_you_mean(field, names, f"The fields here are: {', '.join(names)}."),
        )
    if problem.kind == "missing":
        return SpecError("missing_field", f"The field '{field}' is required.", path=place)
    if problem.kind == "string_pattern_mismatch" and field == "memory":
        return SpecError(
            "invalid_budget",
            f"'{problem.given!s:.50}' is not an amount of memory.",
            path=place,
            hint="Write a positive number and a unit, such as '8GB' or '512MiB'.",
        )
    return SpecError("invalid_value", _message([p for p in problems if p.place == place]),
                     path=place)  # fmt: skip


def _message(problems: Sequence["_Problem"]) -> str:
    """What was expected, of all branches of a union that stand at one place."""
    expected = list(dict.fromkeys(p.expected for p in problems if p.expected))
    if not expected:
        return f"{problems[0].message}."
    listed = expected[0]
    if len(expected) > 1:
        listed = f"{', '.join(expected[:-1])} or {expected[-1]}"
    return f"Expected {listed}, not {problems[0].given!r:.60}."


@dataclass(frozen=True)
class _Problem:
    """One error of pydantic's, located.

    Attributes:
        branch: Location of the model it is about; branches of a union have different ones.
        fields: Names of the fields that may stand there, in any branch of a union.
    """

    kind: str
    message: str
    given: Any
    field: str
    place: str
    depth: int
    branch: tuple[int | str, ...]
    fields: tuple[str, ...]
    expected: str

    @classmethod
    def of(cls, found: Mapping[str, Any], path: str, model: type[BaseModel]) -> "_Problem":
        loc, kind = found["loc"], found["type"]
        about_field = kind in ("extra_forbidden", "missing")
        place, models = _locate(loc[:-1] if about_field else loc, path, model)
        field = str(loc[-1]) if loc else ""
        if about_field:
            place += f".{field}" if place else field
        expected = _EXPECTED.get(kind, "")
        if kind == "literal_error":
            expected = str(found["ctx"]["expected"])
        return cls(
            kind=kind,
            message=found["msg"],
            given=found["input"],
            field=field,
            place=place,
            depth=len(loc),
            branch=loc[:-1] if about_field else loc,
            fields=tuple(dict.fromkeys(n for m in models for n in _field_names(m))),
            expected=expected,
        )


def _field_names(model: type[BaseModel]) -> list[str]:
    return [info.alias or name for name, info in model.model_fields.items()]


def _locate(
    loc: Sequence[int | str], path: str, model: type[BaseModel]
) -> tuple[str, list[type[BaseModel]]]:
    """The place of `loc` in the request, and the models that may stand there.

    Pydantic's locations also name the branches of unions, which the sender has not written.
    """
    place = path
    current: list[Any] = [model]
    union: list[Any] = current
    for part in loc:
        if isinstance(part, int):
            place += f"[{part}]"
            union = current = [kind for item in current for kind in _items(item)]
            continue
        found = _fields(current, part)
        if found is not None:
            place += f".{part}" if place else part
            union = current = found
        else:
            current = [kind for kind in current if getattr(kind, "__name__", "") == part]
            current = current or union
    return place, [kind for kind in union if _is_model(kind)]


def _fields(current: Sequence[Any], part: str) -> list[Any] | None:
    """What the field `part` of a model among `current` may hold."""
    for kind in current:
        if _is_model(kind):
            for name, info in kind.model_fields.items():
                if part in (name, info.alias):
                    return _flat(info.annotation)
        elif get_origin(kind) in (dict, Mapping) and "[" not in part:
            return _flat((get_args(kind) or (Any, Any))[1])
    return None


def _items(kind: Any) -> list[Any]:
    inside = get_args(kind) if get_origin(kind) in (list, tuple, set, Sequence) else ()
    return [flat for argument in inside for flat in _flat(argument)]


def _flat(annotation: Any) -> list[Any]:
    """The branches of a union, without `Annotated` and None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _flat(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [flat for argument in get_args(annotation) for flat in _flat(argument)]
    if annotation is type(None) or origin is Literal:
        return []
    return [annotation]


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
