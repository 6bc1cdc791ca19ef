"""Plans and runs specs in this process: the planner and `executor.program`, nothing between.

Input: data frames and pipeline specs. Output: scores, errors with their places, and the graph
and plan behind them. No worker processes, no catalog: what the scheduler does is a loop here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from executor import blocks, program
from executor.backends.base import Backend
from executor.ingest import ingest
from executor.introspect import registry
from executor.statistics import statistics
from planner.build import Built, Environment, build
from planner.compile import Compiled, compile_batch
from planner.errors import StratumError
from planner.graph import Graph, Node
from planner.plan import Task, Value
from planner.registry import Registry
from planner.render import render
from planner.rewrite import RULES, Rule
from planner.schema import Column, Dataset, Schema
from planner.spec import EvaluateSpec, PipelineSpec

Spec = Mapping[str, Any]
EXACT = 1e-9


@dataclass
class Answer:
    """What became of one pipeline.

    `scores[metric]` are the values per fold (means over seeds). `error` is a failed node's error
    with the place that the plan gives for that node.
    """

    scores: dict[str, list[float]] = field(default_factory=dict)
    error: dict[str, str] | None = None
    warnings: list[str] = field(default_factory=list)

    def __getitem__(self, metric: str) -> list[float]:
        assert self.error is None, self.error
        return self.scores[metric]


class DirectStatistics:
    """`planner.schema.Statistics`, computed at once; `asked` are the questions."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        self.paths = paths
        self.asked: list[tuple[str, tuple[str, ...]]] = []

    def rows(self, table: Node) -> int:
        return self._ask(table, "rows")

    def distinct(self, table: Node, column: str) -> int:
        return self._ask(table, "distinct", column)

    def missing(self, table: Node, column: str) -> int:
        return self._ask(table, "missing", column)

    def _ask(self, table: Node, *request: str) -> int:
        self.asked.append((table.key, request))
        return int(statistics(render(table), self.paths, [request])["values"][0])


@cache
def operators() -> Registry:
    """The registry of the installed libraries; made once, for that takes seconds."""
    return registry()


class Engine:
    """Registered tables in a folder, and everything that can be asked of specs on them."""

    def __init__(self, folder: Path, **frames: pd.DataFrame) -> None:
        self.folder = folder
        self.paths: dict[str, str] = {}
        self.datasets: dict[str, Dataset] = {}
        self.statistics = DirectStatistics(self.paths)
        self.graph = Graph("test")
        self.backends: Sequence[Backend] = program.BACKENDS
        for name, frame in frames.items():
            self.add(name, frame)

    def add(self, name: str, frame: pd.DataFrame) -> None:
        """Registers a table as the engine would read it from a Parquet file."""
        source = self.folder / f"{name}.parquet"
        frame.to_parquet(source, index=False)
        found = ingest(str(source), str(self.folder), {})
        columns = tuple(
            Column(c["name"], c["kind"], c["sql_type"], c["nullable"], c["distinct"])
            for c in found["columns"]
        )
        key = found["fingerprint"]
        self.datasets[name] = Dataset(name, key, found["rows"], Schema(columns))
        self.paths[key] = str(self.folder / f"{key}.arrow")

    def environment(self, **evaluate: Any) -> Environment:
        settings = EvaluateSpec.model_validate(evaluate)
        return Environment(self.graph, operators(), self.datasets, self.statistics, settings)

    def build(self, spec: Spec, path: str = "pipelines[0]", **evaluate: Any) -> Built:
        return build(self.environment(**evaluate), PipelineSpec.model_validate(spec), path)

    def error(self, spec: Spec, path: str = "pipelines[0]", **evaluate: Any) -> StratumError:
        """The error that building `spec` is refused with."""
        try:
            self.build(spec, path, **evaluate)
        except StratumError as error:
            return error
        raise AssertionError(f"accepted: {spec}")

    def compile(
        self,
        *specs: Spec,
        rules: Sequence[Rule] = RULES,
        known: Sequence[str] = (),
        available: Callable[[Value], bool] = lambda value: False,
        **evaluate: Any,
    ) -> Compiled:
        built = {
            position: self.build(spec, f"pipelines[{position}]", **evaluate)
            for position, spec in enumerate(specs)
        }
        return self.plan(built, rules=rules, known=known, available=available)

    def plan(
        self,
        built: Mapping[int, Built],
        *,
        rules: Sequence[Rule] = RULES,
        known: Sequence[str] = (),
        available: Callable[[Value], bool] = lambda value: False,
    ) -> Compiled:
        rows = max(dataset.rows for dataset in self.datasets.values())
        return compile_batch(
            self.graph,
            built,
            known=known,
            rows=lambda node: rows,
            available=available,
            rules=rules,
        )

    def run(
        self, *specs: Spec, rules: Sequence[Rule] = RULES, fresh: bool = True, **evaluate: Any
    ) -> list[Answer]:
        """Every pipeline from nothing (`fresh`), or with the blocks and values of earlier runs."""
        if fresh:
            self.forget()
        folder = self.folder / "blocks"

        def stored(value: Value) -> bool:
            return (folder / value.name[:2] / f"{value.name}.block").exists()

        return self.execute(self.compile(*specs, rules=rules, available=stored, **evaluate))

    def one(self, spec: Spec, **evaluate: Any) -> Answer:
        return self.run(spec, **evaluate)[0]

    def forget(self) -> None:
        """Drops blocks and cached values."""
        program.forget()
        for file in (self.folder / "blocks").glob("*/*.block"):
            file.unlink()

    def execute(self, compiled: Compiled) -> list[Answer]:
        """Runs the tasks of a plan in their order."""
        scores: dict[Value, float] = {}
        failures: dict[str, dict[str, str]] = {}
        warnings: dict[str, list[str]] = {}
        lost: dict[Value, str] = {}  # value that was not saved -> the node to blame
        for task in compiled.plan.tasks:
            blame = next((lost[value] for value in task.loads if value in lost), None)
            if blame is not None:
                lost.update(dict.fromkeys((*task.saves, *task.scores), blame))
                continue
            result = self.task(task)
            scores.update({Value(k, f): v for k, f, v in result["scores"]})
            failures.update(result["failures"])
            warnings.update(result["warnings"])
            if result["failures"]:
                blame = next(iter(result["failures"]))
                saved = {name for name, _, _ in result["saved"]}
                lost.update({v: blame for v in task.saves if v.name not in saved})
        return [self._answer(plan, scores, failures, warnings) for plan in compiled.plan.pipelines]

    def task(self, task: Task) -> dict[str, Any]:
        folder = self.folder / "blocks"
        folder.mkdir(exist_ok=True)
        return program.run(task, str(folder), self.paths, "1GB", self.backends)

    def load(self, value: Value) -> Any:
        return blocks.load(self.folder / "blocks", value.name)

    @staticmethod
    def _answer(
        plan: Any,
        scores: Mapping[Value, float],
        failures: Mapping[str, dict[str, str]],
        warnings: Mapping[str, list[str]],
    ) -> Answer:
        answer = Answer()
        for key, place in plan.places.items():
            answer.warnings.extend(warnings.get(key, []))
            if key in failures and answer.error is None:
                answer.error = {**failures[key], "path": failures[key]["path"] or place}
        if answer.error is None:
            for metric, seeds in plan.scores.items():
                values = [[scores[value] for value in folds] for folds in seeds]
                answer.scores[metric] = [float(v) for v in np.mean(values, axis=0)]
        return answer
