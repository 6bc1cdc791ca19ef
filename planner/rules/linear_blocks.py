"""Features that linear models can be fitted on without being encoded.

Input: the features of a fit. Output: the columns and transformers that they are made of, if the
second moments of the columns are enough for them: numbers under an imputer and a scaler, and
categories under OneHotEncoder, side by side.
"""

from dataclasses import dataclass

from planner.binder import schema
from planner.expressions import Call
from planner.graph import Node
from planner.ops import Columns, Concat, Encode

_NUMERIC = frozenset({"integer", "float", "boolean"})
# ENUM columns lose the categories that a fold's training rows lack before they are encoded.
_CATEGORIES = frozenset({"string", "integer", "float", "boolean"})
SCALERS = frozenset({"StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler"})
_STRATEGIES = ("mean", "median", "most_frequent", "constant")
_ONE_HOT = frozenset({"handle_unknown", "sparse_output", "drop", "feature_name_combiner"})


@dataclass(frozen=True)
class Blocks:
    """Columns with the transformers that they pass through, side by side."""

    columns: tuple[Node, ...]
    calls: tuple[tuple[Call, ...], ...]
    sparse_threshold: float | None

    @property
    def scaled(self) -> bool:
        return any(call.name in SCALERS for calls in self.calls for call in calls)


def blocks_of(features: Node) -> Blocks | None:
    """The blocks that `features` are made of, if they are surely a dense matrix of numbers."""
    threshold: float | None = None
    parts: tuple[Node, ...] = (features,)
    if isinstance(features.op, Concat):
        threshold, parts = features.op.sparse_threshold, features.inputs[1:]
    found = [_block(part) for part in parts]
    known = [block for block in found if block is not None]
    if not known or len(known) != len(found):
        return None
    blocks = Blocks(tuple(c for c, _ in known), tuple(calls for _, calls in known), threshold)
    return blocks if _dense(blocks) else None


def _block(part: Node) -> tuple[Node, tuple[Call, ...]] | None:
    calls: list[Call] = []
    node = part
    while not isinstance(node.op, Columns):
        if isinstance(node.op, Encode) and not node.op.supervised:
            calls.insert(0, node.op.transformer)
            node = node.inputs[0]
        elif isinstance(node.op, Concat) and len(node.inputs) == 2 and not _one_hot(calls):
            node = node.inputs[1]
        else:
            return None
    if node.op.single:
        return None
    served = _one_hot_served(node, calls) if _one_hot(calls) else _numbers_served(node, calls)
    return (node, tuple(calls)) if served else None


def _one_hot(calls: list[Call]) -> bool:
    return any(call.name == "OneHotEncoder" for call in calls)


def _one_hot_served(columns: Node, calls: list[Call]) -> bool:
    *front, encoder = calls
    if encoder.name != "OneHotEncoder" or len(front) > 1:
        return False
    if front and not _filled_with_text(front[0]):
        return False
    params = dict(encoder.params)
    return (
        params.keys() <= _ONE_HOT
        and params.get("handle_unknown", "error") in ("error", "ignore")
        and isinstance(params.get("sparse_output", True), bool)
        and params.get("drop") in (None, "first", "if_binary")
        and _kinds(columns) <= (frozenset({"string"}) if front else _CATEGORIES)
    )


def _filled_with_text(call: Call) -> bool:
    params = dict(call.params)
    return (
        call.name == "SimpleImputer"
        and params.keys() == {"strategy", "fill_value"}
        and params["strategy"] == "constant"
        and isinstance(params["fill_value"], str)
    )


def _numbers_served(columns: Node, calls: list[Call]) -> bool:
    steps = list(calls)
    if steps and _imputer_served(steps[0]):
        steps.pop(0)
    if steps and steps[0].name in SCALERS and not steps[0].params:
        steps.pop(0)
    return not steps and plain_numbers(columns)


def _imputer_served(call: Call) -> bool:
    params = dict(call.params)
    if call.name != "SimpleImputer" or not params.keys() <= {"strategy", "fill_value"}:
        return False
    strategy, value = params.get("strategy", "mean"), params.get("fill_value")
    if value is not None and (strategy != "constant" or not isinstance(value, int | float)):
        return False
    return strategy in _STRATEGIES


def plain_numbers(columns: Node) -> bool:
    """Whether all columns are numbers that scikit-learn solves in double precision."""
    assert isinstance(columns.op, Columns)
    table = schema(columns.inputs[0])
    single = any(table[name].sql_type.upper() == "FLOAT" for name in columns.op.names)
    return not single and _kinds(columns) <= _NUMERIC


def _kinds(columns: Node) -> frozenset[str]:
    assert isinstance(columns.op, Columns)
    table = schema(columns.inputs[0])
    return frozenset(table[name].kind for name in columns.op.names)


def _dense(blocks: Blocks) -> bool:
    """Whether no fold can make these blocks a sparse matrix: those go to iterative solvers.

    A fold has at most the categories of all rows, and more of them make a matrix sparser.
    """
    width = filled = 0
    sparse = False
    for node, calls in zip(blocks.columns, blocks.calls, strict=True):
        assert isinstance(node.op, Columns)
        names = node.op.names
        params = dict(calls[-1].params) if calls else {}
        if not calls or calls[-1].name != "OneHotEncoder":
            width, filled = width + len(names), filled + len(names)
            continue
        if params.get("sparse_output", True) is False:
            # Its width does not matter unless another block is sparse; then it helps.
            continue
        sparse = True
        table = schema(node.inputs[0])
        counts = [table[name].distinct for name in names]
        if params.get("drop") is not None or None in counts:
            return False
        # A missing value is a category of its own.
        width += sum(count + 1 for count in counts if count is not None)
        filled += len(names)
    if not sparse:
        return True
    return blocks.sparse_threshold is not None and filled >= blocks.sparse_threshold * width
