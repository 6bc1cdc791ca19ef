"""Measures every kernel against the libraries and the machine.

    python -m evals.kernels [--json OUT.json] [--only ridge,elastic_net]

One thread each, both sides in the same run, in processor time. Output: a table, JSON, and as
last line how many of the targets were met. The limit of a row is what the machine would need at
least: its bytes at the measured memory bandwidth, or its products at the measured rate of matrix
products.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from evals.kernels_library import FOLDS, Job, data, folds, measure, seconds_of
from evals.machine import about
from executor.backends.base import Context
from executor.backends.rust import RustBackend
from planner.errors import StratumError
from planner.expressions import Call
from planner.ops_linear import LinearFolds

SKLEARNEX = Path(".venv-sklearnex/bin/python")
_LIMIT = 60.0  # seconds that the other library may take for a row
_NET_DIFFERENCE = 1e-6
_DIFFERENCE = 1e-9


@dataclass(frozen=True)
class Case:
    """A row of the table; `target` is the least speed-up over the library, if one is set.

    `over_path`: the target is over ElasticNetCV rather than over fits one by one.
    """

    job: Job
    target: float | None = None
    over_path: bool = False

    @property
    def name(self) -> str:
        count = len(self.job.members)
        size = f"{self.job.rows // 1000}k x {self.job.columns}"
        return f"{self.job.family}, {count} models x {FOLDS} folds, {size}"


# Kernels that follow get rows here, and a branch in `ours`.
CASES = (
    Case(Job("ridge", 20_000, 30)),
    Case(Job("ridge", 20_000, 75)),
    Case(Job("ridge", 200_000, 30)),
    Case(Job("ridge", 200_000, 75, models=2), target=300.0),
    Case(Job("elastic_net", 20_000, 30, models=8), target=50.0, over_path=True),
    Case(Job("elastic_net", 200_000, 30, models=4)),
    Case(Job("least_squares", 20_000, 30)),
    Case(Job("least_squares", 200_000, 30)),
)


@dataclass(frozen=True)
class Row:
    """What was measured of a case; seconds of all models and folds at one thread."""

    name: str
    ours: float
    library: float
    path: float | None  # ElasticNetCV
    other: float | None  # scikit-learn-intelex; None: not installed, or too slow
    limit: float
    declined: int  # models of folds that were left to the library
    difference: float  # greatest relative difference of a score
    target: float | None
    met: bool | None


def ours(job: Job, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, int]:
    """Seconds of the kernel's backend; (n_valid, models) predictions of the first fold; how many
    models of folds were left to the library."""
    split = folds(job)
    calls = [Call(name, tuple(sorted(params.items()))) for name, params in job.members]
    op = LinearFolds(tuple(calls), impute=False, scale=True)
    backend = RustBackend()
    found: list[Any] = []
    seconds = seconds_of(lambda: found.append(backend.run(op, [x, split, y], Context(None))))
    columns = []
    for position in range(len(calls)):
        values = found[-1][0][position].predictions
        if isinstance(values, StratumError):
            raise values
        columns.append(values)
    declined = sum(answer.declined is not None for fold in found[-1] for answer in fold.values())
    return seconds, np.column_stack(columns), declined


def compared(case: Case, bandwidth: float, rate: float) -> Row:
    """Measures one case on both sides."""
    job = case.job
    x, y = data(job)
    seconds, predictions, declined = ours(job, x, y)
    library = measure(job)
    valid = folds(job)[0][1]
    errors = np.mean((predictions - y[valid, None]) ** 2, axis=0)
    difference = max(abs(errors[int(k)] / s - 1) for k, s in library["scores"].items())
    # Moments and predictions read the rows once each.
    moved = 2 * x.nbytes
    work = job.rows * job.columns * (job.columns + 2.0 * len(job.members))
    against = library["cv"] if case.over_path else library["seconds"]
    bound = _NET_DIFFERENCE if job.family == "elastic_net" else _DIFFERENCE
    met = None if case.target is None else against >= case.target * seconds
    return Row(
        name=case.name,
        ours=seconds,
        library=library["seconds"],
        path=library["cv"],
        other=_other(job),
        limit=max(moved / bandwidth, work / rate),
        declined=declined,
        difference=float(difference),
        target=case.target,
        met=met and bool(difference <= bound),
    )


def _other(job: Job) -> float | None:
    """Seconds of scikit-learn-intelex in its own environment; None if it has none."""
    if not SKLEARNEX.exists():
        return None
    command = [str(SKLEARNEX), "-m", "evals.kernels_library", json.dumps(asdict(job))]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            # oneDAL takes its threads from the cores it may run on.
            ["taskset", "-c", "0", *command],
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=True,
            env={**os.environ, **threads},
        )
    except (subprocess.SubprocessError, OSError):
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return float(found["seconds"])


def machine_limits() -> tuple[float, float]:
    """Memory bandwidth (bytes a second, read and written) and the rate of matrix products
    (floating-point operations a second), at one thread."""
    block = np.ones(1 << 24)
    target = np.zeros_like(block)
    np.copyto(target, block)  # the first touch of a page is not what is measured
    copied = seconds_of(lambda: np.copyto(target, block))
    square = np.random.default_rng(0).normal(size=(1024, 1024))
    multiplied = seconds_of(lambda: square @ square)
    return 2 * block.nbytes / copied, 2 * 1024**3 / multiplied


def table(rows: Sequence[Row]) -> Table:
    found = Table(title="Kernels, one thread")
    for title in ("case", "ours ms", "scikit-learn", "ElasticNetCV", "sklearnex", "over limit",
                  "declined", "difference", "target"):  # fmt: skip
        found.add_column(title, justify="left" if title == "case" else "right")
    for row in rows:
        target = "-" if row.target is None else f"{row.target:g}x {'met' if row.met else 'missed'}"
        found.add_row(
            row.name,
            f"{1e3 * row.ours:.1f}",
            _times(row.library, row.ours),
            _times(row.path, row.ours),
            "skipped" if row.other is None else _times(row.other, row.ours),
            f"{row.ours / row.limit:.1f}x",
            str(row.declined),
            f"{row.difference:.0e}",
            target,
        )
    return found


def _times(seconds: float | None, ours: float) -> str:
    return "-" if seconds is None else f"{seconds / ours:.1f}x"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="evals.kernels", description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default="", help="families, separated by commas")
    given = parser.parse_args(arguments)
    console = Console(width=160)
    only = set(filter(None, given.only.split(",")))
    began = time.monotonic()
    with threadpool_limits(1):
        bandwidth, rate = machine_limits()
        console.print(f"memory {bandwidth / 1e9:.1f} GB/s, products {rate / 1e9:.1f} GFLOP/s")
        rows = []
        for case in CASES:
            if only and case.job.family not in only:
                continue
            rows.append(compared(case, bandwidth, rate))
            console.print(f"  {rows[-1].name}: {1e3 * rows[-1].ours:.1f} ms")
    console.print(table(rows))
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        content = {"about": about(), "bandwidth": bandwidth, "rate": rate,
                   "rows": [asdict(row) for row in rows]}  # fmt: skip
        given.json.write_text(json.dumps(content, indent=1) + "\n")
    targets = [row for row in rows if row.met is not None]
    console.print(f"{time.monotonic() - began:.0f} s")
    print(f"{sum(bool(row.met) for row in targets)} of {len(targets)} targets met")
    return 0


if __name__ == "__main__":
    sys.exit(main())
