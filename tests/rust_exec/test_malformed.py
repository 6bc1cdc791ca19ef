"""Whatever an entry is called with: a typed error that its docstring names, or an answer."""

import dataclasses
import inspect
import itertools
import re
import sys
import threading
import typing
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rust_exec
from rust_exec import KernelInputError, _native
from tests.rust_exec.entries import ENTRIES, Arguments, Entry

Array = np.ndarray[Any, Any]
Changed = Callable[[Array], Any]
# An argument, and the place in it where that is a list of arrays.
Place = tuple[str, int | None]

by_name = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)


def places(arguments: Arguments) -> Iterator[Place]:
    for name, value in arguments.items():
        if isinstance(value, np.ndarray):
            yield name, None
        elif isinstance(value, list) and isinstance(value[0], np.ndarray):
            yield from ((name, at) for at in range(len(value)))


def at(arguments: Arguments, place: Place) -> Array:
    value = arguments[place[0]]
    return value if place[1] is None else value[place[1]]


def changed(entry: Entry, place: Place, change: Changed) -> Arguments:
    arguments = entry.good()
    name, position = place
    new = change(at(arguments, place))
    if position is None:
        arguments[name] = new
    else:
        arguments[name] = [*arguments[name]]
        arguments[name][position] = new
    return arguments


def call(entry: Entry, arguments: Arguments) -> Any:
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
    else:
        assert found == wanted


# -- types and memory -------------------------------------------------------------------------


def swapped(x: Array) -> Array:
    return x.astype(x.dtype.newbyteorder())


def unaligned(x: Array) -> Array:
    return np.frombuffer(b"\0" + x.tobytes(), dtype=np.uint8)[1:].view(x.dtype).reshape(x.shape)


def fields(x: Array) -> Array:
    """Values at strides that are no multiple of their size."""
    records = np.zeros(x.shape, dtype=[("v", x.dtype), ("w", "i1")])
    records["v"] = x
    return records["v"]


NOT_ARRAYS: dict[str, Changed] = {
    "list": lambda x: x.tolist(),
    "none": lambda x: None,
    "number": lambda x: 1.0,
    "text": lambda x: "values",
    "bytes": lambda x: x.tobytes(),
    "memory": memoryview,
    "scalar": lambda x: x.dtype.type(1),
    "objects": lambda x: x.astype(object),
    "texts": lambda x: x.astype(str),
    "complex": lambda x: x.astype(np.complex128),
    "floats": lambda x: x.astype(np.float32),
    "small": lambda x: x.astype(np.int16),
    "dates": lambda x: x.astype(np.int64).astype("M8[s]"),
    "records": lambda x: np.zeros(x.shape, dtype=[("v", "f8")]),
    "flat": lambda x: x.reshape(-1) if x.ndim > 1 else x[0],
    "deep": lambda x: x[None],
    "deepest": lambda x: x.reshape((1,) * 30 + x.shape),
    "none of it": lambda x: np.array(1, dtype=x.dtype),
}
ONE_BYTE: dict[str, Changed] = {"swapped": swapped, "unaligned": unaligned, "fields": fields}


@by_name
@pytest.mark.parametrize("kind", [*NOT_ARRAYS, *ONE_BYTE])
def test_other_types_are_refused(entry: Entry, kind: str) -> None:
    for place in places(entry.good()):
        if kind in ONE_BYTE and at(entry.good(), place).itemsize == 1:
            continue  # single bytes are neither swapped nor unaligned
        change = {**NOT_ARRAYS, **ONE_BYTE}[kind]
        assert refused(entry, changed(entry, place, change)) == "bad_array"


def read_only(x: Array) -> Array:
    x = x.copy()
    x.setflags(write=False)
    return x


def overlapping(x: Array) -> Array:
    """The same memory for every row, where the rows are the same."""
    return np.broadcast_to(x[:1], x.shape)


LAYOUTS: dict[str, Changed] = {
    "read only": read_only,
    "strided": lambda x: np.repeat(x, 3, axis=0)[::3],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "fortran": np.asfortranarray,
    "columns": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "all backwards": lambda x: np.flip(np.flip(x).copy()),
    "subclass": lambda x: x.view(np.recarray) if x.ndim == 0 else x.view(Other),
    "mapped": lambda x: np.frombuffer(bytearray(x.tobytes()), dtype=x.dtype).reshape(x.shape),
}


