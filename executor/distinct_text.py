"""Text vectorisers that tokenise each distinct text once.

Input: texts of which many are equal, as a column of towns or diagnoses. Output: bit for bit
what scikit-learn and skrub give. Counting terms is a loop in Python, and most of the cost of a
vectoriser. Rows of equal texts have equal counts; what follows (document frequencies, the
decomposition) sees every row as before.
"""

from collections.abc import Iterable
from inspect import unwrap
from types import FunctionType
from typing import Any

import numpy as np
from sklearn.feature_extraction import text

# With fewer repetitions, finding them costs as much as it saves.
_WORTH = 0.8


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


def _listed(documents: Iterable[Any]) -> list[Any]:
    # The iterator of an Arrow-backed column makes one Python object after the other.
    whole = getattr(documents, "tolist", None)
    return whole() if whole is not None else list(documents)


class _Counting:
    """Mixed in before a vectoriser that counts: its vocabulary is filled in the same order."""

    def _count_vocab(self, raw_documents: Iterable[Any], fixed_vocab: bool) -> tuple[Any, Any]:
        documents = _listed(raw_documents)
        found = distinct(documents)
        count = super()._count_vocab  # type: ignore[misc]
        if found is None:
            return count(documents, fixed_vocab)  # type: ignore[no-any-return]
        vocabulary, counts = count(found[0], fixed_vocab)
        return vocabulary, counts[found[1]]


# They keep their names, which stand in the libraries' messages.
class CountVectorizer(_Counting, text.CountVectorizer):  # type: ignore[misc]
    """scikit-learn's CountVectorizer."""


class TfidfVectorizer(_Counting, text.TfidfVectorizer):  # type: ignore[misc]
    """scikit-learn's TfidfVectorizer."""


class HashingVectorizer(text.HashingVectorizer):  # type: ignore[misc]
    """scikit-learn's HashingVectorizer."""

    def transform(self, X: Any) -> Any:
        if isinstance(X, str):
            return super().transform(X)
        documents = _listed(X)
        found = distinct(documents)
        if found is None:
            return super().transform(documents)
        return super().transform(found[0])[found[1]]


def _string_encoder() -> Any:
    """skrub's StringEncoder over the vectorisers above; its own where its code is not as known."""
    try:
        import skrub
        from skrub import _string_encoder as module
    except ImportError:  # an optional library
        return None
    method = unwrap(skrub.StringEncoder.fit_transform)
    names = {"TfidfVectorizer": TfidfVectorizer, "HashingVectorizer": HashingVectorizer}
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
    globals()[name] = _string_encoder()
    return globals()[name]
