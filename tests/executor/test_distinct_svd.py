"""Decompositions of repeated rows, against scikit-learn's and skrub's."""

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD as Library
from sklearn.feature_extraction.text import TfidfVectorizer

from executor import distinct_svd
from executor.backends.base import Context
from executor.backends.python import PythonBackend
from executor.distinct_text import TruncatedSVD
from executor.repeated_rows import RepeatedRows, repeated_rows
from planner.expressions import Call
from planner.ops import Encode
from planner.ops_distinct import DistinctComponents
from tests.executor.test_distinct_text import towns

SYLLABLES = "la vi qui old new gar den att tow er mil ri sou nor hil fa".split()


def matrix(rows: int = 3000, distinct: int = 150, words: int = 90) -> Any:
    rng = np.random.default_rng(0)
    known = ["".join(rng.choice(SYLLABLES, rng.integers(1, 4))) for _ in range(words)]
    names = [" ".join(rng.choice(known, rng.integers(1, 5))) for _ in range(distinct)]
    share = rng.dirichlet(np.ones(distinct))
    return TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3)).fit_transform(
        rng.choice(names, rows, p=share)
    )


def fitted(kind: Any, x: Any, **params: Any) -> tuple[Any, ...]:
    model = kind(**{"n_components": 6, "random_state": 0, **params})
    found = model.fit_transform(x)
    return (found, model.components_, model.singular_values_, model.explained_variance_,
            model.explained_variance_ratio_, model.transform(x[:20]))  # fmt: skip


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(
    "params",
    [{}, {"n_iter": 1}, {"power_iteration_normalizer": "QR"}, {"algorithm": "arpack"},
     {"n_components": 90}],
)  # fmt: skip
@pytest.mark.parametrize("rows", [3000, 100])
def test_products_of_distinct_rows_have_the_library_s_bits(
    kind: Any, params: dict[str, Any], rows: int
) -> None:
    x = matrix(rows, distinct=40 if rows == 100 else 150).astype(kind)
    if params.get("n_components", 0) >= min(x.shape):
        pytest.skip("more components than can be")
    assert isinstance(repeated_rows(x), RepeatedRows)
    for ours, theirs in zip(fitted(TruncatedSVD, x, **params), fitted(Library, x, **params),
                            strict=True):  # fmt: skip
        np.testing.assert_array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("params", [{}, {"n_iter": 2}, {"n_components": 20}, {"n_oversamples": 3}])
@pytest.mark.parametrize("words", [90, 24])  # with so few, the rank is their number
def test_distinct_rows_are_near(
    words: int, params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = matrix(words=words)
    wanted = fitted(Library, x, **params)
    monkeypatch.setattr(Library, "fit_transform", None)  # it does not decline
    for ours, theirs in zip(
        fitted(distinct_svd.NearTruncatedSVD, x, **params), wanted, strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-10 * np.abs(theirs).max())


def equal_values() -> Any:
    """Two directions with one singular value: rounding chooses the components."""
    rows = sp.block_diag([[[1.0, 2.0]], [[1.0, 2.0]], sp.eye(30) * 0.1]).tocsr()
    return sp.csr_matrix(sp.vstack([rows] * 4))


def small_values() -> Any:
    """The second direction is a thousandth of the first."""
    rows = np.diag([1e3, *np.linspace(1, 0.1, 30)])
    return sp.csr_matrix(np.vstack([rows] * 4))


def two_signs() -> Any:
    """The largest entries of the first component have both signs."""
    rng = np.random.default_rng(0)
    rows = np.hstack([[[3.0, -3.0]] * 30, np.diag(np.linspace(0.1, 1, 30))])
    return sp.csr_matrix(np.vstack([rows] * 4)[rng.permutation(120)])


DECLINED: dict[str, tuple[Any, dict[str, Any]]] = {
    "float32": (matrix().astype(np.float32), {}),
    "equal singular values": (equal_values(), {"n_components": 2}),
    "small singular values": (small_values(), {"n_components": 3}),
    "signs that rounding decides": (two_signs(), {"n_components": 1}),
    "no distinct rows to speak of": (matrix(100, 5000), {}),
    "wide": (matrix(100, 40), {}),
    "few distinct rows": (matrix(3000, 12), {}),
    "arpack": (matrix(), {"algorithm": "arpack"}),
}


@pytest.mark.parametrize("why", DECLINED)
def test_where_it_must_be_the_library_it_is(why: str) -> None:
    x, params = DECLINED[why]
    for ours, theirs in zip(fitted(distinct_svd.NearTruncatedSVD, x, **params),
                            fitted(Library, x, **params), strict=True):  # fmt: skip
        np.testing.assert_array_equal(ours, theirs)


def test_what_the_library_refuses_is_refused() -> None:
    x = matrix()
    bad = x.copy()
    bad.data[0] = np.nan
    for params, data in (({"n_components": 0}, x), ({"n_components": 10**6}, x), ({}, bad)):
        errors = []
        for kind in (distinct_svd.NearTruncatedSVD, distinct_svd.TruncatedSVD, Library):
            with pytest.raises(ValueError, match=r"n_components|NaN") as caught:
                fitted(kind, data, **params)
            errors.append(str(caught.value))
        assert errors[0] == errors[1] == errors[2]


def test_statistically_the_encoder_s_features_are_skrub_s() -> None:
    pytest.importorskip("skrub")
    column = towns(2000, 1)
    folds = [(np.arange(1500), np.arange(1500, 2000))]
    call = Call("StringEncoder", (("n_components", 3), ("random_state", 0)))
    backend, context = PythonBackend(), Context(0)
    wanted = backend.run(Encode(call, False), [column, folds], context)
    found = backend.run(DistinctComponents(call, False, near=False), [column, folds], context)
    for ours, theirs in zip(found, wanted, strict=True):
        assert list(ours.columns) == list(theirs.columns)
        np.testing.assert_allclose(ours, theirs, atol=2e-3)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_products_of_rows_that_are_not_written_out_have_scipy_s_bits(kind: Any, order: Any) -> None:
    rng = np.random.default_rng(0)
    distinct = matrix(150, distinct=150).astype(kind)
    codes = rng.integers(0, distinct.shape[0], 2500)
    whole, rows = distinct[codes], RepeatedRows.of(distinct, codes)
    other = np.array(rng.normal(size=(2500, 5)).astype(kind), order=order)
    np.testing.assert_array_equal(rows.T @ other, whole.T @ other)
    np.testing.assert_array_equal(other.T @ rows, other.T @ whole)
    assert rows.dtype == rows.T.dtype == kind
    assert not {"data", "indices", "indptr"} & vars(rows).keys()
    np.testing.assert_array_equal(rows.T.data, whole.data)
    assert rows.T.T is rows
