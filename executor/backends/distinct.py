"""Decompositions by distinct rows: the op of `planner.ops_distinct`.

Input: features and folds. Output: the pair of an Encode.
"""

from collections.abc import Callable, Sequence
from typing import Any

from executor.backends.base import Context
from executor.backends.sides import sides
from executor.construct import value
from executor.distinct_svd import NearTruncatedSVD, TruncatedSVD
from executor.distinct_text import string_encoder
from executor.features import same_categories
from planner.errors import ExecutionError
from planner.graph import Op
from planner.ops_distinct import DistinctComponents


def _components(op: DistinctComponents, inputs: Sequence[Any], context: Context) -> Any:
    train, valid = sides(inputs[0], inputs[1], context)
    decompose = NearTruncatedSVD if op.near else TruncatedSVD
    kinds = {"TruncatedSVD": decompose, "StringEncoder": string_encoder(decompose)}
    kind = kinds.get(op.transformer.name)
    if kind is None:
        raise ExecutionError("internal", f"{op.transformer.name} has no distinct rows.")
    transformer = kind(**{name: value(item) for name, item in op.transformer.params})
    fitted = transformer.fit_transform(train)
    return same_categories(fitted, transformer.transform(valid))


RUN: dict[type[Op], Callable[[Any, Sequence[Any], Context], Any]] = {
    DistinctComponents: _components,
}
