"""The measures behind warnings about the data, against textbooks and counting by hand."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import f_oneway

from executor.data_warnings import _hashes, _intraclass, _repeated
from executor.key_names import sounds_like_key


@pytest.mark.parametrize("size", [2, 3, 7])
@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
def test_the_intraclass_correlation_is_that_of_the_variance_ratio(size: int, spread: float) -> None:
    rng = np.random.default_rng(size)
    codes = np.repeat(np.arange(40), size)
    values = rng.normal(size=40)[codes] + spread * rng.normal(size=len(codes))
    ratio = f_oneway(*(values[codes == code] for code in range(40))).statistic
    found = _intraclass(codes, values.reshape(-1, 1))
    assert found == pytest.approx((ratio - 1) / (ratio + size - 1))
    # Single rows and rows without a key do not count, nor does the order.
    more = np.concatenate([codes, np.arange(40, 60), np.full(5, -1)])
    longer = np.concatenate([values, rng.normal(size=25)])
    order = rng.permutation(len(more))
    assert _intraclass(more[order], longer[order].reshape(-1, 1)) == pytest.approx(found)


def test_without_repeated_keys_nothing_is_alike() -> None:
    assert _intraclass(np.arange(10), np.ones((10, 1))) == 0.0
    assert _intraclass(np.zeros(10, dtype=int), np.arange(10.0).reshape(-1, 1)) == 0.0


def test_equal_rows_have_equal_hashes() -> None:
    table = pa.table(
        {
            "n": [1.0, 1.0, None, None, 2.0],
            "t": ["a", "a", None, None, "a"],
            "b": [True, True, False, False, True],
        }
    )
    one, two, three, four, five = _hashes(table, ["n", "t", "b"])
    assert one == two
    assert three == four
    assert len({one, three, five}) == 3
    swapped = pa.table({"x": [1, 2], "y": [2, 1]})
    assert len(set(_hashes(swapped, ["x", "y"]))) == 2


def test_copies_are_counted_where_they_are_in_training_rows() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(300, 2))
    rows = np.concatenate([base, base[:60]])
    table = pa.table(
        {"a": rows[:, 0], "b": rows[:, 1], "y": [*range(300), *range(30), *range(500, 530)]}
    )
    apart = (np.arange(300), np.arange(300, 360))
    (text,) = _repeated(table, table, ["a", "b"], "y", [apart])
    # All 60 have the features of a training row, and 30 of them (0 .. 29) its target.
    assert text.startswith("100.0% of the validation rows")
    assert "(50.0% with its target)" in text
    together = (np.arange(60, 300), np.concatenate([np.arange(60), np.arange(300, 360)]))
    assert _repeated(table, table, ["a", "b"], "y", [together]) == []


@pytest.mark.parametrize(
    ("name", "key"),
    [("customer_id", True), ("patient", True), ("shopCode", True), ("id", True),
     ("identity", False), ("notes", False), ("stationary", False), ("paid", False)],
)  # fmt: skip
def test_names_of_keys(name: str, key: bool) -> None:
    assert sounds_like_key(name) is key
