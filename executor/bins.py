"""LightGBM fits that share the bins of their training rows.

Input: an unfitted LightGBM estimator and training rows. Output: the model that the estimator's
own `fit` gives, to the last bit. Cutting the columns into bins takes a tenth to a quarter of a
typical fit (16,000 x 30, 100 to 300 rounds); it does not depend on the target, nor on most
parameters, so that a grid over those does it once per fold and worker.
"""

from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from sklearn.utils.class_weight import compute_sample_weight

from executor.bin_cache import BinCache, digest

# What the bins do not depend on. Whatever is not listed tells them apart: `random_state` seeds
# the sample of rows that bins are made from, and `min_child_samples` drops columns beforehand.
_NEUTRAL = frozenset(
    "boosting_type num_leaves max_depth learning_rate objective min_split_gain min_child_weight "
    "subsample subsample_freq colsample_bytree reg_alpha reg_lambda metric num_class "
    "alpha bagging_seed boost_from_average data_sample_strategy extra_seed extra_trees fair_c "
    "feature_fraction_bynode feature_fraction_seed is_unbalance max_delta_step "
    "neg_bagging_fraction other_rate path_smooth poisson_max_delta_step pos_bagging_fraction "
    "reg_sqrt scale_pos_weight sigmoid top_rate tweedie_variance_power".split()
)
_BINNING = frozenset(
    "subsample_for_bin min_child_samples random_state max_bin min_data_in_bin num_threads "
    "deterministic force_col_wise verbose".split()
)
_cache: BinCache[lightgbm.Dataset] = BinCache()


class Binned:
    """A fitted model, with the prediction methods of `LGBMRegressor` or `LGBMClassifier`."""

    def __init__(self, booster: lightgbm.Booster, threads: int) -> None:
        self.booster_ = booster
        self._threads = threads

    def predict(self, rows: Any, num_iteration: int | None = None) -> Any:
        """Predictions (n,), of the first `num_iteration` rounds if that is given."""
        return self.booster_.predict(rows, num_iteration=num_iteration, num_threads=self._threads)


class BinnedClassifier(Binned):
    """As `Binned`, for classes: sorted, as the estimator keeps them."""

    def __init__(self, booster: lightgbm.Booster, threads: int, classes: np.ndarray) -> None:
        super().__init__(booster, threads)
        self.classes_ = classes

    def predict(self, rows: Any, num_iteration: int | None = None) -> Any:
        return self.classes_[np.argmax(self.predict_proba(rows, num_iteration), axis=1)]

    def predict_proba(self, rows: Any, num_iteration: int | None = None) -> Any:
        """Probabilities (n, classes)."""
        found = super().predict(rows, num_iteration)
        return found if found.ndim > 1 else np.vstack((1.0 - found, found)).transpose()


def serves(estimator: Any, train: Any, y: np.ndarray, weight: np.ndarray | None) -> bool:
    """Whether `fit` does for these rows and parameters what the estimator's own does.

    Frames (whose categories are bins of their own kind), sparse rows and whatever LightGBM would
    convert, or refuse, are left to it.
    """
    if type(estimator) not in (lightgbm.LGBMRegressor, lightgbm.LGBMClassifier):
        return False
    if not isinstance(train, np.ndarray) or train.ndim != 2 or train.dtype.kind not in "biuf":
        return False
    if len(train) < 2 or not train.shape[1] or len(y) != len(train):
        return False
    if weight is not None and not (weight.dtype.kind in "biuf" and np.isfinite(weight).all()):
        return False
    classifies = isinstance(estimator, lightgbm.LGBMClassifier)
    if not (_are_labels(y) if classifies else y.dtype.kind in "iuf" and np.isfinite(y).all()):
        return False
    return _params(estimator, 2).keys() <= _NEUTRAL | _BINNING


def _are_labels(y: np.ndarray) -> bool:
    """Whether `y` is of two classes or more, all of a kind that can be sorted."""
    if not (y != y[0]).any():
        return False
    if y.dtype.kind == "f":
        return bool((np.isfinite(y) & (y == np.round(y))).all())
    return y.dtype.kind in "biu" or pd.api.types.infer_dtype(y, skipna=False) == "string"


def fit(estimator: Any, train: np.ndarray, y: np.ndarray, weight: np.ndarray | None) -> Binned:
    """The fitted model of `estimator`, which `serves` has approved of.

    `train` is (n, p), `y` (n,), `weight` (n,) or None.
    """
    classes = None
    if isinstance(estimator, lightgbm.LGBMClassifier):
        classes, y = np.unique(y, return_inverse=True)
        weight = _with_classes(estimator.class_weight, classes, y, weight)
    elif estimator.class_weight is not None:
        weight = _with_classes(estimator.class_weight, None, y, weight)
    params = _params(estimator, 1 if classes is None else len(classes))
    dataset = _dataset(train, params)
    dataset.set_label(y)
    dataset.set_field("weight", None)
    dataset.set_weight(weight)
    booster = lightgbm.train(params, dataset, num_boost_round=estimator.n_estimators)
    threads = params["num_threads"]
    return Binned(booster, threads) if classes is None else BinnedClassifier(
        booster, threads, classes
    )  # fmt: skip


def _params(estimator: Any, classes: int) -> dict[str, Any]:
    """The parameters that the estimator's own `fit` hands to the library."""
    params = estimator.get_params()
    for name in ("importance_type", "n_estimators", "class_weight"):
        params.pop(name)
    usual = "regression"
    if isinstance(estimator, lightgbm.LGBMClassifier):
        usual = "multiclass" if classes > 2 else "binary"
    params["objective"] = params["objective"] or usual
    params.setdefault("metric", params["objective"])
    if classes > 2:
        params["num_class"] = classes
    params["num_threads"] = params.pop("n_jobs")
    return dict(params)


def _with_classes(
    given: Any, classes: np.ndarray | None, y: np.ndarray, weight: np.ndarray | None
) -> np.ndarray | None:
    """`weight` times those of the classes, which `y` holds the codes of."""
    if given is None:
        return weight
    if isinstance(given, dict) and classes is not None:
        places = {value: code for code, value in enumerate(classes.tolist())}
        given = {places[key]: value for key, value in given.items()}
    found = compute_sample_weight(given, y)
    return np.asarray(found if weight is None else np.multiply(weight, found))


def _dataset(train: np.ndarray, params: dict[str, Any]) -> lightgbm.Dataset:
    """The bins of `train`: those of an earlier fit if they are the same."""
    binning = {name: value for name, value in params.items() if name not in _NEUTRAL}
    return _cache.get(
        (repr(sorted(binning.items())), *digest(train)),
        2 * train.size,
        lambda: lightgbm.Dataset(train, params=params).construct(),
    )
