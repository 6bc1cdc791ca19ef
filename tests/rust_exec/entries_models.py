"""Entries of the kernels that fit models: forests, boosting, nearest neighbours."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.neighbors import KDTree

from rust_exec import BinnedRows, BoostingModel, NeighbourModels, boosting
from tests.rust_exec.entry import Arguments, Entry


def _xy() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3))
    x[5, 1] = np.nan
    return x, x[:, 0] + np.arange(40) % 3


def _forest() -> Arguments:
    x, y = _xy()
    return {
        "x_train": x,
        "y_train": y,
        "x_valid": x[:5].copy(),
        "sizes": (1, 3),
        "seeds": (0, 7),
        "classes": 0,
        "entropy": False,
        "weights": np.ones(40),
        "draws": 30,
        "random_cuts": False,
        "max_features": 2,
        "max_depth": 4,
        "min_samples_split": 2,
        "min_samples_leaf": 1,
        "min_weight_fraction_leaf": 0.0,
        "min_impurity_decrease": 0.0,
        "max_leaf_nodes": 8,
        "threads": 1,
    }


def _rows() -> Arguments:
    """Not the last of a table, which may then be shorter."""
    return {"train_rows": np.arange(40)[::-1] % 38, "valid_rows": np.array([3, 0, 0])}


def _numbered() -> Arguments:
    return {**_forest(), **_rows()}


def _classes() -> Arguments:
    given = {**_forest(), "y_train": np.arange(40.0) % 3, "classes": 3}
    return {**given, "balanced": True, "entropy": True}


def _bins() -> Arguments:
    x, _ = _xy()
    return {
        "x_train": x,
        "x_valid": x[:5].copy(),
        "max_bins": 16,
        "derived": ((0, 1),),
        "detect": True,
        "threads": 1,
    }


def _numbered_bins() -> Arguments:
    return {**_bins(), **_rows()}


def _categories() -> Arguments:
    given = _bins()
    given["x_train"][:, 2] = np.arange(40) % 5
    return {**given, "categorical": (2,), "derived": ()}


def _boosted(arguments: Mapping[str, Any]) -> Any:
    """What is in the bins, as a model sees it."""
    rows = BinnedRows(**arguments)
    try:
        given = arguments.get("train_rows")
        y = np.arange(float(len(arguments["x_train"] if given is None else given)))
        models = [BoostingModel(stages=(2,), leaf_rows=1, category_rows=1, category_smooth=1.0)]
        found = boosting(rows, y, models)
    except ValueError:
        found = []
    return rows.combinations, rows.nbytes, found


def _models() -> Arguments:
    _, y = _xy()
    few = BoostingModel(stages=(1, 3), leaf_rows=2, row_share=0.8, column_share=0.9, depth=3)
    quantile = BoostingModel(loss="quantile", stages=(2,), leaf_rows=2, library="histogram")
    return {
        "rows": BinnedRows(**_categories()),
        "y_train": np.abs(y),
        "models": [few, quantile],
        "weight": np.ones(40),
        "threads": 1,
    }


def _classified() -> Arguments:
    softmax = BoostingModel(loss="softmax", classes=3, stages=(2,), leaf_rows=2)
    return {**_models(), "y_train": np.arange(40.0) % 3, "models": [softmax]}


def _rates() -> Arguments:
    _, y = _xy()
    poisson = BoostingModel(loss="poisson", step=0.7, stages=(2,), leaf_rows=2)
    return {**_models(), "y_train": np.abs(y), "models": [poisson]}


def _points() -> np.ndarray:
    """Some of them equal, so that ties are broken."""
    return np.random.default_rng(0).integers(0, 2, size=(16, 3)).astype(np.float64)


def _brute() -> Arguments:
    points = _points()
    queries = points[:5] + 0.0
    return {
        "points": points,
        "queries": queries,
        "point_norms": (points**2).sum(axis=1),
        "query_norms": (queries**2).sum(axis=1),
        "sizes": (1, 4),
        "merged": False,
        "single": False,
        "threads": 1,
    }


def _tree() -> Arguments:
    points = _points()
    _, order, nodes, bounds = (np.asarray(part) for part in KDTree(points, 3).get_arrays())
    places = np.column_stack([nodes[name] for name in ("idx_start", "idx_end", "is_leaf")])
    return {
        "points": points,
        "queries": points[:5] + 0.0,
        "order": order.astype(np.int64),
        "nodes": places.astype(np.int64),
        "bounds": bounds.copy(),
        "sizes": (1, 4),
        "threads": 1,
    }


def _means() -> NeighbourModels:
    return NeighbourModels([(0, False), (1, True)], np.arange(16.0))


def _votes() -> NeighbourModels:
    return NeighbourModels([(1, False), (0, True)], np.arange(16) % 3, classes=3, chances=True)


FOREST = {"free": frozenset({"x_valid"}), "optional": frozenset({"weights"})}
NUMBERS = frozenset({"train_rows", "valid_rows"})
TABLES = frozenset({"x_train", "x_valid"})

ENTRIES = (
    Entry("forest", _forest, long=frozenset({"draws"}), **FOREST),
    Entry("forest", _classes, long=frozenset({"draws"}), **FOREST),
    Entry(
        "forest",
        _numbered,
        long=frozenset({"draws"}),
        free=TABLES | {"valid_rows"},
        optional=NUMBERS | {"weights"},
    ),
    Entry("BinnedRows", _numbered_bins, free=TABLES | NUMBERS, optional=NUMBERS, call=_boosted),
    Entry("BinnedRows", _categories, free=TABLES, call=_boosted),
    Entry("BinnedRows", _bins, free=TABLES, call=_boosted),
    Entry("boosting", _models, optional=frozenset({"weight"})),
    Entry("boosting", _classified, optional=frozenset({"weight"})),
    Entry("boosting", _rates, optional=frozenset({"weight"})),
    Entry("nearest_brute", _brute),
    Entry("nearest_tree", _tree, free=frozenset({"queries"})),
    Entry("answers_brute", lambda: {**_brute(), "models": _means()}),
    Entry("answers_brute", lambda: {**_brute(), "models": _votes()}),
    Entry("answers_tree", lambda: {**_tree(), "models": _means()}, free=frozenset({"queries"})),
    Entry("answers_tree", lambda: {**_tree(), "models": _votes()}, free=frozenset({"queries"})),
)
