"""How many rows a relation, and a side of a split, is expected to have, without asking the data.

Input: a table node and the rows of registered tables; a split. Output: a number of rows (exact
for scans, limits and samples, a guess where a filter, a join or an aggregate decides); the shares
of rows for training and validation.
"""

import re
from collections.abc import Callable

from planner.binder import schema
from planner.expressions import Call, param
from planner.graph import Node
from planner.ops import Folds
from planner.tableops import Aggregate, Expr, Filter, Join, Limit, Sample, Scan, Union

_EQUAL = 0.2  # the share of rows that an equality keeps, where nothing is known of its column
_KEPT = 0.8  # that of a bound: most filters of prepared tables drop outliers
_EACH = 20  # groups of a column of which nothing is known


def rows_of(node: Node, scanned: Callable[[str], int]) -> int:
    """Expected rows of the relation `node`; `scanned` gives those of a fingerprint. At least 1."""
    found: dict[str, float] = {}
    stack = [node]
    while stack:
        current = stack[-1]
        waiting = [source for source in current.inputs if source.key not in found]
        if waiting:
            stack.extend(waiting)
            continue
        stack.pop()
        found[current.key] = _rows(current, [found[s.key] for s in current.inputs], scanned)
    return max(int(found[node.key]), 1)


def _rows(node: Node, inputs: list[float], scanned: Callable[[str], int]) -> float:
    op = node.op
    match op:
        case Scan():
            return float(scanned(op.fingerprint))
        case Filter():
            return inputs[0] * _share(op.condition, node.inputs[0])
        case Limit():
            return max(min(float(op.rows), inputs[0] - op.offset), 0.0)
        case Sample():
            return min(float(op.rows), inputs[0]) if op.rows else inputs[0] * (op.fraction or 1)
        case Join():
            return inputs[0] * (2 if op.many else 1)
        case Aggregate():
            groups = 1.0
            for name in op.by:
                groups *= _distinct(node.inputs[0], name) or _EACH
            return min(groups, inputs[0])
        case Union():
            return sum(inputs)
    return inputs[0] if inputs else 1.0


def _share(condition: Expr, table: Node) -> float:
    """The share of rows that a condition keeps, its parts taken to be independent."""
    sql = condition.sql()
    if re.search(r"\bor\b", sql, re.IGNORECASE):
        return _KEPT
    share = 1.0
    for part in re.split(r"\band\b", sql, flags=re.IGNORECASE):
        if re.search(r"<>|!=|\bnot\b", part, re.IGNORECASE):
            share *= 0.95
        elif re.search(r"(?<![<>!=])==?(?!=)", part):
            names = [name for name in condition.columns if name in part]
            distinct = _distinct(table, names[0]) if len(names) == 1 else None
            share *= 1 / distinct if distinct else _EQUAL
        else:
            share *= _KEPT
    return share


def _distinct(table: Node, name: str) -> int | None:
    columns = schema(table)
    return columns[name].distinct if name in columns else None


def shares(op: Folds, fold: int | None) -> tuple[float, float]:
    """The shares of the rows that are for training and for validation; on average if `fold` is
    None."""
    call, count = op.splitter, op.count
    splits = param(call, "n_splits", 5)
    k = splits if isinstance(splits, int) and splits > 1 else max(count, 2)
    if call.name.endswith("ShuffleSplit"):
        return _drawn(call)
    if call.name == "TimeSeriesSplit":
        before = (fold + 1) if fold is not None else (count + 1) / 2
        return before / (count + 1), 1 / (count + 1)
    if call.name in ("LeaveOneGroupOut", "PredefinedSplit", "LeaveOneOut"):
        k = max(count, 2)
    return 1 - 1 / k, 1 / k


def _drawn(call: Call) -> tuple[float, float]:
    usual = 0.2 if call.name.startswith("Group") else 0.1
    test, train = param(call, "test_size"), param(call, "train_size")
    left = float(train) if isinstance(train, float) and 0 < train < 1 else None
    out = float(test) if isinstance(test, float) and 0 < test < 1 else None
    if out is None:
        out = usual if left is None else 1 - left
    return (1 - out if left is None else left), out
