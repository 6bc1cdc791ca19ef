"""Libraries of an environment of their own (`make evals-sklearnex`).

Input: a module of library work, which prints its seconds as JSON. Output: the seconds, or a word
why there are none.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_PYTHON = Path(".venv-sklearnex/bin/python")
_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
}


def intel_seconds(module: str, arguments: Sequence[str], limit: float = 120.0) -> float | str:
    """With scikit-learn-intelex, at one thread."""
    return _seconds("sklearnex", module, arguments, limit)


def polars_seconds(module: str, arguments: Sequence[str], limit: float = 120.0) -> float | str:
    """With Polars, at one thread."""
    return _seconds("polars", module, arguments, limit)


def _seconds(library: str, module: str, arguments: Sequence[str], limit: float) -> float | str:
    if not _installed(library):
        return "not installed"
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
    except subprocess.TimeoutExpired:
        return f"over {limit:.0f} s"
    except (subprocess.SubprocessError, OSError):
        return "failed"
    return float(json.loads(done.stdout.splitlines()[-1])["seconds"])


@cache
def _installed(library: str) -> bool:
    look = f"import importlib.util as u, sys; sys.exit(u.find_spec({library!r}) is None)"
    if not _PYTHON.exists():
        return False
    return subprocess.run([str(_PYTHON), "-c", look], check=False).returncode == 0
