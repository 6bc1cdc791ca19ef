"""Composite estimators taken apart: the scores are scikit-learn's, and equal parts are shared."""

from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from sklearn.tree import DecisionTreeRegressor

from planner.ops import Columns, Concat, Encode
from tests.inprocess import EXACT, Engine
from tests.planner.planning_cases import CV, NUMBERS, expected, flats, nodes

BASE: dict[str, Any] = {"dataset": "flats", "target": "price", "metrics": ["r2"]}
FEATURES = [name for name in flats().columns if name not in ("price",)]


def check(engine: Engine, spec: dict[str, Any], model: Any, columns: list[str]) -> Any:
    """The engine's scores of `spec` are those of `model`; returns what was built."""
    frame = flats()
    answer = engine.one({**BASE, **spec}, cv=CV)
    wanted = expected(model, frame[columns], frame["price"])
    np.testing.assert_allclose(answer["r2"], wanted, rtol=EXACT)
    return engine.build({**BASE, **spec}, cv=CV)


def names(built: Any, kind: type = Encode) -> list[str]:
    return [node.op.transformer.name for node in nodes(built, kind)]


def test_a_pipeline_in_the_model_becomes_one_node_per_step(engine: Engine) -> None:
    built = check(
        engine,
        {
            "prepare": [{"select": [*NUMBERS, "price"]}],
            "model": "make_pipeline(SimpleImputer(), StandardScaler(), Ridge(alpha=2.0))",
        },
        make_pipeline(SimpleImputer(), StandardScaler(), Ridge(alpha=2.0)),
        NUMBERS,
    )
    assert names(built) == ["SimpleImputer", "StandardScaler"]


def test_nested_pipelines_and_passthrough_steps(engine: Engine) -> None:
    check(
        engine,
        {
            "features": [{"columns": NUMBERS}],
            "model": "Pipeline([('a', Pipeline([('i', SimpleImputer()), ('n', None)])), "
            "('p', 'passthrough'), ('m', make_pipeline(MinMaxScaler(), Ridge()))])",
        },
        Pipeline(
            [
                ("a", Pipeline([("i", SimpleImputer()), ("n", None)])),
                ("p", "passthrough"),
                ("m", make_pipeline(MinMaxScaler(), Ridge())),
            ]
        ),
        NUMBERS,
    )


def test_features_come_before_the_transformers_of_the_model(engine: Engine) -> None:
    built = check(
        engine,
        {
            "features": [{"columns": NUMBERS, "steps": ["SimpleImputer()"]}],
            "model": "make_pipeline(PCA(2), LinearRegression())",
        },
        make_pipeline(
            make_column_transformer((SimpleImputer(), NUMBERS)),
            PCA(2, random_state=0),
            LinearRegression(),
        ),
        NUMBERS,
    )
    assert names(built) == ["SimpleImputer", "PCA"]


def test_a_column_transformer_keeps_the_order_of_branches_and_of_the_remainder(
    engine: Engine,
) -> None:
    text = (
        "make_column_transformer((OneHotEncoder(handle_unknown='ignore'), ['city']), "
        "('passthrough', ['rooms']), ('drop', ['owner']), (StandardScaler(), ['age']), "
        "remainder='passthrough')"
    )
    columns = ["owner", "lift", "city", "rooms", "age"]
    model = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["city"]),
        ("passthrough", ["rooms"]),
        ("drop", ["owner"]),
        (StandardScaler(), ["age"]),
        remainder="passthrough",
    )
    prepare = [{"select": [*columns, "price"]}]
    built = check(
        engine,
        {"prepare": prepare, "features": text, "model": "DecisionTreeRegressor(max_depth=5)"},
        make_pipeline(model, DecisionTreeRegressor(max_depth=5, random_state=0)),
        columns,
    )
    # The tree sees the same columns in the same order: position decides between ties.
    blocks = nodes(built, Concat)[-1].inputs[1:]
    first = [b.op.names if isinstance(b.op, Columns) else b.op.transformer.name for b in blocks]
    assert first == ["OneHotEncoder", ("rooms",), "StandardScaler", ("lift",)]


