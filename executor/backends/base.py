"""The interface of a backend.

Input: an op, the values of its inputs, and where it runs. Output: the op's value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from planner.graph import Op


@dataclass(frozen=True)
class Context:
    """Where and with what an op runs.

    Attributes:
        fold: Position of the fold, None for ops that have one value for all rows.
        threads: Cores the op may use.
        datasets: Paths of dataset files (Arrow IPC) by fingerprint.
        memory: Bound for the data backend, such as ``"4GB"``.
    """

    fold: int | None
    threads: int = 1
    datasets: Mapping[str, str] = field(default_factory=dict)
    memory: str = "4GB"

    @property
    def position(self) -> int:
        """The fold, where there must be one."""
        if self.fold is None:
            raise ValueError("this op runs once per fold")
        return self.fold


class Work(NamedTuple):
    """An op with the values of its inputs, and where it runs."""

    op: Op
    inputs: Sequence[Any]
    context: Context


class Backend(Protocol):
    """Runs ops. Inputs must not be modified; a result must not share memory with them unless
    it is read-only."""

    name: str

    def supports(self, op: Op) -> bool:
        """Whether this backend can run `op` with the semantics of the Python backend."""
        ...

    def run(self, op: Op, inputs: Sequence[Any], context: Context) -> Any:
        """The value of `op`; raises `StratumError` or whatever the library raises."""
        ...


@runtime_checkable
class Together(Protocol):
    """A backend that is faster at some ops if it is given many at a time."""

    name: str

    def gathers(self, op: Op) -> bool:
        """Whether `op` is of that kind; nothing but the task's results may read its value."""
        ...

    def together(self, works: Sequence[Work]) -> list[Any | None]:
        """The value of each of `works`; None where another backend must run it."""
        ...
