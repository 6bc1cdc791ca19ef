"""Class labels as whole numbers.

Input: class labels, and targets or predictions made of them. Output: their places among the
labels; None where the library's own comparisons could see something else in them.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from executor.scoring import plain

Vector = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Labels:
    """Distinct labels in ascending order: integers, booleans, whole floats, or strings."""

    values: Vector
    kind: str

    @classmethod
    def of(cls, classes: Any) -> "Labels | None":
        """The labels, if they are of one kind and sorted."""
        if classes is None:
            return None
        values = plain(classes, numeric=False)
        kind = _kind(values)
        if kind is None or values.ndim != 1 or not len(values):
            return None
        if kind == "str":
            texts = values.tolist()
            if not all(isinstance(text, str) for text in texts):
                return None
            ascending = all(a < b for a, b in pairwise(texts))
        else:
            ascending = bool((values[1:] > values[:-1]).all())
            # Fractions are no classes to the library.
            if kind == "f" and not bool((values == np.floor(values)).all()):
                return None
        return cls(values, kind) if ascending else None

    @classmethod
    def united(cls, known: Vector, values: Vector) -> "Labels | None":
        """The labels of both, if those are of one kind."""
        if _kind(known) != _kind(values):
            return None
        try:
            return cls.of(np.unique(np.concatenate([known, values])))
        except TypeError:  # strings among other things
            return None

    def numbers(self, values: Vector) -> tuple[Vector, Vector] | None:
        """(n,) int64 that stand for `values`, and for the labels; values that are no labels may
        stand for themselves."""
        if self.kind == "i" and values.dtype == self.values.dtype == np.int64:
            return (values, self.values) if values.ndim == 1 else None
        codes = self.codes(values)
        return None if codes is None else (codes, np.arange(len(self.values)))

    def codes(self, values: Vector) -> Vector | None:
        """(n,) int64: the place of each of `values`; None if one is no label, or of another
        kind."""
        if values.ndim != 1 or _kind(values) != self.kind:
            return None
        if self.kind == "str":
            index = pd.Index(self.values.astype(object))
            places = index.get_indexer(pd.Index(values.astype(object)))
            return None if (places < 0).any() else np.asarray(places, dtype=np.int64)
        places = np.searchsorted(self.values, values)
        places[places == len(self.values)] = 0
        return places if bool((self.values[places] == values).all()) else None


def _kind(values: Vector) -> str | None:
    kind = values.dtype.kind
    if kind in "iu":
        return "i"
    if kind in "OU":
        return "str"
    return kind if kind in "bf" else None
