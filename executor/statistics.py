"""Facts that planning needs of the data: a rendered query and questions in, counts out."""

from collections.abc import Mapping, Sequence
from typing import Any

from executor.backends.duckdb import connect, scanned
from planner.render import Query


def statistics(
    query: Query,
    files: Mapping[str, str],
    requests: Sequence[Sequence[str]],
    *,
    threads: int = 1,
    memory: str = "2GB",
) -> dict[str, Any]:
    """Counts of the relation that `query` stands for.

    Args:
        query: As for `executor.backends.duckdb.run_query`.
        files: Arrow file of every fingerprint in ``query.scans``.
        requests: ``["rows"]``, ``["distinct", column]`` (non-null values, NaN counting as
            null) or ``["missing", column]``.

    Returns:
        ``{"values": [int, ...]}``, in the order of `requests`.

    Raises:
        DataError, ExecutionError: As `run_query`.
    """
    threads = 1 if query.ordered else threads
    tables = scanned(query, files)
    with connect(tables, threads=threads, memory=memory, shared=True) as connection:
        relation = connection.sql(query.sql)
        types = dict(zip(relation.columns, map(str, relation.types), strict=True))
        counts = ", ".join(_count(request, types) for request in requests) or "1"
        found = connection.execute(f"SELECT {counts} FROM ({query.sql})").fetchone()
    assert found is not None
    return {"values": [int(value) for value in found[: len(requests)]]}


def _count(request: Sequence[str], types: Mapping[str, str]) -> str:
    if request[0] == "rows":
        return "count(*)"
    kind, name = request
    column = '"' + name.replace('"', '""') + '"'
    if types[name] in ("FLOAT", "DOUBLE"):
        column = f"CASE WHEN isnan({column}) THEN NULL ELSE {column} END"
    if kind == "distinct":
        return f"count(DISTINCT {column})"
    if kind == "missing":
        return f"count(*) - count({column})"
    raise ValueError(f"unknown request {kind!r}")
