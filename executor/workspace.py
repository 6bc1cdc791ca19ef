"""Which files an agent may name: a path in, a regular file inside the workspace out."""

import os
import stat
from pathlib import Path

from planner.errors import SpecError, did_you_mean

MAX_PATH = 4096
MAX_NEAR = 5_000


def confine(workspace: Path, given: str, path: str) -> Path:
    """The file or folder that `given` names, resolved, if it lies inside `workspace`.

    Args:
        workspace: Folder given when the server was started.
        given: What the agent sent; relative to the workspace, or absolute.
        path: Where in the request it stands, for the error.

    Raises:
        SpecError: ``path_outside_workspace`` (also by way of ``..`` or a symbolic link),
            ``file_not_found`` (with near names of the same folder), ``invalid_path`` (empty,
            NUL, too long), ``not_a_file`` (a device, socket or FIFO).
    """
    if not given.strip():
        raise SpecError("invalid_path", "The path is empty.", path=path)
    if "\0" in given or len(given) > MAX_PATH:
        raise SpecError("invalid_path", "The path has a NUL byte or is too long.", path=path)
    root = workspace.resolve()
    try:
        found = (root / given).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise SpecError(
            "invalid_path", f"The path '{given}' cannot be resolved.", path=path
        ) from error
    if found != root and root not in found.parents:
        # The same answer whether or not the file exists: nothing outside can be probed.
        raise SpecError(
            "path_outside_workspace",
            f"The path '{given}' is not inside the workspace.",
            path=path,
            hint="Give a path relative to the workspace, without '..' or links that leave it.",
        )
    try:
        mode = os.stat(found).st_mode
    except (OSError, ValueError) as error:
        raise SpecError(
            "file_not_found",
            f"There is no file '{given}' in the workspace.",
            path=path,
            hint=_near(found, root),
        ) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise SpecError("not_a_file", f"'{given}' is neither a file nor a folder.", path=path)
    return found


def _near(missing: Path, root: Path) -> str:
    """A hint naming files of the nearest existing folder of the missing file."""
    folder = missing.parent
    while not folder.is_dir() and folder != root:
        folder = folder.parent
    try:
        with os.scandir(folder) as entries:
            names = sorted(
                entry.name
                for entry, _ in zip(entries, range(MAX_NEAR), strict=False)
                if not entry.name.startswith(".")
            )
    except OSError:
        return ""
    if folder != missing.parent:
        shown = missing.parent.relative_to(root)
        return f"There is no folder '{shown}' in the workspace."
    listed = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
    return did_you_mean(missing.name, names, f"The folder has: {listed}." if names else "")
