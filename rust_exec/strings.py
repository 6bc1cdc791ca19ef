"""Terms of texts, counted or hashed as scikit-learn's vectorisers do.

Texts are handed over as Arrow keeps them: one UTF-8 buffer and int64 offsets.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rust_exec import _native
from rust_exec._native import KernelInputError

_OTHER, _WORD, _SPACE = 0, 1, 2


class Texts(NamedTuple):
    """Text k is ``bytes[offsets[k]:offsets[k + 1]]``.

    Attributes:
        bytes: (b,) uint8, UTF-8, contiguous.
        offsets: (k + 1,) int64 of k texts, ascending, contiguous.
    """

    bytes: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def strings(self) -> list[str]:
        """The texts as Python strings."""
        whole = self.bytes.tobytes()
        ends = self.offsets.tolist()
        if whole.isascii():
            text = whole.decode()
            return [text[a:b] for a, b in itertools.pairwise(ends)]
        return [whole[a:b].decode() for a, b in itertools.pairwise(ends)]


def as_texts(values: Sequence[str]) -> Texts:
    """Strings as the kernels take them.

    Args:
        values: k strings.

    Returns:
        k texts, not to be written to.

    Raises:
        TypeError: a value is no string.
        UnicodeEncodeError: a string has a surrogate, which UTF-8 cannot hold.
    """
    joined = "".join(values)
    if joined.isascii():
        encoded, sizes = joined.encode(), [len(value) for value in values]
    else:
        parts = [value.encode() for value in values]
        encoded, sizes = b"".join(parts), [len(part) for part in parts]
    offsets = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    return Texts(np.frombuffer(encoded, dtype=np.uint8), offsets)


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What is a term of a text, as scikit-learn's vectorisers define it.

    Attributes:
        analyzer: ``"word"``, ``"char"`` or ``"char_wb"``.
        ngram_range: least and most words or characters of a term, at least 1.
        least: characters of the shortest word: words are the runs of ``\\w`` of at least this
            length (2: scikit-learn's default ``token_pattern``).
        lower: make the letters of ASCII small; texts with others must be lowercased before.
        stop_words: words that are left out before n-grams are formed.
    """

    analyzer: Literal["word", "char", "char_wb"]
    ngram_range: tuple[int, int] = (1, 1)
    least: int = 2
    lower: bool = False
    stop_words: Texts = field(default_factory=lambda: as_texts(()))


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """A sparse matrix of counts by text (row) and term (column), row after row.

    Attributes:
        indptr: (k + 1,) int64, where rows begin.
        indices: (z,) int32, columns, in a row in the order in which the terms first come up in
            the text (hashes: ascending).
        values: (z,) int32 counts (hashes: float64, signed, possibly zero).
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    values: NDArray[Any]


def count_terms(found: Texts, terms: Terms, *, threads: int = 1) -> tuple[Texts, Counts]:
    """The terms in order of first appearance, and how often each text has them.

    Semantics of ``CountVectorizer`` of scikit-learn before it sorts and prunes terms. Characters
    are classified, and strings compared, as Python does.

    Args:
        found: the texts.
        terms: what is a term.
        threads: most threads to use, the caller's included. Results do not depend on it.

    Returns:
        The terms, and a column of counts for each.

    Raises:
        KernelInputError: codes ``bad_array``, ``bad_texts``, ``bad_analyzer``, ``bad_token``,
            ``bad_ngram_range``, ``too_many_terms``, ``bad_threads``.
        KernelInternalError: the kernel failed.
    """
    listed, rows = _native.strings_count(found, _settings(found, terms), threads)
    return Texts(*listed), Counts(*rows)


def count_known_terms(found: Texts, terms: Terms, vocabulary: Texts) -> Counts:
    """How often each text has each term of `vocabulary`; column k is its k-th term.

    Args:
        found: the texts.
        terms: what is a term.
        vocabulary: the terms that are counted, distinct.

    Raises:
        KernelInputError: codes as in :func:`count_terms`, and ``duplicate_term``.
        KernelInternalError: the kernel failed.
    """
    return Counts(*_native.strings_count_known(found, _settings(found, terms), vocabulary))


def hash_terms(found: Texts, terms: Terms, columns: int, *, alternate_sign: bool = True) -> Counts:
    """Terms counted by their hash, modulo `columns`.

    Semantics of ``FeatureHasher(input_type="string")`` of scikit-learn: signed MurmurHash3 with
    seed 0; with `alternate_sign`, terms of negative hash count -1.

    Args:
        found: the texts.
        terms: what is a term.
        columns: of the matrix, 1 to 2^31 - 1.
        alternate_sign: whether counts are signed.

    Raises:
        KernelInputError: codes as in :func:`count_terms`, and ``bad_columns``.
        KernelInternalError: the kernel failed.
    """
    settings = _settings(found, terms)
    return Counts(*_native.strings_hash(found, settings, columns, alternate_sign))


def equal_rows(
    data: NDArray[Any], indices: NDArray[np.int32], indptr: NDArray[np.int32], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Which rows of a sparse matrix have the same entries in the same order, to the last bit.

    Args:
        data: (z,) values of a numeric dtype, in compressed sparse rows; contiguous, as the others.
        indices: (z,) columns.
        indptr: (n + 1,) where the rows begin.
        most: how many distinct rows are looked for.

    Returns:
        (n,) numbers of rows, equal for equal rows, in order of first appearance, and for each
        number the first such row. None if there are more than `most`.

    Raises:
        KernelInputError: codes ``bad_array``, ``bad_sparse_matrix``.
        KernelInternalError: the kernel failed.
    """
    return _native.equal_rows((_bytes(data), indices, indptr), data.itemsize, most)


def _bytes(data: Any) -> NDArray[np.uint8]:
    numeric = isinstance(data, np.ndarray) and data.ndim == 1 and data.dtype.kind in "biufc"
    if numeric and data.flags.c_contiguous:
        found: NDArray[np.uint8] = data.view(np.uint8)
        return found
    error = KernelInputError("data must be a contiguous 1-d NumPy array of numbers")
    error.code = "bad_array"
    raise error


def _settings(found: Texts, terms: Terms) -> "_native.StringsSettings":
    # What is a letter or a space depends on Python's version of Unicode, so Python is asked.
    characters = _native.strings_alphabet(found)
    classes = np.fromiter(map(_class, map(chr, characters.tolist())), np.uint8, len(characters))
    return (terms.analyzer, terms.least, terms.ngram_range, terms.lower, terms.stop_words,
            (characters, classes))  # fmt: skip


def _class(character: str) -> int:
    if character.isspace():
        return _SPACE
    return _WORD if character.isalnum() else _OTHER
