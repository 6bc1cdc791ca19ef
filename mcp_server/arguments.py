"""What is checked of the arguments of a call before any tool sees them.

Input: the JSON arguments and the names that the tool knows. Output: nothing, or a `SpecError`.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from mcp_server.settings import MAX_DEPTH, MAX_REQUEST_BYTES
from planner.errors import SpecError, did_you_mean
from planner.spec import EvaluateSpec, PipelineSpec


def too_large(size: int) -> SpecError:
    return SpecError(
        "request_too_large",
        f"The request has {size / 2**20:.0f} MiB.",
        hint=f"A request may have {MAX_REQUEST_BYTES >> 20} MiB. Send fewer pipelines at once, "
        'and write variants as patches: {"base": spec, "variants": [...]}.',
    )


def check_bounds(arguments: Mapping[str, Any]) -> None:
    """Raises `too_deep` or `request_too_large`; looks at every value once."""
    size = 0
    level: list[Any] = [arguments]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, Mapping):
                size += sum(len(str(key)) + 4 for key in value)
                below.extend(value.values())
            elif isinstance(value, list | tuple):
                size += 2 * len(value)
                below.extend(value)
            else:
                size += len(value) if isinstance(value, str) else 4
        if size > MAX_REQUEST_BYTES:
            raise too_large(size)
        if not below:
            return
        level = below
    raise SpecError(
        "too_deep", f"The request is nested more than {MAX_DEPTH} deep.", hint="Write it flatter."
    )


def check_names(arguments: Iterable[str], known: Iterable[str], tool: str) -> None:
    """Raises `unknown_argument`, with a hint where a misplaced one belongs."""
    names = list(known)
    for name in arguments:
        if name in names:
            continue
        listed = ", ".join(names) or "none"
        hint = did_you_mean(name, names, f"The arguments of {tool} are: {listed}.")
        if "evaluate" in names and name in EvaluateSpec.model_fields:
            hint = f'It belongs in `evaluate`: {{"{name}": ...}}.'
        elif "pipelines" in names and name in PipelineSpec.model_fields:
            hint = f'It belongs in a pipeline: {{"{name}": ...}}.'
        raise SpecError(
            "unknown_argument", f"{tool} has no argument '{name}'.", path=name, hint=hint
        )
