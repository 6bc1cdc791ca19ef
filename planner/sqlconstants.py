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
from planner.sqltree import Tree, children, lambda_parameters, nodes

_MAX_STACKED = 3
_WIDTH = re.compile(r"\d{5,}")
_VARYING = frozenset({"STAR", "SUBQUERY", "WINDOW"})
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
        # An alias stands for an expression that may be large already.
        named = any(n.get("class") == "COLUMN_REF" for n in nodes(node))
        if named and any(n["function_name"] not in PLAIN for n in inside):
            raise _refusal(path)


def _refusal(path: str) -> SpecError:
    return SpecError(
        "forbidden_sql",
        "A constant part of the SQL may become very large.",
        path=path,
        hint="Write its value as a literal.",
    )


def _largest_constants(tree: Any) -> list[Tree]:
    """Expressions without columns that are not part of a larger one.

    What a lambda makes of constants is constant: its parameters count as columns only where the
    function that calls it is not constant itself.
    """
    parameters: dict[int, frozenset[int]] = {}
    for node in nodes(tree):
        if node.get("class") == "LAMBDA":
            names = {name.lower() for name in lambda_parameters(node)}
            parameters[id(node)] = frozenset(
                id(inner)
                for inner in nodes(node)
                if inner.get("class") == "COLUMN_REF" and inner["column_names"][0].lower() in names
            )
    bound = frozenset().union(*parameters.values())
    bound |= _constant_aliases(tree, bound)
    found: list[Tree] = []
    work: list[tuple[Any, frozenset[int]]] = [(tree, frozenset())]
    while work:
        root, free = work.pop()
        varies = _varying(root, bound - free)
        stack = [root]
        while stack:
            node = stack.pop()
            kind = node.get("class") if isinstance(node, dict) else None
            if kind == "LAMBDA":
                work.append((node["expr"], free | parameters[id(node)]))
            elif kind and id(node) not in varies:
                found.append(node)
            else:
                stack.extend(children(node))
    return found


def _constant_aliases(tree: Any, bound: frozenset[int]) -> frozenset[int]:
    """Ids of column references that may mean a constant named earlier in a select list."""
    references = [
        n for n in nodes(tree) if n.get("class") == "COLUMN_REF" and len(n["column_names"]) == 1
    ]
    found: frozenset[int] = frozenset()
    for query in nodes(tree):
        for item in query.get("select_list", ()):
            name = item["alias"].lower()
            if name and id(item) not in _varying(item, bound | found):
                found |= {id(n) for n in references if n["column_names"][0].lower() == name}
    return found


def _varying(tree: Any, bound: frozenset[int]) -> set[int]:
    """Ids of the parts of `tree` that hold a column (not one of `bound`), star or sub-query."""
    order: list[Any] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        order.append(node)
        stack.extend(children(node))
    varies: set[int] = set()
    for node in reversed(order):
        kind = node.get("class") if isinstance(node, dict) else None
        itself = kind in _VARYING or (kind == "COLUMN_REF" and id(node) not in bound)
        if itself or any(id(child) in varies for child in children(node)):
            varies.add(id(node))
    return varies


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
        elif isinstance(content, int) and node["function_name"] == "repeat":
            size *= max(1, abs(content))
    return size <= MAX_LITERAL
