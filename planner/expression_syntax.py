"""Expression text, or the dict form, to a tree of `RawCall`: syntax only, no names looked up.

Input: text or JSON of an agent. Output: `Raw` values; what is not a constructor call on literals
is refused here, before anything knows what it means.
"""

import ast
import math
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from planner.errors import SpecError
from planner.expression_types import Call, Function, Items, Literal, Pairs

MAX_TEXT = 20_000
MAX_DEPTH = 40
MAX_INTEGER = 2**64

# Dotted names are taken for their last part; the first says which library must have it.
ROOTS = {
    "sklearn": "sklearn",
    "lightgbm": "lightgbm",
    "lgb": "lightgbm",
    "lgbm": "lightgbm",
    "xgboost": "xgboost",
    "xgb": "xgboost",
    "skrub": "skrub",
    "catboost": "catboost",
    "cb": "catboost",
    "np": "numpy",
    "numpy": "numpy",
    "scipy": "scipy",
}


@dataclass(frozen=True)
class RawName:
    """A bare or dotted name; `library` is the one its root stands for, if dotted."""

    name: str
    library: str = ""


@dataclass(frozen=True)
class RawCall:
    """A call as written: arguments by position, then by keyword, in order."""

    function: RawName
    args: tuple["Raw", ...] = ()
    keywords: tuple[tuple[str, "Raw"], ...] = ()


@dataclass(frozen=True)
class RawItems:
    """A list or tuple as written."""

    kind: str
    values: tuple["Raw", ...]


@dataclass(frozen=True)
class RawPairs:
    """A dict as written."""

    items: tuple[tuple["Raw", "Raw"], ...]


Raw: TypeAlias = bool | int | float | str | RawName | RawCall | RawItems | RawPairs | None

_VALUE_HINT = "Write the value itself: a number, string, list, tuple, dict or another estimator."
_REFUSED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Attribute: (
        "Attribute access",
        "Only names of known libraries may be dotted, as in sklearn.linear_model.Ridge(...).",
    ),
    ast.Lambda: (
        "A lambda",
        "Name a function such as log1p, or derive the column in `prepare`.",
    ),
    ast.Subscript: ("A subscript", _VALUE_HINT),
    ast.NamedExpr: ("An assignment", _VALUE_HINT),
    ast.Starred: ("A starred argument", "Write the arguments one by one."),
    ast.JoinedStr: ("An f-string", "Write a plain string."),
    ast.IfExp: ("A conditional", "Write choose(a, b) to try both."),
    ast.Set: ("A set", "Write a list."),
    ast.BinOp: (
        "Arithmetic",
        "Write the number itself; kernels combine as Sum(a, b) and Product(a, b).",
    ),
    ast.BoolOp: ("A boolean operator", _VALUE_HINT),
    ast.Compare: ("A comparison", _VALUE_HINT),
    ast.Await: ("An await", _VALUE_HINT),
    ast.Yield: ("A yield", _VALUE_HINT),
    ast.YieldFrom: ("A yield", _VALUE_HINT),
    ast.ListComp: ("A comprehension", "Write the list out."),
    ast.SetComp: ("A comprehension", "Write the list out."),
    ast.DictComp: ("A comprehension", "Write the dict out."),
    ast.GeneratorExp: ("A generator", "Write the list out."),
}


def invalid(message: str, hint: str = "", where: ast.AST | None = None) -> SpecError:
    """An `invalid_expression` error, with the column (1-based) of `where` in the message."""
    if where is not None:
        line, column = getattr(where, "lineno", 1), getattr(where, "col_offset", 0) + 1
        place = f"column {column}" if line == 1 else f"line {line}, column {column}"
        message = f"{message} ({place})"
    return SpecError("invalid_expression", f"{message}.", hint=hint)


