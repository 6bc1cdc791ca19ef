"""Files of any supported format: a path in, a table in file order out.

The format is found out from the first bytes, then from the name. Types are those of the file
(`executor.normalise` brings them to the normal form); text formats go through
`executor.text_types`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import pyarrow.parquet

from executor.readers_csv import read_csv
from executor.readers_records import choose_table, read_json, read_sqlite
from executor.text_types import TEXT, infer
from planner.errors import DataError, SpecError

_COMPRESSED = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bz2"))
_UNSUPPORTED = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x89HDF", "an HDF5 file"),
    (b"%PDF", "a PDF"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
)


@dataclass
class Raw:
    """A table as read, how it was read, and what to tell the agent about it."""

    table: pa.Table
    read: dict[str, Any]
    warnings: list[str] = field(default_factory=list)


def read(path: Path, options: dict[str, Any]) -> Raw:
    """The table in `path`; see `executor.ingest.ingest` for the options and the errors."""
    with open(path, "rb") as stream:
        head = stream.read(32)
    if not head:
        raise DataError("empty_table", "The file is empty.")
    for magic, what in _UNSUPPORTED:
        if head.startswith(magic):
            raise SpecError(
                "unsupported_format",
                f"The file is {what}.",
                hint="Use CSV, TSV, Parquet, Arrow, JSON lines, or a DuckDB or SQLite table.",
            )
    if head.startswith(b"PAR1"):
        return _arrow_errors(_parquet, path)
    if head.startswith((b"ARROW1", b"FEA1", b"\xff\xff\xff\xff")):
        return _arrow_errors(_arrow, path)
    if head.startswith(b"SQLite format 3\0"):
        table, warnings = read_sqlite(path, options.get("table"), options.get("dayfirst"))
        return Raw(table, {"format": "sqlite"}, warnings)
    if head[8:12] == b"DUCK":
        return _duckdb(path, options.get("table"))
    return _text(path, head, options)


def _text(path: Path, head: bytes, options: dict[str, Any]) -> Raw:
    codec = next((name for magic, name in _COMPRESSED if head.startswith(magic)), None)
    opened: Callable[[], BinaryIO] = partial(_open, path, codec)
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    try:
        with opened() as stream:
            first = stream.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
        named = {".json", ".jsonl", ".ndjson"} & set(suffixes)
        if first == b"{" or (first == b"[" and named):
            with opened() as stream:
                table, warnings = read_json(stream, options.get("dayfirst"))
            return Raw(table, {"format": "json"}, warnings)
        if named and first:
            raise DataError("malformed_file", "The file does not begin with a JSON object.")
        return _csv(opened, options, ".tsv" in suffixes or ".tab" in suffixes)
    except (OSError, EOFError) as error:
        if codec is None:
            raise
        raise DataError(
            "malformed_file", f"The {codec} data cannot be decompressed: {error}"[:300]
        ) from error


def _open(path: Path, codec: str | None) -> BinaryIO:
    if codec is None:
        return open(path, "rb")
    stream: BinaryIO = pa.CompressedInputStream(pa.OSFile(str(path)), codec)
    return stream


def _csv(opened: Callable[[], BinaryIO], options: dict[str, Any], tabs: bool) -> Raw:
    na_values = options.get("na_values", [])
    everywhere = [str(value) for value in na_values] if isinstance(na_values, list) else []
    text, dialect, warnings = read_csv(
        opened,
        delimiter=options.get("delimiter"),
        encoding=options.get("encoding"),
        header=options.get("header", True),
        na_values=everywhere,
        tabs=tabs,
    )
    raw = Raw(
        text,
        {"format": "csv", "delimiter": dialect.delimiter, "encoding": dialect.encoding},
        warnings,
    )
    kept = set(options.get("as_text", []))
    columns = []
    for place, name in enumerate(dialect.names):
        column = text.column(place)
        if isinstance(na_values, dict) and name in na_values:
            column = without(column, [str(value) for value in na_values[name]])
        if name in kept:
            columns.append(column)
            continue
        typed = infer(column, options.get("dayfirst"))
        if typed.note:
            raw.warnings.append(f"Column '{name}' {typed.note}.")
        columns.append(typed.column)
    raw.table = pa.Table.from_arrays(columns, names=list(dialect.names))
    return raw


def without(column: pa.ChunkedArray, values: list[str]) -> pa.ChunkedArray:
    """`column` (text) with `values` made null."""
    hit = pc.is_in(column, value_set=pa.array(values, TEXT))
    return pc.if_else(hit, pa.scalar(None, TEXT), column)


def _arrow_errors(reader: Callable[[Path], Raw], path: Path) -> Raw:
    try:
        raw = reader(path)
        raw.table.validate(full=True)  # offsets and text of a foreign file may be wrong
        return raw
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            "malformed_file", f"The file is damaged or not what its first bytes say: {error}"[:300]
        ) from error


def _parquet(path: Path) -> Raw:
    return Raw(pyarrow.parquet.ParquetFile(path).read(), {"format": "parquet"})


def _arrow(path: Path) -> Raw:
    with pa.memory_map(str(path)) as source:
        try:
            table = pyarrow.ipc.open_file(source).read_all()
        except pa.ArrowInvalid:
            source.seek(0)
            try:
                table = pyarrow.ipc.open_stream(source).read_all()
            except pa.ArrowInvalid:
                from pyarrow import feather  # version 1 files; loads pandas

                table = feather.read_table(path)
    return Raw(table, {"format": "arrow"})


def _duckdb(path: Path, table: str | None) -> Raw:
    """A table or view of a DuckDB file; no other file can be reached through its views."""
    config: dict[str, Any] = {
        "enable_external_access": False,
        "autoload_known_extensions": False,
        "arrow_large_buffer_size": True,
    }
    try:
        with duckdb.connect(str(path), read_only=True, config=config) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute("SET lock_configuration = true")
            places = {
                name if schema == "main" else f"{schema}.{name}": (schema, name)
                for schema, name in connection.execute(
                    "SELECT table_schema, table_name FROM information_schema.tables "
                    "WHERE table_catalog = current_database() ORDER BY ALL"
                ).fetchall()
            }
            place = places[choose_table(list(places), table)]
            quoted = ".".join('"' + part.replace('"', '""') + '"' for part in place)
            return Raw(
                connection.sql(f"SELECT * FROM {quoted}").to_arrow_table(), {"format": "duckdb"}
            )
    except duckdb.Error as error:
        raise DataError("malformed_file", f"DuckDB cannot read it: {error}"[:300]) from error
