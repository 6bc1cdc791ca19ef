"""DuckDB's own parser as a library: text to parse tree and back, and walks over the tree.

Input: SQL text. Output: trees as DuckDB's ``json_serialize_sql`` gives them, without source
positions and with constants in forms that survive printing. The engine behind it is an in-memory
database that holds nothing, may open nothing (no files, no extensions, no settings) and is only
ever asked to parse and to bind.
"""

import json
import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import duckdb

from planner.errors import SpecError

Tree = dict[str, Any]
MAX_SQL = 20_000
MAX_GENERATED = 400_000
# Parts of a SELECT that are empty where it is a bare expression.
_CLAUSES = (
    "modifiers",
    "where_clause",
    "group_expressions",
    "group_sets",
    "having",
    "sample",
    "qualify",
)
_STAR: Tree = {
    "class": "STAR",
    "type": "STAR",
    "alias": "",
    "relation_name": "",
    "exclude_list": [],
    "replace_list": [],
    "columns": False,
    "expr": None,
    "qualified_exclude_list": [],
    "rename_list": [],
}
MAX_DEPTH = 500  # containers; an operator takes two


@cache
def _database() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        ":memory:", config={"threads": "1", "python_enable_replacements": "false"}
    )
    # Zone before lock-down: the setting lives in an extension that is built in but loaded lazily.
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def connection() -> duckdb.DuckDBPyConnection:
    """A cursor of the parser database; cursors may be used from several threads at once."""
    return _database().cursor()


def answer(sql: str) -> tuple[Any, ...] | None:
    """The first row of a query, with its values written out: to take a Python parameter, DuckDB
    imports NumPy, pandas and Arrow, which is most of a second and 100 MB."""
    row: tuple[Any, ...] | None = connection().execute(sql).fetchone()
    return row


def quote(name: str) -> str:
    """`name` as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """`value` as an SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def statements(sql: str, path: str) -> list[Tree]:
    """The parse trees of the statements in `sql`, which must all be SELECTs.

    Raises:
        SpecError: `invalid_sql` if it does not parse, `forbidden_sql` for other statements.
    """
    if len(sql) > MAX_GENERATED:
        raise SpecError("invalid_sql", "The SQL is too long.", path=path)
    bad = next((c for c in sql if ord(c) < 32 and c not in "\t\n\r"), None)
    if bad is not None:
        raise SpecError("invalid_sql", f"The SQL holds the control character {bad!r}.", path=path)
    try:
        row = answer(f"SELECT json_serialize_sql({literal(sql)})")
        assert row is not None
        parsed = json.loads(row[0], object_hook=_clean)
    except RecursionError:
        raise _too_deep(path) from None
    except (duckdb.Error, UnicodeError, ValueError) as error:
        raise SpecError("invalid_sql", f"SQL error: {first_line(error)}", path=path) from None
    if not parsed["error"]:
        found: list[Tree] = parsed["statements"]
        if _depth(found) > MAX_DEPTH:
            raise _too_deep(path)
        return found
    message = str(parsed.get("error_message", "")).strip()
    if "serialized" in message or "CTE needs a SELECT" in message:
        raise SpecError(
            "forbidden_sql",
            "Only a single read-only SELECT is accepted.",
            path=path,
            hint="Write SELECT ... FROM ...; nothing can be changed, copied, set or attached.",
        )
    raise SpecError("invalid_sql", f"The SQL does not parse: {first_line(message)}.", path=path)


def _too_deep(path: str) -> SpecError:
    return SpecError(
        "invalid_sql",
        "The SQL is nested too deeply.",
        path=path,
        hint="Derive parts of it as columns first, or sum a list: list_sum([a, b, c]).",
    )


def first_line(error: object) -> str:
    """DuckDB's message without its kind, candidates, caret and trailing stop."""
    line = str(error).strip().splitlines()[0] if str(error).strip() else "unknown error"
    head, _, tail = line.partition(" Error: ")
    return (tail if tail and len(head.split()) <= 4 else line).strip().rstrip(".")


def mentions(tree: Any, names: frozenset[str]) -> bool:
    """Whether a function of `names`, or any window, is called in `tree`."""
    return any(
        node.get("class") == "WINDOW" or node.get("function_name") in names for node in nodes(tree)
    )


def expression(text: str, path: str, what: str = "expression") -> Tree:
    """The tree of one scalar expression, and proof that the text is nothing more than that."""
    if len(text) > MAX_SQL:
        raise SpecError(
            "invalid_sql", f"The {what} is longer than {MAX_SQL} characters.", path=path
        )
    # Text left open (a comment) or closed early (a bracket) shows in the tree below.
    found = statements(f"SELECT (\n{text}\n)", path)
    node = found[0].get("node", {}) if len(found) == 1 else {}
    plain = (
        node.get("type") == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and node["from_table"]["type"] == "EMPTY"
        and node["aggregate_handling"] == "STANDARD_HANDLING"
        and not any(node[part] for part in _CLAUSES)
        and not node["cte_map"]["map"]
        and not node["select_list"][0]["alias"]
        and not found[0].get("named_param_map")
    )
    if not plain:
        raise SpecError(
            "forbidden_sql",
            f"This is not a single SQL expression: {shorten(text)}",
            path=path,
            hint="Write one scalar expression without AS, FROM, ';' or further columns.",
        )
    item: Tree = node["select_list"][0]
    return item


