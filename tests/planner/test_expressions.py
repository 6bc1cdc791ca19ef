"""Expressions: what is accepted, what is canonical, and what is refused."""

import math
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from executor.introspect import registry as installed
from planner.errors import SpecError
from planner.expressions import (
    Call,
    Function,
    Items,
    Literal,
    Pairs,
    param,
    parse,
    text,
    walk_calls,
    with_params,
)
from planner.spec import EstimatorDict

REGISTRY = installed()


def call(source: Any, **options: Any) -> Call:
    return parse(source, REGISTRY, **options)


def refusal(source: Any, **options: Any) -> SpecError:
    with pytest.raises(SpecError) as caught:
        parse(source, REGISTRY, "pipelines[3].model", **options)
    assert caught.value.path == "pipelines[3].model"
    return caught.value


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("Ridge", "Ridge()"),
        ("  Ridge(\n  alpha = 1 )\n", "Ridge()"),
        ("Ridge(2)", "Ridge(alpha=2.0)"),
        ("Ridge(alpha=1, copy_X=False)", "Ridge()"),
        ("sklearn.linear_model.Ridge(alpha=-0.5)", "Ridge(alpha=-0.5)"),
        ("lgb.LGBMRegressor(verbose=-1, n_jobs=4)", "LGBMRegressor()"),
        ("LGBMRegressor(bagging_fraction=0.8)", "LGBMRegressor(subsample=0.8)"),
        ("LGBMRegressor(num_iterations=7)", "LGBMRegressor(n_estimators=7)"),
        ("LGBMRegressor(max_bins=63)", "LGBMRegressor(max_bin=63)"),
        ("xgb.XGBRegressor(eta=0.1, nthread=2)", "XGBRegressor(learning_rate=0.1)"),
        ("XGBRegressor(rate_drop=0.1)", "XGBRegressor(rate_drop=0.1)"),
        ("SimpleImputer(missing_values=float('nan'))", "SimpleImputer()"),
        ("SimpleImputer(missing_values=np.nan, copy=False)", "SimpleImputer()"),
        ("FunctionTransformer(np.log1p)", "FunctionTransformer(func=log1p)"),
        ("FunctionTransformer('log1p')", "FunctionTransformer(func=log1p)"),
        ("SelectKBest(f_regression, k=3)", "SelectKBest(k=3, score_func=f_regression)"),
        ("SelectKBest(f_classif)", "SelectKBest()"),
        ("TfidfVectorizer(dtype=np.float32)", "TfidfVectorizer(dtype=float32)"),
        ("CountVectorizer(ngram_range=[1, 2])", "CountVectorizer(ngram_range=(1, 2))"),
        ("SelectKBest(partial(mutual_info_regression, n_jobs=-1, random_state=0))",
         "SelectKBest(score_func=partial(mutual_info_regression, random_state=0))"),
        ("make_union(PCA(), PCA())", "FeatureUnion(transformer_list=[('pca-1', PCA()), "
         "('pca-2', PCA())])"),
        ("Pipeline([['a', StandardScaler()]])", "Pipeline(steps=[('a', StandardScaler())])"),
        ("RidgeCV(alphas=[1e-3, -inf, +2])", "RidgeCV(alphas=(0.001, -inf, 2))"),
        ("GridSearchCV(Ridge(), {'alpha': [1, 2]})",
         "GridSearchCV(estimator=Ridge(), param_grid={'alpha': [1, 2]})"),
        ("GaussianProcessRegressor(Sum(RBF(), WhiteKernel(0.1)))",
         "GaussianProcessRegressor(kernel=Sum(k1=RBF(), k2=WhiteKernel(noise_level=0.1)))"),
    ],
)  # fmt: skip
def test_canonical_text(written: str, canonical: str) -> None:
    assert text(call(written)) == canonical
    assert call(canonical) == call(written)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("RandomForestRegressor(max_features=1)", "RandomForestRegressor()"),  # 1 feature, or all
        ("CountVectorizer(max_df=1)", "CountVectorizer()"),  # one document, or all of them
        ("Ridge(alpha=True)", "Ridge()"),
        ("Ridge(fit_intercept=1)", "Ridge()"),
        ("SimpleImputer(fill_value=(1, 2))", "SimpleImputer(fill_value=[1, 2])"),
        ("RidgeCV(alphas=[1])", "RidgeCV(alphas=[True])"),
        ("OrdinalEncoder(unknown_value=0)", "OrdinalEncoder(unknown_value=False)"),
        ("TfidfVectorizer(dtype=float32)", "TfidfVectorizer(dtype='float32')"),
    ],
)
def test_different_meanings_stay_apart(left: str, right: str) -> None:
    assert call(left) != call(right)
    assert repr(call(left)) != repr(call(right))


