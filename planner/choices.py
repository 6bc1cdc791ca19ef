"""Specs with choices to the specs they stand for.

Input: the JSON of a pipeline with ``choose(a, b)`` inside expressions, or ``{"choose": [...],
"name": ...}`` anywhere. Output: one spec per combination, each with the labels of what was
chosen. A choice inside an option counts for that option only. Combinations are numbered, the
first written varying slowest, so that a huge space can be sampled without being listed.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from planner.choices_text import Found, find, is_plain
from planner.errors import SpecError

MAX_DEPTH = 64
MAX_NAME = 200
_MAX_VALUE = 40


@dataclass(frozen=True)
class Choice:
    """One combination: what was chosen by label, and the spec without choices.

    Parts of the spec without choices are shared with the original, not copied.
    """

    labels: dict[str, Any]
    spec: dict[str, Any]


class _Part:
    """Something that stands for `count` values; `at` makes one, adding to the labels."""

    count = 1

    def at(self, index: int, labels: dict[str, Any]) -> Any:
        raise NotImplementedError

    def alternatives(self) -> Iterator["_Alternatives"]:
        return iter(())


class _Fixed(_Part):
    def __init__(self, value: Any) -> None:
        self.value = value

    def at(self, index: int, labels: dict[str, Any]) -> Any:
        return self.value


class _Product(_Part):
    """A list, an object (`keys`) or a text (`text`) whose parts vary independently."""

    def __init__(
        self, parts: list[_Part], keys: tuple[str, ...] | None = None, text: bool = False
    ) -> None:
        self.parts = parts
        self.keys = keys
        self.text = text
        self.count = prod(part.count for part in parts)

    def at(self, index: int, labels: dict[str, Any]) -> Any:
        digits = []
        for part in reversed(self.parts):
            index, digit = divmod(index, part.count)
            digits.append(digit)
        values = [
            part.at(digit, labels) for part, digit in zip(self.parts, reversed(digits), strict=True)
        ]
        if self.text:
            return "".join(values)
        return values if self.keys is None else dict(zip(self.keys, values, strict=True))

    def alternatives(self) -> Iterator["_Alternatives"]:
        for part in self.parts:
            yield from part.alternatives()


class _Alternatives(_Part):
    """One `choose`: `shown` are the options as labels tell them, `names` candidates for its own
    label, shortest first."""

    def __init__(self, options: list[_Part], shown: list[Any], names: tuple[str, ...]) -> None:
        self.options = options
        self.names = names
        self.label = names[0]
        self.count = sum(option.count for option in options)
        texts = [render(value) for value in shown]
        total = Counter(texts)
        self.shown = [
            value if total[text] == 1 else _numbered(text, position + 1)
            for position, (value, text) in enumerate(zip(shown, texts, strict=True))
        ]

    def at(self, index: int, labels: dict[str, Any]) -> Any:
        for option, shown in zip(self.options, self.shown, strict=True):
            if index < option.count:
                labels[self.label] = shown
                return option.at(index, labels)
            index -= option.count
        raise IndexError(index)

    def alternatives(self) -> Iterator["_Alternatives"]:
        yield self
        for option in self.options:
            yield from option.alternatives()


class Choices:
    """The combinations of one spec, numbered from 0.

    Attributes:
        count: How many there are; exact, however large.
        labels: The labels of all choices, in the order written.
    """

    def __init__(self, spec: Mapping[str, Any], path: str = "") -> None:
        """Raises SpecError: `invalid_choice`, `too_deep`."""
        self._path = path
        parts = [
            _Fixed(value) if key == "name" else _compile(value, (key,), _join(path, key), 0)
            for key, value in spec.items()
        ]
        self._root = _Product(parts, tuple(spec))
        self._name = spec.get("name")
        found = list(self._root.alternatives())
        _name_all(found)
        self.labels = tuple(part.label for part in found)
        self.count = self._root.count

    def at(self, index: int) -> Choice:
        """Combination `index`; its name is the spec's with the labels in brackets."""
        if not 0 <= index < self.count:
            raise IndexError(index)
        labels: dict[str, Any] = {}
        spec = self._root.at(index, labels)
        if labels and isinstance(self._name, str):
            told = ",".join(f"{label}={render(value)}" for label, value in labels.items())
            name = f"{self._name}[{told}]"
            if len(name) > MAX_NAME:
                ending = f"[#{index + 1}]"
                name = self._name[: MAX_NAME - len(ending)] + ending
            spec["name"] = name
        return Choice(labels, spec)

    def expand(self, limit: int) -> list[Choice]:
        """All combinations in order; `too_many_choices` if there are more than `limit`."""
        if self.count > limit:
            raise SpecError(
                "too_many_choices",
                f"The choices make {self.count} pipelines; at most {limit} are accepted.",
                path=self._path,
                hint="Use search_pipelines, which samples them, or offer fewer options.",
            )
        return [self.at(index) for index in range(self.count)]


