"""The server as a process, over real pipes: one server for the whole module."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from mcp_server.settings import MAX_REQUEST_BYTES
from tests.mcp_server.clients import Wire, answer, parameters

SPEC = {"dataset": "plain", "target": "y", "model": "Ridge()"}


@pytest.fixture(scope="module")
def wire(workspace: Path, new_home: Callable[[], Path]) -> Iterator[Wire]:
    wire = Wire(workspace, new_home())
    try:
        wire.initialize()
        wire.call("add_dataset", {"path": "plain.csv"})
        yield wire
    finally:
        wire.kill()


@pytest.fixture(autouse=True)
def _lives_on(wire: Wire) -> Iterator[None]:
    yield
    assert wire.call("evaluate_pipelines", {"pipelines": [SPEC]})["failed"] == 0


def call_line(arguments: str, id: int = 7_000) -> bytes:
    params = f'{{"name": "evaluate_pipelines", "arguments": {arguments}}}'
    return (
        f'{{"jsonrpc": "2.0", "id": {id}, "method": "tools/call", "params": {params}}}'
    ).encode()


def tool_error(message: dict[str, Any]) -> dict[str, str]:
    assert message["result"]["isError"] is True
    (content,) = message["result"]["content"]
    found: dict[str, str] = json.loads(content["text"])
    return found


def test_the_sdk_client_works_over_stdio(
    workspace: Path, new_home: Callable[[], Path], wire: Wire
) -> None:
    async def work() -> None:
        async with Client(parameters(workspace, new_home())) as client:
            assert len((await client.list_tools()).tools) == 12
            assert "evaluate_pipelines" in (client.instructions or "")
            assert client.server_info.name == "stratum"
            answer(await client.call_tool("add_dataset", {"path": "plain.csv"}))
            arguments = {"pipelines": [{**SPEC, "model": "Ridge(alpha=choose(1, 2))"}]}
            found = answer(await client.call_tool("evaluate_pipelines", arguments))
            assert (found["done"], found["failed"]) == (2, 0)

    anyio.run(work)


def test_lines_that_are_no_json_are_answered(wire: Wire) -> None:
    for line in (b"hello", b'{"jsonrpc": "2.0",', b"\xff\xfe", b'{"a": 1e}'):
        wire.send(line)
        found = wire.receive()
        assert found["error"]["code"] == -32700
        assert found["error"]["data"]["code"] == "malformed_json"


def test_json_that_is_no_request_is_answered(wire: Wire) -> None:
    for line in (b"[1, 2]", b"{}", b'"text"', b'{"jsonrpc": "1.0", "id": 4, "method": "x"}'):
        wire.send(line)
        assert wire.receive()["error"]["code"] == -32600


def test_an_answer_keeps_the_id_of_what_cannot_be_read(wire: Wire) -> None:
    wire.send(call_line('{"pipelines": [}', id=71))
    found = wire.receive()
    assert found["id"] == 71
    assert tool_error(found)["code"] == "malformed_json"


def test_empty_lines_are_skipped_and_unknown_methods_answered(wire: Wire) -> None:
    wire.send(b"")
    wire.send(b"  ")
    assert wire.request("tools/lisst", {})["error"]["code"] == -32601


def test_fifty_megabytes_are_refused(wire: Wire) -> None:
    padding = (50 << 20) * "x"
    wire.send(call_line(f'{{"pipelines": [{{"name": "{padding}"}}]}}', id=72))
    found = wire.receive()
    assert found["id"] == 72
    assert tool_error(found)["code"] == "request_too_large"
    # The id may also come last, as some clients write it.
    start = b'{"method": "tools/call", "params": {"name": "evaluate_pipelines", "arguments": '
    middle = f'{{"pipelines": [{{"name": "{padding}"}}]}}}}'.encode()
    wire.send(start + middle + b', "jsonrpc": "2.0", "id": "last"}')
    assert wire.receive()["id"] == "last"


def test_a_request_within_the_bound_is_read_whole(wire: Wire) -> None:
    padding = (MAX_REQUEST_BYTES // 2) * "x"
    wire.send(call_line(f'{{"pipelines": [{{"name": "{padding}"}}]}}', id=73))
    found = wire.receive()
    assert found["id"] == 73
    assert "request_too_large" not in json.dumps(found)
    assert len(json.dumps(found)) < 20_000


def test_deep_nesting_is_refused(wire: Wire) -> None:
    for depth in (100, 1_000, 1_000_000):
        wire.send(call_line(f'{{"pipelines": [{depth * "["}{depth * "]"}]}}', id=depth))
        found = wire.receive()
        assert found["id"] == depth
        assert tool_error(found)["code"] == "too_deep"


def test_what_is_sent_right_before_the_end_is_answered(
    workspace: Path, new_home: Callable[[], Path], wire: Wire
) -> None:
    other = Wire(workspace, new_home())
    try:
        other.initialize()
        assert other.process.stdin is not None
        other.send(b'{"jsonrpc": "2.0", "id": 5, "method": "tools/list"}')
        other.process.stdin.close()
        assert len(other.receive()["result"]["tools"]) == 12
        assert other.wait() == 0
    finally:
        other.kill()
