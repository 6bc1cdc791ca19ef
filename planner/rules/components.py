"""Components: linear models behind PCAs of several sizes come from one decomposition.

Rule input: the outputs of a batch. Rule output: replacements for predictions. Ridge and least
squares are continuous in their features, so that second moments serve them; models that compare
are given each size's own features, to the last bit. Where the PCA reads raw columns, at most
imputed by the mean and standardised, one group covers all folds; else there is one per fold, of
several sizes.
"""

from collections import defaultdict
from collections.abc import Sequence

from planner.expressions import Call, without_params
from planner.graph import Graph, Node, walk
from planner.ops import Concat, Encode, Fit, FitTarget, Member, Predict
from planner.ops_components import ComponentFolds, ComponentPath, Size
from planner.rules.decompositions import decomposed_alike
from planner.rules.linear import raw_columns

# Do not change what the closed-form solution is.
_NEUTRAL = frozenset({"alpha", "copy_X", "max_iter", "random_state", "solver", "tol"})
_DIRECT = ("auto", "cholesky")
# PCA takes more columns for wide, and projects them at random.
_WIDE = 1000

_Member = tuple[Size, Call]
_Family = tuple[Node, Node, Node, str | None, Call]


def group_components(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of predictions by members of groups."""
    families: defaultdict[_Family, list[tuple[_Member, Node]]] = defaultdict(list)
    for node in walk(outputs, tables=False):
        found = _member(node)
        if found is not None:
            family, member = found
            families[family].append((member, node))
    replaced: dict[str, Node] = {}
    for family, found_members in families.items():
        members = tuple(sorted({member for member, _ in found_members}, key=_order))
        group = _group(graph, family, members)
        if group is None:
            continue
        for member, node in found_members:
            replaced[node.key] = graph.node(Member(members.index(member)), group)
    return replaced


def _group(graph: Graph, family: _Family, members: tuple[_Member, ...]) -> Node | None:
    features, folds, target, function, pca = family
    raw = raw_columns(features)
    if raw is not None and raw.width <= _WIDE:
        op = ComponentFolds(pca, members, raw.impute, raw.scale, function)
        return graph.node(op, raw.columns, folds, target)
    if len({size for size, _ in members}) == 1:
        return None
    return graph.node(ComponentPath(pca, members, function), features, folds, target)


def _order(member: _Member) -> tuple[float, str]:
    size, model = member
    return float("inf") if size is None else size, repr(model)


def _member(node: Node) -> tuple[_Family, _Member] | None:
    """The family and the place in it of these predictions, if a group can serve them."""
    if not isinstance(node.op, Predict) or node.op.methods[:1] != ("predict",):
        return None
    fit = node.inputs[0]
    if not isinstance(fit.op, Fit) or fit.op.task != "regression" or not _plain(fit.op.estimator):
        return None
    if fit.op.weighted or fit.op.stop_rounds or isinstance(fit.inputs[2].op, FitTarget):
        return None
    encoded = fit.inputs[0]
    if isinstance(encoded.op, Concat) and len(encoded.inputs) == 2:
        encoded = encoded.inputs[1]
    if not isinstance(encoded.op, Encode) or encoded.op.transformer.name != "PCA":
        return None
    pca = encoded.op.transformer
    size = dict(pca.params).get("n_components")
    if not decomposed_alike(pca) or not _possible(size, encoded.inputs[0]):
        return None
    family = (
        encoded.inputs[0],
        encoded.inputs[1],
        fit.inputs[2],
        fit.op.function,
        without_params(pca, "n_components"),
    )
    assert size is None or isinstance(size, int | float)
    return family, (size, fit.op.estimator)


def _possible(size: object, features: Node) -> bool:
    """Whether this is a size that the columns may have.

    What cannot be is refused at the step that asks for it."""
    if isinstance(size, bool) or not isinstance(size, int | float | None):
        return False
    if isinstance(size, float):
        return 0 < size < 1
    raw = raw_columns(features)
    return size is None or (size > 0 and (raw is None or size <= raw.width))


def _plain(call: Call) -> bool:
    """Whether this is least squares or Ridge with an intercept, and nothing more."""
    params = dict(call.params)
    if call.name == "LinearRegression":
        return not params
    if call.name != "Ridge" or not params.keys() <= _NEUTRAL:
        return False
    alpha = params.get("alpha", 1.0)
    if isinstance(alpha, bool) or not isinstance(alpha, int | float):
        return False
    return params.get("solver", "auto") in _DIRECT and 0 < alpha < float("inf")
