"""Decompositions of distinct rows, where all that reads the features is continuous in them.

Rule input: the outputs of a batch. Rule output: replacements for encodings by TruncatedSVD. The
features are the library's but for rounding, which Ridge passes on as rounding; a model that
compares (trees, neighbours) anywhere in the batch keeps the library's own for all.
"""

from collections import defaultdict
from collections.abc import Sequence

from planner.expressions import Call
from planner.graph import Graph, Node, walk
from planner.ops import Concat, Encode, Fit
from planner.ops_distinct import DistinctComponents

_ALGORITHM = "randomized"
# Do not change what the closed-form solution is.
_NEUTRAL = frozenset({"alpha", "copy_X", "fit_intercept", "max_iter", "random_state", "solver"})
_LEAST_ALPHA = 1e-3


def distinct_components(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of encodings by such as read distinct rows only."""
    readers: defaultdict[str, list[Node]] = defaultdict(list)
    nodes = list(walk(outputs, tables=False))
    for node in nodes:
        for source in node.inputs:
            readers[source.key].append(node)
    replaced: dict[str, Node] = {}
    for node in nodes:
        op = node.op
        if type(op) is Encode and _served(op.transformer) and _continuous(node, readers):
            new = DistinctComponents(op.transformer, op.supervised)
            replaced[node.key] = graph.node(new, *node.inputs)
    return replaced


def _served(call: Call) -> bool:
    params = dict(call.params)
    if call.name != "TruncatedSVD" or type(params.get("random_state")) is not int:
        return False
    return params.get("algorithm", _ALGORITHM) == _ALGORITHM


def _continuous(node: Node, readers: dict[str, list[Node]]) -> bool:
    """Whether everything behind these features is continuous in them."""
    return all(_reads_continuously(reader, node, readers) for reader in readers[node.key])


def _reads_continuously(reader: Node, node: Node, readers: dict[str, list[Node]]) -> bool:
    op = reader.op
    if isinstance(op, Fit):
        # By its first input: features, and neither a target nor folds.
        return reader.inputs[0] is node and op.task == "regression" and _ridge(op.estimator)
    scaled = isinstance(op, Encode) and op.transformer.name == "StandardScaler"
    return (scaled or isinstance(op, Concat)) and _continuous(reader, readers)


def _ridge(call: Call) -> bool:
    params = dict(call.params)
    alpha = params.get("alpha", 1.0)
    if call.name != "Ridge" or not params.keys() <= _NEUTRAL:
        return False
    direct = params.get("solver", "auto") in ("auto", "cholesky", "svd")
    large = isinstance(alpha, int | float) and alpha >= _LEAST_ALPHA
    return direct and large and not isinstance(alpha, bool)
