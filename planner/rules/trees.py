"""Trees by kernels: the rows of a fold are read where they are.

Rule input: the outputs of a batch. Rule output: replacements for fits. A kernel of trees takes
row numbers of a table, so features that are columns of it are not copied for each fold. Columns of
other numbers are: they become one matrix of floats once, not in every fit.
"""

from collections.abc import Sequence

from planner.binder import schema
from planner.graph import Graph, Node, walk
from planner.ops import Columns, Concat
from planner.ops_trees import by_kernel


def read_whole_tables(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of fits by kernels, which read columns of all rows."""
    replaced: dict[str, Node] = {}
    for node in walk(outputs, tables=False):
        if not by_kernel(node.op):
            continue
        features, *rest = node.inputs
        if isinstance(features.op, Concat) and len(features.inputs) == 2:
            columns = features.inputs[1]
            if _doubles(columns):
                replaced[node.key] = graph.node(node.op, columns, *rest)
    return replaced


def _doubles(node: Node) -> bool:
    if not isinstance(node.op, Columns) or node.op.single:
        return False
    table = schema(node.inputs[0])
    return all(table[name].sql_type.upper() == "DOUBLE" for name in node.op.names)