class Other(np.ndarray):
    """A subclass without anything of its own."""


@by_name
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_do_not_matter(entry: Entry, layout: str) -> None:
    wanted = call(entry, entry.good())
    for place in places(entry.good()):
        same(call(entry, changed(entry, place, LAYOUTS[layout])), wanted)


@by_name
def test_repeated_memory_is_read_as_it_is(entry: Entry) -> None:
    for place in places(entry.good()):
        found = changed(entry, place, overlapping)
        copied = changed(entry, place, lambda x: overlapping(x).copy())
        if answered(entry, found):
            same(call(entry, found), call(entry, copied))


@by_name
def test_arguments_are_not_changed(entry: Entry) -> None:
    given = entry.good()
    call(entry, given)
    same(given, entry.good())


# -- shapes and values ------------------------------------------------------------------------


@by_name
def test_lengths_that_do_not_match_are_refused(entry: Entry) -> None:
    for place in places(entry.good()):
        for change in (lambda x: x[:-1], lambda x: np.concatenate([x, x[:1]])):
            arguments = changed(entry, place, change)
            if place[0] in entry.free:
                answered(entry, arguments)
            else:
                refused(entry, arguments)


@by_name
def test_nothing_is_refused_or_answered(entry: Entry) -> None:
    for place in places(entry.good()):
        answered(entry, changed(entry, place, lambda x: x[:0]))
        answered(entry, changed(entry, place, lambda x: x[..., :0]))
    nothing = {name: value[:0] if hasattr(value, "__len__") else value
               for name, value in entry.good().items()}  # fmt: skip
    answered(entry, nothing)
    empty: Changed = lambda x: x[:0]  # noqa: E731
    every = entry.good()
    for place in places(entry.good()):
        name, position = place
        if position is None:
            every[name] = empty(every[name])
        else:
            every[name] = [empty(item) for item in every[name]]
    answered(entry, every)


FLOATS = (np.nan, np.inf, -np.inf, 1e308, -1e308, 1e155, 5e-324, 2.0**-1022, -0.0, -1.0)
INTEGERS = (-1, 2**31, 2**40, 2**63 - 1, -(2**63))


@by_name
def test_no_value_breaks_it(entry: Entry) -> None:
    for place in places(entry.good()):
        kind = at(entry.good(), place).dtype.kind
        for value in FLOATS if kind == "f" else (*INTEGERS, 255):
            if kind != "f" and not _fits(value, at(entry.good(), place).dtype):
                continue
            answered(entry, changed(entry, place, lambda x, v=value: np.full_like(x, v)))
            for position in (0, -1):
                arguments = changed(entry, place, np.copy)
                at(arguments, place)[position] = value
                answered(entry, arguments)


def _fits(value: int, dtype: Any) -> bool:
    limits = np.iinfo(dtype)
    return limits.min <= value <= limits.max


@by_name
def test_pairs_of_values_do_not_break_it(entry: Entry) -> None:
    """What is extreme in two arguments at once."""
    floats = [p for p in places(entry.good()) if at(entry.good(), p).dtype.kind == "f"]
    for one, two in itertools.combinations(floats, 2):
        for first, second in itertools.product((np.nan, 1e308, 5e-324), repeat=2):
            arguments = changed(entry, one, lambda x, v=first: np.full_like(x, v))
            other = changed(entry, two, lambda x, v=second: np.full_like(x, v))
            if one[0] == two[0]:
                assert two[1] is not None
                arguments[two[0]][two[1]] = other[two[0]][two[1]]
            else:
                arguments[two[0]] = other[two[0]]
            answered(entry, arguments)


@by_name
def test_threads(entry: Entry) -> None:
    for threads in (0, -1, 10**6, 2**63 - 1, -(2**63)):
        assert refused(entry, {**entry.good(), "threads": threads}) == "bad_threads"
    for other in (None, 1.5, "1", [1], 2**64):
        with pytest.raises((TypeError, OverflowError)):
            call(entry, {**entry.good(), "threads": other})
    same(call(entry, {**entry.good(), "threads": 3}), call(entry, entry.good()))


