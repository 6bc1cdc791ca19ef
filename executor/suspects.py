"""Values that often stand for a missing one: a column in, the suspects and their counts out.

They are reported, never acted on: in one table ``NA`` means missing, in the next "no alley".
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from executor.text_types import TEXT, infer

WORDS = (
    "",
    *("?", "??", "-", "--", "---", ".", "..", "*", "_"),
    *("NA", "na", "Na", "N/A", "n/a", "#N/A", "#NA", "<NA>", "N.A.", "n.a.", "#N/A N/A"),
    *("NaN", "nan", "NAN", "-NaN", "-nan"),
    *("NULL", "null", "Null", "(null)", "None", "none", "NONE", "nil", "NIL"),
    *("missing", "Missing", "MISSING", "not available", "Not Available", "#REF!", "#VALUE!"),
)
_SENTINELS = tuple(sign * number for number in (99, 999, 9999, 99999, 999999) for sign in (-1, 1))
MAX_SHOWN = 10


def suspects_of(column: pa.ChunkedArray) -> dict[str, Any] | None:
    """Suspected stand-ins for a missing value in a text or numeric column.

    Returns:
        None, or ``{"values": {text: count}}``, most frequent first, and for text
        ``"would_be"``: the kind the column would have if they were missing.
    """
    if column.type == TEXT:
        return _words(column)
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return _sentinel(column)
    return None


def _words(column: pa.ChunkedArray) -> dict[str, Any] | None:
    known = pc.is_in(column, value_set=pa.array(WORDS, TEXT))
    hit = pc.or_(known, pc.fill_null(pc.utf8_is_space(column), False))
    if not pc.any(hit, min_count=0).as_py():
        return None
    counted = pc.value_counts(column.filter(hit)).to_pylist()
    counted.sort(key=lambda item: (-item["counts"], item["values"]))
    found: dict[str, Any] = {
        "values": {item["values"][:20]: item["counts"] for item in counted[:MAX_SHOWN]}
    }
    rest = pc.if_else(hit, pa.scalar(None, TEXT), column)
    if rest.null_count < len(rest):
        kind = infer(rest).column.type
        if kind != TEXT:
            found["would_be"] = kind_of(kind)
    return found


def kind_of(kind: pa.DataType) -> str:
    """The `planner.schema.Kind` of an Arrow type in normal form."""
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and kind.scale == 0):
        return "integer"
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "float"
    if pa.types.is_large_string(kind) or pa.types.is_string(kind):
        return "string"
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return "date"
    if pa.types.is_dictionary(kind):
        return "categorical"
    return "other"


def _sentinel(column: pa.ChunkedArray) -> dict[str, Any] | None:
    """A number such as -999 at an end of the range, far from all others."""
    extremes = pc.min_max(column).as_py()
    for end, value in ((0, extremes["min"]), (1, extremes["max"])):
        if value not in _SENTINELS:
            continue
        rest = pc.min_max(column.filter(pc.not_equal(column, value))).as_py()
        low, high = rest["min"], rest["max"]
        if low is None or not np.isfinite(low) or not np.isfinite(high):
            continue
        gap = low - value if end == 0 else value - high
        if gap > high - low and (end == 1 or low >= 0 or gap > 10 * (high - low)):
            count = pc.sum(pc.equal(column, value)).as_py()
            return {"values": {str(int(value)): count}}
    return None
