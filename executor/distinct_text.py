"""Text vectorisers that tokenise each distinct text once.

Input: texts of which many are equal, as a column of towns or diagnoses. Output: bit for bit
what scikit-learn and skrub give. Rows of equal texts have equal counts and weights, and equal
rows in products; what looks at several rows (document frequencies, the decomposition) sees every
row as before.
"""

from inspect import unwrap
from types import FunctionType
from typing import Any

import numpy as np
from sklearn.feature_extraction import text
from sklearn.preprocessing import normalize

from executor.repeated import by_document, listed
from executor.repeated_rows import RepeatedRows, TruncatedSVD
from executor.term_counts import (
    Counting,
    expanded,
    fit_idf,
    kernel,
    sparse,
    weighable,
    weighted,
)


# They keep their names, which stand in the libraries' messages.
class CountVectorizer(Counting, text.CountVectorizer):  # type: ignore[misc]
    """scikit-learn's CountVectorizer."""

    def fit_transform(self, raw_documents: Any, y: Any = None) -> Any:
        found = weighable(self, raw_documents)
        if found is None:
            return super().fit_transform(raw_documents)
        return self._expanded(self._fitted(found), found.codes)


class TfidfVectorizer(Counting, text.TfidfVectorizer):  # type: ignore[misc]
    """scikit-learn's TfidfVectorizer."""

    def fit_transform(self, raw_documents: Any, y: Any = None) -> Any:
        found = weighable(self, raw_documents)
        if found is None:
            return super().fit_transform(raw_documents)
        self._check_params()
        self._tfidf = text.TfidfTransformer(
            norm=self.norm,
            use_idf=self.use_idf,
            smooth_idf=self.smooth_idf,
            sublinear_tf=self.sublinear_tf,
        )
        counts = self._fitted(found)
        fit_idf(self._tfidf, counts, found.weights)
        return self._expanded(weighted(self._tfidf, counts), found.codes)


class HashingVectorizer(text.HashingVectorizer):  # type: ignore[misc]
    """scikit-learn's HashingVectorizer."""

    _expanded: Any = staticmethod(expanded)

    def transform(self, X: Any) -> Any:
        if isinstance(X, str):
            return super().transform(X)
        found = by_document(X)
        return self._expanded(self._hashed(found.documents), found.codes)

    def _hashed(self, documents: Any) -> Any:
        counted = None
        kinds = (np.float64, np.float32, np.int64)
        if kernel() and len(documents) and np.dtype(self.dtype) in map(np.dtype, kinds):
            self._validate_ngram_range()
            counted = kernel().hashed(self, documents)
        if counted is None:
            return super().transform(listed(documents))
        self.build_analyzer()  # warns of stop words
        parts = counted.values, counted.indices, counted.indptr.astype(np.int32)
        shape = len(documents), self.n_features
        hashes = sparse(parts, shape, self.dtype)
        if self.binary:
            hashes.data.fill(1)
        return hashes if self.norm is None else normalize(hashes, norm=self.norm, copy=False)


class _Repeating(TfidfVectorizer):
    """For a decomposition next: it is told which rows are equal."""

    _expanded: Any = staticmethod(RepeatedRows.of)


def string_encoder(decomposition: Any = TruncatedSVD) -> Any:
    """skrub's StringEncoder over the vectorisers above and a TruncatedSVD; its own where its
    code is not as known."""
    try:
        import skrub
        from skrub import _string_encoder as module
    except ImportError:  # an optional library
        return None
    method = unwrap(skrub.StringEncoder.fit_transform)
    names = {
        "TfidfVectorizer": _Repeating,
        "HashingVectorizer": HashingVectorizer,
        "TruncatedSVD": decomposition,
    }
    if not isinstance(method, FunctionType) or not names.keys() <= vars(module).keys():
        return skrub.StringEncoder
    # skrub's own function, for which these names mean our classes; skrub itself stays as it is.
    own = FunctionType(
        method.__code__, {**vars(module), **names}, method.__name__,
        method.__defaults__, method.__closure__,
    )  # fmt: skip
    own.__kwdefaults__ = method.__kwdefaults__
    return type(
        "StringEncoder",
        (skrub.StringEncoder,),
        {"fit_transform": own, "__module__": __name__, "__doc__": "skrub's StringEncoder."},
    )


def __getattr__(name: str) -> Any:
    """StringEncoder is made on first use: skrub is optional, and takes a second to import."""
    if name != "StringEncoder":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = string_encoder()
    return globals()[name]
