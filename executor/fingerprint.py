"""The content of a table as a key: a table in normal form in, a hex digest out."""

from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

VERSION = b"stratum-table/1"


def fingerprint(table: pa.Table) -> str:
    """BLAKE2b-128 (hex) over names, types, values and row order of `table`.

    Neither the chunking of the table nor the bytes that lie under missing values count.
    """
    digest = blake2b(digest_size=16)
    digest.update(VERSION + b"%d\0" % table.num_rows)
    for name, column in zip(table.column_names, table.columns, strict=True):
        head = f"{name}\0{column.type}\0".encode()
        digest.update(b"%d\0" % len(head) + head)
        array = column.combine_chunks()
        for chunk in array.chunks if isinstance(array, pa.ChunkedArray) else [array]:
            _update(digest, chunk)
    return digest.hexdigest()


def _update(digest: Any, array: pa.Array) -> None:
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    digest.update(np.packbits(valid).tobytes())
    kind = array.type
    if pa.types.is_large_string(kind) or pa.types.is_large_binary(kind):
        digest.update(_view(pc.fill_null(pc.binary_length(array), 0)))
        _, offsets, data = array.buffers()
        # The values lie one after another, except for bytes under missing ones.
        if array.null_count:
            array = array.drop_null()
            _, offsets, data = array.buffers()
        if data is not None and len(array):
            bounds = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
            digest.update(memoryview(data)[int(bounds[0]) : int(bounds[-1])])
        return
    if pa.types.is_boolean(kind):
        digest.update(np.packbits(pc.fill_null(array, False).to_numpy(zero_copy_only=False)))
        return
    width = kind.bit_width // 8
    if array.null_count:
        array = array.drop_null()
    _, data = array.buffers()
    if data is not None:
        digest.update(memoryview(data)[array.offset * width : (array.offset + len(array)) * width])


def _view(numbers: pa.Array) -> np.ndarray:
    return np.ascontiguousarray(numbers.to_numpy(zero_copy_only=False).astype("<i8"))
