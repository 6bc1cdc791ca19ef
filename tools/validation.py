"""Pydantic's validation errors as our own, with near names for misspelt fields.

Input: a `ValidationError` and the model that was asked for. Output: a `SpecError` that names the
place in the request and the fields that may stand there.
"""

import types
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from planner.errors import SpecError, did_you_mean

ModelType = TypeVar("ModelType", bound=BaseModel)


def validated(model: type[ModelType], data: Any, path: str = "") -> ModelType:
    """`data` as a `model`; SpecError `unknown_field`, `missing_field` or `invalid_value`."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise spec_error(error, path, model) from None


def spec_error(error: ValidationError, path: str, model: type[BaseModel]) -> SpecError:
    """The first problem of `error` as a `SpecError` placed below `path`."""
    problems = error.errors(include_url=False, include_input=False)
    # Unions report every branch; an unknown or missing field says most.
    ranking = {"extra_forbidden": 0, "missing": 1}
    problem = min(problems, key=lambda p: (ranking.get(p["type"], 2), -len(p["loc"])))
    place, parent = _locate(problem["loc"], path, model)
    field = str(problem["loc"][-1]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        names = _field_names(parent)
        return SpecError(
            "unknown_field",
            f"There is no field '{field}' here.",
            path=place,
            hint=did_you_mean(field, names, f"The fields here are: {', '.join(names)}."),
        )
    if problem["type"] == "missing":
        return SpecError("missing_field", f"The field '{field}' is required.", path=place)
    return SpecError("invalid_value", f"{problem['msg']}.", path=place)


def _field_names(model: type[BaseModel] | None) -> list[str]:
    if model is None:
        return []
    return [info.alias or name for name, info in model.model_fields.items()]


def _locate(
    loc: Sequence[int | str], path: str, model: type[BaseModel]
) -> tuple[str, type[BaseModel] | None]:
    """The place of `loc` in the request, and the model that holds its last part.

    Pydantic's locations also name the branches of unions, which the sender has not written.
    """
    place, parent = path, model if len(loc) < 2 else None
    current: list[Any] = [model]
    for position, part in enumerate(loc):
        last = position == len(loc) - 1
        if isinstance(part, int):
            place += f"[{part}]"
            current = [kind for item in current for kind in _items(item)]
            continue
        found = _fields(current, part)
        if found is not None:
            place += f".{part}" if place else part
            parent, current = found
        elif branch := [kind for kind in current if getattr(kind, "__name__", "") == part]:
            current = branch
        elif last and (models := [kind for kind in current if _is_model(kind)]):
            place += f".{part}" if place else part
            parent = models[0]
    return place, parent


def _fields(current: Sequence[Any], part: str) -> tuple[type[BaseModel] | None, list[Any]] | None:
    """The model among `current` with a field `part`, and what that field may hold."""
    for kind in current:
        if _is_model(kind):
            for name, info in kind.model_fields.items():
                if part in (name, info.alias):
                    return kind, _flat(info.annotation)
        elif get_origin(kind) in (dict, Mapping) and "[" not in part:
            return None, _flat((get_args(kind) or (Any, Any))[1])
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
