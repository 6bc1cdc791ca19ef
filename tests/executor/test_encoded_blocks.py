"""Feature blocks in one pass, and encoders on codes, against the plain transformers by fold."""

import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from executor.backends.base import Context
from executor.backends.coded import codes_of
from executor.backends.duckdb import to_frame
from executor.backends.python import PythonBackend
from executor.backends.rust import RustBackend, encoding
from executor.construct import construct
from executor.features import concatenate
from planner.errors import StratumError
from planner.expressions import Call, Items
from planner.ops_encode import CodedEncode, EncodeBlock
from planner.rules.encoders import _served

Branch = tuple[list[str], tuple[Call, ...]]
Split = list[tuple[np.ndarray, np.ndarray]]

NUMBERS = ["f", "g", "i", "b"]
TEXTS = ["s", "t", "u"]
SCALERS = (
    Call("StandardScaler"),
    Call("StandardScaler", (("with_mean", False),)),
    Call("StandardScaler", (("with_std", False),)),
    Call("MinMaxScaler"),
    Call("MinMaxScaler", (("feature_range", Items("tuple", (-1, 3.5))),)),
    Call("MaxAbsScaler"),
)
IMPUTERS = (
    Call("SimpleImputer"),
    Call("SimpleImputer", (("strategy", "median"),)),
    Call("SimpleImputer", (("fill_value", -1.5), ("strategy", "constant"))),
    Call("SimpleImputer", (("strategy", "constant"),)),
)
TEXT_IMPUTERS = (
    Call("SimpleImputer", (("strategy", "most_frequent"),)),
    Call("SimpleImputer", (("fill_value", "m"), ("strategy", "constant"))),
    Call("SimpleImputer", (("strategy", "constant"),)),
)
IGNORE = ("handle_unknown", "ignore")
INFREQUENT = ("handle_unknown", "infrequent_if_exist")
DENSE = ("sparse_output", False)
ONE_HOTS = (
    Call("OneHotEncoder"),
    Call("OneHotEncoder", (DENSE,)),
    Call("OneHotEncoder", (IGNORE,)),
    Call("OneHotEncoder", (IGNORE, DENSE)),
    Call("OneHotEncoder", (("drop", "if_binary"), IGNORE, DENSE)),
    Call("OneHotEncoder", (("drop", "first"), IGNORE)),
    Call("OneHotEncoder", (INFREQUENT, DENSE)),
)
UNKNOWN = ("handle_unknown", "use_encoded_value")
ORDINALS = (
    Call("OrdinalEncoder"),
    Call("OrdinalEncoder", (UNKNOWN, ("unknown_value", -1))),
    Call("OrdinalEncoder", (UNKNOWN, ("unknown_value", float("nan")))),
)
CODED_ONLY = (
    *ONE_HOTS,
    *ORDINALS,
    Call("OneHotEncoder", (IGNORE, ("min_frequency", 2))),
    Call("OneHotEncoder", (INFREQUENT, ("max_categories", 2), DENSE)),
    Call("OneHotEncoder", (("handle_unknown", "warn"), DENSE)),
    Call("OrdinalEncoder", (("encoded_missing_value", -2), UNKNOWN, ("unknown_value", -1))),
    Call("OrdinalEncoder", (("min_frequency", 2),)),
)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    n = draw(st.integers(6, 60))
    seed = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    gaps = draw(st.sampled_from([0.0, 0.0, 0.1, 0.5]))
    size = 10.0 ** draw(st.integers(-8, 8))
    floats = seed.normal(draw(st.sampled_from([0.0, 1e3])), size, n)
    if draw(st.booleans()):
        floats = np.round(floats, 1)
    constant = np.full(n, draw(st.sampled_from([0.0, -0.0, 0.1, 1e9])))
    words = draw(
        st.lists(st.sampled_from(["a", "b", "m", "z", "é", "Ä", "日本", "", "a ", "missing"]),
                 min_size=1, max_size=6, unique=True)
    )  # fmt: skip

    def gappy(values: Sequence[Any]) -> list[Any]:
        holes = seed.random(n) < gaps
        return [None if hole else value for value, hole in zip(values, holes, strict=True)]

    return pa.table(
        {
            "f": pa.array(gappy(floats.tolist()), pa.float64()),
            "g": pa.array(gappy(constant.tolist()), pa.float64()),
            "i": pa.array(seed.integers(-3, 4, n), pa.int64()),
            "b": pa.array(seed.random(n) < 0.5, pa.bool_()),
            "s": pa.array(gappy(seed.choice(words, n).tolist()), pa.string()),
            "t": pa.array(gappy(seed.choice(words[:2], n).tolist()), pa.large_string()),
            "u": pa.array(seed.choice(["x", "y"], n).tolist(), pa.string()),
        }
    )


