"""Estimator expressions: text such as ``Ridge(alpha=0.1)`` parsed from Python's AST, never run.

Input: text or the dict form. Output: immutable `Call` values with canonical text.
"""

from dataclasses import dataclass
from typing import TypeAlias

Literal: TypeAlias = "None | bool | int | float | str | Call | Function | Items | Pairs"


@dataclass(frozen=True)
class Items:
    """A list or a tuple; scikit-learn tells them apart (``ngram_range`` must be a tuple)."""

    kind: str  # "list" or "tuple"
    values: tuple["Literal", ...]


@dataclass(frozen=True)
class Pairs:
    """A dict, in the order written."""

    items: tuple[tuple["Literal", "Literal"], ...]


@dataclass(frozen=True)
class Function:
    """A function from the allow-list, such as ``f_regression`` or ``log1p``."""

    name: str


@dataclass(frozen=True)
class Call:
    """A constructor call: registry name, and parameters sorted by name, defaults left out."""

    name: str
    params: tuple[tuple[str, "Literal"], ...] = ()
