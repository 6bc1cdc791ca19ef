"""The walk over the parse tree of a SELECT that finds where its columns and rows come from.

Input: a query node of `planner.sqltree`, and the tables it knows. Output: a `Relation`; or
`OpaqueError` where a construct is not followed. See `planner.sqllineage`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from planner.origins import NO_ROWS, NOTHING, Origin, Rows, Source, merge
from planner.sqlfunctions import AGGREGATE
from planner.sqltree import Tree, children, lambda_parameters, nodes

_Columns = list[tuple[str, Origin]]


class OpaqueError(Exception):
    """Something that is not followed."""


@dataclass
class Relation:
    """A table as a query sees it: its name, columns, and what decided on its rows."""

    alias: str
    columns: _Columns
    rows: Rows = NO_ROWS
    hidden: set[str] = field(default_factory=set)  # not repeated by a star (USING)


@dataclass(frozen=True)
class _From:
    """What a FROM gives: relations side by side, and what decides on the joined rows."""

    relations: list[Relation]
    rows: Rows = NO_ROWS


_Known = Mapping[str, Relation]
_Scope = tuple[list[Relation], ...]  # innermost first


class Tracer:
    def query(self, node: Tree, tables: _Known, outer: _Scope) -> Relation:
        known = dict(tables)
        for entry in node.get("cte_map", {}).get("map", []):
            value = entry["value"]
            made = self.query(value["query"]["node"], known, outer)
            columns = _aliased(made.columns, value["aliases"])
            known[entry["key"].lower()] = Relation(entry["key"], columns, made.rows)
        if node["type"] == "SET_OPERATION_NODE":
            return self.set_operation(node, known, outer)
        if node["type"] != "SELECT_NODE":
            raise OpaqueError
        source = self.source(node["from_table"], known, outer)
        rows = source.rows
        scope = (source.relations, *outer)
        if node["where_clause"]:
            origin = self.reads(node["where_clause"], known, scope).all
            rows |= Rows(choice=origin)
            if len(source.relations) > 1:  # it may be the condition of the join
                rows |= Rows(fan=origin)
                for relation in source.relations[1:]:
                    _add_keys(relation, origin)
        for clause in ("having", "qualify"):
            if node[clause]:
                rows |= Rows(choice=self.reads(node[clause], known, scope).all)
        out, grouped = self.items(node, known, scope, rows.fan | rows.order)
        rows |= Rows(choice=grouped, fan=grouped)
        return self.modified(node, Relation("", out, rows), known, scope)

    def set_operation(self, node: Tree, tables: _Known, outer: _Scope) -> Relation:
        if "left" not in node:
            raise OpaqueError
        one = self.query(node["left"], tables, outer)
        other = self.query(node["right"], tables, outer)
        left, right = one.columns, other.columns
        if node["setop_type"] == "UNION_BY_NAME":
            merged: dict[str, tuple[str, Origin]] = {}
            for name, origin in [*left, *right]:
                first, old = merged.get(name.lower(), (name, Origin()))
                merged[name.lower()] = (first, merge([old, origin]))
            out = list(merged.values())
        elif len(left) == len(right):
            out = [(a, merge([x, y])) for (a, x), (_, y) in zip(left, right, strict=True)]
        else:
            raise OpaqueError
        # What one side leaves out, the other may have: rows are then there once, or twice.
        chosen = one.rows.choice | other.rows.choice
        rows = one.rows | other.rows | Rows(fan=chosen)
        if not node["setop_type"].startswith("UNION") or not node.get("setop_all"):
            every = merge(origin for _, origin in out).all
            rows |= Rows(choice=every, fan=every)
        found = Relation("", out, rows)
        return self.modified(node, found, tables, ([found], *outer))

    def modified(self, node: Tree, found: Relation, tables: _Known, scope: _Scope) -> Relation:
        """After DISTINCT, ORDER BY and LIMIT."""
        named = ([Relation("", found.columns)], *scope)
        every = merge(origin for _, origin in found.columns).all
        rows = found.rows
        for modifier in node["modifiers"]:
            read = self.modifier(modifier, found.columns, tables, named)
            if modifier["type"] == "ORDER_MODIFIER":
                rows |= Rows(order=read)
            elif modifier["type"] == "DISTINCT_MODIFIER":
                read = read or every
                rows |= Rows(choice=read, fan=read)
            else:
                rows |= Rows(choice=read)
        if any(modifier["type"] != "ORDER_MODIFIER" for modifier in node["modifiers"]):
            rows |= Rows(choice=rows.order)
        return Relation(found.alias, found.columns, rows)

    def modifier(
        self, node: Tree, out: _Columns, tables: _Known, scope: _Scope
    ) -> frozenset[Source]:
        found: list[Origin] = []
        for part in children(node):
            for item in part if isinstance(part, list) else [part]:
                tree = item.get("expression", item)
                if tree.get("class") == "CONSTANT":
                    found.extend(self.positional(tree, out))
                elif tree.get("class") == "STAR":
                    found.extend(origin for _, origin in out)
                elif "class" in tree:
                    found.append(self.reads(tree, tables, scope))
        return merge(found).all

    @staticmethod
    def positional(tree: Tree, out: _Columns) -> list[Origin]:
        index = tree["value"].get("value")
        if isinstance(index, int) and 1 <= index <= len(out):
            return [out[index - 1][1]]
        return []

    def source(self, node: Tree, tables: _Known, outer: _Scope) -> _From:
        kind = node["type"]
        alias = node.get("alias") or ""
        if kind == "EMPTY":
            return _From([])
        if kind == "JOIN":
            return self.join(node, tables, outer)
        if kind == "BASE_TABLE":
            found = tables.get(node["table_name"].lower())
            if found is None:
                raise OpaqueError
            alias = alias or node["table_name"]
        elif kind == "SUBQUERY":
            found = self.query(node["subquery"]["node"], tables, outer)
        elif kind == "EXPRESSION_LIST":
            names = node["expected_names"] or [f"col{i}" for i in range(len(node["values"][0]))]
            cells = [self.reads(row, tables, outer) for row in node["values"]]
            return _From([Relation(alias, [(name, merge(cells)) for name in names])])
        else:
            raise OpaqueError
        columns = _aliased(found.columns, node["column_name_alias"])
        return _From([Relation(alias, columns, found.rows)], found.rows)

    def join(self, node: Tree, tables: _Known, outer: _Scope) -> _From:
        one = self.source(node["left"], tables, outer)
        left = one.relations
        other = self.source(node["right"], tables, (left, *outer))
        right = other.relations
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
            raise OpaqueError
        # Which rows of the right side there are shows in what is put to those of the left.
        matched = origin.all | other.rows.all
        rows = one.rows | Rows(order=other.rows.order)
        if kind != "LEFT":
            rows |= Rows(choice=matched)
        if kind in ("SEMI", "ANTI"):
            return _From(left, rows)
        rows |= Rows(fan=matched)
        for relation in right:
            relation.hidden |= set(using)
            _add_keys(relation, matched)
        if kind in ("RIGHT", "OUTER", "FULL"):
            rows |= Rows(fan=one.rows.all)
            for relation in left:
                relation.columns = [
                    (
                        name,
                        merge(
                            [own, origin] if name.lower() in using else [own],
                            origin.all | one.rows.all,
                        ),
                    )
                    for name, own in relation.columns
                ]
        return _From([*left, *right], rows)

    def items(
        self, node: Tree, tables: _Known, scope: _Scope, unruly: frozenset[Source]
    ) -> tuple[_Columns, frozenset[Source]]:
        """The output columns, and what groups them; what is counted or numbered also comes from
        what has multiplied or ordered the rows (`unruly`)."""
        out: _Columns = []
        aggregates: list[bool] = []
        lists: list[frozenset[Source]] = []
        for item in node["select_list"]:
            if item["class"] == "STAR":
                out.extend(self.star(item, tables, scope))
            else:
                # A later item may use the alias of an earlier one.
                named = (*scope, [Relation("", list(out))])
                origin = self.reads(item, tables, named)
                if _computed(item):
                    origin = merge([origin], unruly)
                if _calls(item, frozenset({"unnest"})):
                    lists.append(origin.all)
                last = item.get("column_names", [""])[-1]
                out.append((item["alias"] or last, origin))
            aggregate = item["class"] != "STAR" and _aggregates(item)
            aggregates.extend([aggregate] * (len(out) - len(aggregates)))
        grouped = self.group_keys(node, out, aggregates, tables, scope)
        columns = [
            (name, merge([origin], grouped) if aggregate else origin)
            for (name, origin), aggregate in zip(out, aggregates, strict=True)
        ]
        # How many rows an unnested list makes depends on the list.
        return columns, grouped.union(*lists)

    def group_keys(
        self,
        node: Tree,
        out: _Columns,
        has_aggregate: list[bool],
        tables: _Known,
        scope: _Scope,
    ) -> frozenset[Source]:
        found: list[Origin] = []
        if node["aggregate_handling"] != "STANDARD_HANDLING":
            found = [o for (_, o), is_one in zip(out, has_aggregate, strict=True) if not is_one]
        for group in node["group_expressions"]:
            if group.get("class") == "CONSTANT":
                found.extend(self.positional(group, out))
            else:
                found.append(self.reads(group, tables, (*scope, [Relation("", out)])))
        return merge(found).all

    def star(self, item: Tree, tables: _Known, scope: _Scope) -> _Columns:
        plain = not (item["columns"] or item["expr"] or item["rename_list"])
        if not plain or item["qualified_exclude_list"]:
            raise OpaqueError
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

    def reads(self, tree: Any, tables: _Known, scope: _Scope) -> Origin:
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
                    raise OpaqueError
                if kind == "SUBQUERY":
                    inner = self.query(node["subquery"]["node"], tables, scope)
                    values.extend(origin for _, origin in inner.columns)
                    values.append(Origin(inner.rows.all))
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
    raise OpaqueError


def _add_keys(relation: Relation, keys: frozenset[Source]) -> None:
    if keys != NOTHING:
        relation.columns = [(name, merge([own], keys)) for name, own in relation.columns]


def _aliased(columns: _Columns, aliases: Iterable[str]) -> _Columns:
    new = list(aliases)
    return [
        (new[index] if index < len(new) else name, origin)
        for index, (name, origin) in enumerate(columns)
    ]


def _aggregates(tree: Tree) -> bool:
    return _calls(tree, AGGREGATE)


def _computed(tree: Tree) -> bool:
    """Whether several rows enter a value: an aggregate or a window."""
    return any(node.get("class") == "WINDOW" for node in nodes(tree)) or _aggregates(tree)


def _calls(tree: Tree, names: frozenset[str]) -> bool:
    return any(
        node.get("class") == "FUNCTION" and node["function_name"] in names for node in nodes(tree)
    )
