"""How large the values were that an instruction worked on, for the cost model.

Input: values of inputs and of the result. Output: plain numbers, taken from shapes only.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from executor.models import FittedModel

# rows, columns and stored values per row (0 where dense) read; columns and stored values per row
# that come out; validation rows; classes of the target (1: unknown, or none).
Extents = tuple[int, int, float, int, float, int, int]
UNKNOWN: Extents = (0, 0, 0.0, 0, 0.0, 0, 1)


def extents(inputs: Sequence[Any], result: Any, fold: int | None) -> Extents:
    """Of one instruction; `UNKNOWN` where a value has no shape. Never raises."""
    with suppress(Exception):
        return _extents(inputs, result, fold)
    return UNKNOWN


def _extents(inputs: Sequence[Any], result: Any, fold: int | None) -> Extents:
    split = next((value for value in inputs if _is_split(value)), None)
    blocks = [value for value in inputs if value is not split]
    read = blocks[0] if blocks else result
    classes = 1
    if isinstance(read, FittedModel):
        classes = 1 if read.classes is None else len(read.classes)
        read = read.valid
    if isinstance(result, FittedModel) and result.classes is not None:
        classes = len(result.classes)
    valid = 0
    if isinstance(read, tuple):
        valid = _rows(read[1]) if len(read) == 2 else 0
        read = read[0]
    rows, columns, stored = _size(read)
    if split is not None and fold is not None and not valid:
        train, out = split[fold]
        rows, valid = (len(train), len(out)) if rows != len(out) else (rows, rows)
    made = result[0] if isinstance(result, tuple) else result
    out_columns, out_stored = 0, 0.0
    if getattr(made, "shape", None) is not None:
        _, out_columns, out_stored = _size(made)
    return rows, columns, stored, out_columns, out_stored, valid, classes


def _is_split(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], tuple)


def _rows(block: Any) -> int:
    shape = getattr(block, "shape", None)
    return int(shape[0]) if shape else 0


def _size(block: Any) -> tuple[int, int, float]:
    """Rows, columns, stored values per row (0: dense) of a block, a table or a vector."""
    shape = getattr(block, "shape", None)
    if not shape:
        return 0, 0, 0.0
    rows = int(shape[0])
    columns = int(shape[1]) if len(shape) > 1 else 1
    stored = float(block.nnz) / max(rows, 1) if hasattr(block, "nnz") else 0.0
    return rows, columns, stored
