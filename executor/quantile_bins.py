"""XGBoost fits that share the bins of their training rows.

Input: an unfitted XGBoost estimator. Output: the same estimator, whose `fit` finds the
`QuantileDMatrix` of an earlier fit on the same rows and weights instead of cutting the columns
into bins anew. They do not depend on the target, nor on any parameter but `max_bin` and `missing`.
"""

from typing import Any

import numpy as np
from xgboost import QuantileDMatrix, XGBClassifier, XGBRegressor

from executor.bin_cache import BinCache, digest

# Arguments of the estimator's own method that say nothing about plain rows.
_NONE = ("group", "qid", "base_margin", "feature_weights", "feature_types")
_KNOWN = {*_NONE, "data", "label", "weight", "missing", "enable_categorical"}
_HISTOGRAMS = (None, "auto", "hist")
_TREES = (None, "gbtree", "dart")
_cache: BinCache[QuantileDMatrix] = BinCache()


def share(estimator: Any) -> Any:
    """`estimator`, made to share bins if it is one of XGBoost whose data set is made by the
    method known here. The models are the same to the last bit."""
    own = getattr(estimator, "_create_dmatrix", None)
    if type(estimator) not in (XGBRegressor, XGBClassifier) or own is None:
        return estimator

    def create(ref: Any = None, **given: Any) -> Any:
        histograms = estimator.tree_method in _HISTOGRAMS and estimator.booster in _TREES
        if ref is not None or not histograms or not _plain(given):
            return own(ref=ref, **given)
        data, weight = given["data"], given["weight"]
        key = (
            repr((estimator.max_bin, given["missing"], estimator.n_jobs, estimator.device)),
            digest(data),
            None if weight is None else digest(weight),
        )
        found = _cache.get(key, _size(data), lambda: own(ref=None, **given))
        found.set_label(given["label"])
        return found

    estimator._create_dmatrix = create
    return estimator


def _plain(given: dict[str, Any]) -> bool:
    """Whether the bins depend on nothing but rows, weights and the parameters in the key."""
    if not given.keys() <= _KNOWN or any(given.get(name) is not None for name in _NONE):
        return False
    data, label, weight = given.get("data"), given.get("label"), given.get("weight")
    arrays = [data, label] if weight is None else [data, label, weight]
    if not all(isinstance(array, np.ndarray) and array.dtype.kind in "biuf" for array in arrays):
        return False
    if data is None or label is None:
        return False
    return data.ndim == 2 and label.ndim == 1 and len(label) == len(data) > 0


def _size(data: np.ndarray) -> int:
    """One byte an entry holds 256 bins, and there is an index of rows and one of columns."""
    return 2 * int(data.size)
