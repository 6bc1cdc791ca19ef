"""Text vectorisers and string encoders over a column with 3,590 distinct values."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction import text
from sklearn.pipeline import make_pipeline

from evals.kernel_cases.base import (
    Case,
    Machine,
    Outcome,
    Target,
    seconds_of,
)
from evals.kernel_cases.memory import memory_of
from executor import distinct_svd, distinct_text

DISTINCT = 3590
_SYLLABLES = "ba ko li tra men do sor vic an pel gra tun hol west ford ham mary ton wick".split()


def column(rows: int, distinct: int = DISTINCT) -> "pd.Series[Any]":
    """Names of one to four words, as of hospitals; few are frequent."""
    rng = np.random.default_rng(0)
    names: dict[str, None] = {}
    while len(names) < distinct:
        words = ("".join(rng.choice(_SYLLABLES, rng.integers(2, 4))) for _ in range(4))
        names[" ".join(list(words)[: rng.integers(1, 5)]).upper()] = None
    share = 1 / np.arange(1, distinct + 1) ** 0.8
    codes = rng.choice(distinct, rows, p=share / share.sum())
    return pd.Series(np.array(list(names), dtype=object)[codes], name="name", dtype="str")


def _values(found: Any) -> np.ndarray:
    if sp.issparse(found):
        return np.concatenate([found.data, found.indices, found.indptr])
    return np.asarray(found, dtype=float)


def _measured(
    rows: int,
    ours: Callable[[], Any],
    library: Callable[[], Any],
    machine: Machine,
    distinct: int = DISTINCT,
    bound: float = 0.0,
    over: str = "scikit-learn",
) -> Outcome:
    """Fits both on the same rows, and transforms a fifth of them. Features are to be the
    library's to the last bit, or differ by `bound` of the largest."""
    texts = column(rows, distinct)
    few = texts[: rows // 5]

    def work(make: Callable[[], Any]) -> tuple[Any, Any]:
        model = make()
        return model.fit_transform(texts), model.transform(few)

    own, theirs = work(ours), work(library)
    gaps = [
        float(np.abs(_values(a) - _values(b)).max() / np.abs(_values(b)).max())
        for a, b in zip(own, theirs, strict=True)
    ]
    moved = sum(
        part.data.nbytes + part.indices.nbytes if sp.issparse(part) else np.asarray(part).nbytes
        for part in theirs
    )
    return Outcome(
        ours=seconds_of(partial(work, ours)),
        libraries={over: seconds_of(partial(work, library))},
        # Every byte of the result is written once, and the column read.
        limit=machine.seconds(moved + texts.str.len().sum()),
        difference=max(gaps),
        bound=bound,
        memory=memory_of(partial(work, ours), texts),
    )


_CHARACTERS: dict[str, Any] = {"analyzer": "char_wb", "ngram_range": (3, 4)}
_ENCODER: dict[str, Any] = {"n_components": 30, "random_state": 0}


def _skrub() -> Any:
    import skrub

    return skrub.StringEncoder(**_ENCODER)


def _cases(rows: int, *targets: Target) -> tuple[Case, ...]:
    size = f"{rows // 1000}k"

    def case(name: str, ours: Any, library: Any, *wanted: Target, **more: Any) -> Case:
        against = more.get("over", "scikit-learn")
        return Case("strings", f"{name}, {size}", partial(_measured, rows, ours, library, **more),
                    tuple(replace(target, over=against) for target in wanted))  # fmt: skip

    words = {"ngram_range": (1, 2)}
    tfidf = partial(distinct_text.TfidfVectorizer, **_CHARACTERS)
    library = partial(text.TfidfVectorizer, **_CHARACTERS)
    return (
        case("tf-idf, 1-2 words", partial(distinct_text.TfidfVectorizer, **words),
             partial(text.TfidfVectorizer, **words)),
        case("tf-idf, 3-4 characters", tfidf, library),
        case("tf-idf, 3-4 characters, hardly repeating", tfidf, library, distinct=rows),
        case("hashing, 3-4 characters", partial(distinct_text.HashingVectorizer, **_CHARACTERS),
             partial(text.HashingVectorizer, **_CHARACTERS)),
        case("StringEncoder, equal bits", partial(distinct_text.StringEncoder, **_ENCODER),
             _skrub, *targets, over="skrub"),
        # What a decomposition in float32 is far from an exact one.
        case("StringEncoder, distinct rows", partial(
            distinct_text.string_encoder(distinct_svd.TruncatedSVD), **_ENCODER), _skrub, *targets,
            bound=1e-2, over="skrub"),
        case("tf-idf and SVD, distinct rows",
             lambda: make_pipeline(tfidf(), distinct_svd.NearTruncatedSVD(**_ENCODER)),
             lambda: make_pipeline(library(), TruncatedSVD(**_ENCODER)), *targets, bound=1e-9),
    )  # fmt: skip


CASES = (*_cases(20_000), *_cases(200_000, Target(20.0)))
