from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.catalog import (
    Catalog,
    DatasetRow,
)
from planner.errors import SpecError
from planner.schema import Column, Dataset, Schema
from tests.executor.catalog_cases import dataset, examples, json_values, same, text


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite", workspace="/here")


columns = st.builds(
    Column,
    name=text,
    kind=st.sampled_from(["integer", "float", "string", "other"]),
    sql_type=text,
    nullable=st.booleans(),
    distinct=st.none() | st.integers(0, 2**40),
)
datasets = st.builds(
    DatasetRow,
    dataset=st.builds(
        Dataset,
        name=text,
        fingerprint=text,
        rows=st.integers(0, 2**50),
        schema=st.builds(Schema, st.lists(columns, max_size=4).map(tuple)),
    ),
    source=st.text(max_size=10),  # file names may hold bytes that are no text
    bytes=st.integers(0, 2**50),
    options=st.dictionaries(text, json_values, max_size=3),
    source_size=st.integers(0, 2**50),
    source_mtime_ns=st.integers(0, 2**62),
    created=st.floats(1, 1e10),
)


@examples
@given(row=datasets)
def test_datasets_round_trip(tmp_path: Path, row: DatasetRow) -> None:
    catalog = Catalog(tmp_path / "c")
    catalog.put_dataset(row)
    assert same(catalog.get_dataset(row.dataset.name), row)
    catalog.remove_dataset(row.dataset.name)
    assert catalog.list_datasets() == []
    catalog.close()


def test_datasets_belong_to_a_workspace(tmp_path: Path) -> None:
    here, there = Catalog(tmp_path / "c", "/here"), Catalog(tmp_path / "c", "/there")
    here.put_dataset(dataset("homes", "f1"))
    there.put_dataset(dataset("homes", "f2"))
    here.put_dataset(dataset("homes", "f3"))
    here.put_dataset(dataset("births"))
    assert here.get_dataset("homes").dataset.fingerprint == "f3"
    assert there.get_dataset("homes").dataset.fingerprint == "f2"
    assert [row.dataset.name for row in here.list_datasets()] == ["births", "homes"]
    assert here.fingerprint_in_use("f2")
    assert not here.fingerprint_in_use("f1")


def test_unknown_dataset_names_what_there_is(catalog: Catalog) -> None:
    with pytest.raises(SpecError) as caught:
        catalog.get_dataset("homes")
    assert caught.value.code == "unknown_dataset"
    catalog.put_dataset(dataset("homes"))
    with pytest.raises(SpecError) as caught:
        catalog.get_dataset("Home")
    assert "'homes'" in caught.value.hint
    with pytest.raises(SpecError) as caught:
        catalog.remove_dataset("zzz")
    assert "homes" in caught.value.hint


def test_half_a_surrogate_pair_is_an_error_of_the_request(catalog: Catalog) -> None:
    with pytest.raises(SpecError) as caught:
        catalog.put_dataset(dataset("\ud800"))
    assert caught.value.code == "invalid_text"
