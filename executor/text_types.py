"""Types of text columns: a column of strings in, the same column typed out.

Every value decides, not a sample: a sample only rules types out. The rules are those of
``pandas.read_csv`` except where it loses information: integers stay integers beside missing
values and above 2**53, codes with leading zeros stay strings, and dates are recognised.
"""

import re
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SAMPLE = 4096
TEXT = pa.large_string()
BIG_INTEGER = pa.decimal128(38, 0)

_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False}
_BOOLEANS["FALSE"] = False
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE
)
_PLAIN_INTEGERS = r"^(-?[1-9][0-9]*|0)$"
_LEADING_ZERO = r"^[+-]?0[0-9]"
_DATE = r"^[0-9]{4}([-/])[0-9]{2}[-/][0-9]{2}$"
_MOMENT = (
    r"^[0-9]{4}[-/][0-9]{2}[-/][0-9]{2}"
    r"([ T][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$"
)
_ZONE = r":[0-9.]+(Z|[+-][0-9]{2}:?[0-9]{2})$"
# RE2 has no back-references, so the separators are captured and compared.
_CIVIL = (
    r"^(?P<a>[0-9]{1,2})(?P<s>[/.-])(?P<b>[0-9]{1,2})(?P<t>[/.-])(?P<y>[0-9]{4})"
    r"(?:[ T](?P<h>[0-9]{1,2}):(?P<m>[0-9]{2})(?::(?P<c>[0-9]{2}))?)?$"
)


class Typed(NamedTuple):
    """A typed column, and what the agent should know about the choice (else empty)."""

    column: pa.ChunkedArray
    note: str = ""


def infer(column: pa.ChunkedArray, dayfirst: bool | None = None) -> Typed:
    """`column` (large_string) with the narrowest type that every non-null value fits.

    Args:
        column: Text values; nulls are missing.
        dayfirst: Order of day and month in dates such as ``03/04/2020``; None accepts only
            columns in which some value tells.

    Returns:
        int64, decimal128(38, 0) (integers beyond 64 bits), float64, bool, date32,
        timestamp[us] (UTC, no zone) or large_string. An all-null column is float64, as in
        pandas.
    """
    if column.null_count == len(column):
        return Typed(pa.chunked_array([pa.nulls(len(column), pa.float64())]))
    sample = {value.strip() for value in _sample(column)}
    if all(value in _BOOLEANS for value in sample):
        return _first(column, [_booleans])
    if all(_INTEGER.fullmatch(value) for value in sample):
        return _first(column, [_integers, _floats])
    if all(_NUMBER.fullmatch(value) for value in sample):
        return _first(column, [_floats])
    return infer_dates(column, dayfirst)


def infer_dates(column: pa.ChunkedArray, dayfirst: bool | None = None) -> Typed:
    """`column` as dates or timestamps if every value is one; numbers are left as text."""
    sample = {value.strip() for value in _sample(column)}
    if not sample:
        return Typed(column)
    if all(re.match(_MOMENT, value) for value in sample):
        return _first(column, [_dates, _moments])
    if all(re.match(_CIVIL, value) for value in sample):
        return _first(column, [lambda text: _civil(text, dayfirst)])
    return Typed(column)


def _sample(column: pa.ChunkedArray) -> set[str]:
    some = column.slice(0, SAMPLE).drop_null()
    if not len(some):
        some = column.drop_null().slice(0, SAMPLE)
    values: set[str] = set(some.to_pylist())
    return values


def _first(column: pa.ChunkedArray, attempts: list[Any]) -> Typed:
    """The first attempt that succeeds, on the values as they are or without outer blanks."""
    for attempt in attempts:
        for text in (column, None):
            if text is None:
                text = pc.utf8_trim_whitespace(column)
            found: Typed | None = attempt(text)
            if found is not None:
                # Typed as text: the attempt has found out that the column must not be changed.
                return Typed(column, found.note) if found.column.type == TEXT else found
    return Typed(column)


def _all(text: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(text, pattern), min_count=0).as_py())


def _any(text: pa.ChunkedArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(text, pattern), min_count=0).as_py())


