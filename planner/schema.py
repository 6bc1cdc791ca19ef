"""What the planner knows of data: columns and types of tables, never their rows.

Input: descriptions made at registration. Output: `Dataset` and `Schema` values that the
builder resolves names and selectors against.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from planner.errors import SpecError, did_you_mean
from planner.graph import Node

Kind = Literal["integer", "float", "boolean", "string", "date", "categorical", "other"]
# DATE, TIME-less and TIMESTAMP types are all of kind "date"; ENUM is "categorical".


@dataclass(frozen=True)
class Column:
    """One column: its name, coarse kind, and DuckDB type (such as ``BIGINT``).

    `nullable` is False only where it is known that no value is missing; `distinct` is the number
    of distinct non-null values where known.
    """

    name: str
    kind: Kind
    sql_type: str
    nullable: bool = True
    distinct: int | None = None


@dataclass(frozen=True)
class Schema:
    """Columns of a table, in table order; names are unique ignoring case (as in SQL)."""

    columns: tuple[Column, ...]

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __contains__(self, name: str) -> bool:
        return any(column.name == name for column in self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def require(self, name: str, path: str = "") -> Column:
        """The column called `name`; `unknown_column` with near names where there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        listed = ", ".join(self.names[:20]) + (", ..." if len(self.columns) > 20 else "")
        raise SpecError(
            "unknown_column",
            f"There is no column '{name}'.",
            path=path,
            hint=did_you_mean(name, self.names, f"The table has: {listed}."),
        )


@dataclass(frozen=True)
class Dataset:
    """A registered, fingerprinted table.

    `fingerprint` is a hex digest of the content (names, types, values, row order): equal
    fingerprints mean equal tables, whatever they are called.
    """

    name: str
    fingerprint: str
    rows: int
    schema: Schema


Datasets = Mapping[str, Dataset]


class FactPending(Exception):
    """A fact is being computed. `then` has a function called, on any thread, when it is known
    or cannot be: asking again gives the answer or the error."""

    def __init__(self, then: Callable[[Callable[[], None]], None]) -> None:
        super().__init__("a fact about data is being computed")
        self.then = then


class Statistics(Protocol):
    """Facts that need the data, asked for during planning only where a spec depends on them.

    They may wait, or raise `FactPending`.
    """

    def rows(self, table: Node) -> int:
        """Number of rows of the relation `table`."""
        ...

    def distinct(self, table: Node, column: str) -> int:
        """Number of distinct non-null values of `column` in the relation `table`."""
        ...

    def missing(self, table: Node, column: str) -> int:
        """Number of null values of `column` in the relation `table`."""
        ...
