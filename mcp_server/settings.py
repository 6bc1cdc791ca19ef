"""What the server may be told at its start, and the bounds it keeps.

Input: command line arguments. Output: one immutable settings object.
"""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

# One message of a client, in bytes. Ten thousand specs of three kilobytes fit.
MAX_REQUEST_BYTES = 32 << 20
# Of the arguments of a call: what is deeper is a mistake or an attack.
MAX_DEPTH = 64
# Seconds that a call may wait for results; common clients give up after 60.
DEFAULT_WAIT = 25.0
MAX_WAIT = 45.0
# Bytes of the structured part of a reply (about 2,000 tokens), unless more was asked for.
REPLY_BYTES = 8_000

Transport = Literal["stdio", "http"]


@dataclass(frozen=True)
class ServeSettings:
    """Settings of one server process.

    Attributes:
        home: Value of ``--home``; None leaves it to STRATUM_HOME and the default.
        workspace: The folder whose files agents may name.
        transport: ``stdio``, or ``http`` on 127.0.0.1.
        port: Of the HTTP transport.
        cores, memory: Budget (cores, bytes); None takes what the machine allows.
    """

    home: Path | None
    workspace: Path
    transport: Transport = "stdio"
    port: int = 8765
    cores: int | None = None
    memory: int | None = None


def distribution_version() -> str:
    """The version of the installed distribution, or ``0+unknown`` from a bare checkout."""
    try:
        return version("mcp-server-stratum")
    except PackageNotFoundError:
        return "0+unknown"
