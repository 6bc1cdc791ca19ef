"""Arguments of an entry with one array or field exchanged, and what the call then ends with."""

import contextlib
import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rust_exec
from rust_exec import KernelInputError
from tests.rust_exec.entry import Arguments, Entry

Array = np.ndarray[Any, Any]
Changed = Callable[[Array], Any]
# An argument, and the way to a part of it: places in lists and tuples, fields of dataclasses.
Place = tuple[str | int, ...]


def _parts(value: Any) -> list[tuple[str | int, Any]]:
    if dataclasses.is_dataclass(value):
        return [(part.name, getattr(value, part.name)) for part in dataclasses.fields(value)]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(value._asdict().items())
    return list(enumerate(value)) if isinstance(value, list) else []


def _walk(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    yield place, value
    for step, part in _parts(value):
        yield from _walk(part, (*place, step))


def walk(arguments: Arguments) -> Iterator[tuple[Place, Any]]:
    """Every argument and every part of one."""
    for name, value in arguments.items():
        yield from _walk(value, (name,))


def places(arguments: Arguments) -> Iterator[Place]:
    """Where there are arrays."""
    return (place for place, value in walk(arguments) if isinstance(value, np.ndarray))


def settings(arguments: Arguments) -> Iterator[tuple[Place, Any]]:
    """The plain fields of dataclasses. That a field is a dataclass itself is for mypy to say."""
    for place, value in walk(arguments):
        if dataclasses.is_dataclass(value):
            for step, part in _parts(value):
                plain = type(part) in (bool, int, float, str, tuple, type(None))
                if plain:
                    yield (*place, step), part


def is_one_of(place: Place, names: frozenset[str]) -> bool:
    return str(place[-1]) in names or ".".join(map(str, place)) in names


def at(arguments: Arguments, place: Place) -> Any:
    value: Any = arguments
    for step in place:
        named = isinstance(step, str) and not isinstance(value, dict)
        value = getattr(value, str(step)) if named else value[step]
    return value


def _put(value: Any, place: Place, new: Any) -> Any:
    if not place:
        return new
    step, rest = place[0], place[1:]
    if isinstance(value, dict):
        return {**value, step: _put(value[step], rest, new)}
    if isinstance(value, list):
        return [_put(part, rest, new) if k == step else part for k, part in enumerate(value)]
    made = _put(getattr(value, str(step)), rest, new)
    if isinstance(value, tuple):
        return value._replace(**{str(step): made})  # type: ignore[attr-defined]
    return dataclasses.replace(value, **{str(step): made})


def put(arguments: Arguments, place: Place, new: Any) -> Arguments:
    """The arguments with `new` at this place."""
    made: Arguments = _put(arguments, place, new)
    return made


def changed(entry: Entry, place: Place, change: Changed) -> Arguments:
    arguments = entry.good()
    return put(arguments, place, change(at(arguments, place)))


def call(entry: Entry, arguments: Arguments) -> Any:
    if entry.call:
        return entry.call(arguments)
    return getattr(rust_exec, entry.name)(**arguments)


def refused(entry: Entry, arguments: Arguments) -> str:
    """The code of the error that the call must end with."""
    with pytest.raises(KernelInputError) as error:
        call(entry, arguments)
    return checked(entry, error.value)


def checked(entry: Entry, error: KernelInputError) -> str:
    assert str(error)
    assert f"``{error.code}``" in raises(entry.name), f"{entry.name} does not name {error.code}"
    return error.code


def answered(entry: Entry, arguments: Arguments) -> bool:
    """Whether there is an answer; anything but that and a typed error fails the test."""
    try:
        call(entry, arguments)
    except KernelInputError as error:
        checked(entry, error)
        return False
    return True


def answered_or_type_error(entry: Entry, arguments: Arguments) -> None:
    """As :func:`answered`, or Python's own error about what cannot be converted."""
    with contextlib.suppress(TypeError, ValueError):
        answered(entry, arguments)


def same(found: Any, wanted: Any) -> None:
    """Equal to the last bit."""
    if dataclasses.is_dataclass(found):
        for part in dataclasses.fields(found):
            same(getattr(found, part.name), getattr(wanted, part.name))
    elif isinstance(found, np.ndarray):
        np.testing.assert_array_equal(found, wanted)
    elif isinstance(found, dict):
        assert found.keys() == wanted.keys()
        same(list(found.values()), list(wanted.values()))
    elif isinstance(found, list | tuple):
        assert len(found) == len(wanted)
        for one, two in zip(found, wanted, strict=True):
            same(one, two)
    elif isinstance(found, rust_exec.BinnedRows):
        assert (found.combinations, found.nbytes) == (wanted.combinations, wanted.nbytes)
    else:
        assert found == wanted


def section(text: str, title: str) -> str:
    """What a docstring has under ``title:``."""
    found = re.search(rf"^ *{title}:\n(.*?)(?=\n *\n|\Z)", text, re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def documented(name: str) -> str:
    """The docstring with the arguments: of a class, of its making."""
    found = getattr(rust_exec, name)
    return inspect.cleandoc((found.__init__ if inspect.isclass(found) else found).__doc__ or "")


def raises(name: str) -> str:
    """The errors of a function, with those of functions it refers to."""
    text = section(documented(name), "Raises")
    for other in re.findall(r":func:`(\w+)`", text):
        text += raises(other)
    return text
