"""Neighbours: models that differ in n_neighbors and weights search once, for the most neighbours.

Rule input: the outputs of a batch. Rule output: replacements for fits. The first neighbours of a
longer list are those of a shorter one, but for equal distances at its end; these the executor
looks at, as at what ``algorithm='auto'`` makes of the number of neighbours.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from planner.expressions import without_params
from planner.graph import Graph, Node, walk
from planner.ops import Fit
from planner.ops_neighbours import NeighbourFits, NeighbourModel

_NAMES = frozenset({"KNeighborsClassifier", "KNeighborsRegressor"})
_OWN = ("n_neighbors", "weights")
# Equal in a group. Not here: metric_params, which may hold arrays.
_EQUAL = frozenset({"algorithm", "leaf_size", "metric", "p"})
_DEFAULT_SIZE = 5

Member = tuple[int, str]


def group_neighbours(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of nearest-neighbour fits by members of groups."""
    families: defaultdict[tuple[object, ...], list[tuple[Member, Node]]] = defaultdict(list)
    for node in walk(outputs, tables=False):
        member = _member(node)
        if member is not None:
            family = (*(source.key for source in node.inputs), _alike(node))
            families[family].append((member, node))
    replaced: dict[str, Node] = {}
    for (*_, alike), fits in families.items():
        members = tuple(sorted({member for member, _ in fits}))
        if len(members) == 1:
            continue
        assert isinstance(alike, Fit)
        group = graph.node(NeighbourFits(alike, members), *fits[0][1].inputs)
        for member, node in fits:
            replaced[node.key] = graph.node(NeighbourModel(members.index(member)), group)
    return replaced


def _alike(node: Node) -> Fit:
    """The fit without what tells the members of a group apart."""
    assert isinstance(node.op, Fit)
    return replace(node.op, estimator=without_params(node.op.estimator, *_OWN))


def _member(node: Node) -> Member | None:
    """``(n_neighbors, weights)`` of a fit that may share its search, else None."""
    op = node.op
    if not isinstance(op, Fit) or op.estimator.name not in _NAMES:
        return None
    if op.weighted or op.stop_rounds:
        return None  # the library has words for these
    params = dict(op.estimator.params)
    size = params.pop("n_neighbors", _DEFAULT_SIZE)
    weights = params.pop("weights", "uniform")
    metric = params.get("metric", "minkowski")
    if not params.keys() <= _EQUAL or not isinstance(metric, str) or metric == "precomputed":
        return None
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        return None
    if not isinstance(weights, str) or weights not in ("uniform", "distance"):
        return None
    return size, weights
