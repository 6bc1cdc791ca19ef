"""Prefixes: fits that differ only in their number of rounds or trees become the longest one.

Rule input: the outputs of a batch. Rule output: replacements for prediction nodes. Rounds and
trees come one after the other from one seed, so that the first hundred are the same whether two
hundred follow or none; predictions of a smaller model are those of the beginning of the largest.
What is not listed here might depend on the number that is to come, and is left alone: early
stopping of LightGBM and XGBoost (the best round is sought among those that there are), DART
(later rounds shrink earlier trees), warm starts. scikit-learn's early stopping keeps all rounds
until it stops, which it does at the same round whatever the number. What only the data decide,
such as rounds that LightGBM leaves out, the executor looks at, and fits the smaller models after
all where it must.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from planner.expressions import (
    Call,
    Function,
    Literal,
    children,
    walk_calls,
    with_params,
    without_params,
)
from planner.graph import Graph, Node, walk
from planner.ops import Fit, Predict
from planner.ops_prefix import PrefixFit, PrefixPredict


@dataclass(frozen=True)
class Growing:
    """An estimator that grows by equal steps.

    `parameter` counts them, `usual` is its default. Only with the `neutral` parameters, at any
    value, and those in `values`, at one of these, is a smaller model known to be the beginning
    of a larger one; the parameters left out here keep their defaults.
    """

    parameter: str
    usual: int
    neutral: frozenset[str]
    values: Mapping[str, tuple[Literal, ...]] = field(default_factory=dict)
    nested: str = ""  # the parameter that may hold an estimator

    def allows(self, name: str, value: Literal) -> bool:
        if name == self.nested and isinstance(value, Call):
            # Searches and ensembles of estimators are a matter of their own.
            return sum(1 for _ in walk_calls(value)) == 1
        if name in self.values:
            return value in self.values[name]
        return name in self.neutral and _plain(value)


_LIGHTGBM = Growing(
    "n_estimators",
    100,
    frozenset(
        "num_leaves max_depth learning_rate subsample_for_bin objective class_weight "
        "min_split_gain min_child_weight min_child_samples subsample subsample_freq "
        "colsample_bytree reg_alpha reg_lambda random_state importance_type "
        "alpha bagging_seed boost_from_average cat_l2 cat_smooth categorical_feature "
        "data_random_seed enable_bundle extra_seed extra_trees fair_c feature_fraction_bynode "
        "feature_fraction_seed feature_pre_filter force_col_wise force_row_wise "
        "interaction_constraints is_unbalance linear_lambda linear_tree max_bin "
        "max_cat_threshold max_cat_to_onehot max_delta_step metric min_data_in_bin "
        "min_data_per_group monotone_constraints monotone_constraints_method monotone_penalty "
        "neg_bagging_fraction other_rate path_smooth poisson_max_delta_step "
        "pos_bagging_fraction reg_sqrt scale_pos_weight sigmoid top_rate "
        "tweedie_variance_power use_missing zero_as_missing".split()
    ),
    {"boosting_type": ("gbdt", "goss", "rf"), "data_sample_strategy": ("bagging", "goss")},
)
_XGBOOST = Growing(
    "n_estimators",
    100,
    frozenset(
        "max_depth max_leaves max_bin grow_policy learning_rate gamma min_child_weight "
        "max_delta_step subsample colsample_bytree colsample_bylevel colsample_bynode reg_alpha "
        "reg_lambda scale_pos_weight base_score random_state missing num_parallel_tree "
        "monotone_constraints interaction_constraints importance_type enable_categorical "
        "max_cat_to_onehot max_cat_threshold eval_metric objective huber_slope quantile_alpha "
        "tweedie_variance_power seed_per_iteration".split()
    ),
    {"booster": ("gbtree",), "tree_method": ("auto", "hist", "approx", "exact")},
)
_STOPPING = "validation_fraction n_iter_no_change tol "
_HISTOGRAM = Growing(
    "max_iter",
    100,
    frozenset(
        (
            _STOPPING + "loss quantile learning_rate max_leaf_nodes max_depth min_samples_leaf "
            "l2_regularization max_features max_bins categorical_features monotonic_cst "
            "interaction_cst random_state class_weight early_stopping scoring"
        ).split()
    ),
)
_TREES = (
    "criterion max_depth min_samples_split min_samples_leaf min_weight_fraction_leaf "
    "max_features max_leaf_nodes min_impurity_decrease random_state ccp_alpha "
)
_GRADIENT = Growing(
    "n_estimators",
    100,
    frozenset((_TREES + _STOPPING + "loss learning_rate subsample alpha").split()),
    {"init": ("zero",)},
)
_FOREST = Growing(
    "n_estimators",
    100,
    frozenset((_TREES + "bootstrap class_weight max_samples monotonic_cst").split()),
)
_ADABOOST = Growing(
    "n_estimators", 50, frozenset("learning_rate loss random_state".split()), nested="estimator"
)
_BAGGING = Growing(
    "n_estimators",
    10,
    frozenset("max_samples max_features bootstrap bootstrap_features random_state".split()),
    nested="estimator",
)
GROWING: dict[str, Growing] = {
    name: growing
    for prefix, growing in (
        ("LGBM", _LIGHTGBM),
        ("XGB", _XGBOOST),
        ("HistGradientBoosting", _HISTOGRAM),
        ("GradientBoosting", _GRADIENT),
        ("RandomForest", _FOREST),
        ("ExtraTrees", _FOREST),
        ("AdaBoost", _ADABOOST),
        ("Bagging", _BAGGING),
    )
    for name in (f"{prefix}Classifier", f"{prefix}Regressor")
}


def group_prefixes(graph: Graph, outputs: Sequence[Node]) -> dict[str, Node]:
    """Replacements (node key -> node) of predictions by those of a prefix of the longest fit."""
    families: defaultdict[tuple[object, ...], list[tuple[int, Node]]] = defaultdict(list)
    for node in walk(outputs, tables=False):
        if not isinstance(node.op, Predict):
            continue
        fit = node.inputs[0]
        size = _size(fit.op)
        if size is None or not isinstance(fit.op, Fit):
            continue
        parameter = GROWING[fit.op.estimator.name].parameter
        alike = replace(fit.op, estimator=without_params(fit.op.estimator, parameter))
        families[(*(source.key for source in fit.inputs), alike)].append((size, node))
    replaced: dict[str, Node] = {}
    for members in families.values():
        sizes = tuple(sorted({size for size, _ in members}))
        if len(sizes) == 1:
            continue
        group = _group(graph, members[0][1].inputs[0], sizes)
        for size, node in members:
            assert isinstance(node.op, Predict)
            op = PrefixPredict(node.op.methods, sizes.index(size))
            replaced[node.key] = graph.node(op, group)
    return replaced


def _group(graph: Graph, fit: Node, sizes: tuple[int, ...]) -> Node:
    assert isinstance(fit.op, Fit)
    call = fit.op.estimator
    parameter = GROWING[call.name].parameter
    largest = replace(fit.op, estimator=with_params(call, **{parameter: sizes[-1]}))
    return graph.node(PrefixFit(largest, parameter, sizes), *fit.inputs)


def _size(op: object) -> int | None:
    """The number of rounds or trees of a fit that may be a prefix of a longer one, else None."""
    if not isinstance(op, Fit) or op.stop_rounds:
        return None
    growing = GROWING.get(op.estimator.name)
    if growing is None:
        return None
    params = dict(op.estimator.params)
    size = params.pop(growing.parameter, growing.usual)
    if not _whole(size) or not _whole(params.get("random_state")):
        return None
    if not all(growing.allows(name, value) for name, value in params.items()):
        return None
    return size if isinstance(size, int) and size > 0 else None


def _whole(value: Literal) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _plain(value: Literal) -> bool:
    """Whether a value is data all through: no estimator, no function."""
    if isinstance(value, Call | Function):
        return False
    return all(_plain(item) for item in children(value))
