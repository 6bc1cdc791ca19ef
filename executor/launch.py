"""How the zygote is started: what it imports and what of the environment it is given.

Input: the environment and import path of the engine. Output: a running zygote process and the
socket that commands it.
"""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# Imported before the first worker is forked: what ingestion, profiles and queries need (0.4 s).
ESSENTIAL = (
    "numpy",
    "pyarrow",
    "pyarrow.compute",
    "pyarrow.dataset",
    "duckdb",
    "pandas",
)
# Imported afterwards; forks and kills are served between two of these, so slow packages are
# imported piece by piece. Ordered by how often pipelines use them; what only some need, and
# takes more than half a second, is last.
PRELOAD = (
    "encodings.utf_8_sig",
    "executor.work",
    "executor.ingest",
    "executor.query",
    "scipy.sparse",
    "scipy.linalg",
    "scipy.special",
    "scipy.optimize",
    "scipy.spatial",
    "scipy.stats",
    "sklearn.base",
    "sklearn.linear_model",
    "sklearn.preprocessing",
    "sklearn.compose",
    "sklearn.pipeline",
    "sklearn.impute",
    "sklearn.model_selection",
    "sklearn.metrics",
    "sklearn.ensemble",
    "lightgbm",
    "xgboost",
    "rust_exec",
    "executor.program",
    "executor.profile",
    "executor.statistics",
    "executor.data_warnings",
    "sklearn.feature_extraction.text",
    "sklearn.feature_selection",
    "sklearn.decomposition",
    "sklearn.neighbors",
    "sklearn.svm",
    "sklearn.neural_network",
    "sklearn.naive_bayes",
    "sklearn.discriminant_analysis",
    "sklearn.gaussian_process",
    "sklearn.kernel_approximation",
    "sklearn.cluster",
    "threadpoolctl",
    "cloudpickle",
    "matplotlib.pyplot",
    "skrub",
    "executor.distinct_text",
    "catboost",
)

# Workers run code written by agents: they get what libraries need to work, not the secrets
# that the environment of a server often holds.
_KEPT = frozenset(
    (
        "CONDA_PREFIX",
        "HOME",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "LD_PRELOAD",
        "LOGNAME",
        "NLTK_DATA",
        "PATH",
        "PYTHONHOME",
        "SHELL",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TZDIR",
        "USER",
        "VIRTUAL_ENV",
    )
)
# Which code the numeric libraries run, and so the last bits of what they give: the same as in a
# script that was started beside the server.
_NUMERIC = frozenset(
    ("MKL_CBWR", "NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")
)
_KEPT_PREFIXES = ("CUDA_", "LC_", "NVIDIA_", "XDG_")
_SET = {
    # The budget hands out cores; a library that starts one thread for each core undoes it.
    # OpenBLAS starts its threads when it is loaded, which must not happen before a fork.
    **dict.fromkeys(
        (
            "BLIS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "NUMEXPR_NUM_THREADS",
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "VECLIB_MAXIMUM_THREADS",
        ),
        "1",
    ),
    # Arrow's allocator starts a thread when it is loaded, otherwise.
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "MPLBACKEND": "Agg",
    # The order of a set of strings must not change between two servers: scores are kept.
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "TZ": "UTC",
}
_ROOT = str(Path(__file__).resolve().parent.parent)
# Not `-m executor.zygote`: the package must be found wherever the engine found it, and neither
# the working directory nor PYTHONPATH can say that without shadowing the standard library.
_BOOT = """\
import json, sys
settings = json.loads(sys.argv[1])
sys.path[:] = settings.pop("path")
from executor.zygote import main
main(**settings)
"""


def environment(extra: Mapping[str, str], marker: str, scratch: Path) -> dict[str, str]:
    """The environment of the zygote and so of all workers; `marker` is ``NAME=value``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in _KEPT | _NUMERIC or name.startswith(_KEPT_PREFIXES)
    }
    name, _, value = marker.partition("=")
    return {**kept, **_SET, "TMPDIR": str(scratch), **extra, name: value}


def launch(
    *,
    essential: Sequence[str],
    preload: Sequence[str],
    table: str,
    scratch: Path,
    log: Path,
    env: Mapping[str, str],
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a zygote that writes to `log` and owns the directory `scratch`; OSError if it fails.

    Returns the process and the non-blocking SOCK_SEQPACKET socket described in
    `executor.zygote`; the zygote ends when that socket is closed.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    settings = {
        # The engine's own path; an empty entry means its working directory.
        "path": [*(os.path.abspath(entry) for entry in sys.path), _ROOT],
        "control": theirs.fileno(),
        "table": table,
        "scratch": str(scratch),
        "essential": list(essential),
        "preload": list(preload),
    }
    try:
        with theirs, open(log, "ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _BOOT, json.dumps(settings)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=scratch,
                env=dict(env),
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
    except BaseException:
        ours.close()
        raise
    ours.setblocking(False)
    return process, ours
