"""pandas values as JSON nodes over plain arrays and Arrow tables.

Input: data frames, series, indexes, extension arrays, and pandas' scalars. Output: nodes, and
from nodes equal values of the same dtypes and labels. Columns of one NumPy dtype are kept
together, so that a numeric frame is one two-dimensional array that is mapped, not copied.

Not through pandas' own Arrow conversion: that turns NaN into null and back (a copy of every
column), merges NaN with NA, and gives mixed or non-string labels back as text.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from planner.errors import ExecutionError

Encode = Callable[[Any], Any]
Decode = Callable[[Any], Any]

_MASKED = {
    "b": pd.arrays.BooleanArray,
    "i": pd.arrays.IntegerArray,
    "u": pd.arrays.IntegerArray,
    "f": pd.arrays.FloatingArray,
}


def encode_pandas(value: Any, encode: Encode) -> Any:
    """The node of a value of a pandas type; None if it is of no type known here."""
    if value is pd.NA:
        return {"k": "NA"}
    if value is pd.NaT:
        return {"k": "NaT"}
    kind = type(value)
    if kind is pd.DataFrame:
        return _encode_frame(value, encode)
    if kind is pd.Series:
        return {
            "k": "series",
            "v": _encode_values(value, encode),
            "index": encode(value.index),
            "name": encode(value.name),
        }
    if isinstance(value, pd.Index):
        return _encode_index(value, encode)
    if kind is pd.arrays.NumpyExtensionArray:
        return {"k": "wrapped", "v": encode(value.to_numpy())}
    if isinstance(value, pd.api.extensions.ExtensionArray):
        return {"k": "extension", "v": _encode_values(pd.Series(value, copy=False), encode)}
    if kind is pd.Timestamp and value.tz is None and value.fold == 0:
        return {"k": "Timestamp", "v": [int(value.asm8.view(np.int64)), value.unit]}
    if kind is pd.Timestamp or kind is pd.Period or kind is pd.Interval:
        # Rare as single values; an array of one keeps the zone, frequency or closed side.
        return {"k": "element", "v": encode(pd.array([value]))}
    if kind is pd.Timedelta:
        return {"k": "Timedelta", "v": [int(value.asm8.view(np.int64)), value.unit]}
    return None


def decode_pandas(node: Any, decode: Decode) -> Any:
    """The value of a node made by `encode_pandas`; ValueError for any other."""
    match node["k"]:
        case "NA":
            return pd.NA
        case "NaT":
            return pd.NaT
        case "frame":
            return _decode_frame(node, decode)
        case "series":
            values, dtype = _decode_values(node["v"], decode)
            index, name = decode(node["index"]), decode(node["name"])
            return pd.Series(values, index=index, dtype=dtype, name=name, copy=False)
        case "range":
            return pd.RangeIndex(range(*node["v"]), name=decode(node["name"]))
        case "multi":
            levels, codes, names = (decode(node[part]) for part in ("levels", "codes", "names"))
            return pd.MultiIndex(levels, codes, names=names, verify_integrity=False)
        case "index":
            values, dtype = _decode_values(node["v"], decode)
            name = decode(node["name"])
            index = pd.Index(values, dtype=dtype, name=name, copy=False, tupleize_cols=False)
            if node["freq"] is not None:
                index = type(index)(index, freq=node["freq"], name=name)
            return index
        case "wrapped":
            return pd.arrays.NumpyExtensionArray(decode(node["v"]))
        case "extension":
            values, dtype = _decode_values(node["v"], decode)
            return pd.Series(values, dtype=dtype, copy=False).array
        case "Timestamp":
            return pd.Timestamp(np.datetime64(*node["v"]))
        case "Timedelta":
            return pd.Timedelta(np.timedelta64(*node["v"]))
        case "element":
            return decode(node["v"])[0]
    raise ValueError(f"unknown kind {node['k']!r}")


def _encode_frame(frame: pd.DataFrame, encode: Encode) -> Any:
    groups: dict[Any, list[int]] = {}
    for position, dtype in enumerate(frame.dtypes):
        plain = isinstance(dtype, np.dtype) and dtype.kind != "O"
        groups.setdefault(dtype if plain else position, []).append(position)
    parts = []
    for positions in groups.values():
        dtype = frame.dtypes.iloc[positions[0]]
        if not isinstance(dtype, np.dtype) or dtype.kind == "O":
            node = _encode_values(frame.iloc[:, positions[0]], encode)
        elif len(groups) == 1:
            node = encode(frame.to_numpy())  # keeps the memory order, which a fit may depend on
        else:
            # Columns are handed out one by one on loading, so each should be contiguous.
            node = encode(np.asfortranarray(frame.iloc[:, positions].to_numpy()))
        parts.append([positions, node])
    return {
        "k": "frame",
        "index": encode(frame.index),
        "columns": encode(frame.columns),
        "parts": parts,
    }


def _decode_frame(node: Any, decode: Decode) -> pd.DataFrame:
    index, columns, parts = decode(node["index"]), decode(node["columns"]), node["parts"]
    series: dict[int, Any] = {}
    for positions, part in parts:
        values, dtype = _decode_values(part, decode)
        if isinstance(values, np.ndarray) and values.ndim == 2:
            if len(parts) == 1:
                frame = pd.DataFrame(values, index=index, copy=False)
                frame.columns = columns
                return frame
            for offset, position in enumerate(positions):
                series[position] = pd.Series(values[:, offset], index=index, copy=False)
        else:
            series[positions[0]] = pd.Series(values, index=index, dtype=dtype, copy=False)
    ordered = {position: series[position] for position in range(len(columns))}
    frame = pd.DataFrame(ordered, index=index, copy=False)
    frame.columns = columns  # set last: labels need not be unique
    return frame


def _encode_index(index: Any, encode: Encode) -> Any:
    if isinstance(index, pd.RangeIndex):
        return {
            "k": "range",
            "v": [index.start, index.stop, index.step],
            "name": encode(index.name),
        }
    if isinstance(index, pd.MultiIndex):
        return {
            "k": "multi",
            "levels": encode(list(index.levels)),
            "codes": encode([np.asarray(codes) for codes in index.codes]),
            "names": encode(list(index.names)),
        }
    dated = isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex)
    return {
        "k": "index",
        "v": _encode_values(index, encode),
        "name": encode(index.name),
        "freq": index.freqstr if dated else None,
    }


def _encode_values(values: Any, encode: Encode) -> Any:
    """The values of a series or an index, without labels."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        return encode(values.to_numpy())
    if isinstance(dtype, pd.CategoricalDtype):
        return {
            "k": "categorical",
            "codes": encode(np.asarray(values.array.codes)),
            "categories": encode(dtype.categories),
            "ordered": bool(dtype.ordered),
        }
    if type(values.array) in _MASKED.values():
        mask = np.asarray(values.isna())
        data = values.array.to_numpy(dtype=dtype.numpy_dtype, na_value=dtype.numpy_dtype.type(1))
        return {"k": "masked", "data": encode(data), "mask": encode(mask)}
    if isinstance(dtype, pd.SparseDtype):
        fill = encode(np.asarray([dtype.fill_value], dtype=dtype.subtype))
        return {"k": "sparse_dtype", "fill": fill, "v": encode(np.asarray(values))}
    if isinstance(dtype, pd.StringDtype):
        node = {"dtype": "string", "storage": dtype.storage, "nan": dtype.na_value is not pd.NA}
    elif isinstance(dtype, pd.ArrowDtype):
        node = {"dtype": "arrow"}  # the Arrow type says it all
    else:
        node = {"dtype": str(dtype)}
        try:
            known = pd.api.types.pandas_dtype(str(dtype)) == dtype
        except TypeError:
            known = False
        if not (known and hasattr(dtype, "__from_arrow__")):
            raise ExecutionError(
                "unstorable_value",
                f"A column of type {dtype} cannot be stored as an intermediate result.",
                hint="Convert it to a NumPy, nullable, string or categorical type.",
            )
    data = pa.array(values.array, from_pandas=isinstance(dtype, pd.DatetimeTZDtype))
    return {**node, "k": "arrow", "v": encode(pa.table({"": data}))}


def _decode_values(node: Any, decode: Decode) -> tuple[Any, Any]:
    """The values, and the dtype to state so that pandas does not infer another one."""
    match node["k"]:
        case "categorical":
            dtype = pd.CategoricalDtype(decode(node["categories"]), node["ordered"])
            return pd.Categorical.from_codes(decode(node["codes"]), dtype=dtype), dtype
        case "masked":
            data, mask = decode(node["data"]), decode(node["mask"])
            masked = _MASKED[data.dtype.kind](data, mask)
            return masked, masked.dtype
        case "sparse_dtype":
            dense = decode(node["v"])
            dtype = pd.SparseDtype(dense.dtype, decode(node["fill"])[0])
            return pd.arrays.SparseArray(dense, dtype=dtype), dtype
        case "arrow":
            data = decode(node["v"]).column(0)
            extension: Any
            if node["dtype"] == "arrow":
                extension = pd.ArrowDtype(data.type)
            elif node["dtype"] == "string":
                missing = np.nan if node["nan"] else pd.NA
                extension = pd.StringDtype(node["storage"], na_value=missing)
            else:
                extension = pd.api.types.pandas_dtype(node["dtype"])
            return extension.__from_arrow__(data), extension
    values = decode(node)
    return values, values.dtype
