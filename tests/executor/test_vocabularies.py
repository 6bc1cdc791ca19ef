"""Text vectorisers from one counting of terms, against scikit-learn's vectorisers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction import text

from executor import blocks
from executor.backends.base import Context
from executor.backends.python import PythonBackend
from planner.expressions import Call, Function, Items
from planner.ops_encodings import TermCounts, Vocabulary

BACKEND = PythonBackend()
CONTEXT = Context(0)
WORDS = [
    "lake",
    "Lake",
    "été",
    "ete",
    "東京 駅",
    "łódź",
    "a",
    "old lake",
    "x-y",
    "Straße",
    "I",
    "ﬁn",
]
TEXTS = st.lists(
    st.one_of(st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join), st.text(max_size=8)),
    min_size=1,
    max_size=12,
)
FRACTION = st.floats(0, 1, allow_subnormal=False)
COUNT = st.integers(1, 4)
BOUNDS = st.fixed_dictionaries(
    {},
    optional={
        "min_df": st.one_of(COUNT, FRACTION),
        "max_df": st.one_of(COUNT, FRACTION),
        "max_features": st.integers(1, 8),
        "binary": st.booleans(),
    },
)
WEIGHTS = st.fixed_dictionaries(
    {},
    optional={
        "norm": st.sampled_from(["l1", "l2", None]),
        "use_idf": st.booleans(),
        "smooth_idf": st.booleans(),
        "sublinear_tf": st.booleans(),
        "dtype": st.just(np.float32),
    },
)
TERMS = st.sampled_from(
    [
        {},
        {"ngram_range": (1, 2)},
        {"analyzer": "char", "ngram_range": (1, 3)},
        {"analyzer": "char_wb", "ngram_range": (2, 3)},
        {"strip_accents": "unicode", "lowercase": False},
        {"stop_words": ["lake", "old"], "token_pattern": r"(?u)\b\w+\b"},
    ]
)


def literal(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return Items(type(value).__name__, tuple(value))
    return Function("float32") if value is np.float32 else value


def call(name: str, params: dict[str, Any]) -> Call:
    return Call(name, tuple(sorted((key, literal(value)) for key, value in params.items())))


def outcome(ask: Callable[[], Any]) -> Any:
    """The value, or what the error says."""
    try:
        return ask()
    except ValueError as error:
        return str(error)


def vectorise(
    train: Any,
    valid: Any,
    terms: dict[str, Any],
    name: str,
    more: dict[str, Any],
    wider: dict[str, Any] | None = None,
) -> Any:
    """The pair of sides, or the library's error; from terms of a `wider` range, if given."""
    folds: Any = [(np.arange(len(train)), np.arange(len(valid)))]

    def both() -> Any:
        counted = TermCounts(call(name, {**terms, **(wider or {})}))
        shared = BACKEND.run(counted, [(train, valid), folds], CONTEXT)
        op = Vocabulary(call(name, {**terms, **more}), narrower=wider is not None)
        return BACKEND.run(op, [shared], CONTEXT)

    return outcome(both)


def compare(
    train: Any,
    valid: Any,
    terms: dict[str, Any],
    name: str,
    more: dict[str, Any],
    wider: dict[str, Any] | None = None,
) -> None:
    found = vectorise(train, valid, terms, name, more, wider)
    if wider is not None and isinstance(vectorise(train, valid, {**terms, **wider}, name, {}), str):
        return  # there are no terms at all: the counting says so, for the narrower as well
    model = getattr(text, name)(**terms, **more)
    wanted = outcome(lambda: (model.fit_transform(train), model.transform(valid)))
    if isinstance(wanted, str):
        assert found == wanted
        return
    for ours, theirs in zip(found, wanted, strict=True):
        assert type(ours) is type(theirs)
        assert ours.shape == theirs.shape
        for part in ("data", "indices", "indptr"):
            assert getattr(ours, part).dtype == getattr(theirs, part).dtype
            np.testing.assert_array_equal(getattr(ours, part), getattr(theirs, part))


@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, TERMS, BOUNDS)
def test_counts(train: list[str], valid: list[str], terms: Any, bounds: dict[str, Any]) -> None:
    compare(train, valid, terms, "CountVectorizer", bounds)


@pytest.mark.filterwarnings("ignore:divide by zero")
@settings(max_examples=150, deadline=None)
@given(TEXTS, TEXTS, TERMS, BOUNDS, WEIGHTS)
def test_weights(
    train: list[str], valid: list[str], terms: Any, bounds: dict[str, Any], weights: dict[str, Any]
) -> None:
    compare(train, valid, terms, "TfidfVectorizer", {**bounds, **weights})


@settings(max_examples=150, deadline=None)
@given(
    TEXTS,
    TEXTS,
    st.sampled_from(["word", "char", "char_wb"]),
    st.lists(st.integers(1, 6), min_size=4, max_size=4).map(sorted),
    BOUNDS,
)
def test_narrower_ranges_of_a_wider_one(
    train: list[str], valid: list[str], analyzer: str, sizes: list[int], bounds: dict[str, Any]
) -> None:
    terms = {"analyzer": analyzer, "ngram_range": (sizes[1], sizes[2])}
    wider = {"ngram_range": (sizes[0], sizes[3])}
    for name in ("CountVectorizer", "TfidfVectorizer"):
        compare(train, valid, terms, name, bounds, wider)


def test_columns_of_a_table() -> None:
    rng = np.random.default_rng(0)
    words = np.array(WORDS)
    column = pd.Series([" ".join(rng.choice(words, 5)) for _ in range(80)], dtype="str")
    for more in ({}, {"min_df": 3}, {"max_features": 4, "sublinear_tf": True}):
        compare(column[:60], column[60:], {}, "TfidfVectorizer", more)
        compare(column[:60].to_frame().iloc[:, 0], column[60:], {}, "TfidfVectorizer", more)


def test_two_vectorisers_do_not_write_into_the_counts_they_share() -> None:
    train, valid = ["b a a", "b c c c"] * 3, ["a b c d"]
    folds: Any = [(np.arange(6), np.arange(1))]
    terms = {"token_pattern": r"\w"}
    shared = BACKEND.run(
        TermCounts(call("CountVectorizer", terms)), [(train, valid), folds], CONTEXT
    )
    for more in ({"binary": True}, {"max_features": 1}, {}):
        op = Vocabulary(call("CountVectorizer", {**terms, **more}))
        found, _ = BACKEND.run(op, [shared], CONTEXT)
        wanted = text.CountVectorizer(**terms, **more).fit_transform(train)
        np.testing.assert_array_equal(found.toarray(), wanted.toarray())


def test_counts_survive_a_block(tmp_path: Any) -> None:
    train, valid = ["żółw été", "", "étang \ud800x"], ["été żółw"]
    folds: Any = [(np.arange(3), np.arange(1))]
    shared = BACKEND.run(TermCounts(Call("CountVectorizer")), [(train, valid), folds], CONTEXT)
    blocks.save(shared, tmp_path, "counts")
    op = Vocabulary(Call("TfidfVectorizer"))
    found = BACKEND.run(op, [blocks.load(tmp_path, "counts")], CONTEXT)
    wanted = text.TfidfVectorizer().fit_transform(train)
    np.testing.assert_array_equal(found[0].toarray(), wanted.toarray())
