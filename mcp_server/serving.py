"""Serving until the client leaves or a signal comes.

Input: settings. Output: an exit status, after every process of the engine has ended.
"""

import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

import anyio

from executor.home import Home
from mcp_server.app import StratumServer, create_server
from mcp_server.deferred import DeferredEngine
from mcp_server.settings import MAX_REQUEST_BYTES, ServeSettings
from mcp_server.stdio import claim_standard_streams

HOST = "127.0.0.1"


def serve(settings: ServeSettings) -> int:
    """Serves; 0 at the end of the client's input, 128 + the number of a signal otherwise.

    Raises:
        ServerError: `home_unusable`.
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

    # With this host the SDK refuses other Host and Origin headers.
    app = server.streamable_http_app(host=HOST, max_request_body_size=MAX_REQUEST_BYTES)
    config = uvicorn.Config(
        app, host=HOST, port=port, log_level="warning", timeout_graceful_shutdown=1
    )
    http = uvicorn.Server(config)
    received: list[int] = []
    # uvicorn ends on these signals and then raises them again, for whoever handled them before.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda caught, _: received.append(caught))
    print(f"stratum: serving http://{HOST}:{port}/mcp", file=sys.stderr, flush=True)
    await http.serve()
    if received:
        return 128 + received[0]
    return 0 if http.started else 1
