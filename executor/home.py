"""Where everything that outlives a request is kept.

Input: ``--home``, ``STRATUM_HOME`` or the user's cache directory. Output: a `Home` whose
directories exist, are private to the user and can be written to.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile

from planner.errors import ServerError

_HINT = "Give a directory of your own that can be written to with --home or STRATUM_HOME."


class Home:
    """The directories of one home; made on construction where they are missing.

    `argument` is the value of ``--home``; without it ``STRATUM_HOME`` counts, then
    ``$XDG_CACHE_HOME/stratum``, then ``~/.cache/stratum``. Several servers may share a home.
    Directories made here have mode 0700; one that exists keeps its mode.

    Raises:
        ServerError: `home_unusable` if it cannot be made or written to.
    """

    def __init__(
        self, argument: str | Path | None = None, environ: Mapping[str, str] | None = None
    ) -> None:
        self.path = resolve(argument, os.environ if environ is None else environ)
        self.catalog = self.path / "catalog.sqlite"
        self.datasets = self.path / "datasets"
        self.blocks = self.path / "blocks"
        self.logs = self.path / "logs"
        self.tmp = self.path / "tmp"
        try:
            # Parents get the usual mode: ~/.cache is not ours.
            self.path.parent.mkdir(parents=True, exist_ok=True)
            for directory in (self.path, self.datasets, self.blocks, self.logs, self.tmp):
                directory.mkdir(mode=0o700, exist_ok=True)
                # Also proves that a directory made earlier can still be written to.
                with TemporaryFile(dir=directory):
                    pass
        except OSError as error:
            raise ServerError(
                "home_unusable",
                f"The home directory '{self.path}' cannot be used: {error.strerror or error}.",
                hint=_HINT,
            ) from error

    def __repr__(self) -> str:
        return f"Home({str(self.path)!r})"


def resolve(argument: str | Path | None, environ: Mapping[str, str]) -> Path:
    """The absolute path of the home directory; nothing is created."""
    try:
        if argument is not None and str(argument):
            return Path(argument).expanduser().absolute()
        if environ.get("STRATUM_HOME"):
            return Path(environ["STRATUM_HOME"]).expanduser().absolute()
        cache = environ.get("XDG_CACHE_HOME", "")
        # The XDG Base Directory Specification has relative paths ignored.
        if cache and Path(cache).is_absolute():
            return Path(cache) / "stratum"
        user = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
        return user.absolute() / ".cache" / "stratum"
    except RuntimeError as error:  # no such user, or no home directory known
        raise ServerError(
            "home_unusable", f"The home directory cannot be determined: {error}.", hint=_HINT
        ) from error
