"""Counts of terms in distinct documents, and what a vectoriser of scikit-learn makes of them.

Input: a vectoriser and documents. Output: bit for bit what the library gives. Counting is the
kernel's where it knows the analyzer, else the library's. Which terms are kept is decided here,
by document frequencies that weigh each document by its number of rows; they are integers, and
therefore exact. What follows in a row (logarithms, weights, norms) depends on that row alone
and is the library's own code on the distinct documents.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from numbers import Integral
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.feature_extraction import text

from executor.repeated import Repeated, by_document, listed

# scikit-learn's words.
EMPTY = "empty vocabulary; perhaps the documents only contain stop words"
_LARGEST = np.iinfo(np.int32).max
# Entries of a sparse matrix that are summed or weighted at a time.
_ENTRIES = 1 << 18


@cache
def kernel() -> Any:
    """The module that counts by a kernel; None where there is no kernel."""
    try:
        from executor.backends.rust import strings
    except ImportError:  # a platform without a built extension
        return None
    return strings


def sparse(parts: tuple[Any, Any, Any], shape: tuple[int, int], dtype: Any) -> Any:
    """A matrix of the class that scikit-learn gives (data, columns, row bounds)."""
    kind = type(text.CountVectorizer(analyzer=list)._count_vocab(["a"], False)[1])
    return kind(parts, shape=shape, dtype=dtype)


def expanded(rows: Any, codes: np.ndarray) -> Any:
    """The rows of all documents from those of the distinct ones."""
    if len(codes) == rows.shape[0]:  # each is the only one of its kind, and they are in order
        return rows
    if np.diff(rows.indptr)[codes].sum(dtype=np.int64) > _LARGEST:
        parts = rows.data, rows.indices.astype(np.int64), rows.indptr.astype(np.int64)
        rows = type(rows)(parts, shape=rows.shape)
    return rows[codes]


class Counting:
    """Mixed in before a vectoriser that counts.

    Each distinct document is looked at once. A vocabulary is filled in the library's order, on
    which the order of columns within a row, and so that of sums, depends.
    """

    _expanded: Any = staticmethod(expanded)

    def _count_vocab(self, raw_documents: Any, fixed_vocab: bool) -> tuple[Any, Any]:
        if isinstance(raw_documents, Repeated):  # only the distinct rows are wanted
            return self._counted(raw_documents.documents, fixed_vocab)
        found = by_document(raw_documents)
        vocabulary, counts = self._counted(found.documents, fixed_vocab)
        return vocabulary, expanded(counts, found.codes)

    def transform(self, raw_documents: Any) -> Any:
        if isinstance(raw_documents, str):
            return super().transform(raw_documents)  # type: ignore[misc]
        found = by_document(raw_documents)
        return self._expanded(super().transform(found), found.codes)  # type: ignore[misc]

    def counts_of(self, raw_documents: Any) -> tuple[dict[str, int], Any, np.ndarray]:
        """All terms, their counts in distinct documents, and which of these each row is."""
        self._checked()
        found = by_document(raw_documents)
        vocabulary, counts = self._count_vocab(found, False)
        return vocabulary, counts, found.codes

    def _checked(self) -> None:
        self._validate_params()  # type: ignore[attr-defined]
        self._validate_ngram_range()  # type: ignore[attr-defined]
        self._warn_for_unused_params()  # type: ignore[attr-defined]
        self._validate_vocabulary()  # type: ignore[attr-defined]

    def _counted(self, documents: Any, fixed_vocab: bool) -> tuple[Any, Any]:
        """The vocabulary in order of first appearance, and counts, columns ascending."""
        known = self.vocabulary_ if fixed_vocab else None
        counted = kernel() and kernel().count(self, documents, known)
        if not counted or len(counted[1].indices) > _LARGEST:
            documents = listed(documents) if isinstance(documents, pa.Array) else documents
            return super()._count_vocab(documents, fixed_vocab)  # type: ignore[misc, no-any-return]
        self.build_analyzer()  # type: ignore[attr-defined]  # warns of stop words
        terms, rows = counted
        if terms is None:
            vocabulary: Mapping[str, int] = self.vocabulary_
        else:
            vocabulary = {term: place for place, term in enumerate(terms)}
            if not vocabulary:
                raise ValueError(EMPTY)
        parts = rows.values, rows.indices, rows.indptr.astype(np.int32)
        shape = len(rows.indptr) - 1, len(vocabulary)
        counts = sparse(parts, shape, self.dtype)  # type: ignore[attr-defined]
        counts.sort_indices()
        return vocabulary, counts

    def _fitted(self, found: Repeated) -> Any:
        """Fits the vocabulary; the counts of the distinct documents in its columns."""
        self._checked()
        vocabulary, counts = self._count_vocab(found, False)
        if self.binary:  # type: ignore[attr-defined]
            counts.data.fill(1)
        counts = pruned(self, vocabulary, counts, found.weights)
        self.vocabulary_ = vocabulary
        return counts


def weighable(model: Any, raw_documents: Any) -> Repeated | None:
    """The distinct documents, if sums over rows are exact in the vectoriser's type, and so may
    be products."""
    if isinstance(raw_documents, str) or model.vocabulary is not None:
        return None
    exact = np.dtype(model.dtype) in (np.dtype(np.int64), np.dtype(np.float64))
    return by_document(raw_documents) if exact or model.max_features is None else None


def pruned(model: Any, vocabulary: dict[str, int], counts: Any, weights: np.ndarray) -> Any:
    """`counts` without rare and common terms, as `model` wants, columns sorted by term.

    Semantics of ``CountVectorizer.fit_transform`` of scikit-learn, where each row stands for
    `weights` equal ones. Changes `vocabulary` in place.

    Raises:
        ValueError: no term is left; in the library's words.
    """
    n = int(weights.sum())
    high, low, limit = model.max_df, model.min_df, model.max_features
    high = high if isinstance(high, Integral) else high * n
    low = low if isinstance(low, Integral) else low * n
    if high < low:
        raise ValueError("max_df corresponds to < documents than min_df")
    if limit is not None:
        counts = model._sort_features(counts, vocabulary)
    terms = counts.shape[1]
    frequencies = summed(counts.indices, counts.indptr, weights, terms)
    mask = (frequencies <= high) & (frequencies >= low)
    if limit is not None and mask.sum() > limit:
        totals = summed(counts.indices, counts.indptr, weights, terms, counts.data)
        chosen = (-totals.astype(counts.dtype)[mask]).argsort()[:limit]
        kept = np.where(mask)[0][chosen]
        mask = np.zeros(terms, dtype=bool)
        mask[kept] = True
    places = np.cumsum(mask) - 1
    for term, place in list(vocabulary.items()):
        if mask[place]:
            vocabulary[term] = places[place]
        else:
            del vocabulary[term]
    kept = np.where(mask)[0]
    if not len(kept):
        raise ValueError("After pruning, no terms remain. Try a lower min_df or a higher max_df.")
    if len(kept) < terms:  # else this would be a copy
        counts = counts[:, kept]
    return counts if limit is not None else model._sort_features(counts, vocabulary)


def summed(
    indices: np.ndarray,
    indptr: np.ndarray,
    weights: np.ndarray,
    columns: int,
    data: np.ndarray | None = None,
) -> np.ndarray:
    """(columns,) integer sums of the rows' weights, times `data` if given, by column."""
    # Sums of integers below 2^53 in float64 are exact, in whatever order.
    sums = np.zeros(columns)
    for rows, part in _some_rows(indptr, max(_ENTRIES, columns)):
        each = np.repeat(weights[rows], np.diff(indptr[rows.start : rows.stop + 1]))
        if data is not None:
            each = each * data[part]
        sums += np.bincount(indices[part], each, minlength=columns)
    return sums.astype(np.int64)


