"""The linear family: fits of least squares, ridge, lasso and elastic nets that share their rows.

Rule input: the outputs of a batch. Rule output: replacements for prediction nodes. Models of the
same features, folds and intercept become one group, whatever their targets; where the features are
raw columns, imputed, scaled or one-hot encoded, one group also covers all folds.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from planner.expressions import Call, text
from planner.graph import Graph, Node, walk
from planner.ops import Columns, Concat, Encode, Fit, FitTarget, Member, Predict
from planner.ops_linear import (
    Closed,
    LinearBlocks,
    LinearFolds,
    LinearMember,
    LinearPath,
    has_intercept,
    solver_of,
)
from planner.rules.linear_blocks import blocks_of, plain_numbers

# A target as a fit reads it, and the transform that predictions undo.
Target = tuple[Node, str | None]


def group_linear(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of linear predictions by members of shared groups."""
    families: defaultdict[tuple[object, ...], list[Node]] = defaultdict(list)
    for node in walk(outputs, tables=False):
        if not isinstance(node.op, Predict) or node.op.methods[:1] != ("predict",):
            continue
        fit = node.inputs[0]
        if isinstance(fit.op, Fit) and _served(fit):
            features, folds, _ = fit.inputs
            family = (features.key, folds.key, has_intercept(fit.op.estimator))
            families[family].append(node)
    replaced: dict[str, Node] = {}
    for nodes in families.values():
        fits = [node.inputs[0] for node in nodes]
        targets = targets_of(fits)
        found = [_member(fit, targets) for fit in fits]
        members = tuple(sorted(set(found), key=lambda one: (one.target, text(one.estimator))))
        group = _group(graph, fits[0], members, targets)
        if group is None:
            continue
        positions = {member: position for position, member in enumerate(members)}
        for node, member in zip(nodes, found, strict=True):
            replaced[node.key] = graph.node(Member(positions[member]), group)
    return replaced


def targets_of(fits: Sequence[Node]) -> list[Target]:
    """The different targets of some fits, in an order that does not depend on theirs."""
    found = {target_of(fit) for fit in fits}
    return sorted(found, key=lambda target: (target[1] or "", target[0].key))


def target_of(fit: Node) -> Target:
    """The target of a fit and the transform of its predictions."""
    assert isinstance(fit.op, Fit)
    return fit.inputs[2], fit.op.function


def _member(fit: Node, targets: Sequence[Target]) -> LinearMember:
    assert isinstance(fit.op, Fit)
    return LinearMember(fit.op.estimator, targets.index(target_of(fit)))


def _served(fit: Node) -> bool:
    op = fit.op
    assert isinstance(op, Fit)
    plain = op.task == "regression" and not (op.weighted or op.stop_rounds)
    if not plain or isinstance(fit.inputs[2].op, FitTarget):
        return False
    return solver_of(op.estimator) is not None


def _group(
    graph: Graph, fit: Node, members: tuple[LinearMember, ...], targets: Sequence[Target]
) -> Node | None:
    features, folds, _ = fit.inputs
    nodes = [node for node, _ in targets]
    functions = tuple(function for _, function in targets)
    model = members[0].estimator
    raw = raw_columns(features)
    if raw is not None:
        op = LinearFolds(members, raw.impute, raw.scale, functions)
        return graph.node(op, raw.columns, folds, *nodes)
    blocks = blocks_of(features)
    # Without an intercept, a model also sees where the scaler has put zero.
    if blocks is not None and (has_intercept(model) or not blocks.scaled):
        blocks_op = LinearBlocks(members, blocks.calls, functions, blocks.sparse_threshold)
        return graph.node(blocks_op, *blocks.columns, folds, *nodes)
    if len(members) == 1 and isinstance(solver_of(model), Closed):
        # One closed form alone is as fast in the library; a group needs company to pay.
        return None
    return graph.node(LinearPath(members, functions), features, folds, *nodes)


@dataclass(frozen=True)
class Raw:
    """Numeric columns under mean imputation and standardisation, in that order, both optional."""

    columns: Node
    impute: bool
    scale: bool

    @property
    def width(self) -> int:
        assert isinstance(self.columns.op, Columns)
        return len(self.columns.op.names)


def raw_columns(features: Node) -> Raw | None:
    """What `features` are made of, if it is no more than that."""
    impute = scale = False
    node = features
    while True:
        if isinstance(node.op, Encode):
            call = node.op.transformer
            if call == Call("StandardScaler") and not scale and not impute:
                scale = True
            elif call == Call("SimpleImputer") and not impute:
                impute = True
            else:
                return None
            node = node.inputs[0]
        elif isinstance(node.op, Concat) and len(node.inputs) == 2:
            node = node.inputs[1]
        elif isinstance(node.op, Columns) and not node.op.single:
            return Raw(node, impute, scale) if plain_numbers(node) else None
        else:
            return None
