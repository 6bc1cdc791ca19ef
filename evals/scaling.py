"""How time and memory grow. Input: command line. Output: table, JSON, charts.

    python -m evals.scaling --systems sequential,concurrent,stratum --report build/scaling

Doubles the number of pipelines, from one grammar over the generated house sales, and multiplies
the rows. A system that took long at one size is left out at the next.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from evals import charts, machine
from evals.comparison import by_name
from evals.parity import compare
from evals.report import write_report
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


class Sweep:
    """Runs systems at growing sizes."""

    def __init__(self, systems: Sequence[str], seconds: float, console: Console) -> None:
        self._systems = systems
        self._seconds = seconds
        self._console = console
        self.wrong: list[str] = []

    def run(self, sizes: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
        """Points ``{"pipelines", "rows", "system", "seconds", ...}`` for (pipelines, rows)."""
        points: list[dict[str, Any]] = []
        left_out: set[str] = set()
        for count, rows in sizes:
            self._console.print(f"{count} pipelines, {rows:,} rows")
            with tempfile.TemporaryDirectory(prefix="stratum-scaling-") as name:
                folder = Path(name)
                made = workload(count, rows, folder)
                done: dict[str, SystemRun] = {}
                with bars(self._console) as bar:
                    for system in (by_name(s) for s in self._systems if s not in left_out):
                        # Growth by half is expected between sizes at least.
                        run = run_system(system, made, folder, timeout=2 * self._seconds,
                                         progress=bar(system, count))  # fmt: skip
                        done[system.name] = run
                        if run.status != "ok" or (run.seconds or 0) > self._seconds / 2:
                            left_out.add(system.name)
                        if run.status == "ok":
                            points.append(_point(count, rows, run))
                        else:
                            self._console.print(f"{system.name}: {run.status}: {run.reason}")
                self._check(made, done)
        return points

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


def _point(count: int, rows: int, run: SystemRun) -> dict[str, Any]:
    return {
        "pipelines": count,
        "rows": rows,
        "system": run.name,
        "seconds": run.seconds,
        "cpu_seconds": run.cpu_seconds,
        "peak_pss_mb": run.peak_pss_mb,
        "peak_rss_mb": run.peak_rss_mb,
        "first_result_seconds": run.first_result_seconds,
    }


def pictures(points: Sequence[dict[str, Any]], by: str, fixed: str) -> dict[str, bytes]:
    """Time and memory against ``pipelines`` or ``rows``."""
    found = {}
    for value, title, unit in (
        ("seconds", "Time", "seconds"),
        ("peak_pss_mb", "Peak memory", "MiB"),
    ):
        series: dict[str, list[tuple[float, float]]] = {}
        for point in points:
            series.setdefault(point["system"], []).append((point[by], point[value]))
        figure = charts.lines(f"{title} against number of {by}", fixed, series, by, unit)
        found[f"scaling-{by}-{value}"] = charts.png(figure)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    end_on_sigterm()
    console = Console(stderr=True, highlight=False)
    sweep = Sweep(arguments.systems, arguments.seconds, console)
    by_pipelines = sweep.run([(count, _BASE_ROWS) for count in arguments.pipelines])
    by_rows = sweep.run([(_BASE_PIPELINES, rows) for rows in arguments.rows])
    for point in (*by_pipelines, *by_rows):
        print(
            f"{point['pipelines']:>5} pipelines {point['rows']:>9,} rows {point['system']:<20} "
            f"{point['seconds']:>8.2f} s {point['peak_pss_mb']:>7,.0f} MiB"
        )
    for line in sweep.wrong:
        print(f"mismatch: {line}")
    drawn: dict[str, bytes] = {}
    if by_pipelines:
        drawn |= pictures(by_pipelines, "pipelines", f"{_BASE_ROWS:,} rows; logarithmic")
    if by_rows:
        drawn |= pictures(by_rows, "rows", f"{_BASE_PIPELINES} pipelines; logarithmic")
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        data = {**machine.about(), "pipelines": by_pipelines, "rows": by_rows}
        arguments.json.write_text(json.dumps({**data, "wrong": sweep.wrong}, indent=1) + "\n")
    if arguments.report is not None:
        write_report([], arguments.report, drawn)
    return 1 if sweep.wrong else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals.scaling", description=__doc__)
    parser.add_argument("--systems", type=lambda text: tuple(text.split(",")), default=DEFAULT,
                        metavar="A,B,...")  # fmt: skip
    parser.add_argument("--pipelines", type=_numbers, default=PIPELINES, metavar="N,...")
    parser.add_argument("--rows", type=_numbers, default=ROWS, metavar="N,...")
    parser.add_argument("--seconds", type=float, default=300.0,
                        help="a system that takes half of it is left out afterwards")  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--report", type=Path, metavar="DIR")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


if __name__ == "__main__":
    sys.exit(main())
