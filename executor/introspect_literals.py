"""Python objects, as libraries use them for defaults, to the literals of expressions.

Input: a default value. Output: the literal that stands for it, or OPAQUE.
"""

import importlib
from typing import Any

from executor.introspect_tables import FUNCTIONS, TYPES, locate
from planner.expression_types import Call, Function, Items, Literal, Pairs
from planner.registry import NoDefault


def to_literal(value: Any) -> Literal | NoDefault:
    """The literal for `value`; OPAQUE if there is none."""
    if type(value).__module__ == "numpy" and hasattr(value, "item"):
        value = value.item()
    if value is None or type(value) in (bool, int, float, str):
        return value  # type: ignore[no-any-return]
    if isinstance(value, list | tuple):
        inner = [to_literal(item) for item in value]
        kept = [item for item in inner if not isinstance(item, NoDefault)]
        if len(kept) < len(inner):
            return NoDefault.OPAQUE
        return Items("list" if isinstance(value, list) else "tuple", tuple(kept))
    if isinstance(value, dict):
        return Pairs(()) if not value else NoDefault.OPAQUE
    for name, module in (FUNCTIONS | TYPES).items():
        if value is getattr(importlib.import_module(module), name):
            return Function(name)
    return _estimator(value)


def _estimator(value: Any) -> Literal | NoDefault:
    """An estimator given as a default, such as skrub's ``high_cardinality=StringEncoder()``."""
    name = type(value).__name__
    try:
        _, found = locate(name)
    except KeyError:
        return NoDefault.OPAQUE
    if found is not type(value) or not hasattr(value, "get_params"):
        return NoDefault.OPAQUE
    plain = found().get_params(deep=False)
    params: list[tuple[str, Literal]] = []
    for key, item in sorted(value.get_params(deep=False).items()):
        literal, default = to_literal(item), to_literal(plain[key])
        if isinstance(literal, NoDefault):
            return NoDefault.OPAQUE
        if repr(literal) != repr(default):
            params.append((key, literal))
    return Call(name, tuple(params))
