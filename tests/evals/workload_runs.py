"""Runs a workload twice: its specs through the engine, and its baselines as scripts."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from evals.workloads import Pipeline, Workload

ROOT = Path(__file__).parents[2]
SECONDS = 110
TOLERANCE = {"closed_form": 1e-9, "iterative": 1e-6, "library": 1e-12}
# The reference is one thread a fit; boosting gives slightly different trees at others.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "LOKY_MAX_CPU_COUNT": "1",
}
_SCRIPTS = """\
import importlib, json, sys
found = []
paths, calls = json.load(sys.stdin)
for function, arguments in calls:
    module, _, name = function.partition(":")
    try:
        found.append(getattr(importlib.import_module(module), name)(paths, **arguments))
    except Exception as error:
        found.append(f"{type(error).__name__}: {error}")
own = [n for n in ("planner", "executor", "tools", "mcp_server", "rust_exec") if n in sys.modules]
print(json.dumps([found, own]))
"""


def baselines(workload: Workload) -> tuple[dict[str, list[float] | str], list[str]]:
    """Scores of the folds, or the error, by name; and which of our packages were loaded."""
    calls = [[p.function, p.arguments] for p in workload.pipelines]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _SCRIPTS],
        cwd=ROOT,
        env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)},
        input=json.dumps([workload.datasets, calls]),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=True,
    )
    found, own = json.loads(done.stdout.splitlines()[-1])
    return dict(zip([p.name for p in workload.pipelines], found, strict=True)), own


def evaluations(
    workload: Workload, evaluate: dict[str, Any], pipelines: tuple[Pipeline, ...], home: Path
) -> dict[str, dict[str, Any]]:
    """What the command line answers for `pipelines`, by name."""
    batch = home / "batch.json"
    content = {
        "datasets": workload.datasets,
        "evaluate": evaluate,
        "pipelines": [p.spec for p in pipelines],
    }
    batch.write_text(json.dumps(content))
    command = [sys.executable, "-m", "mcp_server.cli", "run", str(batch), "--json"]
    done = subprocess.run(
        [*command, "--home", str(home / "engine")],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.stdout, done.stderr[-4000:]
    return {entry["name"]: entry for entry in json.loads(done.stdout)["evaluations"]}
