"""From requests to jobs: expands, names, validates, builds and plans what was asked.

Input: evaluation requests of any number of clients. Output: running jobs. Planning happens on
one thread, which gathers what arrives together into one graph (see `planner.accumulator`).
"""

import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import blake2b
from json import dumps
from typing import Any

from pydantic import ValidationError

from executor.catalog_rows import comparable_key
from planner import choices, naming, patches
from planner.build import Built, Environment, build
from planner.errors import SpecError, StratumError
from planner.fidelity import planned
from planner.render import render
from planner.schema import FactPending
from planner.spec import EvaluateSpec, PipelineSpec
from tools.blending import Blending, Find, Made
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
        name = f"job_{secrets.token_hex(5)}"
        self.job = Job(name, self.kind, [], self.session, len(self.pipelines))


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


def prepare(request: Request, env: Environment, find: Find) -> None:
    """Fills `request` with entries, and what could be built of them. `find` gives the id and the
    spec of an earlier evaluation.

    A pipeline that cannot be built gets an error of its own and stops no other.
    """
    for _ in preparing(request, env, find):
        pass


def preparing(request: Request, env: Environment, find: Find) -> Iterator[FactPending | None]:
    """As `prepare`, pipeline by pipeline: yields after each, so that others may have a turn.

    Where a fact about data is not there yet, yields that; the pipeline is tried again next.
    """
    env = replace(env, evaluate=request.evaluate)

    def known(id_or_name: str) -> JsonObject | None:
        found = find(id_or_name)
        return None if found is None else found[1]

    items = expand(request.pipelines, known)
    entries = [Entry(item.name, item.spec) for item in items]
    made: dict[int, Made] = {}
    blending = Blending(env, items, made, request.errors, find, evaluation_id)
    makes: dict[int, Callable[[], Made]] = {}
    blends: dict[int, Callable[[], Made]] = {}
    for position, item in enumerate(items):
        if "blend" in item.spec and item.error is None:
            blends[position] = partial(blending.make, position)
        else:
            makes[position] = partial(_plain, env, item, made, position)
    # Blends come last, when all that they are made of is there.
    for position, make in (makes | blends).items():
        item, entry = items[position], entries[position]
        while (pending := _prepare(request, env, position, item, entry, make)) is not None:
            yield pending
        yield None
    request.job.entries = entries


def _plain(env: Environment, item: Expanded, made: dict[int, Made], position: int) -> Made:
    if item.error is not None:
        raise item.error
    try:
        spec = PipelineSpec.model_validate(item.spec)
    except ValidationError as error:
        raise spec_error(error, item.path, PipelineSpec) from None
    built = build(env, spec, item.path)
    made[position] = Made(evaluation_id(built), built, item.spec, spec)
    return made[position]


def _prepare(
    request: Request,
    env: Environment,
    position: int,
    item: Expanded,
    entry: Entry,
    make: Callable[[], Made],
) -> FactPending | None:
    """Builds one pipeline, or gives back what it has to wait for."""
    try:
        made = make()
    except FactPending as pending:
        return pending
    except StratumError as error:
        request.errors[position] = error
    except RecursionError:
        request.errors[position] = SpecError("too_deep", "The spec is too deep.", path=item.path)
    else:
        request.built[position] = made.built
        entry.spec = made.spec
        _describe(entry, made.built, made.base, env)
    if not entry.id:
        settings = request.evaluate.model_dump(mode="json")
        entry.id = "ev_" + _digest(["failed", item.spec, settings])
    return None


def evaluation_id(built: Built) -> str:
    """The id of what is computed, whatever it is called and scored by."""
    return "ev_" + _digest(sorted(fit.key for fit in built.fits))


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
    entry.id = evaluation_id(built)
    entry.fidelity = planned(node for nodes in built.scores.values() for node in nodes)
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
