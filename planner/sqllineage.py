"""Column lineage of an opaque SELECT, from its parse tree.

Input: the canonical text and the origins of the columns of its tables. Output: the origin of each
output column, and of what chooses its rows. Where a construct cannot be followed, every output
column is taken to come from every column that the query names (all, if it has a star).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from planner.origins import NOTHING, Origin, Origins, Source, merge
from planner.sqlfunctions import AGGREGATE
from planner.sqltree import Tree, children, lambda_parameters, nodes, statements

Tables = Mapping[str, Origins]
_Columns = list[tuple[str, Origin]]


@dataclass(frozen=True)
class Trace:
    """Origins by output column, and what filters, limits or sorts read."""

    columns: dict[str, Origin]
    rows: list[Origin]


def trace(text: str, tables: Tables, names: Sequence[str]) -> Trace:
    """Lineage of the query `text`, whose output columns are `names` (none: do not care)."""
    tree = _tree(text)["node"]
    tracer = _Tracer()
    try:
        given = {name.lower(): list(table.items()) for name, table in tables.items()}
        found = tracer.query(tree, given, ())
    except (_OpaqueError, RecursionError):
        found = []
    if names and len(found) == len(names):
        pairs = zip(names, found, strict=True)
        return Trace({name: origin for name, (_, origin) in pairs}, tracer.rows)
    if not names and found:
        return Trace({}, tracer.rows)
    everything = _everything(tree, tables)
    return Trace(dict.fromkeys(names, everything), [everything])


@lru_cache(maxsize=256)
def _tree(text: str) -> Tree:
    return statements(text, "")[0]


def _everything(tree: Tree, tables: Tables) -> Origin:
    mentioned: set[str] = set()
    every = False
    for node in nodes(tree):
        every = every or node.get("class") == "STAR" or node.get("ref_type") == "NATURAL"
        for name in [*node.get("column_names", []), *node.get("using_columns", [])]:
            mentioned.add(name.lower())
    return merge(
        origin
        for table in tables.values()
        for name, origin in table.items()
        if every or name.lower() in mentioned
    )


class _OpaqueError(Exception):
    """Something that is not followed."""


@dataclass
class _Relation:
    alias: str
    columns: _Columns
    hidden: set[str] = field(default_factory=set)  # not repeated by a star (USING)


_Scope = tuple[list[_Relation], ...]  # innermost first


class _Tracer:
    def __init__(self) -> None:
        self.rows: list[Origin] = []

    def query(self, node: Tree, tables: Mapping[str, _Columns], outer: _Scope) -> _Columns:
        known = dict(tables)
        for entry in node.get("cte_map", {}).get("map", []):
            value = entry["value"]
            columns = self.query(value["query"]["node"], known, outer)
            known[entry["key"].lower()] = _aliased(columns, value["aliases"])
        if node["type"] == "SET_OPERATION_NODE":
            return self.set_operation(node, known, outer)
        if node["type"] != "SELECT_NODE":
            raise _OpaqueError
        relations = self.source(node["from_table"], known, outer)
        scope = (relations, *outer)
        for clause in ("where_clause", "having", "qualify"):
            if node[clause]:
                origin = self.reads(node[clause], known, scope)
                self.rows.append(origin)
                if clause == "where_clause" and len(relations) > 1:
                    for relation in relations[1:]:
                        _add_keys(relation, origin.all)
        out = self.items(node, known, scope)
        for modifier in node["modifiers"]:
            self.modifier(modifier, out, known, scope)
        return out

    def set_operation(self, node: Tree, tables: Mapping[str, _Columns], outer: _Scope) -> _Columns:
        if "left" not in node:
            raise _OpaqueError
        left = self.query(node["left"], tables, outer)
        right = self.query(node["right"], tables, outer)
        if node["setop_type"] == "UNION_BY_NAME":
            merged: dict[str, tuple[str, Origin]] = {}
            for name, origin in [*left, *right]:
                first, old = merged.get(name.lower(), (name, Origin()))
                merged[name.lower()] = (first, merge([old, origin]))
            out = list(merged.values())
        elif len(left) == len(right):
            out = [(a, merge([x, y])) for (a, x), (_, y) in zip(left, right, strict=True)]
        else:
            raise _OpaqueError
        for modifier in node["modifiers"]:
            self.modifier(modifier, out, tables, ([_Relation("", out)], *outer))
        return out

    def modifier(
        self, node: Tree, out: _Columns, tables: Mapping[str, _Columns], scope: _Scope
    ) -> None:
        named = ([_Relation("", out)], *scope)
        for part in children(node):
            for item in part if isinstance(part, list) else [part]:
                tree = item.get("expression", item)
                if tree.get("class") == "CONSTANT":
                    self.rows.extend(self.positional(tree, out))
                elif tree.get("class") == "STAR":
                    self.rows.append(merge(origin for _, origin in out))
                elif "class" in tree:
                    self.rows.append(self.reads(tree, tables, named))

    @staticmethod
    def positional(tree: Tree, out: _Columns) -> list[Origin]:
        index = tree["value"].get("value")
        if isinstance(index, int) and 1 <= index <= len(out):
            return [out[index - 1][1]]
        return []

    def source(self, node: Tree, tables: Mapping[str, _Columns], outer: _Scope) -> list[_Relation]:
        kind = node["type"]
        alias = node.get("alias") or ""
        if kind == "EMPTY":
            return []
        if kind == "BASE_TABLE":
            columns = tables.get(node["table_name"].lower())
            if columns is None:
                raise _OpaqueError
            columns = _aliased(columns, node["column_name_alias"])
            return [_Relation(alias or node["table_name"], columns)]
        if kind == "SUBQUERY":
            columns = self.query(node["subquery"]["node"], tables, outer)
            return [_Relation(alias, _aliased(columns, node["column_name_alias"]))]
        if kind == "EXPRESSION_LIST":
            names = node["expected_names"] or [f"col{i}" for i in range(len(node["values"][0]))]
            cells = [self.reads(row, tables, outer) for row in node["values"]]
            return [_Relation(alias, [(name, merge(cells)) for name in names])]
        if kind == "JOIN":
            return self.join(node, tables, outer)
        raise _OpaqueError

    def join(self, node: Tree, tables: Mapping[str, _Columns], outer: _Scope) -> list[_Relation]:
        left = self.source(node["left"], tables, outer)
        right = self.source(node["right"], tables, (left, *outer))
        using = [name.lower() for name in node["using_columns"]]
        if node["ref_type"] == "NATURAL":
            theirs = {name.lower() for relation in right for name, _ in relation.columns}
            using = [n.lower() for r in left for n, _ in r.columns if n.lower() in theirs]
        read = [
            origin
            for relation in [*left, *right]
            for name, origin in relation.columns
            if name.lower() in using
        ]
        if node["condition"]:
            read.append(self.reads(node["condition"], tables, ([*left, *right], *outer)))
        origin = merge(read)
        kind = node["join_type"]
        if kind not in ("INNER", "LEFT", "RIGHT", "OUTER", "FULL", "SEMI", "ANTI"):
            raise _OpaqueError
        if kind != "LEFT" and read:
            self.rows.append(origin)
        if kind in ("SEMI", "ANTI"):
            return left
        for relation in right:
            relation.hidden |= set(using)
            _add_keys(relation, origin.all)
        if kind in ("RIGHT", "OUTER", "FULL"):
            for relation in left:
                relation.columns = [
                    (name, merge([own, origin] if name.lower() in using else [own], origin.all))
                    for name, own in relation.columns
                ]
        return [*left, *right]

    def items(self, node: Tree, tables: Mapping[str, _Columns], scope: _Scope) -> _Columns:
        out: _Columns = []
        has_aggregate: list[bool] = []
        for item in node["select_list"]:
            if item["class"] == "STAR":
                out.extend(self.star(item, tables, scope))
            else:
                # A later item may use the alias of an earlier one.
                named = (*scope, [_Relation("", list(out))])
                origin = self.reads(item, tables, named)
                last = item.get("column_names", [""])[-1]
                out.append((item["alias"] or last, origin))
            computed = item["class"] != "STAR" and _aggregates(item)
            has_aggregate.extend([computed] * (len(out) - len(has_aggregate)))
        grouped = self.group_keys(node, out, has_aggregate, tables, scope)
        return [
            (name, merge([origin], grouped) if computed else origin)
            for (name, origin), computed in zip(out, has_aggregate, strict=True)
        ]

    def group_keys(
        self,
        node: Tree,
        out: _Columns,
        has_aggregate: list[bool],
        tables: Mapping[str, _Columns],
        scope: _Scope,
    ) -> frozenset[Source]:
        found: list[Origin] = []
        if node["aggregate_handling"] != "STANDARD_HANDLING":
            found = [o for (_, o), is_one in zip(out, has_aggregate, strict=True) if not is_one]
        for group in node["group_expressions"]:
            if group.get("class") == "CONSTANT":
                found.extend(self.positional(group, out))
            else:
                found.append(self.reads(group, tables, (*scope, [_Relation("", out)])))
        return merge(found).all

    def star(self, item: Tree, tables: Mapping[str, _Columns], scope: _Scope) -> _Columns:
        plain = not (item["columns"] or item["expr"] or item["rename_list"])
        if not plain or item["qualified_exclude_list"]:
            raise _OpaqueError
        wanted = item["relation_name"].lower()
        excluded = {name.lower() for name in item["exclude_list"]}
        replaced = {entry["key"].lower(): entry["value"] for entry in item["replace_list"]}
        out: _Columns = []
        for relation in scope[0]:
            if wanted and relation.alias.lower() != wanted:
                continue
            for name, origin in relation.columns:
                folded = name.lower()
                if folded in excluded or (not wanted and folded in relation.hidden):
                    continue
                if folded in replaced:
                    origin = self.reads(replaced[folded], tables, scope)
                out.append((name, origin))
        return out

    def reads(self, tree: Any, tables: Mapping[str, _Columns], scope: _Scope) -> Origin:
        """Everything an expression reads: values, and the keys of its windows."""
        values: list[Origin] = []
        keys: list[Origin] = []
        stack: list[tuple[Any, frozenset[str], bool]] = [(tree, frozenset(), False)]
        while stack:
            node, bound, is_key = stack.pop()
            if isinstance(node, dict):
                kind = node.get("class")
                if kind == "COLUMN_REF":
                    if node["column_names"][0].lower() not in bound:
                        (keys if is_key else values).append(_resolve(node["column_names"], scope))
                    continue
                if kind == "STAR" or kind == "POSITIONAL_REFERENCE":
                    raise _OpaqueError
                if kind == "SUBQUERY":
                    inner = self.query(node["subquery"]["node"], tables, scope)
                    values.extend(origin for _, origin in inner)
                    values.extend(self.rows)
                    stack.append((node["child"] or {}, bound, is_key))
                    continue
                if kind == "LAMBDA":
                    bound = bound | {name.lower() for name in lambda_parameters(node)}
                    stack.append((node["expr"], bound, is_key))
                    continue
                if kind == "WINDOW":
                    for name, value in node.items():
                        if isinstance(value, dict | list):
                            key = is_key or name in ("partitions", "orders")
                            stack.append((value, bound, key))
                    continue
            stack.extend((child, bound, is_key) for child in children(node))
        return merge(values, merge(keys).all)


def _resolve(names: list[str], scope: _Scope) -> Origin:
    head, *rest = (name.lower() for name in names)
    for relations in scope:
        if rest:
            for relation in relations:
                if relation.alias.lower() == head:
                    found = [o for name, o in relation.columns if name.lower() == rest[0]]
                    if found:
                        return merge(found)
        found = [o for r in relations for name, o in r.columns if name.lower() == head]
        if found:
            return merge(found)
    raise _OpaqueError


def _add_keys(relation: _Relation, keys: frozenset[Source]) -> None:
    if keys != NOTHING:
        relation.columns = [(name, merge([own], keys)) for name, own in relation.columns]


def _aliased(columns: _Columns, aliases: Iterable[str]) -> _Columns:
    new = list(aliases)
    return [
        (new[index] if index < len(new) else name, origin)
        for index, (name, origin) in enumerate(columns)
    ]


def _aggregates(tree: Tree) -> bool:
    return any(
        node.get("class") == "FUNCTION" and node["function_name"] in AGGREGATE
        for node in nodes(tree)
    )
