"""Groups of models with several targets, of which each member reads one.

Input: a node of a graph after the rules. Output: what it reads.
"""

from collections.abc import Sequence

from planner.graph import Node
from planner.ops import Member
from planner.ops_components import ComponentFolds, ComponentPath
from planner.ops_linear import LinearBlocks, LinearFolds, LinearPath

_GROUPS = LinearFolds | LinearBlocks | LinearPath | ComponentFolds | ComponentPath


def read_by(node: Node) -> Sequence[Node]:
    """The inputs of `node`; of a member, those that its group has for it, in the group's place.

    Other targets may be of other prepared tables, and their failures are no matter to it.
    """
    group = node.inputs[0] if isinstance(node.op, Member) else node
    if group is node or not isinstance(group.op, _GROUPS):
        return node.inputs
    assert isinstance(node.op, Member)
    first = len(group.inputs) - group.op.optional
    own = group.inputs[first + group.op.members[node.op.index].target]
    return (*group.inputs[:first], own)
