"""Decompositions: PCAs that differ in n_components decompose once.

Rule input: the outputs of a batch. Rule output: replacements for encodings. The solvers that
decompose completely (full, covariance_eigh) compute the same for every size, and keep the first
components; randomised and iterative ones (TruncatedSVD's too) start from the size, and are left
alone. What ``svd_solver='auto'`` means depends on the data, and is for the executor to look at.
"""

from collections.abc import Sequence

from planner.expressions import Call, without_params
from planner.graph import Graph, Node
from planner.ops_encodings import Components, Decomposition
from planner.rules.encodings import families, transformer

# Equal in a family.
_EQUAL = frozenset(
    "iterated_power n_oversamples power_iteration_normalizer random_state svd_solver tol whiten"
    .split()
)  # fmt: skip
_SOLVERS = ("auto", "covariance_eigh", "full")


def group_decompositions(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of PCAs by parts of one decomposition."""
    replaced: dict[str, Node] = {}
    for nodes in families(outputs, _alike):
        sizes = sorted(size for node in nodes if (size := size_of(transformer(node))) is not None)
        common = without_params(transformer(nodes[0]), "n_components")
        features, folds = nodes[0].inputs
        shared = graph.node(Decomposition(common, tuple(sizes)), features, folds)
        for node in nodes:
            op = Components(transformer(node))
            replaced[node.key] = graph.node(op, shared, features, folds)
    return replaced


def _alike(call: Call) -> Call | None:
    """A PCA without its size, if it may be part of a larger one."""
    if size_of(call) is None or not decomposed_alike(call):
        return None
    return without_params(call, "n_components")


def decomposed_alike(call: Call) -> bool:
    """Whether this is a PCA whose decomposition may be the same for every size."""
    params = dict(without_params(call, "n_components").params)
    known = params.keys() <= _EQUAL and params.get("svd_solver", "auto") in _SOLVERS
    return call.name == "PCA" and known


def size_of(call: Call) -> int | None:
    """The number of components of a PCA, where it is one."""
    size = dict(call.params).get("n_components")
    whole = isinstance(size, int) and not isinstance(size, bool)
    return size if whole and isinstance(size, int) and size > 0 else None
