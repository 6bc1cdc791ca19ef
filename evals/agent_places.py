"""Where the scripted agent has its pipelines run. Input: pipelines. Output: scores or errors.

`Server` is a real MCP client of a server process over stdio and knows nothing else of the engine.
`Scripts` runs every pipeline as a script of its own, one after another, as agents do today.
"""

import json
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp_types import TextContent

from evals.workloads.base import Pipeline, Workload

_ROOT = str(Path(__file__).resolve().parents[1])
_WAIT = 20.0  # seconds in one call
_POLL = 0.1
_SCRIPT = """\
import importlib, json, sys
module, name, paths, arguments = json.loads(sys.argv[1])
print(json.dumps(getattr(importlib.import_module(module), name)(paths, **arguments)))
"""


@dataclass(frozen=True)
class Outcome:
    """Mean score over folds, or what went wrong; `at` is a monotonic time."""

    name: str
    score: float | None
    error: str
    at: float


class Place(Protocol):
    """Runs pipelines; outcomes are in the order sent."""

    async def run(self, pipelines: Sequence[Pipeline]) -> list[Outcome]: ...


class Scripts:
    """One fresh interpreter a pipeline; what it imports is part of what it costs."""

    def __init__(self, workload: Workload) -> None:
        self._paths = workload.datasets

    async def run(self, pipelines: Sequence[Pipeline]) -> list[Outcome]:
        return [await self._one(pipeline) for pipeline in pipelines]

    async def _one(self, pipeline: Pipeline) -> Outcome:
        module, _, name = pipeline.function.partition(":")
        call = json.dumps([module, name, self._paths, pipeline.arguments])
        done = await anyio.run_process(
            [sys.executable, "-W", "ignore", "-c", _SCRIPT, call],
            env={**os.environ, "PYTHONPATH": _ROOT},
            check=False,
        )
        at = time.monotonic()
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            return Outcome(pipeline.name, None, lines[-1] if lines else "no output", at)
        folds = json.loads(done.stdout.decode().splitlines()[-1])
        return Outcome(pipeline.name, statistics.fmean(folds), "", at)


class Server:
    """A session with a server process."""

    def __init__(self, client: Client, workload: Workload) -> None:
        self._client = client
        self._workload = workload

    async def ready(self) -> None:
        """Waits until the server has loaded its libraries."""
        while not (await self._call("server_status"))["ready"]:
            await anyio.sleep(_POLL)

    async def add_datasets(self) -> None:
        for name, path in self._workload.datasets.items():
            await self._call("add_dataset", path=path, name=name)

    async def run(self, pipelines: Sequence[Pipeline]) -> list[Outcome]:
        reply = await self._call(
            "evaluate_pipelines",
            pipelines=[p.spec for p in pipelines],
            evaluate=self._workload.evaluate,
            wait_s=_WAIT,
            limit=len(pipelines),
        )
        while reply["state"] in ("submitted", "running"):
            reply = await self._call(
                "get_job", job=reply["job"], wait_s=_WAIT, limit=len(pipelines)
            )
        at = time.monotonic()
        found = {entry["name"]: entry for entry in reply["evaluations"]}
        return [
            self._outcome(pipeline.name, found.get(pipeline.name), at) for pipeline in pipelines
        ]

    def _outcome(self, name: str, entry: dict[str, Any] | None, at: float) -> Outcome:
        if entry is None:
            return Outcome(name, None, "no answer", at)
        if entry["status"] != "ok":
            error = entry["error"] or {}
            return Outcome(name, None, f"{error.get('code')}: {error.get('message')}", at)
        return Outcome(name, entry["metrics"][self._workload.metric]["mean"], "", at)

    async def _call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """The structured content of a tool's answer; RuntimeError with its text if refused."""
        result = await self._client.call_tool(tool, arguments)
        if result.is_error or result.structured_content is None:
            texts = [part.text for part in result.content if isinstance(part, TextContent)]
            raise RuntimeError(f"{tool}: {' '.join(texts)}")
        content: dict[str, Any] = result.structured_content
        return content


@asynccontextmanager
async def served(workload: Workload, folder: Path) -> AsyncIterator[Place]:
    """A server that sees the folder of the data, with its home in `folder`."""
    workspace = os.path.commonpath([Path(p).resolve().parent for p in workload.datasets.values()])
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "mcp_server.cli", "serve", "--workspace", workspace,
              "--home", str(folder / "home")],
        # A client passes on little of its environment, yet it decides the last bits of scores.
        env={**os.environ, "PYTHONPATH": _ROOT},
    )  # fmt: skip
    async with Client(parameters) as client:
        server = Server(client, workload)
        await server.ready()
        await server.add_datasets()
        yield server


@asynccontextmanager
async def scripted(workload: Workload, folder: Path) -> AsyncIterator[Place]:
    """Scripts need no preparation."""
    yield Scripts(workload)


PLACES: dict[str, Callable[[Workload, Path], AbstractAsyncContextManager[Place]]] = {
    "stratum": served,
    "scripts": scripted,
}
