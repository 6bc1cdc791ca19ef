"""The Python backend: scikit-learn, LightGBM, XGBoost and everything with fit/predict.

It is the oracle: every other backend must agree with it, and it is written to do what the plain
libraries do on the same rows. Inputs and outputs are described at each op in `planner.ops`.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from executor.backends import (
    blends,
    coded,
    components,
    decompositions,
    distinct,
    linear,
    neighbours,
    prefixes,
    selections,
    stacked,
    trees,
    vocabularies,
)
from executor.backends.base import Context
from executor.backends.duckdb import to_frame
from executor.backends.sides import Split, as_text, handed, validation_target
from executor.backends.sides import sides as sides
from executor.backends.sides import training_target as training_target
from executor.construct import construct
from executor.features import concatenate, same_categories
from executor.folds import hold_out, split
from executor.models import FittedModel, fit_model, predict
from executor.scoring import score
from planner.errors import DataError
from planner.graph import Op
from planner.ops import (
    Apply,
    Columns,
    Concat,
    Encode,
    Fit,
    FitTarget,
    Folds,
    MapTarget,
    Predict,
    Score,
    Vector,
)
from planner.ops_encode import CodedEncode
from planner.ops_holdout import HoldoutRows


class PythonBackend:
    """Runs every op except queries."""

    name = "python"

    def supports(self, op: Op) -> bool:
        return type(op) in _RUN

    def run(self, op: Op, inputs: Sequence[Any], context: Context) -> Any:
        return _RUN[type(op)](op, inputs, context)


def _folds(op: Folds, inputs: Sequence[Any], context: Context) -> Any:
    table, *holdout = inputs
    return split(op, table, table.num_rows, *holdout)


def _holdout(op: HoldoutRows, inputs: Sequence[Any], context: Context) -> Any:
    return hold_out(op, inputs[0], inputs[0].num_rows)


def _vector(op: Vector, inputs: Sequence[Any], context: Context) -> Any:
    column = to_frame(inputs[0], [op.column])[op.column]
    values = column.to_numpy()
    if values.dtype.kind not in "biufM":
        values = np.asarray(values, dtype=object)
    return values


def _map_target(op: MapTarget, inputs: Sequence[Any], context: Context) -> Any:
    with np.errstate(all="ignore"):
        mapped = getattr(np, op.function)(np.asarray(inputs[0], dtype=np.float64))
    bad = int((~np.isfinite(mapped)).sum())
    if bad:
        raise DataError(
            "target_transform_domain",
            f"'{op.function}' of the target is not finite in {bad} rows.",
            hint="Filter those rows in `prepare`, or use another transform.",
        )
    return mapped


def _fit_target(op: FitTarget, inputs: Sequence[Any], context: Context) -> Any:
    target, folds = inputs
    train = folds[context.position][0]
    column = np.asarray(target, dtype=np.float64)[train].reshape(-1, 1)
    transformer = construct(op.transformer)
    fitted = transformer.fit(column)
    transformed = np.asarray(fitted.transform(column))
    if transformed.size != len(train) or not hasattr(fitted, "inverse_transform"):
        raise DataError(
            "unknown_transform",
            f"'{op.transformer.name}' does not map the target to one column and back.",
            hint="Use a transformer with an inverse, such as StandardScaler(), "
            "PowerTransformer() or QuantileTransformer().",
        )
    return transformed.reshape(-1), fitted


def _columns(op: Columns, inputs: Sequence[Any], context: Context) -> Any:
    frame = to_frame(inputs[0], list(op.names))
    return frame[op.names[0]] if op.single else frame


def _apply(op: Apply, inputs: Sequence[Any], context: Context) -> Any:
    block = as_text(op.transformer, handed(inputs[0]))
    return construct(op.transformer).fit_transform(block)


def _encode(op: Encode, inputs: Sequence[Any], context: Context) -> Any:
    folds: Split = inputs[1]
    train, valid = sides(inputs[0], folds, context)
    train, valid = (as_text(op.transformer, block) for block in (train, valid))
    fast = None if op.supervised else _scaled(op, train, valid)
    if fast is not None:
        return fast
    transformer = construct(op.transformer)
    target = (training_target(inputs[2], folds, context),) if op.supervised else ()
    if hasattr(transformer, "fit_transform"):
        fitted = transformer.fit_transform(train, *target)
    else:
        fitted = transformer.fit(train, *target).transform(train)
    _warn_of_classes(op, transformer)
    return same_categories(fitted, transformer.transform(valid))


def _scaled(op: Encode, train: Any, valid: Any) -> Any:
    """Both sides by the kernel of encodings, where there is one and it gives the same."""
    if not (isinstance(train, np.ndarray) and isinstance(valid, np.ndarray)):
        return None
    try:
        from executor.backends.rust import encoding
    except ImportError:
        return None
    return encoding.scaled(op.transformer, train, valid)


def _warn_of_classes(op: Encode | CodedEncode, transformer: Any) -> None:
    """A target of whole numbers is classes to TargetEncoder, unless it is told otherwise."""
    classes = getattr(transformer, "classes_", None)
    if op.transformer.name == "TargetEncoder" and classes is not None and len(classes) > 50:
        warnings.warn(
            f"TargetEncoder took the target for {len(classes)} classes, because its values are "
            "whole numbers: slow, and rarely meant. Set target_type='continuous'.",
            UserWarning,
            stacklevel=1,
        )


def _concat(op: Concat, inputs: Sequence[Any], context: Context) -> Any:
    folds: Split = inputs[0]
    pairs = [sides(block, folds, context) for block in inputs[1:]]
    # The density rule of ColumnTransformer is decided on the training rows.
    train, sparse = concatenate([pair[0] for pair in pairs], op.sparse_threshold)
    valid, _ = concatenate([pair[1] for pair in pairs], op.sparse_threshold, sparse)
    return same_categories(train, valid)


def _fit(op: Fit, inputs: Sequence[Any], context: Context) -> Any:
    features, folds, target, *weights = inputs
    train, valid = sides(features, folds, context)
    y = training_target(target, folds, context)
    weight = np.asarray(weights[0])[folds[context.position][0]] if weights else None
    watched = None
    if op.stop_rounds and not op.stop_inner:
        watched = (valid, validation_target(target, folds, context))
    transformer = target[1] if isinstance(target, tuple) else None
    return fit_model(op, train, y, weight, valid, watched, transformer)


def _predict(op: Predict, inputs: Sequence[Any], context: Context) -> Any:
    model: FittedModel = inputs[0]
    return predict(model, op.methods)


def _score(op: Score, inputs: Sequence[Any], context: Context) -> Any:
    (values, method, classes), folds, target, *weights = inputs
    valid = folds[context.position][1]
    weight = np.asarray(weights[0])[valid] if weights else None
    return score(
        op.metric,
        op.task,
        np.asarray(target)[valid],
        values,
        classes=classes,
        sample_weight=weight,
        positive=op.positive,
        method=method,
    )


_CODED = coded.table(_encode, _warn_of_classes)

_RUN: dict[type[Op], Callable[[Any, Sequence[Any], Context], Any]] = {
    Folds: _folds,
    HoldoutRows: _holdout,
    Vector: _vector,
    MapTarget: _map_target,
    FitTarget: _fit_target,
    Columns: _columns,
    Apply: _apply,
    Encode: _encode,
    Concat: _concat,
    Fit: neighbours.with_kernel(_fit),
    Predict: _predict,
    Score: _score,
    **linear.RUN,
    **prefixes.table(_fit),
    **trees.table(_fit),
    **neighbours.table(_fit),
    **decompositions.table(_encode),
    **distinct.RUN,
    **components.RUN,
    **selections.RUN,
    **vocabularies.RUN,
    **blends.RUN,
    **_CODED,
    **stacked.table(_encode, _CODED[CodedEncode], _concat),
}
