"""How much single columns tell of the target: columns and a target in, ranked scores out.

Each feature is cut into at most 64 quantile bins (or its most frequent values), missing values
being a bin of their own, and the target's mean in a bin, taken from four fifths of the rows,
predicts the rest: non-linear relations, categories and missing patterns are seen, and a key that
occurs once predicts nothing.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import rankdata

from executor.profile_columns import rounded
from executor.suspects import kind_of

Task = Literal["regression", "binary", "multiclass"]

FOLDS = 5
BINS = 64
LEVELS = 500
CLASSES = 20
SMOOTHING = 5.0
MEASURE: dict[Task, str] = {"regression": "r2", "binary": "auc", "multiclass": "auc"}
LEAK: dict[Task, float] = {"regression": 0.98, "binary": 0.99, "multiclass": 0.99}


@dataclass(frozen=True)
class Target:
    """A target of n rows without missing values.

    `values` is (n, 1) for regression and binary targets, else (n, classes) of 0 and 1.
    """

    name: str
    task: Task
    values: np.ndarray


def guess_task(kind: str, distinct: int, rows: int) -> Task:
    """The task for a target of this kind and number of distinct values.

    Numbers with more than 20 values, or fractional ones with more than two, are regression.
    """
    if distinct <= 2 and kind != "date":
        return "binary"
    if kind in ("string", "categorical", "boolean"):
        return "multiclass"
    if kind == "integer" and distinct <= 20 and distinct < 0.05 * rows + 5:
        return "multiclass"
    return "regression"


def make_target(name: str, column: pa.ChunkedArray, task: Task) -> Target:
    """The target as numbers; `column` has no missing values."""
    if task == "regression":
        kind = column.type
        if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            column = column.cast(pa.timestamp("us")).cast(pa.int64())
        values = column.cast(pa.float64(), safe=False).to_numpy().copy()
        finite = np.isfinite(values)
        values[~finite] = np.median(values[finite]) if finite.any() else 0.0
        largest = np.abs(values).max()
        # All measures are relative; squares of the largest doubles would overflow.
        return Target(name, task, (values / largest if largest > 1e100 else values).reshape(-1, 1))
    counted = pc.value_counts(column)
    order = np.argsort(-counted.field("counts").to_numpy(), kind="stable")[:CLASSES]
    labels = counted.field("values").take(pa.array(order))
    if task == "binary":
        ordered = sorted(labels.to_pylist())
        hit = pc.equal(column, pa.scalar(ordered[-1], column.type))
        return Target(name, task, _numbers(hit).reshape(-1, 1))
    hits = [_numbers(pc.equal(column, label)) for label in labels]
    return Target(name, task, np.column_stack(hits))


def _numbers(hit: pa.ChunkedArray) -> np.ndarray:
    return np.asarray(hit.to_numpy(), dtype=np.float64)


def score_columns(table: pa.Table, target: Target, seed: int = 0) -> list[dict[str, Any]]:
    """Every column of `table` (without the target) as a single predictor, best first.

    Returns:
        ``{"column", "score"}`` with r2 (regression, 0 .. 1) or auc (0.5 .. 1; for several
        classes the mean over classes), ``"spearman"`` for numbers, and ``"leak"``: a reason
        where the column predicts the target almost perfectly.
    """
    rng = np.random.default_rng(seed)
    folds = rng.permutation(len(target.values)) % FOLDS
    with np.errstate(over="ignore", invalid="ignore"):  # values near the largest double
        return _ranked(table, target, folds)


def _ranked(table: pa.Table, target: Target, folds: np.ndarray) -> list[dict[str, Any]]:
    ranks = rankdata(target.values[:, 0]) if target.task != "multiclass" else None
    found = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        entry = _score(name, column, target, folds, ranks)
        if entry is not None:
            found.append(entry)
    found.sort(key=lambda entry: -entry["score"])
    return found


def _score(
    name: str,
    column: pa.ChunkedArray,
    target: Target,
    folds: np.ndarray,
    ranks: np.ndarray | None,
) -> dict[str, Any] | None:
    kind = kind_of(column.type)
    if kind == "other":
        return None
    entry: dict[str, Any] = {"column": name}
    missing = np.asarray(column.is_null().to_numpy(), dtype=bool)
    rho = pearson = 0.0
    if kind in ("integer", "float", "date", "boolean"):
        values = _floats(column)
        codes = _bins(values, missing)
        if ranks is not None:
            rho, pearson = _correlations(values, missing, target.values[:, 0], ranks)
            entry["spearman"] = rounded(rho, 3)
    else:
        codes = _levels(column, missing)
    predictions = _cross_means(codes, target.values, folds)
    score = _measure(target, predictions)
    if target.task == "regression":
        score = max(score, pearson**2)
    entry["score"] = rounded(score, 4)
    reason = _leak(target, score, rho, missing, folds)
    if reason:
        entry["leak"] = reason
    return entry


def _leak(target: Target, score: float, rho: float, missing: np.ndarray, folds: np.ndarray) -> str:
    measure = MEASURE[target.task]
    if score < LEAK[target.task] and abs(rho) < 0.995:
        return ""
    gaps = missing.astype(np.int64)
    if 0 < gaps.sum() < len(gaps):
        alone = _measure(target, _cross_means(gaps, target.values, folds))
        if alone >= LEAK[target.task] - 0.03:
            return (
                f"Whether it is missing alone gives {measure} {alone:.3f}: it is probably filled "
                f"in only after '{target.name}' is known."
            )
    if target.task == "regression" and abs(rho) >= 0.995 and score < LEAK["regression"]:
        return f"It orders the rows as '{target.name}' does (rank correlation {rho:.4f})."
    return (
        f"It alone gives {measure} {score:.3f}: it may be computed from '{target.name}', or "
        "known only after it."
    )


def _floats(column: pa.ChunkedArray) -> np.ndarray:
    kind = column.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        column = column.cast(pa.timestamp("us")).cast(pa.int64())
    elif pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)
    return np.nan_to_num(values, nan=0.0, posinf=1.7e308, neginf=-1.7e308)


def _bins(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Codes from 1 by quantile (by value where there are few), 0 for missing values."""
    codes = np.zeros(len(values), dtype=np.int64)
    present = values[~missing]
    if len(present):
        edges = np.unique(np.quantile(present, np.linspace(0, 1, BINS + 1)[1:-1], method="lower"))
        codes[~missing] = 1 + np.searchsorted(edges, present, side="left")
    return codes