def count(spec: Mapping[str, Any], path: str = "") -> int:
    """How many combinations `spec` stands for; 1 if it has no choices."""
    return Choices(spec, path).count


def at(spec: Mapping[str, Any], index: int, path: str = "") -> Choice:
    """Combination `index` of `spec`. For many, make one `Choices`."""
    return Choices(spec, path).at(index)


def expand(spec: Mapping[str, Any], path: str = "", limit: int = 10_000) -> list[Choice]:
    """Every combination of `spec`, in order; see `Choices.expand`."""
    return Choices(spec, path).expand(limit)


def render(value: Any) -> str:
    """A chosen value in a pipeline's name: short, one line."""
    if isinstance(value, str):
        text = " ".join(value.split())
    elif isinstance(value, float):
        text = repr(value)
    else:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= _MAX_VALUE else text[: _MAX_VALUE - 3] + "..."


def _numbered(text: str, number: int) -> str:
    ending = f"#{number}"
    return text[: _MAX_VALUE - len(ending)] + ending


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _compile(value: Any, names: tuple[str, ...], path: str, depth: int) -> _Part:
    """`names` are candidates for the label of a choice made here."""
    if depth > MAX_DEPTH:
        raise SpecError("too_deep", f"The spec is nested more than {MAX_DEPTH} deep.", path=path)
    depth += 1
    if isinstance(value, str):
        return _compile_text(value, names, path)
    if isinstance(value, list):
        return _simplified(
            value,
            _Product(
                [
                    _compile(item, names, f"{path}[{position}]", depth)
                    for position, item in enumerate(value)
                ]
            ),
        )
    if not isinstance(value, dict):
        return _Fixed(value)
    options = value.get("choose")
    if isinstance(options, list) and set(value) <= {"choose", "name"}:
        return _compile_choice(options, value.get("name"), names, path, depth)
    parts = [
        _compile(item, (str(key), _join(path, str(key))), _join(path, str(key)), depth)
        for key, item in value.items()
    ]
    return _simplified(value, _Product(parts, tuple(value)))


def _simplified(value: Any, part: _Product) -> _Part:
    plain = all(isinstance(inner, _Fixed) for inner in part.parts)
    return _Fixed(value) if plain else part


def _compile_choice(
    options: list[Any], name: Any, names: tuple[str, ...], path: str, depth: int
) -> _Part:
    if not options:
        raise SpecError(
            "invalid_choice",
            "`choose` has no options.",
            path=path,
            hint='Write {"choose": [first, second]}.',
        )
    if name is not None and not (isinstance(name, str) and name):
        raise SpecError("invalid_choice", "`name` of a choice must be a string.", path=path)
    parts = [
        _compile(option, names, f"{path}.choose[{position}]", depth)
        for position, option in enumerate(options)
    ]
    return _Alternatives(parts, list(options), (name,) if name else (*names, path))


def _compile_text(text: str, names: tuple[str, ...], path: str) -> _Part:
    if is_plain(text):
        return _Fixed(text)
    try:
        pieces = find(text)
    except SpecError as error:
        raise error.at(path) from None
    if all(isinstance(piece, str) for piece in pieces):
        return _Fixed(text)
    return _text(pieces, names, path)


def _text(pieces: tuple[str | Found, ...], names: tuple[str, ...], path: str) -> _Part:
    parts: list[_Part] = []
    for piece in pieces:
        if isinstance(piece, str):
            parts.append(_Fixed(piece))
            continue
        if piece.name:
            own: tuple[str, ...] = (piece.name,)
        elif piece.owner:
            own = (*piece.owner, f"{path}.{piece.owner[-1]}")
        else:
            own = (*names, path)
        options = [_text(option, names, path) for option in piece.options]
        parts.append(_Alternatives(options, list(piece.shown), own))
    return parts[0] if len(parts) == 1 else _Product(parts, text=True)


def _name_all(found: list[_Alternatives]) -> None:
    """Give every choice the shortest of its names that no other one has."""
    taken: set[str] = set()
    rest = found
    for level in range(max((len(part.names) for part in found), default=0)):
        wanted = Counter(part.names[level] for part in rest if level < len(part.names))
        kept = []
        for part in rest:
            name = part.names[level] if level < len(part.names) else ""
            if name and wanted[name] == 1 and name not in taken:
                part.label = name
            else:
                kept.append(part)
        taken.update(name for name, times in wanted.items() if times == 1)
        rest = kept
    for part in rest:
        name, number = part.names[0], 1
        while name in taken:
            number += 1
            name = f"{part.names[0]}#{number}"
        part.label = name
        taken.add(name)
