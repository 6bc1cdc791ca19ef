"""The MCP server: an engine in, a server with all its tools out."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, InputRequiredResult, Tool, ToolAnnotations
from pydantic import BaseModel

from mcp_server.arguments import check_bounds, check_names
from mcp_server.data_tools import DataTools
from mcp_server.deferred import Provider
from mcp_server.errors import tool_error, translate
from mcp_server.job_tools import JobTools
from mcp_server.schemas import input_schema, output_schema
from mcp_server.settings import distribution_version
from mcp_server.stdio import stdio_transport
from mcp_server.waiting import Waiting
from planner.errors import SpecError, StratumError, did_you_mean

if TYPE_CHECKING:
    from tools.engine import Engine

INSTRUCTIONS = """\
Stratum scores tabular machine-learning pipelines in batches. Register files with add_dataset, \
look with profile_dataset, then send many pipelines at once to evaluate_pipelines: work they \
share is done once, and what was scored before is free.
A pipeline:
{"dataset": "bike", "target": "cnt",
 "prepare": [{"derive": {"hour": "hour(date)"}}, {"drop": ["id"]}],
 "features": [{"columns": "numeric", "steps": ["SimpleImputer()", "StandardScaler()"]},
              {"columns": ["station"], "steps": ["TargetEncoder()"]}],
 "model": "Ridge(alpha=choose(0.1, 1, 10))"}
Estimators are constructor expressions of scikit-learn, LightGBM, XGBoost or skrub; choose(...) \
makes variants. SQL is DuckDB's. columns: names, numeric, string, categorical, date, boolean, \
all, {"regex": ...} or {"except": [...]}. Without features, a default is chosen by type and shown. \
target may be {"column": "cnt", "transform": "log1p"}. Other data steps: filter, select, rename, \
cast, fill, replace, join, aggregate, window, sort, limit, sample, union, sql.
Small edits: {"from": "<name or evaluation id>", "model": "Lasso()"}, or {"base": {...}, \
"variants": [{...}, ...]}. Blends of out-of-fold predictions: {"blend": {"of": [names or ids], \
"how": "mean"}}, or rank_mean, or stack with "model": "Ridge()". evaluate: {"cv": \
"KFold(5, shuffle=True, random_state=0)", "metrics": ["rmse", "r2"], "groups": null}; the first \
metric ranks. "holdout": 0.2 in it keeps rows from all folds; confirm finalists on them with \
evaluate_pipelines(confirm=[ids]), rarely.
Errors have a code, the path at fault and a hint; repair that place and send it again."""

ToolMethod = Callable[..., Awaitable[CallToolResult]]


class StratumServer(MCPServer[Any]):
    """An `MCPServer` whose errors tell what to do, and whose schemas are short."""

    async def list_tools(self) -> list[Tool]:
        return [
            tool.model_copy(
                update={
                    "input_schema": input_schema(tool.input_schema),
                    "output_schema": tool.output_schema and output_schema(tool.output_schema),
                }
            )
            for tool in await super().list_tools()
        ]

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        try:
            model = self._arguments_of(name)
            check_bounds(arguments)
            check_names(arguments, model.model_fields, name)
        except StratumError as error:
            raise tool_error(error) from None
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            raise translate(error.__cause__, name, model) from error.__cause__

    async def run_over(self, source: int, target: int) -> None:
        """Serves one client over two descriptors, until it ends its side."""
        async with stdio_transport(source, target) as (read, write):
            options = self._lowlevel_server.create_initialization_options()
            await self._lowlevel_server.run(read, write, options)

    def _arguments_of(self, name: str) -> type[BaseModel]:
        tool = self._tool_manager.get_tool(name)
        if tool is None:
            names = [known.name for known in self._tool_manager.list_tools()]
            hint = did_you_mean(name, names, f"The tools are: {', '.join(names)}.")
            raise SpecError("unknown_tool", f"There is no tool '{name}'.", hint=hint)
        return tool.fn_metadata.arg_model


def create_server(engine: "Engine | Provider") -> StratumServer:
    """The server; `engine`, or what provides it once it is ready, is the caller's to close."""
    waiting = Waiting()
    provide: Provider = engine if callable(engine) else lambda: engine
    data, jobs = DataTools(provide, waiting), JobTools(provide, waiting)
    server = StratumServer(
        name="stratum",
        title="Stratum",
        version=distribution_version(),
        instructions=INSTRUCTIONS,
        log_level="WARNING",
    )
    # What a client shows its user before a call; no tool reaches beyond this machine.
    reads = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    computes = ToolAnnotations(
        read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False
    )
    stops = ToolAnnotations(
        read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
    )
    tools: list[tuple[ToolMethod, ToolAnnotations]] = [
        (data.add_dataset, computes),
        (data.list_datasets, reads),
        (data.profile_dataset, reads),
        (data.query_dataset, reads),
        (data.list_operators, reads),
        (jobs.evaluate_pipelines, computes),
        (jobs.search_pipelines, computes),
        (jobs.explain_plan, reads),
        (jobs.get_job, reads),
        (jobs.cancel_job, stops),
        (jobs.get_leaderboard, reads),
        (data.server_status, reads),
    ]
    for method, annotations in tools:
        description = " ".join((method.__doc__ or "").split())
        server.add_tool(method, description=description, annotations=annotations)
    return server
