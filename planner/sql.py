"""SQL from agents: expressions and SELECTs, parsed, checked and put into canonical form.

Input: text, and the columns or tables it may read. Output: `ExpressionInfo` or `SelectInfo`;
the canonical text in them is printed from the very tree that was checked, and only that text is
ever run.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from planner.errors import SpecError, did_you_mean
from planner.schema import Schema
from planner.sqlcheck import check
from planner.sqlfunctions import AGGREGATE, SESSION_WORDS, WINDOW
from planner.sqlrewrite import guard_domains, order_rows, over_shape, put_over
from planner.sqltree import (
    MAX_SQL,
    Tree,
    children,
    expression,
    first_line,
    lambda_parameters,
    nodes,
    quote,
    render_expression,
    render_select,
    shorten,
    statements,
)
from planner.tableops import HIDDEN, ROW, Expr

__all__ = ["ExpressionInfo", "SelectInfo", "check_expression", "check_select", "first_line"]

Kind = Literal["scalar", "aggregate", "window"]
_MARK = "\ue000"
_SPLIT = re.compile(f'"{_MARK} ([0-9]+)"')
_NULLS = re.compile(r"\b(ignore|respect)\s+nulls\b", re.IGNORECASE)
_OVER = re.compile(r"\bover\b", re.IGNORECASE)
_MAX_CTES = 100


@dataclass(frozen=True)
class ExpressionInfo:
    """A checked expression.

    Attributes:
        columns: Columns it reads, each once, as the schema spells them.
        kind: Whether it holds a window, else an aggregate, else neither.
        text: Canonical SQL, every column quoted.
        expr: The template that the planner computes with.
    """

    columns: tuple[str, ...]
    kind: Kind
    text: str
    expr: Expr = field(repr=False)


@dataclass(frozen=True)
class SelectInfo:
    """A checked SELECT: the given tables it reads (as registered), and its canonical text."""

    tables: tuple[str, ...]
    text: str
    tree: Tree = field(repr=False, compare=False)


@dataclass(frozen=True)
class _Parsed:
    parts: tuple[str, ...]
    references: tuple[tuple[str, ...], ...]
    keys: tuple[bool, ...]
    kind: Kind


def check_expression(
    text: str, columns: Iterable[str], path: str, *, over: str | None = None
) -> ExpressionInfo:
    """Parse and check a scalar, aggregate or window expression over `columns`.

    Column names are matched as in SQL (ignoring case; odd names in double quotes). `over` is the
    inside of an OVER clause for bare aggregates and window functions.

    Raises:
        SpecError: `invalid_sql`, `forbidden_sql`, `unknown_function`, `unknown_column`,
            `unknown_type`.
    """
    try:
        parsed = _parse(text, over)
    except SpecError as error:
        raise SpecError(error.code, error.message, path=path, hint=error.hint) from None
    names = tuple(columns)
    by_fold: dict[str, str] = {}
    for name in names:
        by_fold.setdefault(name.lower(), name)
    exact = frozenset(names)
    parts = [parsed.parts[0]]
    found: list[str] = []
    for reference, part in zip(parsed.references, parsed.parts[1:], strict=True):
        column, rest = _resolve(reference, exact, by_fold, path)
        found.append(column)
        parts.append(rest + part)
    expr = Expr(tuple(parts), tuple(found), parsed.keys, shorten(text, 200))
    return ExpressionInfo(tuple(dict.fromkeys(found)), parsed.kind, expr.sql(), expr)


def _resolve(
    reference: tuple[str, ...], exact: frozenset[str], by_fold: Mapping[str, str], path: str
) -> tuple[str, str]:
    """The column that a dotted reference names, and what follows it (fields of a struct)."""
    head, *rest = reference
    column = head if head in exact else by_fold.get(head.lower())
    if column is None and rest and head.lower() == "input":
        head, *rest = rest
        column = head if head in exact else by_fold.get(head.lower())
    if column is not None:
        return column, "".join(f".{quote(name)}" for name in rest)
    if head.lower() in SESSION_WORDS and not rest:
        raise SpecError(
            "forbidden_sql",
            f"'{head}' is not a column, and reading the clock or the session is not allowed.",
            path=path,
        )
    dotted = ".".join(reference)
    listed = ", ".join(sorted(exact)[:20]) + (", ..." if len(exact) > 20 else "")
    otherwise = f"The table has: {listed}."
    hint = did_you_mean(dotted, exact, otherwise)
    if rest:
        hint += ' A name with dots in it is written in double quotes, as "a.b".'
    raise SpecError("unknown_column", f"There is no column '{dotted}'.", path=path, hint=hint)


@lru_cache(maxsize=8192)
def _parse(text: str, over: str | None) -> _Parsed:
    if _MARK in text or (over is not None and _MARK in over):
        raise SpecError("invalid_sql", "The SQL holds a private-use character.")
    try:
        if over is not None and _NULLS.search(text) and not _OVER.search(text):
            # DuckDB parses IGNORE NULLS only where OVER follows at once.
            over_shape(over, "")
            tree = expression(f"{text}\nOVER ({over})", "")
        else:
            tree = expression(text, "")
        if over is not None:
            tree = put_over(tree, over, "")
        _refuse_hidden(tree, "")
        check(tree, "")
        kind = _kind(tree)
        tree = order_rows(guard_domains(tree))
        references, keys = _mark(tree)
        printed = render_expression(tree, "")
    except RecursionError:
        raise SpecError("invalid_sql", "The SQL is nested too deeply.") from None
    pieces = _SPLIT.split(printed)
    numbers = [int(number) for number in pieces[1::2]]
    return _Parsed(
        tuple(pieces[0::2]),
        tuple(references[number] for number in numbers),
        tuple(keys[number] for number in numbers),
        kind,
    )


def _kind(tree: Tree) -> Kind:
    found: Kind = "scalar"
    stack: list[Any] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if node.get("class") == "WINDOW":
                return "window"
            name = node.get("function_name")
            if name in AGGREGATE or name in WINDOW:
                found = "aggregate"
        stack.extend(children(node))
    return found


def _mark(tree: Tree) -> tuple[list[tuple[str, ...]], list[bool]]:
    """Number the column references of `tree`, in place; lambda parameters are left alone."""
    references: list[tuple[str, ...]] = []
    keys: list[bool] = []
    stack: list[tuple[Any, frozenset[str], bool]] = [(tree, frozenset(), False)]
    while stack:
        node, bound, is_key = stack.pop()
        if isinstance(node, dict):
            if node.get("class") == "COLUMN_REF":
                names = node["column_names"]
                # The row id is put there by `order_rows`, never by a user.
                if names[0].lower() not in bound and names != [ROW]:
                    references.append(tuple(names))
                    keys.append(is_key)
                    node["column_names"] = [f"{_MARK} {len(references) - 1}"]
                continue
            if node.get("class") == "LAMBDA":
                inner = bound | {name.lower() for name in lambda_parameters(node)}
                stack.append((node["expr"], inner, is_key))
                continue
            if node.get("class") == "WINDOW":
                for name, value in node.items():
                    if isinstance(value, dict | list):
                        stack.append((value, bound, is_key or name in ("partitions", "orders")))
                continue
        stack.extend((child, bound, is_key) for child in children(node))
    return references, keys


def _refuse_hidden(tree: Any, path: str) -> None:
    for node in nodes(tree):
        names = [*node.get("column_names", []), node.get("alias") or "", node.get("table_name")]
        for name in names:
            if isinstance(name, str) and name.startswith(HIDDEN):
                raise SpecError(
                    "forbidden_sql",
                    f"'{name}': names beginning with '{HIDDEN}' are reserved.",
                    path=path,
                )


def check_select(text: str, tables: Mapping[str, Schema], path: str) -> SelectInfo:
    """Parse and check exactly one read-only SELECT over `tables` (and its own CTEs).

    Columns are not resolved here: binding the canonical text does that (`planner.binder`).

    Raises:
        SpecError: `invalid_sql` if it does not parse, `forbidden_sql` for anything else than a
            SELECT, for other tables, files, settings, and functions not on the allow-list.
    """
    try:
        info = _select(text, tuple(tables))
    except SpecError as error:
        raise SpecError(error.code, error.message, path=path, hint=error.hint) from None
    _refuse_session_words(info.tree, tables, info.tables, path)
    return info


@lru_cache(maxsize=512)
def _select(text: str, tables: tuple[str, ...]) -> SelectInfo:
    if len(text) > MAX_SQL:
        raise SpecError("invalid_sql", f"The SQL is longer than {MAX_SQL} characters.")
    if _MARK in text:
        raise SpecError("invalid_sql", "The SQL holds a private-use character.")
    found = statements(text, "")
    if len(found) != 1:
        raise SpecError("forbidden_sql", f"Exactly one SELECT is accepted, not {len(found)}.")
    statement = found[0]
    if statement.get("named_param_map"):
        raise SpecError("forbidden_sql", "Parameters are not allowed in SQL.")
    try:
        _refuse_hidden(statement, "")
        check(statement, "", select=True)
        used = _tables(statement, tables, "")
        statement = guard_domains(statement)
        canonical = render_select(statement, "")
    except RecursionError:
        raise SpecError("invalid_sql", "The SQL is nested too deeply.") from None
    return SelectInfo(used, canonical, statement)


def _tables(statement: Tree, tables: Iterable[str], path: str) -> tuple[str, ...]:
    """The given tables that `statement` reads. Scopes of CTEs are followed exactly: a name that
    is a CTE elsewhere in the query must not stand for a file or a system view here."""
    by_fold = {name.lower(): name for name in tables}
    used: list[str] = []
    count = 0
    stack: list[tuple[Any, frozenset[str]]] = [(statement, frozenset())]
    while stack:
        node, scope = stack.pop()
        if isinstance(node, dict):
            for entry in node.get("cte_map", {}).get("map", []):
                name = entry["key"]
                count += 1
                if name.lower() in by_fold or name.startswith(HIDDEN) or count > _MAX_CTES:
                    raise SpecError(
                        "invalid_sql",
                        f"The CTE '{name}' has the name of a table, or there are too many CTEs.",
                        path=path,
                        hint="Give the CTE another name.",
                    )
                stack.append((entry["value"], scope))
                scope = scope | {name.lower()}
            if node.get("type") == "BASE_TABLE" and "class" not in node:
                table = _given(node, by_fold, scope, path)
                if table:
                    used.append(table)
            if "cte_map" in node:
                node = {key: value for key, value in node.items() if key != "cte_map"}
        stack.extend((child, scope) for child in children(node))
    return tuple(sorted(set(used)))


def _given(node: Tree, by_fold: Mapping[str, str], scope: frozenset[str], path: str) -> str | None:
    """The given table that a table reference means; None if it means a CTE."""
    name = node["table_name"]
    if node["catalog_name"] or node["schema_name"]:
        raise SpecError(
            "forbidden_sql", f"The qualified table name of '{name}' is not allowed.", path=path
        )
    if name.lower() in scope:
        return None
    if name.lower() in by_fold:
        return by_fold[name.lower()]
    raise SpecError(
        "forbidden_sql" if re.search(r"[./:\\]", name) else "unknown_dataset",
        f"There is no table '{name}'.",
        path=path,
        hint=did_you_mean(
            name, by_fold.values(), f"Tables: {', '.join(list(by_fold.values())[:20])}."
        ),
    )


def _refuse_session_words(
    statement: Tree, tables: Mapping[str, Schema], used: Iterable[str], path: str
) -> None:
    columns = {name.lower() for table in used for name in tables[table].names}
    for node in nodes(statement):
        names = node.get("column_names", ())
        if len(names) == 1 and names[0].lower() in SESSION_WORDS - columns:
            raise SpecError(
                "forbidden_sql",
                f"'{names[0]}' reads the clock or the session, which is not allowed.",
                path=path,
            )
