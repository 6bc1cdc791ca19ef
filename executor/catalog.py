"""The catalog: what is known across requests, sessions and servers, in one SQLite file.

Input and output: the rows of `catalog_rows`. Datasets are here; jobs, evaluations and reusable
results are in the `catalog_*` modules that `Catalog` joins.
"""

import time
from dataclasses import asdict
from pathlib import Path
from sqlite3 import Row

from executor.catalog_evaluations import EvaluationTable
from executor.catalog_file import from_json, to_json
from executor.catalog_jobs import JobTable, process_alive
from executor.catalog_looks import LookTable
from executor.catalog_results import ResultTable
from executor.catalog_rows import (
    DatasetRow,
    Direction,
    EvaluationRow,
    EvaluationStatus,
    ExtentRow,
    FailureRow,
    JobRow,
    JobState,
    LeaderboardPage,
    ScoreRow,
    Timing,
    comparable_key,
)
from executor.catalog_timings import TimingTable
from planner.errors import SpecError, did_you_mean
from planner.schema import Column, Dataset, Schema

__all__ = [
    "Catalog",
    "DatasetRow",
    "Direction",
    "EvaluationRow",
    "EvaluationStatus",
    "ExtentRow",
    "FailureRow",
    "JobRow",
    "JobState",
    "LeaderboardPage",
    "ScoreRow",
    "Timing",
    "comparable_key",
    "process_alive",
]


class Catalog(JobTable, EvaluationTable, ResultTable, TimingTable, LookTable):
    """The catalog file at `path`, seen from one workspace.

    Datasets, lists of jobs, names of evaluations and leaderboards belong to a workspace (the
    directory that the server was started for); ids and content keys are shared by all. Every
    method may be called from any thread, and returns once its change is committed. Closing is
    not needed for that.

    Raises:
        ServerError: `catalog_too_new`, `catalog_unusable`; later also `catalog_busy`,
            `catalog_damaged`, `disk_full`. A damaged file is set aside on opening and a fresh
            one made, with a line in `warnings`.
    """

    def __init__(self, path: Path, workspace: str = "") -> None:
        super().__init__(path, workspace)

    def put_dataset(self, row: DatasetRow) -> None:
        """Register under the name in `row.dataset`, or replace what has that name."""
        dataset = row.dataset
        with self.write() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO datasets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(self.workspace, dataset.name, dataset.fingerprint, dataset.rows),
                    to_json([asdict(column) for column in dataset.schema]),
                    # Paths may hold bytes that are no valid text; JSON escapes them.
                    *(to_json(row.source), row.bytes, to_json(dict(row.options))),
                    *(row.source_size, row.source_mtime_ns, row.created or time.time()),
                ),
            )

    def get_dataset(self, name: str) -> DatasetRow:
        """The dataset called `name`.

        Raises:
            SpecError: `unknown_dataset`, with near names.
        """
        rows = self.read(
            "SELECT * FROM datasets WHERE workspace = ? AND name = ?", (self.workspace, name)
        )
        if not rows:
            raise self._unknown_dataset(name)
        return _dataset(rows[0])

    def list_datasets(self) -> list[DatasetRow]:
        """All datasets of the workspace, by name."""
        sql = "SELECT * FROM datasets WHERE workspace = ? ORDER BY name"
        return [_dataset(row) for row in self.read(sql, (self.workspace,))]

    def remove_dataset(self, name: str) -> None:
        """Forget the dataset; SpecError `unknown_dataset` if there is none."""
        with self.write() as connection:
            removed = connection.execute(
                "DELETE FROM datasets WHERE workspace = ? AND name = ?", (self.workspace, name)
            ).rowcount
        if not removed:
            raise self._unknown_dataset(name)

    def fingerprint_in_use(self, fingerprint: str) -> bool:
        """Whether any workspace still has a dataset of this content."""
        sql = "SELECT 1 FROM datasets WHERE fingerprint = ? LIMIT 1"
        return bool(self.read(sql, (fingerprint,)))

    def _unknown_dataset(self, name: str) -> SpecError:
        rows = self.read("SELECT name FROM datasets WHERE workspace = ?", (self.workspace,))
        names = [row["name"] for row in rows]
        listed = f"There are: {', '.join(names[:20])}." if names else "Add a dataset first."
        return SpecError(
            "unknown_dataset",
            f"There is no dataset '{name}'.",
            hint=did_you_mean(name, names, listed),
        )


def _dataset(row: Row) -> DatasetRow:
    schema = Schema(tuple(Column(**column) for column in from_json(row["schema"])))
    return DatasetRow(
        dataset=Dataset(row["name"], row["fingerprint"], row["rows"], schema),
        source=from_json(row["source"]),
        bytes=row["bytes"],
        options=from_json(row["options"]),
        source_size=row["source_size"],
        source_mtime_ns=row["source_mtime_ns"],
        created=row["created"],
    )
