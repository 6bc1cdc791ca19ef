"""Columns in which few values repeat: the distinct values, and which of them each row has.

Input: documents (a text column, a list). Output: the distinct ones in order of first appearance.
Rows of equal texts have equal counts of terms; what looks at several rows (document
frequencies) weighs each distinct text by its number of rows.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

# With fewer repetitions, finding them costs as much as it saves.
_WORTH = 0.8


@dataclass(frozen=True, eq=False)
class Repeated:
    """Distinct documents, and for each row its document.

    Attributes:
        documents: k distinct documents: objects, or an Arrow array of strings without nulls.
        codes: (n,) int64, 0 <= code < k; ascending where a number first comes up.
    """

    documents: Sequence[Any] | pa.LargeStringArray
    codes: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """(k,) rows of each document."""
        return np.bincount(self.codes, minlength=len(self.documents))


def distinct(documents: list[Any]) -> tuple[list[Any], np.ndarray] | None:
    """The distinct documents in order of first appearance, and for each document the position
    of its equal among them; None where that would not pay, or is not possible."""
    positions: dict[Any, int] = {}
    try:
        codes = [positions.setdefault(document, len(positions)) for document in documents]
    except TypeError:  # not hashable: the library has its own words for it
        return None
    if len(positions) > _WORTH * len(documents):
        return None
    return list(positions), np.asarray(codes, dtype=np.int64)


def repeated(documents: Iterable[Any]) -> Repeated | None:
    """The distinct documents of a column; None where they hardly repeat (or if that cannot be
    told)."""
    if isinstance(documents, Repeated):
        return documents
    if hasattr(documents, "__next__"):  # can be read once
        return None
    strings = arrow_strings(documents)
    if strings is None:
        found = distinct(listed(documents))
        return None if found is None else Repeated(*found)
    encoded = strings.dictionary_encode()
    if len(encoded.dictionary) > _WORTH * len(strings):
        return None
    codes = encoded.indices.to_numpy().astype(np.int64)
    return Repeated(encoded.dictionary, codes)


def by_document(documents: Iterable[Any]) -> Repeated:
    """The distinct documents of a column; where they hardly repeat, all, as if distinct."""
    found = repeated(documents)
    if found is None:
        listing = plain(documents)
        found = Repeated(listing, np.arange(len(listing), dtype=np.int64))
    return found


def plain(documents: Any) -> Any:
    """Documents as the kernel and the library can take them: an Arrow array, or a list."""
    strings = arrow_strings(documents)
    return listed(documents) if strings is None else strings


def arrow_strings(documents: Any) -> pa.LargeStringArray | None:
    """The Arrow array behind a text column without gaps, if there is one."""
    if isinstance(documents, pa.LargeStringArray):
        return documents
    if not isinstance(documents, pd.Series) or not isinstance(documents.dtype, pd.StringDtype):
        return None
    if documents.dtype.storage != "pyarrow" or documents.hasnans:
        return None
    chunks = pa.chunked_array(pa.array(documents.array, pa.large_string()))
    # Joining copies, even a single one.
    return chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()


def listed(documents: Iterable[Any]) -> list[Any]:
    """The documents as Python objects."""
    if isinstance(documents, pa.Array):
        return list(documents.to_pylist())
    # The iterator of an Arrow-backed column makes one Python object after the other.
    whole = getattr(documents, "tolist", None)
    return whole() if whole is not None else list(documents)
