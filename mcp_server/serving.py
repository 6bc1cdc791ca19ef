"""Serving until the client leaves or a signal comes.

Input: settings. Output: an exit status, after every process of the engine has ended.
"""

import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

import anyio

from executor.home import Home
from mcp_server.app import StratumServer, create_server
from mcp_server.deferred import DeferredEngine
from mcp_server.settings import MAX_REQUEST_BYTES, ServeSettings
from mcp_server.stdio import claim_standard_streams
from planner.errors import ServerError

HOST = "127.0.0.1"
_GRACE = 1  # seconds that open HTTP requests get at the end


def serve(settings: ServeSettings) -> int:
    """Serves; 0 at the end of the client's input, 128 + the number of a signal otherwise.

    Raises:
        ServerError: `home_unusable`, `port_unavailable`.
    """
    # Before anything else may print: on stdio, stdout is the wire.
    descriptors = claim_standard_streams() if settings.transport == "stdio" else None
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    engine = DeferredEngine(Home(settings.home), settings)
    server = create_server(engine)

    async def run() -> int:
        engine.start()
        if descriptors is not None:
            return await _until_signal(lambda: server.run_over(*descriptors))
        return await _http(server, settings.port)

    try:
        return anyio.run(run)
    finally:
        engine.close()


def leave(status: int) -> NoReturn:
    """Ends the process without waiting for threads whose callers have gone."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


async def _until_signal(serving: Callable[[], Awaitable[None]]) -> int:
    status = 0
    async with anyio.create_task_group() as group:

        async def listen() -> None:
            nonlocal status
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
                async for number in received:
                    status = 128 + number
                    group.cancel_scope.cancel()

        group.start_soon(listen)
        await serving()
        group.cancel_scope.cancel()
    return status


async def _http(server: StratumServer, port: int) -> int:
    import uvicorn

    try:
        listening = socket.create_server((HOST, port))
    except OSError as error:
        raise ServerError(
            "port_unavailable",
            f"Port {port} of {HOST} cannot be used: {error.strerror}.",
            hint="Give another one with --port.",
        ) from None
    # With this host the SDK refuses other Host and Origin headers.
    app = server.streamable_http_app(host=HOST, max_request_body_size=MAX_REQUEST_BYTES)
    http = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=_GRACE)
    )
    received: list[int] = []
    # uvicorn ends on these signals and then raises them again, for whoever handled them before.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda caught, _: received.append(caught))
    url = f"http://{HOST}:{listening.getsockname()[1]}/mcp"
    print(f"stratum: serving {url}", file=sys.stderr, flush=True)
    await http.serve(sockets=[listening])
    return 128 + received[0] if received else 1
