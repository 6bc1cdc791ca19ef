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
from planner.ops_components import ComponentFolds, ComponentMember, ComponentPath, in_order
from planner.rules.decompositions import decomposed_alike
from planner.rules.linear import Target, raw_columns, target_of, targets_of

# Do not change what the closed-form solution is.
_NEUTRAL = frozenset({"alpha", "copy_X", "max_iter", "random_state", "solver", "tol"})
_DIRECT = ("auto", "cholesky")
# PCA takes more columns for wide, and projects them at random.
_WIDE = 1000

# Features, folds, and the PCA without its size.
_Family = tuple[Node, Node, Call]


def group_components(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of predictions by members of groups."""
    families: defaultdict[_Family, list[Node]] = defaultdict(list)
    for node in walk(outputs, tables=False):
        family = _family(node)
        if family is not None:
            families[family].append(node)
    replaced: dict[str, Node] = {}
    for family, nodes in families.items():
        targets = targets_of([node.inputs[0] for node in nodes])
        found = [_member(node.inputs[0], targets) for node in nodes]
        members = tuple(sorted(set(found), key=_order))
        group = _group(graph, family, members, targets)
        if group is None:
            continue
        for node, member in zip(nodes, found, strict=True):
            replaced[node.key] = graph.node(Member(members.index(member)), group)
    return replaced


def _group(
    graph: Graph,
    family: _Family,
    members: tuple[ComponentMember, ...],
    targets: Sequence[Target],
) -> Node | None:
    features, folds, pca = family
    nodes = [node for node, _ in targets]
    functions = tuple(function for _, function in targets)
    raw = raw_columns(features)
    if raw is not None and raw.width <= _WIDE:
        op = ComponentFolds(pca, members, raw.impute, raw.scale, functions)
        return graph.node(op, raw.columns, folds, *nodes)
    if len({member.size for member in members}) == 1:
        return None
    return graph.node(ComponentPath(pca, members, functions), features, folds, *nodes)


def _order(member: ComponentMember) -> tuple[int, float, str]:
    return member.target, in_order(member.size), repr(member.estimator)


def _member(fit: Node, targets: Sequence[Target]) -> ComponentMember:
    assert isinstance(fit.op, Fit)
    front = _front(fit)
    assert front is not None
    size = dict(front[1].params).get("n_components")
    assert size is None or isinstance(size, int | float)
    return ComponentMember(size, fit.op.estimator, targets.index(target_of(fit)))


def _front(fit: Node) -> tuple[Node, Call] | None:
    """The PCA right in front of a fit, as a node and as a call."""
    encoded = fit.inputs[0]
    if isinstance(encoded.op, Concat) and len(encoded.inputs) == 2:
        encoded = encoded.inputs[1]
    if not isinstance(encoded.op, Encode) or encoded.op.transformer.name != "PCA":
        return None
    return encoded, encoded.op.transformer


def _family(node: Node) -> _Family | None:
    """The family of these predictions, if a group can serve them."""
    if not isinstance(node.op, Predict) or node.op.methods[:1] != ("predict",):
        return None
    fit = node.inputs[0]
    if not isinstance(fit.op, Fit) or fit.op.task != "regression" or not _plain(fit.op.estimator):
        return None
    if fit.op.weighted or fit.op.stop_rounds or isinstance(fit.inputs[2].op, FitTarget):
        return None
    front = _front(fit)
    if front is None:
        return None
    encoded, pca = front
    size = dict(pca.params).get("n_components")
    if not decomposed_alike(pca) or not _possible(size, encoded.inputs[0]):
        return None
    return encoded.inputs[0], encoded.inputs[1], without_params(pca, "n_components")


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
