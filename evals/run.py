"""Measures systems on a workload. Input: command line. Output: table, JSON, report, exit status.

    python -m evals.run --workload churn_trace --systems sequential,concurrent,stratum

Exit status 1 if a score of any system is wrong (besides those of ``--allow-wrong``, which are
listed all the same), if the engine does not end, or a system that is not somebody else's crashes;
2 for wrong arguments; else 0. A workload whose data is missing is skipped.
"""

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from evals import machine, measure, selftest
from evals.comparison import Comparison, by_name
from evals.results import SystemRun
from evals.runner import STARTING, end_on_sigterm, run_system
from evals.systems.table import DEFAULT, PARTS, REFERENCE, SYSTEMS, System, without
from evals.workloads.base import NAMES, Workload, WorkloadSkipped, load

TIMEOUT = 3600.0  # seconds for one system
_LEAST = 60.0  # seconds that a system is given at least, if it is begun at all
_MISMATCHES = 10  # printed for each system; the JSON has all

Bar = Callable[[System, int], "Line"]


@dataclass(frozen=True)
class Settings:
    """What to measure, and how.

    Systems are run in the order given, those of the ablation before the first that is somebody
    else's. When `budget` seconds are over, those that are left are skipped, besides the first.

    Attributes:
        repeat: Runs of each system in `repeated` (empty: of all) that ended in time; a round of
            them after the other, so that a slow minute of the machine does not meet one alone.
        timeout: Seconds for each system; `timeouts` are exceptions by name.
        starting: Seconds for the imports of each.
        allow_wrong: Systems whose wrong scores do not make the command fail.
    """

    workload: str
    systems: tuple[str, ...] = DEFAULT
    rows: int | None = None
    limit: int | None = None
    repeat: int = 1
    ablate: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    timeout: float = TIMEOUT
    timeouts: Mapping[str, float] = field(default_factory=dict)
    starting: float = STARTING
    budget: float = math.inf
    allow_wrong: tuple[str, ...] = ()


def measure_workload(settings: Settings, console: Console, folder: Path) -> Comparison:
    """Runs the reference and all systems; WorkloadSkipped if the data is missing."""
    workload = workload_of(settings, folder)
    began = time.monotonic()
    with bars(console) as bar:

        def run(system: System, attempt: int = 0) -> SystemRun:
            left = settings.budget - (time.monotonic() - began)
            if left <= 0 and system.name not in (REFERENCE.name, *settings.systems[:1]):
                reason = "the time for this workload was over"
                return SystemRun(system.name, system.title, "skipped", reason)
            limit = settings.timeouts.get(system.name, settings.timeout)
            line = bar(system, len(workload.pipelines))
            found = run_system(
                _with_home(system, folder),
                workload,
                folder,
                timeout=min(limit, max(left, _LEAST)),
                starting=settings.starting,
                attempt=attempt,
                progress=line.progress,
            )
            line.end(found)
            return found

        comparison = Comparison(
            workload,
            settings.rows,
            measure.cores(),
            run(REFERENCE),
            allowed=settings.allow_wrong,
            about=machine.about(),
        )
        steps = ablation(settings.ablate)
        wanted = [by_name(name) for name in settings.systems]
        place = next((i for i, s in enumerate(wanted) if s.foreign), len(wanted))
        wanted[place:place] = [s for s in steps if s.name not in settings.systems]
        comparison.ablation = [system.name for system in steps]
        for system in wanted:
            comparison.add(system, run(system))
        for attempt in range(1, settings.repeat):
            for system in wanted:
                if settings.repeated and system.name not in settings.repeated:
                    continue
                done = comparison.runs[system.name]
                # The reference is there for its scores, and is not in the list.
                left = settings.budget - (time.monotonic() - began)
                if done.status == "ok" and done.total_seconds / attempt < left:
                    comparison.add(system, run(system, attempt))
    comparison.about["seconds_used"] = time.monotonic() - began
    return comparison


def workload_of(settings: Settings, folder: Path) -> Workload:
    if settings.workload == selftest.NAME:
        return selftest.workload(folder)
    return load(settings.workload, settings.rows, settings.limit, folder)


def ablation(parts: Sequence[str]) -> list[System]:
    """From everything in `parts` switched off to all of it on, one more part each time."""
    if not parts:
        return []
    return [without(tuple(parts[count:])) for count in range(len(parts) + 1)]


def _with_home(system: System, folder: Path) -> System:
    """Where a warm system finds what the cold one left behind, if that ran before."""
    if system.name not in ("stratum", "stratum-warm"):
        return system
    return replace(system, options={**system.options, "home": str(folder / "stratum-home")})


@dataclass(frozen=True)
class Line:
    """What is shown of one system: how many pipelines have ended, and how it ended itself."""

    progress: Callable[[int], None]
    end: Callable[[SystemRun], None]


