"""The kernel of encodings at its boundary: against the library, and with malformed input."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler

import rust_exec
from rust_exec import Block, Fill, KernelInputError, Number, OneHot, Scale, Table

STEPS: list[tuple[Fill, Scale, Any]] = [
    (rust_exec.NO_FILL, Scale("standard", 1, 1), StandardScaler()),
    (rust_exec.NO_FILL, Scale("standard", 0, 1), StandardScaler(with_mean=False)),
    (rust_exec.NO_FILL, Scale("min_max", -1, 2), MinMaxScaler((-1, 2))),
    (rust_exec.NO_FILL, Scale("max_abs"), MaxAbsScaler()),
    (Fill("mean"), rust_exec.NO_SCALE, SimpleImputer()),
    (Fill("median"), rust_exec.NO_SCALE, SimpleImputer(strategy="median")),
    (Fill("constant", 2.5), rust_exec.NO_SCALE, SimpleImputer(strategy="constant", fill_value=2.5)),
]
TRAIN, VALID = np.array([0, 1, 2]), np.array([3])
VALUES = np.array([1.0, 2.0, np.nan, 4.0])
CODES = np.array([0, 1, 1, 0], np.int32)
PLACES = np.array([0, 1], np.int32)

values = st.one_of(
    st.floats(-1e6, 1e6), st.sampled_from([np.nan, 0.0, -0.0, 1e-300, 1e150, -1e150, 0.1])
)
matrices = st.tuples(st.integers(2, 300), st.integers(1, 12)).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=values, fill=values)
)


@settings(max_examples=150, deadline=None)
@given(matrices, st.sampled_from(STEPS), st.sampled_from("CF"))
def test_matrices_are_scaled_to_the_last_bit(
    x: np.ndarray, steps: tuple[Fill, Scale, Any], order: Any
) -> None:
    fill, scale, step = steps
    train, valid = np.array(x, order=order), np.array(x[::2], order=order)
    found = rust_exec.scale_pair(train, valid, fill, scale)
    if isinstance(found, str):
        empty = np.isnan(train).all(axis=0).any()
        assert empty or np.nanmax(np.abs(train)) > 1e100, found
        return
    with np.errstate(all="ignore"):
        wanted = step.fit_transform(train), step.transform(valid)
    for one, other in zip(found, wanted, strict=True):
        assert one.flags.c_contiguous == other.flags.c_contiguous
        np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
        there = ~np.isnan(other)
        assert one[there].tobytes() == other[there].tobytes()


@settings(max_examples=100, deadline=None)
@given(matrices, st.sampled_from("CF"))
def test_sums_are_numpys(x: np.ndarray, order: Any) -> None:
    x = np.array(np.nan_to_num(x), order=order)
    np.testing.assert_array_equal(rust_exec.column_sums(x), x.sum(axis=0))


@pytest.mark.parametrize("rows", [1, 7, 8, 129, 8192, 20_001])
@pytest.mark.parametrize("columns", [1, 3, 40])
@pytest.mark.parametrize("order", ["C", "F"])
def test_sums_of_long_columns_are_numpys(rows: int, columns: int, order: Any) -> None:
    x = np.random.default_rng(rows).normal(size=(rows, columns)) * 10.0 ** np.arange(columns)
    x = np.array(x, order=order)
    np.testing.assert_array_equal(rust_exec.column_sums(x), x.sum(axis=0))


def test_strided_columns_are_read_as_they_are() -> None:
    wide = np.arange(12.0).reshape(4, 3)
    found = rust_exec.encode_fold([Number(wide[:, 1])], TRAIN, VALID)
    np.testing.assert_array_equal(found[0][:, 0], [1.0, 4.0, 7.0])


def test_no_sources_make_no_columns() -> None:
    train, valid = rust_exec.encode_fold([], TRAIN, VALID)
    assert (train.shape, valid.shape) == ((3, 0), (1, 0))


@pytest.mark.parametrize(
    ("code", "source"),
    [
        ("bad_array", Number(VALUES.astype(np.float32))),
        ("bad_array", Number(VALUES.reshape(2, 2))),
        ("bad_array", Number([1.0, 2.0])),  # type: ignore[arg-type]
        ("shape_mismatch", Number(VALUES[:3])),
        ("shape_mismatch", Number(VALUES[:0])),
        ("bad_array", OneHot(CODES.astype(np.int64), PLACES, 2)),  # type: ignore[arg-type]
        ("bad_array", OneHot(np.repeat(CODES, 2)[::2], PLACES, 2)),
        ("bad_codes", OneHot(CODES, PLACES[:1], 2)),
        ("bad_codes", OneHot(-CODES, PLACES, 2)),
        ("shape_mismatch", OneHot(CODES, PLACES, 1)),
        ("shape_mismatch", OneHot(CODES, -2 - PLACES, 1)),
        ("bad_codes", Table(CODES, np.zeros(0))),
        ("bad_array", Table(CODES, np.zeros(4)[::2])),
        ("shape_mismatch", Block(np.zeros((2, 1)), np.zeros((1, 1)))),
        ("shape_mismatch", Block(np.zeros((3, 1)), np.zeros((1, 2)))),
        ("bad_source", Number(VALUES, Fill("mode"))),  # type: ignore[arg-type]
        ("bad_source", Number(VALUES, scale=Scale("robust"))),  # type: ignore[arg-type]
    ],
)
def test_malformed_sources_are_told(code: str, source: Any) -> None:
    for by_columns in (False, True):
        with pytest.raises(KernelInputError) as raised:
            rust_exec.encode_fold([source], TRAIN, VALID, by_columns=by_columns)
        assert raised.value.code == code


@pytest.mark.parametrize(
    ("code", "train", "threads"),
    [
        ("empty_fold", TRAIN[:0], 1),
        ("index_out_of_range", -TRAIN - 1, 1),
        ("shape_mismatch", TRAIN + 10, 1),
        ("bad_array", TRAIN.astype(np.int32), 1),
        ("bad_threads", TRAIN, 0),
        ("bad_threads", TRAIN, -1),
    ],
)
def test_malformed_rows_are_told(code: str, train: Any, threads: int) -> None:
    with pytest.raises(KernelInputError) as raised:
        rust_exec.encode_fold([Number(VALUES)], train, VALID, threads=threads)
    assert raised.value.code == code


@pytest.mark.parametrize(
    ("train", "valid"),
    [
        (np.zeros((0, 2)), np.zeros((1, 2))),
        (np.zeros((2, 0)), np.zeros((1, 0))),
        (np.zeros((2, 2)), np.zeros((1, 3))),
    ],
)
def test_matrices_of_odd_shapes_are_told(train: np.ndarray, valid: np.ndarray) -> None:
    with pytest.raises(KernelInputError) as raised:
        rust_exec.scale_pair(train, valid, rust_exec.NO_FILL, Scale("standard", 1, 1))
    assert raised.value.code == "shape_mismatch"


def test_a_strided_matrix_is_scaled_or_declined() -> None:
    x = np.random.default_rng(0).normal(size=(20, 6))
    found = rust_exec.scale_pair(
        x[::2, ::2], x[1::2, ::2], rust_exec.NO_FILL, Scale("standard", 1, 1)
    )
    assert isinstance(found, tuple)
    np.testing.assert_allclose(found[0], StandardScaler().fit_transform(x[::2, ::2]))


def test_counts() -> None:
    np.testing.assert_array_equal(rust_exec.count_codes(CODES, 3, TRAIN), [1, 2, 0])
    np.testing.assert_array_equal(rust_exec.count_codes(CODES, 1, TRAIN[:0]), [0])
    for size, rows in ((2**31, TRAIN), (2, TRAIN + 4), (2, -1 - TRAIN)):
        with pytest.raises(KernelInputError):
            rust_exec.count_codes(CODES, size, rows)


def test_threads_change_nothing() -> None:
    x = np.random.default_rng(1).normal(size=(3000, 5))
    sources = [Number(column, Fill("mean"), Scale("standard", 1, 1)) for column in x.T.copy()]
    rows = np.arange(3000)
    one, two = (
        rust_exec.encode_fold(sources, rows[rows % 4 > 0], rows[::4], threads=threads)
        for threads in (1, 2)
    )
    assert [side.tobytes() for side in one] == [side.tobytes() for side in two]
