"""Groups: model fits that one kernel serves together.

Rule input: the outputs of a batch. Rule output: replacements for prediction nodes. Ridge fits
that differ only in alpha become one group over all alphas; where the features are raw columns,
at most imputed by the mean and standardised, one group also covers all folds.
"""

from collections import defaultdict
from collections.abc import Sequence

from planner.binder import schema
from planner.expressions import Call
from planner.graph import Graph, Node, walk
from planner.ops import (
    Columns,
    Concat,
    Encode,
    Fit,
    FitTarget,
    Member,
    Predict,
    RidgeFolds,
    RidgePath,
)

# Parameters that do not change what the closed-form solution is. `solver` is checked apart:
# folds that the kernel declines are solved by the library's own choice, which is cholesky.
_NEUTRAL = {"alpha", "fit_intercept", "copy_X", "random_state", "max_iter", "tol", "solver"}
_DIRECT = {"auto", "cholesky"}
_NUMERIC = {"integer", "float", "boolean"}


def group_ridge(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of Ridge predictions by members of shared groups."""
    families: defaultdict[tuple[object, ...], list[tuple[float, Node]]] = defaultdict(list)
    for node in walk(outputs, tables=False):
        if not isinstance(node.op, Predict) or node.op.methods[:1] != ("predict",):
            continue
        fit = node.inputs[0]
        alpha = _ridge_alpha(fit)
        if alpha is None or not isinstance(fit.op, Fit):
            continue
        intercept = dict(fit.op.estimator.params).get("fit_intercept", True)
        family = (*(source.key for source in fit.inputs), intercept, fit.op.function)
        families[family].append((alpha, node))
    replaced: dict[str, Node] = {}
    for members in families.values():
        alphas = tuple(sorted({alpha for alpha, _ in members}))
        fit = members[0][1].inputs[0]
        group = _group(graph, fit, alphas)
        if group is None:
            continue
        for alpha, node in members:
            replaced[node.key] = graph.node(Member(alphas.index(alpha)), group)
    return replaced


def _ridge_alpha(fit: Node) -> float | None:
    """The alpha of a plain Ridge fit that the kernel can serve, else None."""
    op = fit.op
    if not isinstance(op, Fit) or op.estimator.name != "Ridge":
        return None
    if op.weighted or op.stop_rounds or isinstance(fit.inputs[2].op, FitTarget):
        return None
    params = dict(op.estimator.params)
    if not params.keys() <= _NEUTRAL or params.get("solver", "auto") not in _DIRECT:
        return None
    alpha = params.get("alpha", 1.0)
    if isinstance(alpha, bool) or not isinstance(alpha, int | float):
        return None
    # alpha = 0 is least squares: scikit-learn warns of it, and singular designs differ.
    return float(alpha) if 0 < alpha < float("inf") else None


def _group(graph: Graph, fit: Node, alphas: tuple[float, ...]) -> Node | None:
    features, folds, target = fit.inputs
    assert isinstance(fit.op, Fit)
    intercept = bool(dict(fit.op.estimator.params).get("fit_intercept", True))
    raw = _raw_columns(features)
    if raw is not None:
        columns, impute, scale = raw
        op = RidgeFolds(alphas, intercept, impute, scale, fit.op.function)
        return graph.node(op, columns, folds, target)
    if len(alphas) > 1:
        # One fit alone is as fast in the library; a group needs company to pay.
        return graph.node(RidgePath(alphas, intercept, fit.op.function), *fit.inputs)
    return None


def _raw_columns(features: Node) -> tuple[Node, bool, bool] | None:
    """``(columns, impute, scale)`` if `features` are numeric columns under mean imputation
    and standardisation, in that order, both optional."""
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
            table = schema(node.inputs[0])
            columns = [table[name] for name in node.op.names]
            # scikit-learn solves in single precision what is given in it.
            plain = all(c.kind in _NUMERIC and c.sql_type.upper() != "FLOAT" for c in columns)
            return (node, impute, scale) if plain else None
        else:
            return None
