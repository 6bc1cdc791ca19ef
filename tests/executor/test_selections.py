"""Univariate selections from one scoring, against scikit-learn's selectors."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import feature_selection

from executor.backends.base import Context
from executor.backends.python import PythonBackend
from planner.expressions import Call, Function
from planner.ops_encodings import ChosenColumns, ColumnScores

BACKEND = PythonBackend()
CONTEXT = Context(0)


def choose(train: Any, valid: Any, y: Any, function: str, name: str, **bound: Any) -> Any:
    folds: Any = [(np.arange(len(y)), np.arange(valid.shape[0]))]
    score = ("score_func", Function(function))
    shared = BACKEND.run(
        ColumnScores(Call("SelectKBest", (("k", "all"), score))),
        [(train, valid), folds, y],
        CONTEXT,
    )
    op = ChosenColumns(Call(name, tuple(sorted([*bound.items(), score]))))
    return BACKEND.run(op, [shared, (train, valid), folds], CONTEXT)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Any, Any, np.ndarray]:
    """Tables with constant and duplicate columns, whose scores are NaN or tied."""
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    rows, columns = draw(st.integers(6, 30)), draw(st.integers(1, 9))
    both: Any = rng.integers(0, 4, size=(rows + 5, columns)).astype(draw(st.sampled_from("dfl")))
    for place in range(draw(st.integers(0, columns - 1))):
        both[:, place + 1] = both[:, place] if place % 2 else 2
    y = np.resize([0, 1, 2], rows)
    rng.shuffle(y)
    form = draw(st.sampled_from(["array", "csr", "csc", "frame"]))
    if form == "frame":
        both = pd.DataFrame(both).rename(columns=str)
        return both.iloc[:rows], both.iloc[rows:], y
    if form != "array":
        both = sp.csr_matrix(both)
    sides = both[:rows], both[rows:]
    return (*(side.tocsc() if form == "csc" else side for side in sides), y)


@settings(max_examples=120, deadline=None)
@given(
    tables(),
    st.sampled_from(["f_classif", "f_regression", "chi2", "r_regression"]),
    st.one_of(
        st.tuples(
            st.just("SelectKBest"), st.just("k"), st.sampled_from([0, 1, 2, 4, 9, 20, "all"])
        ),
        st.tuples(st.just("SelectPercentile"), st.just("percentile"), st.integers(0, 100)),
        st.tuples(
            st.sampled_from(["SelectFpr", "SelectFdr", "SelectFwe"]),
            st.just("alpha"),
            st.floats(0, 1),
        ),
    ),
)
def test_choices_are_those_of_the_library(
    table: tuple[Any, Any, np.ndarray], function: str, selector: tuple[str, str, Any]
) -> None:
    train, valid, y = table
    name, bound, value = selector
    if function == "r_regression" and bound == "alpha":
        return  # gives no p-values
    model = getattr(feature_selection, name)(getattr(feature_selection, function), **{bound: value})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = model.fit_transform(train, y), model.transform(valid)
        found = choose(train, valid, y, function, name, **{bound: value})
    for ours, theirs in zip(found, wanted, strict=True):
        assert type(ours) is type(theirs)
        assert ours.dtype == theirs.dtype
        if sp.issparse(ours):
            assert ours.format == theirs.format
            for part in ("data", "indices", "indptr"):
                np.testing.assert_array_equal(getattr(ours, part), getattr(theirs, part))
        else:
            assert ours.flags.c_contiguous == theirs.flags.c_contiguous
            np.testing.assert_array_equal(ours, theirs)


def test_the_library_s_warnings_are_given() -> None:
    X, y = np.arange(12.0).reshape(6, 2), np.resize([0, 1], 6)
    with pytest.warns(UserWarning, match="k=5 is greater than n_features=2"):
        choose(X, X, y, "f_classif", "SelectKBest", k=5)
    with pytest.warns(UserWarning, match="No features were selected"):
        choose(X, X, y, "f_classif", "SelectKBest", k=0)
    frame = pd.DataFrame(X, columns=["ä", "b"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        choose(frame, frame, y, "f_classif", "SelectKBest", k=1)
