"""From requests to jobs: expands, names, validates, builds and plans what was asked.

Input: evaluation requests of any number of clients. Output: running jobs. Planning happens on
one thread, which gathers what arrives together into one graph (see `planner.accumulator`).
"""

import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from json import dumps
from typing import Any

from pydantic import ValidationError

from executor.catalog_rows import comparable_key
from planner import choices, naming, patches
from planner.build import Built, Environment, build
from planner.errors import SpecError, StratumError
from planner.render import render
from planner.spec import EvaluateSpec, PipelineSpec
from tools.jobs import Entry, Job
from tools.requests import MAX_PIPELINES
from tools.validation import spec_error

JsonObject = dict[str, Any]


@dataclass
class Request:
    """One call: its pipelines as sent, the settings, and the job that answers it."""

    kind: str
    pipelines: Sequence[JsonObject]
    evaluate: EvaluateSpec
    session: str
    job: Job = field(init=False)
    built: dict[int, Built] = field(default_factory=dict)
    errors: dict[int, StratumError] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.job = Job(f"job_{secrets.token_hex(5)}", self.kind, [], self.session)


@dataclass(frozen=True)
class Expanded:
    """One pipeline to evaluate: a name, a spec without choices or patches, its place in the
    request, and the error that stopped it from becoming one."""

    name: str
    spec: JsonObject
    path: str
    error: StratumError | None = None


def expand(
    pipelines: Sequence[JsonObject], known: Callable[[str], JsonObject | None]
) -> list[Expanded]:
    """Patches resolved, names given, choices expanded; a bad pipeline stops no other."""
    sent = list(pipelines)
    errors: dict[str, StratumError] = {}
    while True:
        try:
            resolved = patches.resolve(sent, known, "pipelines")
            break
        except SpecError as error:
            position = _position(error.path)
            if position is None or f"pipelines[{position}]" in errors:
                raise
            errors[f"pipelines[{position}]"] = error
            # Emptied rather than removed: the others keep their places.
            sent[position] = {"name": sent[position].get("name")} if position < len(sent) else {}
    found: list[Expanded] = []
    for position, spec in enumerate(resolved):
        path = f"pipelines[{position}]"
        if path in errors:
            found.append(Expanded("", dict(pipelines[position]), path, errors[path]))
            continue
        try:
            options = choices.expand(spec, path, MAX_PIPELINES - len(found))
        except SpecError as error:
            if error.code == "too_many_choices":
                raise
            found.append(Expanded("", spec, path, error))
        else:
            found.extend(Expanded("", option.spec, path) for option in options)
    # Named last, so that unnamed specs with choices are told apart by what was chosen.
    names = naming.names([item.spec for item in found])
    return [replace(item, name=name) for item, name in zip(found, names, strict=True)]


def _position(path: str) -> int | None:
    match = re.match(r"pipelines\[(\d+)\]", path)
    return int(match[1]) if match else None


def prepare(request: Request, env: Environment, known: Callable[[str], JsonObject | None]) -> None:
    """Fills `request` with entries, and what could be built of them.

    A pipeline that cannot be built gets an error of its own and stops no other.
    """
    env = replace(env, evaluate=request.evaluate)
    entries = []
    for position, item in enumerate(expand(request.pipelines, known)):
        raw, path = item.spec, item.path
        entry = Entry(item.name, raw)
        entries.append(entry)
        try:
            if item.error is not None:
                raise item.error
            spec = PipelineSpec.model_validate(raw)
            built = build(env, spec, path)
        except ValidationError as error:
            request.errors[position] = spec_error(error, path, PipelineSpec)
        except StratumError as error:
            request.errors[position] = error
        except RecursionError:
            request.errors[position] = SpecError("too_deep", "The spec is too deep.", path=path)
        else:
            request.built[position] = built
            _describe(entry, built, spec, env)
        if not entry.id:
            entry.id = "ev_" + _digest(["failed", raw, request.evaluate.model_dump(mode="json")])
    request.job.entries = entries


def _describe(entry: Entry, built: Built, spec: PipelineSpec, env: Environment) -> None:
    """What results and the catalog say of a pipeline besides its scores."""
    entry.cv = built.cv
    entry.features = built.features
    entry.notes = built.warnings
    entry.primary = next(iter(built.scores))
    entry.greater_is_better = built.metrics[entry.primary].greater_is_better
    entry.dataset = spec.dataset
    entry.target = spec.target if isinstance(spec.target, str) else spec.target.column
    entry.keys = {name: [node.key for node in nodes] for name, nodes in built.scores.items()}
    entry.id = "ev_" + _digest(sorted(fit.key for fit in built.fits))
    evaluate = env.evaluate
    entry.comparable = comparable_key(
        env.datasets[spec.dataset].fingerprint,
        entry.target,
        entry.primary,
        {
            "cv": built.cv,
            "groups": evaluate.groups,
            "order_by": evaluate.order_by,
            **_scored_on(built, spec),
        },
    )


def _scored_on(built: Built, spec: PipelineSpec) -> JsonObject:
    """What else decides which scores may be ranked together: other rows than the dataset's
    (by their query: keys of nodes change with the versions of libraries), and weights."""
    found: JsonObject = {}
    if built.rows.inputs:
        found["rows"] = render(built.rows).sql
    if spec.score_weight is not None:
        found["score_weight"] = spec.score_weight
    return found


def _digest(value: Any) -> str:
    text = dumps(value, sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=6).hexdigest()
