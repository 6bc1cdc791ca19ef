"""The allow-list over DuckDB's parse tree.

Input: a tree. Output: nothing, or a `SpecError`: `forbidden_sql` for what may not be used,
`unknown_function` for functions that do not exist. Whatever is not listed here is refused, so a
construct that a later DuckDB adds is refused until somebody has looked at it.
"""

from functools import cache
from typing import Any

from planner.errors import SpecError, did_you_mean
from planner.sqlconstants import check_constants
from planner.sqlfunctions import (
    AGGREGATE,
    DOMAIN,
    IMPURE,
    INSTEAD,
    MAX_LITERAL,
    MIN_ARGUMENTS,
    SCALAR,
    SIZED,
    TABLE_FUNCTIONS,
    WINDOW,
)
from planner.sqltree import Tree, children, connection, lambda_parameters
from planner.tableops import HIDDEN

_CLASSES = frozenset(
    "FUNCTION WINDOW COLUMN_REF CONSTANT COMPARISON CONJUNCTION OPERATOR CASE CAST BETWEEN "
    "LAMBDA COLLATE".split()
)
_SELECT_CLASSES = frozenset({"SUBQUERY", "STAR", "POSITIONAL_REFERENCE"})
_OPERATORS = frozenset(
    "COMPARE_IN COMPARE_NOT_IN OPERATOR_IS_NULL OPERATOR_IS_NOT_NULL OPERATOR_NOT "
    "OPERATOR_COALESCE OPERATOR_TRY OPERATOR_NULLIF ARRAY_EXTRACT ARRAY_SLICE STRUCT_EXTRACT "
    "ARRAY_CONSTRUCTOR".split()
)
# Dicts with a "type" but no "class": query nodes, table references, modifiers.
_NODES = frozenset(
    "SELECT_NODE SET_OPERATION_NODE BASE_TABLE EMPTY JOIN SUBQUERY TABLE_FUNCTION "
    "EXPRESSION_LIST ORDER_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER DISTINCT_MODIFIER "
    "ORDER_DEFAULT ASCENDING DESCENDING".split()
)
_TYPES = frozenset(
    "BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT "
    "FLOAT DOUBLE DECIMAL VARCHAR BLOB DATE TIME TIMESTAMP INTERVAL LIST STRUCT MAP ARRAY UUID "
    "ENUM".split()
)
_TYPE_PREFIXES = ("TIMESTAMP", "TIME WITH")
_COLLATIONS = frozenset({"nocase", "noaccent", "nfc"})
_MAX_GUARDS = 5


def check(tree: Any, path: str, *, select: bool = False) -> None:
    """Refuse everything in `tree` that is not allowed.

    Args:
        select: A whole query is looked at: sub-queries, stars and tables may appear.
    """
    stack: list[tuple[Any, int]] = [(tree, 0)]
    while stack:
        node, guards = stack.pop()
        if isinstance(node, dict):
            if "class" in node:
                _check_expression(node, path, select)
                guards += node["class"] == "FUNCTION" and node["function_name"] in DOMAIN
                if guards > _MAX_GUARDS:
                    raise SpecError(
                        "invalid_sql",
                        f"Logarithms and roots are nested more than {_MAX_GUARDS} deep.",
                        path=path,
                        hint="Derive the inner part as a column first.",
                    )
            elif isinstance(node.get("type"), str):
                _check_node(node, path, select)
        stack.extend((child, guards) for child in children(node))
    check_constants(tree, path)


def _forbidden(what: str, path: str, hint: str = "") -> SpecError:
    return SpecError("forbidden_sql", f"{what} is not allowed here.", path=path, hint=hint)


def _check_expression(node: Tree, path: str, select: bool) -> None:
    kind, subtype = node["class"], node["type"]
    if kind in ("FUNCTION", "WINDOW"):
        _check_function(node, path, select)
    elif kind == "OPERATOR":
        if subtype not in _OPERATORS and not (select and subtype == "GROUPING_FUNCTION"):
            raise _forbidden(f"The operator {subtype}", path)
    elif kind == "CAST":
        _check_type(node["cast_type"], path)
    elif kind == "CONSTANT":
        _check_type(node["value"]["type"], path)
    elif kind == "COLLATE":
        if str(node["collation"]).lower() not in _COLLATIONS:
            raise _forbidden(f"The collation '{node['collation']}'", path)
    elif kind == "LAMBDA":
        for name in lambda_parameters(node):
            if "." in name or name.startswith(HIDDEN):
                raise _forbidden(f"The lambda parameter '{name}'", path)
    elif kind == "PARAMETER":
        raise _forbidden("A parameter ($1, ?)", path, "Write the value itself.")
    elif kind == "SUBQUERY" and not select:
        raise _forbidden(
            "A sub-query", path, 'Use a {"join": ...} or an {"sql": "SELECT ... FROM input"} step.'
        )
    elif kind == "STAR" and not select:
        raise _forbidden("* or COLUMNS(...)", path, "Name the columns one by one.")
    elif kind not in _CLASSES and not (select and kind in _SELECT_CLASSES):
        raise _forbidden(f"The expression form {kind}", path)


