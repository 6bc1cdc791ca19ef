"""Delimited text: a CSV or TSV file in, a table of text columns out.

Nothing is typed here, so that no value is lost to a guess: `executor.text_types` decides over
all rows. Empty fields, quoted or not, are missing, as pandas and DuckDB have it.
"""

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
from pyarrow import csv as arrow_csv

from planner.errors import DataError, SpecError

HEAD = 1 << 18
BLOCKS = (4 << 20, 64 << 20)  # bytes; the last bounds the length of one row
MAX_COLUMNS = 20_000
DELIMITERS = (",", ";", "\t", "|")

Open = Callable[[], BinaryIO]


@dataclass(frozen=True)
class Dialect:
    """How the file is written. `names` are those of the header, or made up."""

    delimiter: str
    encoding: str
    header: bool
    names: tuple[str, ...]


def read_csv(
    opened: Open,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool = True,
    na_values: Sequence[str] = (),
    tabs: bool = False,
) -> tuple[pa.Table, Dialect, list[str]]:
    """The file as large_string columns, its dialect, and warnings.

    Args:
        opened: Opens the (decompressed) bytes; may be called several times.
        delimiter: One character; found out from the first rows if None.
        encoding: Python codec name; UTF-8 (or UTF-16 by its mark), else Latin-1, if None.
        header: Whether the first row holds the column names.
        na_values: Texts that mean missing, besides the empty one.
        tabs: Try tabs first (a ``.tsv`` file).

    Raises:
        DataError: ``empty_table`` (no bytes), ``malformed_file`` with the line,
            ``duplicate_columns``, ``too_many_columns``.
        SpecError: ``invalid_option`` for an unknown encoding.
    """
    with opened() as stream:
        head = stream.read(HEAD)
    if not head.strip(b"\r\n\t \0\xef\xbb\xbf"):
        raise DataError("empty_table", "The file is empty.")
    chosen = _known(encoding) if encoding else _guess_encoding(head)
    warnings: list[str] = []
    while True:
        text = _decode(head, chosen)
        if "\0" in text:
            raise DataError(
                "malformed_file",
                "The file has NUL bytes: it is binary, or text in an encoding that was not found.",
                hint="Give the option 'encoding', or convert the file to CSV or Parquet.",
            )
        dialect = _dialect(text, len(head) < HEAD, chosen, delimiter, header, tabs)
        try:
            table = _parse(opened, dialect, na_values)
            break
        except UnicodeError as error:
            if encoding or chosen == "latin-1":
                raise DataError(
                    "malformed_file",
                    f"The file is not valid {chosen}.",
                    hint="Give the option 'encoding', such as 'latin-1'.",
                ) from error
            chosen = "latin-1"
    if chosen == "latin-1" and not encoding:
        warnings.append("The file is not UTF-8; it was read as Latin-1 (option 'encoding').")
    return table, dialect, warnings


def _known(encoding: str) -> str:
    try:
        "".encode(encoding)  # codecs such as base64 are no text encodings, and raise
        return codecs.lookup(encoding).name
    except (LookupError, ValueError) as error:
        raise SpecError(
            "invalid_option",
            f"There is no encoding '{encoding}'.",
            path="options.encoding",
            hint="Use a Python codec name such as utf-8, latin-1 or cp1252.",
        ) from error


