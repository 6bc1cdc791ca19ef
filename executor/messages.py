"""What the engine and a worker say to each other: bytes in, requests and messages out.

Requests go to the worker as pickles. Answers come back as JSON and are checked, because a
worker may have run code that an agent wrote: it is never trusted to send a pickle.
"""

import json
import pickle
import signal
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from planner.errors import DataError, ExecutionError, ServerError, SpecError, StratumError

MAX_MESSAGE = 64 * 2**20
MAX_REQUEST = 2**32
_LENGTH = struct.Struct(">Q")

Kind = Literal["ready", "progress", "done", "failed"]
_KINDS = get_args(Kind)
_ERRORS: dict[str, type[StratumError]] = {
    kind.__name__: kind for kind in (SpecError, DataError, ExecutionError, ServerError)
}


class ProtocolError(Exception):
    """The other side sent something that is no message."""


@dataclass(frozen=True)
class Message:
    """One answer of a worker.

    `value` is what was returned (`done`), reported (`progress`) or, for `ready`, which comes
    first and once, a dict that `executor.handle.Worker` reads. `error` is set if and only if it
    is `failed`.
    """

    kind: Kind
    value: Any = None
    error: StratumError | None = None


@dataclass(frozen=True)
class Exit:
    """A worker has ended; nothing follows it.

    Attributes:
        reason: ``killed`` because `Worker.kill` was called, ``protocol`` because it sent
            something that is no message, ``zygote`` because the process that forks workers
            ended, ``fork`` because it could not be started, else ``ended`` (it crashed, was
            killed from outside, or left by itself).
        code: Exit code where it left by itself.
        signal: Number of the signal that ended it.
    """

    reason: Literal["killed", "protocol", "zygote", "fork", "ended"]
    code: int | None = None
    signal: int | None = None

    def error(self) -> ExecutionError:
        """``worker_crashed``, saying how it ended and what may be done about it."""
        hint = "The pipelines that did not depend on it are unaffected. Try it once more."
        if self.reason == "fork":
            how = "could not be started"
            hint = "The system is out of processes or memory. Try it later."
        elif self.reason == "protocol":
            how = "was stopped, because it wrote to the connection to the server"
            hint = "Functions must not touch file descriptors that they have not opened."
        elif self.reason == "zygote":
            how = "was lost together with the process that starts the workers"
        elif self.signal is not None:
            how = f"was ended by signal {self.signal} ({_signal_name(self.signal)})"
            if self.signal == signal.SIGKILL and self.reason == "ended":
                hint = "Most likely the system ran out of memory. Use less data or a smaller model."
            elif self.signal in (signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL):
                hint = "A library crashed. Try other parameters or another estimator."
        else:
            how = f"left with exit code {self.code}"
        return ExecutionError("worker_crashed", f"The worker process {how}.", hint=hint)


def encode_request(function: str, arguments: Mapping[str, object]) -> bytes:
    """The frame that asks a worker to call `function` with keyword `arguments`."""
    return _frame(pickle.dumps((function, dict(arguments)), pickle.HIGHEST_PROTOCOL))


def decode_request(payload: bytes) -> tuple[str, dict[str, Any]]:
    """Function and arguments of a request; only ever called on what the engine sent."""
    function, arguments = pickle.loads(payload)
    return function, arguments


def encode_message(message: Message) -> bytes:
    """The frame of an answer.

    Raises TypeError or ValueError if the value is no JSON (NaN and infinities are allowed),
    and a `result_too_large` ExecutionError above 64 MiB.
    """
    body: dict[str, Any] = {"kind": message.kind, "value": message.value}
    if message.error is not None:
        body["error"] = {"type": _error_type(message.error), **message.error.to_dict()}
    payload = json.dumps(body, separators=(",", ":")).encode()
    if len(payload) > MAX_MESSAGE:
        raise ExecutionError(
            "result_too_large",
            f"The answer has {len(payload)} bytes; at most {MAX_MESSAGE} can be returned.",
            hint="Ask for fewer rows or columns.",
        )
    return _frame(payload)


def decode_message(payload: bytes) -> Message:
    """The answer in a frame; ProtocolError if it is none."""
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise ProtocolError("a frame is not JSON") from error
    if not isinstance(body, dict) or body.get("kind") not in _KINDS:
        raise ProtocolError("a frame has no known kind")
    kind: Kind = body["kind"]
    if kind == "failed":
        return Message(kind, error=_decode_error(body.get("error")))
    return Message(kind, value=body.get("value"))


class FrameReader:
    """Cuts a byte stream into frames of at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The frames completed by `data`; ProtocolError if one is announced above the limit."""
        self._buffer += data
        frames: list[bytes] = []
        start = 0
        while len(self._buffer) - start >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, start)
            if length > self._limit:
                raise ProtocolError(f"a frame of {length} bytes was announced")
            end = start + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            frames.append(bytes(self._buffer[start + _LENGTH.size : end]))
            start = end
        del self._buffer[:start]
        return frames


def _frame(payload: bytes) -> bytes:
    return _LENGTH.pack(len(payload)) + payload


def _error_type(error: StratumError) -> str:
    for kind in type(error).__mro__:
        if kind.__name__ in _ERRORS:
            return kind.__name__
    return ExecutionError.__name__


def _decode_error(body: object) -> StratumError:
    if not isinstance(body, dict) or not all(isinstance(value, str) for value in body.values()):
        raise ProtocolError("a failure without an error")
    kind = _ERRORS.get(body.get("type", ""), ExecutionError)
    try:
        return kind(
            body["code"],
            body["message"],
            path=body["path"],
            hint=body["hint"],
        )
    except KeyError as error:
        raise ProtocolError("a failure with an incomplete error") from error


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
