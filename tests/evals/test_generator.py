"""Tables of workloads: generated ones are reproducible, resized ones are what they say."""

from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from evals.workloads import load
from evals.workloads.tables import sized, written
from tools.sample_data import uk_housing

SIZES = st.integers(min_value=1, max_value=120)


def test_the_generator_is_reproducible() -> None:
    pd.testing.assert_frame_equal(uk_housing(300, seed=4), uk_housing(300, seed=4))
    assert not uk_housing(300, seed=4).equals(uk_housing(300, seed=5))


def test_equal_sizes_give_equal_files(tmp_path: Path) -> None:
    files = []
    for folder in ("a", "b"):
        workload = load("uk_housing", rows=200, limit=1, folder=tmp_path / folder)
        files.append(Path(workload.datasets["sales"]).read_bytes())
    assert files[0] == files[1]
    assert files[0].count(b"\n") == 201


def test_cardinalities_and_shapes_are_those_of_price_paid_data() -> None:
    frame = uk_housing(40_000)
    distinct = frame.nunique()
    assert distinct["transaction_id"] == len(frame)
    assert (
        frame["transaction_id"]
        .str.fullmatch(r"\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}")
        .all()
    )
    assert set(frame["property_type"]) == set("DSTFO")
    assert set(frame["duration"]) == set("FL")
    assert set(frame["old_new"]) == set("NY")
    assert distinct["town_city"] > 1000 > distinct["district"] > 300 > distinct["county"] > 90
    # Few places are frequent, as in the real data.
    shares = frame["town_city"].value_counts(normalize=True)
    assert shares.iloc[:100].sum() > 0.3
    assert pd.to_datetime(frame["date_of_transfer"]).between("1995-01-01", "2017-06-29").all()
    assert frame["price"].min() > 0
    assert frame["price"].mean() > 1.1 * frame["price"].median()


def table(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    return pd.DataFrame({"id": np.arange(1, rows + 1), "x": rng.normal(100, 1, rows)})


@given(SIZES, SIZES)
def test_tables_have_the_size_asked_for(have: int, want: int) -> None:
    frame = table(have)
    found = sized(frame, want, jitter=["x"], serial="id")
    assert len(found) == want
    assert found["id"].is_unique
    pd.testing.assert_frame_equal(found, sized(frame, want, jitter=["x"], serial="id"))
    if want <= have:
        assert found["id"].is_monotonic_increasing
        assert set(found["x"]) <= set(frame["x"])
    else:
        pd.testing.assert_frame_equal(found.head(have), frame.assign(x=frame["x"].round(4)))
        assert found["x"].iloc[have:].ne(found["x"].iloc[: want - have]).any()


def test_without_a_size_a_table_is_as_it_is() -> None:
    frame = table(5)
    assert sized(frame, None) is frame


def test_tables_are_written_by_suffix(tmp_path: Path) -> None:
    frame = table(5)
    pd.testing.assert_frame_equal(pd.read_csv(written(frame, tmp_path, "t.csv")), frame)
    pd.testing.assert_frame_equal(pd.read_parquet(written(frame, tmp_path, "t.parquet")), frame)
