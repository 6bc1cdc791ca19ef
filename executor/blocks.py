"""Values to block files and back, by memory map and without pickle.

Input: arrays, sparse matrices, data frames, Arrow tables, scalars, and tuples, lists and dicts
of these. Output: equal values of the same types, dtypes, memory order and labels, whose large
parts are private views of the file. Runs in worker processes.

A block may have been written by a process that ran code of an agent, so loading builds plain
data only: every constructor that can be reached is named in this file or `blocks_pandas`.
"""

import ast
import datetime
import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import scipy.sparse

from executor.block_file import BlockError, BlockReader, BlockWriter, create_block, unreadable
from executor.blocks_pandas import decode_pandas, encode_pandas
from planner.errors import ExecutionError

__all__ = ["BlockError", "BlockInfo", "load", "save"]

_SPARSE = {
    name: getattr(scipy.sparse, name)
    for name in (
        *("csr_matrix", "csc_matrix", "bsr_matrix"),
        *("csr_array", "csc_array", "bsr_array"),
    )
}
_SEQUENCES = {"tuple": tuple, "list": list}
_TEXTUAL: dict[
    str, tuple[type, Callable[[Any], str], Callable[[str], Any]]
] = {  # types with an exact text form, and how to read it
    "date": (datetime.date, str, datetime.date.fromisoformat),
    "time": (datetime.time, datetime.time.isoformat, datetime.time.fromisoformat),
    "datetime": (
        datetime.datetime,
        datetime.datetime.isoformat,
        datetime.datetime.fromisoformat,
    ),
    "decimal": (Decimal, str, Decimal),
}
_OTHER, _NONE, _FALSE, _TRUE, _NA, _NAT, _FLOAT, _INT, _STR = range(9)
_SINGLETONS = ((_NONE, None), (_FALSE, False), (_TRUE, True), (_NA, pd.NA), (_NAT, pd.NaT))
_CODES = {id(value): code for code, value in _SINGLETONS}


@dataclass(frozen=True)
class BlockInfo:
    """Size of the file in bytes, and what it holds (``array``, ``frame``, ``tuple``, ...)."""

    bytes: int
    kind: str


def save(value: Any, directory: Path, name: str) -> BlockInfo:
    """Write `value` as the block `name`, replacing what is there; atomic.

    Raises:
        ExecutionError: `unstorable_value` for a type that cannot be restored exactly,
            `disk_full` if there is no room (the partial file is removed).
    """
    with create_block(directory, name) as writer:
        node = writer.manifest = _Encoder(writer).encode(value)
    return BlockInfo(writer.size, node["k"] if isinstance(node, dict) else "scalar")


def load(directory: Path, name: str) -> Any:
    """The value of the block `name`.

    Arrays may be written into: the file and other loads of it are not changed by that.

    Raises:
        BlockError: it is missing, truncated or damaged.
    """
    reader = BlockReader(directory, name)
    try:
        return _Decoder(reader).decode(reader.manifest)
    except (ArithmeticError, LookupError, TypeError, ValueError, SyntaxError) as error:
        # pyarrow's ArrowInvalid is a ValueError.
        raise unreadable(name, f"{type(error).__name__}: {error}") from error


def _unstorable(what: str) -> ExecutionError:
    return ExecutionError(
        "unstorable_value",
        f"A value of type {what} cannot be stored as an intermediate result.",
        hint="Return NumPy arrays, SciPy CSR or CSC matrices, data frames or Arrow tables.",
    )