def _levels(column: pa.ChunkedArray, missing: np.ndarray) -> np.ndarray:
    """Codes of the most frequent values from 2; 1 for all others, 0 for missing values."""
    encoded = column.combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0)
    if not pa.types.is_dictionary(encoded.type):
        encoded = encoded.dictionary_encode()
    raw = encoded.indices.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    counts = np.bincount(raw[~missing], minlength=max(1, len(encoded.dictionary)))
    frequent = np.argsort(-counts, kind="stable")[:LEVELS]
    places = np.ones(len(counts), dtype=np.int64)
    places[frequent] = 2 + np.arange(len(frequent))
    return np.where(missing, 0, places[raw])


def _cross_means(codes: np.ndarray, target: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Of each row, the smoothed mean of the target over its bin's rows in the other folds."""
    size = int(codes.max()) + 1
    cells = codes * FOLDS + folds
    counts = np.bincount(cells, minlength=size * FOLDS).reshape(size, FOLDS)
    others = counts.sum(1, keepdims=True) - counts
    predictions = np.empty_like(target)
    for place in range(target.shape[1]):
        y = target[:, place]
        sums = np.bincount(cells, weights=y, minlength=size * FOLDS).reshape(size, FOLDS)
        outside = sums.sum(1, keepdims=True) - sums
        prior = outside.sum(0) / np.maximum(1, others.sum(0))
        means = (outside + SMOOTHING * prior) / (others + SMOOTHING)
        # A bin that the other folds never saw says nothing.
        predictions[:, place] = means.reshape(-1)[cells]
    return predictions


def _measure(target: Target, predictions: np.ndarray) -> float:
    if target.task == "regression":
        y, p = target.values[:, 0], predictions[:, 0]
        total = float(((y - y.mean()) ** 2).sum())
        return max(0.0, 1 - float(((y - p) ** 2).sum()) / total) if total > 0 else 0.0
    scores = [_auc(y, p) for y, p in zip(target.values.T, predictions.T, strict=True)]
    return max(0.5, float(np.mean(scores)))


def _auc(y: np.ndarray, p: np.ndarray) -> float:
    """Area under the ROC curve by ranks (ties count half)."""
    positive = y.sum()
    negative = len(y) - positive
    if not positive or not negative:
        return 0.5
    ranks = rankdata(p)
    return float((ranks[y > 0].sum() - positive * (positive + 1) / 2) / (positive * negative))


def _correlations(
    values: np.ndarray, missing: np.ndarray, y: np.ndarray, ranks: np.ndarray
) -> tuple[float, float]:
    """Rank and linear correlation over the rows where the feature is present."""
    keep = ~missing
    if keep.sum() < 3:
        return 0.0, 0.0
    x = values[keep]
    x_ranks = rankdata(x)
    y_ranks = ranks if keep.all() else rankdata(y[keep])
    share = keep.mean()
    # Scaled by the share of present rows, so that ten matching rows of a thousand are no leak.
    return _correlation(x_ranks, y_ranks) * share, _correlation(x, y[keep]) * share


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    spread = np.abs(x).max()
    if not np.isfinite(spread) or spread > 1e150:
        return 0.0
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / scale if scale > 0 else 0.0


def exact_combination(table: pa.Table, target: Target) -> list[str]:
    """Numeric columns whose linear combination is the target to six digits, else empty."""
    if target.task != "regression":
        return []
    names = [
        name
        for name, column in zip(table.column_names, table.columns, strict=True)
        if kind_of(column.type) in ("integer", "float") and column.null_count == 0
    ][:100]
    y = target.values[:, 0]
    if not names or len(y) < 3 * (len(names) + 2):
        return []
    x = np.column_stack([_floats(table.column(name)) for name in names])
    keep = np.abs(x).max(0) < 1e150
    x, names = x[:, keep], [name for name, kept in zip(names, keep, strict=True) if kept]
    spread = x.std(0)
    use = spread > 0
    x = (x[:, use] - x[:, use].mean(0)) / spread[use]
    names = [name for name, used in zip(names, use, strict=True) if used]
    centred = y - y.mean()
    if not names or not centred.any():
        return []
    weights = np.linalg.lstsq(x, centred, rcond=None)[0]
    rest = centred - x @ weights
    if float(rest @ rest) > 1e-10 * float(centred @ centred):
        return []
    matter = np.abs(weights) > 1e-4 * np.abs(weights).max()
    return [name for name, used in zip(names, matter, strict=True) if used]
