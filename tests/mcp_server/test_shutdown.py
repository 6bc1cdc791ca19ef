"""However the server ends, nothing that it started lives on, and nothing that ended is lost."""

import http.client
import json
import os
import signal
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from tests.executor.harness import await_end, running_with
from tests.mcp_server.clients import MARKER, Wire, answer

CV = {"cv": "KFold(5, shuffle=True, random_state=0)"}
QUICK = {"dataset": "diabetes", "target": "target", "model": "Ridge(alpha=choose(1, 2, 3))"}
SLOW = {
    "dataset": "diabetes",
    "target": "target",
    "model": "RandomForestRegressor(n_estimators=20000)",
}


@pytest.fixture
def marker() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def home(new_home: Callable[[], Path]) -> Path:
    return new_home()


@pytest.fixture
def wire(workspace: Path, home: Path, marker: str) -> Iterator[Wire]:
    wire = Wire(workspace, home, marker)
    try:
        wire.initialize()
        yield wire
    finally:
        wire.kill()


def start_batch(wire: Wire) -> dict[str, Any]:
    """A batch of which three pipelines are done and one will take minutes."""
    wire.call("add_dataset", {"path": "diabetes.csv"})
    arguments = {"pipelines": [QUICK, SLOW], "evaluate": CV, "wait_s": 0}
    found = wire.call("evaluate_pipelines", arguments)
    while found["done"] < 3:
        found = wire.call("get_job", {"job": found["job"], "wait_s": 0.2})
    assert found["state"] == "running"
    return found


def assert_kept(workspace: Path, home: Path, before: dict[str, Any]) -> None:
    """A server started anew knows what was done, and that the rest was not."""
    after = Wire(workspace, home)
    try:
        after.initialize()
        board = after.call("get_leaderboard")
        expected = {e["id"] for e in before["evaluations"] if e["status"] == "ok"}
        assert {row["id"] for row in board["rows"]} == expected
        job = after.call("get_job", {"job": before["job"]})
        assert job["state"] in ("interrupted", "cancelled")
        again = after.call("evaluate_pipelines", {"pipelines": [QUICK], "evaluate": CV})
        assert again["plan"]["scores_known"] == 3
        assert again["plan"]["tasks"] == 0
        assert after.close() == 0
    finally:
        after.kill()


@pytest.mark.parametrize(
    ("end", "status"),
    [("eof", 0), ("term", 128 + signal.SIGTERM), ("int", 128 + signal.SIGINT), ("kill", -9)],
)
def test_the_end_in_mid_batch_leaves_nothing_and_loses_nothing(
    workspace: Path, home: Path, wire: Wire, marker: str, end: str, status: int
) -> None:
    before = start_batch(wire)
    children = running_with(MARKER, marker)
    assert len(children) > 2  # the server, its zygote and a worker
    if end == "eof":
        assert wire.process.stdin is not None
        wire.process.stdin.close()
    else:
        numbers = {"term": signal.SIGTERM, "int": signal.SIGINT, "kill": signal.SIGKILL}
        os.kill(wire.process.pid, numbers[end])
    assert wire.wait() == status
    await_end(children)
    assert running_with(MARKER, marker) == []
    assert_kept(workspace, home, before)


def test_the_end_right_after_the_start_leaves_nothing(
    workspace: Path, home: Path, marker: str
) -> None:
    wire = Wire(workspace, home, marker)
    try:
        wire.initialize()
        children = running_with(MARKER, marker)
        assert wire.close() == 0
        await_end(children)
        assert running_with(MARKER, marker) == []
    finally:
        wire.kill()


def test_prints_of_anything_miss_the_wire(workspace: Path, home: Path) -> None:
    # Reading a broken file makes libraries talk; the wire must still be JSON only.
    wire = Wire(workspace, home)
    try:
        wire.initialize()
        wire.call("add_dataset", {"path": "gaps.csv"})
        models = [
            "LGBMRegressor(n_estimators=5, verbose=1)",
            "GradientBoostingRegressor(verbose=1)",
        ]
        pipelines = [
            {"dataset": "gaps", "target": "y", "features": [{"columns": ["a"]}], "model": model}
            for model in models
        ]
        assert wire.call("evaluate_pipelines", {"pipelines": pipelines})["failed"] == 0
        assert wire.close() == 0
    finally:
        wire.kill()


def test_http_serves_this_machine_only_and_ends_on_a_signal(
    workspace: Path, home: Path, marker: str
) -> None:
    wire = Wire(workspace, home, marker, "--transport", "http", "--port", "0")
    try:
        assert wire.process.stderr is not None
        url = wire.process.stderr.readline().decode().split()[-1]
        port = int(url.removeprefix("http://127.0.0.1:").removesuffix("/mcp"))

        async def work() -> int:
            async with Client(url) as client:
                answer(await client.call_tool("add_dataset", {"path": "plain.csv"}))
                spec = {"dataset": "plain", "target": "y", "model": "Ridge()"}
                found = await client.call_tool("evaluate_pipelines", {"pipelines": [spec]})
                return int(answer(found)["done"])

        assert anyio.run(work) == 1
        assert _status(port, {}) == 200
        assert _status(port, {"Host": "example.com"}) == 421
        assert _status(port, {"Origin": "http://example.com"}) == 403
        children = running_with(MARKER, marker)
        os.kill(wire.process.pid, signal.SIGTERM)
        assert wire.wait() == 128 + signal.SIGTERM
        await_end(children)
        assert running_with(MARKER, marker) == []
    finally:
        wire.kill()


def test_a_port_in_use_is_told(workspace: Path, home: Path, marker: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        wire = Wire(workspace, home, marker, "--transport", "http", "--port", port)
        assert wire.process.stderr is not None
        assert "port_unavailable" in wire.process.stderr.readline().decode()
        assert wire.wait() == 1
        assert running_with(MARKER, marker) == []


def _status(port: int, headers: dict[str, str]) -> int:
    """The HTTP status of a handshake with these headers."""
    params = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "0"},
    }
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    usual = {
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request("POST", "/mcp", json.dumps(message), {**usual, **headers})
        return connection.getresponse().status
    finally:
        connection.close()