class _Encoder:
    """Turns a value into a JSON node; large parts go to segments of the file."""

    def __init__(self, writer: BlockWriter) -> None:
        self._writer = writer

    def encode(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind in (bool, int, float):
            return value
        if kind is str:
            return _encode_text(value)
        if kind in (np.ndarray, np.memmap):
            return self._array(np.asarray(value))
        if kind in (tuple, list):
            return {"k": kind.__name__, "v": [self.encode(item) for item in value]}
        if kind is dict:
            return {"k": "dict", "v": [[self.encode(a), self.encode(b)] for a, b in value.items()]}
        if kind is pa.Table:
            return self._table(value)
        if _SPARSE.get(kind.__name__) is kind:
            parts = [value.data, value.indices, value.indptr]
            shape = [int(size) for size in value.shape]
            return {
                "k": "sparse",
                "t": kind.__name__,
                "shape": shape,
                "v": [self.encode(part) for part in parts],
            }
        if isinstance(value, np.generic):
            return self._numpy_scalar(value)
        node = encode_pandas(value, self.encode)
        if node is None:
            node = self._python_scalar(value)
        return node

    def _array(self, value: "np.ndarray[Any, Any]") -> Any:
        dtype = value.dtype
        if dtype.kind == "T":
            if hasattr(dtype, "na_object"):
                raise _unstorable(f"array of {dtype!r}")
            return {"k": "strings", "v": self._array(value.astype(object))}
        if dtype.hasobject and dtype.kind != "O":
            raise _unstorable(f"array of {dtype!r}")
        if not (value.flags.c_contiguous or value.flags.f_contiguous):
            value = value.copy(order="K")  # keeps the order of a slice of a Fortran array
        order: Literal["C", "F"]
        order = "F" if value.flags.f_contiguous and not value.flags.c_contiguous else "C"
        flat = value.ravel(order=order)
        node = {"k": "array", "shape": list(value.shape), "order": order}
        if dtype.kind == "O":
            return {**node, "k": "objects", "v": self._objects(flat.tolist())}
        offset = self._writer.align()
        if flat.nbytes:
            self._writer.write(flat.view(np.uint8))
        descr = repr(np.lib.format.dtype_to_descr(dtype))
        return {**node, "dtype": descr, "at": [offset, flat.nbytes]}

    def _objects(self, values: list[Any]) -> dict[str, Any]:
        """Python objects by type: one code each, and a typed array for each common type.

        Equal strings are kept, and loaded, once.
        """
        codes = np.empty(len(values), np.uint8)
        floats, ints, texts = array("d"), array("q"), array("q")
        distinct: dict[str, int] = {}
        others: list[Any] = []
        for position, value in enumerate(values):
            kind = type(value)
            if kind is str:
                code = _STR
                texts.append(distinct.setdefault(value, len(distinct)))
            elif kind is float:
                code = _FLOAT
                floats.append(value)
            elif kind is int and -(2**63) <= value < 2**63:
                code = _INT
                ints.append(value)
            else:
                code = _CODES.get(id(value), _OTHER)
                if code == _OTHER:
                    others.append(self.encode(value))
            codes[position] = code
        encoded = [text.encode("utf-8", "surrogatepass") for text in distinct]
        ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        return {
            "codes": self._array(codes),
            "floats": self._array(np.frombuffer(floats, np.float64)),
            "ints": self._array(np.frombuffer(ints, np.int64)),
            "texts": self._array(np.frombuffer(texts, np.int64)),
            "ends": self._array(ends),
            "utf8": self._array(np.frombuffer(b"".join(encoded), np.uint8)),
            "others": others,
        }

    def _table(self, value: pa.Table) -> Any:
        offset = self._writer.align()
        sink = _Sink(self._writer)
        with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), value.schema) as stream:
            stream.write_table(value)
        # A table without columns has no batches to carry its number of rows.
        rows = value.num_rows if not value.num_columns else None
        return {"k": "table", "rows": rows, "at": [offset, self._writer.size - offset]}

    def _numpy_scalar(self, value: np.generic) -> Any:
        if isinstance(value, np.str_):
            return {"k": "str_", "v": _encode_text(str(value))}
        if isinstance(value, np.bytes_):
            return {"k": "bytes_", "v": value.hex()}
        if value.dtype.hasobject:
            raise _unstorable(f"scalar of {value.dtype!r}")
        descr = repr(np.lib.format.dtype_to_descr(value.dtype))
        return {"k": "generic", "dtype": descr, "v": value.tobytes().hex()}

    def _python_scalar(self, value: Any) -> Any:
        kind = type(value)
        if kind is bytes:
            return {"k": "bytes", "v": value.hex()}
        if kind is complex:
            return {"k": "complex", "v": [value.real, value.imag]}
        if kind is datetime.timedelta:
            return {"k": "timedelta", "v": [value.days, value.seconds, value.microseconds]}
        for name, (exact, write, read) in _TEXTUAL.items():
            if kind is exact:
                text, fold = write(value), getattr(value, "fold", 0)
                # Zones other than a fixed offset have no text form: comparing finds them.
                if getattr(read(text), "tzinfo", None) == getattr(value, "tzinfo", None):
                    return {"k": name, "v": text, "fold": fold}
        raise _unstorable(f"{kind.__module__}.{kind.__qualname__}")


