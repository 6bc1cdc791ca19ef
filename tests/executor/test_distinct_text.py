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

from executor import distinct_text, repeated, term_counts
from executor.construct import construct
from planner.expressions import Call

WORDS = st.text(st.sampled_from("abcdé東 ß-"), max_size=12)
TEXTS = st.lists(WORDS, min_size=1, max_size=6).flatmap(
    lambda few: st.lists(st.sampled_from(few), min_size=2, max_size=40)
)
LETTERS = st.one_of(st.sampled_from("ab é-\t\u00a0\u03a3\u03c3\u03c2"), st.characters())
ANY = st.lists(st.text(LETTERS, max_size=12), min_size=1, max_size=30)
SETTINGS: list[dict[str, Any]] = [
    {},
    {"strip_accents": "ascii"},
    {"strip_accents": "unicode", "analyzer": "char", "ngram_range": (1, 3)},
    {"stop_words": ["a", "ab", "é"], "token_pattern": r"\w+", "ngram_range": (1, 2)},
    {"stop_words": "english", "token_pattern": r"(?u)\b\w{3,}\b"},
    {"token_pattern": r"[ab]+"},
    {"tokenizer": str.split, "token_pattern": None},
    {"preprocessor": str.upper},
    {"vocabulary": ["ab", "a", "東"], "analyzer": "char_wb", "ngram_range": (1, 2)},
    {"max_features": 2, "min_df": 0.2, "dtype": np.float32},
    {"max_features": 4, "analyzer": "char", "dtype": np.float64},
    {"max_df": 2, "min_df": 0.9},
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


@pytest.mark.filterwarnings("ignore:.*(stop_words|token_pattern|Upper case)")
@settings(max_examples=150, deadline=None)
@given(TEXTS | ANY, TEXTS | ANY, st.sampled_from(SETTINGS), st.booleans())
@pytest.mark.parametrize("name", ["CountVectorizer", "TfidfVectorizer"])
def test_counts_are_the_library_s(
    name: str, train: Any, valid: Any, params: dict[str, Any], columns: bool
) -> None:
    surrogates = any(0xD800 <= ord(c) < 0xE000 for one in [*train, *valid] for c in one)
    if columns and not surrogates:  # which Arrow cannot hold
        train, valid = pd.Series(train, dtype="str"), pd.Series(valid, dtype="str")
    ours = getattr(distinct_text, name)(**params)
    theirs = getattr(text, name)(**params)
    same(outcome(ours, train, valid), outcome(theirs, train, valid))


HASHES: list[dict[str, Any]] = [
    {},
    {"analyzer": "char_wb", "ngram_range": (2, 3), "norm": None},
    {"binary": True, "alternate_sign": False, "dtype": np.float32},
    {"norm": "l1", "analyzer": "char", "n_features": 1},
    {"dtype": np.int64, "norm": None, "analyzer": "char"},
    {"n_features": 7.5},
]


@settings(max_examples=100, deadline=None)
@given(TEXTS | ANY, st.sampled_from(HASHES))
def test_hashes_are_the_library_s(texts: list[str], params: dict[str, Any]) -> None:
    def hashed(module: Any) -> Any:
        made = module.HashingVectorizer(**{"n_features": 64, **params})
        try:
            return made.fit_transform(texts), made.transform(texts), None
        except (ValueError, UnicodeEncodeError) as error:
            return str(error)

    same(hashed(distinct_text), hashed(text))


def test_documents_that_can_be_read_once() -> None:
    texts = ["a b", "b c", "c d", "d e"]
    for many in (texts, texts * 5):
        found = distinct_text.TfidfVectorizer(token_pattern=r"\w").fit_transform(iter(many))
        wanted = text.TfidfVectorizer(token_pattern=r"\w").fit_transform(many)
        np.testing.assert_array_equal(found.toarray(), wanted.toarray())


def test_without_a_kernel_the_library_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(term_counts, "kernel", lambda: None)
    monkeypatch.setattr(distinct_text, "kernel", lambda: None)
    column = towns(200, 1).fillna("")
    for name in ("CountVectorizer", "TfidfVectorizer", "HashingVectorizer"):
        ours, theirs = (getattr(module, name)() for module in (distinct_text, text))
        same((ours.fit_transform(column), ours.transform(column[:9]), None),
             (theirs.fit_transform(column), theirs.transform(column[:9]), None))  # fmt: skip


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
    assert repeated.distinct([str(n) for n in range(100)]) is None
    found = repeated.distinct(["b", "a", "b", "b"])
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


@pytest.mark.parametrize("params", [{}, {"max_features": 9}, {"min_df": 3, "sublinear_tf": True}])
def test_blocks_of_rows_have_the_library_s_bits(
    params: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(term_counts, "_ENTRIES", 5)
    texts = list(towns(300, 0).fillna("none"))
    for dtype in (np.float64, np.float32):
        chosen = {**params, "dtype": dtype}
        same(
            outcome(distinct_text.TfidfVectorizer(**chosen), texts, texts[:20]),
            outcome(text.TfidfVectorizer(**chosen), texts, texts[:20]),
        )
