"""Measures every kernel against the libraries and the machine.

    python -m evals.kernels [--json OUT.json] [--docs docs/benchmarks.md] [--only linear,neighbours]

One thread each, both sides in the same run, in processor time; then two threads, by the clock.
Output: a table, JSON, and as last line how many of the targets were met. The limit of a row is what
the machine would need at least: its bytes at the measured memory bandwidth, or its products at the
measured rate of matrix products.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from threadpoolctl import threadpool_limits

from evals.documentation import rewritten
from evals.kernel_cases import (
    boosting,
    decomposition,
    encoding,
    forest,
    linear,
    linear_blocks,
    metrics,
    neighbours,
    strings,
)
from evals.kernel_cases.base import Case, machine_limits
from evals.kernel_table import Row, judged, markdown, summary, table
from evals.machine import about
from evals.report import setting

COMMAND = "make bench-kernels"

CASES: tuple[Case, ...] = (
    *linear.CASES,
    *linear_blocks.CASES,
    *encoding.CASES,
    *decomposition.CASES,
    *neighbours.CASES,
    *strings.CASES,
    *metrics.CASES,
    *forest.CASES,
    *boosting.CASES,
)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="evals.kernels", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="page to rewrite")
    parser.add_argument("--only", default="", help="kernels, separated by commas")
    given = parser.parse_args(arguments)
    only = set(filter(None, given.only.split(",")))
    if given.docs is not None and only:
        parser.error("the page shows all kernels: --docs goes without --only")
    console = Console(width=200)
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
            console.print(
                f"  {case.kernel}: {case.name}: {1e3 * rows[-1].outcome.ours:.1f} ms "
                f"({time.monotonic() - began:.0f} s)"
            )
    console.print(table(rows))
    where = about()
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "about": where,
            "machine": asdict(machine),
            "rows": [asdict(row) for row in rows],
        }
        given.json.write_text(json.dumps(content, indent=1) + "\n")
    if given.docs is not None:
        section = markdown(rows, machine, setting(where))
        given.docs.write_text(rewritten(given.docs.read_text(), section, COMMAND))
    console.print(f"{time.monotonic() - began:.0f} s")
    print(summary(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