def _guess_encoding(head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _decode(head: bytes, encoding: str) -> str:
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    try:
        return codecs.getincrementaldecoder(codec)().decode(head)
    except UnicodeDecodeError:
        return codecs.getincrementaldecoder(codec)("replace").decode(head)


def _dialect(
    text: str, whole: bool, encoding: str, delimiter: str | None, header: bool, tabs: bool
) -> Dialect:
    candidates = (delimiter,) if delimiter else (("\t", *DELIMITERS) if tabs else DELIMITERS)
    best: tuple[tuple[int, int, int], str, list[list[str]]] | None = None
    for candidate in candidates:
        rows = _rows(text, candidate, whole)
        if not rows:
            continue
        width = len(rows[0])
        even = 1000 * sum(len(row) == width for row in rows) // len(rows)
        if width == 1 and len({len(row) for row in rows[1:]}) == 1:
            even = 1000  # rows alike under a header that is too short: reported, not text
        # A delimiter that splits all rows alike beats one that makes more, uneven columns; one
        # that splits nothing is taken where the others split free text.
        rank = (even if width > 1 else 0, even, width)
        if best is None or rank > best[0]:
            best = (rank, candidate, rows)
    if best is None:
        raise DataError("malformed_file", "The first row is not closed within 256 kB.")
    _, chosen, rows = best
    names = _names(rows[0]) if header else [f"column_{i + 1}" for i in range(len(rows[0]))]
    if len(names) > MAX_COLUMNS:
        raise DataError(
            "too_many_columns", f"The file has {len(names)} columns; at most {MAX_COLUMNS}."
        )
    return Dialect(chosen, encoding, header, tuple(names))


def _rows(text: str, delimiter: str, whole: bool, limit: int = 200) -> list[list[str]]:
    """Up to `limit` whole, non-blank rows; the last is left out where it may be cut off."""
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if row:
                rows.append(row)
            if len(rows) > limit:
                break
    except csv.Error:
        pass
    return rows if (whole or len(rows) <= 1) else rows[:-1]


def _names(cells: list[str]) -> list[str]:
    # pandas' name for the index column that DataFrame.to_csv writes.
    return [cell if cell.strip() else f"Unnamed: {place}" for place, cell in enumerate(cells)]


def _parse(opened: Open, dialect: Dialect, na_values: Sequence[str]) -> pa.Table:
    # Positions as names: what the header says is checked later, duplicates included.
    places = [str(place) for place in range(len(dialect.names))]
    convert = arrow_csv.ConvertOptions(
        column_types={place: pa.large_string() for place in places},
        null_values=["", *na_values],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )
    parse = arrow_csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True)
    for block in BLOCKS:
        options = arrow_csv.ReadOptions(
            column_names=places,
            block_size=block,
            encoding="utf8" if dialect.encoding == "utf-8" else dialect.encoding,
        )
        try:
            with opened() as stream:
                table = arrow_csv.read_csv(stream, options, parse, convert)
        except pa.ArrowInvalid as error:
            message = str(error)
            if "invalid UTF8" in message:
                raise UnicodeError(message) from error
            if "straddling" in message and block != BLOCKS[-1]:
                continue
            raise _malformed(opened, dialect, message) from error
        unclosed = _unclosed_quote(opened, table)
        if unclosed:
            raise DataError(
                "malformed_file", f"A quoted field that begins at line {unclosed} is not closed."
            )
        # The header was read as a row of text; Arrow's own skipping would count blank lines.
        return table.slice(int(dialect.header))
    raise AssertionError("unreachable")


def _unclosed_quote(opened: Open, table: pa.Table) -> int:
    """The line of an unclosed quote that has eaten the end of the file, or 0."""
    if not table.num_rows:
        return 0
    last = table.column(table.num_columns - 1)[-1].as_py()
    if last is None or "\n" not in last:
        return 0
    tail, lines = b"", 0
    with opened() as stream:
        while piece := stream.read(1 << 20):
            lines += piece.count(b"\n")
            tail = (tail + piece)[-64:]
    closed = tail.replace(b"\0", b"").rstrip().endswith(b'"')
    return 0 if closed else lines - last.count("\n") + 1


def _malformed(opened: Open, dialect: Dialect, message: str) -> DataError:
    """The error with the line at fault, found by the slower reader of the standard library."""
    width = len(dialect.names)
    try:
        with opened() as stream:
            decoded = io.TextIOWrapper(stream, dialect.encoding, errors="replace", newline="")
            for line, row in _numbered(decoded, dialect.delimiter):
                if row and len(row) != width:
                    return DataError(
                        "malformed_file",
                        f"Line {line} has {len(row)} fields, the header has {width} "
                        f"(delimiter {dialect.delimiter!r}).",
                        hint="Quote fields that hold the delimiter, or give the option "
                        "'delimiter'.",
                    )
    except csv.Error as error:
        message = str(error)
    shown = message.removeprefix("CSV parse error: ")[:200]
    return DataError("malformed_file", f"The file cannot be read as CSV: {shown}")


def _numbered(stream: io.TextIOWrapper, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the number of the line that each begins at, from 1."""
    reader = csv.reader(stream, delimiter=delimiter)
    begins = 1
    for row in reader:
        yield begins, row
        begins = reader.line_num + 1
