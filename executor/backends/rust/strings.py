"""Terms of texts by their kernel: what text vectorisers count and hash.

Input: a vectoriser of scikit-learn and documents. Output: its counts, or None where the kernel
does not know its analyzer (a pattern of its own, a function) or the documents are no plain
strings; scikit-learn then counts. What Python does to a string before it is cut into terms
(lower case, accents) Python does here, but for ASCII, where it is simple.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

import rust_exec
from rust_exec import (
    Counts,
    Terms,
    Texts,
    as_texts,
    count_known_terms,
    count_terms,
    hash_terms,
)

# Token patterns that mean: runs of so many word characters or more.
_RUNS = re.compile(r"(?:\(\?u\))?(?:\\b(?P<inner>.+)\\b|(?P<bare>.+))")
_LEAST = {r"\w+": 1, r"\w\w+": 2, r"\w\w\w+": 3}
_LEAST |= {rf"\w{{{n},}}": n for n in range(1, 10)}


def count(
    vectoriser: Any, documents: Any, vocabulary: Mapping[str, int] | None
) -> tuple[list[str] | None, Counts] | None:
    """Terms in order of first appearance (None with a `vocabulary`), and counts of terms by
    document; None: the library is to count."""
    prepared = _prepared(vectoriser, documents)
    if prepared is None:
        return None
    texts, terms = prepared
    if vocabulary is None:
        listed, counts = count_terms(texts, terms)
        return listed.strings(), counts
    known = _texts(sorted(vocabulary, key=vocabulary.__getitem__))
    if known is None:
        return None
    return None, count_known_terms(texts, terms, known)


def hashed(vectoriser: Any, documents: Any) -> Counts | None:
    """The signed counts of a HashingVectorizer; None: the library is to hash."""
    columns = vectoriser.n_features
    prepared = _prepared(vectoriser, documents)
    if prepared is None or type(columns) is not int or not 0 < columns < 2**31:
        return None
    found = hash_terms(*prepared, columns, alternate_sign=bool(vectoriser.alternate_sign))
    # Beyond these float32 does not count by ones, and SciPy numbers entries in 64 bits.
    if np.abs(found.values).max(initial=0) >= 2**24 or len(found.indices) >= 2**31:
        return None
    return found


def _prepared(vectoriser: Any, documents: Any) -> tuple[Texts, Terms] | None:
    terms = _terms(vectoriser)
    if terms is None:
        return None
    texts = _arrow(documents) if isinstance(documents, pa.Array) else None
    if texts is None:
        strings = documents.to_pylist() if isinstance(documents, pa.Array) else documents
        texts = _texts(strings)
        if texts is None:
            return None
    else:
        strings = None
    plain = vectoriser.strip_accents in (None, "ascii", "unicode")
    if plain and vectoriser.preprocessor is None and _is_ascii(texts):
        return texts, replace(terms, lower=bool(vectoriser.lowercase))
    preprocess = vectoriser.build_preprocessor()
    texts = _texts([preprocess(value) for value in strings or documents.to_pylist()])
    return None if texts is None else (texts, terms)


def _terms(vectoriser: Any) -> Terms | None:
    """What the vectoriser takes for a term, where the kernel knows it."""
    analyzer, sizes = vectoriser.analyzer, vectoriser.ngram_range
    if vectoriser.input != "content" or analyzer not in ("word", "char", "char_wb"):
        return None
    if not isinstance(sizes, tuple) or [type(size) for size in sizes] != [int, int]:
        return None
    if sizes[0] < 1 or sizes[0] > sizes[1]:
        return None
    if analyzer != "word":
        return Terms(analyzer, sizes)
    least = _least(vectoriser.token_pattern)
    stop_words = vectoriser.get_stop_words()
    words = _texts(list(stop_words or ()))
    if least is None or words is None or vectoriser.tokenizer is not None:
        return None
    return Terms("word", sizes, least, stop_words=words)


def _least(pattern: Any) -> int | None:
    found = _RUNS.fullmatch(pattern) if isinstance(pattern, str) else None
    return None if found is None else _LEAST.get(found["inner"] or found["bare"])


def _texts(values: Sequence[Any]) -> Texts | None:
    """Plain strings that UTF-8 can hold; else None."""
    if any(type(value) is not str for value in values):
        return None
    try:
        return as_texts(values)
    except UnicodeEncodeError:
        return None


def _arrow(strings: pa.Array) -> Texts | None:
    """The buffers of an Arrow array, as they are; None unless it is ``large_string`` without
    gaps."""
    if not isinstance(strings, pa.LargeStringArray) or strings.null_count:
        return None
    _, offsets, data = strings.buffers()
    if offsets is None:
        return as_texts(())
    ends = np.frombuffer(offsets, dtype=np.int64)[strings.offset :][: len(strings) + 1]
    return Texts(np.frombuffer(data or b"", dtype=np.uint8), ends)


def _is_ascii(texts: Texts) -> bool:
    used = texts.bytes[texts.offsets[0] : texts.offsets[-1]]
    return not len(used) or int(used.max()) < 128


def equal_rows(matrix: Any, most: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Numbers of the rows of a CSR matrix, alike for equal ones, and the first row of each
    number; None if there are more than `most`."""
    return rust_exec.equal_rows(matrix.data, matrix.indices, matrix.indptr, most)
