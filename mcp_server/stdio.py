"""The stdio transport: one JSON-RPC message a line.

Input: bytes from the client, of any kind and length. Output: messages for the server, and its
answers. In place of the SDK's own, which has no bound on a line and does not answer one that it
cannot read, and whose reader thread outlives a signal.
"""

import contextlib
import fcntl
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)
from pydantic_core import from_json

from mcp_server.arguments import too_large
from mcp_server.errors import error_text
from mcp_server.settings import MAX_REQUEST_BYTES
from planner.errors import SpecError

_CHUNK = 1 << 20
_ENDS = 4096  # bytes kept of each end of a line that is too long
_GRACE = 0.5  # seconds that requests sent right before the end of the input get
_ID = rb'"id"\s*:\s*(-?\d{1,18}|"(?:[^"\\]|\\.){0,200}")'
_HEAD_ID = re.compile(_ID)
_TAIL_ID = re.compile(
    rb'\}\s*,(?:\s*"(?:jsonrpc|method)"\s*:\s*"[^"]*"\s*,)*\s*'
    + _ID
    + rb'\s*(?:,\s*"(?:jsonrpc|method)"\s*:\s*"[^"]*"\s*)*\}\s*$'
)

Inbound = SessionMessage | Exception
Streams = tuple[MemoryObjectReceiveStream[Inbound], MemoryObjectSendStream[SessionMessage]]


def claim_standard_streams() -> tuple[int, int]:
    """Private descriptors of stdin and stdout; what else reads or prints misses the wire.

    Afterwards descriptor 0 is empty and descriptor 1 is stderr, for this process and all that it
    starts.
    """
    source = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)
    target = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    os.dup2(2, 1)
    return source, target


class Lines:
    """Splits a byte stream into lines; of one above the bound only the ends are kept."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._head = b""

    def feed(self, data: bytes) -> list[tuple[bytes, int]]:
        """The lines that `data` completes, with their true sizes."""
        *complete, rest = data.split(b"\n")
        lines = []
        for part in complete:
            self._add(part)
            lines.append((b"".join(self._parts), self._size))
            self._parts, self._size = [], 0
        self._add(rest)
        return lines

    def end(self) -> list[tuple[bytes, int]]:
        """The last line, if it lacks its newline."""
        return self.feed(b"\n") if self._size else []

    def _add(self, part: bytes) -> None:
        if not part:
            return
        self._parts.append(part)
        self._size += len(part)
        if self._size > MAX_REQUEST_BYTES:
            kept = b"".join(self._parts)
            self._parts = [kept[:_ENDS], kept[-_ENDS:]]


def refusal(line: bytes, error: SpecError, code: int) -> JSONRPCMessage:
    """The answer to a line that is not handed on, under its id as far as that can be told.

    A tool call gets a tool's error, which clients show to the model.
    """
    head = line[:_ENDS].partition(b'"params"')[0]
    found = _HEAD_ID.search(head) or _TAIL_ID.search(line[-_ENDS:])
    id = None if found is None else from_json(found.group(1))
    ends = line[:_ENDS] + line[-_ENDS:]
    if id is not None and re.search(rb'"method"\s*:\s*"tools/call"', ends):
        content = [{"type": "text", "text": error_text(error)}]
        # Protocol 2026-07-28 requires the result type; earlier ones ignore it.
        result = {"content": content, "isError": True, "resultType": "complete"}
        return JSONRPCResponse(jsonrpc="2.0", id=id, result=result)
    data = ErrorData(code=code, message=error.message, data=error.to_dict())
    return JSONRPCError(jsonrpc="2.0", id=id, error=data)


def parse(line: bytes, size: int) -> tuple[JSONRPCMessage, bool]:
    """A message and whether it is the client's; else it is the answer to be sent back."""
    if size > MAX_REQUEST_BYTES:
        return refusal(line, too_large(size), INVALID_REQUEST), False
    try:
        return jsonrpc_message_adapter.validate_json(line, by_name=False), True
    except ValueError as failure:
        reason = str(failure)
    if "recursion limit" in reason:
        error = SpecError("too_deep", "The request is nested too deeply.", hint="Write it flatter.")
        return refusal(line, error, INVALID_REQUEST), False
    try:
        from_json(line)
    except ValueError as failure:
        error = SpecError("malformed_json", f"The message is not JSON: {failure}.")
        return refusal(line, error, PARSE_ERROR), False
    error = SpecError("invalid_request", "The message is not a JSON-RPC 2.0 request.")
    return refusal(line, error, INVALID_REQUEST), False


class _Pending:
    """Which requests have no answer yet."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._settled = anyio.Event()

    def note(self, message: JSONRPCMessage) -> None:
        if isinstance(message, JSONRPCRequest):
            self._ids.add(str(message.id))
            return
        if isinstance(message, JSONRPCResponse | JSONRPCError):
            self._ids.discard(str(message.id))
        elif message.method == "notifications/cancelled":
            self._ids.discard(str((message.params or {}).get("requestId")))
        if not self._ids:
            self._settled.set()
            self._settled = anyio.Event()

    async def settle(self) -> None:
        if self._ids:
            await self._settled.wait()


@contextlib.asynccontextmanager
async def stdio_transport(source: int, target: int) -> AsyncIterator[Streams]:
    """Streams of messages over two descriptors, for `Server.run`."""
    to_server, inbound = anyio.create_memory_object_stream[Inbound](0)
    outbound, from_server = anyio.create_memory_object_stream[SessionMessage](0)
    answers = outbound.clone()
    pending = _Pending()

    async def read() -> None:
        lines = Lines()
        async with to_server, answers:
            while data := await _receive(source):
                for line, size in lines.feed(data):
                    await hand_on(line, size)
            for line, size in lines.end():
                await hand_on(line, size)
            with anyio.move_on_after(_GRACE):
                await pending.settle()

    async def hand_on(line: bytes, size: int) -> None:
        if not line.strip():
            return
        message, theirs = parse(line, size)
        if theirs:
            pending.note(message)
            await to_server.send(SessionMessage(message))
        else:
            await answers.send(SessionMessage(message))

    async def write() -> None:
        async with from_server:
            async for item in from_server:
                pending.note(item.message)
                text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
                if not await _send(target, text.encode() + b"\n"):
                    return  # the client has gone; the end of its input tells the rest

    async with anyio.create_task_group() as group:
        group.start_soon(_quietly, read)
        group.start_soon(_quietly, write)
        yield inbound, outbound


async def _quietly(task: Callable[[], Awaitable[None]]) -> None:
    """A stream that the other side has closed ends the task, and nothing else."""
    try:
        await task()
    except (anyio.ClosedResourceError, anyio.BrokenResourceError):
        return


async def _receive(source: int) -> bytes:
    """Some bytes; none at the end."""
    with contextlib.suppress(PermissionError):  # a regular file, which is always ready
        await anyio.wait_readable(source)
    try:
        return os.read(source, _CHUNK)
    except OSError:
        return b""


async def _send(target: int, data: bytes) -> bool:
    """Whether all of `data` was written."""

    def write_all() -> bool:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(target, rest) :]
        except OSError:
            return False
        return True

    return await anyio.to_thread.run_sync(write_all, abandon_on_cancel=True)
