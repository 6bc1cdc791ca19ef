"""Column lineage of an opaque SELECT, from its parse tree.

Input: the canonical text, the origins of the columns of its tables, and what decided on their
rows. Output: the origin of each output column, and of the rows. Where a construct cannot be
followed, all comes from every column of every table.

A query's own filter chooses a population, and taints nothing. Rows that something has chosen,
multiplied or ordered do taint what is put to other rows from them (a join, a sub-query in an
expression), and multiplied or ordered ones what is counted or numbered over them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from planner.origins import NO_ROWS, NOTHING, Origin, Origins, Rows, merge
from planner.sqltrace import OpaqueError, Relation, Tracer
from planner.sqltree import Tree, statements

Tables = Mapping[str, Origins]


@dataclass(frozen=True)
class Trace:
    """Origins by output column, and what decides on the rows."""

    columns: dict[str, Origin]
    rows: Rows


def trace(
    text: str, tables: Tables, names: Sequence[str], rows: Mapping[str, Rows] | None = None
) -> Trace:
    """Lineage of the query `text`, whose output columns are `names` (none: do not care).

    `rows` says of some tables what decided on their rows.
    """
    tree = _tree(text)["node"]
    given = {
        name.lower(): Relation(name, list(table.items()), (rows or {}).get(name, NO_ROWS))
        for name, table in tables.items()
    }
    try:
        found = Tracer().query(tree, given, ())
    except (OpaqueError, RecursionError):
        found = None
    if found is not None and (not names or len(found.columns) == len(names)):
        pairs = zip(names, found.columns, strict=bool(names))
        return Trace({name: origin for name, (_, origin) in pairs}, found.rows)
    everything = merge(
        (origin for table in tables.values() for origin in table.values()),
        NOTHING.union(*(relation.rows.all for relation in given.values())),
    )
    every = everything.all
    return Trace(dict.fromkeys(names, everything), Rows(every, every, every))


def main_table(text: str) -> str:
    """The table that the rows of the query `text` are rows of: the first of its FROM; empty if
    that is no plain table."""
    source = _tree(text)["node"].get("from_table") or {}
    while source.get("type") == "JOIN":
        source = source["left"] if source["join_type"] in ("INNER", "LEFT", "SEMI", "ANTI") else {}
    return str(source["table_name"]).lower() if source.get("type") == "BASE_TABLE" else ""


@lru_cache(maxsize=256)
def _tree(text: str) -> Tree:
    return statements(text, "")[0]
