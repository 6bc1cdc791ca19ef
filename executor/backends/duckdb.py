"""The data stages on DuckDB: a rendered query and Arrow files in, an Arrow table out.

Runs in worker processes. Also holds how tables are written, mapped, and handed to
scikit-learn as data frames.
"""

import contextlib
import errno
import math
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from executor.backends.base import Context
from planner.errors import DataError, ExecutionError, SpecError, StratumError
from planner.graph import Op
from planner.ops import Materialise
from planner.render import Query

EXACT = 2**53  # largest magnitude up to which float64 holds every integer
_STRINGS = pd.StringDtype("pyarrow", na_value=np.nan)


class DuckDBBackend:
    """Runs fused queries (`planner.ops.Materialise`)."""

    name = "duckdb"

    def supports(self, op: Op) -> bool:
        return isinstance(op, Materialise)

    def run(self, op: Op, inputs: Sequence[Any], context: Context) -> pa.Table:
        assert isinstance(op, Materialise)
        return run_query(op.query, context.datasets, threads=context.threads, memory=context.memory)


def run_query(query: Query, files: Mapping[str, str], *, threads: int, memory: str) -> pa.Table:
    """The rows of `query`, in its own order.

    Args:
        query: SQL, the tables it scans by name, and checks that must count zero rows.
        files: Arrow file of every fingerprint in ``query.scans``.
        threads: Cores that DuckDB may use.
        memory: DuckDB's memory limit, such as ``"2GB"``.

    Returns:
        DuckDB's result with HUGEINT and DECIMAL columns as int64 or float64 where the values
        fit, and timestamps as microseconds in UTC without a zone.

    Raises:
        DataError: The error of a check that failed; ``data_error`` where the data make the
            query fail (an overflow, a failed cast).
        ExecutionError: ``out_of_memory``, ``corrupt_block``, ``dataset_gone``.
    """
    tables = scanned(query, files)
    # Sums of floats depend on the order of addition, and so on the number of threads.
    cores = 1 if query.ordered else threads
    with connect(tables, threads=cores, memory=memory, shared=True) as connection:
        for check in query.checks:
            found = connection.execute(check.sql).fetchone()
            if found and found[0]:
                raise check.error(int(found[0]))
        return plain(connection.sql(query.sql).to_arrow_table())


def scanned(query: Query, files: Mapping[str, str]) -> dict[str, pa.Table]:
    """The tables that `query` reads, by their name in its SQL.

    Raises:
        ExecutionError: ``dataset_gone``, ``corrupt_block``.
    """
    tables = {}
    for name, fingerprint in query.scans:
        if fingerprint not in files:
            raise ExecutionError(
                "dataset_gone", "The data of a dataset are gone.", hint="Add the dataset again."
            )
        tables[name] = read_table(files[fingerprint])
    return tables


