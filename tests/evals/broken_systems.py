"""Systems that misbehave, for the tests of the runner. The option ``how`` says in which way."""

import os
import time
from collections.abc import Mapping
from typing import Any

from evals.systems.protocol import Channel, Request, Unavailable


class System:
    """Gives one result, then misbehaves."""

    def __init__(self, request: Request) -> None:
        self._how = request.options["how"]

    def prepare(self) -> None:
        if self._how == "unavailable":
            raise Unavailable("it is not there")
        if self._how == "import":
            raise ImportError("no module of that name")

    def run(self, channel: Channel) -> Mapping[str, Any]:
        channel.result("ridge-0.1", [0.1, 0.2, 0.3])
        if self._how == "raise":
            raise RuntimeError("it broke")
        if self._how == "exit":
            os._exit(3)
        time.sleep(600)
        return {}

    def close(self) -> None:
        pass
