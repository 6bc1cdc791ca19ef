"""One column at a time: an Arrow column in, its description as JSON out."""

import math
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from executor.query import cell, cut
from executor.suspects import kind_of, suspects_of
from executor.text_types import SAMPLE

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MAX_TOP = 5
MAX_LEVELS = 20
_TEXT_NUMBER = re.compile(
    r"\s*[-+]?[$€£¥]?\s?\d{1,3}(,\d{3})+(\.\d+)?\s*%?"  # 1,234.5
    r"|\s*[-+]?[$€£¥]\s?\d+(\.\d+)?"  # $5
    r"|\s*[-+]?\d+(\.\d+)?\s*%"  # 5 %
)


def describe_column(
    name: str, column: pa.ChunkedArray, sql_type: str, sample: pa.ChunkedArray
) -> dict[str, Any]:
    """What there is to know of a column.

    Args:
        name: Its name.
        column: All values; counts, missing values, extremes and means are exact.
        sql_type: DuckDB's name of its type.
        sample: Rows of `column` for quantiles and text patterns (the column itself if small).

    Returns:
        ``name, kind, sql_type, missing, missing_fraction, distinct``, and by kind: numbers
        ``min, max, mean, std, quantiles, zeros, infinite``; dates ``min, max, sorted``; text
        ``lengths, top``; few-valued columns ``top``. ``flags`` lists what stands out:
        ``all_missing, constant, nearly_constant, id_like, free_text, numeric_text``.
    """
    rows = len(column)
    kind = kind_of(column.type)
    distinct = _distinct(column)
    missing = column.null_count
    found: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "sql_type": sql_type,
        "missing": missing,
        "missing_fraction": rounded(missing / rows),
        "distinct": distinct,
    }
    flags: list[str] = []
    present = rows - missing
    if present:
        if kind in ("integer", "float"):
            found.update(_numbers(column, sample))
        elif kind == "date":
            found.update(_dates(column))
        elif kind == "string":
            found.update(_texts(column, sample, distinct, present, flags))
        if distinct is not None:
            _shape(found, column, kind, distinct, present, flags)
    else:
        flags.append("all_missing")
    suspects = suspects_of(column)
    if suspects:
        found["suspects"] = suspects
    if flags:
        found["flags"] = flags
    return found


def _shape(
    found: dict[str, Any],
    column: pa.ChunkedArray,
    kind: str,
    distinct: int,
    present: int,
    flags: list[str],
) -> None:
    rows = len(column)
    few = kind in ("string", "boolean", "integer") or distinct <= MAX_LEVELS
    if few and distinct < present and kind != "date":
        found["top"] = top_values(column, MAX_TOP)
        if found["top"] and found["top"][0][1] >= 0.99 * rows and distinct > 1:
            flags.append("nearly_constant")
    if distinct == 1 and present == rows:
        flags.append("constant")
    # Prices and reviews are often unique too, but nobody should be told to drop them.
    if not flags and is_identifier(kind, distinct, present, found.get("mean_length", 0)):
        flags.append("id_like")


def is_identifier(kind: str, distinct: int, present: int, mean_length: float = 0) -> bool:
    """Whether nearly every value occurs once, in a column that could be a key."""
    if present < 20 or mean_length > 60:
        return False
    return (kind == "integer" and distinct == present) or (
        kind == "string" and distinct >= 0.99 * present
    )


def _distinct(column: pa.ChunkedArray) -> int | None:
    try:
        count: int = pc.count_distinct(column).as_py()
    except pa.ArrowNotImplementedError:
        return None
    return count


def _numbers(column: pa.ChunkedArray, sample: pa.ChunkedArray) -> dict[str, Any]:
    if pa.types.is_decimal(column.type):
        column, sample = (part.cast(pa.float64(), safe=False) for part in (column, sample))
    found: dict[str, Any] = {}
    if pa.types.is_floating(column.type):
        finite = pc.is_finite(column)
        infinite = pc.sum(pc.invert(finite)).as_py() or 0
        if infinite:
            found["infinite"] = infinite
            column = column.filter(finite)
            sample = sample.filter(pc.is_finite(sample))
            if column.null_count == len(column):
                return found
    ends = pc.min_max(column).as_py()
    found["min"], found["max"] = cell(ends["min"]), cell(ends["max"])
    values = column.drop_null().to_numpy().astype(np.float64, copy=False)
    with np.errstate(over="ignore", invalid="ignore"):
        found["mean"] = rounded(float(values.mean()))
        found["std"] = rounded(float(values.std(ddof=1))) if len(values) > 1 else None
    some = sample.drop_null().to_numpy()
    if len(some):
        with np.errstate(over="ignore", invalid="ignore"):
            quantiles = np.quantile(some.astype(np.float64, copy=False), QUANTILES)
        found["quantiles"] = [rounded(float(value)) for value in quantiles]
    zeros = int((values == 0).sum())
    if zeros:
        found["zeros"] = zeros
    return found


def _dates(column: pa.ChunkedArray) -> dict[str, Any]:
    ends = pc.min_max(column.cast(pa.timestamp("us"))).as_py()
    present = column.drop_null()
    steps = present.cast(pa.timestamp("us")).to_numpy().view(np.int64)
    return {
        "min": cell(ends["min"]),
        "max": cell(ends["max"]),
        "sorted": bool((steps[1:] >= steps[:-1]).all()),
    }


def _texts(
    column: pa.ChunkedArray,
    sample: pa.ChunkedArray,
    distinct: int | None,
    present: int,
    flags: list[str],
) -> dict[str, Any]:
    lengths = pc.utf8_length(column)
    ends = pc.min_max(lengths).as_py()
    mean = float(pc.mean(lengths).as_py())
    found: dict[str, Any] = {
        "min_length": ends["min"],
        "mean_length": rounded(mean),
        "max_length": ends["max"],
    }
    texts = [value for value in sample.slice(0, SAMPLE).to_pylist() if value]
    words = sum(value.count(" ") + 1 for value in texts[:1000]) / max(1, len(texts[:1000]))
    if words >= 4 and (distinct or 0) > 0.5 * present:
        flags.append("free_text")
    if texts and all(_TEXT_NUMBER.fullmatch(v) or _plain_number(v) for v in texts[:1000]):
        flags.append("numeric_text")
    return found


def _plain_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return not re.match(r"[+-]?0\d", value.strip())


def top_values(column: pa.ChunkedArray, count: int) -> list[list[Any]]:
    """The `count` most frequent non-null values as ``[[value, rows], ...]``."""
    try:
        counted = pc.value_counts(column.drop_null())
    except pa.ArrowNotImplementedError:
        return []
    order = np.argsort(-counted.field("counts").to_numpy(), kind="stable")[:count]
    best = counted.take(pa.array(order)).to_pylist()
    return [[_label(item["values"]), item["counts"]] for item in best]


def _label(value: Any) -> Any:
    return cut(value, 60) if isinstance(value, str) else cell(value, 60)


def rounded(value: float | None, digits: int = 6) -> float | None:
    """`value` to `digits` significant digits; None where it is not finite."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{digits}g}")
