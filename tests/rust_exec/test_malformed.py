"""Whatever an entry is called with: a typed error that its docstring names, or an answer."""

import dataclasses
import inspect
import itertools
import re
import sys
import threading
import typing
from typing import Any

import numpy as np
import pytest

import rust_exec
from rust_exec import KernelInputError, _native
from tests.rust_exec.entries import ENTRIES
from tests.rust_exec.entry import Entry
from tests.rust_exec.malformed import (
    Array,
    Changed,
    answered,
    answered_or_type_error,
    at,
    call,
    changed,
    checked,
    documented,
    is_one_of,
    places,
    put,
    refused,
    same,
    section,
    settings,
    walk,
)

by_name = pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)


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
    "small": lambda x: np.nan_to_num(x).astype(np.int16),
    "dates": lambda x: np.nan_to_num(x).astype(np.int64).astype("M8[s]"),
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
        arguments = changed(entry, place, change)
        if kind == "none" and is_one_of(place, entry.optional):
            call(entry, arguments)
        elif is_one_of(place, entry.any_type) and isinstance(at(arguments, place), np.ndarray):
            answered(entry, arguments)
        else:
            assert refused(entry, arguments) == "bad_array"


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
        arguments = changed(entry, place, LAYOUTS[layout])
        if is_one_of(place, entry.contiguous) and not at(arguments, place).flags.c_contiguous:
            assert refused(entry, arguments) == "bad_array"
        else:
            same(call(entry, arguments), wanted)


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
    nothing = {name: value[:0] if isinstance(value, list | np.ndarray) else value
               for name, value in entry.good().items()}  # fmt: skip
    answered(entry, nothing)
    every = entry.good()
    for place in places(entry.good()):
        every = put(every, place, at(every, place)[:0])
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
            answered(entry, put(arguments, two, np.full_like(at(arguments, two), second)))


@pytest.mark.parametrize(
    "entry", [e for e in ENTRIES if "threads" in e.good()], ids=lambda entry: entry.name
)
def test_threads(entry: Entry) -> None:
    for threads in (0, -1, 10**6, 2**63 - 1, -(2**63)):
        assert refused(entry, {**entry.good(), "threads": threads}) == "bad_threads"
    for other in (None, 1.5, "1", [1], 2**64):
        with pytest.raises((TypeError, OverflowError)):
            call(entry, {**entry.good(), "threads": other})
    same(call(entry, {**entry.good(), "threads": 3}), call(entry, entry.good()))


@by_name
def test_containers_of_other_types_are_refused(entry: Entry) -> None:
    for name, value in entry.good().items():
        if not isinstance(value, list):
            continue
        if dataclasses.is_dataclass(value[0]):  # the facade takes these to pieces
            for other in (None, 1, "text", [None], [value], [*value, 1]):
                with pytest.raises((TypeError, KernelInputError)):
                    call(entry, {**entry.good(), name: other})
            continue
        native = getattr(_native, entry.name)
        given = {  # as the facade hands it over
            key: dataclasses.astuple(part) if dataclasses.is_dataclass(part) else part
            for key, part in entry.good().items()
        }
        others = [tuple(value), {"a": value[0]}, None, 1, "text", [None], [value], [*value, 1]]
        for other in (*others, iter(value), np.array(value[0])):
            with pytest.raises(KernelInputError) as error:
                native(**{**given, name: other})
            checked(entry, error.value)


# Limits of trees, which may have none.
CAN_BE_NONE = {"draws", "max_depth", "max_leaf_nodes"}


@by_name
def test_scalars_of_other_types_are_refused(entry: Entry) -> None:
    for name, value in entry.good().items():
        if isinstance(value, bool | int):
            for other in (None, "x", [1], np.ones(2), 1.5):
                if other is None and name in CAN_BE_NONE:
                    continue
                with pytest.raises((TypeError, KernelInputError)):
                    call(entry, {**entry.good(), name: other})
        if type(value) is float:
            for number in (-1.0, 1e308, np.nan, np.inf, -np.inf):
                answered(entry, {**entry.good(), name: number})
        if type(value) is str:
            assert refused(entry, {**entry.good(), name: "ä\0"})
        if type(value) is int and name != "threads":
            numbers = (0, -1, 2**62) if name in entry.long else (0, -1, 2**31, 2**62)
            for number in numbers:
                answered(entry, {**entry.good(), name: number})


TUPLES = (None, 1, "x", (), (0,), (-1,), (2, 1), (-1, 1), (1, 2**62), (1.5,), ("x",), ((-1,),))
FIELDS = (None, "x", "ä\0", [1], True, 0, -1, 2**31, 2**62, 0.5, -0.5, 1e308, np.nan, np.inf)


@by_name
def test_no_tuple_breaks_it(entry: Entry) -> None:
    for place, value in walk(entry.good()):
        if type(value) is tuple:
            for other in TUPLES:
                answered_or_type_error(entry, put(entry.good(), place, other))


@by_name
def test_no_setting_breaks_it(entry: Entry) -> None:
    for place, value in settings(entry.good()):
        if type(value) is not tuple:
            for other in FIELDS:
                answered_or_type_error(entry, put(entry.good(), place, other))


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


@pytest.mark.parametrize(
    "entry",
    [e for e in ENTRIES if e.name != "as_texts"],  # which is Python alone
    ids=lambda entry: entry.name,
)
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


def is_public(found: Any) -> bool:
    """Functions with parameters, and classes that check what they are made of."""
    if inspect.isclass(found):
        return "__init__" in vars(found) and not dataclasses.is_dataclass(found)
    return inspect.isfunction(found) and bool(inspect.signature(found).parameters)


PUBLIC = [name for name in rust_exec.__all__ if is_public(getattr(rust_exec, name))]


def test_every_entry_is_called_with_malformed_arguments() -> None:
    assert {entry.name for entry in ENTRIES} == set(PUBLIC)
    assert all(getattr(rust_exec, name).__doc__ for name in rust_exec.__all__)


@pytest.mark.parametrize("name", PUBLIC)
def test_docstrings_name_arguments_answers_and_errors(name: str) -> None:
    function = getattr(rust_exec, name)
    text = documented(name)
    arguments = section(text, "Args")
    for parameter in inspect.signature(function).parameters:
        assert re.search(rf"^ *{parameter}: ", arguments, re.MULTILINE), parameter
    made = function if inspect.isclass(function) else typing.get_type_hints(function)["return"]
    if dataclasses.is_dataclass(made):
        told = section(inspect.cleandoc(made.__doc__ or ""), "Attributes")
        for part in dataclasses.fields(made):
            assert re.search(rf"^ *{part.name}: ", told, re.MULTILINE), part.name
    elif not inspect.isclass(function):
        assert section(text, "Returns")
    wanted = "KernelInputError" if name != "as_texts" else "UnicodeEncodeError"
    assert wanted in section(text, "Raises")
    if hasattr(_native, name):
        assert getattr(_native, name).__doc__
