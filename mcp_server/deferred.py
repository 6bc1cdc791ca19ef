"""An engine that is made while the server already answers.

Input: settings. Output: the engine, for whoever waits for it. Importing it takes most of a second,
which a client that has just launched the server should not have to wait for.
"""

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from executor.home import Home
from mcp_server.settings import ServeSettings
from planner.errors import ServerError, StratumError

if TYPE_CHECKING:
    from tools.engine import Engine

_LOG = logging.getLogger(__name__)

Provider = Callable[[], "Engine"]


class DeferredEngine:
    """Call it for the engine; that waits until it has started, or raises why it cannot."""

    def __init__(self, home: Home, settings: ServeSettings) -> None:
        self._home = home
        self._settings = settings
        self._made = threading.Event()
        self._engine: Engine | None = None
        self._error: StratumError | None = None
        self._thread = threading.Thread(target=self._make, name="engine", daemon=True)

    def start(self) -> None:
        """Begins to make it; returns at once."""
        self._thread.start()

    def __call__(self) -> "Engine":
        self._made.wait()
        if self._engine is None:
            raise self._error or ServerError("engine_closed", "The engine is shutting down.")
        return self._engine

    def close(self) -> None:
        """Ends the engine and its processes, once it is made."""
        self._made.wait()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _make(self) -> None:
        try:
            from tools.engine import Engine

            settings = self._settings
            engine = Engine(
                self._home, settings.workspace, cores=settings.cores, memory=settings.memory
            )
            engine.start()
            self._engine = engine
        except StratumError as error:
            _LOG.error("the engine cannot start: %s", error)
            self._error = error
        except Exception as error:
            _LOG.exception("the engine cannot start")
            self._error = ServerError(
                "engine_unavailable",
                f"The engine could not be started ({type(error).__name__}).",
                hint="The server's log on stderr has the details.",
            )
        finally:
            self._made.set()
