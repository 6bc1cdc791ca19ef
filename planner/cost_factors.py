"""What the cost of an operator depends on, as named numbers.

Input: a call and the shape of its data. Output: a mapping from one-letter factors to numbers; a
term of the cost model such as ``crnp`` is a product of them.

    n  training rows                    v  validation rows
    p  values per row that are stored   w  columns (of a dense block, p = w)
    o  columns that come out            l  log2 of the training rows
    c  models inside of one, by class   r  rounds, trees or iterations that depend on a parameter
    s  size of a round: leaves, weights of a network, neighbours
    d  depth of a tree                  m  columns tried for a split
    k  1 where a tree finds neighbours  b  1 where they are found by looking at all rows
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from planner.expressions import Call, Items, Literal, Pairs, param

Factors = Mapping[str, float]


@dataclass(frozen=True)
class Shape:
    """The data an op works on.

    Attributes:
        rows: Rows read: those of the training set, or all of them for ops of the whole plane.
        columns: Columns read, as the block has them.
        out: Columns that come out; 0 where they are those that go in.
        stored: Values per row that a sparse block holds; 0 where it is dense.
        classes: Of the target, 1 in regression.
        valid: Rows of the validation set.
    """

    rows: int
    columns: int
    out: int = 0
    stored: float = 0.0
    classes: int = 1
    valid: int = 0

    @property
    def held(self) -> float:
        """Values per row that take time and space: three numbers for one in a sparse block."""
        return min(3 * self.stored, self.columns) if self.stored else float(self.columns)

    @property
    def cells(self) -> int:
        return int(self.rows * self.held)


# Prefix of the name -> parameter that counts the rounds, and the library's default.
_ROUNDS: tuple[tuple[str, str, int], ...] = (
    ("LGBM", "n_estimators", 100),
    ("XGB", "n_estimators", 100),
    ("CatBoost", "iterations", 1000),
    ("HistGradientBoosting", "max_iter", 100),
    ("GradientBoosting", "n_estimators", 100),
    ("RandomForest", "n_estimators", 100),
    ("RandomTrees", "n_estimators", 100),
    ("ExtraTrees", "n_estimators", 100),
    ("IsolationForest", "n_estimators", 100),
    ("AdaBoost", "n_estimators", 50),
    ("Bagging", "n_estimators", 10),
    ("MLP", "max_iter", 200),
    ("BernoulliRBM", "n_iter", 10),
    ("LassoCV", "alphas", 100),
    ("ElasticNetCV", "alphas", 100),
    ("LogisticRegressionCV", "Cs", 10),
)
_LEAVES = {"LGBM": ("num_leaves", 31), "HistGradientBoosting": ("max_leaf_nodes", 31)}
# Libraries whose trees stop at a depth; None: grown until the leaves are pure.
_DEPTH = {"XGBRF": 6, "XGB": 6, "CatBoost": 6, "GradientBoosting": 3, "AdaBoostReg": 3}
_SUBSET = ("max_features", "colsample_bytree", "feature_fraction", "colsample_bynode", "rsm")
_BY_CLASS = ("LGBM", "XGB", "HistGradientBoosting", "GradientBoosting", "LogisticRegression",
             "SGDClassifier", "LinearSVC", "Perceptron", "PassiveAggressive")  # fmt: skip
_LEAST_LEAF_ROWS = 20
_TREE_COLUMNS = 15  # up to which scikit-learn searches neighbours in a tree


def rounds_of(call: Call) -> float:
    """Rounds, trees or iterations that `call` asks for; 1 where it has none."""
    for prefix, name, usual in _ROUNDS:
        if call.name.startswith(prefix):
            given = param(call, name)
            if name == "iterations" and given is None:
                given = param(call, "n_estimators")
            count = float(usual)
            if isinstance(given, int | float) and not isinstance(given, bool):
                count = float(given)
            elif isinstance(given, Items):
                count = float(len(given.values))
            return max(count * _repeats(call), 1.0)
    return 1.0


def _repeats(call: Call) -> float:
    """Fits of an estimator that validates its own parameter."""
    if not call.name.endswith("CV"):
        return 1.0
    ratios = param(call, "l1_ratio", param(call, "l1_ratios"))
    return folds_of(call) * (len(ratios.values) if isinstance(ratios, Items) else 1)


def folds_of(call: Call, usual: int = 5) -> float:
    """The number of inner folds that ``cv`` asks for."""
    given = param(call, "cv")
    if isinstance(given, Call):
        given = param(given, "n_splits", usual)
    return float(given) if isinstance(given, int) and not isinstance(given, bool) else float(usual)


def factors(call: Call, shape: Shape, stopping: int = 0) -> dict[str, float]:
    """The numbers that the terms for `call` are made of.

    `stopping` is the patience of early stopping, which ends a fit at about half of its rounds.
    """
    rows = float(max(shape.rows, 1))
    rounds = rounds_of(call)
    if stopping:
        rounds = max(rounds / 2, min(rounds, 2.0 * stopping))
    held = max(shape.held, 1.0)
    size = _size(call, shape, rows)
    return {
        "n": rows,
        "v": float(max(shape.valid, 1)),
        "p": held,
        "w": float(max(shape.columns, 1)),
        "o": float(shape.out or shape.columns or 1),
        "l": math.log2(rows + 2),
        "c": _models(call, shape.classes),
        "r": rounds,
        "s": size,
        "d": _depth(call, rows, size),
        "m": _tried(call, held),
        "k": float(shape.columns <= _TREE_COLUMNS),
        "b": float(shape.columns > _TREE_COLUMNS),
    }


def _models(call: Call, classes: int) -> float:
    return float(classes) if classes > 2 and call.name.startswith(_BY_CLASS) else 1.0


def _size(call: Call, shape: Shape, rows: float) -> float:
    if call.name.startswith("MLP"):
        layers = param(call, "hidden_layer_sizes", Items("tuple", (100,)))
        values = layers.values if isinstance(layers, Items) else (layers,)
        sizes = [shape.held, *(v for v in values if isinstance(v, int)), float(shape.classes)]
        return sum(a * b for a, b in pairwise(sizes))
    if "Neighbors" in call.name or call.name == "KNNImputer":
        return _positive(param(call, "n_neighbors"), 5.0)
    depth = _positive(param(call, "max_depth"), 0.0)
    most = rows / _LEAST_LEAF_ROWS + 1
    for prefix, (name, usual) in _LEAVES.items():
        if call.name.startswith(prefix):
            leaves = _positive(param(call, name), float(usual))
            return min(leaves, math.exp2(depth) if 0 < depth < 30 else leaves, most)
    if call.name.startswith(("XGB", "CatBoost")):
        return min(math.exp2(_depth(call, rows, 0.0)), most)
    return 1.0


def _depth(call: Call, rows: float, leaves: float) -> float:
    if call.name.startswith(tuple(_LEAVES)):
        return math.log2(leaves + 1) + 1  # grown leaf by leaf, and so uneven
    grown = math.log2(rows / max(_positive(param(call, "min_samples_leaf"), 1.0), 1.0) + 2)
    given = _positive(param(call, "max_depth", param(call, "depth")), 0.0)
    if not given:
        given = next((float(d) for p, d in _DEPTH.items() if call.name.startswith(p)), grown)
    return max(min(given, grown), 1.0)


def _tried(call: Call, columns: float) -> float:
    """Columns that are looked at for one split."""
    for name in _SUBSET:
        given = param(call, name)
        if given in ("sqrt", "log2"):
            return max(math.sqrt(columns) if given == "sqrt" else math.log2(columns + 1), 1.0)
        if isinstance(given, float) and 0 < given <= 1:
            return max(columns * given, 1.0)
        if isinstance(given, int) and not isinstance(given, bool) and name == "max_features":
            return min(float(given), columns)
    if param(call, "max_features", "") == "" and call.name in _SQRT:
        return max(math.sqrt(columns), 1.0)
    return columns


_SQRT = frozenset({"RandomForestClassifier", "ExtraTreesClassifier"})


def candidates_of(call: Call) -> float:
    """Combinations that a grid or a random search tries."""
    if call.name.startswith("Randomized"):
        return _positive(param(call, "n_iter"), 10.0)
    grid = param(call, "param_grid", param(call, "param_distributions"))
    grids = grid.values if isinstance(grid, Items) else (grid,)
    return sum(_product(one) for one in grids) or 1.0


def _product(grid: Literal) -> float:
    if not isinstance(grid, Pairs):
        return 0.0
    return math.prod(
        float(len(values.values)) if isinstance(values, Items) else 1.0 for _, values in grid.items
    )


def _positive(value: Literal, usual: float) -> float:
    """A number above zero, else `usual`; a fraction of the rows is no number of them."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and value > 0
    return float(value) if good and isinstance(value, int | float) else usual
