"""How time and memory grow. Input: command line. Output: table, growth, JSON, charts.

    python -m evals.scaling --systems sequential,concurrent,stratum --report build/scaling
        [--pipelines 8,16,...,1024] [--rows 10000,...,1000000] [--seconds 300] [--json FILE]

Doubles the number of pipelines over 10,000 rows, from one grammar over the generated house sales,
then grows the rows under 32 pipelines. A system is left out, with the reason, where as it grew
lately it would take longer than ``--seconds``, or when it has; so each takes at most about twice
that for the pipelines and twice for the rows: with the defaults an hour in all at the very most.
Growth is printed as the exponent of a fit: one means linear.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from evals import charts, machine
from evals.charts import duration
from evals.comparison import by_name
from evals.parity import compare
from evals.report import setting
from evals.report_files import write_report
from evals.results import SystemRun
from evals.run import bars
from evals.runner import end_on_sigterm, run_system
from evals.systems.table import DEFAULT
from evals.workloads import uk_housing
from evals.workloads.base import Pipeline, Workload, load
from evals.workloads.expressions import call
from evals.workloads.models import FAMILIES

PIPELINES = (8, 16, 32, 64, 128, 256, 512, 1024)
ROWS = (10_000, 30_000, 100_000, 300_000, 1_000_000)
_BASE_ROWS, _BASE_PIPELINES = 10_000, 32
_ROUNDS = 50
_SEED = 0


def workload(count: int, rows: int, folder: Path) -> Workload:
    """`count` distinct pipelines over `rows` sales: in turn Ridge, ElasticNet, LightGBM, Ridge,
    XGBoost, each with the next of its settings."""
    base = load("uk_housing", rows=rows, folder=folder)
    rng = np.random.default_rng(_SEED)
    makers = (_ridge, _net, _lightgbm, _ridge, _xgboost)
    pipelines: dict[str, Pipeline] = {}
    turn = 0
    while len(pipelines) < count:
        model, params = makers[turn % len(makers)](rng)
        turn += 1
        text = call(model, params)
        if text not in pipelines:
            pipelines[text] = _pipeline(f"p{len(pipelines)}", model, params, text)
    return Workload(
        "scaling", f"{count} pipelines over {rows:,} rows", base.datasets, base.evaluate,
        base.metric, tuple(islice(pipelines.values(), count)),
    )  # fmt: skip


def _ridge(rng: np.random.Generator) -> tuple[str, dict[str, Any]]:
    return "Ridge", {"alpha": float(f"{10 ** rng.uniform(-3, 3):.4g}")}


def _net(rng: np.random.Generator) -> tuple[str, dict[str, Any]]:
    alpha = float(f"{10 ** rng.uniform(-4, -1):.3g}")
    return "ElasticNet", {"alpha": alpha, "l1_ratio": round(float(rng.uniform(0.1, 0.9)), 2)}


def _lightgbm(rng: np.random.Generator) -> tuple[str, dict[str, Any]]:
    rate = round(float(rng.uniform(0.03, 0.2)), 3)
    leaves = int(rng.choice([15, 31, 63]))
    return "LGBMRegressor", {"n_estimators": _ROUNDS, "learning_rate": rate, "num_leaves": leaves}


def _xgboost(rng: np.random.Generator) -> tuple[str, dict[str, Any]]:
    rate = round(float(rng.uniform(0.05, 0.3)), 3)
    depth = int(rng.integers(4, 9))
    return "XGBRegressor", {"n_estimators": _ROUNDS, "learning_rate": rate, "max_depth": depth}


def _pipeline(name: str, model: str, params: dict[str, Any], text: str) -> Pipeline:
    family, kind = FAMILIES[model]
    spec = {
        "dataset": "sales",
        "target": uk_housing.TARGET,
        **uk_housing.FEATURES["encoded"],
        "model": text,
    }
    arguments = {"features": "encoded", "model": model, "params": params}
    return Pipeline(name, spec, uk_housing.FUNCTION, arguments, kind, family)


@dataclass
class Sweep:
    """Runs systems at growing sizes; `seconds` is the limit of each system at each size.

    Attributes:
        points: ``{"pipelines", "rows", "system", "seconds", ...}`` of the runs that ended.
        left_out: Why there are no more points of a system.
        wrong: Scores on which systems disagree.
    """

    systems: Sequence[str]
    seconds: float
    console: Console
    points: list[dict[str, Any]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def run(self, by: str, sizes: Sequence[tuple[int, int]]) -> None:
        """Takes the systems through (pipelines, rows), which grow in `by`."""
        going = dict.fromkeys(self.systems)
        for count, rows in sizes:
            size = {"pipelines": count, "rows": rows}
            self.console.print(f"{count} pipelines, {rows:,} rows")
            for name in list(going):
                guess = expected(self._series(name), by, size[by])
                if guess > self.seconds:
                    self._leave(going, name, size, f"it would take about {duration(guess)}")
            if going:
                self._measure(going, size)

    def _measure(self, going: dict[str, None], size: dict[str, int]) -> None:
        with tempfile.TemporaryDirectory(prefix="stratum-scaling-") as name:
            folder = Path(name)
            made = workload(size["pipelines"], size["rows"], folder)
            done: dict[str, SystemRun] = {}
            with bars(self.console) as bar:
                for system in (by_name(name) for name in list(going)):
                    line = bar(system, size["pipelines"])
                    run = run_system(system, made, folder, timeout=self.seconds,
                                     progress=line.progress)  # fmt: skip
                    line.end(run)
                    done[system.name] = run
                    if run.status == "ok":
                        self.points.append({**size, **point(run)})
                    else:
                        self._leave(going, system.name, size, f"{run.status}: {run.reason}")
            self._check(made, done)

    def _leave(self, going: dict[str, None], name: str, size: dict[str, int], why: str) -> None:
        del going[name]
        text = f"{name}: none from {size['pipelines']} pipelines on {size['rows']:,} rows on: {why}"
        self.left_out.append(text)
        self.console.print(f"  {text}", soft_wrap=True)

    def _series(self, name: str) -> list[dict[str, Any]]:
        return [found for found in self.points if found["system"] == name]

    def _check(self, made: Workload, done: dict[str, SystemRun]) -> None:
        """Scores against the first system; their numbers of threads differ."""
        first = next((run for run in done.values() if run.status == "ok"), None)
        if first is None:
            return
        for run in done.values():
            if run is first or run.status != "ok":
                continue
            parity = compare(made, first.results, run, one_thread=False)
            self.wrong += [f"{made.title}: {d}" for d in parity.mismatches]


def point(run: SystemRun) -> dict[str, Any]:
    """What is kept of a run."""
    return {
        "system": run.name,
        "seconds": run.seconds,
        "cpu_seconds": run.cpu_seconds,
        "peak_pss_mb": run.peak_pss_mb,
        "peak_rss_mb": run.peak_rss_mb,
        "first_result_seconds": run.first_result_seconds,
    }


def expected(points: Sequence[Mapping[str, Any]], by: str, size: int) -> float:
    """Seconds that a system would take at `size`, as it grew lately; linear if not known."""
    if not points:
        return 0.0
    last = points[-1]
    power = 1.0
    if len(points) > 1:
        power = exponent([(p[by], p["seconds"]) for p in points[-2:]]) or power
    return float(last["seconds"] * (size / last[by]) ** power)


def exponent(points: Sequence[tuple[float, float]]) -> float | None:
    """The power of x with which y grows: least squares on logarithms; None for one point."""
    if len({x for x, _ in points}) < 2:
        return None
    xs, ys = np.log(np.array(points, float)).T
    return float(np.polyfit(xs, ys, 1)[0])


def growth(points: Sequence[Mapping[str, Any]], by: str, value: str) -> dict[str, str]:
    """How `value` grows, in words, by system: over all sizes, and over the last step."""
    found = {}
    for name in dict.fromkeys(p["system"] for p in points):
        pairs = [(p[by], p[value]) for p in points if p["system"] == name]
        power, last = exponent(pairs), exponent(pairs[-2:])
        if power is not None and last is not None:
            found[name] = f"{by}^{power:.2f}, in the last step ^{last:.2f}"
    return found


def pictures(points: Sequence[dict[str, Any]], by: str, fixed: str) -> dict[str, bytes]:
    """Time and memory against ``pipelines`` or ``rows``."""
    found = {}
    for value, title, unit, note in (
        ("seconds", "Time", "seconds", "logarithmic; dashed: linear growth"),
        ("peak_pss_mb", "Peak memory", "MB", "process tree, shared pages counted once"),
    ):
        series: dict[str, list[tuple[float, float]]] = {}
        for each in points:
            series.setdefault(each["system"], []).append((each[by], each[value]))
        labels = {
            name: name if (power := exponent(pairs)) is None else f"{name}, {by}^{power:.2f}"
            for name, pairs in series.items()
        }
        figure = charts.lines(
            f"{title} against number of {by}", f"{fixed}; {note}", series, by, unit, labels,
            logarithmic=value == "seconds",
        )  # fmt: skip
        found[f"scaling-{by}-{value}"] = charts.png(figure)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(argv)
    end_on_sigterm()
    console = Console(stderr=True, highlight=False)
    drawn: dict[str, bytes] = {}
    said: list[str] = []
    data: dict[str, Any] = {**machine.about(), "wrong": []}
    plans = (
        ("pipelines", [(count, _BASE_ROWS) for count in given.pipelines], f"{_BASE_ROWS:,} rows"),
        ("rows", [(_BASE_PIPELINES, rows) for rows in given.rows], f"{_BASE_PIPELINES} pipelines"),
    )
    for by, sizes, fixed in plans:
        sweep = Sweep(given.systems, given.seconds, console)
        sweep.run(by, sizes)
        for each in sweep.points:
            print(
                f"{each['pipelines']:>5} pipelines {each['rows']:>9,} rows {each['system']:<20} "
                f"{each['seconds']:>8.2f} s {each['peak_pss_mb']:>7,.0f} MB"
            )
        for value, called in (("seconds", "time"), ("peak_pss_mb", "memory")):
            for name, text in growth(sweep.points, by, value).items():
                said.append(f"{name}: {called} grows as {text} ({fixed})")
        said += sweep.left_out
        data |= {by: sweep.points, f"{by}_left_out": sweep.left_out}
        data["wrong"] += sweep.wrong
        if sweep.points:
            drawn |= pictures(sweep.points, by, fixed)
    for line in (*said, *(f"mismatch: {text}" for text in data["wrong"])):
        print(line)
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps({**data, "growth": said}, indent=1) + "\n")
    if given.report is not None:
        write_report([], given.report, drawn, [setting(data), *said])
        print(f"\nreport: {given.report / 'index.html'}")
    return 1 if data["wrong"] else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals.scaling", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--systems", type=lambda text: tuple(text.split(",")), default=DEFAULT,
                        metavar="A,B,...")  # fmt: skip
    parser.add_argument("--pipelines", type=_numbers, default=PIPELINES, metavar="N,...")
    parser.add_argument("--rows", type=_numbers, default=ROWS, metavar="N,...")
    parser.add_argument("--seconds", type=float, default=300.0,
                        help="limit of a system at a size; beyond, it is left out")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--report", type=Path, metavar="DIR")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


if __name__ == "__main__":
    sys.exit(main())
