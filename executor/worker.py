"""The loop of a worker process: requests from the engine in, JSON messages out.

One task at a time. Whatever a task raises becomes a `failed` message; the traceback goes to the
log only. What libraries print goes to the log as well: nothing but messages is on the wire.
"""

import ctypes
import gc
import importlib
import inspect
import os
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from executor import procfs
from executor.messages import MAX_REQUEST, FrameReader, Message, decode_request, encode_message
from planner.errors import ExecutionError, StratumError

_CHUNK = 2**20
_SHRINK_ABOVE = 128 * 2**20
_MAX_TEXT = 2000


def serve(connection: socket.socket, table: str, *, complete: bool) -> None:
    """Answer requests until the engine closes the connection.

    `table` names a module whose ``TABLE`` maps function names to callables; they are called with
    the keyword arguments of the request, and with ``progress=callable`` if they take that one.
    It is imported with the first request, so that a worker is ready at once. `complete` says
    whether all libraries are loaded, and is passed on.
    """
    connection.setblocking(True)
    sender = _Sender(connection)
    base = procfs.memory(os.getpid())
    reader = FrameReader(MAX_REQUEST)
    try:
        ready = {"pid": os.getpid(), "memory": base, "complete": complete}
        sender.send(Message("ready", ready))
        while data := connection.recv(_CHUNK):
            for frame in reader.feed(data):
                sender.send_answer(_answer(frame, table, sender))
                _shrink(base)
    except (BrokenPipeError, ConnectionResetError):
        return  # the engine has ended, or does not want this worker any more


class _Sender:
    """Writes whole messages; callable from any thread of a task."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        frame = encode_message(message)
        with self._lock:
            self._connection.sendall(frame)

    def send_answer(self, message: Message) -> None:
        """Send the answer of a task, or why it cannot be sent."""
        try:
            self.send(message)
        except (TypeError, ValueError, RecursionError, MemoryError, StratumError) as error:
            self.send(_failed(error))

    def progress(self, value: Any) -> None:
        self.send(Message("progress", value))


def _answer(frame: bytes, table: str, sender: _Sender) -> Message:
    try:
        name, arguments = decode_request(frame)
        function: Callable[..., Any] = importlib.import_module(table).TABLE[name]
        if "progress" in inspect.signature(function).parameters:
            arguments["progress"] = sender.progress
        return Message("done", function(**arguments))
    except BaseException as error:
        # SystemExit and KeyboardInterrupt too: a task cannot end its worker politely.
        return _failed(error)


def _failed(error: BaseException) -> Message:
    if isinstance(error, StratumError):
        return Message("failed", error=error)
    traceback.print_exception(error)
    if isinstance(error, MemoryError):
        return Message(
            "failed",
            error=ExecutionError(
                "out_of_memory",
                "There was not enough memory for it.",
                hint="Use fewer rows or columns, or a smaller model.",
            ),
        )
    return Message(
        "failed",
        error=ExecutionError(
            "internal_error",
            f"{type(error).__name__}: {_text(error)}",
            hint="The log of the worker has the traceback.",
        ),
    )


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_MAX_TEXT]
    except Exception:  # an exception class of a task may do anything in __str__
        return "(no message)"


def _shrink(base: int) -> None:
    """Give memory back to the system if a task left much of it behind."""
    if procfs.memory(os.getpid()) - base < _SHRINK_ABOVE:
        return
    gc.collect()
    if (pyarrow := sys.modules.get("pyarrow")) is not None:
        pyarrow.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # in glibc, not in musl
    if trim is not None:
        trim(0)
