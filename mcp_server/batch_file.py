"""Batch files: a path in, a `Batch` and the places of its data files out."""

import json
from pathlib import Path
from typing import Any

from mcp_server.arguments import check_bounds
from planner.errors import SpecError
from tools.requests import AddDataset, Batch
from tools.validation import validated

MAX_BYTES = 256 << 20


def read_batch(path: Path) -> Batch:
    """SpecError `file_not_found`, `malformed_json` (with line and column), `request_too_large`,
    `too_deep`, or what `validated` says of the content."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise SpecError(
                "request_too_large",
                f"The batch file has {size >> 20} MiB; at most {MAX_BYTES >> 20} are read.",
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SpecError(
            "file_not_found", f"The batch file '{path}' cannot be read: {error.strerror}."
        ) from None
    except UnicodeDecodeError:
        raise SpecError("malformed_json", f"'{path}' is not UTF-8 text.") from None
    data = _parse(text, path)
    if not isinstance(data, dict):
        raise SpecError(
            "invalid_value",
            f"'{path}' holds no JSON object.",
            hint='A batch is {"datasets": {...}, "evaluate": {...}, "pipelines": [...]}.',
        )
    check_bounds(data)
    return validated(Batch, data)


def _parse(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecError(
            "malformed_json", f"'{path}', line {error.lineno}, column {error.colno}: {error.msg}."
        ) from None
    except RecursionError:
        raise SpecError("too_deep", f"'{path}' is nested too deeply.") from None
    except ValueError as error:  # an integer of more digits than Python converts
        raise SpecError("malformed_json", f"'{path}': {error}.") from None


def datasets_of(batch: Batch, base: Path) -> list[AddDataset]:
    """The data files under their names, with absolute paths; relative ones start at `base`."""
    found = []
    for name, entry in batch.datasets.items():
        request = entry if isinstance(entry, AddDataset) else AddDataset(path=entry)
        path = str((base / Path(request.path).expanduser()).resolve())
        found.append(request.model_copy(update={"path": path, "name": name}))
    return found


def workspace_of(requests: list[AddDataset], base: Path) -> Path:
    """The folder that the engine is confined to.

    The person at the shell may name any file, unlike an agent; yet where all files lie below
    `base`, its catalog is the one that a server of that workspace uses.
    """
    inside = all(Path(request.path).is_relative_to(base) for request in requests)
    return base if inside else Path("/")