def test_a_remainder_may_be_a_transformer(engine: Engine) -> None:
    check(
        engine,
        {
            "prepare": [{"select": [*NUMBERS, "price"]}],
            "features": "make_column_transformer((StandardScaler(), ['age']), "
            "remainder=make_pipeline(SimpleImputer(), MinMaxScaler()))",
            "model": "Ridge()",
        },
        make_pipeline(
            make_column_transformer(
                (StandardScaler(), ["age"]),
                remainder=make_pipeline(SimpleImputer(), MinMaxScaler()),
            ),
            Ridge(),
        ),
        NUMBERS,
    )


def test_one_name_hands_a_vectorizer_text_and_a_list_a_table(engine: Engine) -> None:
    check(
        engine,
        {
            "features": "make_column_transformer((TfidfVectorizer(), 'note'), "
            "(OneHotEncoder(handle_unknown='ignore'), ['owner']))",
            "model": "Ridge()",
        },
        make_pipeline(
            make_column_transformer(
                (TfidfVectorizer(), "note"), (OneHotEncoder(handle_unknown="ignore"), ["owner"])
            ),
            Ridge(),
        ),
        ["note", "owner"],
    )


def test_a_bare_name_before_a_scaler_is_refused_with_a_hint(engine: Engine) -> None:
    spec = {
        **BASE,
        "features": "make_column_transformer((StandardScaler(), 'age'))",
        "model": "Ridge()",
    }
    error = engine.one(spec, cv=CV).error
    assert error is not None
    assert (error["code"], error["path"]) == ("one_dimensional_column", "pipelines[0].features")


def test_union_of_vectorizers_over_one_text(engine: Engine) -> None:
    built = check(
        engine,
        {
            "features": [
                {
                    "columns": "note",
                    "steps": ["make_union(TfidfVectorizer(), CountVectorizer(binary=True))"],
                }
            ],
            "model": "Ridge()",
        },
        make_pipeline(
            make_column_transformer(
                (make_union(TfidfVectorizer(), CountVectorizer(binary=True)), "note")
            ),
            Ridge(),
        ),
        ["note"],
    )
    assert names(built) == ["TfidfVectorizer", "CountVectorizer"]


def test_union_of_transformers_shares_its_input(engine: Engine) -> None:
    built = check(
        engine,
        {
            "prepare": [{"select": ["rooms", "age", "price"]}],
            "model": "make_pipeline(StandardScaler(), "
            "make_union(PCA(1), SelectKBest(f_regression, k=1)), LinearRegression())",
        },
        make_pipeline(
            StandardScaler(),
            make_union(PCA(1, random_state=0), SelectKBest(_f_regression, k=1)),
            LinearRegression(),
        ),
        ["rooms", "age"],
    )
    assert names(built) == ["StandardScaler", "PCA", "SelectKBest"]


def _f_regression(x: Any, y: Any) -> Any:
    from sklearn.feature_selection import f_regression

    return f_regression(x, y)


@pytest.mark.parametrize(
    ("text", "model"),
    [
        (
            "FeatureUnion([('a', PCA(1)), ('b', StandardScaler())], "
            "transformer_weights={'a': 3.0})",
            FeatureUnion(
                [("a", PCA(1, random_state=0)), ("b", StandardScaler())],
                transformer_weights={"a": 3.0},
            ),
        ),
        (
            "FeatureUnion([('a', PCA(1)), ('b', 'passthrough'), ('c', 'drop')])",
            FeatureUnion([("a", PCA(1, random_state=0)), ("b", "passthrough"), ("c", "drop")]),
        ),
        (
            "ColumnTransformer([('a', StandardScaler(), [1]), ('b', 'passthrough', [-2])])",
            ColumnTransformer([("a", StandardScaler(), [1]), ("b", "passthrough", [-2])]),
        ),
        (
            "ColumnTransformer([('a', StandardScaler(), [True, False])], remainder='passthrough')",
            ColumnTransformer([("a", StandardScaler(), [True, False])], remainder="passthrough"),
        ),
        (
            "ColumnTransformer([('a', StandardScaler(), ['rooms']), ('b', MinMaxScaler(), "
            "['age'])], transformer_weights={'b': 5.0})",
            ColumnTransformer(
                [("a", StandardScaler(), ["rooms"]), ("b", MinMaxScaler(), ["age"])],
                transformer_weights={"b": 5.0},
            ),
        ),
        (
            "make_column_transformer((StandardScaler(), make_column_selector('ro.*')), "
            "remainder='passthrough')",
            make_column_transformer(
                (StandardScaler(), make_column_selector("ro.*")), remainder="passthrough"
            ),
        ),
    ],
)
def test_what_cannot_be_taken_apart_stays_whole(engine: Engine, text: str, model: Any) -> None:
    columns = ["rooms", "age"]
    built = check(
        engine,
        {"prepare": [{"select": [*columns, "price"]}], "features": text, "model": "Ridge(5.0)"},
        make_pipeline(model, Ridge(5.0)),
        columns,
    )
    assert names(built) == [type(model).__name__]


