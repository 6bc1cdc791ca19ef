"""Terms of texts: the kernel against Python's own `str` and `re`, and what it refuses."""

import itertools
import re
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

from rust_exec import (
    KernelInputError,
    Terms,
    Texts,
    as_texts,
    count_known_terms,
    count_terms,
    equal_rows,
    hash_terms,
)

TEXT = st.text(
    st.one_of(
        st.sampled_from("aab1_ \t\n\x1c-.é東İßΣσς\u00a0\u2028\u0300²½٣"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=15,
)
SIZES = st.tuples(st.integers(1, 4), st.integers(1, 4)).map(lambda pair: tuple(sorted(pair)))
ANALYZER = st.sampled_from(["word", "char", "char_wb"])
EMPTY = as_texts(())


def analyze(terms: Terms, text: str) -> list[str]:
    pattern = rf"(?u)\b\w{{{terms.least},}}\b"
    stop = terms.stop_words.strings() or None
    made = CountVectorizer(analyzer=terms.analyzer, ngram_range=terms.ngram_range, lowercase=False,
                           token_pattern=pattern, stop_words=stop)  # fmt: skip
    return made.build_analyzer()(text)


@pytest.mark.filterwarnings("ignore:.*stop_words")
@settings(max_examples=300, deadline=None)
@given(st.lists(TEXT, max_size=6), ANALYZER, SIZES, st.integers(1, 3), st.sets(TEXT, max_size=2))
def test_terms_are_those_of_the_library(
    texts: list[str], analyzer: Any, sizes: Any, least: int, stop: set[str]
) -> None:
    stop_words = as_texts(sorted(stop)) if analyzer == "word" else EMPTY
    terms = Terms(analyzer, sizes, least, stop_words=stop_words)
    wanted = [analyze(terms, text) for text in texts]
    listed, counts = count_terms(as_texts(texts), terms)
    names = listed.strings()
    assert names == list(dict.fromkeys(term for one in wanted for term in one))
    for row, one in enumerate(wanted):
        part = slice(counts.indptr[row], counts.indptr[row + 1])
        found = [names[column] for column in counts.indices[part]]
        assert found == list(dict.fromkeys(one))
        assert counts.values[part].tolist() == [one.count(term) for term in found]
    again = count_known_terms(as_texts(texts), terms, listed)
    for a, b in zip((again.indptr, again.indices, again.values),
                    (counts.indptr, counts.indices, counts.values), strict=True):  # fmt: skip
        np.testing.assert_array_equal(a, b)


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=6), st.integers(1, 50), st.booleans())
def test_hashes_are_those_of_the_library(texts: list[str], columns: int, signs: bool) -> None:
    found = hash_terms(as_texts(texts), Terms("char", (1, 2)), columns, alternate_sign=signs)
    wanted = HashingVectorizer(analyzer="char", ngram_range=(1, 2), n_features=columns, norm=None,
                               alternate_sign=signs, lowercase=False).transform(texts)  # fmt: skip
    np.testing.assert_array_equal(found.indptr, wanted.indptr)
    np.testing.assert_array_equal(found.indices, wanted.indices)
    np.testing.assert_array_equal(found.values, wanted.data)


def test_every_character_has_python_s_class() -> None:
    every = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if not 0xD800 <= ord(c) < 0xE000)
    listed, _ = count_terms(as_texts([every]), Terms("word", (1, 1), 1))
    assert listed.strings() == list(dict.fromkeys(re.findall(r"\w+", every)))
    listed, _ = count_terms(as_texts([every]), Terms("char_wb", (10**7, 10**7)))
    assert listed.strings() == list(dict.fromkeys(f" {word} " for word in every.split()))


def test_letters_of_ascii_are_made_small() -> None:
    listed, _ = count_terms(as_texts(["AZaz[@`{09", "É"]), Terms("char", lower=True))
    assert listed.strings() == list("az[@`{09É")


def test_threads_change_nothing() -> None:
    rng = np.random.default_rng(0)
    texts = as_texts([" ".join(map(str, rng.integers(0, 500, 6))) for _ in range(3000)])
    one, two = (count_terms(texts, Terms("word", (1, 2)), threads=n) for n in (1, 2))
    assert one[0].strings() == two[0].strings()
    np.testing.assert_array_equal(one[1].indices, two[1].indices)
    np.testing.assert_array_equal(one[1].indptr, two[1].indptr)
    np.testing.assert_array_equal(one[1].values, two[1].values)


