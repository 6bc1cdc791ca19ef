"""Hoisting: row-wise work that is equal in every fold is done once, above the folds.

Rule input: the outputs of a batch. Rule output: replacements. A concatenation of whole blocks
under a row-wise transformer is built per fold by the builder; the transformer itself does not
depend on rows, so it moves onto the whole block where it has a single source.
"""

from collections.abc import Sequence

from planner.binder import schema
from planner.graph import Graph, Node, walk
from planner.ops import Apply, Columns, Concat, Encode

# Unfitted and row-wise in scikit-learn: transform reads one row at a time.
ROW_WISE = {"Normalizer", "Binarizer", "FunctionTransformer", "PolynomialFeatures"}


def hoist_row_wise(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements of per-fold `Encode` nodes by `Apply` over all rows."""
    replaced: dict[str, Node] = {}
    for node in walk(outputs, tables=False):
        if not isinstance(node.op, Encode) or node.op.transformer.name not in ROW_WISE:
            continue
        source = node.inputs[0]
        if isinstance(source.op, Concat) and len(source.inputs) == 2:
            source = source.inputs[1]
        if _one_dtype(source):
            folds = node.inputs[1]
            applied = graph.node(Apply(node.op.transformer), source)
            # Consumers of an Encode expect a value per fold: one block, sliced by folds.
            replaced[node.key] = graph.node(Concat(None), folds, applied)
    return replaced


def _one_dtype(source: Node) -> bool:
    """Whether a block has the same dtype with and without the concatenation around it.

    Element-wise functions depend on it: log1p of a boolean column is of half precision. A
    hashed text may be sparse before a concatenation, and dense behind it.
    """
    while isinstance(source.op, Apply) and source.op.transformer.name in ROW_WISE:
        source = source.inputs[0]
    if not isinstance(source.op, Columns):
        return False
    table = schema(source.inputs[0])
    columns = [table[name] for name in source.op.names]
    if len(columns) == 1:
        return columns[0].kind in ("integer", "float")
    return all(column.sql_type.upper() == "DOUBLE" for column in columns)