def _some_rows(indptr: np.ndarray, size: int) -> Iterator[tuple[slice, slice]]:
    """Neighbouring rows that have up to `size` entries together, or are one, and where these
    entries are."""
    start, rows = 0, len(indptr) - 1
    while start < rows:
        end = indptr.dtype.type(min(int(indptr[start]) + size, int(indptr[-1])))
        stop = max(int(np.searchsorted(indptr, end, "right")) - 1, start + 1)
        yield slice(start, stop), slice(int(indptr[start]), int(indptr[stop]))
        start = stop


def weighted(weighting: Any, counts: Any) -> Any:
    """What a fitted TfidfTransformer makes of counts, which it may write to.

    Rows do not depend on each other: some at a time, so that what the library keeps by entry is
    small.
    """
    if counts.dtype not in (np.float64, np.float32):
        return weighting.transform(counts, copy=False)
    for rows, part in _some_rows(counts.indptr, _ENTRIES):
        ends = counts.indptr[rows.start : rows.stop + 1] - counts.indptr[rows.start]
        parts = counts.data[part], counts.indices[part], ends
        some = type(counts)(parts, shape=(rows.stop - rows.start, counts.shape[1]))
        counts.data[part] = weighting.transform(some, copy=False).data
    return counts


def fit_idf(weighting: Any, counts: Any, weights: np.ndarray) -> None:
    """Fits a TfidfTransformer on rows of which each stands for `weights` equal ones.

    Semantics of ``TfidfTransformer.fit`` of scikit-learn, its operations in their order.
    """
    weighting._validate_params()
    weighting.n_features_in_ = counts.shape[1]
    if not weighting.use_idf:
        return
    dtype = counts.dtype if counts.dtype in (np.float64, np.float32) else np.float64
    n = int(weights.sum()) + int(weighting.smooth_idf)
    frequencies = summed(counts.indices, counts.indptr, weights, counts.shape[1]).astype(dtype)
    frequencies += float(weighting.smooth_idf)
    weighting.idf_ = np.full_like(frequencies, fill_value=n, dtype=dtype)
    weighting.idf_ /= frequencies
    np.log(weighting.idf_, out=weighting.idf_)
    weighting.idf_ += 1.0
