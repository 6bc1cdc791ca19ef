"""How close scores are to the library's, and how results show it.

Input: pipelines that were built, and the warnings of their runs. Output: ``"exact"`` or
``"statistical"``.
"""

from collections.abc import Iterable
from typing import Literal

from planner.graph import Node, walk
from planner.ops_trees import by_kernel

Fidelity = Literal["exact", "statistical"]

# The category of the warning that a library did what a kernel was meant to.
LIBRARY_FITTED = "LibraryFitted"


def planned(outputs: Iterable[Node]) -> Fidelity:
    """What the scores are to be: statistical if a kernel may stand in for any fit behind them."""
    found = any(by_kernel(node.op) for node in walk(outputs, tables=False))
    return "statistical" if found else "exact"


def reached(asked: Fidelity, warnings: Iterable[str]) -> Fidelity:
    """What they are: whether a kernel can take the data is the same in all folds."""
    if any(text.startswith(f"{LIBRARY_FITTED}:") for text in warnings):
        return "exact"
    return asked
