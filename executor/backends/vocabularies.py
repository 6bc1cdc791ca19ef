"""Text vectorisers from one counting of terms.

Input: a text column and folds. Output: counts of all terms; and then the matrices of each
vectoriser. Everything but the counting is scikit-learn's own code: its vectorisers are handed
the counts where they would count, in the order in which they would have come up, on which the
order of sums depends.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction import text

from executor.backends.base import Context
from executor.backends.sides import as_text, sides
from executor.construct import value
from planner.graph import Op
from planner.ops_encodings import TermCounts, Vocabulary

Counts = tuple[dict[str, int], Any]  # terms with their columns, and a sparse matrix


class _Counted:
    """Counts terms once, and remembers it; or takes the counts of both sides as given."""

    vocabulary_: dict[str, int]
    given: tuple[Any, Any, Any] | None = None  # the value of a TermCounts
    counted: Counts | None = None  # before rare and common terms were dropped

    def _count_vocab(self, raw_documents: Any, fixed_vocab: bool) -> Counts:
        if self.given is None:
            vocabulary, counts = super()._count_vocab(raw_documents, fixed_vocab)  # type: ignore[misc]
            if not fixed_vocab:
                self.counted = dict(vocabulary), counts.copy()
            return vocabulary, counts
        terms, train, valid = self.given
        dtype = self.dtype  # type: ignore[attr-defined]
        if not fixed_vocab:
            return {term: place for place, term in enumerate(terms)}, train.astype(dtype)
        places = np.array([self.vocabulary_.get(term, -1) for term in terms], valid.indices.dtype)
        return self.vocabulary_, _restricted(valid, places, len(self.vocabulary_)).astype(dtype)


# Named as what they stand for, whose name is in the library's messages.
class CountVectorizer(_Counted, text.CountVectorizer):  # type: ignore[misc]
    pass


class TfidfVectorizer(_Counted, text.TfidfVectorizer):  # type: ignore[misc]
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
    vectoriser = CountVectorizer(**params)
    vectoriser.fit_transform(train)
    assert vectoriser.counted is not None
    vectoriser.vocabulary_, counts = vectoriser.counted
    terms = np.empty(len(vectoriser.vocabulary_), dtype=object)
    terms[:] = list(vectoriser.vocabulary_)
    return terms, counts, vectoriser.transform(valid)


def _vocabulary(op: Vocabulary, inputs: Sequence[Any], context: Context) -> Any:
    kind = TfidfVectorizer if op.transformer.name == "TfidfVectorizer" else CountVectorizer
    vectoriser = kind(**{name: value(item) for name, item in op.transformer.params})
    vectoriser.given = inputs[0]
    return vectoriser.fit_transform(()), vectoriser.transform(())


RUN: dict[type[Op], Callable[[Any, Sequence[Any], Context], Any]] = {
    TermCounts: _counts,
    Vocabulary: _vocabulary,
}
