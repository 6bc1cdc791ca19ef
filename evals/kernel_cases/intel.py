"""scikit-learn-intelex, where it is installed. Input: a module of library work. Output: seconds."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_PYTHON = Path(".venv-sklearnex/bin/python")
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def intel_seconds(module: str, arguments: Sequence[str], limit: float = 120.0) -> float | None:
    """``seconds`` of the JSON that `module` prints in the environment of its own; None if there
    is none, or it takes more than `limit` seconds."""
    if not _PYTHON.exists():
        return None
    try:
        done = subprocess.run(
            # oneDAL takes its threads from the cores it may run on.
            ["taskset", "-c", "0", str(_PYTHON), "-m", module, *arguments],
            capture_output=True,
            text=True,
            timeout=limit,
            check=True,
            env={**os.environ, **_ONE_THREAD},
        )
    except (subprocess.SubprocessError, OSError):
        return None
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])
