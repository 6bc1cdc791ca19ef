"""What is known of an entry of the kernels to call it with malformed arguments."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Arguments = dict[str, Any]
Names = frozenset[str]
NONE: Names = frozenset()


@dataclass(frozen=True)
class Entry:
    """A function of `rust_exec`, or a class that is made of arrays.

    Where arguments hold arrays in lists, tuples or dataclasses, each of these arrays is
    malformed, and each plain field of a dataclass.

    Attributes:
        name: Of the function.
        good: Makes arguments that give an answer, small enough for hundreds of calls.
        many: Calls with a great many distinct codes, where the entry takes codes: an answer or a
            typed error.
        free: Arguments whose length is their own, so that another length is no error.
        optional: Arrays that may be None.
        any_type: Arrays of whatever numbers.
        contiguous: Arrays, by the last part of their place or all of it, that other strides are
            refused for: they are read as one piece.
        long: Whole numbers whose great values are right but take their time.
        call: Calls it, if not by its name.
    """

    name: str
    good: Callable[[], Arguments]
    many: Callable[[], Arguments] | None = None
    free: Names = NONE
    optional: Names = NONE
    any_type: Names = NONE
    contiguous: Names = NONE
    long: Names = NONE
    call: Callable[[Arguments], Any] | None = None
