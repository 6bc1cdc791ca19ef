"""Specs written as edits of other specs to specs that stand alone.

Input: the pipelines of a batch, some as ``{"from": name, ...patch}`` or ``{"base": spec,
"variants": [patch, ...]}``. Output: the same pipelines in full. Patches are JSON merge patches
(RFC 7386): objects merge, null removes, anything else replaces.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planner.errors import SpecError, did_you_mean

MAX_DEPTH = 64

Known = Callable[[str], dict[str, Any] | None]


def merge(target: Any, patch: Any, path: str = "") -> Any:
    """`target` with the merge patch `patch` applied; neither is changed.

    Raises:
        SpecError: `too_deep` if the patch is nested more than 64 deep.
    """
    return _merge(target, patch, path, 0)


def _merge(target: Any, patch: Any, path: str, depth: int) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    if depth > MAX_DEPTH:
        raise SpecError("too_deep", f"The patch is nested more than {MAX_DEPTH} deep.", path=path)
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value, path, depth + 1)
    return result


@dataclass
class _Entry:
    """One pipeline of the batch: a full spec, or a patch on `source`."""

    spec: dict[str, Any]
    path: str
    source: str | None = None
    base: int | None = None  # position of the entry that a variant is a patch on
    listed: bool = True  # False for a base, which is not evaluated itself
    done: dict[str, Any] | None = None

    @property
    def name(self) -> str | None:
        name = self.spec.get("name")
        return name if isinstance(name, str) else None


def resolve(
    pipelines: Sequence[Mapping[str, Any]], known: Known, path: str = "pipelines"
) -> list[dict[str, Any]]:
    """The pipelines in full, in order; each variant of a base is one, the base itself is none.

    `from` names another pipeline of the batch, earlier or later, or a base, or whatever `known`
    finds (an evaluation id, an earlier name). What is taken over has no name of its own.

    Raises:
        SpecError: `circular_from`, `unknown_pipeline`, `ambiguous_from`, `invalid_from`,
            `invalid_variants`, `too_deep`.
    """
    entries: list[_Entry] = []
    for position, spec in enumerate(pipelines):
        entries.extend(_entries(spec, f"{path}[{position}]", len(entries)))
    names: dict[str, list[int]] = {}
    for position, entry in enumerate(entries):
        if entry.name is not None:
            names.setdefault(entry.name, []).append(position)
    for position in range(len(entries)):
        _resolve(entries, names, known, position)
    return [_result(entry) for entry in entries if entry.listed]


def _result(entry: _Entry) -> dict[str, Any]:
    assert entry.done is not None
    return entry.done


def _entries(spec: Mapping[str, Any], path: str, at: int) -> Iterator[_Entry]:
    if "variants" not in spec:
        yield _entry(spec, path)
        return
    base, variants = spec.get("base"), spec["variants"]
    shaped = isinstance(base, Mapping) and isinstance(variants, list | tuple)
    if not shaped or set(spec) != {"base", "variants"}:
        raise SpecError(
            "invalid_variants",
            "Variants need a base, and nothing beside.",
            path=path,
            hint='Write {"base": spec, "variants": [patch, ...]}.',
        )
    assert isinstance(base, Mapping)
    entry = _entry(base, f"{path}.base")
    entry.listed = False
    yield entry
    for position, patch in enumerate(variants):
        place = f"{path}.variants[{position}]"
        if not isinstance(patch, Mapping):
            raise SpecError(
                "invalid_variants",
                "A variant must be an object: the fields that differ.",
                path=place,
            )
        if "from" in patch:
            yield _entry(patch, place)
        else:
            yield _Entry(dict(patch), place, base=at)


def _entry(spec: Mapping[str, Any], path: str) -> _Entry:
    if "from" not in spec:
        return _Entry(dict(spec), path)
    source = spec["from"]
    if not isinstance(source, str):
        raise SpecError(
            "invalid_from",
            "`from` must be the name or the evaluation id of a pipeline.",
            path=f"{path}.from",
        )
    patch = {key: value for key, value in spec.items() if key != "from"}
    return _Entry(patch, path, source=source)


def _resolve(
    entries: list[_Entry], names: Mapping[str, list[int]], known: Known, position: int
) -> None:
    """Follow `position` to a full spec, then apply the patches on the way back."""
    chain: dict[int, None] = {}  # positions in order; a dict, as chains may be long
    spec: dict[str, Any] = {}
    while True:
        entry = entries[position]
        if entry.done is not None:
            spec = entry.done
            break
        if position in chain:
            followed = list(chain)
            members = followed[followed.index(position) :]
            told = " -> ".join(entries[at].name or entries[at].path for at in members)
            raise SpecError(
                "circular_from",
                f"These pipelines are made from each other: {told}.",
                path=f"{entry.path}.from",
                hint="Write one of them in full.",
            )
        chain[position] = None
        if entry.base is not None:
            position = entry.base
        elif entry.source is None:
            chain.popitem()
            spec = entry.done = entry.spec
            break
        else:
            following = _find(entries, names, known, position)
            if isinstance(following, dict):
                spec = following
                break
            position = following
    for at in reversed(chain):
        entry = entries[at]
        unnamed = {key: value for key, value in spec.items() if key not in ("name", "from")}
        spec = entry.done = merge(unnamed, entry.spec, entry.path)


def _find(
    entries: list[_Entry], names: Mapping[str, list[int]], known: Known, position: int
) -> int | dict[str, Any]:
    """What the `from` of an entry names: a position in the batch, or a stored spec."""
    entry = entries[position]
    source = entry.source
    assert source is not None
    others = [at for at in names.get(source, []) if at != position]
    if len(others) > 1:
        raise SpecError(
            "ambiguous_from",
            f"{len(others)} pipelines of the batch are called '{source[:80]}'.",
            path=f"{entry.path}.from",
            hint="Give them different names.",
        )
    if others:
        return others[0]
    stored = known(source)
    if stored is not None:
        return stored
    if entry.name == source:
        raise SpecError(
            "circular_from",
            f"'{source[:80]}' is made from itself.",
            path=f"{entry.path}.from",
            hint="Name another pipeline, or write this one in full.",
        )
    listed = ", ".join(f"'{name}'" for name in list(names)[:10])
    raise SpecError(
        "unknown_pipeline",
        f"There is no pipeline or evaluation '{source[:80]}'.",
        path=f"{entry.path}.from",
        hint=did_you_mean(
            source, names, f"Named in this batch: {listed}." if names else "Use an evaluation id."
        ),
    )
