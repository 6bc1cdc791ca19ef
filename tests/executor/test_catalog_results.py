import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor import catalog_results
from executor.catalog import (
    Catalog,
    FailureRow,
    ScoreRow,
)
from planner.errors import ServerError, StratumError
from tests.executor.catalog_cases import durations, examples, json_values, same, text


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite", workspace="/here")


scores = st.builds(
    ScoreRow,
    key=text,
    folds=st.lists(st.floats(), max_size=6).map(tuple),
    seconds=durations,
    warnings=st.lists(json_values, max_size=2).map(tuple),
    extra=st.dictionaries(text, json_values, max_size=2),
    created=st.floats(1, 1e10),
)
failures = st.builds(
    FailureRow,
    **dict.fromkeys(("key", "code", "message", "hint"), text),
    seconds=durations.filter(math.isfinite),
    created=st.floats(1, 1e10),
)


@examples
@given(rows=st.lists(scores, max_size=5, unique_by=lambda row: row.key))
def test_scores_round_trip(tmp_path: Path, rows: list[ScoreRow]) -> None:
    catalog = Catalog(tmp_path / "c")
    catalog.put_scores(rows)
    found = catalog.get_scores([row.key for row in rows])
    assert same([found[row.key] for row in rows], rows)
    catalog.close()


@examples
@given(rows=st.lists(failures, max_size=5, unique_by=lambda row: row.key))
def test_failures_round_trip(tmp_path: Path, rows: list[FailureRow]) -> None:
    catalog = Catalog(tmp_path / "c")
    catalog.put_failures(rows)
    assert catalog.get_failures(row.key for row in rows) == {row.key: row for row in rows}
    catalog.close()


@examples
@given(key=text, payload=json_values)
def test_memos_round_trip(tmp_path: Path, key: str, payload: Any) -> None:
    catalog = Catalog(tmp_path / "c")
    catalog.put_memo(key, payload)
    assert same(catalog.get_memos([key, "absent key"]), {key: payload})
    catalog.close()


def test_many_keys_at_once(catalog: Catalog) -> None:
    catalog.put_scores(ScoreRow(f"k{i}", (i / 7,)) for i in range(5_000))
    found = catalog.get_scores(f"k{i}" for i in range(10_000))
    assert len(found) == 5_000
    assert found["k4999"].folds == (4999 / 7,)
    assert catalog.get_scores(["k1", "k1", "absent"]).keys() == {"k1"}
    assert catalog.get_scores([]) == {}


def test_scores_are_put_all_or_none(catalog: Catalog) -> None:
    with pytest.raises(StratumError):
        catalog.put_scores([ScoreRow("a", (1.0,)), ScoreRow("\ud800", (1.0,))])
    assert catalog.get_scores(["a"]) == {}


def test_a_later_score_replaces_an_earlier_one(catalog: Catalog) -> None:
    catalog.put_scores([ScoreRow("a", (1.0,)), ScoreRow("b", (1.0,))])
    catalog.put_scores([ScoreRow("a", (2.0, 3.0))])
    assert catalog.get_scores(["a"])["a"].folds == (2.0, 3.0)


def test_too_large_a_record_is_refused(catalog: Catalog) -> None:
    with pytest.raises(ServerError) as caught:
        catalog.put_memo("a", "x" * (33 * 2**20))
    assert caught.value.code == "too_large"
    assert catalog.get_memos(["a"]) == {}


def test_tables_are_bounded(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_results, "_KEEP_MEMOS", 3)
    for key in "abca":
        catalog.put_memo(key, key)
    catalog.put_memo("d", "d")
    assert set(catalog.get_memos("abcd")) == {"c", "a", "d"}
