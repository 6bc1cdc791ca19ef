"""Scores by the kernels of metrics: all that one target is asked for, in one call for each kind.

Input: ops `Score` with what they read. Output: their values, or None where the library must say:
score weights, arguments and types that the kernels do not know, undefined values, and whatever
the library raises or warns about. `executor.scoring` is what they agree with.
"""

import warnings
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np

import rust_exec
from executor.backends.base import Work
from executor.backends.rust.label_metrics import LABEL_METRICS, Counts
from executor.backends.rust.labels import Labels
from executor.scoring import plain, positive_place, read_label
from planner.errors import StratumError
from planner.metrics import MetricDef, resolve
from planner.ops import Score

Vector = np.ndarray[Any, Any]
Asked = tuple[int, MetricDef, Work]  # position of the answer, the metric, the op with its inputs

_NUMBERS = frozenset({
    "mean_squared_error", "root_mean_squared_error", "mean_absolute_error",
    "mean_absolute_percentage_error", "median_absolute_error", "max_error", "r2_score",
    "explained_variance_score",
})  # fmt: skip
_LOGARITHMIC = {
    "mean_squared_log_error": "mean_squared_error",
    "root_mean_squared_log_error": "root_mean_squared_error",
}
_LOSSES = ("log_loss", "brier_score_loss")
_RANKED = ("roc_auc_score", "average_precision_score")
# More labels than this, and the counts of a vector cost more than the library's sorting.
_MOST_LABELS = 256
_VECTORS = 64  # whose counts are held at a time
# Starting threads takes longer than scoring fewer values than this.
_WORTH_THREADS = 1 << 22

_resolved = lru_cache(maxsize=512)(resolve)


def scores(works: Sequence[Work]) -> list[float | None]:
    """A value for each of `works`, with the sign it is reported with, or None."""
    groups: dict[Hashable, list[Asked]] = {}
    for position, work in enumerate(works):
        op = work.op
        if not isinstance(op, Score) or op.weighted:
            continue
        (_, method, classes), folds, target = work.inputs
        where = (id(target), id(folds), work.context.fold, op.task, op.positive)
        groups.setdefault((*where, method, _identity(classes)), []).append(
            (position, _resolved(op.metric), work)
        )
    found: list[float | None] = [None] * len(works)
    for group in groups.values():
        values = _of_group(group)
        for position, definition, _ in group:
            value = values.get(position, np.nan)
            if np.isfinite(value):
                found[position] = -float(value) if definition.negate else float(value)
    return found


def _identity(classes: Any) -> Hashable:
    if classes is None:
        return None
    array = np.asarray(classes)
    return array.dtype.str, tuple(array.tolist())


def _of_group(group: list[Asked]) -> dict[int, float]:
    work = group[0][2]
    op, (_, method, classes), folds, target = work.op, *work.inputs
    assert isinstance(op, Score)
    y = np.asarray(target)[folds[work.context.position][1]]
    try:
        if op.task == "regression":
            return _regression(group, plain(y, numeric=True))
        y = plain(y, numeric=False)
        if method == "predict":
            return _labels(group, y, classes)
        return _scores(group, y, classes, method)
    except (rust_exec.KernelInputError, rust_exec.KernelInternalError) as error:
        text = f"The kernel of metrics failed ({error.code})."
        warnings.warn(text, RuntimeWarning, stacklevel=2)
        return {}


def _threads(group: list[Asked], y: Vector) -> int:
    return group[0][2].context.threads if len(group) * len(y) >= _WORTH_THREADS else 1


class _Calls:
    """What is asked of each vector; vectors that are asked for the same go in one call."""

    def __init__(self) -> None:
        self.vectors: dict[Hashable, Vector] = {}
        self.asked: dict[Hashable, dict[str, list[int]]] = {}

    def add(
        self, position: int, name: str, key: Hashable, make: Callable[[], Vector] | Vector
    ) -> None:
        """Asks for `name` of the vector known as `key`, which is made once."""
        if key not in self.vectors:
            self.vectors[key] = make() if callable(make) else make
        self.asked.setdefault(key, {}).setdefault(name, []).append(position)

    def run(self, kernel: Callable[[list[Vector], list[str]], Vector]) -> dict[int, float]:
        alike: dict[tuple[str, ...], list[Hashable]] = {}
        for key, names in self.asked.items():
            alike.setdefault(tuple(sorted(names)), []).append(key)
        found: dict[int, float] = {}
        for same, keys in alike.items():
            table = kernel([self.vectors[key] for key in keys], list(same))
            for key, row in zip(keys, table.tolist(), strict=True):
                for name, value in zip(same, row, strict=True):
                    found.update(dict.fromkeys(self.asked[key][name], value))
        return found


def _regression(group: list[Asked], y: Vector) -> dict[int, float]:
    """The library computes in float64 unless all it is given are floats of fewer bits."""
    if y.ndim != 1 or y.dtype.kind not in "iuf" or y.dtype in (np.float16, np.float32):
        return {}
    target = np.asarray(y, dtype=np.float64)
    plainly, logarithmic = _Calls(), _Calls()
    for position, definition, work in group:
        values = work.inputs[0][0]
        name = definition.function
        vector = _numbers(values, len(y), single=y.dtype == np.float64)
        if vector is None or definition.arguments:
            continue
        if name in _NUMBERS:
            plainly.add(position, name, id(values), vector)
        elif name in _LOGARITHMIC and not (vector <= -1).any():
            logarithmic.add(position, _LOGARITHMIC[name], id(values), partial(np.log1p, vector))
    threads = _threads(group, y)
    found = plainly.run(partial(rust_exec.score_numbers, target, threads=threads))
    if logarithmic.asked and not (target <= -1).any():
        logs = np.log1p(target)
        found |= logarithmic.run(partial(rust_exec.score_numbers, logs, threads=threads))
    return found