def test_composers_name_steps_as_scikit_learn_does() -> None:
    from sklearn.compose import make_column_transformer
    from sklearn.decomposition import PCA
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    ours = call("make_pipeline(StandardScaler(), PCA(2), 'passthrough', PCA(3), memory='/tmp/x')")
    theirs = make_pipeline(StandardScaler(), PCA(2), "passthrough", PCA(3))
    assert _names(param(ours, "steps")) == [name for name, _ in theirs.steps]
    assert param(ours, "memory") is None
    ours = call(
        "make_column_transformer((StandardScaler(), ['a']), (OneHotEncoder(), ['b']), "
        "(StandardScaler(), ['c']), remainder='passthrough')"
    )
    theirs = make_column_transformer(
        (StandardScaler(), ["a"]), (OneHotEncoder(), ["b"]), (StandardScaler(), ["c"])
    )
    assert _names(param(ours, "transformers")) == [name for name, *_ in theirs.transformers]
    assert param(ours, "remainder") == "passthrough"


def _names(steps: Literal) -> list[Literal]:
    assert isinstance(steps, Items)
    return [item.values[0] for item in steps.values if isinstance(item, Items)]


def test_dict_form_means_the_same() -> None:
    form = {
        "estimator": "BaggingRegressor",
        "params": {
            "estimator": {"estimator": "Ridge", "params": {"alpha": 3}},
            "n_estimators": 5,
        },
    }
    assert call(form) == call("BaggingRegressor(Ridge(3), n_estimators=5)")
    form["params"]["estimator"] = "Ridge(alpha=3)"  # type: ignore[index]
    assert call(form) == call("BaggingRegressor(Ridge(3), n_estimators=5)")
    model = EstimatorDict(estimator="TfidfVectorizer", params={"ngram_range": [1, 2]})
    assert call(model) == call("TfidfVectorizer(ngram_range=(1, 2))")
    pattern = {"estimator": "CountVectorizer", "params": {"token_pattern": "(?u)\\b\\w+(x)"}}
    assert param(call(pattern), "token_pattern") == "(?u)\\b\\w+(x)"


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ("__import__('os').system('x')", "invalid_expression", "Attribute access"),
        ("os.system('x')", "invalid_expression", "Attribute access"),
        ("sklearn.__builtins__.Ridge()", "invalid_expression", "Attribute access"),
        ("Ridge().fit", "invalid_expression", "Attribute access"),
        ("open('/etc/passwd')", "unknown_estimator", "open"),
        ("Ridge(alpha=open('x'))", "unknown_estimator", "open"),
        ("FunctionTransformer(lambda x: x)", "invalid_expression", "lambda"),
        ("FunctionTransformer('os.system')", "unknown_function", "os.system"),
        ("FunctionTransformer(eval)", "unknown_estimator", "eval"),
        ("[Ridge() for _ in (1,)]", "invalid_expression", "comprehension"),
        ("Ridge(alpha=[1][0])", "invalid_expression", "subscript"),
        ("Ridge(solver=f'{1}')", "invalid_expression", "f-string"),
        ("Ridge(alpha=(x := 1))", "invalid_expression", "assignment"),
        ("Ridge(*[1])", "invalid_expression", "starred"),
        ("Ridge(**{'alpha': 1})", "invalid_expression", "**"),
        ("RidgeCV(alphas={1, 2})", "invalid_expression", "set"),
        ("Ridge(alpha=2 ** 9)", "invalid_expression", "Arithmetic"),
        ("Ridge(alpha=1j)", "invalid_expression", "complex"),
        ("Ridge(alpha=...)", "invalid_expression", "ellipsis"),
        ("Ridge(solver=b'x')", "invalid_expression", "bytes"),
        ("Ridge(alpha=-'x')", "invalid_expression", "sign"),
        ("Ridge(alpha=-True)", "invalid_expression", "sign"),
        ("Ridge(alpha=1e999)", "invalid_expression", "out of range"),
        ("Ridge(alpha=99999999999999999999999)", "invalid_expression", "out of range"),
        ("Ridge(alpha=float('1e3'))", "invalid_expression", "float"),
        ("(lambda: 0)()", "invalid_expression", "name can be called"),
        ("Ridge(alpha=1", "invalid_expression", "not a valid expression"),
        ("Ridge(alpha=1) Lasso()", "invalid_expression", "not a valid expression"),
        ("import os", "invalid_expression", "not a valid expression"),
        ("", "invalid_expression", "not a valid expression"),
        ("5", "invalid_expression", "not an estimator"),
        ("log1p", "invalid_expression", "not an estimator"),
        ("log1p(3)", "invalid_expression", "function"),
        ("choose(Ridge(), Lasso())", "unknown_estimator", "choose"),
        ("Rigde()", "unknown_estimator", "Rigde"),
        ("lightgbm.Ridge()", "unknown_estimator", "lightgbm has no"),
        ("Ridge(alhpa=1)", "unknown_parameter", "alhpa"),
        ("LGBMRegressor(learning_rat=1)", "unknown_parameter", "learning_rat"),
        ("XGBRegressor(made_up=1)", "unknown_parameter", "made_up"),
        ("Ridge(1, alpha=2)", "duplicate_parameter", "alpha"),
        ("Ridge(alpha=1, alpha=2)", "duplicate_parameter", "alpha"),
        ("LGBMRegressor(subsample=.5, bagging_fraction=.5)", "duplicate_parameter", "subsample"),
        ("XGBRegressor(eta=.1, learning_rate=.1)", "duplicate_parameter", "eta"),
        ("Ridge(1, True)", "too_many_arguments", "by position"),
        ("StackingRegressor()", "missing_parameter", "estimators"),
        ("BaggingRegressor(VotingRegressor)", "missing_parameter", "estimators"),
        ("LGBMRegressor(eta=0.1)", "refused_parameter", "eta"),
        ("LGBMRegressor(output_model='x')", "refused_parameter", "output_model"),
        ("LGBMRegressor(machines='10.0.0.1:80')", "refused_parameter", "machines"),
        ("XGBRegressor(callbacks=[])", "refused_parameter", "callbacks"),
        ("XGBRegressor(early_stopping_rounds=5)", "refused_parameter", "validation"),
        ("LGBMRegressor(early_stopping=5)", "refused_parameter", "validation"),
        ("CountVectorizer(input='filename')", "refused_parameter", "open files"),
        ("partial(print, file=1)", "unknown_estimator", "print"),
        ("make_column_transformer(StandardScaler())", "invalid_expression", "pairs"),
    ],
)
def test_refused(source: str, code: str, said: str) -> None:
    error = refusal(source)
    assert error.code == code
    assert said in error.message
    assert error.hint or code == "invalid_expression"


