"""The ordered rule list, and the loop that applies it.

Input: output nodes of a batch. Output: equal outputs that cost less. After each rule the
outputs are checked to stand for as many values of the same planes as before.

Some rewrites of the design happen earlier, by construction: choices are expanded and
expressions canonical before the graph is built; columns are pruned, filters kept and row
sources shared by `lineage.narrow`; row-wise unfitted transformers are built as `Apply`, above
the folds; equal work is one node by interning. Relational steps are fused into one query per
materialised table when that table is rendered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from planner.graph import Graph, Node, substitute, walk
from planner.rules.components import group_components
from planner.rules.decompositions import group_decompositions
from planner.rules.distinct import distinct_components
from planner.rules.encoders import fuse_encoders, share_codes
from planner.rules.hoist import hoist_row_wise
from planner.rules.linear import group_linear
from planner.rules.neighbours import group_neighbours
from planner.rules.prefixes import group_prefixes
from planner.rules.selections import group_selections
from planner.rules.trees import read_whole_tables
from planner.rules.vocabularies import group_vocabularies

Replacements = dict[str, Node]


@dataclass(frozen=True)
class Rule:
    """A named rewrite: finds replacements for nodes of the graph under `outputs`.

    `groups` says that it makes groups of fits (what an ablation of groups switches off).
    """

    name: str
    find: Callable[[Graph, Sequence[Node]], Replacements]
    groups: bool = False


RULES: tuple[Rule, ...] = (
    # Before groups: a hoisted transformer turns fold features into whole blocks, which the
    # group over all folds asks for.
    Rule("hoist_row_wise", hoist_row_wise),
    # Encodings that share a part, before the groups of fits that may read them.
    Rule("group_vocabularies", group_vocabularies, groups=True),
    Rule("group_selections", group_selections, groups=True),
    # What is solved in the components needs none of their values.
    Rule("group_components", group_components, groups=True),
    Rule("group_decompositions", group_decompositions, groups=True),
    Rule("distinct_components", distinct_components, groups=True),
    # Groups hide the fits that other rules look for.
    Rule("group_linear", group_linear, groups=True),
    Rule("group_prefixes", group_prefixes, groups=True),
    Rule("group_neighbours", group_neighbours, groups=True),
    # Behind the groups of fits: those of other features are not alike.
    Rule("read_whole_tables", read_whole_tables),
    # Last, for they hide the encodings that other rules look for. Whole blocks first: what is
    # replaced below a node changes its key.
    Rule("fuse_encoders", fuse_encoders, groups=True),
    Rule("share_codes", share_codes, groups=True),
)


@dataclass(frozen=True)
class Rewritten:
    """Outputs after all rules, and how many nodes each rule replaced.

    `origins` leads from the key of a node that came about here to that of the node, before all
    rules, in whose place it stands.
    """

    outputs: list[Node]
    applied: dict[str, int]
    origins: dict[str, str]


def rewrite(graph: Graph, outputs: Sequence[Node], rules: Sequence[Rule] = RULES) -> Rewritten:
    """Applies `rules` in order. Position i of the result stands for `outputs[i]`."""
    current = list(outputs)
    applied: dict[str, int] = {}
    origins: dict[str, str] = {}
    for rule in rules:
        found = rule.find(graph, current)
        if not found:
            continue
        applied[rule.name] = len(found)
        new = substitute(graph, current, partial(_replacement, found))
        changed = [new[output.key] for output in current]
        for before, after in zip(current, changed, strict=True):
            if type(before.op) is not type(after.op) or before.plane is not after.plane:
                raise AssertionError(f"rule {rule.name} changed what an output is")
        for key, node in new.items():
            # Inputs come first, so a node made for one replacement is not claimed by a consumer.
            for made in walk([node], tables=False) if key in found else [node]:
                if made.key not in new:
                    origins.setdefault(made.key, origins.get(key, key))
        current = changed
    return Rewritten(current, applied, origins)


def _replacement(found: Replacements, node: Node) -> Node | None:
    return found.get(node.key)
