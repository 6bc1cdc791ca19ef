"""The relational ops: what a prepared table is made of.

Every relation also carries a hidden ``__row`` (int64, unique, the row order), and ``__train``
(boolean) once a train-only filter was used. Scalar expressions are templates over column names,
already checked, so that renaming a column never needs the parser.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from planner.graph import Op, Plane
from planner.schema import Column
from planner.sqltree import quote

ROW = "__row"
TRAIN_MASK = "__train"
ROW_INPUT = "__input"
HIDDEN = "__"  # prefix of names no user may give


@dataclass(frozen=True)
class Expr:
    """A checked SQL expression: ``parts[0] col[0] parts[1] col[1] ... parts[n]``.

    `columns` has one entry per occurrence; `keys` marks those that only say which rows belong
    together or in what order (PARTITION BY, ORDER BY). `text` is what the user wrote.
    """

    parts: tuple[str, ...]
    columns: tuple[str, ...]
    keys: tuple[bool, ...] = field(default=(), repr=False, compare=False)
    text: str = field(default="", repr=False, compare=False)

    def sql(self, names: Mapping[str, str] | None = None) -> str:
        """The expression as SQL, columns renamed by `names`."""
        out = [self.parts[0]]
        for column, part in zip(self.columns, self.parts[1:], strict=True):
            out.append(quote(names.get(column, column) if names else column))
            out.append(part)
        return "".join(out)

    def renamed(self, names: Mapping[str, str]) -> "Expr":
        return Expr(
            self.parts,
            tuple(names.get(column, column) for column in self.columns),
            self.keys,
            self.text,
        )

    def wrapped(self, before: str, after: str) -> "Expr":
        """The expression between two pieces of SQL."""
        parts = list(self.parts)
        parts[0] = before + parts[0]
        parts[-1] += after
        return Expr(tuple(parts), self.columns, self.keys, self.text)

    @property
    def values(self) -> frozenset[str]:
        """Columns whose values enter the result."""
        return frozenset(self.columns) - (frozenset(self.only_keys))

    @property
    def only_keys(self) -> frozenset[str]:
        """Columns that only group or order rows."""
        if not self.keys:
            return frozenset()
        used = {c for c, key in zip(self.columns, self.keys, strict=True) if not key}
        return frozenset(self.columns) - used


def column_expr(name: str) -> Expr:
    """The expression that is just a column."""
    return Expr(("", ""), (name,), text=quote(name))


@dataclass(frozen=True)
class Item:
    """A computed column; `sql_type` is its DuckDB type, `label` its name for people."""

    name: str
    expr: Expr
    sql_type: str = field(repr=False, compare=False)
    nullable: bool = field(default=True, repr=False, compare=False)
    label: str = field(default="", repr=False, compare=False)

    @property
    def shown(self) -> str:
        return self.label or self.name


@dataclass(frozen=True)
class Key:
    """A sort key. Nulls come last either way unless `nulls_first`."""

    column: str
    descending: bool = False
    nulls_first: bool = False

    def sql(self, alias: str = "") -> str:
        prefix = f"{alias}." if alias else ""
        direction = "DESC" if self.descending else "ASC"
        nulls = "FIRST" if self.nulls_first else "LAST"
        return f"{prefix}{quote(self.column)} {direction} NULLS {nulls}"


@dataclass(frozen=True)
class TableOp(Op):
    """Base of the relational ops. Value: a relation."""

    plane: ClassVar[Plane] = Plane.TABLE


@dataclass(frozen=True)
class Scan(TableOp):
    """Columns of a registered table, in table order. No inputs."""

    fingerprint: str
    names: tuple[str, ...]
    columns: tuple[Column, ...] = field(repr=False, compare=False)
    dataset: str = field(repr=False, compare=False)


@dataclass(frozen=True)
class Derive(TableOp):
    """Row-wise columns, all computed from the input; a known name is overwritten in place."""

    items: tuple[Item, ...]
    form: str = field(default="derive", repr=False, compare=False)


@dataclass(frozen=True)
class Project(TableOp):
    """Columns kept, as (new name, old name); the train mask is kept only where it is named."""

    columns: tuple[tuple[str, str], ...]
    form: str = field(default="select", repr=False, compare=False)


@dataclass(frozen=True)
class Filter(TableOp):
    """Rows for which the condition is true (not false, not NULL)."""

    condition: Expr


@dataclass(frozen=True)
class DropNull(TableOp):
    """Rows where `column` is not NULL."""

    column: str


@dataclass(frozen=True)
class OrderBy(TableOp):
    """The rows sorted; ties keep their order."""

    keys: tuple[Key, ...]


@dataclass(frozen=True)
class Limit(TableOp):
    """`rows` rows after the first `offset`, in row order."""

    rows: int
    offset: int = 0


@dataclass(frozen=True)
class Sample(TableOp):
    """Rows drawn without replacement by a hash of the row id and the seed; order is kept."""

    fraction: float | None
    rows: int | None
    seed: int


@dataclass(frozen=True)
class Join(TableOp):
    """Columns of a second table by equal keys. Inputs: left, right.

    `on` are pairs of (left, right) names, `columns` pairs of (new name, name in right). Without
    `many`, a left row with several matches is refused by a check before the query runs.
    """

    on: tuple[tuple[str, str], ...]
    how: Literal["left", "inner"]
    columns: tuple[tuple[str, str], ...]
    many: bool
    path: str = field(default="", repr=False, compare=False)
    table: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True)
class Aggregate(TableOp):
    """One row per group (a group of NULL included), sorted by group; the keys come first."""

    by: tuple[str, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True)
class AggregateBack(TableOp):
    """Every row with the aggregates of its group; NULL is a group of its own."""

    by: tuple[str, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Window(TableOp):
    """Columns computed with OVER (in the expressions); rows and their order stay."""

    items: tuple[Item, ...]
    form: str = field(default="window", repr=False, compare=False)


@dataclass(frozen=True)
class Union(TableOp):
    """The rows of all inputs, one input after the other; columns by name, NULL if missing."""

    columns: tuple[str, ...]
    types: tuple[str, ...] = field(repr=False, compare=False)


@dataclass(frozen=True)
class Sql(TableOp):
    """A checked SELECT over the inputs, which it knows as `tables`.

    `columns` pairs each output name with the type it is cast to, or "". Row order is the query's
    own final ORDER BY; then, if `keeps_rows`, that of the input (which it then also knows, with
    the row id, as ``__input``); then the order of all columns. `origin` is the query as written.
    """

    text: str
    tables: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    types: tuple[str, ...] = field(repr=False, compare=False)
    keeps_rows: bool = False
    origin: str = field(default="", repr=False, compare=False)
    shown: str = field(default="", repr=False, compare=False)
