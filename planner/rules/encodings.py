"""Families of encodings: what the rules for decompositions, selections and vocabularies share."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

from planner.expressions import Call
from planner.graph import Node, walk
from planner.ops import Encode


def families(outputs: Sequence[Node], alike: Callable[[Call], Hashable | None]) -> list[list[Node]]:
    """Two or more different encodings of the same inputs, as often as there are some.

    `alike` gives what the transformers of a family have in common; None for one that can be in
    no family.
    """
    found: defaultdict[Hashable, list[Node]] = defaultdict(list)
    for node in walk(outputs, tables=False):
        if not isinstance(node.op, Encode):
            continue
        common = alike(node.op.transformer)
        if common is not None:
            found[(*(source.key for source in node.inputs), common)].append(node)
    return [nodes for nodes in found.values() if len(nodes) > 1]


def transformer(node: Node) -> Call:
    """The transformer of an encoding."""
    assert isinstance(node.op, Encode)
    return node.op.transformer
