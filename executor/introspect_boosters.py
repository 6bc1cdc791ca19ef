"""The real parameter lists behind the ``**kwargs`` of the boosting libraries.

Input: the libraries. Output: for each class its parameters, the further names it knows, its
aliases, and what is refused since it reads or writes files, opens sockets, or is ignored.
"""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

from planner.registry import Parameter

Pairs = tuple[tuple[str, str], ...]
Described = tuple[tuple[Parameter, ...], tuple[str, ...], Pairs, Pairs]

_FILES = "It reads or writes files, or opens connections."
_PREDICTION = "It concerns prediction or data files, which are the engine's."

_LIGHTGBM_REFUSED = {
    **dict.fromkeys(
        "config data valid input_model output_model output_result snapshot_freq "
        "machine_list_filename machines num_machines local_listen_port time_out "
        "forcedsplits_filename forcedbins_filename convert_model convert_model_language "
        "save_binary parser_config_file".split(),
        _FILES,
    ),
    **dict.fromkeys(
        "task two_round header label_column weight_column group_column ignore_column "
        "pre_partition precise_float_parser predict_raw_score predict_leaf_index "
        "predict_contrib predict_disable_shape_check start_iteration_predict "
        "num_iteration_predict pred_early_stop pred_early_stop_freq pred_early_stop_margin "
        "saved_feature_importance_type".split(),
        _PREDICTION,
    ),
}


def lightgbm(parameters: tuple[Parameter, ...]) -> Described:
    """Parameters of a LightGBM class, by the library's own table of aliases.

    An alias means the parameter of the scikit-learn class where there is one. LightGBM itself
    prefers its main name over every alias, then the shortest name; since the class always sends
    its own spelling, a less preferred one would be ignored in silence, and is refused here.
    """
    from lightgbm.basic import _ConfigAliases

    names = {parameter.name for parameter in parameters}
    extra, aliases, refused = [], [], []
    for main, spellings in sorted(_ConfigAliases._get_all_param_aliases().items()):
        own = next((name for name in spellings if name in names), None)
        for name in sorted(spellings):
            if main in _LIGHTGBM_REFUSED:
                refused.append((name, _LIGHTGBM_REFUSED[main]))
            elif own is None:
                if name == main:
                    extra.append(name)
                else:
                    aliases.append((name, main))
            elif name != own:
                if _preferred(name, own, main):
                    aliases.append((name, own))
                else:
                    why = f"LightGBM ignores it, since its class always sets {own}; write {own}."
                    refused.append((name, why))
    return parameters, tuple(extra), tuple(aliases), tuple(refused)


def _preferred(name: str, own: str, main: str) -> bool:
    # These are taken from the keyword arguments by the Python class before LightGBM sees them.
    if main in ("num_iterations", "objective", "num_threads"):
        return True
    if own == main:
        return False
    return name == main or (len(name), name) < (len(own), own)


_XGBOOST_ALIASES = (
    ("alpha", "reg_alpha"),
    ("eta", "learning_rate"),
    ("lambda", "reg_lambda"),
    ("min_split_loss", "gamma"),
    ("nthread", "n_jobs"),
    ("seed", "random_state"),
)
# State and internals that the saved configuration lists beside the parameters.
_XGBOOST_INTERNAL = frozenset(
    "boost_from_average debug_synchronize default_direction name num_feature num_target num_trees "
    "process_type specified_updater updater_seq max_row_perbatch opt_dense_col".split()
)


def xgboost(found: Any, describe: Callable[[Any], tuple[Parameter, ...]]) -> Described:
    """Parameters of an XGBoost class: its own and its base's, and those XGBoost reports."""
    import xgboost as library

    own = {parameter.name: parameter for parameter in describe(found)}
    base = [p for p in describe(library.XGBModel) if p.name not in own]
    parameters = tuple(base) + tuple(own.values())
    names = {parameter.name for parameter in parameters}
    aliases = tuple(pair for pair in _XGBOOST_ALIASES if pair[1] in names)
    taken = names | {alias for alias, _ in aliases}
    extra = tuple(key for key in _xgboost_reported() if key not in taken)
    refused = (
        ("callbacks", "Callbacks are code; stop early with the pipeline's `early_stopping`."),
        ("process_type", _FILES),
    )
    return parameters, extra, aliases, refused


@cache
def _xgboost_reported() -> tuple[str, ...]:
    """Names in the saved configurations of tiny models of each booster and objective."""
    import numpy as np
    import xgboost as library

    rows = np.arange(12.0).reshape(6, 2)
    labels = np.array([0.0, 1, 0, 1, 0, 1])
    found: set[str] = set()
    trials: list[dict[str, Any]] = [{"booster": name} for name in ("dart", "gblinear")]
    trials += [{"tree_method": name} for name in ("exact", "approx", "hist")]
    trials += [
        {"objective": name}
        for name in (
            "reg:tweedie",
            "reg:pseudohubererror",
            "reg:quantileerror",
            "count:poisson",
            "survival:aft",
            "rank:ndcg",
            "multi:softprob",
        )
    ]
    for trial in trials:
        data = library.DMatrix(rows, label=labels)
        if trial.get("objective") == "survival:aft":
            data.set_float_info("label_lower_bound", labels + 1)
            data.set_float_info("label_upper_bound", labels + 2)
        elif trial.get("objective") == "rank:ndcg":
            data.set_group([6])
        elif trial.get("objective") == "multi:softprob":
            trial["num_class"] = 2
        elif trial.get("objective") == "reg:quantileerror":
            trial["quantile_alpha"] = 0.5
        model = library.train({**trial, "verbosity": 0, "nthread": 1}, data, 1)
        _collect(json.loads(model.save_config()), found)
    return tuple(sorted(found - _XGBOOST_INTERNAL))


def _collect(value: Any, found: set[str]) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, dict | list):
                _collect(item, found)
            else:
                found.add(key)
    elif isinstance(value, list):
        for item in value:
            _collect(item, found)


_CATBOOST_SYNONYMS = (
    # The first name of each that the class has is the one kept.
    ("iterations", "n_estimators", "num_boost_round", "num_trees"),
    ("learning_rate", "eta"),
    ("depth", "max_depth"),
    ("l2_leaf_reg", "reg_lambda"),
    ("rsm", "colsample_bylevel"),
    ("random_state", "random_seed"),
    ("border_count", "max_bin"),
    ("loss_function", "objective"),
    ("min_data_in_leaf", "min_child_samples"),
    ("max_leaves", "num_leaves"),
)
_CATBOOST_REFUSED = (
    "train_dir snapshot_file snapshot_interval save_snapshot input_borders "
    "output_borders callback log_cout log_cerr dev_efb_max_buckets "
    "dev_score_calc_obj_block_size profile train_final_model"
).split()


def catboost(parameters: tuple[Parameter, ...]) -> Described:
    """Parameters of a CatBoost class; it refuses two synonyms at once, so one name is kept."""
    names = {parameter.name for parameter in parameters}
    aliases = []
    for group in _CATBOOST_SYNONYMS:
        kept, *others = [name for name in group if name in names] or [""]
        aliases += [(other, kept) for other in others]
    refused = tuple((name, _FILES) for name in _CATBOOST_REFUSED if name in names)
    dropped = {alias for alias, _ in aliases} | {name for name, _ in refused}
    kept_parameters = tuple(p for p in parameters if p.name not in dropped)
    return kept_parameters, (), tuple(aliases), refused
