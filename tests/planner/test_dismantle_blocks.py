"""Composites taken apart: dense or sparse, errors, searches over tables, row-wise steps."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.base
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from planner.ops import Apply, Columns, Encode, Fit
from tests.inprocess import EXACT, Engine
from tests.planner.planning_cases import CV, FOLDS, NUMBERS, expected, flats, nodes

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


class Recorder(sklearn.base.RegressorMixin, sklearn.base.BaseEstimator):
    """Notes whether what it predicts on is sparse."""

    def fit(self, features: Any, target: Any) -> "Recorder":
        self.fitted_ = True
        return self

    def predict(self, features: Any) -> np.ndarray:
        import scipy.sparse

        return np.full(features.shape[0], float(scipy.sparse.issparse(features)))


@pytest.mark.parametrize("threshold", [0.0, 0.05, 0.1, 0.2, 0.3, 0.6, 1.0])
def test_sparse_or_dense_is_decided_on_the_training_rows(
    engine: Engine, threshold: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from executor import models

    monkeypatch.setattr(models, "construct", lambda call: Recorder())
    # One dense column and many sparse ones: the density is near 1/10 on every part.
    encoders = [(OneHotEncoder(handle_unknown="ignore"), ["owner"]), ("passthrough", ["age"])]
    spec = {
        **BASE,
        "metrics": ["mse"],
        "features": "make_column_transformer((OneHotEncoder(handle_unknown='ignore'), ['owner']), "
        f"('passthrough', ['age']), sparse_threshold={threshold})",
        "model": "Lasso(positive=True)",
    }
    frame = flats()
    wanted = expected(
        make_pipeline(make_column_transformer(*encoders, sparse_threshold=threshold), Recorder()),
        frame[["owner", "age"]],
        frame["price"],
        "neg_mean_squared_error",
    )
    found = engine.one(spec, cv=CV)["mse"]
    np.testing.assert_allclose(found, np.negative(wanted), rtol=EXACT)


def test_a_union_is_sparse_if_any_part_is(engine: Engine) -> None:
    check(
        engine,
        {
            "features": [
                {
                    "columns": ["city", "owner"],
                    "steps": [
                        "make_union(OneHotEncoder(handle_unknown='ignore'), OrdinalEncoder("
                        "handle_unknown='use_encoded_value', unknown_value=-1, "
                        "encoded_missing_value=-2))",
                        "TruncatedSVD(3)",
                    ],
                }
            ],
            "model": "LinearRegression()",
        },
        make_pipeline(
            make_union(
                OneHotEncoder(handle_unknown="ignore"),
                OrdinalEncoder(
                    handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2
                ),
            ),
            TruncatedSVD(3, random_state=0),
            LinearRegression(),
        ),
        ["city", "owner"],
    )


def test_equal_parts_of_different_forms_are_one_node(engine: Engine) -> None:
    """Branches, a ColumnTransformer and a Pipeline that mean the same."""
    branch = {
        **BASE,
        "features": [{"columns": NUMBERS, "steps": ["SimpleImputer()", "StandardScaler()"]}],
        "model": "Ridge()",
    }
    composed = {
        **BASE,
        "features": "make_column_transformer((make_pipeline(SimpleImputer(), StandardScaler()), "
        "['area', 'rooms', 'age']))",
        "model": "Ridge()",
    }
    one, two = (engine.build(spec, cv=CV) for spec in (branch, composed))
    assert one.scores["r2"] == two.scores["r2"]


def test_row_wise_transformers_stand_above_the_folds(engine: Engine) -> None:
    built = check(
        engine,
        {
            "features": [
                {"columns": ["rooms", "age"], "steps": ["FunctionTransformer(log1p)"]},
                {"columns": "note", "steps": ["HashingVectorizer(n_features=16)"]},
            ],
            "model": "Ridge()",
        },
        make_pipeline(
            make_column_transformer(
                (FunctionTransformer(np.log1p), ["rooms", "age"]), (_hashing(), "note")
            ),
            Ridge(),
        ),
        ["rooms", "age", "note"],
    )
    assert names(built, Apply) == ["FunctionTransformer", "HashingVectorizer"]
    assert names(built) == []


def _hashing() -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(n_features=16)


def test_target_encoders_are_fitted_on_the_transformed_target(engine: Engine) -> None:
    from sklearn.compose import TransformedTargetRegressor

    frame = flats()
    spec = {
        **BASE,
        "target": {"column": "price", "transform": "StandardScaler()"},
        "features": [{"columns": ["owner"], "steps": ["TargetEncoder()"]}],
        "model": "Ridge()",
    }
    model = TransformedTargetRegressor(
        make_pipeline(TargetEncoder(random_state=0), Ridge()), transformer=StandardScaler()
    )
    wanted = expected(model, frame[["owner"]], frame["price"])
    np.testing.assert_allclose(engine.one(spec, cv=CV)["r2"], wanted, rtol=EXACT)


def test_a_predictor_among_the_transformers_is_refused(engine: Engine) -> None:
    spec = {**BASE, "features": "make_pipeline(StandardScaler(), Ridge())", "model": "Ridge()"}
    error = engine.error(spec, cv=CV)
    assert (error.code, error.path) == ("not_a_transformer", "pipelines[0].features")


@pytest.mark.parametrize(
    ("model", "code"),
    [
        ("StandardScaler()", "not_a_predictor"),
        ("make_pipeline(Ridge(), StandardScaler())", "not_a_predictor"),
        ("Pipeline([('m', Ridge()), ('p', 'passthrough')])", "not_a_predictor"),
        ("make_pipeline(Ridge(), Lasso())", "not_a_transformer"),
        ("Pipeline([('a', 'drop'), ('m', Ridge())])", "invalid_expression"),
        ("make_column_transformer((StandardScaler(), ['age']))", "not_a_predictor"),
        ("make_pipeline(make_column_transformer((StandardScaler(), ['agee'])), Ridge())",
         "unknown_column"),
    ],
)  # fmt: skip
def test_errors_of_a_model_say_that_they_are_in_the_model(
    engine: Engine, model: str, code: str
) -> None:
    error = engine.error({**BASE, "model": model}, "pipelines[2]", cv=CV)
    assert (error.code, error.path) == (code, "pipelines[2].model")


def test_several_text_columns_need_branches_of_their_own(engine: Engine) -> None:
    features = [
        {"columns": ["rooms"]},
        {"columns": ["note", "city"], "steps": ["CountVectorizer()"]},
    ]
    error = engine.error({**BASE, "features": features, "model": "Ridge()"}, cv=CV)
    assert error.code == "one_text_column"
    assert error.path == "pipelines[0].features[1].steps[0]"


def test_a_search_over_a_column_transformer_gets_the_table(engine: Engine) -> None:
    from sklearn.model_selection import GridSearchCV

    transformer = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["area", "rooms"]),
        (OneHotEncoder(handle_unknown="ignore"), ["city", "kind"]),
    )
    built = check(
        engine,
        {
            "model": "GridSearchCV(make_pipeline(make_column_transformer("
            "(make_pipeline(SimpleImputer(), StandardScaler()), ['area', 'rooms']), "
            "(OneHotEncoder(handle_unknown='ignore'), ['city', 'kind'])), Ridge()), "
            "{'ridge__alpha': [0.1, 10.0]}, cv=3)"
        },
        GridSearchCV(make_pipeline(transformer, Ridge()), {"ridge__alpha": [0.1, 10.0]}, cv=3),
        FEATURES,
    )
    assert isinstance(nodes(built, Fit)[0].inputs[0].op, Columns)


def test_chosen_columns_keep_their_names_for_a_model_that_needs_them(engine: Engine) -> None:
    check(
        engine,
        {
            "features": [{"columns": ["rooms", "age"]}, {"columns": "owner"}],
            "model": "make_pipeline(make_column_transformer((OneHotEncoder(handle_unknown="
            "'ignore'), ['owner']), remainder=StandardScaler()), Ridge())",
        },
        make_pipeline(
            make_column_transformer(
                (OneHotEncoder(handle_unknown="ignore"), ["owner"]), remainder=StandardScaler()
            ),
            Ridge(),
        ),
        ["rooms", "age", "owner"],
    )


def test_a_column_transformer_behind_another_step_has_no_names(engine: Engine) -> None:
    model = "make_pipeline(StandardScaler(), make_column_transformer((PCA(1), ['age'])), Ridge())"
    spec = {**BASE, "prepare": [{"select": ["age", "rooms", "price"]}], "model": model}
    error = engine.one(spec, cv=CV).error
    assert error is not None
    assert (error["code"], error["path"]) == ("no_column_names", "pipelines[0].model")


def test_a_pipeline_of_nothing_but_a_model_takes_the_table_as_it_is(engine: Engine) -> None:
    check(
        engine,
        {
            "prepare": [{"select": [*NUMBERS, "price"]}],
            "model": "make_pipeline('passthrough', HistGradientBoostingRegressor(max_iter=5))",
        },
        _hist(),
        NUMBERS,
    )


def _hist() -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(max_iter=5, random_state=0)


def test_single_column_transformers_are_applied_to_each_column(engine: Engine) -> None:
    spec = {
        **BASE,
        "features": [{"columns": ["city", "owner"], "steps": ["StringEncoder(n_components=2)"]}],
        "model": "Ridge()",
    }
    built = engine.build(spec, cv=CV)
    assert names(built) == ["StringEncoder", "StringEncoder"]
    frames = pd.DataFrame(engine.one(spec, cv=CV)["r2"])
    assert frames.notna().all().all()
    assert len(list(FOLDS.split(flats()))) == len(frames)