class _Sink:
    """What pyarrow needs of an output file; closing it leaves the block open."""

    closed = False

    def __init__(self, writer: BlockWriter) -> None:
        self.write = writer.write

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class _Decoder:
    """The inverse of `_Encoder`."""

    def __init__(self, reader: BlockReader) -> None:
        self._reader = reader

    def decode(self, node: Any) -> Any:
        if not isinstance(node, dict):
            return node
        kind = node["k"]
        if kind == "array":
            return self._array(node)
        if kind in _SEQUENCES:
            return _SEQUENCES[kind](self.decode(item) for item in node["v"])
        if kind == "objects":
            return _shaped(self._objects(node["v"]), node)
        if kind == "strings":
            return self.decode(node["v"]).astype(np.dtypes.StringDType())
        if kind == "dict":
            return {self.decode(a): self.decode(b) for a, b in node["v"]}
        if kind == "table":
            buffer = pa.py_buffer(self._reader.segment(*node["at"]))
            table = pa.ipc.open_stream(buffer).read_all()
            if node["rows"] is not None and not table.num_columns:
                table = _without_columns(table.schema, node["rows"])
            return table
        if kind == "sparse":
            data, indices, indptr = (self.decode(part) for part in node["v"])
            matrix = _SPARSE[node["t"]](tuple(node["shape"]), dtype=data.dtype)
            # The usual constructor would narrow 64-bit indices, which copies them.
            matrix.data, matrix.indices, matrix.indptr = data, indices, indptr
            return matrix
        return self._scalar(kind, node)

    def _array(self, node: Any) -> "np.ndarray[Any, Any]":
        dtype = np.lib.format.descr_to_dtype(ast.literal_eval(node["dtype"]))
        offset, length = node["at"]
        count = math.prod(node["shape"])
        if count * dtype.itemsize != length:
            raise ValueError("an array's shape and size differ")
        if length == 0:
            flat = np.empty(count, dtype)
        else:
            flat = np.frombuffer(self._reader.segment(offset, length), dtype)
        return _shaped(flat, node)

    def _objects(self, node: Any) -> "np.ndarray[Any, Any]":
        codes = self.decode(node["codes"])
        values = np.empty(len(codes), object)
        for code, singleton in _SINGLETONS:
            values[codes == code] = singleton
        floats = self.decode(node["floats"])
        boxed = floats.astype(object)
        boxed[np.isnan(floats)] = np.nan  # the one object, as identity tests expect
        values[codes == _FLOAT] = boxed
        values[codes == _INT] = self.decode(node["ints"]).astype(object)
        utf8, ends = self.decode(node["utf8"]).tobytes(), self.decode(node["ends"])
        distinct = np.empty(len(ends) - 1, object)
        for position, (start, end) in enumerate(pairwise(ends)):
            distinct[position] = utf8[start:end].decode("utf-8", "surrogatepass")
        values[codes == _STR] = distinct[self.decode(node["texts"])]
        for place, other in zip(np.flatnonzero(codes == _OTHER), node["others"], strict=True):
            values[place] = self.decode(other)
        return values

    def _scalar(self, kind: str, node: Any) -> Any:
        value = node.get("v")
        match kind:
            case "text":
                return bytes.fromhex(value).decode("utf-8", "surrogatepass")
            case "bytes":
                return bytes.fromhex(value)
            case "complex":
                return complex(*value)
            case "timedelta":
                return datetime.timedelta(*value)
            case "str_":
                return np.str_(self.decode(value))
            case "bytes_":
                return np.bytes_(bytes.fromhex(value))
            case "generic":
                dtype = np.lib.format.descr_to_dtype(ast.literal_eval(node["dtype"]))
                return np.frombuffer(bytes.fromhex(value), dtype)[0]
        if kind in _TEXTUAL:
            read = _TEXTUAL[kind][2](value)
            return read.replace(fold=1) if node["fold"] else read
        return decode_pandas(node, self.decode)


def _encode_text(value: str) -> Any:
    try:
        value.encode()
    except UnicodeEncodeError:  # JSON would join a pair of surrogates into one character
        return {"k": "text", "v": value.encode("utf-8", "surrogatepass").hex()}
    return value


def _shaped(flat: "np.ndarray[Any, Any]", node: Any) -> "np.ndarray[Any, Any]":
    return flat.reshape(node["shape"], order=node["order"])


def _without_columns(schema: pa.Schema, rows: int) -> pa.Table:
    placeholder = pa.table({"rows": pa.nulls(rows)}, metadata=schema.metadata)
    return placeholder.select([])