def chain(draw: st.DrawFn) -> Branch:
    kind = draw(st.sampled_from(["numbers", "texts", "plain", "codes"]))
    if kind == "plain":
        return draw(_some(NUMBERS)), ()
    if kind == "numbers":
        front = draw(st.sampled_from([(), *((one,) for one in IMPUTERS)]))
        back = draw(st.sampled_from([(), *((one,) for one in SCALERS)]))
        return draw(_some(NUMBERS)), (*front, *back) or (SCALERS[0],)
    encoder = draw(st.sampled_from([*ONE_HOTS, *ORDINALS]))
    if kind == "codes":
        return draw(_some([*TEXTS, "i", "f"])), (encoder,)
    front = draw(st.sampled_from([(), *((one,) for one in TEXT_IMPUTERS)]))
    return draw(_some(TEXTS)), (*front, encoder)


def _some(names: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)


def folds_of(n: int, count: int, seed: int) -> Split:
    order = np.random.default_rng(seed).permutation(n)
    parts = [np.sort(part) for part in np.array_split(order, count)]
    return [(np.setdiff1d(np.arange(n), part), part) for part in parts]


def plainly(frame: pd.DataFrame, branches: Sequence[Branch], split: Any, threshold: Any) -> Any:
    """What a script would do: copies of rows, fitted transformers, columns side by side."""
    train, valid = split
    left, right = [], []
    for names, calls in branches:
        a, b = frame[names].iloc[train], frame[names].iloc[valid]
        for call in calls:
            step = construct(call)
            a = step.fit_transform(a)
            b = step.transform(b)
        left.append(a)
        right.append(b)
    joined, sparse = concatenate(left, threshold)
    return joined, concatenate(right, threshold, sparse)[0]


def assert_same(found: Any, wanted: Any) -> None:
    assert type(found) is type(wanted)
    assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype)
    if sp.issparse(wanted):
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(found, part), getattr(wanted, part))
    elif isinstance(wanted, pd.DataFrame):
        pd.testing.assert_frame_equal(found, wanted, check_exact=True)
    else:
        assert found.flags.c_contiguous == wanted.flags.c_contiguous
        assert found.flags.f_contiguous == wanted.flags.f_contiguous
        if wanted.dtype == object:
            np.testing.assert_array_equal(found, wanted)
        else:
            assert_bits(found, wanted)


def assert_bits(found: np.ndarray, wanted: np.ndarray) -> None:
    """Equal to the last bit, but for the payload of NaN."""
    missing = np.isnan(wanted) if wanted.dtype.kind == "f" else np.zeros(wanted.shape, bool)
    np.testing.assert_array_equal(np.isnan(found) if found.dtype.kind == "f" else missing, missing)
    assert found[~missing].tobytes() == wanted[~missing].tobytes()


def outcome(work: Any) -> Any:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = work()
        except Exception as error:
            text = error.message if isinstance(error, StratumError) else str(error)
            return "error", " ".join(text.split())[:500]
    return result, sorted({str(one.message) for one in caught})


def inputs_of(table: pa.Table, branches: Sequence[Branch], op: EncodeBlock, folds: Split) -> Any:
    codes = [codes_of(table, names) for (names, _), c in zip(branches, op.coded, strict=True) if c]
    return [folds, *(to_frame(table, names) for names, _ in branches), *codes]


def block_of(branches: Sequence[Branch], threshold: Any = 0.3) -> EncodeBlock:
    steps = tuple(calls for _, calls in branches)
    return EncodeBlock(steps, threshold, tuple(tuple("k" for _ in calls) for calls in steps))


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_mix_is_what_the_transformers_give(data: st.DataObject) -> None:
    table = data.draw(tables())
    drawn = data.draw(
        st.composite(lambda draw: [chain(draw) for _ in range(draw(st.integers(1, 4)))])()
    )
    threshold = data.draw(st.sampled_from([0.3, 0.3, None, 1.0]))
    branches = [one for one in drawn if not one[1] or _served(one[1])]
    assert branches == drawn  # the planner's rule accepts all that is tried here
    folds = folds_of(table.num_rows, data.draw(st.integers(2, 4)), 0)
    op, frame = block_of(branches, threshold), to_frame(table)
    inputs = inputs_of(table, branches, op, folds)
    for fold, split in enumerate(folds):
        wanted = outcome(partial(plainly, frame, branches, split, threshold))
        for backend in (RustBackend(), PythonBackend()):
            found = outcome(partial(backend.run, op, inputs, Context(fold)))
            if isinstance(wanted[0], str):
                assert found[0] == "error"
                assert wanted[1][:300] in found[1]
                continue
            assert not isinstance(found[0], str), found
            for one, other in zip(found[0], wanted[0], strict=True):
                assert_same(one, other)
            assert found[1] == wanted[1]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(tables(), st.sampled_from(CODED_ONLY), _some([*TEXTS, "i", "f"]))
