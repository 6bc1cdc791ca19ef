"""Fitting a predictor and asking it for predictions, the same way for every library.

Input: a `Fit` op and the rows of one fold. Output: a `FittedModel`, then predictions as the
triple (values, method used, classes).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from executor import bins, quantile_bins
from executor.construct import construct
from executor.features import array_of, has_categories, take
from planner.errors import DataError, ExecutionError
from planner.expressions import Call, param, walk_calls, with_params
from planner.ops import Fit, Method

INVERSES = {"log1p": np.expm1, "log": np.exp, "sqrt": np.square, "expm1": np.log1p}
# Libraries whose classifiers want labels 0..k-1, also inside of a search or an ensemble.
_WANTS_CODES = ("XGB",)
_BOOSTERS = ("LGBM", "XGB", "CatBoost")


@dataclass(frozen=True)
class FittedModel:
    """A fitted estimator with the validation features it is asked about."""

    estimator: Any
    valid: Any
    op: Fit
    classes: np.ndarray | None
    decode: bool
    transformer: Any


def fit_model(
    op: Fit,
    train: Any,
    y: np.ndarray,
    weight: np.ndarray | None,
    valid: Any,
    watched: tuple[Any, np.ndarray] | None,
    transformer: Any,
) -> FittedModel:
    """Fits `op.estimator` on training rows.

    `train` and `valid` are feature blocks (n_train, p) and (n_valid, p); `weight` (n_train,);
    `watched` are rows for early stopping if those are not taken from the training rows.
    """
    call = op.estimator
    if call.name.startswith(_BOOSTERS):
        train, valid = _plain(train), _plain(valid)
        if watched is not None:
            watched = (_plain(watched[0]), watched[1])
        categories = call.name.startswith("XGB") and has_categories(train)
        if categories and param(call, "enable_categorical") is None:
            call = with_params(call, enable_categorical=True)
    classes: np.ndarray | None = None
    decode = op.task != "regression" and _wants_codes(call)
    if watched is not None and op.task != "regression":
        _require_known(y, watched[1])
    if decode:
        classes, y = np.unique(y, return_inverse=True)
        if watched is not None:
            watched = (watched[0], np.searchsorted(classes, watched[1]))
    if op.stop_rounds:
        if watched is None:
            train, y, weight, watched = _split_inner(op, train, y, weight)
        estimator = _fit_stopping(op, call, train, y, weight, watched)
    else:
        estimator = construct(call)
        if bins.serves(estimator, train, y, weight):
            estimator = bins.fit(estimator, train, y, weight)
        else:
            arguments = {} if weight is None else {"sample_weight": weight}
            quantile_bins.share(estimator).fit(train, y, **arguments)
    if classes is None and op.task != "regression":
        classes = np.asarray(getattr(estimator, "classes_", np.unique(y)))
    return FittedModel(estimator, valid, op, classes, decode, transformer)


def _wants_codes(call: Call) -> bool:
    return any(inner.name.startswith(_WANTS_CODES) for inner in walk_calls(call))


def _require_known(y: np.ndarray, watched: np.ndarray) -> None:
    unseen = ~np.isin(watched, np.unique(y))
    if unseen.any():
        raise DataError(
            "unseen_class_in_fold",
            f"{int(unseen.sum())} rows that early stopping watches are of a class that is not "
            f"among the training rows ({str(watched[unseen][0])!r:.60}).",
            hint="Use StratifiedKFold (or fewer folds), so that every fold has every class.",
        )


def _plain(block: Any) -> Any:
    """Features without column names; frames are kept only for their categories."""
    if not isinstance(block, pd.DataFrame):
        return block
    if has_categories(block):
        renamed = block.copy(deep=False)
        renamed.columns = [f"f{position}" for position in range(block.shape[1])]
        return renamed
    return array_of(block)


def _split_inner(
    op: Fit, train: Any, y: np.ndarray, weight: np.ndarray | None
) -> tuple[Any, np.ndarray, np.ndarray | None, tuple[Any, np.ndarray]]:
    """Splits off the rows that early stopping watches (train_test_split, seed of the model)."""
    from sklearn.model_selection import train_test_split

    seed = dict(op.estimator.params).get("random_state", 0)
    kept, out = train_test_split(
        np.arange(len(y)),
        test_size=op.stop_inner,
        random_state=seed if isinstance(seed, int) else 0,
        stratify=None if op.task == "regression" else y,
    )
    watched = (take(train, out), y[out])
    return take(train, kept), y[kept], None if weight is None else weight[kept], watched


def _fit_stopping(
    op: Fit,
    call: Call,
    train: Any,
    y: np.ndarray,
    weight: np.ndarray | None,
    watched: tuple[Any, np.ndarray],
) -> Any:
    estimator = construct(call)
    arguments: dict[str, Any] = {} if weight is None else {"sample_weight": weight}
    if call.name.startswith("LGBM"):
        import lightgbm

        stop = lightgbm.early_stopping(op.stop_rounds, verbose=False)
        if op.stop_metric:
            # Not `eval_metric`, which would be watched beside the objective's own.
            estimator.set_params(metric=op.stop_metric)
        return estimator.fit(train, y, eval_set=[watched], callbacks=[stop], **arguments)
    if call.name.startswith("XGB"):
        estimator.set_params(early_stopping_rounds=op.stop_rounds)
        if op.stop_metric:
            estimator.set_params(eval_metric=op.stop_metric)
        return estimator.fit(train, y, eval_set=[watched], verbose=False, **arguments)
    if call.name.startswith("CatBoost"):
        if op.stop_metric:
            estimator.set_params(eval_metric=op.stop_metric)
        return estimator.fit(
            train, y, eval_set=[watched], early_stopping_rounds=op.stop_rounds, **arguments
        )
    raise ExecutionError(
        "early_stopping_unsupported", f"'{call.name}' does not take early stopping from a spec."
    )


def inverse(function: str | None, values: np.ndarray) -> np.ndarray:
    """Predictions on the scale of the target as given."""
    return values if function is None else INVERSES[function](values)


def predict(
    model: FittedModel, methods: tuple[Method, ...]
) -> tuple[np.ndarray, str, np.ndarray | None]:
    """Predictions by the first of `methods` that the model has.

    Returns ``(values, method, classes)``; values are (n_valid,) or (n_valid, classes).
    """
    for method in methods:
        ask = getattr(model.estimator, method, None)
        if ask is None:
            continue
        values = np.asarray(ask(model.valid))
        if model.op.task == "regression":
            values = _back(model, values.reshape(-1))
            _require_finite(model, values)
        elif method == "predict":
            values = values.reshape(-1)
            if model.decode and model.classes is not None:
                values = model.classes[values.astype(np.int64)]
        else:
            _require_finite(model, values)
        return values, method, model.classes
    raise ExecutionError(
        "metric_mismatch",
        f"'{model.op.estimator.name}' has none of {', '.join(methods)}, which the metric needs.",
        hint="Choose a metric of labels (accuracy, f1), or a model with probabilities "
        "(SVC(probability=True)).",
    )


def _back(model: FittedModel, values: np.ndarray) -> np.ndarray:
    if model.transformer is not None:
        back = model.transformer.inverse_transform(values.reshape(-1, 1))
        return np.asarray(back).reshape(-1)
    return inverse(model.op.function, values)


def _require_finite(model: FittedModel, values: np.ndarray) -> None:
    bad = int(values.size - np.isfinite(values).sum())
    if bad:
        raise ExecutionError(
            "non_finite_predictions",
            f"'{model.op.estimator.name}' gave {bad} predictions that are NaN or infinite.",
            hint="Scale the features, lower the learning rate, or use a tamer target transform.",
        )
