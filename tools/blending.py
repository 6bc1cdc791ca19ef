"""The blends of a request: finds their members, and builds them in an order that works.

Input: the expanded pipelines of a request, what was built of them, and the catalog. Output:
built blends. A member is a pipeline of the same request, before or after the blend, or an
evaluation of an earlier one, whose stored spec is built into the same graph, so that its scores
and predictions are found again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

from pydantic import ValidationError

from planner.build import Built, build
from planner.build_blend import build_blend
from planner.environment import Environment
from planner.errors import SpecError, StratumError, did_you_mean
from planner.spec import BlendPipeline, PipelineSpec
from tools.validation import spec_error

JsonObject = dict[str, Any]
_MAX_DEPTH = 50  # of blends in blends
_MAX_LISTED = 10


@dataclass(frozen=True)
class Made:
    """A pipeline in the graph.

    Attributes:
        id: Of its evaluation.
        spec: As it is kept: that of a blend names members by their ids, which say for ever
            what was combined.
        base: That of its first member, for a blend: whose dataset and target it has.
    """

    id: str
    built: Built
    spec: JsonObject
    base: PipelineSpec


class Item(Protocol):
    """A pipeline of the request: its name, its spec, and its place."""

    @property
    def name(self) -> str: ...

    @property
    def spec(self) -> JsonObject: ...

    @property
    def path(self) -> str: ...


# The id and the spec of an earlier evaluation, by id or name.
Find = Callable[[str], tuple[str, JsonObject] | None]


class Blending:
    """The blends of one request.

    `made` and `errors` are what became of its pipelines, by position; blends are added to them.
    All others must be there before the first blend is asked for. `identify` gives the id of an
    evaluation.
    """

    def __init__(
        self,
        env: Environment,
        items: Sequence[Item],
        made: dict[int, Made],
        errors: dict[int, StratumError],
        find: Find,
        identify: Callable[[Built], str],
    ) -> None:
        self._env = env
        self._items = items
        self._made = made
        self._errors = errors
        self._find = find
        self._identify = identify
        self._positions = {item.name: position for position, item in enumerate(items)}
        self._earlier: dict[str, Made] = {}
        self._open: list[str] = []  # blends that wait for their members, outermost first
        self._by_folds: Blending | None = None
        if env.confirm:
            # What is confirmed names its members by their ids.
            folds = replace(env, confirm=False)
            self._by_folds = Blending(folds, [], {}, {}, find, identify)

    def make(self, position: int) -> Made:
        """The blend at `position`; raises what is wrong with it, or `FactPending`."""
        if position in self._errors:
            raise self._errors[position]
        if position not in self._made:
            item = self._items[position]
            try:
                with self._opened(item.name, _below(item.path, "blend")):
                    self._made[position] = self._build(item.spec, item.path, item.name)
            except StratumError as error:
                self._errors[position] = error
                raise
        return self._made[position]

    def _build(self, raw: JsonObject, path: str, name: str | None) -> Made:
        """A blend of the request, or an earlier one (`name` None), which knows no names of the
        request."""
        try:
            spec = BlendPipeline.model_validate(raw)
        except ValidationError as error:
            raise spec_error(error, path, BlendPipeline) from None
        members = []
        for position, member in enumerate(spec.blend.of):
            place = _below(path, f"blend.of[{position}]")
            try:
                members.append(self._member(member, place, name))
            except StratumError as error:
                raise _because(error, member, place) from None
        by_folds = None
        if self._by_folds is not None and spec.blend.how == "stack":
            others = (self._by_folds._member(name, path, None) for name in spec.blend.of)
            by_folds = [other.built for other in others]
        built = build_blend(self._env, spec, [one.built for one in members], path, by_folds)
        kept = {**raw, "blend": {**raw["blend"], "of": [member.id for member in members]}}
        return Made(self._identify(built), built, kept, members[0].base)

    def _member(self, name: str, path: str, of: str | None) -> Made:
        position = self._positions.get(name) if of is not None else None
        # A blend that names itself means the earlier one of its name, if there is one.
        found = self._find(name) if position is None or name == of else None
        if found is not None:
            return self._from_catalog(*found, path)
        if position is not None:
            return self.make(position)
        raise self._unknown(name, path, of is not None)

    def _from_catalog(self, id: str, raw: JsonObject, path: str) -> Made:
        if id in self._earlier:
            return self._earlier[id]
        if "blend" in raw:
            with self._opened(id, path):
                made = self._build(raw, path, None)
        else:
            try:
                spec = PipelineSpec.model_validate(raw)
            except ValidationError as error:
                raise spec_error(error, path, PipelineSpec) from None
            made = Made(id, build(self._env, spec, path), raw, spec)
        # The id it is known by: under other settings than then it would have another one.
        self._earlier[id] = replace(made, id=id)
        return self._earlier[id]

    @contextmanager
    def _opened(self, name: str, path: str) -> Iterator[None]:
        if name in self._open:
            circle = [*self._open[self._open.index(name) :], name]
            raise SpecError(
                "circular_blend",
                f"These blends are made from each other: {' -> '.join(circle)}.",
                path=path,
                hint="Name members that do not need this blend.",
            )
        if len(self._open) >= _MAX_DEPTH:
            raise SpecError(
                "too_deep", f"Blends are nested more than {_MAX_DEPTH} deep.", path=path
            )
        self._open.append(name)
        try:
            yield
        finally:
            self._open.pop()

    def _unknown(self, name: str, path: str, here: bool) -> SpecError:
        known = [item.name for item in self._items] if here else []
        variants = [other for other in known if other.startswith(f"{name}[")]
        if variants:
            hint = "It has choices, and each is a pipeline: " + ", ".join(variants[:_MAX_LISTED])
        else:
            listed = ", ".join(known[:_MAX_LISTED])
            otherwise = f"In this call: {listed}. Earlier evaluations are found by id or name."
            hint = did_you_mean(name, known, otherwise if known else "Use an evaluation id.")
        return SpecError(
            "unknown_pipeline",
            f"There is no pipeline or evaluation '{name[:80]}'.",
            path=path,
            hint=hint,
        )


def _below(path: str, place: str) -> str:
    return f"{path}.{place}" if path else place


def _because(error: StratumError, member: str, path: str) -> StratumError:
    """The error of a blend whose member at `path` cannot be had."""
    if error.code in ("circular_blend", "too_deep") or error.path == path:
        return type(error)(error.code, error.message, path=path, hint=error.hint)
    where = f" (at {error.path})" if error.path and not error.path.startswith(path) else ""
    return SpecError(
        "blend_member_failed",
        f"The member '{member[:80]}' cannot be built: [{error.code}] {error.message}{where}",
        path=path,
        hint=error.hint,
    )
