"""The physical side: what the planner hands to the executor.

A `Task` is a straight-line program that one worker runs without interruption. Values are named
by (node key, fold); those in `saves` become blocks that other tasks load.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from planner.graph import Op


class Value(NamedTuple):
    """A value of a node: `fold` is None where the node has one value for all rows."""

    key: str
    fold: int | None = None

    @property
    def name(self) -> str:
        """File-system safe name of the block that holds it."""
        return self.key if self.fold is None else f"{self.key}-{self.fold}"


class Instruction(NamedTuple):
    """`op` applied to `inputs`, in the op's own order."""

    out: Value
    op: Op
    inputs: tuple[Value, ...]


@dataclass(frozen=True)
class Task:
    """A fragment that runs in one worker.

    Attributes:
        id: Position in the plan; stable within it.
        instructions: In execution order; each reads earlier outputs or `loads`.
        loads: Values read from blocks, made by the tasks in `needs`.
        saves: Values that become blocks.
        offers: Values that nobody waits for; those that took long for their size become blocks.
        scores: Values that are returned as floats (outputs of Score).
        needs: Ids of tasks that must have finished.
        pipelines: Positions of the pipelines that depend on this task.
        threads: Cores taken from the budget while it runs; idle ones are lent (`executor.queue`).
        seconds: Expected duration at that many threads; `expected` is that of each instruction.
        bytes: Expected peak memory above the worker's base.
    """

    id: int
    instructions: tuple[Instruction, ...]
    loads: tuple[Value, ...]
    saves: tuple[Value, ...]
    scores: tuple[Value, ...]
    needs: tuple[int, ...]
    pipelines: tuple[int, ...]
    threads: int = 1
    seconds: float = 0.0
    bytes: int = 0
    expected: tuple[float, ...] = ()
    offers: tuple[Value, ...] = ()


@dataclass(frozen=True)
class PipelinePlan:
    """How one pipeline's answer is put together.

    `scores[metric][seed][fold]` names the score values; `keys[metric][seed]` are the logical
    keys (before rewriting) under which the catalog keeps the per-fold results. `places` maps a
    node key to the place in the spec it came from.
    """

    index: int
    scores: dict[str, list[list[Value]]]
    keys: dict[str, list[str]]
    places: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """Tasks in a valid order (inputs first, then by what gives early results)."""

    tasks: tuple[Task, ...]
    pipelines: tuple[PipelinePlan, ...]
