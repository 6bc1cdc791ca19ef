"""Boosting by its kernel: LightGBM, XGBoost (`hist`) and HistGradientBoosting.

Input: fits that differ only in their number of rounds, and the rows of one fold. Output: their
predictions on the validation rows, from one fit; or why the kernel cannot take them. The bins of
the rows are kept for the next configuration.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import expit, softmax
from sklearn.utils.class_weight import compute_sample_weight

import rust_exec
from executor.backends.rust.boosting_categories import frequent, most_categories, unordered
from executor.backends.rust.rows import Kernel, Rows, Side
from planner.ops import Fit
from rust_exec import BinnedRows, BoostingModel
from rust_exec.boosting import Library

Params = Mapping[str, Any]  # by `planner.trees_boosting`, which says of what type

_MAX_BYTES = 64 << 20
_MOST_BINS = 255
# XGBoost's `kRtEps`: what a split must gain at least.
_LEAST_GAIN = 1e-6
# HistGradientBoosting stops early by itself above so many rows.
_STOPS = 10_000
# Names of objectives and losses that need not be told apart.
_LOSSES = {
    None: "squared",
    "regression": "squared",
    "l2": "squared",
    "mse": "squared",
    "squared_error": "squared",
    "reg:squarederror": "squared",
    "regression_l1": "absolute",
    "l1": "absolute",
    "mae": "absolute",
    "absolute_error": "absolute",
    "reg:absoluteerror": "absolute",
    "poisson": "poisson",
    "quantile": "quantile",
}
_cache: OrderedDict[tuple[object, ...], BinnedRows] = OrderedDict()


def boosting(fits: Sequence[Fit], rows: Rows) -> list[np.ndarray] | str:
    """Predictions (n_valid,) of each of `fits`, or probabilities (n_valid, classes)."""
    call = fits[0].estimator
    params: Params = dict(call.params)
    library = next(name for name in _LIBRARIES if call.name.startswith(name))
    if library == "LGBM":
        rows = frequent(
            _with_zeros(unordered(rows)),
            params.get("max_bin", _MOST_BINS),
            params.get("subsample_for_bin", 200_000),
        )
    if str(params.get("objective")).startswith("multi") and _classes(rows) == 2:
        return "the objective is one of several classes"
    found = _LIBRARIES[library](params, rows)
    if isinstance(found, str):
        return found
    counted = "max_iter" if library == "HistGradientBoosting" else "n_estimators"
    sizes = [_size(fit, counted) for fit in fits]
    model = replace(
        _with_loss(found, params, rows, library),
        stages=tuple(sorted(set(sizes))),
        seed=params["random_state"],
    )
    given = "max_bins" if library == "HistGradientBoosting" else "max_bin"
    bins = params.get(given, 256 if library == "XGB" else 255)
    if most_categories(rows) > min(bins, _MOST_BINS):
        return f"a column has more than {min(bins, _MOST_BINS)} categories"
    weight = rows.weight
    if params.get("class_weight") is not None:
        balanced = compute_sample_weight(params["class_weight"], rows.y)
        weight = balanced if weight is None else weight * balanced
    scores = rust_exec.boosting(
        _binned(rows, bins, model.library), rows.y, [model], weight=weight, threads=rows.threads
    )[0]
    return [_predictions(scores[model.stages.index(size)], model) for size in sizes]


def _classes(rows: Rows) -> int:
    return 1 if rows.classes is None else len(rows.classes)


def _size(fit: Fit, counted: str) -> int:
    given: Params = dict(fit.estimator.params)
    return int(given.get(counted, 100))


def _lightgbm(params: Params, rows: Rows) -> BoostingModel | str:
    # Rows are drawn only where it is said how often.
    draws = params.get("subsample_freq", 0) > 0
    depth = params.get("max_depth", -1)
    return BoostingModel(
        leaves=params.get("num_leaves", 31),
        depth=depth if depth > 0 else None,
        learning_rate=params.get("learning_rate", 0.1),
        leaf_rows=params.get("min_child_samples", 20),
        leaf_curvature=params.get("min_child_weight", 1e-3),
        l1=params.get("reg_alpha", 0.0),
        l2=params.get("reg_lambda", 0.0),
        gain=params.get("min_split_gain", 0.0),
        row_share=params.get("subsample", 1.0) if draws else 1.0,
        row_interval=max(params.get("subsample_freq", 0), 1),
        column_share=params.get("colsample_bytree", 1.0),
        step=0.7,
        level=params.get("alpha", 0.9),
        # One of its bins is that of missing values.
        category_one_hot=params.get("max_cat_to_onehot", 4) - 1,
        category_most=params.get("max_cat_threshold", 32),
        category_rows=params.get("min_data_per_group", 100),
        category_l2=params.get("cat_l2", 10.0),
        category_smooth=params.get("cat_smooth", 10.0),
    )


def _with_zeros(rows: Rows) -> Rows:
    """A missing value is a zero to LightGBM where the training rows have none."""
    unseen = rows.valid.having(np.isnan)
    unseen[list(rows.categorical)] = False
    if unseen.any():
        unseen &= ~rows.train.having(np.isnan)
    if not unseen.any():
        return rows
    valid = rows.valid.copy()
    valid[:, unseen] = np.nan_to_num(valid[:, unseen], nan=0.0, posinf=np.inf, neginf=-np.inf)
    return replace(rows, valid=Side(valid))


def _xgboost(params: Params, rows: Rows) -> BoostingModel | str:
    if rows.train.having(np.isinf).any() or rows.valid.having(np.isinf).any():
        return "XGBoost refuses infinities"
    if rows.categorical and params.get("enable_categorical") is False:
        return "XGBoost refuses categories unless enable_categorical is set"
    leaves, depth = params.get("max_leaves", 0), params.get("max_depth", 6)
    if leaves == 1 or (leaves > 1 and params.get("grow_policy", "depthwise") == "depthwise"):
        return "max_leaves goes with grow_policy='lossguide'"
    if not leaves and (depth == 0 or depth > 20):
        return "trees of any depth are not what bins are for"
    return BoostingModel(
        leaves=leaves or None,
        depth=depth or None,
        learning_rate=params.get("learning_rate", 0.3),
        leaf_rows=0,
        leaf_curvature=params.get("min_child_weight", 1.0),
        l1=params.get("reg_alpha", 0.0),
        l2=params.get("reg_lambda", 1.0),
        gain=max(params.get("gamma", 0.0), _LEAST_GAIN),
        row_share=params.get("subsample", 1.0),
        column_share=params.get("colsample_bytree", 1.0),
        curvature=2.0,
        library="xgboost",
        # Fewer than that are told one from the rest.
        category_one_hot=params.get("max_cat_to_onehot", 4) - 1,
        category_most=params.get("max_cat_threshold", 64),
    )


def _histogram(params: Params, rows: Rows) -> BoostingModel | str:
    if params.get("early_stopping", "auto") == "auto" and len(rows.y) > _STOPS:
        return "early_stopping='auto' stops early with so many rows"
    level = params.get("quantile")
    if params.get("loss") == "quantile" and level is None:
        return "loss='quantile' goes with a quantile"
    if rows.categorical and params.get("categorical_features", "from_dtype") is None:
        return "categories are to be taken for numbers"
    return BoostingModel(
        leaves=params.get("max_leaf_nodes", 31),
        depth=params.get("max_depth"),
        learning_rate=params.get("learning_rate", 0.1),
        leaf_rows=params.get("min_samples_leaf", 20),
        leaf_curvature=1e-3,
        l2=params.get("l2_regularization", 0.0),
        column_share=params.get("max_features", 1.0),
        library="histogram",
        level=level or 0.5,
    )


_LIBRARIES: dict[str, Callable[[Params, Rows], BoostingModel | str]] = {
    "LGBM": _lightgbm,
    "XGB": _xgboost,
    "HistGradientBoosting": _histogram,
}


def _with_loss(model: BoostingModel, params: Params, rows: Rows, library: str) -> BoostingModel:
    if rows.classes is None:
        named = params.get("objective", params.get("loss"))
        return replace(model, loss=_LOSSES[named])  # type: ignore[arg-type]
    classes = len(rows.classes)
    if classes == 2:
        return replace(model, loss="logistic")
    curvature = classes / (classes - 1) if library == "LGBM" else model.curvature
    return replace(model, loss="softmax", classes=classes, curvature=curvature)


def _predictions(scores: np.ndarray, model: BoostingModel) -> np.ndarray:
    """Raw scores (outputs, n_valid) on the scale that the estimator answers in."""
    match model.loss:
        case "logistic":
            share = expit(scores[0])
            return np.column_stack((1.0 - share, share))
        case "softmax":
            return np.asarray(softmax(scores.T, axis=1))
        case "poisson":
            with np.errstate(over="ignore"):  # told later, as predictions that are not finite
                return np.asarray(np.exp(scores[0]))
        case _:
            return np.asarray(scores[0])


def _binned(rows: Rows, bins: int, cuts: Library) -> BinnedRows:
    """The bins of the rows: those of an earlier fit if they are the same."""
    sides = (rows.train, rows.valid)
    tables = (rows.train.x,) if rows.train.x is rows.valid.x else (rows.train.x, rows.valid.x)
    digests = [_digest(table) for table in tables]
    numbers = [None if side.rows is None else _digest(side.rows) for side in sides]
    key = (bins, cuts, rows.categorical, *digests, *numbers)
    found = _cache.get(key)
    if found is not None:
        _cache.move_to_end(key)
        return found
    found = BinnedRows(
        rows.train.x,
        rows.valid.x,
        max_bins=bins,
        cuts=cuts,
        categorical=rows.categorical,
        train_rows=rows.train.rows,
        valid_rows=rows.valid.rows,
        threads=rows.threads,
    )
    if found.nbytes <= _MAX_BYTES // 2:
        _cache[key] = found
    while sum(kept.nbytes for kept in _cache.values()) > _MAX_BYTES:
        _cache.popitem(last=False)
    return found


def _digest(block: np.ndarray) -> tuple[object, ...]:
    by_column = block.flags.f_contiguous and not block.flags.c_contiguous
    values = block.T if by_column else np.ascontiguousarray(block)
    return by_column, block.shape, hashlib.sha256(values.data).digest()


KERNELS: dict[str, Kernel] = {
    f"{library}{kind}": boosting for library in _LIBRARIES for kind in ("Classifier", "Regressor")
}
