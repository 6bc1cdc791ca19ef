"""All workloads at sizes that end in bounded time. Input: command line. Output: report, docs.

    python -m evals.bench [--smoke] [--report DIR] [--docs docs/benchmarks.md]

Exit status as `evals.run`.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from evals import report
from evals.comparison import Comparison
from evals.run import Settings, finish, measure_workload
from evals.runner import end_on_sigterm
from evals.systems.table import PARTS
from evals.workloads.base import WorkloadSkipped

# Ours and the yardsticks first: what is left when the time is over, is skipped.
_ALL = ("stratum", "sequential", "concurrent", "stratum-warm", "stratum-incremental",
        "stratum-stdio", "upstream", "joblib", "skrub", "sklearnex", "scripts")  # fmt: skip
# Sized for two cores.
FULL = (
    Settings("uk_housing", _ALL, rows=20_000, limit=16),
    Settings("churn_trace", _ALL, limit=12),
    Settings("bike_aide", _ALL, limit=12),
    Settings("cms_grid", _ALL, rows=20_000, limit=16),
    Settings("linear_sweep", _ALL, ablate=PARTS),
)
FULL_SECONDS = 280.0  # for each workload
_SMOKE_SYSTEMS = ("stratum", "sequential", "concurrent")
SMOKE = tuple(Settings(settings.workload, _SMOKE_SYSTEMS, rows=1_000, limit=5) for settings in FULL)
SMOKE_SECONDS = 20.0
BEGIN = "<!-- make bench: begin -->"
END = "<!-- make bench: end -->"


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    end_on_sigterm()
    console = Console(stderr=True, highlight=False)
    wanted = None if arguments.workloads is None else arguments.workloads.split(",")
    done: list[Comparison] = []
    skipped: list[str] = []
    for settings in SMOKE if arguments.smoke else FULL:
        if wanted is not None and settings.workload not in wanted:
            continue
        settings = replace(settings, budget=SMOKE_SECONDS if arguments.smoke else FULL_SECONDS)
        console.print(f"[bold]{settings.workload}[/bold]")
        with tempfile.TemporaryDirectory(prefix="stratum-bench-") as folder:
            try:
                comparison = measure_workload(settings, console, Path(folder))
            except WorkloadSkipped as error:
                skipped.append(f"{settings.workload}: {error}")
                console.print(f"skipped: {skipped[-1]}")
                continue
        comparison.about["command"] = command(settings)
        done.append(comparison)
    status = finish(done, arguments.report / "results.json", arguments.report)
    if arguments.docs is not None and done:
        section = generated([comparison.to_json() for comparison in done], skipped)
        arguments.docs.write_text(rewritten(arguments.docs.read_text(), section))
    return status


def command(settings: Settings) -> str:
    """What measures the same again."""
    parts = [f"python -m evals.run --workload {settings.workload}"]
    parts.append(f"--systems {','.join(settings.systems)}")
    if settings.rows is not None:
        parts.append(f"--rows {settings.rows}")
    if settings.limit is not None:
        parts.append(f"--limit {settings.limit}")
    if settings.ablate:
        parts.append(f"--ablate {','.join(settings.ablate)}")
    return " ".join(parts)


def generated(data: Sequence[dict[str, Any]], skipped: Sequence[str]) -> str:
    """The section of the documentation that a run writes."""
    parts = [report.setting(data[0])]
    parts += [report.markdown(entry, {}) for entry in data]
    parts += [f"Skipped: {line}" for line in skipped]
    return "\n\n".join(parts)


def rewritten(text: str, section: str) -> str:
    """`text` with what stands between the markers replaced; ValueError without markers."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no lines '{BEGIN}' and '{END}'")
    return f"{head}{BEGIN}\n\n{section}\n\n{END}{tail}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals.bench", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="small sizes, few systems")
    parser.add_argument("--workloads", metavar="A,B,...", help="only these")
    parser.add_argument("--report", type=Path, default=Path("build/bench"), metavar="DIR")
    parser.add_argument("--docs", type=Path, metavar="FILE", help="page to rewrite")
    return parser


if __name__ == "__main__":
    sys.exit(main())
