"""How long planning takes, and how that grows. Input: command line. Output: table, JSON.

    python -m evals.planner_bench [--pipelines 1000,4000,10000] [--json FILE]

Plans batches of distinct pipelines as agents send them, over the generated house sales, without
running any: specs are validated, built into one graph, rewritten and lowered to tasks. Two thirds
of the pipelines change one thing of an earlier one, as agents do; the others are drafts of their
own. The memory is what the graph, the plan and all that leads there hold at the peak, measured in
a run of its own; the specs themselves are not counted.
"""

import argparse
import gc
import json
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evals import machine
from evals.workloads.tables import written
from evals.workloads.uk_housing import DATES
from executor.ingest import ingest
from executor.introspect import registry
from planner.build import Built, Environment
from planner.compile import compile_batch
from planner.graph import Graph, Node
from planner.schema import Column, Dataset, Schema
from planner.spec import EvaluateSpec
from tools.batches import Request, prepare
from tools.sample_data import uk_housing

SIZES = (1_000, 4_000, 10_000)
_ROWS, _SEED = 2_000, 0
_REQUEST = 500  # pipelines in one call
_EVALUATE = {"cv": "KFold(5, shuffle=True, random_state=0)", "metrics": ["r2", "rmse"]}
_TARGET = {"column": "price", "transform": "log1p"}
_PLACES = ["town_city", "district", "county"]
_CODES = ["property_type", "old_new", "duration", "ppd_category_type"]

Spec = dict[str, Any]
Rng = np.random.Generator


@dataclass(frozen=True)
class Point:
    """One measured batch; `bytes` is the peak of what Python allocated meanwhile."""

    pipelines: int
    seconds: float
    bytes: int
    asked: int
    merged: int
    rewritten: int
    tasks: int

    def to_json(self) -> dict[str, Any]:
        return dict(vars(self))


# -- pipelines --------------------------------------------------------------------------------


def specs(count: int) -> list[Spec]:
    """`count` distinct specs; the first n of more are the same."""
    rng = np.random.default_rng(_SEED)
    found: dict[str, Spec] = {}
    made: list[Spec] = []
    while len(made) < count:
        draft = not made or rng.random() < 1 / 3
        spec = _draft(rng) if draft else deepcopy(made[rng.integers(len(made))])
        if not draft:
            edit = _EDITS[rng.integers(len(_EDITS))]
            edit(spec, rng)
        text = json.dumps(spec)
        if text not in found:
            found[text] = spec
            made.append(spec)
    return made


def _draft(rng: Rng) -> Spec:
    spec: Spec = {"dataset": "sales", "target": _TARGET}
    for edit in _EDITS:
        edit(spec, rng)
    return spec


def _prepare(spec: Spec, rng: Rng) -> None:
    # A later date part may be made of an earlier one.
    dates = dict(list(DATES.items())[: int(rng.integers(2, len(DATES) + 1))])
    steps: list[Spec] = [{"cast": {"date_of_transfer": "DATE"}}, {"derive": dates}]
    if rng.random() < 0.5:
        by = str(rng.choice(_PLACES))
        steps.append({"aggregate": {"by": [by], "columns": {"sales_there": "count(*)"}}})
    spec["prepare"] = steps
    spec["features"] = _features(list(dates), rng)


def _encode(spec: Spec, rng: Rng) -> None:
    dates = list(spec["prepare"][1]["derive"])
    spec["features"] = _features(dates, rng)


def _features(dates: list[str], rng: Rng) -> list[Spec]:
    branches: list[Spec] = [{"columns": dates, "steps": ["StandardScaler()"]}]
    branches.append({"columns": _PLACES, "steps": [str(rng.choice([
        "TargetEncoder(random_state=0)", "OrdinalEncoder(handle_unknown='use_encoded_value', "
        "unknown_value=-1)", "TargetEncoder(smooth=10, random_state=0)"]))]})  # fmt: skip
    if rng.random() < 0.7:
        codes = [name for name in _CODES if rng.random() < 0.7] or _CODES[:1]
        branches.append({"columns": codes, "steps": ["OneHotEncoder(handle_unknown='ignore')"]})
    if rng.random() < 0.3:
        branches.append({"columns": ["town_city"], "steps": [
            "TfidfVectorizer(analyzer='char', ngram_range=(2, 3))",
            f"TruncatedSVD(n_components={rng.integers(5, 30)}, random_state=0)"]})  # fmt: skip
    return branches


def _model(spec: Spec, rng: Rng) -> None:
    rate = float(rng.choice([0.01, 0.03, 0.05, 0.1, 0.2]))
    alpha = float(f"{10 ** rng.uniform(-4, 3):.3g}")
    rounds, seed = int(rng.choice([50, 100, 200, 400, 800])), int(rng.integers(3))
    makers = (
        f"Ridge(alpha={alpha})",
        f"ElasticNet(alpha={alpha}, l1_ratio={rng.choice([0.1, 0.5, 0.9])})",
        f"LGBMRegressor(n_estimators={rounds}, learning_rate={rate}, "
        f"num_leaves={rng.integers(4, 128)}, random_state={seed})",
        f"XGBRegressor(n_estimators={rounds}, learning_rate={rate}, "
        f"max_depth={rng.integers(2, 12)}, random_state={seed})",
        f"RandomForestRegressor(n_estimators={rounds}, max_depth={rng.integers(4, 20)}, "
        f"random_state={seed})",
        f"HistGradientBoostingRegressor(max_iter={rounds}, learning_rate={rate}, "
        f"early_stopping=False, random_state={seed})",
        f"KNeighborsRegressor(n_neighbors={rng.integers(1, 60)})",
    )
    spec["model"] = makers[rng.integers(len(makers))]


