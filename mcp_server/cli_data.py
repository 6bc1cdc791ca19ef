"""The commands that look around: `stratum profile` and `stratum status`."""

import json
import time
from pathlib import Path

from executor.home import Home
from mcp_server import text
from mcp_server.replies import Profile
from tools.engine import Engine
from tools.requests import AddDataset
from tools.responses import ServerStatus

_STARTING = 30.0  # seconds that the libraries may take to load


def profile(data: Path, target: str | None, home: Path | None, *, as_json: bool) -> int:
    """Profiles a data file (of a folder, each file)."""
    path = data.expanduser().resolve()
    with Engine(Home(home), path.parent) as engine:
        infos = engine.datasets.add(AddDataset(path=path.name))
        for info in infos:
            found = engine.datasets.profile(info.name, target)
            if as_json:
                print(json.dumps(found, ensure_ascii=False, default=str))
            else:
                shown = Profile(**{**found, "dataset": info.name})
                print(text.profile(shown.model_dump()))
    return 0


def status(home: Path | None, *, as_json: bool) -> int:
    """Starts an engine on the current folder and prints what it says of itself."""
    with Engine(Home(home), Path()) as engine:
        found = _when_ready(engine)
    print(found.model_dump_json() if as_json else text.status(found))
    return 0 if found.ready else 1


def _when_ready(engine: Engine) -> ServerStatus:
    engine.registry()  # fails where the libraries do not load
    deadline = time.monotonic() + _STARTING
    while not (found := engine.status()).ready and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
