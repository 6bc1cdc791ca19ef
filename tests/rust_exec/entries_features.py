"""Entries of the kernels that make features: encoding, terms of texts, components."""

import numpy as np

from rust_exec import Block, Fill, Number, OneHot, Scale, Table, Terms, as_texts
from tests.rust_exec.entry import Arguments, Entry

TEXTS = ("The cat sat", "über den Wolken, über", "", "cat\u2003cats  the", "Ω")


def _encoding() -> Arguments:
    rng = np.random.default_rng(0)
    values = rng.normal(size=12)
    values[3] = np.nan
    codes = (np.arange(12) % 3).astype(np.int32)
    return {
        "sources": [
            Number(values, Fill("mean"), Scale("standard", 1.0, 1.0)),
            Number(values.copy(), Fill("median"), Scale("min_max", 0.0, 1.0)),
            OneHot(codes, np.array([0, -1, 1], np.int32), 2),
            Table(codes.copy(), np.array([0.5, np.nan, 2.0])),
            Block(rng.normal(size=(8, 2)), rng.normal(size=(4, 2))),
        ],
        "train": np.arange(8),
        "valid": np.arange(8, 12),
        "by_columns": False,
        "threads": 1,
    }


def _pair() -> Arguments:
    # Whole numbers, since the order in memory is that of the sums.
    rng = np.random.default_rng(0)
    return {
        "train": rng.integers(-9, 9, size=(8, 2)).astype(np.float64),
        "valid": rng.integers(-9, 9, size=(4, 2)).astype(np.float64),
        "fill": Fill("none"),
        "scale": Scale("standard", 1.0, 1.0),
    }


def _codes() -> Arguments:
    return {
        "codes": (np.arange(12) % 5).astype(np.int32),
        "size": 4,
        "rows": np.array([0, 3, 3, 11]),
    }


def _matrix() -> Arguments:
    return {"matrix": np.arange(12.0).reshape(4, 3)}


def _texts() -> Arguments:
    return {"values": TEXTS}


def _terms() -> Arguments:
    terms = Terms("word", (1, 2), lower=True, stop_words=as_texts(("the", "den")))
    return {"found": as_texts(TEXTS), "terms": terms}


def _counted() -> Arguments:
    return {**_terms(), "threads": 1}


def _known() -> Arguments:
    return {**_terms(), "vocabulary": as_texts(("cat", "über", "cat cats"))}


def _hashed() -> Arguments:
    terms = Terms("char_wb", (2, 3), stop_words=as_texts(("the", "den")))
    return {**_terms(), "terms": terms, "columns": 16, "alternate_sign": True}


def _rows() -> Arguments:
    return {
        "data": np.array([1.0, 2.0, 1.0, 2.0, 3.0]),
        "indices": np.array([0, 1, 0, 1, 2], np.int32),
        "indptr": np.array([0, 2, 4, 5], np.int32),
        "most": 3,
    }


def _component_folds() -> Arguments:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 3))
    rows = np.arange(12)
    return {
        "x": x,
        "y": np.column_stack([x.sum(axis=1) + rows % 3, x[:, 0] - rows % 2]),
        "train": [rows[:8], rows[4:]],
        "valid": [rows[8:], rows[:4]],
        "members": np.array([[2.0, 0.0], [0.9, 1.0]]),
        "impute": True,
        "scale": True,
        "whiten": True,
        "solver": "full",
        "threads": 1,
    }


def _component_path() -> Arguments:
    given = _component_folds()
    return {
        "x_train": given["x"],
        "y_train": given["y"],
        "x_valid": given["x"][:5].copy(),
        "members": given["members"],
        "targets": np.array([1, 0]),
        "threads": 1,
    }


def _many_categories() -> Arguments:
    codes = np.arange(10**6, dtype=np.int32)
    source = Table(codes, np.zeros(10**6))
    return {"sources": [source], "train": np.arange(10), "valid": np.arange(10**6)}


def _many_codes() -> Arguments:
    codes = np.arange(10**6, dtype=np.int32)
    return {"codes": codes, "size": 10**6, "rows": np.arange(10**6)}


def _many_terms() -> Arguments:
    words = as_texts([f"word{k}" for k in range(10**5)])
    return {"found": words, "terms": Terms("word"), "vocabulary": words}


TEXT_PARTS = frozenset({"found", "terms", "vocabulary"})

ENTRIES = (
    Entry(
        "encode_fold",
        _encoding,
        many=_many_categories,
        free=frozenset({"sources", "train", "valid"}),
        contiguous=frozenset({"codes", "places", "sources.3.values"}),
    ),
    Entry("scale_pair", _pair, free=frozenset({"train", "valid"})),
    Entry(
        "count_codes",
        _codes,
        many=_many_codes,
        free=frozenset({"codes", "rows"}),
        contiguous=frozenset({"codes"}),
    ),
    Entry("column_sums", _matrix, free=frozenset({"matrix"})),
    Entry("as_texts", _texts),
    Entry("count_terms", _counted, free=TEXT_PARTS, contiguous=frozenset({"bytes", "offsets"})),
    Entry(
        "count_known_terms",
        _known,
        many=_many_terms,
        free=TEXT_PARTS,
        contiguous=frozenset({"bytes", "offsets"}),
    ),
    Entry("hash_terms", _hashed, free=TEXT_PARTS, contiguous=frozenset({"bytes", "offsets"})),
    Entry(
        "equal_rows",
        _rows,
        contiguous=frozenset({"data", "indices", "indptr"}),
        any_type=frozenset({"data"}),
    ),
    Entry(
        "component_folds",
        _component_folds,
        free=frozenset({"train", "valid", "members"}),
    ),
    Entry(
        "component_path",
        _component_path,
        free=frozenset({"x_valid"}),
        optional=frozenset({"targets"}),
    ),
)
