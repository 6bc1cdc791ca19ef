"""What libraries say, as errors with a code and a hint. The libraries themselves are asked."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from lightgbm import LGBMRegressor
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import NMF, PCA
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import Lasso, LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC
from skrub import ToCategorical
from xgboost import XGBRegressor

from executor.failures import describe_failure
from planner.expressions import Call
from planner.ops import Concat, Encode, Fit
from planner.ops_linear import LinearFolds, LinearMember

X = np.arange(12.0).reshape(6, 2)
Y = np.arange(6.0)
GAPS = np.where(X == 4, np.nan, X)
TEXT = pd.DataFrame({"a": ["x", "y", "z"] * 2, "b": Y})
DATES = pd.DataFrame({"a": pd.date_range("2024-01-01", periods=6), "b": Y})
WEIGHTS = np.array([1.0, np.nan, 1, 1, 1, 1])

CASES: list[tuple[str, Callable[[], Any]]] = [
    ("missing_values", lambda: Ridge().fit(GAPS, Y)),
    ("missing_values", lambda: PCA(1).fit(GAPS)),
    ("missing_values", lambda: Ridge().fit(X, GAPS[:, 0])),
    ("infinite_values", lambda: Ridge().fit(np.where(X == 4, np.inf, X), Y)),
    ("text_in_numeric_model", lambda: Ridge().fit(TEXT, Y)),
    ("text_in_numeric_model", lambda: Ridge().fit(TEXT.to_numpy(), Y)),
    ("text_in_numeric_model", lambda: Ridge().fit(TEXT.astype({"a": "category"}), Y)),
    ("text_in_numeric_model", lambda: LGBMRegressor().fit(TEXT, Y)),
    ("text_in_numeric_model", lambda: XGBRegressor().fit(TEXT, Y)),
    ("date_in_numeric_model", lambda: Ridge().fit(DATES, Y)),
    ("date_in_numeric_model", lambda: Ridge().fit(DATES.to_numpy(), Y)),
    ("one_class_in_fold", lambda: LogisticRegression().fit(X, np.ones(6))),
    ("one_class_in_fold", lambda: SVC().fit(X, np.ones(6))),
    ("one_class_in_fold", lambda: train_test_split(X, stratify=[1, 1, 1, 1, 1, 2])),
    ("target_not_classes", lambda: LogisticRegression().fit(X, Y + 0.5)),
    ("sample_weight_unsupported", lambda: KNeighborsRegressor().fit(X, Y, sample_weight=Y)),
    ("invalid_weights", lambda: Ridge().fit(X, Y, sample_weight=WEIGHTS)),
    ("invalid_weights", lambda: RandomForestRegressor().fit(X, Y, sample_weight=WEIGHTS)),
    ("unknown_category", lambda: OneHotEncoder().fit([["a"]]).transform([["b"]])),
    ("unknown_category", lambda: OrdinalEncoder().fit([["a"]]).transform([["b"]])),
    ("missing_text", lambda: TfidfVectorizer().fit(pd.Series(["a", np.nan]))),
    ("missing_text", lambda: CountVectorizer().fit(np.array(["a", None], dtype=object))),
    ("too_few_features", lambda: PCA(5).fit(X)),
    ("too_few_rows", lambda: KNeighborsRegressor(99).fit(X, X[:, 0]).predict(X)),
    ("negative_values", lambda: NMF(1).fit(-X)),
    ("invalid_parameter", lambda: Ridge(alpha=-1).fit(X, Y)),
    ("invalid_parameter", lambda: Lasso(max_iter="many").fit(X, Y)),
    ("empty_input", lambda: StandardScaler().fit(X[:0])),
    ("one_dimensional_column", lambda: StandardScaler().fit(pd.Series(Y))),
    ("one_dimensional_column", lambda: StandardScaler().fit(Y)),
    ("one_dimensional_column", lambda: OneHotEncoder().fit(TEXT["a"])),
    ("no_column_names", lambda: ColumnTransformer([("a", PCA(1), ["x"])]).fit(X)),
    ("not_categories", lambda: ToCategorical().fit_transform(pd.Series(Y, name="n"))),
]


IDS = [f"{code}{position}" for position, (code, _) in enumerate(CASES)]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("code", "broken"), CASES, ids=IDS)
def test_known_failures_of_libraries(code: str, broken: Callable[[], Any]) -> None:
    with pytest.raises(Exception) as raised:  # noqa: PT011
        broken()
    found = describe_failure(Fit(Call("Model"), "regression"), raised.value)
    assert found.code == code
    assert found.hint
    assert found.message.startswith("Model failed: ")
    assert type(raised.value).__name__ in found.message


@pytest.mark.parametrize(
    ("op", "who", "code"),
    [
        (Fit(Call("Lasso"), "regression"), "Lasso", "fit_failed"),
        (Encode(Call("PCA"), False), "PCA", "step_failed"),
        (
            LinearFolds((LinearMember(Call("Ridge")), LinearMember(Call("Lasso"))), False, False),
            "Lasso, Ridge",
            "fit_failed",
        ),
        (Concat(0.3), "Concat", "step_failed"),
    ],
)
def test_an_unknown_failure_names_who_failed(op: Any, who: str, code: str) -> None:
    found = describe_failure(op, RuntimeError("odd\n  thing"))
    assert (found.code, found.message) == (code, f"{who} failed: RuntimeError: odd thing")
    assert found.hint


def test_long_messages_are_cut() -> None:
    found = describe_failure(Fit(Call("Lasso"), "regression"), RuntimeError("x" * 5000))
    assert len(found.message) < 700


def test_nothing_is_matched_by_chance() -> None:
    """Messages of sound fits' neighbours stay what they are."""
    with pytest.raises(ValueError, match="inconsistent") as raised:
        LinearRegression().fit(X, Y[:-1])
    assert describe_failure(Concat(0.3), raised.value).code == "step_failed"
    with pytest.raises(TypeError) as other:
        SelectKBest(k=1).fit(sp.eye(3), None, None, None)  # type: ignore[call-arg]
    assert describe_failure(Concat(0.3), other.value).code == "step_failed"