@contextmanager
def bars(console: Console) -> Iterator[Bar]:
    """Live bars on a terminal, else a line for each system that has ended."""
    if not console.is_terminal:

        def line(system: System, total: int) -> Line:
            return Line(lambda done: None, lambda run: console.print(ended(run), soft_wrap=True))

        yield line
        return
    with Progress(
        TextColumn("{task.description:<20}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    ) as progress:

        def bar(system: System, total: int) -> Line:
            task = progress.add_task(system.name, total=total)

            def end(run: SystemRun) -> None:
                progress.remove_task(task)
                console.print(ended(run), soft_wrap=True)

            return Line(lambda done: progress.update(task, completed=done), end)

        yield bar


def ended(run: SystemRun) -> str:
    """One line on how a system ended, and what its run took besides."""
    text = f"  {run.name:<24}"
    if run.seconds is not None:
        text += f"{run.seconds:8.2f} s"
    if run.status != "ok":
        text += f"  {run.status}: {run.reason}"
    if run.total_seconds:
        text += f"  ({run.total_seconds:.1f} s with imports and end)"
    return text


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    end_on_sigterm()
    console = Console(stderr=True, highlight=False)
    settings = Settings(
        arguments.workload,
        arguments.systems,
        arguments.rows,
        arguments.limit,
        arguments.repeat,
        arguments.ablate,
        arguments.repeated,
        arguments.timeout,
        allow_wrong=arguments.allow_wrong,
    )
    with tempfile.TemporaryDirectory(prefix="stratum-evals-") as folder:
        try:
            comparison = measure_workload(settings, console, Path(folder))
        except WorkloadSkipped as error:
            console.print(f"skipped: {settings.workload}: {error}")
            return 0
    comparison.about["command"] = "python -m evals.run " + " ".join(
        sys.argv[1:] if argv is None else argv
    )
    return finish([comparison], arguments.json, arguments.report)


def finish(comparisons: list[Comparison], out: Path | None, report: Path | None) -> int:
    """Prints the tables, writes the files; the exit status."""
    # Charts take a second to import, and a wrong command line should not wait for them.
    from evals.report import markdown_table
    from evals.report_files import write_report

    for comparison in comparisons:
        print(f"\n## {comparison.workload.title}\n\n{markdown_table(comparison)}")
        for parity in comparison.parity.values():
            for difference in parity.mismatches[:_MISMATCHES]:
                print(f"mismatch: {difference}")
            if len(parity.mismatches) > _MISMATCHES:
                print(f"mismatch: {parity.system}: {len(parity.mismatches) - _MISMATCHES} more")
        for failure in comparison.failures:
            print(f"FAILED: {failure}")
    if out is not None:
        data = [comparison.to_json() for comparison in comparisons]
        text = json.dumps(data[0] if len(data) == 1 else data, indent=1, allow_nan=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n")
    if report is not None:
        write_report([comparison.to_json() for comparison in comparisons], report)
        print(f"\nreport: {report / 'index.html'}")
    return 1 if any(comparison.failures for comparison in comparisons) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals.run", description="Compares systems.")
    parser.add_argument("--workload", required=True, type=_workload, metavar="NAME",
                        help=", ".join(NAMES))  # fmt: skip
    parser.add_argument("--systems", type=systems_of, default=DEFAULT, metavar="A,B,...",
                        help=f"of {', '.join(SYSTEMS)} (default: {','.join(DEFAULT)})")  # fmt: skip
    parser.add_argument("--rows", type=_positive, help="size of the main table")
    parser.add_argument("--limit", type=_positive, help="pipelines at most")
    parser.add_argument("--repeat", type=_positive, default=1, help="the median of so many runs")
    parser.add_argument("--repeated", type=systems_of, default=(), metavar="A,B,...",
                        help="only these are run more than once (default: all)")  # fmt: skip
    parser.add_argument("--ablate", type=_parts, default=(), metavar="A,B,...",
                        help=f"also Stratum with parts off: {','.join(PARTS)}")  # fmt: skip
    parser.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds for one system")
    parser.add_argument("--allow-wrong", type=systems_of, default=(), metavar="A,B,...",
                        help="wrong scores of these are shown, but are no failure")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured")
    parser.add_argument("--report", type=Path, metavar="DIR",
                        help="write Markdown, charts and an HTML page")  # fmt: skip
    return parser


def _workload(text: str) -> str:
    if text not in (*NAMES, selftest.NAME):
        raise argparse.ArgumentTypeError(f"unknown workload '{text}'; there are {', '.join(NAMES)}")
    return text


def systems_of(text: str) -> tuple[str, ...]:
    """Names from a list with commas, for a command line."""
    names = tuple(dict.fromkeys(filter(None, text.split(","))))
    for name in names:
        try:
            by_name(name)
        except KeyError as error:
            raise argparse.ArgumentTypeError(error.args[0]) from None
    return names


def _parts(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(filter(None, text.split(","))))
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(
            f"unknown part '{unknown[0]}'; there are {', '.join(PARTS)}"
        )
    return names


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
