"""A bound on what constant parts of a query may grow to.

The binder computes some constant arguments (patterns, formats, counts) while it binds, in the
process that plans. What has no column in it is therefore kept small: functions that multiply
their input stand alone on short literals, and others are not stacked high. Expressions over
columns are not limited here; they run in a worker that can be killed.
"""

import re
from typing import Any

from planner.errors import SpecError
from planner.sqlfunctions import GROWING, MAX_LITERAL, PLAIN
from planner.sqltree import Tree, children, nodes

_MAX_STACKED = 3
_WIDTH = re.compile(r"\d{5,}")
_TRANSPARENT = frozenset({"unnest"})


def check_constants(tree: Any, path: str) -> None:
    """Refuse constant sub-expressions of `tree` that may become large (`forbidden_sql`)."""
    functions = [n for n in nodes(tree) if n.get("class") == "FUNCTION"]
    stacked = sum(n["function_name"] not in PLAIN for n in functions)
    growing = any(n["function_name"] in GROWING for n in functions)
    has_lambda = any(n.get("class") == "LAMBDA" for n in nodes(tree))
    if not (growing or has_lambda or stacked > _MAX_STACKED):
        return
    for node in _largest_constants(tree):
        inside = [n for n in nodes(node) if n.get("class") == "FUNCTION"]
        while inside and inside[0] is node and node["function_name"] in _TRANSPARENT:
            node = node["children"][0] if node["children"] else {}
            inside = inside[1:]
        if sum(n["function_name"] not in PLAIN for n in inside) > _MAX_STACKED:
            raise _refusal(path)
        if any(n.get("class") == "LAMBDA" for n in nodes(node)):
            raise _refusal(path)
        if any(n["function_name"] in GROWING for n in inside) and not _small_call(node):
            raise _refusal(path)


def _refusal(path: str) -> SpecError:
    return SpecError(
        "forbidden_sql",
        "A constant part of the SQL may become very large.",
        path=path,
        hint="Write its value as a literal.",
    )


def _largest_constants(tree: Any) -> list[Tree]:
    """Expressions without columns that are not part of a larger one; not single constants."""
    order: list[Any] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(children(node))
    varies: set[int] = set()
    for node in reversed(order):
        itself = isinstance(node, dict) and (
            node.get("class") in ("COLUMN_REF", "STAR", "SUBQUERY", "WINDOW")
            # Anything that is not an expression (a table, a query) is looked into.
            or ("class" not in node and "type" in node and isinstance(node["type"], str))
        )
        if itself or any(id(child) in varies for child in children(node)):
            varies.add(id(node))
    parameters = {
        id(inner)
        for node in order
        if isinstance(node, dict) and node.get("class") == "LAMBDA"
        for inner in nodes(node)
        if inner.get("class") == "COLUMN_REF" and _is_parameter(inner, node)
    }
    if parameters:
        return _largest_constants_of_lambdas(order, parameters)
    return _outermost(tree, varies)


def _is_parameter(reference: Tree, function: Tree) -> bool:
    left = function["lhs"]
    names = {
        item["column_names"][0].lower()
        for item in nodes(left)
        if item.get("class") == "COLUMN_REF"
    }
    return reference["column_names"][0].lower() in names


def _largest_constants_of_lambdas(order: list[Any], parameters: set[int]) -> list[Tree]:
    """As `_largest_constants`, where lambda parameters do not count as columns."""
    varies: set[int] = set()
    for node in reversed(order):
        itself = isinstance(node, dict) and (
            (node.get("class") == "COLUMN_REF" and id(node) not in parameters)
            or node.get("class") in ("STAR", "SUBQUERY", "WINDOW")
            or ("class" not in node and "type" in node and isinstance(node["type"], str))
        )
        if itself or any(id(child) in varies for child in children(node)):
            varies.add(id(node))
    return _outermost(order[0], varies)


def _outermost(tree: Any, varies: set[int]) -> list[Tree]:
    found: list[Tree] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        constant = isinstance(node, dict) and "class" in node and id(node) not in varies
        if constant:
            found.append(node)
        else:
            stack.extend(children(node))
    return found


def _small_call(node: Tree) -> bool:
    """Whether `node` is one growing function on literals, with a small result."""
    if node.get("class") != "FUNCTION" or node["function_name"] not in GROWING:
        return False
    size = 1
    for argument in node["children"]:
        negative = argument.get("function_name") == "-" and len(argument["children"]) == 1
        value = argument["children"][0] if negative else argument
        if value["class"] != "CONSTANT":
            return False
        content = value["value"].get("value")
        if isinstance(content, str):
            if _WIDTH.search(content):
                return False
            size *= max(1, len(content))
        elif isinstance(content, int):
            size = size * max(1, abs(content)) if node["function_name"] == "repeat" else size
    return size <= MAX_LITERAL