@contextlib.contextmanager
def connect(
    tables: Mapping[str, pa.Table], *, threads: int, memory: str, shared: bool = False
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that sees `tables` and nothing else, and cannot be unlocked.

    DuckDB's errors inside the block become ours. `shared` keeps the empty database for the next
    call (a cursor takes 1 ms, a database 10 to 20); not for SQL that was not checked.
    """
    base = _shared(threads, memory) if shared else _database(threads, memory)
    connection = base.cursor() if shared else base
    try:
        for name, table in tables.items():
            connection.register(name, table)
        yield connection
    except duckdb.Error as error:
        if isinstance(error, duckdb.FatalException | duckdb.InternalException):
            _databases.clear()  # DuckDB does not use a database after such an error
        raise translate(error) from error
    finally:
        connection.close()


# By process too: a database has threads, which a fork does not copy.
_databases: dict[tuple[int, int, str], duckdb.DuckDBPyConnection] = {}
_MAX_DATABASES = 4


def _shared(threads: int, memory: str) -> duckdb.DuckDBPyConnection:
    key = (os.getpid(), threads, memory)
    found = _databases.get(key)
    if found is None:
        if len(_databases) >= _MAX_DATABASES:
            _databases.clear()
        found = _databases[key] = _database(threads, memory)
    return found


def _database(threads: int, memory: str) -> duckdb.DuckDBPyConnection:
    """An empty in-memory database that is cut off from files, Python and the network."""
    config: dict[str, Any] = {
        "threads": max(1, threads),
        "memory_limit": memory,
        "temp_directory": "",
        "arrow_large_buffer_size": True,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "preserve_insertion_order": True,
        "python_enable_replacements": False,
        "python_scan_all_frames": False,
    }
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    # Only now: with it off, the temporary directory could not have been set either.
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def translate(error: duckdb.Error) -> StratumError:
    """The error an agent sees for an error of DuckDB."""
    text = str(error).split("\n\nLINE ")[0].strip()[:500]
    if isinstance(error, duckdb.OutOfMemoryException):
        return ExecutionError(
            "out_of_memory",
            f"The data steps need more memory than they were given. {text}",
            hint="Aggregate or filter earlier, or give the budget more memory.",
        )
    if isinstance(error, duckdb.ParserException | duckdb.BinderException | duckdb.CatalogException):
        return SpecError("invalid_sql", text)
    if isinstance(error, duckdb.PermissionException):
        return SpecError("sql_not_allowed", text, hint="Only registered datasets can be read.")
    if isinstance(error, duckdb.FatalException | duckdb.InternalException):
        return ExecutionError("duckdb_error", text)
    return DataError(
        "data_error",
        text,
        hint="Wrap the expression in try(...), or use TRY_CAST, to get NULL for such rows.",
    )


def describe(table: pa.Table) -> list[str]:
    """DuckDB's type of each column of `table`."""
    tables = {"described": table.slice(0, 0)}
    with connect(tables, threads=1, memory="1GB", shared=True) as connection:
        return [str(kind) for kind in connection.table("described").types]


def plain(table: pa.Table) -> pa.Table:
    """`table` without decimals (where the values fit) and without time zones."""
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_decimal(field.type):
            new = _number(column)
        elif pa.types.is_timestamp(field.type) and field.type != pa.timestamp("us"):
            new = column.cast(pa.timestamp("us", field.type.tz), safe=False)
            new = new.cast(pa.timestamp("us"))
        else:
            continue
        table = table.set_column(place, field.name, new)
    return table


def _number(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if column.type.scale > 0:
        return column.cast(pa.float64())
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column


def read_table(path: str | Path) -> pa.Table:
    """The table in an Arrow file, memory-mapped: no bytes are read until they are used.

    Raises:
        ExecutionError: ``corrupt_block`` if the file is missing, truncated or not Arrow.
    """
    try:
        return pyarrow.ipc.open_file(pa.memory_map(str(path))).read_all()
    except (pa.ArrowException, OSError) as error:
        raise ExecutionError(
            "corrupt_block", f"A stored table cannot be read: {error}"[:300]
        ) from error


def write_table(table: pa.Table, path: str | Path) -> int:
    """Writes `table` as one uncompressed record batch; returns the size in bytes.

    The file appears under its name only when complete.

    Raises:
        ExecutionError: ``disk_full``.
    """
    path = str(path)
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with pa.OSFile(temporary, "wb") as sink:
            with pyarrow.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table.combine_chunks())
            size: int = sink.tell()
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise ExecutionError(
                "disk_full", "There is no room on the disk for a table.", hint="Free disk space."
            ) from error
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
    return size


def to_frame(table: pa.Table, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """`columns` of `table` with the types that ``pandas.read_csv(parse_dates=...)`` gives.

    Integers without nulls int64, with nulls float64 (Int64 if any is beyond 2**53); text
    ``str`` with NaN; booleans bool, or object with NaN; dates datetime64[us]; ENUM category.
    Numeric arrays without nulls are read-only views of the table's memory.
    """
    names = table.column_names if columns is None else list(columns)
    arrays = {place: _array(table.column(name)) for place, name in enumerate(names)}
    frame = pd.DataFrame(arrays, index=pd.RangeIndex(table.num_rows), copy=False)
    frame.columns = pd.Index(names, dtype=_STRINGS if names else None)
    return frame


def _array(column: pa.ChunkedArray) -> Any:
    """One column as NumPy or pandas extension array, of length n."""
    kind = column.type
    if pa.types.is_integer(kind):
        if not column.null_count:
            return _view(column)
        bounds = pc.min_max(column).as_py()
        largest = max(abs(bounds["min"] or 0), abs(bounds["max"] or 0))
        if largest > EXACT:
            return column.to_pandas(types_mapper={kind: pd.Int64Dtype()}.get).array
        return column.cast(pa.float64()).to_numpy()
    if pa.types.is_floating(kind):
        return _view(column)
    if pa.types.is_boolean(kind):
        if not column.null_count:
            return column.to_numpy()
        values = column.to_numpy().astype(object)
        values[column.is_null().to_numpy()] = math.nan
        return values
    if pa.types.is_large_string(kind) or pa.types.is_string(kind):
        return pd.array(column.cast(pa.large_string()), dtype=_STRINGS)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        # By way of a zone-less timestamp: NumPy knows no zones, and dates are whole days.
        zoneless = column.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False)
        return zoneless.cast(pa.timestamp("us")).to_numpy()
    if pa.types.is_dictionary(kind):
        return _category(column)
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64(), safe=False).to_numpy()
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan)
    return np.asarray(column.to_pandas(), dtype=object)


def _view(column: pa.ChunkedArray) -> Any:
    """The values without a copy if there is one chunk and no null (nulls become NaN)."""
    if column.num_chunks == 1:
        return column.chunk(0).to_numpy(zero_copy_only=False)
    return column.to_numpy()


def _category(column: pa.ChunkedArray) -> pd.Categorical:
    column = column.unify_dictionaries()
    codes = [
        chunk.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        for chunk in column.chunks
    ]
    labels = column.chunk(0).dictionary if column.num_chunks else pa.array([], pa.large_string())
    index = pd.Index(labels.to_pandas())
    joined = np.concatenate(codes) if codes else np.zeros(0, np.int64)
    return pd.Categorical.from_codes(joined, categories=index)
