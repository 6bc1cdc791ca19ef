"""Selections: univariate selectors with the same score function score the columns once.

Rule input: the outputs of a batch. Rule output: replacements for encodings.
"""

from collections.abc import Sequence

from planner.expressions import Call, Function, Literal, with_params, without_params
from planner.graph import Graph, Node
from planner.ops_encodings import ChosenColumns, ColumnScores
from planner.rules.encodings import families, transformer

# Selector -> the parameter that says how many columns it chooses, of the scores alone.
_BOUNDS = {
    "SelectFdr": "alpha",
    "SelectFpr": "alpha",
    "SelectFwe": "alpha",
    "SelectKBest": "k",
    "SelectPercentile": "percentile",
}


def group_selections(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of univariate selections by choices from one scoring."""
    replaced: dict[str, Node] = {}
    for nodes in families(outputs, _alike):
        features, folds, *_ = nodes[0].inputs
        shared = graph.node(ColumnScores(_scoring(transformer(nodes[0]))), *nodes[0].inputs)
        for node in nodes:
            op = ChosenColumns(transformer(node))
            replaced[node.key] = graph.node(op, shared, features, folds)
    return replaced


def _alike(call: Call) -> Literal | tuple[()]:
    """The score function of a selector; of the default one, ()."""
    bound = _BOUNDS.get(call.name)
    if bound is None:
        return None
    params = dict(call.params)
    function = params.pop("score_func", ())
    if bound in params and not _valid(call.name, params.pop(bound)):
        return None
    return function if not params and isinstance(function, Function | tuple) else None


def _scoring(call: Call) -> Call:
    """A selector that scores as `call` does, and never warns that it cannot choose as many."""
    scoring = without_params(call, _BOUNDS[call.name])
    return with_params(scoring, k="all") if call.name == "SelectKBest" else scoring


def _valid(name: str, value: Literal) -> bool:
    """Whether the library takes this bound; what it refuses, it refuses in its own words."""
    if isinstance(value, bool):
        return False
    if name == "SelectKBest":
        return value == "all" or (isinstance(value, int) and value >= 0)
    top = 100 if name == "SelectPercentile" else 1
    return isinstance(value, int | float) and 0 <= value <= top
