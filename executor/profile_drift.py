"""Differences between two tables: a training and a test table in, what changed out."""

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from executor.profile_columns import rounded
from executor.query import cell
from executor.suspects import kind_of

MAX_LISTED = 30
LEVELS = 1000


def drift(
    train: pa.Table,
    test: pa.Table,
    skipped: Collection[str | None],
    train_sample: pa.Table,
    test_sample: pa.Table,
) -> dict[str, Any]:
    """How `test` differs from `train`.

    Args:
        train: The table that models are fitted on.
        test: The table they will predict.
        skipped: Columns left out of the comparison: the target, row identifiers.
        train_sample: Rows of `train` for the distances.
        test_sample: Rows of `test` for the distances.

    Returns:
        ``{"only_in_train", "only_in_test", "types_differ": [[column, train, test]],
        "columns": [{"column", "distance", ...}]}``: columns by decreasing distance, which is
        Kolmogorov-Smirnov's for numbers and dates and the total variation distance for others
        (0: alike, 1: disjoint), with ``missing`` fractions, ``unseen`` (share of test rows whose
        value train has not) and ``later`` (test dates all after train).
    """
    ours, theirs = set(train.column_names), set(test.column_names)
    both = [name for name in train.column_names if name in theirs and name not in skipped]
    differ, columns = [], []
    for name in both:
        kinds = kind_of(train.column(name).type), kind_of(test.column(name).type)
        numeric = all(kind in ("integer", "float", "boolean") for kind in kinds)
        if kinds[0] != kinds[1] and not numeric:
            differ.append([name, *kinds])
            continue
        if kinds[0] == "other":
            continue
        entry = _compare(
            train.column(name),
            test.column(name),
            train_sample.column(name),
            test_sample.column(name),
            kinds[0],
        )
        columns.append({"column": name, **entry})
    columns.sort(key=lambda entry: -entry["distance"])
    return {
        "only_in_train": [n for n in train.column_names if n not in theirs][:MAX_LISTED],
        "only_in_test": [n for n in test.column_names if n not in ours][:MAX_LISTED],
        "types_differ": differ[:MAX_LISTED],
        "columns": columns[:MAX_LISTED],
    }


def _compare(
    train: pa.ChunkedArray,
    test: pa.ChunkedArray,
    train_sample: pa.ChunkedArray,
    test_sample: pa.ChunkedArray,
    kind: str,
) -> dict[str, Any]:
    missing = [rounded(part.null_count / len(part), 4) for part in (train, test)]
    entry: dict[str, Any] = {"distance": 0.0}
    if missing[0] != missing[1]:
        entry["missing"] = missing
    a, b = train_sample.drop_null(), test_sample.drop_null()
    gap = abs(train.null_count / len(train) - test.null_count / len(test))
    distance = 0.0
    if len(a) and len(b):
        if kind in ("integer", "float", "boolean", "date"):
            distance = largest_gap(_values(a), _values(b))
            if kind == "date":
                entry.update(_order(train, test))
        else:
            distance = _variation(a, b)
            if pa.types.is_large_string(train.type):
                known = pc.is_in(test, value_set=train.unique().drop_null())
                unseen = len(test) - test.null_count - (pc.sum(known).as_py() or 0)
                entry["unseen"] = rounded(unseen / len(test), 4)
    entry["distance"] = rounded(max(distance, gap), 4)
    return entry


def _values(column: pa.ChunkedArray) -> np.ndarray:
    kind = column.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us")).cast(pa.int64())
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy())


def largest_gap(a: np.ndarray, b: np.ndarray) -> float:
    """The Kolmogorov-Smirnov statistic of two samples (scipy's takes 3 ms for the p-value)."""
    a, b = np.sort(a), np.sort(b)
    both = np.concatenate([a, b])
    shares = [np.searchsorted(part, both, side="right") / len(part) for part in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max())


def _order(train: pa.ChunkedArray, test: pa.ChunkedArray) -> dict[str, Any]:
    ends = [pc.min_max(part.cast(pa.timestamp("us"))).as_py() for part in (train, test)]
    return {
        "train_range": [cell(ends[0]["min"]), cell(ends[0]["max"])],
        "test_range": [cell(ends[1]["min"]), cell(ends[1]["max"])],
        "later": ends[1]["min"] > ends[0]["max"],
    }


def _variation(a: pa.ChunkedArray, b: pa.ChunkedArray) -> float:
    """Half the sum of differences of relative frequencies, rare values taken together."""
    shares: list[dict[Any, float]] = []
    for part in (a, b):
        counted = pc.value_counts(part)
        counts = counted.field("counts").to_numpy()
        labels = counted.field("values").to_pylist()
        shares.append(dict(zip(labels, counts / len(part), strict=True)))
    totals = {key: shares[0].get(key, 0) + shares[1].get(key, 0) for key in shares[0] | shares[1]}
    kept = sorted(totals, key=lambda key: -totals[key])[:LEVELS]
    difference = sum(abs(shares[0].get(key, 0) - shares[1].get(key, 0)) for key in kept)
    rest = [1 - sum(share.get(key, 0) for key in kept) for share in shares]
    return float(difference + abs(rest[0] - rest[1])) / 2
