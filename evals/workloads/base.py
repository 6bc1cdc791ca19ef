"""What a workload is. Input: a name and a size. Output: data files, specs and baselines.

A workload is written once: every pipeline has a spec for the engine and names the plain
pandas/scikit-learn function that does the same, so that all systems run the same description.
"""

import importlib
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

NAMES = ("uk_housing", "churn_trace", "bike_aide", "cms_grid", "linear_sweep")

# Whether blends over out-of-fold predictions are among the pipelines.
BLENDS = True

Kind = Literal["closed_form", "iterative", "library"]


class WorkloadSkipped(Exception):
    """The workload cannot be run here; the text says why."""


@dataclass(frozen=True)
class Pipeline:
    """One pipeline, for the engine and as a script.

    Attributes:
        name: Unique within the workload.
        spec: Pipeline spec (docs/spec.md); scored by the workload's `evaluate`.
        function: ``module:callable`` of the baseline, called as
            ``function(paths, **arguments)``; returns the scores of the folds.
        arguments: JSON values.
        kind: Tolerance class: solved in closed form, iterated to a tolerance, or a boosting
            library whose result is taken as it is.
        family: Model family, for floors and profiles.
        crashes: A broken script: the baseline raises, the engine reports a failure.
        evaluate: Replaces the workload's `evaluate`, such as for another splitter.
    """

    name: str
    spec: dict[str, Any]
    function: str
    arguments: dict[str, Any]
    kind: Kind
    family: str
    crashes: bool = False
    evaluate: dict[str, Any] | None = None


@dataclass(frozen=True)
class Workload:
    """Pipelines over the same data, in the order in which an agent would send them.

    Attributes:
        datasets: Paths of CSV or Parquet files by dataset name.
        evaluate: cv and metrics of all pipelines that bring none of their own.
        metric: The metric that is compared.
        notes: What was left out and why.
    """

    name: str
    title: str
    datasets: dict[str, str]
    evaluate: dict[str, Any]
    metric: str
    pipelines: tuple[Pipeline, ...]
    notes: tuple[str, ...] = field(default=())

    def batches(self) -> list[tuple[dict[str, Any], tuple[Pipeline, ...]]]:
        """Pipelines by equal `evaluate`, as one engine call takes them; in first-seen order."""
        found: list[tuple[dict[str, Any], list[Pipeline]]] = []
        for pipeline in self.pipelines:
            evaluate = pipeline.evaluate or self.evaluate
            for known, members in found:
                if known == evaluate:
                    members.append(pipeline)
                    break
            else:
                found.append((evaluate, [pipeline]))
        return [(evaluate, tuple(members)) for evaluate, members in found]


def load(
    name: str, rows: int | None = None, limit: int | None = None, folder: Path | None = None
) -> Workload:
    """The workload `name`.

    Args:
        rows: Size of the main table; by default that of the real data, or 20,000 generated.
        limit: Pipelines at most, spread evenly over the workload.
        folder: Where made tables are written; by default the current directory.

    Raises:
        WorkloadSkipped: Its data is not on this machine.
        KeyError: There is no workload of this name.
    """
    if name not in NAMES:
        raise KeyError(f"unknown workload '{name}'; there are {', '.join(NAMES)}")
    module = importlib.import_module(f"evals.workloads.{name}")
    workload: Workload = module.workload(rows, folder or Path.cwd())
    return replace(workload, pipelines=spread(workload.pipelines, limit))


def spread(pipelines: Iterable[Pipeline], limit: int | None) -> tuple[Pipeline, ...]:
    """`limit` pipelines, evenly spaced; blends whose members are gone go too."""
    kept = list(pipelines)
    if limit is not None and limit < len(kept):
        step = len(kept) / limit
        kept = [kept[math.floor(index * step)] for index in range(limit)]
    names = {pipeline.name for pipeline in kept}
    return tuple(p for p in kept if names.issuperset(p.spec.get("blend", {}).get("of", ())))


def data_file(*parts: str) -> Path:
    """A file of the public data: below ``STRATUM_DATA``, or next to the checkout.

    Raises:
        WorkloadSkipped: It is not there.
    """
    given = os.environ.get("STRATUM_DATA")
    folder = Path(given) if given else Path(__file__).resolve().parents[3] / "shared" / "data"
    path = folder.joinpath(*parts)
    if not path.is_file():
        raise WorkloadSkipped(f"{path} is missing; set STRATUM_DATA to the folder of the data")
    return path
