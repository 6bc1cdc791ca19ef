"""Schemas that cost few tokens.

Input: JSON Schema as pydantic writes it. Output: schemas that say the same to an agent in fewer
words. All is checked by the models anyway; what is left out are titles, bounds of texts, null
where leaving a field out means the same, and defaults that say nothing. Docstrings of models are
for readers of the code; what they say of single attributes becomes the description of the field.
"""

import re
from typing import Any

JsonSchema = dict[str, Any]
_ATTRIBUTE = re.compile(r"^ {4}(\w+): ", re.MULTILINE)
_BRANCHES = ("anyOf", "oneOf", "allOf", "prefixItems")
_DROPPED = {"title", "minLength", "maxLength", "minItems", "pattern", "exclusiveMaximum"}
_DROPPED_OF_RESULTS = {"default", "description", "required"}
_NULL = {"type": "null"}


def input_schema(schema: JsonSchema) -> JsonSchema:
    """Keeps descriptions of fields, and defaults; unknown arguments are refused."""
    slim = _slim(schema, results=False)
    return {**slim, "additionalProperties": False}


def output_schema(schema: JsonSchema) -> JsonSchema:
    return _slim(schema, results=True)


def _slim(schema: JsonSchema, *, results: bool) -> JsonSchema:
    slim: JsonSchema = {}
    for key, value in schema.items():
        if key == "properties":
            slim[key] = {name: _slim(part, results=results) for name, part in value.items()}
        elif key == "$defs":
            slim[key] = {name: _definition(part, results) for name, part in value.items()}
        elif key in _DROPPED or (results and key in _DROPPED_OF_RESULTS):
            continue
        elif key == "default":
            if value is not None and not isinstance(value, list | dict):
                slim[key] = value
        elif key == "additionalProperties" and isinstance(value, bool):
            continue
        elif isinstance(value, dict):
            slim[key] = _slim(value, results=results)
        elif key in _BRANCHES:
            slim[key] = [_slim(part, results=results) for part in value]
        else:
            slim[key] = value
    return _without_null(slim, results)


def _without_null(slim: JsonSchema, results: bool) -> JsonSchema:
    """``{"anyOf": [X, null]}`` as X, or for results, where null does occur, as X or null."""
    branches = slim.get("anyOf")
    if not branches or _NULL not in branches:
        return slim
    rest = [branch for branch in branches if branch != _NULL]
    others = {key: value for key, value in slim.items() if key != "anyOf"}
    if not results:
        return {**rest[0], **others} if len(rest) == 1 else {"anyOf": rest, **others}
    if len(rest) == 1 and isinstance(rest[0].get("type"), str):
        return {**rest[0], "type": [rest[0]["type"], "null"], **others}
    return slim


def _definition(schema: JsonSchema, results: bool) -> JsonSchema:
    slim = _slim(schema, results=results)
    docstring = schema.get("description", "")
    slim.pop("description", None)
    if not results:
        for name, text in _attributes(docstring).items():
            if name in slim.get("properties", {}):
                slim["properties"][name].setdefault("description", text)
    return slim


def _attributes(docstring: str) -> dict[str, str]:
    """The section ``Attributes`` of a docstring, by name."""
    section = docstring.partition("Attributes:\n")[2]
    _, *parts = _ATTRIBUTE.split(section)
    return {
        name: " ".join(text.split()).replace("`", "")
        for name, text in zip(parts[::2], parts[1::2], strict=True)
    }
