"""Failures as the client sees them.

Input: any exception of a tool call. Output: a `ToolError` whose text is one JSON object
``{"code", "message", "path"?, "hint"?}``. Details of unexpected failures stay in the log.
"""

import json
import logging

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, ValidationError

from mcp_server.replies import cut
from planner.errors import ServerError, SpecError, StratumError
from tools.validation import spec_error

_LOG = logging.getLogger(__name__)


def error_text(error: StratumError) -> str:
    """Compact JSON; empty fields are left out, long ones cut."""
    fields = {name: cut(value) for name, value in error.to_dict().items() if value}
    return json.dumps(fields, ensure_ascii=False)


def tool_error(error: StratumError) -> ToolError:
    return ToolError(error_text(error))


def translate(error: BaseException | None, tool: str, arguments: type[BaseModel]) -> ToolError:
    """The answer to any failure of `tool`, whose arguments are a model `arguments`.

    What was not foreseen is logged in full, and its text is kept from the client.
    """
    if isinstance(error, StratumError):
        return tool_error(error)
    if isinstance(error, ValidationError) and error.title == arguments.__name__:
        return tool_error(spec_error(error, "", arguments))
    if isinstance(error, RecursionError):
        return tool_error(SpecError("too_deep", "The request is nested too deeply."))
    _LOG.error("tool %s failed unexpectedly", tool, exc_info=error)
    return tool_error(
        ServerError(
            "internal_error",
            f"The server failed unexpectedly ({type(error).__name__}).",
            hint="The server's log on stderr has the details; other requests are not affected.",
        )
    )
