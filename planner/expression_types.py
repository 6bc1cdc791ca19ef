"""The values that estimator expressions are made of, and their canonical text.

Input: nothing; these are plain data. Output: `Call` and its parts, compared by their text, so
that ``1``, ``1.0`` and ``True`` are three values and ``nan`` equals itself.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias


class _Text:
    """Equality, hash and `repr` by canonical text, computed once."""

    @cached_property
    def _text(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return type(self) is type(other) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, eq=False, repr=False)
class Items(_Text):
    """A list or a tuple; scikit-learn tells them apart (``ngram_range`` must be a tuple)."""

    kind: str  # "list" or "tuple"
    values: tuple["Literal", ...]

    @cached_property
    def _text(self) -> str:
        inner = ", ".join(text(value) for value in self.values)
        if self.kind == "list":
            return f"[{inner}]"
        return f"({inner},)" if len(self.values) == 1 else f"({inner})"


@dataclass(frozen=True, eq=False, repr=False)
class Pairs(_Text):
    """A dict, in the order written."""

    items: tuple[tuple["Literal", "Literal"], ...]

    @cached_property
    def _text(self) -> str:
        return "{" + ", ".join(f"{text(key)}: {text(value)}" for key, value in self.items) + "}"


@dataclass(frozen=True, eq=False, repr=False)
class Function(_Text):
    """A function or type from the allow-list, such as ``f_regression``, ``log1p``, ``float32``.

    With `params`, sorted by name, it is ``functools.partial`` of that function.
    """

    name: str
    params: tuple[tuple[str, "Literal"], ...] = ()

    @cached_property
    def _text(self) -> str:
        if not self.params:
            return self.name
        return f"partial({self.name}, {_arguments(self.params)})"


@dataclass(frozen=True, eq=False, repr=False)
class Call(_Text):
    """A constructor call: registry name, and parameters sorted by name, defaults left out."""

    name: str
    params: tuple[tuple[str, "Literal"], ...] = ()

    @cached_property
    def _text(self) -> str:
        return f"{self.name}({_arguments(self.params)})"


Literal: TypeAlias = bool | int | float | str | Call | Function | Items | Pairs | None


def _arguments(params: tuple[tuple[str, Literal], ...]) -> str:
    return ", ".join(f"{name}={text(value)}" for name, value in params)


def text(value: Literal) -> str:
    """The canonical expression text of `value`; of a `Call`, it parses back to an equal one."""
    if isinstance(value, float) and math.isnan(value):
        return "nan"  # the sign of a nan means nothing
    return repr(value)


def same(left: Literal, right: Literal) -> bool:
    """Whether two values are the same: type and content, with ``nan`` equal to itself."""
    return type(left) is type(right) and text(left) == text(right)


def param(call: Call, name: str, default: Literal = None) -> Literal:
    """The value given for `name`, else `default` (the library's own default is not known here)."""
    for key, value in call.params:
        if key == name:
            return value
    return default


def with_params(call: Call, **new: Literal) -> Call:
    """`call` with parameters set or replaced; values are taken as they are, defaults included."""
    return Call(call.name, tuple(sorted({**dict(call.params), **new}.items())))


def without_params(call: Call, *names: str) -> Call:
    """`call` with the named parameters back at their defaults."""
    return Call(call.name, tuple(item for item in call.params if item[0] not in names))


def children(value: Literal) -> Iterator[Literal]:
    """The values directly inside `value`, in order."""
    match value:
        case Call() | Function():
            yield from (item for _, item in value.params)
        case Items():
            yield from value.values
        case Pairs():
            for pair in value.items:
                yield from pair


def walk_calls(value: Literal) -> Iterator[Call]:
    """Every `Call` in `value`, itself first, then depth first in parameter order."""
    if isinstance(value, Call):
        yield value
    for child in children(value):
        yield from walk_calls(child)