def test_no_texts() -> None:
    listed, counts = count_terms(EMPTY, Terms("word"))
    assert listed.strings() == []
    assert counts.indptr.tolist() == [0]


BYTES, ENDS = np.frombuffer("aé".encode(), np.uint8), np.array([0, 1, 3])
GOOD, WORDS = Texts(BYTES, ENDS), Terms("word")


@pytest.mark.parametrize(
    ("texts", "terms", "threads", "code"),
    [
        (Texts(BYTES.astype(np.int8), ENDS), WORDS, 1, "bad_array"),
        (Texts(BYTES[None], ENDS), WORDS, 1, "bad_array"),
        (Texts(BYTES, ENDS.astype(np.int32)), WORDS, 1, "bad_array"),
        (Texts(BYTES, np.array([0, 9, 1, 9, 3])[::2]), WORDS, 1, "bad_array"),
        (Texts(BYTES, ENDS.tolist()), WORDS, 1, "bad_array"),
        (Texts(BYTES, np.array([0, 2, 3])), WORDS, 1, "bad_texts"),
        (Texts(BYTES, np.array([0, 4])), WORDS, 1, "bad_texts"),
        (Texts(BYTES, np.array([-1, 3])), WORDS, 1, "bad_texts"),
        (Texts(BYTES, np.array([1, 0])), WORDS, 1, "bad_texts"),
        (Texts(BYTES, np.array([], np.int64)), WORDS, 1, "bad_texts"),
        (Texts(np.array([255], np.uint8), np.array([0, 1])), WORDS, 1, "bad_texts"),
        (GOOD, Terms("line"), 1, "bad_analyzer"),
        (GOOD, Terms("char", (0, 1)), 1, "bad_ngram_range"),
        (GOOD, Terms("char", (2, 1)), 1, "bad_ngram_range"),
        (GOOD, Terms("word", least=0), 1, "bad_token"),
        (GOOD, WORDS, 0, "bad_threads"),
        (GOOD, WORDS, -1, "bad_threads"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(texts: Any, terms: Any, threads: int, code: str) -> None:
    with pytest.raises(KernelInputError) as caught:
        count_terms(texts, terms, threads=threads)
    assert caught.value.code == code


def test_columns_and_vocabularies_are_checked() -> None:
    for columns in (0, -1, 2**31):
        with pytest.raises(KernelInputError) as caught:
            hash_terms(GOOD, WORDS, columns)
        assert caught.value.code == "bad_columns"
    with pytest.raises(KernelInputError) as caught:
        count_known_terms(GOOD, WORDS, as_texts(["a", "a"]))
    assert caught.value.code == "duplicate_term"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 2), st.sampled_from([0.0, -0.0, 1.0, np.nan]))),
             max_size=12),
    st.sampled_from([np.float32, np.float64, np.int8]),
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:invalid value")
def test_equal_rows(rows: list[list[tuple[int, float]]], kind: Any) -> None:
    entries = [entry for row in rows for entry in row]
    data = np.array([value for _, value in entries]).astype(kind)
    indices = np.array([column for column, _ in entries], dtype=np.int32)
    indptr = np.cumsum([0, *map(len, rows)]).astype(np.int32)
    parts = [slice(a, b) for a, b in itertools.pairwise(indptr)]
    keys = [(indices[part].tobytes(), data[part].tobytes()) for part in parts]
    distinct = list(dict.fromkeys(keys))
    found = equal_rows(data, indices, indptr, len(distinct))
    assert found is not None
    assert found[0].tolist() == [distinct.index(key) for key in keys]
    assert found[1].tolist() == [keys.index(key) for key in distinct]
    if distinct:
        assert equal_rows(data, indices, indptr, len(distinct) - 1) is None


@pytest.mark.parametrize("indptr", [[], [0], [1, 2], [0, 2, 1], [0, 3]])
def test_bounds_of_rows_are_checked(indptr: list[int]) -> None:
    with pytest.raises(KernelInputError) as caught:
        equal_rows(np.ones(2), np.zeros(2, np.int32), np.array(indptr, np.int32), 5)
    assert caught.value.code == "bad_sparse_matrix"
