"""Made-up runs, so that tests of reports need no measurement."""

from dataclasses import replace
from pathlib import Path

from evals import selftest
from evals.comparison import Comparison, by_name
from evals.results import PipelineResult, SystemRun
from evals.run import ablation
from evals.systems.table import PARTS, REFERENCE, System
from evals.workloads.base import Workload

SCORES = {
    "ridge-0.1": [0.3, 0.4, 0.5],
    "ridge-1.0": [0.31, 0.41, 0.51],
    "ridge-10.0": [0.32, 0.42, 0.52],
    "lasso": [0.2, 0.3, 0.4],
    "forest": [0.25, 0.35, 0.45],
}


def results(seconds: float) -> dict[str, PipelineResult]:
    """Right answers, and the broken pipeline's failure; `seconds` each."""
    found = {
        name: PipelineResult(list(scores), at=(position + 1) * seconds, seconds=seconds)
        for position, (name, scores) in enumerate(SCORES.items())
    }
    found["broken"] = PipelineResult(error="KeyError", at=6 * seconds, seconds=seconds)
    return found


def run(system: System, seconds: float) -> SystemRun:
    return SystemRun(
        system.name,
        system.title,
        seconds=seconds,
        cpu_seconds=2 * seconds,
        peak_rss_mb=300.0,
        peak_pss_mb=200.0,
        import_seconds=1.0,
        first_result_seconds=seconds / 6,
        results=results(seconds / 6),
    )


def workload(folder: Path) -> Workload:
    return selftest.workload(folder)


def comparison(folder: Path) -> Comparison:
    """Scripts in 12 s, upstream in 6 s on half of the pipelines and wrong, Stratum in 1 s."""
    reference = run(REFERENCE, 6.0)
    reference.fits = [
        ("a", "lasso", "Lasso", 1.0),
        ("b", "forest", "RandomForestRegressor", 3.0),
        ("b", "forest", "RandomForestRegressor", 4.0),
        ("c", "ridge-0.1", "Ridge", 5.0),
    ]
    about = {
        "machine": {"cpu": "a processor", "cores": 2, "memory_gb": 8.0, "system": "Linux"},
        "versions": {"python": "3.11"},
        "date": "2000-01-01",
        "command": "python -m evals.run",
    }
    made = Comparison(workload(folder), None, 2, reference, about=about, allowed=("upstream",))
    made.add(by_name("sequential"), run(by_name("sequential"), 12.0))
    upstream = run(by_name("upstream"), 6.0)
    for name in ("lasso", "forest", "broken"):
        upstream.results[name] = PipelineResult(uncovered="it cannot")
    upstream.results["ridge-1.0"] = PipelineResult(mean=0.9)
    made.add(by_name("upstream"), upstream)
    missing = by_name("sklearnex")
    made.add(missing, SystemRun(missing.name, missing.title, "unavailable", "not installed"))
    steps = ablation(PARTS)
    for position, system in enumerate(steps):
        found = run(system, float(len(steps) - position))
        found.profile = {"read": 0.2, "fit:Lasso": 0.3, "blocks": 0.1, "messages": 0.1,
                         "planning": 0.1, "scheduling": 0.1, "recording": 0.0, "other": 0.0,
                         "idle": 0.1, "wall": 0.5, "cores": 2.0, "worker": 0.7}  # fmt: skip
        made.add(system, replace(found))
    made.ablation = [system.name for system in steps]
    return made
