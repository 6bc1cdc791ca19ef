"""What introspection says of a library must be what the library does."""

import json
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest

from executor import introspect_tables as tables
from executor.construct import construct
from executor.introspect import introspect, registry
from executor.versions import library_versions
from planner.expressions import Call, parse
from planner.registry import NoDefault
from planner.seeds import fill_seeds

REGISTRY = registry()


def test_what_is_there() -> None:
    for name in (
        "Ridge IterativeImputer HalvingGridSearchCV make_pipeline make_column_selector Pipeline "
        "ColumnTransformer TransformedTargetRegressor KFold PredefinedSplit RBF LGBMRanker "
        "XGBRFClassifier f_regression log1p float32 loguniform"
    ).split():
        assert name in REGISTRY
    for name in (
        "BaseShuffleSplit Kernel LabelEncoder FrozenEstimator XGBModel LGBMModel TextEncoder "
        "Joiner fetch_openml load_iris clone joblib train_test_split"
    ).split():
        assert name not in REGISTRY


def test_every_public_estimator_is_described_or_left_out_on_purpose() -> None:
    from sklearn.utils import all_estimators

    for name, _ in all_estimators():
        assert (name in REGISTRY) != (name in tables.EXCLUDED), name
    assert tables.UNSUPERVISED - set(REGISTRY.operators) <= set(tables.SKRUB)


def test_description_does_not_depend_on_hashing() -> None:
    program = (
        "import json; from executor.introspect import introspect; print(json.dumps(introspect()))"
    )
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={"PYTHONHASHSEED": "1", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout) == json.loads(json.dumps(introspect()))


def test_versions_without_imports() -> None:
    program = (
        "import sys; from executor.versions import library_versions; library_versions(); "
        "import planner.expressions, planner.choices, planner.patches, planner.naming; "
        "print([n for n in ('sklearn', 'pandas', 'lightgbm', 'numpy') if n in sys.modules])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "[]"
    assert {"scikit-learn", "lightgbm"} <= set(library_versions())
    assert introspect()["versions"] == library_versions()


def _call(name: str) -> Call:
    call = parse(f"{name}(2)" if "Projection" in name else name, REGISTRY)
    return fill_seeds(call, 0, REGISTRY)


NUMERIC_UNSUPERVISED = sorted(
    name
    for name in tables.UNSUPERVISED
    if name in REGISTRY
    and REGISTRY[name].library == "sklearn"
    and not REGISTRY[name].text
    and name not in ("DictVectorizer", "FeatureHasher")
)


@pytest.mark.parametrize("name", NUMERIC_UNSUPERVISED)
def test_unsupervised_transformers_ignore_the_target(name: str) -> None:
    rng = np.random.default_rng(0)
    x = np.abs(rng.normal(size=(60, 4)))
    made = []
    for y in (rng.normal(size=60), (x[:, 0] > 0.5).astype(int)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out = construct(_call(name)).fit_transform(x, y)
        made.append(out.toarray() if hasattr(out, "toarray") else np.asarray(out))
    np.testing.assert_array_equal(made[0], made[1])


@pytest.mark.parametrize("name", sorted(tables.STATELESS - tables.TEXT))
def test_stateless_transformers_work_row_by_row(name: str) -> None:
    x = np.abs(np.random.default_rng(0).normal(size=(40, 3)))
    whole = np.asarray(construct(_call(name)).fit_transform(x))
    part = np.asarray(construct(_call(name)).fit(x[:25]).transform(x[25:]))
    np.testing.assert_array_equal(whole[25:], part)


VALUES = {
    "learning_rate": 0.037,
    "min_split_gain": 0.013,
    "min_child_weight": 0.17,
    "min_child_samples": 11,
    "subsample": 0.77,
    "subsample_freq": 2,
    "colsample_bytree": 0.66,
    "reg_alpha": 0.21,
    "reg_lambda": 0.31,
    "random_state": 77,
    "boosting_type": "dart",
    "n_estimators": 3,
    "num_leaves": 5,
    "subsample_for_bin": 150,
}


def test_lightgbm_honours_the_aliases_we_accept_and_ignores_those_we_refuse() -> None:
    import lightgbm

    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    y = x[:, 0] + rng.normal(size=200)

    def effect(**given: Any) -> str:
        params = {"n_estimators": 4, "verbosity": -1, "n_jobs": 1, "bagging_seed": 1, **given}
        if "n_estimators" not in given and any(
            REGISTRY["LGBMRegressor"].alias_of.get(name) == "n_estimators" for name in given
        ):
            del params["n_estimators"]
        text = lightgbm.LGBMRegressor(**params).fit(x, y).booster_.model_to_string()
        return str(text[text.index("\nparameters:") :])

    operator = REGISTRY["LGBMRegressor"]
    accepted = [(alias, name) for alias, name in operator.aliases if name in VALUES]
    assert len(accepted) > 25
    for alias, name in accepted:
        assert effect(**{alias: VALUES[name]}) == effect(**{name: VALUES[name]}), alias
    ignored = [
        (alias, why.removesuffix(".").rpartition(" ")[2])
        for alias, why in operator.refused
        if "ignores" in why
    ]
    assert len(ignored) > 5
    for alias, name in ignored:
        assert effect(**{alias: VALUES[name]}) == effect(), alias


def test_xgboost_uses_the_parameters_we_accept() -> None:
    import xgboost

    x = np.arange(20.0).reshape(10, 2)
    y = np.arange(10.0)
    operator = REGISTRY["XGBRegressor"]
    assert {"huber_slope", "tweedie_variance_power", "rate_drop"} <= set(operator.extra)
    for alias, name in operator.aliases:
        if name == "n_jobs":
            continue
        models = [
            xgboost.XGBRegressor(n_estimators=3, subsample=0.5, n_jobs=1, **{spelled: 1}).fit(x, y)
            for spelled in (alias, name)
        ]
        first, second = (m.predict(x) for m in models)
        np.testing.assert_array_equal(first, second)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_defaults_are_the_libraries_own() -> None:
    """An estimator made of nothing but its described defaults is the default estimator."""
    from executor.construct import value

    for operator in REGISTRY.operators.values():
        if operator.library != "sklearn" or operator.kind in ("function", "composer", "selector"):
            continue
        defaults = [parameter.default for parameter in operator.parameters]
        if NoDefault.REQUIRED in defaults or operator.kind in ("kernel", "splitter"):
            continue
        plain = construct(Call(operator.name)).get_params(deep=False)
        for parameter in operator.parameters:
            if not isinstance(parameter.default, NoDefault):
                ours, theirs = value(parameter.default), plain[parameter.name]
                assert ours is theirs or str(ours) == str(theirs), (operator.name, parameter)
