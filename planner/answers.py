"""Predictions across plans: found in the store, whatever rules made them and whatever they make
of the same pipelines now.

Input: the score nodes of a batch, before and after the rules. Output: the same scores on
predictions that are stored; the keys under which predictions are stored, those of the prediction
nodes before all rules; and the probabilities to be stored for blends to come.
"""

from collections.abc import Callable, Mapping, Sequence

from planner.graph import Graph, Node, Role, substitute, walk
from planner.ops import Folds, Predict
from planner.ops_stored import Stored
from planner.plan import Value

_PROBABILITIES = Predict(("predict_proba",))


def on_stored(
    graph: Graph, outputs: Sequence[Node], available: Callable[[Value], bool]
) -> dict[str, Node]:
    """What becomes of every node under `outputs` (by key) when predictions that are in the store
    are taken from there: nothing below them is planned, and no rule makes them part of a group.
    """

    found = {
        node.key: graph.node(Stored(node.key))
        for node in walk(outputs, tables=False)
        if isinstance(node.op, Predict) and _is_stored(node, available)
    }
    if not found:
        return {node.key: node for node in outputs}
    return substitute(graph, outputs, lambda node: found.get(node.key))


def _is_stored(predict: Node, available: Callable[[Value], bool]) -> bool:
    folds = predict.inputs[0].inputs[1].op
    assert isinstance(folds, Folds)
    return all(available(Value(predict.key, fold)) for fold in range(folds.count))


def origins_of(stored: Mapping[str, Node], rewritten: Mapping[str, str]) -> dict[str, str]:
    """Key of a node that came about in planning -> key of that in whose place it stands, by what
    `on_stored` gave and the origins of the rules behind it."""
    first = {node.key: key for key, node in stored.items() if node.key != key}
    return {**first, **{made: first.get(key, key) for made, key in rewritten.items()}}


def names_of(
    logical: Sequence[Node], rewritten: Sequence[Node], origins: Mapping[str, str]
) -> dict[str, str]:
    """Key of a prediction node after the rules -> the key that its values have."""
    answers = {node.key for node in walk(logical, tables=False) if node.op.role is Role.ANSWER}
    made: dict[str, str] = {}
    for node in walk(rewritten, tables=False):
        name = origins.get(node.key)
        answering = node.op.role is Role.ANSWER or isinstance(node.op, Stored)
        if answering and name in answers and node.key not in answers:
            # What stands for the prediction itself comes after what it is made of.
            made[name] = node.key
    return {key: name for name, key in made.items()}


def probabilities_of(
    graph: Graph, logical: Sequence[Node], rewritten: Sequence[Node], names: dict[str, str]
) -> dict[str, Node]:
    """Key of a node after the rules that asks for decision values -> the node that asks the same
    model for probabilities, which blends combine: a later one then needs no fit. `names` gets
    the keys of their values.
    """
    asked = {
        node.key: graph.node(_PROBABILITIES, node.inputs[0])
        for node in walk(logical, tables=False)
        if isinstance(node.op, Predict)
        and node.op.methods[0] == "decision_function"
        and "predict_proba" in node.op.methods
    }
    found: dict[str, Node] = {}
    for node in walk(rewritten, tables=False) if asked else ():
        wanted = asked.get(names.get(node.key, node.key))
        if wanted is not None and isinstance(node.op, Predict):
            found[node.key] = beside = graph.node(_PROBABILITIES, *node.inputs)
            if beside is not wanted:
                names[beside.key] = wanted.key
    return found
