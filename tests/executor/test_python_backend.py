"""Each op of the oracle against what a script would write."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Lasso, LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder

from executor.backends.base import Context
from executor.backends.linear import Answer
from executor.backends.python import PythonBackend, sides
from planner import expressions
from planner.errors import DataError, ExecutionError
from planner.expressions import Call
from planner.graph import Op
from planner.ops import (
    Apply,
    Columns,
    Concat,
    Encode,
    Fit,
    FitTarget,
    MapTarget,
    Materialise,
    Member,
    Vector,
)
from planner.ops_linear import LinearFolds, LinearMember, LinearPath
from planner.render import Query
from tests.inprocess import EXACT, Engine, operators
from tests.oracle import Categories
from tests.planner.planning_cases import CV, RIDGE, expected, flats

N = 40
RNG = np.random.default_rng(5)
X = RNG.normal(size=(N, 3))
Y = X @ [1.0, -2.0, 0.5] + RNG.normal(size=N)
SPLIT = [(np.arange(10, N), np.arange(10)), (np.arange(30), np.arange(30, N))]
CONTEXT = Context(1)
TRAIN, VALID = SPLIT[1]
BACKEND = PythonBackend()


def run(op: Op, *inputs: Any) -> Any:
    return BACKEND.run(op, inputs, CONTEXT)


def call(text: str) -> Any:
    return expressions.parse(text, operators())


def test_every_op_but_queries_is_supported() -> None:
    assert not BACKEND.supports(Materialise(Query("SELECT 1", ())))
    assert BACKEND.supports(Vector("x"))
    assert BACKEND.supports(Fit(call("Ridge()"), "regression"))


@pytest.mark.parametrize(
    ("column", "kind", "values"),
    [
        (pa.array([1, 2, 3]), "i", [1, 2, 3]),
        (pa.array([1, None, 3]), "f", [1.0, np.nan, 3.0]),
        (pa.array([0.5, 1.5]), "f", [0.5, 1.5]),
        (pa.array([True, False]), "b", [True, False]),
        (pa.array(["é", "a"]), "O", ["é", "a"]),
        (pa.array(["b", "a"]).dictionary_encode(), "O", ["b", "a"]),
    ],
)
def test_a_vector_is_an_array_a_script_would_have(column: Any, kind: str, values: Any) -> None:
    found = run(Vector("y"), pa.table({"x": column, "y": column}))
    assert isinstance(found, np.ndarray)
    assert found.dtype.kind == kind
    np.testing.assert_array_equal(found, np.array(values, dtype=found.dtype))


def test_columns_are_a_frame_or_one_text() -> None:
    table = pa.table({"a": [1, 2], "b": ["x", "y"], "c": [0.5, 1.5]})
    frame = run(Columns(("c", "a")), table)
    pd.testing.assert_frame_equal(frame, pd.DataFrame({"c": [0.5, 1.5], "a": [1, 2]}))
    text = run(Columns(("b",), single=True), table)
    assert isinstance(text, pd.Series)
    assert text.tolist() == ["x", "y"]


def test_a_mapped_target_is_finite_or_an_error() -> None:
    np.testing.assert_allclose(run(MapTarget("log1p"), np.array([0, 1])), np.log1p([0, 1]))
    for function, bad in (("log", [1, 0, -1]), ("sqrt", [-1.0]), ("log1p", [-1, 5])):
        with pytest.raises(DataError) as raised:
            run(MapTarget(function), np.array(bad))
        assert raised.value.code == "target_transform_domain"


def test_a_fitted_target_sees_the_training_rows() -> None:
    values, fitted = run(FitTarget(call("StandardScaler()")), Y, SPLIT)
    scaler = StandardScaler().fit(Y[TRAIN].reshape(-1, 1))
    np.testing.assert_allclose(values, scaler.transform(Y[TRAIN].reshape(-1, 1)).ravel())
    assert fitted.mean_ == scaler.mean_


@pytest.mark.parametrize("text", ["PolynomialFeatures()", "OneHotEncoder()", "Binarizer()"])
def test_a_target_transformer_must_lead_back(text: str) -> None:
    with pytest.raises(DataError) as raised:
        run(FitTarget(call(text)), Y, SPLIT)
    assert raised.value.code == "unknown_transform"


def test_row_wise_transformers_are_the_same_over_all_rows() -> None:
    for text in ("Normalizer()", "PolynomialFeatures(2)", "FunctionTransformer(square)",
                 "Binarizer(threshold=0.3)"):  # fmt: skip
        whole = run(Apply(call(text)), X)
        train, valid = run(Encode(call(text), False), X, SPLIT)
        np.testing.assert_allclose(whole[TRAIN], train)
        np.testing.assert_allclose(whole[VALID], valid)


def test_an_encoder_is_fitted_on_the_training_rows() -> None:
    train, valid = run(Encode(call("PCA(2, random_state=0)"), False), X, SPLIT)
    reference = PCA(2, random_state=0)
    np.testing.assert_allclose(train, reference.fit_transform(X[TRAIN]))
    np.testing.assert_allclose(valid, reference.transform(X[VALID]))


def test_a_target_encoder_fits_across_its_own_folds() -> None:
    """fit_transform is not transform: the training rows do not see their own target."""
    groups = pd.DataFrame({"g": [f"g{n}" for n in RNG.integers(0, 4, N)]})
    encoder = call("TargetEncoder(random_state=0)")
    train, valid = run(Encode(encoder, True), groups, SPLIT, Y)
    reference = TargetEncoder(random_state=0)
    wanted = reference.fit_transform(groups.iloc[TRAIN], Y[TRAIN])
    np.testing.assert_allclose(train, wanted)
    np.testing.assert_allclose(valid, reference.transform(groups.iloc[VALID]))
    assert not np.allclose(train, reference.transform(groups.iloc[TRAIN]))


def test_a_target_encoder_of_many_whole_numbers_is_warned_of() -> None:
    groups = pd.DataFrame({"g": ["a", "b"] * 180})
    split = [(np.arange(360), np.arange(5))]
    with pytest.warns(UserWarning, match="60 classes"):
        BACKEND.run(Encode(call("TargetEncoder(random_state=0)"), True),
                    [groups, split, np.repeat(np.arange(60), 6)], Context(0))  # fmt: skip


def test_encoders_chain_over_pairs() -> None:
    first = run(Encode(call("StandardScaler()"), False), X, SPLIT)
    train, valid = run(Encode(call("PCA(1, random_state=0)"), False), first, SPLIT)
    reference = make_pipeline(StandardScaler(), PCA(1, random_state=0))
    np.testing.assert_allclose(train, reference.fit_transform(X[TRAIN]))
    np.testing.assert_allclose(valid, reference.transform(X[VALID]))


def test_columns_put_into_a_frame_do_not_show_in_the_original() -> None:
    frame = pd.DataFrame({"a": X[:, 0]})

    def spoil(given: pd.DataFrame) -> pd.DataFrame:
        given["b"] = 1.0
        given.iloc[0, 0] = 99.0
        return given

    pair = (frame.iloc[:30], frame.iloc[30:].copy())
    for given in (frame, pair):
        train, valid = sides(given, SPLIT, CONTEXT)
        spoil(train)
        spoil(valid)
    assert list(frame.columns) == list(pair[0].columns) == list(pair[1].columns) == ["a"]
    np.testing.assert_array_equal(frame["a"], X[:, 0])


def test_a_concatenation_decides_on_the_training_rows() -> None:
    left = sp.csr_matrix(np.eye(N))
    ones = np.zeros((N, 4))
    ones[VALID] = 1.0  # the validation rows alone would be dense
    train, valid = run(Concat(0.3), SPLIT, left, sp.csr_matrix(ones))
    assert sp.issparse(train)
    assert sp.issparse(valid)
    train, valid = run(Concat(0.0), SPLIT, left, sp.csr_matrix(ones))
    assert not sp.issparse(train)
    assert not sp.issparse(valid)


def test_categories_of_a_concatenation_are_those_of_the_training_rows() -> None:
    city = pd.DataFrame({"c": pd.Categorical(["a"] * 10 + ["b"] * 20 + ["c"] * 10)})
    train, valid = run(Concat(0.3), SPLIT, city, X)
    assert list(train["0"].cat.categories) == list(valid["0"].cat.categories) == ["a", "b"]
    assert valid["0"].isna().all()


def test_a_member_of_a_group_answers_warns_and_fails_for_itself() -> None:
    values = np.arange(3.0)
    note = (UserWarning, "slow")
    error = ExecutionError("fit_failed", "Lasso failed: odd")
    group = {0: Answer(values), 1: Answer(values + 1, (note,)), 2: Answer(error)}
    assert run(Member(0), group)[0].tolist() == [0.0, 1.0, 2.0]
    with pytest.warns(UserWarning, match="slow"):
        found, method, classes = run(Member(1), [{1: Answer(values)}, group])
    assert (found.tolist(), method, classes) == ([1.0, 2.0, 3.0], "predict", None)
    with pytest.raises(ExecutionError, match="Lasso failed"):
        run(Member(2), group)


@pytest.mark.parametrize("function", [None, "log1p"])
def test_the_reference_of_the_linear_family_is_the_library_itself(function: str | None) -> None:
    y = np.abs(Y) if function else Y
    fitted = np.log1p(y) if function else y
    bare = (("fit_intercept", False),)
    calls = (Call("Lasso", (("alpha", 0.01),)), Call("LinearRegression"), Call("Ridge"))
    members = tuple(map(LinearMember, calls))
    folds = run(LinearFolds(members, False, True, (function,)), X, SPLIT, fitted)
    plain = tuple(LinearMember(Call(call.name, (*call.params, *bare))) for call in calls)
    path = run(LinearPath(plain, (function,)), X, SPLIT, fitted)
    for position, (model, other) in enumerate(
        [
            (Lasso(0.01), Lasso(0.01, fit_intercept=False)),
            (LinearRegression(), LinearRegression(fit_intercept=False)),
            (Ridge(), Ridge(fit_intercept=False)),
        ]
    ):
        scaled = make_pipeline(StandardScaler(), model).fit(X[TRAIN], fitted[TRAIN])
        other.fit(X[TRAIN], fitted[TRAIN])
        for found, fit in ((folds[1], scaled), (path, other)):
            wanted = fit.predict(X[VALID])
            wanted = np.expm1(wanted) if function else wanted
            np.testing.assert_allclose(found[position].predictions, wanted)


# -- whole pipelines --------------------------------------------------------------------------


def test_native_categories_from_text_to_the_model(engine: Engine) -> None:
    frame = flats()
    columns = ["city", "owner", "rooms"]
    spec = {
        **RIDGE,
        "features": [
            {"columns": ["city", "owner"], "steps": ["ToCategorical()"]},
            {"columns": "rooms"},
        ],
        "model": "HistGradientBoostingRegressor(max_iter=6, min_samples_leaf=3)",
        "metrics": ["r2"],
    }

    class Table(Categories):
        def transform(self, X: pd.DataFrame) -> pd.DataFrame:
            return pd.concat([super().transform(X[["city", "owner"]]), X[["rooms"]]], axis=1)

        def fit(self, X: pd.DataFrame, y: Any = None) -> "Table":
            super().fit(X[["city", "owner"]])
            return self

    model = make_pipeline(
        Table(), HistGradientBoostingRegressor(max_iter=6, min_samples_leaf=3, random_state=0)
    )
    wanted = expected(model, frame[columns], frame["price"])
    np.testing.assert_allclose(engine.one(spec, cv=CV)["r2"], wanted, rtol=EXACT)


@pytest.mark.parametrize(
    "model", ["LGBMRegressor(n_estimators=6, min_child_samples=3)", "XGBRegressor(n_estimators=6)"]
)
def test_boosters_get_categories_too(engine: Engine, model: str) -> None:
    categories = {"columns": ["city", "owner"], "steps": ["ToCategorical()"]}
    codes = {
        "columns": ["city", "owner"],
        "steps": ["OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=-1)"],
    }
    answers = [
        engine.one({**RIDGE, "features": [one], "model": model, "metrics": ["r2"]}, cv=CV)["r2"]
        for one in (categories, codes)
    ]
    assert answers[0] != answers[1]


def test_boolean_columns_with_gaps_are_numbers_to_every_model(engine: Engine) -> None:
    prepare = [{"derive": {"maybe": "nullif(lift, age > 80)"}}]
    frame = flats()
    maybe = frame["lift"].astype(float).where(frame["lift"] != (frame["age"] > 80))
    features = pd.DataFrame({"maybe": maybe, "rooms": frame["rooms"]})
    spec = {**RIDGE, "prepare": prepare, "features": [{"columns": ["maybe", "rooms"]}],
            "metrics": ["r2"]}  # fmt: skip
    from lightgbm import LGBMRegressor
    from sklearn.ensemble import RandomForestRegressor

    from tests.oracle import LGBM

    for text, model in (
        ("LGBMRegressor(n_estimators=5, min_child_samples=3)",
         LGBMRegressor(n_estimators=5, min_child_samples=3, random_state=0, **LGBM)),
        ("RandomForestRegressor(n_estimators=4)",
         RandomForestRegressor(n_estimators=4, random_state=0)),
    ):  # fmt: skip
        found = engine.one({**spec, "model": text}, cv=CV)["r2"]
        wanted = expected(model, features, frame["price"])
        np.testing.assert_allclose(found, wanted, rtol=EXACT)


def test_text_behind_an_imputer_is_text_again(engine: Engine) -> None:
    frame = flats()
    spec = {
        **RIDGE,
        "features": [
            {
                "columns": "city",
                "steps": [
                    "SimpleImputer(strategy='constant', fill_value='none')",
                    "TfidfVectorizer(analyzer='char')",
                ],
            }
        ],
        "metrics": ["r2"],
    }
    model = make_pipeline(TfidfVectorizer(analyzer="char"), Ridge(alpha=0.5))
    wanted = expected(model, frame["city"].fillna("none"), frame["price"])
    np.testing.assert_allclose(engine.one(spec, cv=CV)["r2"], wanted, rtol=EXACT)


def test_one_column_alone(engine: Engine) -> None:
    frame = flats()
    for columns in ("age", ["age"]):
        spec = {**RIDGE, "features": [{"columns": columns}], "model": "LinearRegression()",
                "metrics": ["r2"]}  # fmt: skip
        from sklearn.linear_model import LinearRegression

        wanted = expected(LinearRegression(), frame[["age"]], frame["price"])
        np.testing.assert_allclose(engine.one(spec, cv=CV)["r2"], wanted, rtol=EXACT)
