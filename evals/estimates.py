"""How good the engine's estimates are. Input: command line. Output: tables, JSON.

    python -m evals.estimates [--only uk_housing,...] [--json FILE]

Runs the eval workloads and prints what `stratum status` then says: by how much the seconds that a
plan expected of each kind of work were off. "cold" is a new catalog for each workload, so that
only the calibrated constants are known; "learned" is the workload once more, on other folds so
that nothing is answered from what is stored, in the catalog of the first run. As last line the
medians over all workloads. The machine should be otherwise idle: work that waits for a core takes
longer than expected.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evals import machine
from evals.bench import FULL
from evals.systems.engine import System
from evals.systems.protocol import Channel, Request
from evals.workloads.base import Workload, WorkloadSkipped, load
from executor.catalog import Catalog
from executor.home import Home
from tools.measuring import errors_of, is_told
from tools.responses import EstimateErrors

Told = list[tuple[str, float, float]]  # kind of work, expected seconds, measured seconds


def workloads(only: Collection[str], folder: Path) -> Iterator[Workload]:
    """Those of `make bench`, at its sizes."""
    for settings in FULL:
        if only and settings.workload not in only:
            continue
        try:
            yield load(settings.workload, settings.rows, settings.limit, folder)
        except WorkloadSkipped as skipped:
            print(f"{settings.workload} skipped: {skipped}", file=sys.stderr)


def run(workload: Workload, home: Path, cores: int) -> Told:
    """Runs `workload` in the engine of `home`, and gives what that adds to its catalog."""
    before = _told(home)
    options = {"home": str(home), "warm": bool(before)}
    system = System(Request(workload, "", options, str(home.parent), cores))
    with open(os.devnull, "w") as nowhere:
        system.prepare()
        try:
            system.run(Channel(nowhere))
        finally:
            system.close()
    return _told(home)[len(before) :]


def _told(home: Path) -> Told:
    found = Home(home)
    if not found.catalog.exists():
        return []
    catalog = Catalog(found.catalog, "/")
    try:
        rows = catalog.timings()
    finally:
        catalog.close()
    return [(row.kind, row.expected, row.seconds) for row in rows if is_told(row)]


def other_folds(workload: Workload) -> Workload:
    """The same pipelines on folds of another seed. Those on folds without one are left out."""
    drawn, other = "random_state=0", "random_state=1"
    pipelines = []
    for one in workload.pipelines:
        evaluate = one.evaluate or workload.evaluate
        if drawn in evaluate["cv"]:
            cv = evaluate["cv"].replace(drawn, other)
            pipelines.append(replace(one, evaluate={**evaluate, "cv": cv}))
    return replace(workload, pipelines=tuple(pipelines))


def lines(title: str, found: EstimateErrors | None) -> Iterator[str]:
    if found is None:
        yield f"{title}: nothing was estimated"
        return
    yield (
        f"{title}: factor {found.median_factor:.2f} (median of {found.observations}), "
        f"{found.within_2x:.0%} within 2; measured/expected {found.median_ratio:.2f}"
    )
    for kind in found.kinds:
        yield (
            f"    {kind.kind:32} {kind.observations:5}  measured/expected "
            f"{kind.median_ratio:6.2f}, {kind.within_2x:4.0%} within 2"
        )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m evals.estimates", description=__doc__)
    parser.add_argument("--only", default="", help="workloads, separated by commas")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args(argv)
    only = tuple(filter(None, given.only.split(",")))
    cores = len(os.sched_getaffinity(0))
    stages: dict[str, Told] = {"cold": [], "learned": []}
    written: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="stratum-estimates-") as folder:
        for workload in workloads(only, Path(folder)):
            home = Path(folder) / workload.name / "home"
            for stage, asked in (("cold", workload), ("learned", other_folds(workload))):
                told = run(asked, home, cores)
                stages[stage] += told
                found = errors_of(told)
                written[f"{workload.name} {stage}"] = found and found.model_dump()
                print("\n".join(lines(f"{workload.name}, {stage}", found)), flush=True)
    totals = {stage: errors_of(told) for stage, told in stages.items()}
    if given.json is not None:
        overall = {stage: one and one.model_dump() for stage, one in totals.items()}
        data = {"machine": machine.about(), "workloads": written, "all": overall}
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(data, indent=1) + "\n")
    told_all = (f"{stage} {one.median_factor:.2f}" for stage, one in totals.items() if one)
    print(f"off by a factor of: {', '.join(told_all)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
