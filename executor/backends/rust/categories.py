"""A column of categories in a fold, from its dictionary codes.

Input: codes of all rows, sorted categories, and the rows of a fold. Output: the source that the
kernel of encodings writes, with the categories that the library would find in the training rows;
None where the library would refuse, warn or leave the column out.
"""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

import rust_exec
from planner.expressions import Call, param


@dataclass(frozen=True)
class Categories:
    """A column of categories in a fold.

    Attributes:
        codes: (n,) int32 of all rows.
        ranks: By code, the place of its category in the sorted order; codes of one category
            have the same.
        seen: By code, how many training rows have it.
        new: By code, how many validation rows have it.
        missing: The code of NaN, -1 if there is none.
        texts: The categories in sorted order, without NaN; None if they are numbers.
    """

    codes: np.ndarray
    ranks: np.ndarray
    seen: np.ndarray
    new: np.ndarray
    missing: int
    texts: list[str] | None

    @classmethod
    def of(
        cls, codes: np.ndarray, categories: np.ndarray, rows: tuple[np.ndarray, np.ndarray]
    ) -> "Categories":
        size = len(categories)
        last = categories[-1] if size else None
        gap = isinstance(last, float | np.floating) and bool(np.isnan(last))
        texts = list(categories[: size - gap]) if categories.dtype == object else None
        seen, new = (rust_exec.count_codes(codes, size, side) for side in rows)
        return cls(codes, np.arange(size), seen, new, size - 1 if gap else -1, texts)

    def imputed(self, call: Call) -> "Categories | None":
        """The column behind a SimpleImputer for text."""
        if self.texts is None:
            return None
        if self.missing < 0:
            return self
        present = np.delete(self.seen, self.missing)
        if not present.any():
            return None  # the library drops such columns
        if param(call, "strategy") == "most_frequent":
            rank, ranks = float(np.argmax(present)), self.ranks.astype(float)
        else:
            text = param(call, "fill_value", "missing_value")
            if not isinstance(text, str):
                return None
            rank = float(bisect_left(self.texts, text))
            ranks = self.ranks.astype(float)
            if int(rank) == len(self.texts) or self.texts[int(rank)] != text:
                rank -= 0.5  # between its neighbours
        ranks[self.missing] = rank
        return Categories(self.codes, ranks, self.seen, self.new, -1, None)

    def places(self) -> tuple[np.ndarray, int, bool, int]:
        """By code, its place among the categories of the training rows, or -1; how many there
        are; whether the validation rows have others; the place of NaN, or -1."""
        known = np.unique(self.ranks[self.seen > 0])
        places = np.searchsorted(known, self.ranks)
        found = places < len(known)
        found[found] = known[places[found]] == self.ranks[found]
        places[~found] = -1
        unknown = bool((self.new[~found] > 0).any())
        gap = int(places[self.missing]) if self.missing >= 0 else -1
        return places, len(known), unknown, gap

    def one_hot(self, call: Call) -> "rust_exec.OneHot | None":
        places, size, unknown, _ = self.places()
        drop = param(call, "drop")
        # The library refuses, or warns.
        if unknown and (drop is not None or param(call, "handle_unknown", "error") == "error"):
            return None
        if drop == "first" or (drop == "if_binary" and size == 2):
            places, size = np.where(places >= 0, places - 1, -1), size - 1
        return rust_exec.OneHot(self.codes, places.astype(np.int32), size)

    def ordinal(self, call: Call) -> "rust_exec.Table | None":
        places, _, unknown, gap = self.places()
        values = places.astype(np.float64)
        if gap >= 0:
            values[places == gap] = np.nan
        if param(call, "handle_unknown") == "use_encoded_value":
            other = param(call, "unknown_value")
            if not isinstance(other, int | float):
                return None
            values[places < 0] = other
        elif unknown:
            return None
        return rust_exec.Table(self.codes, values)