@by_name
def test_containers_of_other_types_are_refused(entry: Entry) -> None:
    native = getattr(_native, entry.name)
    for name, value in entry.good().items():
        if not isinstance(value, list):
            continue
        others = [tuple(value), {"a": value[0]}, None, 1, "text", [None], [value], [*value, 1]]
        for other in (*others, iter(value), np.array(value[0])):
            with pytest.raises(KernelInputError) as error:
                native(**{**entry.good(), name: other})
            checked(entry, error.value)


@by_name
def test_scalars_of_other_types_are_refused(entry: Entry) -> None:
    for name, value in entry.good().items():
        if isinstance(value, bool | int):
            for other in (None, "x", [1], np.ones(2), 1.5):
                with pytest.raises((TypeError, KernelInputError)):
                    call(entry, {**entry.good(), name: other})
        if type(value) is int and name != "threads":
            for number in (0, -1, 2**31, 2**62):
                answered(entry, {**entry.good(), name: number})


@by_name
def test_names_that_are_none_are_refused(entry: Entry) -> None:
    for name, value in entry.good().items():
        if isinstance(value, list) and isinstance(value[0], str):
            for other in ("", "no such thing", "ä" * 10**5, "\0"):
                refused(entry, {**entry.good(), name: [*value, other]})


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.many], ids=lambda entry: entry.name)
def test_a_million_distinct_codes(entry: Entry) -> None:
    assert entry.many is not None
    answered(entry, entry.many())


# -- the GIL, and what the docstrings say -----------------------------------------------------


@by_name
def test_other_threads_run_meanwhile(entry: Entry) -> None:
    """Nobody is made to give the GIL away for an hour, so the other thread can only go on if the
    kernel lets it."""
    arguments = entry.good()
    before = sys.getswitchinterval()
    go, ran = threading.Lock(), threading.Lock()
    go.acquire()
    ran.acquire()

    def other() -> None:
        with go:
            ran.release()

    thread = threading.Thread(target=other, daemon=True)
    thread.start()
    sys.setswitchinterval(3600.0)
    try:
        go.release()
        released = False
        for _ in range(50_000):  # the other thread takes a moment to wake up
            call(entry, arguments)
            if ran.acquire(blocking=False):
                released = True
                break
    finally:
        sys.setswitchinterval(before)
    thread.join()
    assert released


def section(text: str, title: str) -> str:
    """What a docstring has under ``title:``."""
    found = re.search(rf"^ *{title}:\n(.*?)(?=\n *\n|\Z)", text, re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def raises(name: str) -> str:
    """The errors of a function, with those of functions it refers to."""
    text = section(getattr(rust_exec, name).__doc__, "Raises")
    for other in re.findall(r":func:`(\w+)`", text):
        text += raises(other)
    return text


PUBLIC = [
    name
    for name in rust_exec.__all__
    if inspect.isfunction(getattr(rust_exec, name))
    and inspect.signature(getattr(rust_exec, name)).parameters
]


def test_every_entry_is_called_with_malformed_arguments() -> None:
    assert {entry.name for entry in ENTRIES} == set(PUBLIC)
    assert all(getattr(rust_exec, name).__doc__ for name in rust_exec.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings_name_arguments_answers_and_errors(name: str) -> None:
    function = getattr(rust_exec, name)
    text = inspect.cleandoc(function.__doc__)
    arguments = section(text, "Args")
    for parameter in inspect.signature(function).parameters:
        assert re.search(rf"^ *{parameter}: ", arguments, re.MULTILINE), parameter
    answer = typing.get_type_hints(function)["return"]
    if dataclasses.is_dataclass(answer):
        told = section(inspect.cleandoc(answer.__doc__ or ""), "Attributes")
        for part in dataclasses.fields(answer):
            assert re.search(rf"^ *{part.name}: ", told, re.MULTILINE), part.name
    else:
        assert section(text, "Returns")
    assert "KernelInputError" in section(text, "Raises")
    assert getattr(_native, name).__doc__
