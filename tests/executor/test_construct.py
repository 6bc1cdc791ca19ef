"""Construction: the library's own object, with our thread and logging defaults."""

import functools
from typing import Any

import numpy as np
import pytest

from executor.construct import construct, validate
from executor.introspect import registry
from planner.errors import SpecError
from planner.expressions import Call, Function, parse
from planner.registry import NoDefault

REGISTRY = registry()


def made(source: str) -> Any:
    return construct(parse(source, REGISTRY))


@pytest.mark.parametrize(
    "name",
    [
        operator.name
        for operator in REGISTRY.operators.values()
        if operator.kind not in ("function", "type", "composer", "distribution")
        and all(p.default is not NoDefault.REQUIRED for p in operator.parameters)
    ],
)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_everything_that_can_be_named_can_be_made(name: str) -> None:
    assert type(made(name)).__name__ == name


def test_same_as_plain_scikit_learn() -> None:
    from sklearn.compose import make_column_transformer
    from sklearn.decomposition import PCA
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

    ours = made(
        "make_pipeline(make_column_transformer((make_pipeline(SimpleImputer(strategy='median'), "
        "FunctionTransformer(np.log1p)), ['a', 'b']), (OneHotEncoder(dtype=np.float32, "
        "categories=[['x', None]]), ['c'])), PCA(0.9), "
        "RandomForestClassifier(class_weight={0: 1, 1: 2.5}, n_jobs=-1))"
    )
    theirs = make_pipeline(
        make_column_transformer(
            (
                make_pipeline(SimpleImputer(strategy="median"), FunctionTransformer(np.log1p)),
                ["a", "b"],
            ),
            (OneHotEncoder(dtype=np.float32, categories=[["x", None]]), ["c"]),
        ),
        PCA(0.9),
        RandomForestClassifier(class_weight={0: 1, 1: 2.5}),
    )
    assert repr(ours) == repr(theirs)


def test_booster_defaults() -> None:
    params = made("LGBMRegressor(num_leaves=5)").get_params()
    assert params["num_leaves"] == 5
    assert (params["n_jobs"], params["deterministic"], params["verbose"]) == (1, True, -1)
    assert params["force_col_wise"] is True
    rows = made("LGBMRegressor(force_row_wise=True, deterministic=False)").get_params()
    assert rows["deterministic"] is False
    assert "force_col_wise" not in rows
    params = made("XGBClassifier(eta=0.5)").get_params()
    assert (params["n_jobs"], params["verbosity"], params["learning_rate"]) == (1, 0, 0.5)


def test_functions_and_distributions() -> None:
    from sklearn.feature_selection import mutual_info_regression

    score = made("SelectKBest(partial(mutual_info_regression, random_state=3))").score_func
    assert isinstance(score, functools.partial)
    assert score.func is mutual_info_regression
    assert score.keywords == {"random_state": 3}
    assert made("FunctionTransformer(np.sqrt)").func is np.sqrt
    search = made("RandomizedSearchCV(Ridge(), {'alpha': loguniform(0.1, 10)})")
    assert search.param_distributions["alpha"].args == ()
    assert search.param_distributions["alpha"].kwds == {"a": 0.1, "b": 10}
    kernel = made("GaussianProcessRegressor(Product(ConstantKernel(2.0), RBF(0.5)))").kernel
    assert kernel(np.zeros((1, 1)))[0, 0] == 2.0


@pytest.mark.parametrize("name", ["os", "Popen", "fetch_openml", "system", "_BaseEncoder", ""])
def test_only_the_tables_are_resolved(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        construct(Call(name))
    assert caught.value.code == "unknown_estimator"
    with pytest.raises(SpecError) as caught:
        construct(Call("FunctionTransformer", (("func", Function(name)),)))
    assert caught.value.code == "unknown_function"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("Ridge(alpha=-1)", "'alpha' parameter of Ridge"),
        ("make_pipeline(StandardScaler(), Ridge(solver='nope'))", "'solver' parameter of Ridge"),
        ("BaggingRegressor(DecisionTreeRegressor(max_depth=0))", "'max_depth' parameter"),
        ("KFold(1)", "KFold"),
        ("TfidfVectorizer(ngram_range=3)", "'ngram_range'"),
        ("RandomForestRegressor(max_features=0)", "'max_features'"),
    ],
)
def test_validate(source: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        validate(parse(source, REGISTRY), "pipelines[0].model")
    assert caught.value.code == "invalid_parameter"
    assert caught.value.path == "pipelines[0].model"
    assert said in caught.value.message


@pytest.mark.parametrize(
    "source",
    [
        "make_pipeline(StandardScaler(), Ridge(2))",
        "LGBMRegressor(max_bin=63)",
        "XGBRegressor(rate_drop=0.1, booster='dart')",
        "StackingRegressor([('a', Ridge()), ('b', LGBMRegressor())])",
        "GaussianProcessRegressor(RBF())",
        "SelectKBest(partial(mutual_info_classif, random_state=0))",
        "GroupKFold(3)",
    ],
)
def test_valid(source: str) -> None:
    validate(parse(source, REGISTRY))
