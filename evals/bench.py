"""All workloads at sizes that end in bounded time. Input: command line. Output: report, docs.

    python -m evals.bench [--smoke] [--report DIR] [--docs docs/benchmarks.md]
        [--allow-wrong upstream,sklearnex]

Exit status as `evals.run`. Scripts and Stratum are given the time they need at these sizes; other
systems have a limit, and are reported with what they answered in it. What is left when the time of
a workload and of those before it is over, is skipped.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from evals import report
from evals.comparison import Comparison
from evals.documentation import rewritten
from evals.run import Settings, finish, measure_workload, systems_of
from evals.runner import end_on_sigterm
from evals.systems.table import PARTS
from evals.workloads.base import WorkloadSkipped

# Those that matter get the time they need. Each of the others has a limit, and runs where it can
# answer in that, or where it has something to show: the protocol's cost with many pipelines,
# another solver with linear models.
_OURS = ("stratum", "sequential", "concurrent", "stratum-warm", "stratum-incremental")
_TREES = (*_OURS, "stratum-statistical")  # where kernels may stand in for models of trees
_CLIENT = "stratum-stdio"
_SEARCHES = ("upstream", "joblib")
_ALL = (*_TREES, _CLIENT, *_SEARCHES, "skrub", "scripts", "sklearnex")
_LIMITS = {"upstream": 40.0, **dict.fromkeys(("joblib", "skrub", "scripts", "sklearnex"), 30.0)}
# Processors of shared machines change pace within minutes, by a third and more: what a workload is
# judged by is run three times, if that is affordable.
_JUDGED = ("stratum", "sequential", "stratum-statistical")
# Sized for two cores.
FULL = tuple(
    replace(settings, repeat=1 if settings.workload == "bike_aide" else 3, repeated=_JUDGED)
    for settings in (
        Settings("uk_housing", (*_TREES, *_SEARCHES), rows=10_000, limit=12, ablate=PARTS),
        Settings("churn_trace", _ALL, limit=12),
        Settings("bike_aide", (*_TREES, *_SEARCHES), rows=8_000, limit=10),
        Settings("cms_grid", (*_TREES, *_SEARCHES), rows=20_000, limit=12, ablate=PARTS),
        Settings("linear_sweep", (*_OURS, _CLIENT, *_SEARCHES), limit=50, ablate=PARTS),
    )
)
FULL_SECONDS = 330.0  # for each workload, and what those before it left
_SMOKE_SYSTEMS = ("stratum", "stratum-statistical", "sequential")
SMOKE = tuple(Settings(settings.workload, _SMOKE_SYSTEMS, rows=1_000, limit=5) for settings in FULL)
SMOKE_SECONDS = 22.0
_STARTING = 60.0  # seconds
COMMAND = "make bench"


def main(argv: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(argv)
    end_on_sigterm()
    console = Console(stderr=True, highlight=False)
    wanted = None if given.workloads is None else given.workloads.split(",")
    results = given.report / "results.json"
    done: list[Comparison] = []
    skipped: list[str] = []
    began = time.monotonic()
    seconds = SMOKE_SECONDS if given.smoke else FULL_SECONDS
    chosen = [s for s in (SMOKE if given.smoke else FULL) if wanted is None or s.workload in wanted]
    for count, settings in enumerate(chosen, 1):
        settings = replace(
            settings,
            budget=count * seconds - (time.monotonic() - began),
            timeouts=_LIMITS,
            starting=_STARTING,
            allow_wrong=given.allow_wrong,
        )
        console.print(f"[bold]{settings.workload}[/bold] ({settings.budget:.0f} s)")
        with tempfile.TemporaryDirectory(prefix="stratum-bench-") as folder:
            try:
                comparison = measure_workload(settings, console, Path(folder))
            except WorkloadSkipped as error:
                skipped.append(f"{settings.workload}: {error}")
                console.print(f"skipped: {skipped[-1]}")
                continue
        comparison.about["command"] = command(settings)
        done.append(comparison)
        save([comparison.to_json() for comparison in done], results)
        console.print(used(comparison))
    if not done:
        return 0
    status = finish(done, None, given.report)
    data = [comparison.to_json() for comparison in done]
    print(f"\n{report.overview(data)}\n\n{time.monotonic() - began:.0f} s in all.")
    if given.docs is not None:
        section = generated(data, skipped)
        given.docs.write_text(rewritten(given.docs.read_text(), section, COMMAND))
    return status


def save(data: Sequence[dict[str, Any]], path: Path) -> None:
    """Writes what there is so far: a run that is ended early leaves something."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=1, allow_nan=True) + "\n")


def used(comparison: Comparison) -> str:
    """What a workload took, and how much of it was measured."""
    runs = [comparison.reference, *comparison.runs.values()]
    measured = sum(sum(run.repeats) or run.seconds or 0.0 for run in runs)
    whole = comparison.about["seconds_used"]
    return f"  {whole:.0f} s, of which {measured:.0f} s measured; the rest are imports and ends"


def command(settings: Settings) -> str:
    """What measures the same again."""
    parts = [f"python -m evals.run --workload {settings.workload}"]
    parts.append(f"--systems {','.join(settings.systems)}")
    if settings.rows is not None:
        parts.append(f"--rows {settings.rows}")
    if settings.limit is not None:
        parts.append(f"--limit {settings.limit}")
    if settings.repeat > 1:
        parts.append(f"--repeat {settings.repeat} --repeated {','.join(settings.repeated)}")
    if settings.ablate:
        parts.append(f"--ablate {','.join(settings.ablate)}")
    if settings.allow_wrong:
        parts.append(f"--allow-wrong {','.join(settings.allow_wrong)}")
    return " ".join(parts)


def generated(data: Sequence[dict[str, Any]], skipped: Sequence[str]) -> str:
    """The section of the documentation that a run writes."""
    parts = [report.setting(data[0]), report.overview(data)]
    parts += [report.markdown(entry, {}) for entry in data]
    parts += [f"Skipped: {line}" for line in skipped]
    return "\n\n".join(parts)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals.bench", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small sizes, few systems")
    parser.add_argument("--workloads", metavar="A,B,...", help="only these")
    parser.add_argument("--allow-wrong", type=systems_of, default=(), metavar="A,B,...",
                        help="wrong scores of these are shown, but are no failure")  # fmt: skip
    parser.add_argument("--report", type=Path, default=Path("build/bench"), metavar="DIR")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="page to rewrite")
    return parser


if __name__ == "__main__":
    sys.exit(main())
