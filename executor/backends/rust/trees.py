"""Models of trees by their kernels, one function per family of estimators.

Input: fits that differ only in their number of trees, and the rows of one fold. Output: the
predictions of each on the validation rows, and the classes; or why the kernel cannot take them.
`planner.trees` lists the parameters, which are all understood here.
"""

from collections.abc import Sequence
from math import ceil, log2, sqrt
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.class_weight import compute_sample_weight

import rust_exec
from executor.backends.rust import boosting
from executor.backends.rust.boosting_categories import coded
from executor.backends.rust.rows import Kernel, Rows, Side
from executor.backends.trees import Answer, Part
from executor.features import has_categories
from planner.expressions import Literal
from planner.ops import Fit


def answer(
    fits: Sequence[Fit],
    train: Part,
    y: np.ndarray,
    weight: np.ndarray | None,
    valid: Part,
    threads: int,
) -> Answer:
    """The predictions of each of `fits` on the validation rows, and the classes."""
    rows = _rows(fits[0], train, y, weight, valid, threads)
    if isinstance(rows, str):
        return rows
    try:
        found = KERNELS[fits[0].estimator.name](fits, rows)
    except (rust_exec.KernelInputError, rust_exec.KernelInternalError) as error:
        return f"the kernel refused the data ({error.code})"
    return found if isinstance(found, str) else (found, rows.classes)


def _rows(
    op: Fit, train: Part, y: np.ndarray, weight: np.ndarray | None, valid: Part, threads: int
) -> Rows | str:
    categorical: tuple[int, ...] = ()
    ordered: tuple[int, ...] = ()
    (block, train_rows), (other, valid_rows) = train, valid
    if (
        op.estimator.name in boosting.KERNELS
        and has_categories(block)
        and isinstance(other, pd.DataFrame)
    ):
        found = coded(block, other)
        if isinstance(found, str):
            return found
        ordered = tuple(place for place in found[2] if block.dtypes.iloc[place].ordered)
        block, other, categorical = found
    if not (_numeric(block) and _numeric(other)):
        return "the features are not a dense table of numbers"
    if len(y) < 2 or not block.shape[1]:
        return "there is too little to fit"
    if weight is not None:
        if weight.dtype.kind not in "biuf":
            return "the weights are no numbers"
        weight = np.asarray(weight, dtype=np.float64)
    classes = None
    if op.task == "regression":
        if y.dtype.kind not in "biuf":
            return "the target is no array of numbers"
    elif pd.isna(y).any():
        return "the target has missing values"
    else:
        classes, y = np.unique(y, return_inverse=True)
        if len(classes) < 2:
            return "there is one class only"
    x = _matrix(block)
    return Rows(
        Side(x, train_rows),
        np.asarray(y, dtype=np.float64),
        weight,
        Side(x if other is block else _matrix(other), valid_rows),
        classes,
        threads,
        categorical,
        ordered,
    )


def _numeric(block: Any) -> bool:
    if isinstance(block, pd.DataFrame):
        return all(isinstance(dtype, np.dtype) and dtype.kind in "biuf" for dtype in block.dtypes)
    return isinstance(block, np.ndarray) and block.ndim == 2 and block.dtype.kind in "biuf"


def _matrix(block: Any) -> np.ndarray:
    return np.asarray(block, dtype=np.float64)


def _forest(fits: Sequence[Fit], rows: Rows) -> list[np.ndarray] | str:
    call = fits[0].estimator
    params = dict(call.params)
    random_cuts = call.name.startswith("ExtraTrees")
    n, p = len(rows.train), rows.train.width
    tried = _features(params.get("max_features", 1.0 if rows.classes is None else "sqrt"), p)
    if tried > p:
        return "max_features is greater than the number of features"
    bootstrap = bool(params.get("bootstrap", not random_cuts))
    weight = rows.weight
    class_weight = params.get("class_weight")
    balanced = class_weight == "balanced_subsample" and bootstrap
    if class_weight is not None and not balanced:
        expanded = compute_sample_weight("balanced", rows.y)
        weight = expanded if weight is None else weight * expanded
    draws = None
    if bootstrap:
        draws = _draws(params.get("max_samples"), n, weight)
    elif params.get("max_samples") is not None:
        return "max_samples goes with bootstrap"
    leaf = _count(params.get("min_samples_leaf", 1), n, 1)
    found = rust_exec.forest(
        rows.train.x,
        rows.y,
        rows.valid.x,
        [_whole(dict(fit.estimator.params).get("n_estimators", 100)) for fit in fits],
        [_whole(params["random_state"])],
        classes=0 if rows.classes is None else len(rows.classes),
        entropy=params.get("criterion") in ("entropy", "log_loss"),
        weights=weight,
        draws=draws,
        balanced=balanced,
        random_cuts=random_cuts,
        max_features=tried,
        max_depth=_optional(params.get("max_depth")),
        min_samples_split=_count(params.get("min_samples_split", 2), n, 2),
        min_samples_leaf=leaf,
        min_weight_fraction_leaf=_real(params.get("min_weight_fraction_leaf", 0.0)),
        min_impurity_decrease=_real(params.get("min_impurity_decrease", 0.0)),
        max_leaf_nodes=_optional(params.get("max_leaf_nodes")),
        train_rows=rows.train.rows,
        valid_rows=rows.valid.rows,
        threads=rows.threads,
    )[0]
    return [one[:, 0] if rows.classes is None else one for one in found]


def _features(given: Literal, p: int) -> int:
    """How many features are tried per split, as scikit-learn counts them."""
    match given:
        case "sqrt":
            return max(1, int(sqrt(p)))
        case "log2":
            return max(1, int(log2(p)))
        case None:
            return p
        case float():
            return max(1, int(given * p))
        case _:
            return _whole(given)


def _count(given: Literal, n: int, least: int) -> int:
    """A number of rows, or a fraction of them."""
    if isinstance(given, float):
        return max(least, ceil(given * n))
    return _whole(given)


def _draws(given: Literal, n: int, weight: np.ndarray | None) -> int:
    if given is None:
        return n
    if isinstance(given, float):
        total = float(n) if weight is None else float(weight.sum())
        return max(int(given * total), 1)
    return _whole(given)


def _whole(given: Literal) -> int:
    if not isinstance(given, int):
        raise TypeError(f"{given!r} is no whole number")
    return given


def _real(given: Literal) -> float:
    if not isinstance(given, int | float):
        raise TypeError(f"{given!r} is no number")
    return float(given)


def _optional(given: Literal) -> int | None:
    return None if given is None else _whole(given)


KERNELS: dict[str, Kernel] = {
    **{
        f"{family}{kind}": _forest
        for family in ("RandomForest", "ExtraTrees")
        for kind in ("Classifier", "Regressor")
    },
    **boosting.KERNELS,
}
