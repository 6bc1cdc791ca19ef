"""Measures every kernel against the libraries and the machine.

    python -m evals.kernels [--json OUT.json] [--only linear,neighbours]

One thread each, both sides in the same run, in processor time. Output: a table, JSON, and as
last line how many of the targets were met. The limit of a row is what the machine would need at
least: its bytes at the measured memory bandwidth, or its products at the measured rate of matrix
products.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_limits

from evals.kernel_cases import (
    boosting,
    decomposition,
    encoding,
    forest,
    linear,
    metrics,
    neighbours,
    strings,
)
from evals.kernel_cases.base import Case, Outcome, machine_limits
from evals.machine import about

CASES: tuple[Case, ...] = (
    *linear.CASES,
    *encoding.CASES,
    *decomposition.CASES,
    *neighbours.CASES,
    *strings.CASES,
    *metrics.CASES,
    *forest.CASES,
    *boosting.CASES,
)


@dataclass(frozen=True)
class Row:
    """What was measured of a case, and its targets: speed-up, over what, and whether it is met."""

    kernel: str
    name: str
    outcome: Outcome
    targets: tuple[tuple[float, str, bool], ...]


def judged(case: Case, outcome: Outcome) -> Row:
    """A target is met if the kernel is that much faster and gives the library's values."""
    targets = []
    for target in case.targets:
        against = outcome.libraries[target.over]
        fast = against is not None and against >= target.times * outcome.ours
        right = bool(outcome.difference <= outcome.bound)
        targets.append((target.times, target.over, fast and right))
    return Row(case.kernel, case.name, outcome, tuple(targets))


def table(rows: Sequence[Row]) -> Table:
    found = Table(title="Kernels, one thread")
    for title in ("case", "ours ms", "libraries over ours", "over limit", "two threads", "peak MB",
                  "declined", "difference", "targets"):  # fmt: skip
        left = title in ("case", "libraries over ours", "targets")
        found.add_column(title, justify="left" if left else "right")
    for row in rows:
        one = row.outcome
        libraries = (
            f"{name} {'skipped' if seconds is None else f'{seconds / one.ours:.1f}x'}"
            for name, seconds in one.libraries.items()
        )
        targets = (
            f"{times:g}x {name}: {'met' if met else 'missed'}" for times, name, met in row.targets
        )
        found.add_row(
            f"{row.kernel}: {row.name}",
            f"{1e3 * one.ours:.1f}",
            ", ".join(libraries),
            f"{one.ours / one.limit:.1f}x",
            "-" if one.two is None else f"{one.two[1] / one.two[0]:.2f}x",
            "-" if one.peak is None else f"{one.peak / 1e6:.0f}",
            str(one.declined),
            f"{one.difference:.0e}",
            ", ".join(targets) or "-",
        )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="evals.kernels", description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", default="", help="kernels, separated by commas")
    given = parser.parse_args(arguments)
    console = Console(width=180)
    only = set(filter(None, given.only.split(",")))
    began = time.monotonic()
    rows: list[Row] = []
    with threadpool_limits(1):
        machine = machine_limits()
        console.print(
            f"memory {machine.bandwidth / 1e9:.1f} GB/s, products {machine.rate / 1e9:.1f} GFLOP/s"
        )
        for case in CASES:
            if only and case.kernel not in only:
                continue
            rows.append(judged(case, case.measure(machine)))
            console.print(f"  {case.kernel}: {case.name}: {1e3 * rows[-1].outcome.ours:.1f} ms")
    console.print(table(rows))
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        content = {"about": about(), "machine": asdict(machine),
                   "rows": [asdict(row) for row in rows]}  # fmt: skip
        given.json.write_text(json.dumps(content, indent=1) + "\n")
    met = [met for row in rows for _, _, met in row.targets]
    console.print(f"{time.monotonic() - began:.0f} s")
    print(f"{sum(met)} of {len(met)} targets met")
    return 0


if __name__ == "__main__":
    sys.exit(main())
