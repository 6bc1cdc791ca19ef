"""Made-up tables have the schema, the cardinalities and the structure that they promise."""

import numpy as np
import pandas as pd
import pytest

from tools.sample_data import COUNTIES, DISTRICTS, TOWNS, uk_housing


@pytest.fixture(scope="module")
def sales() -> pd.DataFrame:
    return uk_housing(20_000, seed=0)


def test_it_is_the_same_every_time_and_differs_by_seed(sales: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(uk_housing(20_000, seed=0), sales)
    assert not uk_housing(20_000, seed=1)["price"].equals(sales["price"])


def test_columns_are_those_of_price_paid_data(sales: pd.DataFrame) -> None:
    assert list(sales) == [
        "transaction_id", "price", "date_of_transfer", "property_type", "old_new", "duration",
        "town_city", "district", "county", "ppd_category_type", "record_status",
    ]  # fmt: skip
    assert sales["transaction_id"].is_unique
    assert (
        sales["transaction_id"]
        .str.fullmatch(r"\{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}")
        .all()
    )
    assert set(sales["property_type"]) == set("DSTFO")
    assert set(sales["old_new"]) == set("YN")
    assert set(sales["duration"]) == set("FL")
    assert set(sales["ppd_category_type"]) == set("AB")
    dates = pd.to_datetime(sales["date_of_transfer"], format="%Y-%m-%d")
    assert dates.dt.year.min() == 1995
    assert dates.dt.year.max() == 2017
    assert not sales.isna().any(axis=None)


def test_places_nest_and_are_unevenly_frequent(sales: pd.DataFrame) -> None:
    assert 0.9 * TOWNS < sales["town_city"].nunique() <= TOWNS
    assert 0.8 * DISTRICTS < sales["district"].nunique() <= DISTRICTS
    assert 0.8 * COUNTIES < sales["county"].nunique() <= COUNTIES
    assert sales.groupby("town_city")["district"].nunique().max() == 1
    assert sales.groupby("district")["county"].nunique().max() == 1
    counts = sales["town_city"].value_counts()
    assert counts.iloc[:10].sum() > 20 * counts.iloc[-10:].sum()


def test_prices_depend_on_place_type_and_date(sales: pd.DataFrame) -> None:
    logarithm = np.log(sales["price"])
    assert sales["price"].min() > 0
    assert (sales["price"] % 50 == 0).all()
    capital = sales["county"] == "GREATER LONDON"
    assert 0.05 < capital.mean() < 0.2
    assert logarithm[capital].mean() > logarithm[~capital].mean() + 0.5
    kinds = logarithm.groupby(sales["property_type"]).mean()
    assert kinds["D"] > kinds["S"] > kinds["T"]
    years = logarithm.groupby(sales["date_of_transfer"].str[:4]).mean()
    assert years["2016"] > years["2005"] > years["1996"]