@pytest.mark.parametrize(
    ("source", "hinted"),
    [
        ("Rigde()", "'Ridge'"),
        ("Ridge(alhpa=1)", "'alpha'"),
        ("LabelEncoder()", "OrdinalEncoder"),
        ("XGBoostRegressor()", "XGBRegressor"),
        ("RandomForest()", "RandomForestRegressor or RandomForestClassifier"),
        ("CatBoostEncoder()", "TargetEncoder"),
        ("LGBMRegressor(eta=0.1)", "write learning_rate"),
        ("XGBRegressor(early_stopping_rounds=5)", "early_stopping"),
        ("FunctionTransformer(lambda x: x)", "log1p"),
    ],
)
def test_hints(source: str, hinted: str) -> None:
    assert hinted in refusal(source).hint


def test_place_of_a_refused_construct() -> None:
    assert "column 13" in refusal("Ridge(alpha=[1][0])").message
    assert "line 2, column 3" in refusal("Ridge(\n  [1][0])").message


@pytest.mark.parametrize(
    "source",
    [
        "-" * 10_000 + "1",
        "(" * 5_000,
        "[" * 150 + "]" * 150,
        "Ridge(" * 60 + ")" * 60,
        "a" + ".a" * 9_000,
        "9" * 10_000,
        "x" * 20_001,
        "\0",
        "\ud800",
        "{" * 90 + "}" * 90,
        "1" + "**1" * 6_000,
    ],
)
def test_hostile_text_is_refused_in_words(source: str) -> None:
    error = refusal(source)
    assert error.code in ("invalid_expression", "unknown_estimator")
    assert len(error.message) < 300


