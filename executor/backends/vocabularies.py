"""Text vectorisers from one counting of terms.

Input: a text column and folds. Output: counts of all terms; and then the matrices of each
vectoriser. Vectorisers are handed the counts where they would count, in the order in which they
would have come up, on which the order of sums depends. A vectoriser of fewer neighbours (one
word, of one and two) finds its terms among those of the wider range, in the same order.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from executor import distinct_text
from executor.backends.base import Context
from executor.backends.sides import as_text, sides
from executor.construct import value
from executor.repeated import Repeated, by_document
from executor.term_counts import EMPTY, weighable
from planner.graph import Op
from planner.ops_encodings import TermCounts, Vocabulary

Counts = tuple[dict[str, int], Any]  # terms with their columns, and a sparse matrix


class _Given:
    """Takes the counts of both sides as given."""

    vocabulary_: dict[str, int]
    given: tuple[Any, Any, Any]  # terms, counts of the training side, and of the other

    def _count_vocab(self, raw_documents: Any, fixed_vocab: bool) -> Counts:
        terms, train, valid = self.given
        dtype = self.dtype  # type: ignore[attr-defined]
        if not fixed_vocab:
            if not len(terms):
                raise ValueError(EMPTY)
            return {term: place for place, term in enumerate(terms)}, train.astype(dtype)
        places = np.array([self.vocabulary_.get(term, -1) for term in terms], valid.indices.dtype)
        return self.vocabulary_, _restricted(valid, places, len(self.vocabulary_)).astype(dtype)


# Named as what they stand for, whose name is in the library's messages.
class CountVectorizer(_Given, distinct_text.CountVectorizer):
    pass


class TfidfVectorizer(_Given, distinct_text.TfidfVectorizer):
    pass


def _restricted(counts: Any, places: np.ndarray, size: int) -> Any:
    """The columns of a CSR matrix that have a new place (not -1) of `size`, in these places."""
    moved = places[counts.indices]
    kept = moved >= 0
    ends = np.concatenate([[0], np.cumsum(kept)]).astype(counts.indptr.dtype)
    parts = counts.data[kept], moved[kept], ends[counts.indptr]
    restricted = type(counts)(parts, shape=(counts.shape[0], size))
    restricted.sort_indices()
    return restricted


def _counts(op: TermCounts, inputs: Sequence[Any], context: Context) -> Any:
    features, folds = inputs
    train, valid = (as_text(op.transformer, side) for side in sides(features, folds, context))
    params = {name: value(item) for name, item in op.transformer.params}
    vectoriser = distinct_text.CountVectorizer(**params)
    vectoriser.vocabulary_, counts, codes = vectoriser.counts_of(train)
    terms = np.empty(len(vectoriser.vocabulary_), dtype=object)
    terms[:] = list(vectoriser.vocabulary_)
    found = by_document(valid)
    _, valid_counts = vectoriser._count_vocab(found, True)
    return terms, counts, codes, valid_counts, found.codes


def _vocabulary(op: Vocabulary, inputs: Sequence[Any], context: Context) -> Any:
    terms, train, codes, valid, valid_codes = inputs[0]
    kind = TfidfVectorizer if op.transformer.name == "TfidfVectorizer" else CountVectorizer
    vectoriser = kind(**{name: value(item) for name, item in op.transformer.params})
    if op.narrower:
        kept = np.flatnonzero([_has(vectoriser, term) for term in terms])
        places = np.full(len(terms), -1, dtype=train.indices.dtype)
        places[kept] = np.arange(len(kept))
        terms = terms[kept]
        train, valid = (_restricted(side, places, len(kept)) for side in (train, valid))
    rows = Repeated(range(train.shape[0]), codes)
    if weighable(vectoriser, rows) is None:
        train = train[codes]
        rows = by_document(range(train.shape[0]))
    vectoriser.given = terms, train, valid
    fitted = vectoriser.fit_transform(rows)
    return fitted, vectoriser.transform(Repeated(range(valid.shape[0]), valid_codes))


def _has(vectoriser: Any, term: str) -> bool:
    """Whether a term that a wider `ngram_range` has is one of the vectoriser's own."""
    least, most = vectoriser.ngram_range
    if vectoriser.analyzer == "word":
        return bool(least <= 1 + term.count(" ") <= most)
    # Of a word that is shorter than all n-grams, char_wb makes a term with a space on both sides.
    short = vectoriser.analyzer == "char_wb" and len(term) > 2 and term[0] == term[-1] == " "
    return bool(least <= len(term) <= most or (short and len(term) < least))


RUN: dict[type[Op], Callable[[Any, Sequence[Any], Context], Any]] = {
    TermCounts: _counts,
    Vocabulary: _vocabulary,
}
