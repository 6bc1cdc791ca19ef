"""The same over HTTP: one server process, and a real MCP client for each session.

Input: requests of clients. Output: what they cost together, as for the engine alone; fits are
not counted, as nobody listens inside the server.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import psutil
from mcp import Client

from evals import clients_load as load
from evals import measure

_ROOT = Path(__file__).resolve().parents[1]
_WAIT, _POLL, _PAGE = 20.0, 0.05, 1000
_STARTING = 120.0

Specs = list[dict[str, Any]]


class Server:
    """A server on a free port of 127.0.0.1, ended with its processes on `close`."""

    def __init__(self, workspace: Path, home: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/mcp"
        command = [sys.executable, "-m", "mcp_server.cli", "serve", "--transport", "http",
                   "--port", str(port), "--workspace", str(workspace),
                   "--home", str(home)]  # fmt: skip
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )

    async def listening(self) -> None:
        port = int(self.url.split(":")[2].split("/")[0])
        deadline = time.monotonic() + _STARTING
        while True:
            try:
                stream = await anyio.connect_tcp("127.0.0.1", port)
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise RuntimeError("the server does not listen") from None
                await anyio.sleep(_POLL)
            else:
                await stream.aclose()
                return

    def close(self) -> None:
        tree = psutil.Process(self.process.pid).children(recursive=True)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        _, alive = psutil.wait_procs(tree, timeout=3)
        measure.end(alive)


def over_http(
    folder: Path, data: Path, home: Path, requests: Sequence[Specs], seconds: float
) -> tuple[float, float, dict[str, list[float | None]]]:
    """Wall seconds and processor seconds (of server and workers), and the scores of the folds.

    Raises:
        TimeoutError: It took longer than `seconds`.
    """
    server = Server(folder, home)
    try:
        return anyio.run(_run, server, data, requests, seconds)
    finally:
        server.close()


async def _run(
    server: Server, data: Path, requests: Sequence[Specs], seconds: float
) -> tuple[float, float, dict[str, list[float | None]]]:
    scores: dict[str, list[float | None]] = {}
    with anyio.fail_after(seconds):
        await server.listening()
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(Client(server.url)) for _ in requests]
            await _call(clients[0], "add_dataset", path=data.name, name=load.DATASET)
            while not (await _call(clients[0], "server_status"))["ready"]:
                await anyio.sleep(_POLL)
            await _call(clients[0], "list_operators", query="Ridge")
            meter = measure.Meter(server.process.pid).start()
            meter.mark()
            began = time.perf_counter()
            async with anyio.create_task_group() as group:
                for client, specs in zip(clients, requests, strict=True):
                    group.start_soon(_client, client, specs, scores)
            wall = time.perf_counter() - began
            return wall, meter.stop().cpu_seconds, scores


async def _client(client: Any, specs: Specs, scores: dict[str, list[float | None]]) -> None:
    reply = await _call(
        client,
        "evaluate_pipelines",
        pipelines=specs,
        evaluate=load.EVALUATE,
        wait_s=_WAIT,
        limit=_PAGE,
    )
    while reply["state"] in ("submitted", "running"):
        reply = await _call(client, "get_job", job=reply["job"], wait_s=_WAIT, limit=_PAGE)
    for evaluation in reply["evaluations"]:
        value = evaluation["metrics"].get("r2")
        scores[evaluation["name"]] = [None] if value is None else [value["mean"]]


async def _call(client: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise RuntimeError(result.content[0].text)
    found: dict[str, Any] = result.structured_content
    return found