@pytest.mark.parametrize(
    ("arguments", "given", "apart"),
    [
        ("dtype_include='number'", {"dtype_include": "number"}, True),
        ("dtype_exclude='number'", {"dtype_exclude": "number"}, True),
        ("dtype_include=number", {"dtype_include": np.number}, True),
        ("dtype_include=object", {"dtype_include": object}, True),
        ("dtype_include=['bool', 'number']", {"dtype_include": ["bool", "number"]}, True),
        ("dtype_include='str'", {"dtype_include": "str"}, True),
        ("dtype_include='float64'", {"dtype_include": "float64"}, False),
    ],
)
@pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
def test_column_selectors_choose_what_pandas_chooses(
    engine: Engine, arguments: str, given: dict[str, Any], apart: bool
) -> None:
    columns = ["area", "rooms", "lift", "city", "kind", "owner", "age"]
    encoder = "OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=-1)"
    built = check(
        engine,
        {
            "prepare": [{"select": [*columns, "price"]}],
            "features": f"make_column_transformer(({encoder}, make_column_selector({arguments})))",
            "model": "DecisionTreeRegressor(max_depth=4)",
        },
        make_pipeline(
            make_column_transformer(
                (
                    OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                    make_column_selector(**given),
                )
            ),
            DecisionTreeRegressor(max_depth=4, random_state=0),
        ),
        columns,
    )
    assert names(built) == ["OrdinalEncoder" if apart else "ColumnTransformer"]


def test_a_selector_is_left_to_pandas_where_the_dtype_depends_on_the_rows(engine: Engine) -> None:
    """A boolean column that may have gaps is of dtype bool or object."""
    spec = {
        **BASE,
        "prepare": [{"derive": {"maybe": "try_cast(city as boolean)"}}],
        "features": "make_column_transformer((SimpleImputer(strategy='most_frequent'), "
        "make_column_selector(dtype_include='bool')))",
        "model": "Ridge()",
    }
    assert names(engine.build(spec, cv=CV)) == ["ColumnTransformer"]


def test_empty_selections_are_skipped_as_in_scikit_learn(engine: Engine) -> None:
    check(
        engine,
        {
            "prepare": [{"select": ["rooms", "age", "price"]}],
            "features": "make_column_transformer((StandardScaler(), ['rooms', 'age']), "
            "(OneHotEncoder(), []), "
            "(OneHotEncoder(), make_column_selector(dtype_include='category')))",
            "model": "Ridge()",
        },
        make_pipeline(
            make_column_transformer((StandardScaler(), ["rooms", "age"]), (OneHotEncoder(), [])),
            Ridge(),
        ),
        ["rooms", "age"],
    )


def test_nothing_selected_at_all_is_an_error(engine: Engine) -> None:
    spec = {**BASE, "features": [{"columns": {"regex": "^nope"}}], "model": "Ridge()"}
    error = engine.error(spec, "pipelines[4]", cv=CV)
    assert (error.code, error.path) == ("no_features", "pipelines[4].features")
