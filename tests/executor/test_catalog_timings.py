"""Measurements in the catalog: kept in order, bounded, and made room for in an older file."""

import math
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from executor import catalog_timings
from executor.catalog import Catalog, ExtentRow, Timing
from executor.catalog_schema import MIGRATIONS

TIMING = Timing("Fit Ridge", "python", 1, 100, 5, 1.0, 0.5, 0.4, 0.3, 1, 10.0)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite")


def test_timings_come_back_in_order(catalog: Catalog) -> None:
    rows = [replace(TIMING, seconds=float(second)) for second in range(1, 6)]
    catalog.add_timings(rows[:3])
    catalog.add_timings(rows[3:])
    assert catalog.timings() == rows
    assert catalog.timings(2) == rows[-2:]


def test_what_is_no_time_is_left_out(catalog: Catalog) -> None:
    catalog.add_timings([replace(TIMING, seconds=math.nan), replace(TIMING, seconds=math.inf)])
    assert catalog.timings() == []


def test_timings_get_a_date(catalog: Catalog) -> None:
    catalog.add_timings([replace(TIMING, created=0.0)])
    assert catalog.timings()[0].created > 1e9


def test_the_newest_extent_counts(catalog: Catalog) -> None:
    catalog.put_extents([ExtentRow("a", 1, 2, 0.5), ExtentRow("b", 3, 4)])
    catalog.put_extents([ExtentRow("a", 5, 6)])
    assert catalog.extents() == [ExtentRow("b", 3, 4), ExtentRow("a", 5, 6)]


def test_tables_are_bounded(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_timings, "_KEEP_TIMINGS", 10)
    monkeypatch.setattr(catalog_timings, "_KEEP_EXTENTS", 4)
    for turn in range(3):
        catalog.add_timings([TIMING] * 8)
        catalog.put_extents(ExtentRow(f"{turn} {key}", 1, 1) for key in range(3))
    assert len(catalog.timings()) == 10
    assert [row.key for row in catalog.extents()] == ["1 2", "2 0", "2 1", "2 2"]


def test_a_catalog_of_before_has_them_too(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    Catalog(path).close()
    path.unlink()
    with sqlite3.connect(path) as connection:
        for statement in MIGRATIONS[0]:
            connection.execute(statement)
        connection.execute("PRAGMA application_id=0x53545241")
        connection.execute("PRAGMA user_version=1")
    connection.close()
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    catalog = Catalog(path)
    assert catalog.warnings == []
    catalog.add_timings([TIMING])
    assert catalog.timings() == [TIMING]