def test_deep_dict_form_is_refused() -> None:
    form: dict[str, Any] = {"estimator": "Ridge", "params": {}}
    for _ in range(2_000):
        form = {"estimator": "BaggingRegressor", "params": {"estimator": form}}
    assert refusal(form).code == "invalid_expression"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40) | st.text(alphabet="Ridge(alp=1,)[]{}'\"-.*: \n", max_size=40))
def test_any_text_is_a_call_or_a_spec_error(source: str) -> None:
    try:
        made = call(source)
    except SpecError:
        return
    assert call(text(made)) == made


def test_kinds() -> None:
    assert call("make_pipeline(PCA(), Ridge())", allow={"regressor"}).name == "Pipeline"
    assert call("GridSearchCV(SVC(), {'C': [1]})", allow={"classifier"}).name == "GridSearchCV"
    assert call("KMeans(3)", allow={"transformer"}).name == "KMeans"
    assert refusal("Ridge()", allow={"transformer"}).code == "wrong_kind"
    assert refusal("make_pipeline(PCA())", allow={"regressor"}).code == "wrong_kind"
    assert refusal("TSNE()", allow={"transformer"}).code == "wrong_kind"
    assert (
        "a classifier or a regressor"
        in refusal("KFold(5)", allow=("regressor", "classifier")).message
    )


def test_helpers() -> None:
    made = call("make_pipeline(PCA(2), BaggingRegressor(Ridge(3)))")
    assert [inner.name for inner in walk_calls(made)] == [
        "Pipeline", "PCA", "BaggingRegressor", "Ridge",
    ]  # fmt: skip
    ridge = with_params(call("Ridge(3)"), tol=0.1, alpha=5.0)
    assert ridge == call("Ridge(alpha=5, tol=0.1)")
    assert param(ridge, "alpha") == 5.0
    assert param(ridge, "solver", "auto") == "auto"


def test_values_are_immutable_hashable_and_picklable() -> None:
    made = call("SimpleImputer(missing_values=-1, fill_value=nan)")
    again = pickle.loads(pickle.dumps(made))
    assert again == made
    assert len({again, made}) == 1
    assert repr(again) == repr(made)
    with pytest.raises(AttributeError):
        made.name = "Ridge"  # type: ignore[misc]


numbers = (
    st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.booleans()
    | st.none()
)
literals: st.SearchStrategy[Literal] = st.recursive(
    numbers
    | st.text(max_size=8)
    | st.sampled_from([Function("log1p"), Function("float32"), Call("Ridge"), Call("KFold")]),
    lambda inner: (
        st.builds(Items, st.sampled_from(["list", "tuple"]), st.lists(inner, max_size=3).map(tuple))
        | st.builds(
            Pairs,
            st.lists(st.tuples(st.text(max_size=3), inner), max_size=2).map(tuple),
        )
        | st.builds(lambda item: Call("BaggingRegressor", (("estimator", item),)), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(literals)
def test_text_parses_back(value: Literal) -> None:
    # `param_grid` has no default, and takes anything.
    made = Call("GridSearchCV", (("estimator", Call("Ridge")), ("param_grid", value)))
    again = call(text(made))
    canonical = text(again)
    assert call(canonical) == again
    if "BaggingRegressor(estimator=None)" not in text(made):
        assert canonical == text(made)


@given(literals)
def test_equality_is_by_type_and_content(value: Literal) -> None:
    made = Items("list", (value,))
    assert made == pickle.loads(pickle.dumps(made))
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53:
        assert made != Items("list", (float(value),))
    if isinstance(value, float) and not math.isnan(value):
        assert made != Items("list", (str(value),))
