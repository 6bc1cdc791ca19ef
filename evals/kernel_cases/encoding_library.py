"""The table of the encoding benchmark, and Polars' side of it.

Input: a `Job`. Output: the table, or the seconds that Polars takes for the blocks of all folds, as
matrices.

    python -m evals.kernel_cases.encoding_library '{"rows": 20000}'

prints the seconds as JSON.
"""

import json
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from evals.kernel_cases.base import seconds_of

LEVELS = (2, 5, 12, 20, 36)
_GAPS = 0.05
Fold = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Job:
    """A table of numbers with gaps and of text, and what becomes of it in each fold."""

    rows: int
    encoder: str = "one-hot"
    numbers: int = 20
    folds: int = 5


def table_of(job: Job) -> pa.Table:
    """Columns n0, n1, ... of doubles, 5% missing; s0, s1, ... of text, two to 36 values."""
    seed = np.random.default_rng(job.rows)
    columns: dict[str, Any] = {}
    for place in range(job.numbers):
        values = seed.normal(place, 1 + place, job.rows)
        columns[f"n{place}"] = pa.array(values, mask=seed.random(job.rows) < _GAPS)
    for place, levels in enumerate(LEVELS):
        words = np.array([f"level {level:02d} of {place}" for level in range(levels)], object)
        columns[f"s{place}"] = pa.array(words[seed.integers(0, levels, job.rows)])
    return pa.table(columns)


def folds(job: Job) -> list[Fold]:
    from sklearn.model_selection import KFold

    splitter = KFold(job.folds, shuffle=True, random_state=0)
    return list(splitter.split(np.empty((job.rows, 1))))


def polars_blocks(job: Job, table: pa.Table, split: list[Fold]) -> list[np.ndarray]:
    """Both sides of the last fold, after all of them: text becomes codes once."""
    import polars as pl  # type: ignore[import-not-found, unused-ignore]

    names = [name for name in table.column_names if name[0] == "s"]
    frame: Any = pl.from_arrow(table)
    frame = frame.with_columns(
        pl.col(name).cast(pl.Enum(frame[name].unique().sort())) for name in names
    )
    found: list[np.ndarray] = []
    for train, valid in split:
        rows = frame[train]
        numbers = [pl.col(name) for name in table.column_names if name[0] == "n"]
        means = rows.select(column.mean() for column in numbers).row(0)
        full = [column.fill_null(mean) for column, mean in zip(numbers, means, strict=True)]
        scales = rows.select(column.std(ddof=0) for column in full).row(0)
        columns = [
            (column - mean) / scale for column, mean, scale in zip(full, means, scales, strict=True)
        ]
        for name in names:
            code = pl.col(name).to_physical()
            seen = rows[name].to_physical().unique().sort()
            if job.encoder == "one-hot":
                columns += [(code == k).cast(pl.Float64).alias(f"{name}-{k}") for k in seen]
            else:
                ranks = pl.Series(range(len(seen)), dtype=pl.Float64)
                columns.append(code.replace_strict(seen, ranks, default=-1.0))
        del found
        found = [side.select(columns).to_numpy() for side in (rows, frame[valid])]
    return found


def main() -> int:
    job = Job(**json.loads(sys.argv[1]))
    table, split = table_of(job), folds(job)
    print(json.dumps({"seconds": seconds_of(lambda: polars_blocks(job, table, split))}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