def parse_tree(text: str) -> ast.expr:
    """The AST of one Python expression; surrounding white space is ignored.

    Raises:
        SpecError: `invalid_expression` if it is too long, too deep or not Python.
    """
    if len(text) > MAX_TEXT:
        raise invalid(
            f"The expression has {len(text)} characters; at most {MAX_TEXT} are accepted",
            "Split it: features, model and data steps have fields of their own.",
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # '\w' in a pattern is meant as it stands
            return ast.parse(text.strip(), mode="eval").body
    except SyntaxError as error:
        place = f" (line {error.lineno}, column {error.offset})" if error.offset else ""
        raise invalid(
            f"'{_shorten(text)}' is not a valid expression: {_shorten(str(error.msg))}{place}",
            "Write a constructor call such as Ridge(alpha=0.1).",
        ) from None
    except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        reason = "nested too deeply" if not isinstance(error, ValueError) else str(error)
        raise invalid(f"'{_shorten(text)}' cannot be read: {reason}") from None


def parse_text(text: str) -> Raw:
    """The raw tree of expression `text`."""
    return _convert(parse_tree(text), 0)


def _shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _convert(node: ast.expr, depth: int) -> Raw:
    if depth > MAX_DEPTH:
        raise invalid(f"The expression is nested more than {MAX_DEPTH} deep", where=node)
    depth += 1
    match node:
        case ast.Constant(value=constant):
            return _constant(constant, node)
        case ast.Name(id=name):
            return RawName(name)
        case ast.Attribute():
            return _dotted(node)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            value = _convert(operand, depth)
            if isinstance(value, RawName) and value.name in ("nan", "inf"):
                value = float(value.name)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise invalid("A sign may stand before a number only", _VALUE_HINT, node)
            return -value if isinstance(sign, ast.USub) else value
        case ast.List(elts=elements):
            return RawItems("list", tuple(_convert(item, depth) for item in elements))
        case ast.Tuple(elts=elements):
            return RawItems("tuple", tuple(_convert(item, depth) for item in elements))
        case ast.Dict(keys=keys, values=values):
            return RawPairs(
                tuple(
                    (_convert(_key(key, node), depth), _convert(value, depth))
                    for key, value in zip(keys, values, strict=True)
                )
            )
        case ast.Call():
            return _call(node, depth)
    what, hint = _REFUSED.get(type(node), ("This construct", _VALUE_HINT))
    raise invalid(f"{what} is not accepted in an expression", hint, node)


def _key(key: ast.expr | None, node: ast.expr) -> ast.expr:
    if key is None:
        raise invalid("Unpacking is not accepted in an expression", "Write the dict out.", node)
    return key


def _constant(value: object, node: ast.AST | None) -> Raw:
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        if abs(value) > MAX_INTEGER:
            raise invalid("An integer is out of range", "Integers go up to 2**64.", node)
        return value
    if isinstance(value, float):
        if math.isinf(value) and node is not None:
            raise invalid("A number is out of range", "Write inf for infinity.", node)
        return value
    what = {bytes: "A bytes literal", complex: "A complex number"}.get(type(value), "An ellipsis")
    raise invalid(f"{what} is not accepted in an expression", _VALUE_HINT, node)


def _dotted(node: ast.Attribute) -> RawName:
    names: list[str] = []
    at: ast.expr = node
    while isinstance(at, ast.Attribute):
        names.append(at.attr)
        at = at.value
    if not isinstance(at, ast.Name) or at.id not in ROOTS or any("__" in name for name in names):
        what, hint = _REFUSED[ast.Attribute]
        raise invalid(f"{what} is not accepted in an expression", hint, node)
    return RawName(names[0], ROOTS[at.id])


def _call(node: ast.Call, depth: int) -> Raw:
    if not isinstance(node.func, ast.Name | ast.Attribute):
        raise invalid("Only a name can be called", "Write a constructor call.", node.func)
    function = _convert(node.func, depth)
    assert isinstance(function, RawName)
    keywords: list[tuple[str, Raw]] = []
    for keyword in node.keywords:
        if keyword.arg is None:
            raise invalid(
                "Unpacking with ** is not accepted", "Write the arguments one by one.", node
            )
        keywords.append((keyword.arg, _convert(keyword.value, depth)))
    args = tuple(_convert(arg, depth) for arg in node.args)
    if function.name == "float" and len(args) == 1 and not keywords:
        return _float(args[0], node)
    return RawCall(function, args, tuple(keywords))


def _float(value: Raw, node: ast.AST) -> float:
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, str) and value.strip().lower() in ("nan", "inf", "-inf", "+inf"):
        return float(value)
    raise invalid("float(...) may hold 'nan', 'inf' or a number only", _VALUE_HINT, node)


_EXPRESSION = re.compile(r"[A-Za-z_][\w.]*\(.*\)", re.DOTALL)


def parse_dict(form: Mapping[str, Any]) -> Raw:
    """The raw tree of ``{"estimator": name, "params": {...}}``.

    Inside `params`, such dicts nest, and a string that reads as a call is one.
    """
    return _from_json(form, 0)


def _is_estimator(value: Mapping[Any, Any]) -> bool:
    return isinstance(value.get("estimator"), str) and set(value) <= {"estimator", "params"}


def _from_json(value: Any, depth: int) -> Raw:
    if depth > MAX_DEPTH:
        raise invalid(f"The parameters are nested more than {MAX_DEPTH} deep")
    depth += 1
    if isinstance(value, Mapping):
        if not _is_estimator(value):
            return RawPairs(
                tuple(
                    (_constant(key, None), _from_json(item, depth)) for key, item in value.items()
                )
            )
        raw = parse_text(value["estimator"])
        params = value.get("params") or {}
        if not isinstance(params, Mapping) or not all(isinstance(key, str) for key in params):
            raise invalid("`params` must be an object of parameters by name")
        given = tuple((name, _from_json(item, depth)) for name, item in params.items())
        if isinstance(raw, RawName):
            return RawCall(raw, (), given)
        if isinstance(raw, RawCall):
            return RawCall(raw.function, raw.args, raw.keywords + given)
        raise invalid("`estimator` must be the name of an estimator")
    if isinstance(value, list | tuple):
        kind = "list" if isinstance(value, list) else "tuple"
        return RawItems(kind, tuple(_from_json(item, depth) for item in value))
    if isinstance(value, str) and _EXPRESSION.fullmatch(value.strip()):
        try:
            return parse_text(value)
        except SpecError:
            return value  # a pattern or a format that only looks like a call
    return _constant(value, None)


@cache
def read_literal(text: str) -> Literal:
    """The value whose canonical text is `text`; names become functions, nothing is looked up."""
    return _literal(parse_text(text))


def _literal(raw: Raw) -> Literal:
    match raw:
        case RawName(name=name):
            return float(name) if name in ("nan", "inf") else Function(name)
        case RawCall(function=RawName(name="partial"), args=(RawName(name=name),)):
            return Function(name, tuple((key, _literal(value)) for key, value in raw.keywords))
        case RawCall():
            if raw.args:
                raise invalid("A canonical call has keyword arguments only")
            params = tuple(sorted((key, _literal(value)) for key, value in raw.keywords))
            return Call(raw.function.name, params)
        case RawItems():
            return Items(raw.kind, tuple(map(_literal, raw.values)))
        case RawPairs():
            return Pairs(tuple((_literal(key), _literal(value)) for key, value in raw.items))
        case _:
            return raw
