"""Which models of trees a kernel may stand in for, by their parameters.

Input: a `Fit`. Output: whether each of its parameters is one that the kernel knows the meaning
of, at its value. In doubt the library fits the model. Whether a kernel can take the data is known
where they are (`executor.backends.trees`).
"""

from collections.abc import Mapping

from planner.ops import Fit
from planner.ops_trees import TreesFit
from planner.trees_boosting import BOOSTING
from planner.understood import Understood, either, is_whole, one_of, real, whole


def statistical(fit: Fit) -> Fit:
    """The fit as a kernel may do it; as it is, if none may."""
    known = STAND_INS.get(fit.estimator.name)
    if known is None or fit.stop_rounds:
        return fit
    params = dict(fit.estimator.params)
    if not is_whole(params.get("random_state")):
        return fit
    if not all(name in known and known[name](value) for name, value in params.items()):
        return fit
    return TreesFit.of(fit)


_NOTHING = one_of(None)
_LARGE = 1e300

_FOREST: dict[str, Understood] = {
    "n_estimators": whole(1),
    "max_depth": either(_NOTHING, whole(1)),
    "min_samples_split": either(whole(2), real(0.0, 1.0, open_below=True)),
    "min_samples_leaf": either(whole(1), real(0.0, 0.5, open_below=True)),
    "min_weight_fraction_leaf": either(one_of(0), real(0.0, 0.5)),
    "max_features": either(one_of("sqrt", "log2", None), whole(1), real(0.0, 1.0, open_below=True)),
    "max_leaf_nodes": either(_NOTHING, whole(2)),
    "min_impurity_decrease": either(one_of(0), real(0.0, _LARGE)),
    "bootstrap": one_of(True, False),
    "oob_score": one_of(False),
    "random_state": whole(0),
    "warm_start": one_of(False),
    "ccp_alpha": one_of(0, 0.0),
    "max_samples": either(_NOTHING, whole(1), real(0.0, _LARGE, open_below=True)),
    "monotonic_cst": _NOTHING,
}
_FORESTS: dict[str, Mapping[str, Understood]] = {
    "Regressor": {**_FOREST, "criterion": one_of("squared_error")},
    "Classifier": {
        **_FOREST,
        "criterion": one_of("gini", "entropy", "log_loss"),
        "class_weight": one_of(None, "balanced", "balanced_subsample"),
    },
}

# By estimator: what is understood of each parameter. What is not listed is not understood.
STAND_INS: dict[str, Mapping[str, Understood]] = {
    **{
        f"{family}{kind}": known
        for family in ("RandomForest", "ExtraTrees")
        for kind, known in _FORESTS.items()
    },
    **BOOSTING,
}
