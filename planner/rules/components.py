"""Components: linear models behind PCAs of several sizes come from one decomposition.

Rule input: the outputs of a batch, where PCAs share decompositions. Rule output: replacements
for predictions. Ridge and least squares are continuous in their features, so the scores of the
largest PCA, cut, serve all of them; models that compare are given each size's own.
"""

from collections import defaultdict
from collections.abc import Sequence

from planner.expressions import Call
from planner.graph import Graph, Node, walk
from planner.ops import Columns, Concat, Encode, Fit, FitTarget, Predict
from planner.ops_components import ComponentMember, ComponentModels
from planner.ops_encodings import Components, Decomposition
from planner.rules.decompositions import size_of

# Do not change what the closed-form solution is.
_NEUTRAL = frozenset({"alpha", "copy_X", "max_iter", "random_state", "solver", "tol"})
_DIRECT = ("auto", "cholesky")

Member = tuple[int, Call]


def group_components(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of predictions by members of groups."""
    families: defaultdict[tuple[object, ...], list[tuple[Member, Node]]] = defaultdict(list)
    for node in walk(outputs, tables=False):
        components = _components(node)
        if components is None:
            continue
        fit = node.inputs[0]
        assert isinstance(fit.op, Fit)
        assert isinstance(components.op, Components)
        size = size_of(components.op.transformer)
        assert size is not None
        # A decomposition, the features it was made of, the folds; and the target.
        family = (*components.inputs, fit.inputs[2], fit.op.function)
        families[family].append(((size, fit.op.estimator), node))
    replaced: dict[str, Node] = {}
    for (*sources, function), found in families.items():
        members = tuple(sorted({member for member, _ in found}, key=_order))
        if len({size for size, _ in members}) == 1:
            continue
        inputs = [source for source in sources if isinstance(source, Node)]
        assert isinstance(inputs[0].op, Decomposition)
        assert function is None or isinstance(function, str)
        op = ComponentModels(inputs[0].op.transformer, members, function)
        group = graph.node(op, *inputs)
        for member, node in found:
            replaced[node.key] = graph.node(ComponentMember(members.index(member)), group)
    return replaced


def _order(member: Member) -> tuple[int, str]:
    return member[0], repr(member[1])


def _components(node: Node) -> Node | None:
    """The components that the model behind these predictions reads, if a group can serve it."""
    if not isinstance(node.op, Predict) or node.op.methods[:1] != ("predict",):
        return None
    fit = node.inputs[0]
    if not isinstance(fit.op, Fit) or fit.op.task != "regression" or not _plain(fit.op.estimator):
        return None
    if fit.op.weighted or fit.op.stop_rounds or isinstance(fit.inputs[2].op, FitTarget):
        return None
    features = fit.inputs[0]
    if isinstance(features.op, Concat) and len(features.inputs) == 2:
        features = features.inputs[1]
    if not isinstance(features.op, Components):
        return None
    size, width = size_of(features.op.transformer), _width(features.inputs[1])
    # What cannot be is refused at the step that asks for it.
    return features if size is not None and (width is None or size <= width) else None


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


def _width(features: Node) -> int | None:
    """The number of columns, where it is easily seen."""
    while isinstance(features.op, Encode) and features.op.transformer.name == "StandardScaler":
        features = features.inputs[0]
    if isinstance(features.op, Concat) and len(features.inputs) == 2:
        features = features.inputs[1]
    return len(features.op.names) if isinstance(features.op, Columns) else None
