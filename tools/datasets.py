"""Datasets: registering, listing, profiling and querying them.

Input: requests. Output: responses. Files are read by worker processes; here only names, paths
and SQL are checked.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from executor.catalog import Catalog
from executor.catalog_rows import DatasetRow
from executor.home import Home
from executor.run import Scheduler
from executor.workspace import confine
from planner.errors import DataError, SpecError
from planner.schema import Column, Dataset, Schema
from planner.sql import check_select
from tools.requests import AddDataset
from tools.responses import ColumnInfo, DatasetInfo, QueryResult

READABLE = (
    ".csv", ".tsv", ".txt", ".gz", ".parquet", ".pq", ".jsonl", ".ndjson", ".json", ".arrow",
    ".feather", ".ipc", ".duckdb", ".db", ".sqlite", ".sqlite3",
)  # fmt: skip
MAX_FILES = 200
MAX_ROWS = 1000


class Datasets:
    """The datasets of one workspace. Calls that workers answer are fair between sessions."""

    def __init__(self, home: Home, workspace: Path, catalog: Catalog, scheduler: Scheduler) -> None:
        self._home = home
        self._workspace = workspace
        self._catalog = catalog
        self._scheduler = scheduler

    def path_of(self, fingerprint: str) -> Path:
        """Where the stored copy of a dataset is, or was."""
        return self._home.datasets / f"{fingerprint}.arrow"

    def known(self) -> dict[str, Dataset]:
        return {row.dataset.name: row.dataset for row in self._catalog.list_datasets()}

    def add(self, request: AddDataset, path: str = "", session: str = "") -> list[DatasetInfo]:
        """Reads a file (or each file of a folder) and registers it; blocks until it is done."""
        place = f"{path}.path" if path else "path"
        found = confine(self._workspace, request.path, place)
        if not found.is_dir():
            return [self._add(request, found, request.name or _name(found), place, session)]
        files = sorted(f for f in found.iterdir() if f.suffix in READABLE and f.is_file())
        if not files:
            raise SpecError(
                "empty_folder", f"The folder '{request.path}' has no data files.", path=place,
                hint=f"Readable: {', '.join(READABLE)}.",
            )  # fmt: skip
        if len(files) > MAX_FILES:
            raise SpecError(
                "too_many_files", f"The folder has {len(files)} files.", path=place,
                hint=f"At most {MAX_FILES} are read at once; add files one by one.",
            )  # fmt: skip
        prefix = request.name or _name(found)
        # Each file is confined again: a link in the folder may lead out of the workspace.
        inside = [confine(self._workspace, str(file), place) for file in files]
        return [
            self._add(request, file, f"{prefix}.{name}", place, session)
            for file, name in zip(inside, _names(files), strict=True)
        ]

    def _add(
        self, request: AddDataset, file: Path, name: str, place: str, session: str
    ) -> DatasetInfo:
        self._require_distinct(name, place)
        given = request.model_dump(exclude={"path", "name"})
        options = {key: value for key, value in given.items() if value not in (None, [])}
        status = file.stat()
        before = self._unchanged(name, file, status.st_size, status.st_mtime_ns, options)
        if before is not None:
            return before
        arguments = {
            "source": str(file), "directory": str(self._home.datasets), "options": options,
        }  # fmt: skip
        try:
            result = self._scheduler.call("ingest", arguments, session=session).result()
        except DataError as error:
            raise error if error.path else error.at(place) from None
        columns = tuple(
            Column(c["name"], c["kind"], c["sql_type"], c["nullable"], c["distinct"])
            for c in result["columns"]
        )
        dataset = Dataset(name, result["fingerprint"], result["rows"], Schema(columns))
        extra = {"warnings": result["warnings"], "suspects": result["suspects"]}
        row = DatasetRow(
            dataset,
            str(file),
            result["bytes"],
            {"read": options, **extra},
            status.st_size,
            status.st_mtime_ns,
        )
        self._catalog.put_dataset(row)
        return dataset_info(row)

    def _require_distinct(self, name: str, place: str) -> None:
        """SQL does not tell names apart that differ in case only."""
        for known in self.known():
            if known != name and known.lower() == name.lower():
                raise SpecError(
                    "name_taken",
                    f"There is a dataset '{known}', which SQL cannot tell from '{name}'.",
                    path=place.removesuffix("path") + "name",
                    hint=f"Choose another name, or replace that one as '{known}'.",
                )

    def _unchanged(
        self, name: str, file: Path, size: int, mtime: int, options: Mapping[str, Any]
    ) -> DatasetInfo | None:
        """The registration of the same file under the same name, if it is still good."""
        for row in self._catalog.list_datasets():
            same = row.dataset.name == name and row.source == str(file)
            fresh = (row.source_size, row.source_mtime_ns) == (size, mtime)
            if same and fresh and row.options.get("read") == options:
                return dataset_info(row) if self.path_of(row.dataset.fingerprint).exists() else None
        return None

    def list(self) -> list[DatasetInfo]:
        return [dataset_info(row) for row in self._catalog.list_datasets()]

    def profile(
        self, name: str, target: str | None, other: str | None = None, session: str = ""
    ) -> dict[str, Any]:
        """Types, gaps, relations to the target, advice; see `executor.profile`.

        Raises:
            SpecError: `unknown_dataset`, `unknown_column`.
            DataError: `dataset_gone`.
        """
        row = self._catalog.get_dataset(name)
        if target is not None:
            row.dataset.schema.require(target, "target")
        arguments: dict[str, Any] = {"path": self._file(row), "name": name, "target": target}
        if other is not None:
            arguments["other"] = self._file(self._catalog.get_dataset(other))
            arguments["other_name"] = other
        return self._scheduler.call("profile", arguments, session=session).result()

    def query(self, sql: str, limit: int = 50, session: str = "") -> QueryResult:
        """One read-only SELECT over the registered datasets.

        Raises:
            SpecError: `invalid_sql`, `forbidden_sql`, `unknown_dataset`, ...
            DataError: `dataset_gone` for one that it reads.
        """
        rows = {row.dataset.name: row for row in self._catalog.list_datasets()}
        read = check_select(sql, {n: row.dataset.schema for n, row in rows.items()}, "sql").tables
        tables = {name: self._file(rows[name]) for name in read}
        arguments = {"sql": sql, "tables": tables, "limit": max(1, min(limit, MAX_ROWS))}
        result = self._scheduler.call("query", arguments, 30.0, session).result()
        return QueryResult(
            columns=[column["name"] for column in result["columns"]],
            rows=result["rows"],
            truncated=result["truncated"],
        )

    def _file(self, row: DatasetRow) -> str:
        file = self.path_of(row.dataset.fingerprint)
        if not file.exists():
            raise DataError(
                "dataset_gone",
                f"The stored copy of the dataset '{row.dataset.name}' was removed.",
                hint=f"Add it again, under the same name, from '{row.source}'.",
            )
        return str(file)


def dataset_info(row: DatasetRow) -> DatasetInfo:
    return DatasetInfo(
        name=row.dataset.name,
        rows=row.dataset.rows,
        columns=[
            ColumnInfo(
                name=c.name, kind=c.kind, type=c.sql_type, nullable=c.nullable, distinct=c.distinct
            )
            for c in row.dataset.schema
        ],
        fingerprint=row.dataset.fingerprint,
        source=row.source,
        warnings=list(row.options.get("warnings", [])),
        suspects=dict(row.options.get("suspects", {})),
    )


def _names(files: Sequence[Path]) -> list[str]:
    """A name for each; files that differ in their endings only keep these in theirs."""
    short = [_name(file) for file in files]
    count = Counter(name.lower() for name in short)
    full = [re.sub(r"\W+", "_", file.name).strip("_") for file in files]
    return [s if count[s.lower()] == 1 else f for s, f in zip(short, full, strict=True)]


def _name(file: Path) -> str:
    """A name for a file: its stem without compression and format endings, as an identifier."""
    stem = file.name
    while Path(stem).suffix.lower() in READABLE:
        stem = Path(stem).stem
    return re.sub(r"\W+", "_", stem).strip("_") or "data"
