"""Clients of the server: in memory, over stdio, and one that writes raw lines."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
from anyio.from_thread import start_blocking_portal
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import CallToolResult, TextContent

from mcp_server.app import StratumServer

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 100.0  # seconds; an upper bound, never awaited when all is well
# Workers get a filtered environment; names like this one pass.
MARKER = "XDG_STRATUM_TEST"


class StdioServer:
    """A server in a process of its own, asked through the SDK's client over stdio."""

    def __init__(self, server: StdioServerParameters) -> None:
        self._stack = ExitStack()
        portal = self._stack.enter_context(start_blocking_portal())
        opened = portal.wrap_async_context_manager(Client(stdio_client(server)))
        self._client = self._stack.enter_context(opened)
        self._portal = portal

    def call(self, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        return self._portal.call(self._client.call_tool, tool, dict(arguments))

    def close(self) -> None:
        self._stack.close()


Server = StratumServer | StdioServer


def ask(server: Server, tool: str, arguments: Mapping[str, Any] = {}) -> CallToolResult:
    """The answer of a server, in this process or over stdio."""
    if isinstance(server, StdioServer):
        return server.call(tool, arguments)

    async def call() -> CallToolResult:
        async with Client(server) as client:
            return await client.call_tool(tool, dict(arguments))

    return anyio.run(call)


def text_of(result: CallToolResult) -> str:
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def answer(result: CallToolResult) -> dict[str, Any]:
    """The structured content of a success."""
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    return result.structured_content


def error(result: CallToolResult) -> dict[str, str]:
    """Code, message, path and hint of a failure, which shows no traceback."""
    assert result.is_error, text_of(result)
    text = text_of(result)
    assert "Traceback" not in text
    assert "pydantic" not in text
    found: dict[str, str] = json.loads(text)
    assert found["code"] != "internal_error", text
    assert found["message"]
    return found


def arguments(workspace: Path, home: Path, *extra: str) -> list[str]:
    command = ["-m", "mcp_server.cli", "serve", "--workspace", str(workspace), "--home", str(home)]
    return [*command, *extra]


def parameters(workspace: Path, home: Path, marker: str = "") -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=arguments(workspace, home),
        env={"PYTHONPATH": str(ROOT), MARKER: marker},
    )


class Wire:
    """A server process whose lines are written and read as they are."""

    def __init__(self, workspace: Path, home: Path, marker: str = "", *extra: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *arguments(workspace, home, *extra)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), MARKER: marker},
        )
        self._next = 0

    def send(self, line: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """The next message; notifications are skipped."""
        assert self.process.stdout is not None
        while True:
            line = self.process.stdout.readline()
            assert line, "the server has ended"
            message: dict[str, Any] = json.loads(line)
            if "method" not in message:
                return message

    def request(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self._next += 1
        message = {"jsonrpc": "2.0", "id": self._next, "method": method, "params": params}
        self.send(json.dumps(message).encode())
        found = self.receive()
        assert found["id"] == self._next
        return found

    def initialize(self) -> dict[str, Any]:
        params = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"},
        }
        found = self.request("initialize", params)
        self.send(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')
        return found

    def call(self, tool: str, arguments: Mapping[str, Any] = {}) -> dict[str, Any]:
        """The structured content of a tool's answer."""
        found = self.request("tools/call", {"name": tool, "arguments": arguments})
        assert "result" in found, found
        assert not found["result"].get("isError"), found
        content: dict[str, Any] = found["result"]["structuredContent"]
        return content

    def close(self) -> int:
        """Ends the input; the exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        status = self.process.wait(LIMIT)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None and not stream.closed:
                stream.close()
        return status

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
