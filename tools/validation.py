"""Pydantic's validation errors as our own, with near names for misspelt fields."""

from pydantic import BaseModel, ValidationError

from planner.errors import SpecError, did_you_mean


def spec_error(error: ValidationError, path: str, model: type[BaseModel]) -> SpecError:
    """The first problem of `error` as a `SpecError` placed below `path`."""
    problems = error.errors(include_url=False, include_input=False)
    # Unions report every branch; an unknown or missing field says most.
    ranking = {"extra_forbidden": 0, "missing": 1}
    problem = min(problems, key=lambda p: (ranking.get(p["type"], 2), -len(p["loc"])))
    place = path
    for part in problem["loc"]:
        if isinstance(part, int):
            place += f"[{part}]"
        elif part.isidentifier() and not part[:1].isupper() and "-" not in part:
            place += f".{part}" if place else part
    field = str(problem["loc"][-1]) if problem["loc"] else ""
    if problem["type"] == "extra_forbidden":
        names = [info.alias or name for name, info in model.model_fields.items()]
        return SpecError(
            "unknown_field",
            f"There is no field '{field}' here.",
            path=place,
            hint=did_you_mean(field, names, f"Fields of a {model.__name__}: {', '.join(names)}."),
        )
    if problem["type"] == "missing":
        return SpecError("missing_field", f"The field '{field}' is required.", path=place)
    return SpecError("invalid_value", f"{problem['msg']}.", path=place)
