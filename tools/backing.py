"""What planning asks of the rest of the engine: operators, datasets, facts about data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from planner.registry import Registry
from planner.schema import Dataset, Statistics


@dataclass
class Backing:
    """What planning asks of the rest of the engine."""

    registry: Registry
    datasets: Mapping[str, Dataset]
    statistics: Statistics


class BackingOf(Protocol):
    """Gives what planning needs; may wait for the registry to be made. For a session, facts
    about data that are not known are not waited for (see `planner.schema.FactPending`)."""

    def __call__(self, session: str | None = None) -> Backing: ...
