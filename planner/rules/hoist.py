"""Hoisting: row-wise work that is equal in every fold is done once, above the folds.

Rule input: the outputs of a batch. Rule output: replacements. A concatenation of whole blocks
under a row-wise transformer is built per fold by the builder; the transformer itself does not
depend on rows, so it moves onto the whole block where it has a single source.
"""

from collections.abc import Sequence

from planner.expressions import Call
from planner.graph import Graph, Node, walk
from planner.ops import Apply, Columns, Concat, Encode

# Unfitted and row-wise in scikit-learn: transform reads one row at a time.
ROW_WISE = {"Normalizer", "Binarizer", "FunctionTransformer", "PolynomialFeatures"}


def hoist_row_wise(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements of per-fold `Encode` nodes by `Apply` over all rows."""
    replaced: dict[str, Node] = {}
    for node in walk(outputs):
        if not isinstance(node.op, Encode) or not _row_wise(node.op.transformer):
            continue
        source = node.inputs[0]
        if isinstance(source.op, Concat) and len(source.inputs) == 2:
            source = source.inputs[1]
        if isinstance(source.op, Columns | Apply):
            folds = node.inputs[1]
            applied = graph.node(Apply(node.op.transformer), source)
            # Consumers of an Encode expect a value per fold: one block, sliced by folds.
            replaced[node.key] = graph.node(Concat(None), folds, applied)
    return replaced


def _row_wise(call: Call) -> bool:
    return call.name in ROW_WISE