def _check_function(node: Tree, path: str, select: bool) -> None:
    name = str(node["function_name"]).lower()
    if node.get("catalog") or node.get("schema") not in ("", "main", None):
        raise _forbidden(f"A qualified function name ('{name}')", path, "Leave the schema out.")
    allowed = (
        name in SCALAR
        or name in AGGREGATE
        or name in WINDOW
        or (select and name in TABLE_FUNCTIONS)
    )
    if not allowed:
        raise _refusal(name, path)
    arguments = node["children"]
    if len(arguments) < MIN_ARGUMENTS.get(name, 0):
        raise _forbidden(f"{name}() of one argument, which reads the clock,", path)
    for position in SIZED.get(name, ()):
        if position < len(arguments) and not _small(arguments[position]):
            raise SpecError(
                "forbidden_sql",
                f"Argument {position + 1} of {name}() must be a literal number up to "
                f"{MAX_LITERAL:,}.",
                path=path,
            )


def _small(tree: Tree) -> bool:
    if tree["class"] == "FUNCTION" and tree["function_name"] == "-" and len(tree["children"]) == 1:
        tree = tree["children"][0]
    if tree["class"] != "CONSTANT":
        return False
    value = tree["value"].get("value", 0)
    return isinstance(value, int) and abs(value) <= MAX_LITERAL


@cache
def _known_functions() -> frozenset[str]:
    rows = connection().execute("SELECT DISTINCT function_name FROM duckdb_functions()")
    return frozenset(row[0].lower() for row in rows.fetchall())


def _refusal(name: str, path: str) -> SpecError:
    instead = INSTEAD.get(name)
    hint = f"Write {instead}." if instead else ""
    if name in IMPURE:
        return SpecError(
            "forbidden_sql",
            f"{name}() is not allowed: it gives another value at every run.",
            path=path,
            hint=hint or "Write a literal, such as DATE '2024-01-31'.",
        )
    if name in _known_functions():
        return SpecError("forbidden_sql", f"The function {name}() is not allowed.", path=path)
    return SpecError(
        "unknown_function",
        f"There is no SQL function {name}().",
        path=path,
        hint=hint or did_you_mean(name, SCALAR | AGGREGATE | WINDOW, "SQL means DuckDB's."),
    )


def _check_type(tree: Tree, path: str) -> None:
    """A type: DuckDB's own and nested ones of these, JSON, and ENUMs written out."""
    stack: list[Any] = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(item)
            continue
        if not isinstance(item, dict):
            continue
        identifier = item.get("id")
        if isinstance(identifier, str):
            info = item.get("type_info") or {}
            if identifier == "UNBOUND":
                name = str(info.get("name", "")).upper()
                if name not in ("ENUM", "JSON") or info.get("schema") or info.get("catalog"):
                    raise SpecError(
                        "unknown_type",
                        f"There is no type '{info.get('name', '?')}'.",
                        path=path,
                        hint=did_you_mean(name, _TYPES, "Use DuckDB's types, such as BIGINT."),
                    )
                continue
            known = identifier in _TYPES or identifier.startswith(_TYPE_PREFIXES)
            if not known and identifier not in ("NULL", "INTEGER_LITERAL", "STRING_LITERAL"):
                raise _forbidden(f"The type {identifier}", path)
        stack.extend(item.values())


def _check_node(node: Tree, path: str, select: bool) -> None:
    kind = node["type"]
    if kind.endswith("_TYPE_INFO"):
        return
    if kind == "RECURSIVE_CTE_NODE":
        raise _forbidden("A recursive query", path)
    if kind == "SHOW_REF":
        raise _forbidden("DESCRIBE, SHOW or SUMMARIZE", path)
    if kind not in _NODES:
        raise _forbidden(f"The SQL clause {kind}", path)
    if not select and kind not in ("ORDER_MODIFIER", "ORDER_DEFAULT", "ASCENDING", "DESCENDING"):
        raise _forbidden(f"The SQL clause {kind}", path)
    if node.get("sample"):
        raise _forbidden("TABLESAMPLE", path, 'Use a {"sample": ..., "seed": ...} step.')
    if kind == "BASE_TABLE" and node.get("at_clause"):
        raise _forbidden("AT (time travel)", path)
    if kind == "JOIN" and node["ref_type"] not in ("REGULAR", "CROSS", "NATURAL", "ASOF"):
        raise _forbidden(f"A {node['ref_type'].lower()} join", path)
    if kind == "TABLE_FUNCTION":
        function = node["function"]
        if function["class"] != "FUNCTION" or function["function_name"] not in TABLE_FUNCTIONS:
            raise _forbidden(f"The table function {function.get('function_name', '?')}()", path)