def test_encoders_on_codes_are_those_of_the_library(
    table: pa.Table, call: Call, names: list[str]
) -> None:
    folds, frame = folds_of(table.num_rows, 3, 1), to_frame(table, names)
    codes = codes_of(table, names, threads=2)
    for fold, (train, valid) in enumerate(folds):

        def plain(train: Any = train, valid: Any = valid) -> Any:
            encoder = construct(call)
            return encoder.fit_transform(frame.iloc[train]), encoder.transform(frame.iloc[valid])

        op = CodedEncode(call, False)
        wanted = outcome(plain)
        found = outcome(partial(PythonBackend().run, op, [frame, folds, codes], Context(fold)))
        if isinstance(wanted[0], str):
            assert found == wanted
            continue
        for one, other in zip(found[0], wanted[0], strict=True):
            assert_same(one, other)
        assert found[1] == wanted[1]


@pytest.mark.parametrize("smooth", ["auto", 5.0])
@pytest.mark.parametrize("target", ["continuous", "binary", "multiclass"])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(table=tables(), names=_some([*TEXTS, "i"]))
def test_target_encoders_on_codes_are_those_of_the_library(
    table: pa.Table, names: list[str], target: str, smooth: Any
) -> None:
    seed = np.random.default_rng(table.num_rows)
    y: Any = seed.normal(size=table.num_rows)
    if target != "continuous":
        y = np.array(["no", "yes", "maybe"])[: 2 if target == "binary" else 3][
            np.arange(table.num_rows) % (2 if target == "binary" else 3)
        ].astype(object)
    call = Call("TargetEncoder", (("cv", 2), ("random_state", 3), ("smooth", smooth)))
    folds, frame = folds_of(table.num_rows, 2, 2), to_frame(table, names)
    inputs = [frame, folds, codes_of(table, names), y]
    for fold, (train, valid) in enumerate(folds):

        def plain(train: Any = train, valid: Any = valid) -> Any:
            encoder = construct(call)
            made = encoder.fit_transform(frame.iloc[train], y[train])
            return made, encoder.transform(frame.iloc[valid])

        wanted = outcome(plain)
        op = CodedEncode(call, True)
        found = outcome(partial(PythonBackend().run, op, inputs, Context(fold)))
        if isinstance(wanted[0], str):
            assert found == wanted
            continue
        for one, other in zip(found[0], wanted[0], strict=True):
            assert_same(one, other)


def served(table: pa.Table, branches: Sequence[Branch], threshold: Any = 0.3) -> bool:
    """Whether the kernel takes a block, rather than leaving it to the library."""
    op = block_of(branches, threshold)
    folds = folds_of(table.num_rows, 2, 0)
    return encoding.block(op, inputs_of(table, branches, op, folds), Context(0)) is not None


FRAME = pa.table(
    {
        "x": [1.0, 2.5, None, 4.0, 0.5, 6.0],
        "inf": [1.0, 2.0, float("inf"), 4.0, 5.0, 6.0],
        "none": pa.array([None] * 6, pa.float64()),
        "n": [1, 2, 3, 4, 5, 6],
        "single": pa.array([1, 2, 3, 4, 5, 6], pa.float32()),
        "flag": [True, False, True, False, True, True],
        "s": ["a", "b", "a", "b", "a", "c"],
        "r": ["a", "b", "a", "b", "a", "b"],
    }
)
SCALE, IMPUTE = Call("StandardScaler"), Call("SimpleImputer")


@pytest.mark.parametrize(
    ("served_", "branches"),
    [
        (True, [(["x", "n"], (IMPUTE, SCALE)), (["s"], (ONE_HOTS[3],)), (["flag"], ())]),
        (False, [(["inf"], (SCALE,))]),
        (False, [(["none"], (IMPUTE,))]),
        (False, [(["single"], (SCALE,))]),
        (True, [(["single"], ()), (["x"], (SCALE,))]),
        (False, [(["n"], (IMPUTE,))]),  # whole numbers stay whole numbers
        (False, [(["x", "flag"], (IMPUTE,))]),
        (False, [(["s"], (ONE_HOTS[1],))]),  # a category only the validation rows have
        (False, [(["s"], (ORDINALS[0],))]),
        (False, [(["s"], ()), (["x"], (SCALE,))]),
    ],
)  # fmt: skip
def test_when_the_kernel_serves(served_: bool, branches: list[Branch]) -> None:
    table = FRAME.take([0, 1, 3, 4, 5, 2]) if served_ else FRAME
    assert served(table, branches) is served_


def test_a_sparse_block_is_left_to_the_library() -> None:
    table = pa.table({"s": [f"{k % 12}" for k in range(48)], "x": np.arange(48.0)})
    branches: list[Branch] = [(["s"], (ONE_HOTS[2],)), (["x"], (SCALE,))]
    assert not served(table, branches)
    assert served(table, branches, 0.05)


def test_numpy_adds_in_the_order_that_is_known() -> None:
    assert encoding.sums_agree()