def _numbers(values: Any, rows: int, *, single: bool) -> Vector | None:
    """(n,) float64 of predictions, where conversion is what the library does as well."""
    array = np.asarray(values)
    if array.dtype != np.float64:
        if not (single and array.dtype == np.float32):
            return None
        array = array.astype(np.float64)
    if array.ndim == 2 and array.shape[0] == rows and array.shape[1]:
        array = array[:, 0]
    return array if array.shape == (rows,) else None


def _scores(group: list[Asked], y: Vector, classes: Any, method: str) -> dict[int, float]:
    """Metrics of decision values or probabilities."""
    labels = Labels.of(classes)
    codes = None if labels is None else labels.codes(y)
    if labels is None or codes is None or len(labels.values) < 2:
        return {}
    threads = _threads(group, y)
    if len(labels.values) > 2:
        return _many_classes(group, codes, len(labels.values), threads)
    calls = (_Calls(), _Calls())  # by the place of the positive class
    gini: set[int] = set()
    for position, definition, work in group:
        values = np.asarray(work.inputs[0][0])
        name = definition.function
        given = dict(definition.arguments)
        wanted = given.pop("pos_label", None)
        if given.keys() - {"multi_class", "average"}:
            continue
        if name == "own.gini":
            gini.add(position)
            name = "roc_auc_score"
        if values.dtype != np.float64 and not (values.dtype == np.float32 and name in _RANKED):
            continue
        if name not in (*_LOSSES, *_RANKED) or values.shape[1:] not in ((), (2,)):
            continue
        place = 1 if name == "log_loss" else _place(labels.values, wanted, work.op)
        if place is not None:
            calls[place].add(
                position,
                name,
                id(work.inputs[0][0]),
                partial(_of_class, values, place, method),
            )
    found: dict[int, float] = {}
    for place, asked in enumerate(calls):
        hits = (codes == place).view(np.uint8)
        found |= asked.run(partial(rust_exec.score_binary, hits, threads=threads))
    return {
        position: 2.0 * value - 1 if position in gini else value
        for position, value in found.items()
    }


def _place(labels: Vector, wanted: Any, op: Any) -> int | None:
    """Place of the positive class among two; None if it is neither."""
    if wanted is None and op.positive is not None:
        wanted = read_label(op.positive)
    try:
        return positive_place(labels, wanted)
    except StratumError:
        return None


def _of_class(values: Vector, place: int, method: str) -> Vector:
    """Scores of the class at `place`, from those of the second."""
    answer = values[:, 1] if values.ndim == 2 else values
    if place == 0:
        answer = 1 - answer if method == "predict_proba" else -answer
    return np.asarray(answer, dtype=np.float64)


def _many_classes(
    group: list[Asked], codes: Vector, classes: int, threads: int
) -> dict[int, float]:
    calls = _Calls()
    for position, definition, work in group:
        values = np.asarray(work.inputs[0][0])
        given = dict(definition.arguments)
        given.pop("pos_label", None)
        name = definition.function
        if name == "roc_auc_score":
            weighted = given.pop("average", None) == "weighted"
            name = f"roc_auc_{given.pop('multi_class', None)}{'_weighted' * weighted}"
            if not name.startswith(("roc_auc_ovr", "roc_auc_ovo")):
                continue
        elif name not in (*_LOSSES, "average_precision_score"):
            continue
        single = values.dtype == np.float32 and name not in _LOSSES
        if given or values.shape != (len(codes), classes):
            continue
        if values.dtype == np.float64 or single:
            calls.add(
                position,
                name,
                id(work.inputs[0][0]),
                partial(np.asarray, values, dtype=np.float64),
            )
    return calls.run(
        lambda v, names: rust_exec.score_multiclass(codes, v, classes, names, threads=threads)
    )


def _labels(group: list[Asked], y: Vector, classes: Any) -> dict[int, float]:
    """Metrics of predicted labels, from one table of counts for each vector."""
    known = y[:0] if classes is None else plain(classes, numeric=False)
    labels = Labels.united(known, y)
    target = None if labels is None else labels.numbers(y)
    if labels is None or target is None or not 1 < len(labels.values) <= _MOST_LABELS:
        return {}
    vectors: dict[int, Vector] = {}
    wanted: dict[int, list[tuple[int, MetricDef, int | None]]] = {}
    for position, definition, work in group:
        values = work.inputs[0][0]
        if definition.function not in LABEL_METRICS:
            continue
        if id(values) not in vectors:
            found = labels.numbers(plain(values, numeric=False))
            # The same numbers must stand for the labels as in the target.
            if found is None or not np.array_equal(found[1], target[1]):
                continue
            vectors[id(values)] = found[0]
        label = dict(definition.arguments).get("pos_label")
        place = _place(labels.values, label, work.op)
        wanted.setdefault(id(values), []).append((position, definition, place))
    answers: dict[int, float] = {}
    keys = list(wanted)
    threads = _threads(group, y)
    for first in range(0, len(keys), _VECTORS):
        some = keys[first : first + _VECTORS]
        tables = rust_exec.confusion_matrices(
            target[0], [vectors[key] for key in some], target[1], threads=threads
        )
        for key, table in zip(some, tables, strict=True):
            if table[0, 0] < 0:
                continue  # labels that neither the target nor the model knows
            counts = Counts(table)
            for position, definition, place in wanted[key]:
                value = LABEL_METRICS[definition.function](
                    counts, dict(definition.arguments), place
                )
                if value is not None:
                    answers[position] = value
    return answers
