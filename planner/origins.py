"""Origins: the source columns behind a computed column."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# A column of a registered table, as (fingerprint, name); or a count or the like that reads no
# column, as (identity, "").
Source = tuple[str, str]
NOTHING: frozenset[Source] = frozenset()


@dataclass(frozen=True)
class Origin:
    """The sources that a column's values come from, and those that only group or order."""

    values: frozenset[Source] = NOTHING
    keys: frozenset[Source] = NOTHING

    @property
    def all(self) -> frozenset[Source]:
        return self.values | self.keys


Origins = Mapping[str, Origin]


def merge(found: Iterable[Origin], keys: frozenset[Source] = NOTHING) -> Origin:
    """Everything in `found`, and further `keys`."""
    values: set[Source] = set()
    grouping: set[Source] = set(keys)
    for origin in found:
        values |= origin.values
        grouping |= origin.keys
    return Origin(frozenset(values), frozenset(grouping))


@dataclass(frozen=True)
class Rows:
    """The sources that decide on the rows of a relation.

    Attributes:
        choice: Which rows there are.
        fan: How often each is there.
        order: In which order they come.
    """

    choice: frozenset[Source] = NOTHING
    fan: frozenset[Source] = NOTHING
    order: frozenset[Source] = NOTHING

    @property
    def all(self) -> frozenset[Source]:
        return self.choice | self.fan | self.order

    def __or__(self, other: "Rows") -> "Rows":
        return Rows(self.choice | other.choice, self.fan | other.fan, self.order | other.order)


NO_ROWS = Rows()
