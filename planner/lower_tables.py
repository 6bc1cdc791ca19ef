"""Which relations are materialised.

Input: outputs with the prepared tables of their pipelines. Output: for each narrow relation that
a node reads, the wider one that is made in its stead, one per prepared table and batch.
"""

from collections.abc import Iterable
from typing import TypeAlias

from planner.binder import has_mask, schema
from planner.graph import Graph, Node, Plane, walk
from planner.lineage import narrow
from planner.ops_blend import Blend, OutOfFold, WithHeldOut
from planner.tableops import TRAIN_MASK
from planner.target_groups import read_by

# The prepared table of a pipeline; of a blend, those of what it combines, in that order.
Parts: TypeAlias = "Node | tuple[Parts, ...]"


def materialised_tables(graph: Graph, outputs: Iterable[tuple[Node, Parts]]) -> dict[str, Node]:
    """Narrow relation key -> the wider relation that is materialised in its stead."""
    wanted: dict[str, tuple[Node, dict[str, Node]]] = {}
    assigned: set[str] = set()
    seen: set[str] = set()
    for output, parts in outputs:
        for top, prepared in _pieces(output, parts):
            for node in walk([top], seen, tables=False, sources=read_by):
                for source in node.inputs:
                    if source.plane is Plane.TABLE and source.key not in assigned:
                        assigned.add(source.key)
                        entry = wanted.setdefault(prepared.key, (prepared, {}))
                        entry[1][source.key] = source
    tables: dict[str, Node] = {}
    for prepared, narrowed in wanted.values():
        columns: dict[str, None] = {}
        for source in narrowed.values():
            columns.update(dict.fromkeys(schema(source).names))
            if has_mask(source):
                columns.setdefault(TRAIN_MASK)
        wide = narrow(graph, prepared, list(columns))
        for key in narrowed:
            tables[key] = wide
    return tables


def _pieces(output: Node, parts: Parts) -> list[tuple[Node, Node]]:
    """Nodes under `output`, and itself last, each with a table whose columns it reads.

    Members of a blend come first: what is left to the whole, the target and the folds, is the
    same for all of them.
    """
    if isinstance(parts, Node):
        return [(output, parts)]
    pieces: list[tuple[Node, Node]] = []
    kinds = Blend | OutOfFold | WithHeldOut
    combined = [node for node in walk([output], tables=False) if isinstance(node.op, kinds)]
    if combined:  # not where the predictions of a stack are in the store
        # Inputs come first, so the last one is not a member of another.
        for members in _members(combined[-1]):
            for member, part in zip(members, parts, strict=True):
                pieces.extend(_pieces(member, part))
    return [*pieces, (output, first_table(parts))]


def _members(combined: Node) -> list[tuple[Node, ...]]:
    """The predictions that a blend reads: on a hold-out, a stack reads those of its folds, too."""
    if isinstance(combined.op, WithHeldOut):
        _, outside, *inside = combined.inputs
        return [outside.inputs[1:], tuple(inside)]
    return [combined.inputs[1:]]


def first_table(parts: Parts) -> Node:
    """A prepared table with the rows of all."""
    return parts if isinstance(parts, Node) else first_table(parts[0])