_EDITS: tuple[Callable[[Spec, Rng], None], ...] = (_prepare, _encode, _model, _model)


# -- planning ---------------------------------------------------------------------------------


class _Facts:
    """What planning asks of the data, answered without looking."""

    def rows(self, table: Node) -> int:
        return _ROWS

    def distinct(self, table: Node, column: str) -> int:
        return 40

    def missing(self, table: Node, column: str) -> int:
        return 0


def dataset(folder: Path) -> Dataset:
    """The house sales, as the engine would know them."""
    path = written(uk_housing(_ROWS, _SEED), folder, "sales.csv")
    found = ingest(str(path), str(folder), {})
    columns = tuple(
        Column(c["name"], c["kind"], c["sql_type"], c["nullable"], c["distinct"])
        for c in found["columns"]
    )
    return Dataset("sales", found["fingerprint"], found["rows"], Schema(columns))


def plan(pipelines: Sequence[Spec], datasets: Mapping[str, Dataset]) -> Point:
    """Plans a batch; RuntimeError if a pipeline is refused."""
    evaluate = EvaluateSpec.model_validate(_EVALUATE)
    graph = Graph("bench")
    env = Environment(graph, registry(), datasets, _Facts(), evaluate)
    began = time.perf_counter()
    built: dict[int, Built] = {}
    for part in _parts(pipelines):
        request = Request("evaluate", part, evaluate, "")
        prepare(request, env, lambda name: None)
        for error in request.errors.values():
            raise RuntimeError(f"a pipeline was refused: {error}")
        offset = len(built)
        built.update({offset + position: one for position, one in request.built.items()})
    compiled = compile_batch(
        graph, built, known=(), rows=lambda node: _ROWS, available=lambda value: False
    )
    seconds = time.perf_counter() - began
    return Point(
        len(pipelines), seconds, 0, compiled.asked, compiled.merged, compiled.rewritten,
        len(compiled.plan.tasks),
    )  # fmt: skip


def _parts(pipelines: Sequence[Spec]) -> Iterator[Sequence[Spec]]:
    for start in range(0, len(pipelines), _REQUEST):
        yield pipelines[start : start + _REQUEST]


def peak(pipelines: Sequence[Spec], datasets: Mapping[str, Dataset]) -> int:
    """Bytes allocated at the peak of planning; several times slower than planning alone."""
    gc.collect()
    tracemalloc.start()
    try:
        plan(pipelines, datasets)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def measure(sizes: Sequence[int], repeat: int, memory: bool = True) -> list[Point]:
    """A point for each size: the median of `repeat` runs."""
    found = []
    with tempfile.TemporaryDirectory(prefix="stratum-planner-") as folder:
        known = dataset(Path(folder))
        datasets = {"sales": known}
        pipelines = specs(max(sizes))
        plan(pipelines[:50], datasets)  # what is loaded once for all
        for size in sizes:
            runs = sorted(
                (plan(pipelines[:size], datasets) for _ in range(repeat)),
                key=lambda point: point.seconds,
            )
            point = runs[len(runs) // 2]
            size_bytes = peak(pipelines[:size], datasets) if memory else 0
            found.append(Point(**{**point.to_json(), "bytes": size_bytes}))
    return found


def table(points: Sequence[Point]) -> str:
    """Markdown."""
    lines = ["| pipelines | seconds | ms each | MiB | nodes alone | merged | after rules | tasks |",
             "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
    for p in points:
        lines.append(
            f"| {p.pipelines:,} | {p.seconds:.2f} | {1e3 * p.seconds / p.pipelines:.2f} "
            f"| {p.bytes / 2**20:.0f} | {p.asked:,} | {p.merged:,} | {p.rewritten:,} "
            f"| {p.tasks:,} |"
        )
    return "\n".join(lines)


def summary(points: Sequence[Point]) -> str:
    """The last line: ``1,000 pipelines: 1.4 s; 4,000: 5.8 s; growth 4.1``. Growth is how many
    times the first size the last one takes."""
    shown = "; ".join(
        f"{p.pipelines:,}{' pipelines' if i == 0 else ''}: {p.seconds:.1f} s"
        for i, p in enumerate(points)
    )
    return f"{shown}; growth {points[-1].seconds / points[0].seconds:.1f}"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m evals.planner_bench", description=__doc__)
    parser.add_argument("--pipelines", type=_sizes, default=SIZES, metavar="A,B,...")
    parser.add_argument("--repeat", type=int, default=3, help="the median of so many runs")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args(argv)
    points = measure(arguments.pipelines, arguments.repeat)
    if arguments.json is not None:
        data = {"points": [point.to_json() for point in points], "machine": machine.about()}
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(data, indent=1) + "\n")
    print(table(points))
    print(summary(points))
    return 0


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(sorted(int(part) for part in text.split(",")))
    if not sizes or sizes[0] < 1:
        raise argparse.ArgumentTypeError("sizes are at least 1")
    return sizes


if __name__ == "__main__":
    sys.exit(main())
