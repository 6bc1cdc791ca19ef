"""Vectorisers that tokenise distinct texts once, against the libraries' own."""

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.feature_extraction import text

from executor import distinct_text
from executor.construct import construct
from planner.expressions import Call

WORDS = st.text(st.sampled_from("abcdé東 ß-"), max_size=12)
TEXTS = st.lists(WORDS, min_size=1, max_size=6).flatmap(
    lambda few: st.lists(st.sampled_from(few), min_size=2, max_size=40)
)
SETTINGS: list[dict[str, Any]] = [
    {},
    {"analyzer": "char_wb", "ngram_range": (2, 3)},
    {"min_df": 2},
    {"max_df": 0.5, "max_features": 3},
    {"binary": True, "lowercase": False},
]


def outcome(make: Any, train: Any, valid: Any) -> Any:
    """Both matrices and the vocabulary, or the error."""
    try:
        first = make.fit_transform(train)
        return first, make.transform(valid), getattr(make, "vocabulary_", None)
    except ValueError as error:
        return str(error)


def same(one: Any, other: Any) -> None:
    if isinstance(one, str) or isinstance(other, str):
        assert one == other
        return
    for a, b in zip(one[:2], other[:2], strict=True):
        assert type(a) is type(b)
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        assert np.array_equal(a.indptr, b.indptr)
        assert np.array_equal(a.indices, b.indices)
        assert a.indices.dtype == b.indices.dtype
        assert np.array_equal(a.data, b.data)
    assert one[2] == other[2]
    assert list(one[2] or ()) == list(other[2] or ())  # in the same order, too


@settings(max_examples=60, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from(SETTINGS))
@pytest.mark.parametrize("name", ["CountVectorizer", "TfidfVectorizer"])
def test_counts_are_the_library_s(
    name: str, train: list[str], valid: list[str], params: dict[str, Any]
) -> None:
    ours = getattr(distinct_text, name)(**params)
    theirs = getattr(text, name)(**params)
    same(outcome(ours, train, valid), outcome(theirs, train, valid))


@settings(max_examples=30, deadline=None)
@given(TEXTS)
def test_hashes_are_the_library_s(texts: list[str]) -> None:
    column = pd.Series(texts, dtype="str")
    ours = distinct_text.HashingVectorizer(n_features=64).transform(column)
    theirs = text.HashingVectorizer(n_features=64).transform(column)
    assert (ours != theirs).nnz == 0
    assert ours.dtype == theirs.dtype


@pytest.mark.parametrize("bad", [[None, None, "a"], [np.nan, "b"], [1, 1, 1], [["x"], ["x"]]])
def test_what_is_no_text_fails_with_the_library_s_words(bad: list[Any]) -> None:
    def words(make: Any) -> tuple[type, str]:
        with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever it is
            make.fit_transform(bad)
        return caught.type, str(caught.value)

    assert words(distinct_text.TfidfVectorizer()) == words(text.TfidfVectorizer())


def towns(rows: int, seed: int) -> "pd.Series[Any]":
    rng = np.random.default_rng(seed)
    names = np.array(["Genève", "Łódź", "Bern", "St. Gallen", "東京", "Bad Ragaz", "Zug", "Visp"])
    column = pd.Series(rng.choice(names, rows), name="town", dtype="str")
    column[rng.random(rows) < 0.1] = None
    return column


@pytest.mark.parametrize("vectorizer", ["tfidf", "hashing"])
@pytest.mark.parametrize("components", [3, 500])
def test_string_encoder_is_skrub_s_to_the_last_bit(vectorizer: str, components: int) -> None:
    skrub = pytest.importorskip("skrub")
    params = {"n_components": components, "vectorizer": vectorizer, "random_state": 0}
    ours, theirs = distinct_text.StringEncoder(**params), skrub.StringEncoder(**params)
    assert type(ours) is not type(theirs)
    train, valid = towns(300, 1), towns(100, 2)
    with np.errstate(all="ignore"):
        pd.testing.assert_frame_equal(
            ours.fit_transform(train), theirs.fit_transform(train), check_exact=True
        )
    pd.testing.assert_frame_equal(ours.transform(valid), theirs.transform(valid), check_exact=True)


def test_each_distinct_text_is_tokenised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def tokens(document: str) -> list[str]:
        seen.append(document)
        return document.split()

    texts = ["a b", "b c", "a b"] * 50
    distinct_text.TfidfVectorizer(analyzer=tokens).fit_transform(texts)
    assert seen == ["a b", "b c"]


def test_texts_that_hardly_repeat_are_left_to_the_library() -> None:
    assert distinct_text.distinct([str(n) for n in range(100)]) is None
    found = distinct_text.distinct(["b", "a", "b", "b"])
    assert found is not None
    assert found[0] == ["b", "a"]
    assert found[1].tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("name", ["CountVectorizer", "TfidfVectorizer", "HashingVectorizer"])
def test_they_are_estimators_like_any_other(name: str) -> None:
    made = construct(Call(name, (("lowercase", False),)))
    assert type(made).__name__ == name
    assert isinstance(made, getattr(text, name))
    assert type(made) is not getattr(text, name)
    assert pickle.loads(pickle.dumps(clone(made))).get_params()["lowercase"] is False


def test_string_encoder_inside_a_table_vectorizer() -> None:
    skrub = pytest.importorskip("skrub")
    ours = construct(Call("StringEncoder", (("n_components", 3), ("random_state", 0))))
    frame = pd.DataFrame({"town": towns(300, 1), "n": np.arange(300)})
    inside = skrub.TableVectorizer(high_cardinality=ours, cardinality_threshold=2)
    plain = skrub.TableVectorizer(
        high_cardinality=skrub.StringEncoder(n_components=3, random_state=0),
        cardinality_threshold=2,
    )
    pd.testing.assert_frame_equal(
        inside.fit_transform(frame), plain.fit_transform(frame), check_exact=True
    )
    assert pickle.loads(pickle.dumps(inside)).transform(frame).shape[1] == 4
    assert not sp.issparse(inside.transform(frame))
