"""Stratum as agents use it: a real MCP client and a server process over stdio.

Input: specs. Output: scores. What the protocol costs shows against the engine alone.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from evals.systems.engine import lend_operators
from evals.systems.protocol import Channel, Request

_ROOT = Path(__file__).resolve().parents[2]
# Seconds in one call: an agent looks for first results soon, then waits.
_FIRST_WAIT, _WAIT = 1.0, 20.0
_PAGE = 5  # evaluations; a page of at most five has the scores of all folds
_POLL = 0.05


class System:
    """See the module."""

    def __init__(self, request: Request) -> None:
        self._workload = request.workload
        self._home = Path(request.folder) / "home"
        self._stack = AsyncExitStack()
        self._client: Any = None
        self._portal: BlockingPortal | None = None
        self._context: Any = None

    def prepare(self) -> None:
        lend_operators(self._home.parents[1], self._home)
        self._context = start_blocking_portal()
        self._portal = self._context.__enter__()
        self._client = self._portal.wrap_async_context_manager(
            Client(
                StdioServerParameters(
                    command=sys.executable,
                    args=["-m", "mcp_server.cli", "serve", "--workspace", "/",
                          "--home", str(self._home)],
                    env={**os.environ, "PYTHONPATH": str(_ROOT)},
                )
            )
        )  # fmt: skip
        self._session = self._client.__enter__()
        self._portal.call(self._ready)

    def run(self, channel: Channel) -> Mapping[str, Any]:
        assert self._portal is not None
        self._portal.call(self._run, channel)
        return {}

    def close(self) -> None:
        if self._client is not None:
            self._client.__exit__(None, None, None)
        if self._context is not None:
            self._context.__exit__(None, None, None)

    async def _call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self._session.call_tool(tool, arguments)
        if result.is_error:
            raise RuntimeError(result.content[0].text)
        found: dict[str, Any] = result.structured_content
        return found

    async def _ready(self) -> None:
        """Waits until the server has loaded its libraries."""
        while not (await self._call("server_status"))["ready"]:
            await anyio.sleep(_POLL)

    async def _run(self, channel: Channel) -> None:
        for name, path in self._workload.datasets.items():
            await self._call("add_dataset", path=path, name=name)
        async with anyio.create_task_group() as group:
            for evaluate, pipelines in self._workload.batches():
                specs = [{**p.spec, "name": p.name} for p in pipelines]
                group.start_soon(self._batch, channel, specs, evaluate)

    async def _batch(
        self, channel: Channel, specs: list[dict[str, Any]], evaluate: dict[str, Any]
    ) -> None:
        told: set[str] = set()
        reply = await self._call(
            "evaluate_pipelines",
            pipelines=specs,
            evaluate=evaluate,
            wait_s=_FIRST_WAIT,
            limit=_PAGE,
        )
        while reply["state"] in ("submitted", "running"):
            self._tell(channel, reply, told)
            wait = _WAIT if told else _FIRST_WAIT
            reply = await self._call("get_job", job=reply["job"], wait_s=wait, limit=_PAGE)
        while True:
            self._tell(channel, reply, told)
            cursor = reply.get("next_cursor")
            if cursor is None:
                return
            reply = await self._call("get_job", job=reply["job"], cursor=cursor, limit=_PAGE)

    def _tell(self, channel: Channel, reply: dict[str, Any], told: set[str]) -> None:
        for evaluation in reply["evaluations"]:
            if evaluation["name"] in told:
                continue
            told.add(evaluation["name"])
            if evaluation["status"] != "ok":
                error = evaluation["error"] or {"code": evaluation["status"]}
                channel.result(evaluation["name"], error=error["code"])
                continue
            metrics = evaluation["metrics"]
            value = metrics.get(self._workload.metric) or next(iter(metrics.values()))
            channel.result(evaluation["name"], value["folds"])