def _cast(text: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray | None:
    try:
        return pc.cast(text, kind)
    except pa.ArrowInvalid:
        return None


def _booleans(text: pa.ChunkedArray) -> Typed | None:
    words = pa.array(list(_BOOLEANS), TEXT)
    place = pc.index_in(text, value_set=words)
    if place.null_count != text.null_count:
        return None
    return Typed(pc.take(pa.array(list(_BOOLEANS.values())), place))


def _integers(text: pa.ChunkedArray) -> Typed | None:
    values = _cast(text, pa.int64())
    if values is not None:
        # Arrow also reads hexadecimal and leading zeros; both start with a zero.
        zero = pc.and_(pc.starts_with(text, "0"), pc.greater(pc.binary_length(text), 1))
        if pc.any(pc.or_(zero, pc.starts_with(text, "-0")), min_count=0).as_py():
            return Typed(text) if _any(text, _LEADING_ZERO) else None
        return Typed(values)
    if not _all(text, _PLAIN_INTEGERS):
        return None
    values = _cast(text, BIG_INTEGER)
    if values is None:
        return Typed(text, "holds integers of more than 38 digits; kept as text")
    return Typed(values)


def _floats(text: pa.ChunkedArray) -> Typed | None:
    values = _cast(text, pa.float64())
    if values is None or _any(text, _LEADING_ZERO):
        return None
    nan = pc.sum(pc.is_nan(values)).as_py() or 0
    if nan == len(values) - values.null_count:
        return None  # words such as "nan" alone do not make numbers
    if nan:
        return Typed(values, f"has {nan} values written as 'nan'; they are missing")
    return Typed(values)


def _dates(text: pa.ChunkedArray) -> Typed | None:
    if not _all(text, _DATE):
        return None
    values = _cast(pc.replace_substring(text, "/", "-"), pa.date32())
    return None if values is None else Typed(values)


def _moments(text: pa.ChunkedArray) -> Typed | None:
    if not _all(text, _MOMENT):
        return None
    text = pc.replace_substring(text, "/", "-")
    if not _any(text, _ZONE):
        values = _cast(text, pa.timestamp("us"))
        if values is None:
            values = _cast(text, pa.timestamp("ns"))  # more than six digits of a second
        return None if values is None else Typed(pc.cast(values, pa.timestamp("us"), safe=False))
    values = _cast(text, pa.timestamp("us", "UTC"))
    if values is None:
        return Typed(text, "mixes timestamps with and without a zone; kept as text")
    return Typed(pc.cast(values, pa.timestamp("us")), "has time zones; converted to UTC")


def _civil(text: pa.ChunkedArray, dayfirst: bool | None) -> Typed | None:
    if not _all(text, _CIVIL):
        return None
    parts = pc.extract_regex(text, _CIVIL).combine_chunks()
    if isinstance(parts, pa.ChunkedArray):
        parts = parts.chunk(0)
    if not pc.all(pc.equal(parts.field("s"), parts.field("t")), min_count=0).as_py():
        return None
    missing = parts.is_null().to_numpy(zero_copy_only=False)

    def number(name: str) -> np.ndarray:
        field = pc.if_else(pc.equal(pc.binary_length(parts.field(name)), 0), "0", parts.field(name))
        filled = pc.cast(field, pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        return np.where(missing, 1, filled)

    first, second, year = number("a"), number("b"), number("y")
    if dayfirst is None:
        if (first > 12).any() == (second > 12).any():
            ambiguous = not (first > 12).any()
            note = "has dates of which day and month are not told apart; kept as text "
            return Typed(text, note + "(set the option dayfirst)" if ambiguous else "")
        dayfirst = bool((first > 12).any())
    day, month = (first, second) if dayfirst else (second, first)
    if ((month < 1) | (month > 12) | (day < 1) | (year < 1)).any():
        return None
    months = (year - 1970).astype("M8[Y]").astype("M8[M]") + (month - 1).astype("m8[M]")
    days = months.astype("M8[D]") + (day - 1).astype("m8[D]")
    if (days.astype("M8[M]") != months).any():
        return None  # such as 31 April
    timed = bool(pc.any(pc.greater(pc.binary_length(parts.field("h")), 0), min_count=0).as_py())
    if not timed:
        return Typed(pa.chunked_array([pa.array(days, pa.date32(), mask=missing)]))
    hour, minute, second = number("h"), number("m"), number("c")
    if ((hour > 23) | (minute > 59) | (second > 59)).any():
        return None
    moments = days.astype("M8[us]") + (hour * 3600 + minute * 60 + second).astype("m8[s]")
    return Typed(pa.chunked_array([pa.array(moments, pa.timestamp("us"), mask=missing)]))
