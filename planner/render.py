"""Table nodes to SQL: one query per relation, run by the data backend.

Input: a table node. Output: a `Query`: a chain of CTEs over scans (tables with the columns of
the dataset and ``__row``), and the checks that must pass before it runs.

Row order: ``__row`` goes through every op and orders the result. It is kept by filters, row-wise
columns, left joins, aggregates put back and windows, and numbered anew where rows are sorted,
multiplied, stacked or made (sort, many-joins, union, new tables, sql).

Determinism: sums of floats depend on the order of addition, so `Query.ordered` asks for one
thread, and rows are put in row order before they are aggregated wherever an earlier op may have
disturbed it. Given that, a result depends on neither the machine nor the columns asked for.
NaN that an expression makes (0/0, inf - inf) becomes NULL when it is stored in a column.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from planner.binder import columns as all_columns
from planner.binder import has_mask, schema
from planner.errors import DataError, StratumError
from planner.graph import Node, walk
from planner.sqltree import quote
from planner.tableops import (
    ROW,
    ROW_INPUT,
    TRAIN_MASK,
    Aggregate,
    AggregateBack,
    Derive,
    DropNull,
    Filter,
    Item,
    Join,
    Limit,
    OrderBy,
    Project,
    Sample,
    Scan,
    Sql,
    TableOp,
    Union,
    Window,
)

_Q = quote(ROW)


@dataclass(frozen=True)
class Check:
    """A query of one number that must be 0, and what it means if it is not.

    `error` is raised by the backend; ``{n}`` in its message stands for the number.
    """

    sql: str
    code: str
    message: str
    path: str
    hint: str = ""

    def error(self, count: int) -> StratumError:
        return DataError(
            self.code, self.message.replace("{n}", f"{count:,}"), path=self.path, hint=self.hint
        )


@dataclass(frozen=True)
class Query:
    """SQL over scans.

    Attributes:
        sql: One SELECT; its columns are those asked for, its rows in row order.
        scans: (table name in the SQL, fingerprint) pairs; these tables have a ``__row`` column.
        checks: To be run first, over the same scans.
        ordered: Must run with ``threads = 1``: it adds floats or numbers rows.
    """

    sql: str
    scans: tuple[tuple[str, str], ...]
    checks: tuple[Check, ...] = ()
    ordered: bool = False


def scan_table(fingerprint: str) -> str:
    """The name under which a scan is known in SQL."""
    return f"__scan_{fingerprint}"


def render(node: Node, columns: Sequence[str] | None = None) -> Query:
    """The query of a relation.

    `columns` defaults to all visible ones, then the train mask if there is one. With no columns
    at all the result is the one column ``__row``.
    """
    if columns is None:
        columns = schema(node).names + ((TRAIN_MASK,) if has_mask(node) else ())
    return _Renderer(node).query(columns)


@dataclass
class _Renderer:
    """CTEs by node, in dependency order."""

    node: Node
    names: dict[str, str] = field(default_factory=dict)
    sorted: dict[str, bool] = field(default_factory=dict)
    bodies: list[tuple[str, str]] = field(default_factory=list)
    scans: dict[str, str] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    ordered: bool = False

    def query(self, columns: Sequence[str]) -> Query:
        for node in walk([self.node]):
            self.add(node)
        chosen = _list(columns) or _Q
        top = self.names[self.node.key]
        tail = "" if self.sorted[self.node.key] else f" ORDER BY {_Q}"
        sql = f"{self.prefix()}SELECT {chosen} FROM {top}{tail}"
        return Query(sql, tuple(self.scans.items()), tuple(self.checks), self.ordered)

    def prefix(self) -> str:
        if not self.bodies:
            return ""
        return "WITH " + ",\n".join(f"{name} AS ({body})" for name, body in self.bodies) + "\n"

    def add(self, node: Node) -> None:
        op = node.op
        assert isinstance(op, TableOp)
        if isinstance(op, Scan):
            table = scan_table(op.fingerprint)
            self.scans[table] = op.fingerprint
            # The table may have more columns than the node; later stars must not see them.
            body, kept = f"SELECT {_list([*op.names, ROW])} FROM {quote(table)}", True
        else:
            body, kept = self.body(op, node)
        name = quote(f"__{len(self.bodies)}")
        self.bodies.append((name, body))
        self.names[node.key] = name
        # Row-wise ops hand rows on as they come; all others may disturb the order.
        self.sorted[node.key] = kept and all(self.sorted[s.key] for s in node.inputs)

    def body(self, op: TableOp, node: Node) -> tuple[str, bool]:
        """The SELECT of one op, and whether it keeps the order of arriving rows."""
        source = self.names[node.inputs[0].key] if node.inputs else ""
        match op:
            case Derive():
                return self.put(source, op.items, node), True
            case Project():
                pairs = ", ".join(
                    quote(new) if new == old else f"{quote(old)} AS {quote(new)}"
                    for new, old in op.columns
                )
                return f"SELECT {pairs}{', ' if pairs else ''}{_Q} FROM {source}", True
            case Filter():
                return f"SELECT * FROM {source} WHERE {op.condition.sql()}", True
            case DropNull():
                return f"SELECT * FROM {source} WHERE {quote(op.column)} IS NOT NULL", True
            case Limit():
                return (
                    f"SELECT * FROM {source} ORDER BY {_Q} LIMIT {op.rows} OFFSET {op.offset}",
                    False,
                )
            case OrderBy():
                keys = ", ".join(key.sql() for key in op.keys)
                return self.renumber(f"SELECT * FROM {source}", f"{keys}, {_Q}"), False
            case Sample():
                return self.sample(op, source)
            case Window():
                self.ordered = True
                return self.put(self.in_order(node), op.items, node), False
            case AggregateBack():
                return self.aggregate_back(op, node), False
            case Aggregate():
                return self.aggregate(op, node), False
            case Join():
                return self.join(op, node), False
            case Union():
                return self.union(op, node), False
            case Sql():
                return self.sql(op, node), False
        raise TypeError(f"{type(op).__name__} is not a table op")

    def in_order(self, node: Node) -> str:
        """The input of `node`, its rows certain to arrive in row order."""
        source = self.names[node.inputs[0].key]
        if self.sorted[node.inputs[0].key]:
            return source
        return f"(SELECT * FROM {source} ORDER BY {_Q})"

    def put(self, source: str, items: Sequence[Item], node: Node) -> str:
        known = {c.name.lower(): c.name for c in all_columns(node.inputs[0])}
        new = ", ".join(f"{item.expr.sql()} AS {quote(item.name)}" for item in items)
        gone = [known[i.name.lower()] for i in items if i.name.lower() in known]
        star = f"* EXCLUDE ({_list(gone)})" if gone else "*"
        return _clean(f"SELECT {star}, {new} FROM {source}", items)

    def renumber(self, body: str, order: str) -> str:
        self.ordered = True
        return (
            f"SELECT * EXCLUDE ({_Q}), row_number() OVER (ORDER BY {order}) - 1 AS {_Q} "
            f"FROM ({body})"
        )

    def sample(self, op: Sample, source: str) -> tuple[str, bool]:
        # MD5 and not DuckDB's hash(), which may change from one version to the next.
        drawn = f"md5_number_lower(concat({op.seed}, ':', {_Q}))"
        if op.fraction is not None:
            bound = int(op.fraction * 2**64)
            return f"SELECT * FROM {source} WHERE CAST({drawn} AS HUGEINT) < {bound}", True
        chosen = f"SELECT {_Q} FROM {source} ORDER BY {drawn}, {_Q} LIMIT {op.rows}"
        return f"SELECT * FROM {source} WHERE {_Q} IN ({chosen})", False

    def groups(self, by: Sequence[str], items: Sequence[Item], node: Node) -> str:
        """One row per group, without a row id."""
        self.ordered = True
        new = [f"{item.expr.sql()} AS {quote(item.name)}" for item in items]
        head = ", ".join([*(quote(name) for name in by), *new])
        tail = f" GROUP BY {_list(by)}" if by else ""
        return _clean(f"SELECT {head} FROM {self.in_order(node)}{tail}", items)

    def aggregate(self, op: Aggregate, node: Node) -> str:
        order = _list(op.by) or "1"
        return (
            f"SELECT *, row_number() OVER (ORDER BY {order}) - 1 AS {_Q} "
            f"FROM ({self.groups(op.by, op.items, node)})"
        )

    def aggregate_back(self, op: AggregateBack, node: Node) -> str:
        source = self.names[node.inputs[0].key]
        keys = {name: f"__k{index}" for index, name in enumerate(op.by)}
        values = {item.name: f"__a{index}" for index, item in enumerate(op.items)}
        inner = self.groups(op.by, op.items, node)
        renamed = ", ".join(
            f"{quote(old)} AS {quote(new)}" for old, new in {**keys, **values}.items()
        )
        known = {c.name.lower(): c.name for c in all_columns(node.inputs[0])}
        gone = [known[i.name.lower()] for i in op.items if i.name.lower() in known]
        star = f"l.* EXCLUDE ({_list(gone)})" if gone else "l.*"
        new = ", ".join(f"r.{quote(v)} AS {quote(k)}" for k, v in values.items())
        on = " AND ".join(
            f"l.{quote(name)} IS NOT DISTINCT FROM r.{quote(key)}" for name, key in keys.items()
        )
        return (
            f"SELECT {star}, {new} FROM {source} l LEFT JOIN (SELECT {renamed} FROM ({inner})) r "
            f"ON {on or 'true'}"
        )

    def join(self, op: Join, node: Node) -> str:
        left, right = (self.names[source.key] for source in node.inputs)
        on = " AND ".join(f"l.{quote(a)} = r.{quote(b)}" for a, b in op.on)
        new = "".join(f", r.{quote(old)} AS {quote(name)}" for name, old in op.columns)
        how = "LEFT JOIN" if op.how == "left" else "JOIN"
        if op.many:
            body = f"SELECT l.*{new}, r.{_Q} AS __right FROM {left} l {how} {right} r ON {on}"
            return (
                f"SELECT * EXCLUDE (__right) FROM "
                f"({self.renumber(body, f'{_Q}, __right NULLS FIRST')})"
            )
        keys = _list(b for _, b in op.on)
        right_op = node.inputs[1].op
        unique = isinstance(right_op, Aggregate) and set(right_op.by) <= {b for _, b in op.on}
        if not unique:
            twice = f"SELECT {keys} FROM {right} GROUP BY {keys} HAVING count(*) > 1"
            count = f"SELECT count(*) FROM {left} l SEMI JOIN ({twice}) r ON {on}"
            named = ", ".join(f"'{b}'" for _, b in op.on)
            self.checks.append(
                Check(
                    self.prefix() + count,
                    "join_fan_out",
                    f"{{n}} rows find more than one row of '{op.table}' by {named}, so the join "
                    "would multiply them.",
                    op.path,
                    'Aggregate the table first (aggregate ... as), or say "many": true.',
                )
            )
        return f"SELECT l.*{new} FROM {left} l {how} {right} r ON {on}"

    def union(self, op: Union, node: Node) -> str:
        parts = []
        for index, source in enumerate(node.inputs):
            have = {column.name for column in all_columns(source)}
            items = ", ".join(
                f"CAST({quote(c) if c in have else 'NULL'} AS {t}) AS {quote(c)}"
                for c, t in zip(op.columns, op.types, strict=True)
            )
            comma = ", " if items else ""
            parts.append(
                f"SELECT {items}{comma}{_Q}, {index} AS __part FROM {self.names[source.key]}"
            )
        body = self.renumber(" UNION ALL ".join(parts), f"__part, {_Q}")
        return f"SELECT * EXCLUDE (__part) FROM ({body})"

    def sql(self, op: Sql, node: Node) -> str:
        """The query itself; its tables are CTEs without hidden columns."""
        self.ordered = True
        tables = ", ".join(
            f"{quote(name)} AS (SELECT {_list(c.name for c in schema(source))} "
            f"FROM {self.in_order_of(source)})"
            for name, source in zip(op.tables, node.inputs, strict=True)
        )
        items = ", ".join(
            f"CAST({quote(name)} AS {cast}) AS {quote(name)}" if cast else quote(name)
            for name, cast in op.columns
        )
        if op.keeps_rows:
            source = node.inputs[op.tables.index("input")]
            tables += f", {quote(ROW_INPUT)} AS (SELECT * FROM {self.names[source.key]})"
        prefix = f"WITH {tables} " if tables else ""
        return f"{prefix}SELECT {items}, row_number() OVER () - 1 AS {_Q} FROM ({op.text})"

    def in_order_of(self, source: Node) -> str:
        name = self.names[source.key]
        return name if self.sorted[source.key] else f"(SELECT * FROM {name} ORDER BY {_Q})"


def _list(names: Iterable[str]) -> str:
    return ", ".join(quote(name) for name in names)


def _clean(body: str, items: Sequence[Item]) -> str:
    """`body` with NaN made NULL in those of `items` that may hold it."""
    floats = [i for i in items if i.sql_type in ("DOUBLE", "FLOAT") and i.expr.parts != ("", "")]
    if not floats:
        return body
    changed = ", ".join(
        f"CASE WHEN isnan({quote(i.name)}) THEN NULL ELSE {quote(i.name)} END AS {quote(i.name)}"
        for i in floats
    )
    return f"SELECT * REPLACE ({changed}) FROM ({body})"
