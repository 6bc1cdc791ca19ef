"""The engine's handle on one worker process: requests in, checked messages out, never waiting."""

import socket
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from executor import procfs
from executor.messages import (
    MAX_MESSAGE,
    FrameReader,
    Message,
    ProtocolError,
    decode_message,
    encode_request,
)

_CHUNK = 2**18
_MAX_READ = 2**22  # of one worker in one go, so that a chatty one cannot hold up the others


class Worker:
    """A worker process. Made by `executor.workers.WorkerPool.fork`.

    Attributes:
        id: Number of the worker, never used again by the same pool.
        log: The file that its stdout and stderr go to; absent if nothing was written.
        pid: Process id, from `ready` to Exit.
        base: Bytes of `rss` before any task, once it is ready.
        complete: Once it is ready, whether all libraries were loaded when it was forked;
            otherwise it imports on demand what was missing.
        closed: Whether the connection has ended; the Exit follows, or has been given.
        reason: Why it ends, as far as the engine has a part in it; see `Exit.reason`.
    """

    def __init__(
        self,
        number: int,
        log: Path,
        connection: socket.socket,
        on_change: Callable[["Worker"], None],
        on_kill: Callable[["Worker"], None],
    ) -> None:
        """`on_change` is called when `wants_write` or `closed` may have changed."""
        self.id = number
        self.log = log
        self.pid: int | None = None
        self.base = 0
        self.complete = False
        self.closed = False
        self.reason: Literal["killed", "protocol", "ended"] = "ended"
        self._connection = connection
        self._connection.setblocking(False)
        self._reader = FrameReader(MAX_MESSAGE)
        self._outbox: deque[memoryview] = deque()
        self._on_change = on_change
        self._on_kill = on_kill

    def __repr__(self) -> str:
        return f"Worker({self.id}, pid={self.pid})"

    def fileno(self) -> int:
        """The descriptor of the connection; -1 once it is closed."""
        return self._connection.fileno()

    @property
    def wants_write(self) -> bool:
        """Whether some of a request is still to be written; the pool's `poll` does so."""
        return bool(self._outbox)

    def send(self, function: str, arguments: Mapping[str, object]) -> None:
        """Ask for ``TABLE[function](**arguments)``; never waits.

        The answer is any number of `progress` messages, then `done` or `failed`. Nothing is sent
        to a worker that has ended: its Exit is the answer.
        """
        if self.closed:
            return
        self._outbox.append(memoryview(encode_request(function, arguments)))
        self.flush()

    def flush(self) -> None:
        """Write as much of the requests as can be written now."""
        try:
            while self._outbox:
                rest = self._outbox[0][self._connection.send(self._outbox[0]) :]
                if rest:
                    self._outbox[0] = rest
                else:
                    self._outbox.popleft()
        except BlockingIOError:
            pass
        except OSError:
            self._outbox.clear()  # it has ended; reading will tell
        self._on_change(self)

    def receive(self) -> list[Message]:
        """The messages that have arrived; sets `closed` at the end. Never waits.

        Raises ProtocolError if the worker sent something else.
        """
        messages: list[Message] = []
        total = 0
        while not self.closed and total < _MAX_READ:
            try:
                data = self._connection.recv(_CHUNK)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self.close()
            total += len(data)
            messages.extend(decode_message(frame) for frame in self._reader.feed(data))
        for message in messages:
            if message.kind == "ready":
                self._begin(message)
        return messages

    def kill(self, reason: Literal["killed", "protocol"] = "killed") -> None:
        """End the process and everything it has started; of its events only the Exit follows."""
        if self.reason == "ended":
            self.reason = reason
        self.close()
        self._on_kill(self)

    def close(self) -> None:
        """Close the connection: messages still to come are lost, and an idle worker leaves."""
        if self.closed:
            return
        self.closed = True
        self._outbox.clear()
        self._on_change(self)
        self._connection.close()

    def rss(self) -> int:
        """Bytes of anonymous and shared memory of the process and its descendants; 0 if gone.

        Pages of mapped files, such as blocks, are not counted, but pages that it shares with
        other workers since the fork are: what tasks have added is the difference to `base`.
        """
        if self.pid is None:
            return 0
        return procfs.memory(self.pid) + sum(map(procfs.memory, procfs.descendants(self.pid)))

    def _begin(self, message: Message) -> None:
        if self.pid is not None:
            # The first one is sent before any task runs; another one is a forgery.
            raise ProtocolError("a worker is ready twice")
        self.pid = message.value["pid"]
        self.base = message.value["memory"]
        self.complete = message.value["complete"]