def render_expression(tree: Tree, path: str) -> str:
    """`tree` as SQL text, checked to parse back to the very same tree."""
    shell = _shell()
    text = render_select(shell | {"node": shell["node"] | {"select_list": [tree]}}, path)
    return text.removeprefix("SELECT ").strip()


@cache
def _shell() -> Tree:
    return statements("SELECT 1", "")[0]


def render_select(statement: Tree, path: str) -> str:
    """A statement tree as SQL text, checked to parse back to the very same tree."""
    document = json.dumps({"error": False, "statements": [statement]}, allow_nan=False)
    try:
        row = answer(f"SELECT json_deserialize_sql({literal(document)})")
    except duckdb.Error as error:
        raise SpecError("invalid_sql", f"SQL error: {first_line(error)}", path=path) from None
    assert row is not None
    text = str(row[0])
    again = statements(text, path)
    if len(again) != 1 or _flat_values(again[0]) != _flat_values(statement):
        raise SpecError(
            "invalid_sql",
            "This SQL uses a form that cannot be handled faithfully.",
            path=path,
            hint="Write it with simpler constructs.",
        )
    return text


def _clean(tree: Tree) -> Tree:
    tree.pop("query_location", None)
    return _constant(tree) if tree.get("class") == "CONSTANT" else tree


def _depth(tree: Any) -> int:
    deepest = 0
    stack = [(tree, 1)]
    while stack:
        item, level = stack.pop()
        deepest = max(deepest, level)
        stack.extend((child, level + 1) for child in children(item))
    return deepest


def _flat_values(statement: Tree) -> Tree:
    """`statement` with VALUES lists taken out of the sub-query that printing puts around them."""

    def flatten(tree: Tree) -> Tree:
        if tree.get("type") != "SUBQUERY" or "class" in tree or tree["column_name_alias"]:
            return tree
        inner = tree["subquery"]["node"]
        source: Tree = inner.get("from_table") or {}
        if source.get("type") != "EXPRESSION_LIST" or source["alias"] != tree["alias"]:
            return tree
        trivial = not any(inner[part] for part in _CLAUSES) and inner["select_list"] == [_STAR]
        return source if trivial else tree

    if not any(node.get("type") == "EXPRESSION_LIST" for node in nodes(statement)):
        return statement
    flat: Tree = json.loads(json.dumps(statement), object_hook=flatten)
    return flat


def _constant(tree: Tree) -> Tree:
    value = tree["value"]
    kind = value["type"]["id"]
    if value.get("is_null") or kind not in ("DOUBLE", "FLOAT", "BOOLEAN"):
        return tree
    # Printed bare, 1e10 would come back as a DECIMAL and true as a cast.
    content = value["value"]
    if kind == "BOOLEAN":
        text = "t" if content else "f"
    else:
        text = "inf" if content == math.inf else repr(float(content))
    return cast(string(text, tree.get("alias", "")), kind)


def string(text: str, alias: str = "") -> Tree:
    """A string constant."""
    value = {"type": {"id": "VARCHAR", "type_info": None}, "is_null": False, "value": text}
    return {"class": "CONSTANT", "type": "VALUE_CONSTANT", "alias": alias, "value": value}


def cast(child: Tree, type_id: str) -> Tree:
    """`child` cast to a plain type; an alias of the child moves to the cast."""
    return {
        "class": "CAST",
        "type": "OPERATOR_CAST",
        "alias": child["alias"],
        "child": child | {"alias": ""},
        "cast_type": {"id": type_id, "type_info": None},
        "try_cast": False,
    }


def column(*names: str) -> Tree:
    """A column reference."""
    return {
        "class": "COLUMN_REF",
        "type": "COLUMN_REF",
        "alias": "",
        "column_names": list(names),
    }


def children(tree: Any) -> Iterator[Any]:
    """The dicts and lists directly inside `tree`; not the payload of constants."""
    if isinstance(tree, list):
        values: Iterator[Any] = iter(tree)
    elif tree.get("class") == "CONSTANT":
        return
    else:
        values = iter(tree.values())
    for value in values:
        if isinstance(value, dict | list):
            yield value


def nodes(tree: Any) -> Iterator[Tree]:
    """Every dict in `tree`, outer before inner."""
    stack = [tree]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            yield item
        stack.extend(reversed(list(children(item))))


def lambda_parameters(tree: Tree) -> Iterator[str]:
    """The parameter names of a LAMBDA node."""
    left = tree["lhs"]
    for item in left["children"] if left["class"] == "FUNCTION" else [left]:
        yield ".".join(item.get("column_names", ["?", "?"]))


def rewrite(tree: Any, change: Callable[[Tree], Tree]) -> Any:
    """A copy of `tree` with `change` applied to every expression, inner before outer."""
    # The JSON round trip copies and visits at C speed and without Python's stack.
    return json.loads(
        json.dumps(tree), object_hook=lambda item: change(item) if "class" in item else item
    )


def shorten(text: str, limit: int = 80) -> str:
    """`text` on one line, cut to `limit` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 3] + "..."
