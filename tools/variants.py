"""Which variants of good pipelines are nearly free now, and what they would cost.

Input: finished evaluations, or pipelines that are to run. Output: a few edits that an agent can
send as they are. Every candidate of `planner.advice` is built and compiled as a request would
be, once against what is stored and once against nothing: the difference is what makes it cheap.
No candidate is run, and facts about the data that are not known are not waited for.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from json import dumps
from typing import Any

from executor.catalog_rows import EvaluationRow
from executor.versions import versions_key
from planner import advice
from planner.compile import Compiled
from planner.environment import Environment
from planner.errors import StratumError
from planner.graph import Graph
from planner.registry import Registry
from planner.spec import EvaluateSpec
from tools.batches import Request, preparing
from tools.responses import Advice

JsonObject = dict[str, Any]

MOST = 4  # shown
_LONG = 400  # characters of what is to be sent; more would crowd out the results
_TRIED = 16  # planned
_SUBJECTS = 2  # pipelines that variants are made of
_SECONDS = 0.15  # no more candidates are planned after that
# Nearly free: this share of the same from scratch, or of the pipeline that it is a variant of.
_OF_ITSELF = 0.5
_OF_ORIGIN = 0.05


@dataclass(frozen=True)
class Pricing:
    """How candidates are planned.

    Attributes:
        environment: Of a graph and settings; its statistics do not wait.
        compile: Plans a request in the graph, against what is stored or (False) against nothing.
        find: Id and spec of an earlier evaluation.
    """

    environment: Callable[[Graph, EvaluateSpec], Environment]
    compile: Callable[[Graph, Request, bool], Compiled]
    find: Callable[[str], tuple[str, JsonObject] | None]


@dataclass(frozen=True)
class _Trial:
    """A candidate, and the pipeline of the same call that it is a variant of, if there is one."""

    candidate: JsonObject
    kind: str
    why: str
    origin: JsonObject | None = None

    @property
    def pipelines(self) -> list[JsonObject]:
        return [self.candidate] if self.origin is None else [self.origin, self.candidate]

    @property
    def alone(self) -> JsonObject:
        """The candidate as a pipeline that needs no other one of the call."""
        if self.origin is None:
            return self.candidate
        patch = {key: value for key, value in self.candidate.items() if key != "from"}
        return {**self.origin, **patch}


class _Unknown(Exception):
    """A candidate that cannot be planned now."""


def after(rows: Sequence[EvaluationRow], registry: Registry, pricing: Pricing) -> list[Advice]:
    """Variants of the best of the finished evaluations of a job."""
    best = [row for row in rows if row.status == "ok" and row.score is not None]
    if not best:
        return []
    best.sort(key=lambda row: row.score or 0.0, reverse=best[0].direction == "maximize")
    settings = best[0].settings if isinstance(best[0].settings, Mapping) else {}
    evaluate = EvaluateSpec.model_validate(settings.get("evaluate", {}))
    ids = list(dict.fromkeys(row.id for row in best))
    trials = [
        _Trial(blend, "blend", "a blend of kept predictions") for blend in advice.blends(ids[:3])
    ]
    for row in best[:_SUBJECTS]:
        if isinstance(row.spec, dict):
            trials.extend(
                _Trial({"from": row.id, **one.patch}, one.kind, one.why)
                for one in advice.candidates(row.spec, registry)
            )
    return _priced(trials, evaluate, pricing)


def beside(
    request: Request, compiled: Compiled, registry: Registry, pricing: Pricing
) -> list[Advice]:
    """Variants that would cost little in addition to what is to run."""
    costs = dict.fromkeys(request.built, 0.0)
    for task in compiled.plan.tasks:
        for position in task.pipelines:
            costs[position] = costs.get(position, 0.0) + task.seconds
    trials: list[_Trial] = []
    for position in sorted(costs, key=lambda p: -costs[p])[:_SUBJECTS]:
        entry = request.job.entries[position]
        spec = {**entry.spec, "name": entry.name}
        trials.extend(
            _Trial({"from": entry.name, **one.patch}, one.kind, one.why, spec)
            for one in advice.candidates(entry.spec, registry)
        )
    return _priced(trials, request.evaluate, pricing)


def _priced(trials: Sequence[_Trial], evaluate: EvaluateSpec, pricing: Pricing) -> list[Advice]:
    """What is nearly free of what is planned in time: of each kind the cheapest."""
    graph = Graph(versions_key())
    env = pricing.environment(graph, evaluate)
    deadline = time.monotonic() + _SECONDS
    found: dict[str, Advice] = {}
    for trial in _mixed(trials):
        if time.monotonic() > deadline:
            break
        try:
            priced = _price(trial, graph, env, pricing)
        except (_Unknown, StratumError):
            continue
        before = found.get(trial.kind)
        if priced is not None and (
            before is None or priced.expected_seconds < before.expected_seconds
        ):
            found[trial.kind] = priced
    return list(found.values())[:MOST]


def _mixed(trials: Sequence[_Trial]) -> Iterator[_Trial]:
    """One of each kind, then a second one, and so on: what is cut off is more of the same."""
    kinds: dict[str, list[_Trial]] = {}
    for trial in trials:
        kinds.setdefault(trial.kind, []).append(trial)
    placed = [(place, trial) for same in kinds.values() for place, trial in enumerate(same)]
    placed.sort(key=lambda item: item[0])
    yield from (trial for _, trial in placed[:_TRIED])


def _price(trial: _Trial, graph: Graph, env: Environment, pricing: Pricing) -> Advice | None:
    """The advice that a candidate is, if it is nearly free and not known already."""
    if len(dumps(trial.candidate)) > _LONG:
        return None
    together = _built(trial.pipelines, env, pricing)
    if len({entry.id for entry in together.job.entries}) < len(together.job.entries):
        same = {entry.primary for entry in together.job.entries}
        if len(same) == 1:
            return None  # nothing was changed
    now = pricing.compile(graph, together, True)
    if not now.plan.tasks:
        return None  # it has been evaluated
    scratch = _cost(pricing.compile(graph, _built([trial.alone], env, pricing), False))
    seconds, origin = _cost(now), scratch
    if trial.origin is not None:
        first = _built([trial.origin], env, pricing)
        origin = _cost(pricing.compile(graph, first, False))
        seconds = max(seconds - _cost(pricing.compile(graph, first, True)), 0.0)
    if seconds > max(_OF_ITSELF * scratch, _OF_ORIGIN * origin):
        return None
    return Advice(
        pipeline=trial.candidate,
        expected_seconds=float(f"{seconds:.2g}"),
        alone_seconds=float(f"{scratch:.2g}"),
        why=trial.why,
    )


def _built(pipelines: Sequence[JsonObject], env: Environment, pricing: Pricing) -> Request:
    request = Request("advice", pipelines, env.evaluate, "")
    for pending in preparing(request, env, pricing.find):
        if pending is not None:
            raise _Unknown
    if request.errors or not request.built:
        raise _Unknown
    return request


def _cost(compiled: Compiled) -> float:
    return sum(task.seconds for task in compiled.plan.tasks)
