"""Encoders: feature blocks in one pass from columns and dictionary codes.

Rule input: the outputs of a batch. Rule output: replacements for concatenations whose branches
are imputed, scaled and encoded columns, and for encoders of categories that stand elsewhere.
Only transformers and parameters whose features are equal to the last bit are named here, for
trees read them too; everything else stays an Encode. Both rules look at one node and what it
reads: what a batch holds beside it does not change its key.
"""

from collections.abc import Callable, Mapping, Sequence

from planner.expressions import Call, Items, Literal
from planner.graph import Graph, Node, walk
from planner.ops import Columns, Concat, Encode
from planner.ops_encode import CODED, CodedEncode, Codes, EncodeBlock

Check = Callable[[Literal], bool]


def fuse_encoders(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of concatenations by blocks that one pass makes."""
    replaced: dict[str, Node] = {}
    for node in walk(outputs, tables=False):
        if not isinstance(node.op, Concat):
            continue
        folds, *blocks = node.inputs
        branches = [_branch(block, folds) for block in blocks]
        if not any(steps for _, steps in branches):
            continue
        calls = tuple(tuple(_call(step) for step in steps) for _, steps in branches)
        keys = tuple(tuple(step.key for step in steps) for _, steps in branches)
        op = EncodeBlock(calls, node.op.sparse_threshold, keys)
        sources = [source for source, _ in branches]
        codes = [
            _codes(graph, source) for source, coded in zip(sources, op.coded, strict=True) if coded
        ]
        replaced[node.key] = graph.node(op, folds, *sources, *codes)
    return replaced


def share_codes(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of encoders of categories by those that read codes."""
    replaced: dict[str, Node] = {}
    for node in walk(outputs, tables=False):
        if not isinstance(node.op, Encode) or node.op.transformer.name not in CODED:
            continue
        block, folds, *target = node.inputs
        own = param_names(node.op.transformer)
        if _columns(block) and "categories" not in own:
            op = CodedEncode(node.op.transformer, node.op.supervised)
            replaced[node.key] = graph.node(op, block, folds, _codes(graph, block), *target)
    return replaced


def param_names(call: Call) -> frozenset[str]:
    return frozenset(name for name, _ in call.params)


def _branch(block: Node, folds: Node) -> tuple[Node, list[Node]]:
    """``(source, encodings)`` of a branch; none if it is to be stacked as it is."""
    steps: list[Node] = []
    node = block
    while isinstance(node.op, Encode) and not node.op.supervised and node.inputs[1] is folds:
        steps.insert(0, node)
        node = node.inputs[0]
    if steps and _columns(node) and _served([_call(step) for step in steps]):
        return node, steps
    return block, []


def _call(node: Node) -> Call:
    assert isinstance(node.op, Encode)
    return node.op.transformer


def _columns(node: Node) -> bool:
    return isinstance(node.op, Columns) and not node.op.single


def _codes(graph: Graph, columns: Node) -> Node:
    assert isinstance(columns.op, Columns)
    return graph.node(Codes(columns.op.names), *columns.inputs)


def _served(calls: Sequence[Call]) -> bool:
    """Whether a chain is known: an imputer, if any, then one scaler or encoder, if any."""
    if len(calls) == 2 and calls[0].name == "SimpleImputer":
        filled = _TEXT_FILLS if calls[1].name in CODED else _NUMBER_FILLS
        return _allowed(calls[0], filled) and _single(calls[1])
    if len(calls) == 1 and calls[0].name == "SimpleImputer":
        return _allowed(calls[0], _NUMBER_FILLS)
    return len(calls) == 1 and _single(calls[0])


def _single(call: Call) -> bool:
    known = _KNOWN.get(call.name)
    return known is not None and _allowed(call, known)


def _allowed(call: Call, known: Mapping[str, Check]) -> bool:
    return all(name in known and known[name](value) for name, value in call.params)


def _one_of(*values: Literal) -> Check:
    return lambda value: any(type(value) is type(one) and value == one for one in values)


def _flag(value: Literal) -> bool:
    return isinstance(value, bool)


def _number(value: Literal) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Literal) -> bool:
    return isinstance(value, str)


def _range(value: Literal) -> bool:
    return (
        isinstance(value, Items)
        and value.kind == "tuple"
        and len(value.values) == 2
        and all(_number(item) for item in value.values)
    )


def _no_code(value: Literal) -> bool:
    """A value for unknown categories that is no code: a negative number, or NaN."""
    return isinstance(value, int | float) and not value >= 0


_NUMBER_FILLS: dict[str, Check] = {
    "strategy": _one_of("mean", "median", "constant"),
    "fill_value": _number,
}
_TEXT_FILLS: dict[str, Check] = {
    "strategy": _one_of("most_frequent", "constant"),
    "fill_value": _text,
}
_KNOWN: dict[str, dict[str, Check]] = {
    "StandardScaler": {"with_mean": _flag, "with_std": _flag, "copy": _flag},
    "MinMaxScaler": {"feature_range": _range, "copy": _flag},
    "MaxAbsScaler": {"copy": _flag},
    "OneHotEncoder": {
        "drop": _one_of("first", "if_binary", None),
        "handle_unknown": _one_of("error", "ignore", "infrequent_if_exist"),
        "sparse_output": _flag,
    },
    "OrdinalEncoder": {
        "handle_unknown": _one_of("error", "use_encoded_value"),
        "unknown_value": _no_code,
    },
}
