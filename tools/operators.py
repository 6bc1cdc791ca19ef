"""Operators as agents see them. Input: registry entries. Output: responses."""

from planner.expressions import text
from planner.registry import NoDefault, Operator, Parameter
from tools.responses import OperatorInfo, ParameterInfo


def operator_info(operator: Operator, *, parameters: bool) -> OperatorInfo:
    """Name, kind and summary; with parameters, types and defaults if asked for."""
    return OperatorInfo(
        name=operator.name,
        kind=operator.kind,
        library=operator.library,
        summary=operator.summary,
        parameters=[_parameter(p) for p in operator.parameters] if parameters else [],
    )


def _parameter(parameter: Parameter) -> ParameterInfo:
    default = parameter.default
    shown = default.value if isinstance(default, NoDefault) else text(default)
    return ParameterInfo(name=parameter.name, default=shown, type=parameter.type)
