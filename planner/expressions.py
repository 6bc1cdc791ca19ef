"""Estimator expressions: text such as ``Ridge(alpha=0.1)`` parsed from Python's AST, never run.

Input: text or the dict form. Output: immutable `Call` values with canonical text.
"""

from collections.abc import Collection, Mapping
from typing import Any

from planner.errors import SpecError
from planner.expression_canonical import Canonical
from planner.expression_syntax import parse_dict, parse_text
from planner.expression_types import (
    Call,
    Function,
    Items,
    Literal,
    Pairs,
    children,
    param,
    same,
    text,
    walk_calls,
    with_params,
    without_params,
)
from planner.registry import Registry
from planner.spec import EstimatorDict

__all__ = [
    "Call",
    "Function",
    "Items",
    "Literal",
    "Pairs",
    "children",
    "param",
    "parse",
    "same",
    "text",
    "walk_calls",
    "with_params",
    "without_params",
]

PREDICTORS = frozenset({"classifier", "regressor"})
TRANSFORMERS = frozenset({"transformer"})
SPLITTERS = frozenset({"splitter"})
_MEMO_LIMIT = 50_000


def parse(
    source: str | Mapping[str, Any] | EstimatorDict,
    registry: Registry,
    path: str = "",
    *,
    allow: Collection[str] | None = None,
) -> Call:
    """The canonical call that `source` stands for.

    Canonical means: parameters by keyword and sorted, defaults left out, threads, logging and
    caching dropped, LightGBM's and XGBoost's aliases resolved, make_pipeline and its like
    spelled out as Pipeline, ColumnTransformer and FeatureUnion. Equal meaning is equal text.

    Args:
        source: Expression text, or ``{"estimator": name, "params": {...}}``.
        registry: What can be named.
        path: Where in the request, for errors.
        allow: Kinds accepted (`Operator.kind`); None accepts all. A Pipeline is of its last
            step's kind, and whatever has ``transform`` is also a transformer.

    Raises:
        SpecError: `invalid_expression`, `unknown_estimator`, `unknown_function`,
            `unknown_parameter`, `duplicate_parameter`, `missing_parameter`,
            `too_many_arguments`, `refused_parameter`, `wrong_kind`.
    """
    try:
        call = _parse(source, registry)
        if allow is not None and not registry.fits(call, frozenset(allow)):
            wanted = " or ".join(f"a {kind}" for kind in sorted(allow))
            raise SpecError(
                "wrong_kind",
                f"{call.name} is a {registry.kind_of(call)}; {wanted} is needed here.",
                hint="list_operators finds operators by kind.",
            )
    except SpecError as error:
        raise error.at(path) from None
    return call


def _parse(source: str | Mapping[str, Any] | EstimatorDict, registry: Registry) -> Call:
    if not isinstance(source, str):
        if isinstance(source, EstimatorDict):
            source = {"estimator": source.estimator, "params": source.params}
        return Canonical(registry).top(parse_dict(source))
    found = registry.memo.get(source)
    if found is None:
        found = Canonical(registry).top(parse_text(source))
        if len(registry.memo) >= _MEMO_LIMIT:
            registry.memo.clear()
        registry.memo[source] = found
    return found
