"""The entries of the kernels with good arguments, from which malformed ones are made.

A new entry joins with one `Entry`: arguments that work, and those that say the most about it.
`test_malformed` then calls it with wrong types, shapes, strides and values.
"""

import numpy as np

from rust_exec import Categories
from tests.rust_exec import entries_features, entries_models
from tests.rust_exec.entry import Arguments, Entry


def _linear() -> Arguments:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 3))
    rows = np.arange(12)
    return {
        "x": x,
        "y": np.column_stack([x.sum(axis=1) + rows % 3, x[:, 0] - rows % 2]),
        "train": [rows[:8], rows[4:]],
        "valid": [rows[8:], rows[:4]],
        "alphas": np.array([0.0, 1.0]),
        "nets": np.array([[0.1, 0.5, 1e-4, 100.0], [0.2, 1.0, 1e-4, 50.0]]),
        "impute": True,
        "scale": True,
        "threads": 1,
    }


def _mixed() -> Arguments:
    """Columns and categories, prepared by fold."""
    codes = np.column_stack([np.arange(12) % 2, np.arange(12) % 3]).astype(np.int32)
    return {
        **_linear(),
        "targets": np.array([0, 1, 1, 0]),
        "scale": False,
        "categories": Categories(codes, np.array([2, 3]), np.array([0, 1])),
        "order": np.arange(8)[::-1].copy(),
        "fills": np.array([[np.nan, 0.0, 1.0], [0.5, np.nan, 1.0]]),
        "divisors": np.array([[1.0, 2.0, np.nan], [1.0, 2.0, np.nan]]),
    }


def _path() -> Arguments:
    given = _linear()
    return {
        "x_train": given["x"],
        "y_train": given["y"],
        "x_valid": given["x"][:5].copy(),
        "alphas": given["alphas"],
        "nets": given["nets"],
        "fit_intercept": True,
        "threads": 1,
    }


def _numbers() -> Arguments:
    rng = np.random.default_rng(0)
    target = rng.normal(size=20)
    return {
        "target": target,
        "vectors": [target + 0.1, rng.normal(size=20)],
        "metrics": ["r2_score", "median_absolute_error", "mean_absolute_percentage_error"],
        "threads": 1,
    }


def _binary() -> Arguments:
    rng = np.random.default_rng(0)
    return {
        "hits": (np.arange(20) % 3 == 0).astype(np.uint8),
        "vectors": [rng.random(20), np.round(rng.random(20), 1)],
        "metrics": ["roc_auc_score", "average_precision_score", "log_loss", "brier_score_loss"],
        "threads": 1,
    }


def _multiclass() -> Arguments:
    rng = np.random.default_rng(0)
    return {
        "codes": np.arange(20) % 3,
        "tables": [rng.dirichlet(np.ones(3), 20), rng.dirichlet(np.ones(3), 20)],
        "classes": 3,
        "metrics": ["roc_auc_ovr", "roc_auc_ovo_weighted", "average_precision_score", "log_loss"],
        "threads": 1,
    }


def _confusion() -> Arguments:
    codes = np.arange(20) % 4
    return {"target": codes, "vectors": [codes[::-1].copy(), codes], "labels": np.arange(5),
            "threads": 1}  # fmt: skip


def _many_classes() -> Arguments:
    table = np.broadcast_to(1e-6, (20, 10**6))
    metrics = ["roc_auc_ovr", "roc_auc_ovo", "average_precision_score", "log_loss"]
    return {
        "codes": np.arange(20) * 50_000, "tables": [table], "classes": 10**6, "metrics": metrics
    }  # fmt: skip


def _many_labels() -> Arguments:
    codes = np.arange(10**6)
    return {"target": codes, "vectors": [codes], "labels": codes}


ENTRIES = (
    Entry("linear_folds", _linear, free=frozenset({"train", "valid", "alphas", "nets"})),
    Entry(
        "linear_folds",
        _mixed,
        free=frozenset({"train", "valid"}),
        optional=frozenset({"targets", "order", "fills", "divisors"}),
    ),
    Entry("linear_path", _path, free=frozenset({"x_valid", "alphas", "nets"})),
    Entry("score_numbers", _numbers),
    Entry("score_binary", _binary),
    Entry("score_multiclass", _multiclass, many=_many_classes),
    Entry("confusion_matrices", _confusion, many=_many_labels, free=frozenset({"labels"})),
    *entries_features.ENTRIES,
    *entries_models.ENTRIES,
)
