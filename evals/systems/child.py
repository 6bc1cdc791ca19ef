"""The process in which a system runs. Input: a request file. Output: events (see `protocol`)."""

import importlib
import os
import sys
import traceback
from pathlib import Path

from evals.systems.protocol import Adapter, Channel, Request, Unavailable


def main(arguments: list[str]) -> int:
    request = Request.read(Path(arguments[0]))
    channel = Channel(os.fdopen(int(arguments[1]), "w"))
    try:
        system: Adapter = importlib.import_module(request.adapter).System(request)
        system.prepare()
    except Unavailable as error:
        channel.emit("unavailable", reason=str(error))
        return 0
    except Exception as error:
        traceback.print_exc()
        channel.emit("crashed", reason=f"{type(error).__name__}: {error}")
        return 1
    try:
        channel.begin()
        extra = system.run(channel)
        channel.end(**extra)
    except Exception as error:
        traceback.print_exc()
        channel.emit("crashed", reason=f"{type(error).__name__}: {error}")
        return 1
    finally:
        system.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
