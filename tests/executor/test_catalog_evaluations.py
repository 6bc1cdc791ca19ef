import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.catalog import (
    Catalog,
    EvaluationRow,
    comparable_key,
)
from planner.errors import SpecError
from tests.executor.catalog_cases import durations, evaluation, examples, json_values, same, text


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite", workspace="/here")


evaluations = st.builds(
    EvaluationRow,
    id=text,
    job=text,
    position=st.integers(0, 10**6),
    name=text,
    spec=json_values,
    status=st.sampled_from(["ok", "failed", "timeout", "out_of_memory", "cancelled", "skipped"]),
    dataset=text,
    target=text,
    metric=text,
    direction=st.sampled_from(["maximize", "minimize"]),
    metrics=st.dictionaries(
        text, st.fixed_dictionaries({"mean": st.none() | st.floats(), "folds": json_values})
    ),
    seconds=durations,
    fit_seconds=durations,
    reused_seconds=durations,
    warnings=st.lists(json_values, max_size=2).map(tuple),
    error=st.none() | st.dictionaries(text, json_values, min_size=1, max_size=2),
    settings=json_values,
    comparable=text,
    created=st.floats(1, 1e10),
)


@examples
@given(row=evaluations)
def test_evaluations_round_trip(tmp_path: Path, row: EvaluationRow) -> None:
    catalog = Catalog(tmp_path / "c")
    with catalog.write() as connection:  # each example starts afresh
        connection.execute("DELETE FROM ranks")
        connection.execute("DELETE FROM evaluations")
    catalog.put_evaluation(row)
    assert same(catalog.evaluations(row.job), [row])
    assert same(catalog.find_evaluation(row.id), row)
    catalog.close()


def test_evaluations_of_a_job_by_position(catalog: Catalog) -> None:
    for position in (3, 0, 2):
        catalog.put_evaluation(evaluation(position))
    catalog.put_evaluation(evaluation(9, job="j2"))
    assert [row.position for row in catalog.evaluations("j1")] == [0, 2, 3]
    assert [row.position for row in catalog.evaluations("j1", after=0, limit=1)] == [2]
    assert catalog.evaluations("j1", limit=0) == []
    assert catalog.evaluations("none") == []


def test_an_evaluation_can_be_replaced_in_its_place(catalog: Catalog) -> None:
    catalog.put_evaluation(evaluation(1, id="first"))
    catalog.put_evaluation(evaluation(1, id="second", status="failed", error={"code": "x"}))
    assert [row.id for row in catalog.evaluations("j1")] == ["second"]
    assert catalog.leaderboard("r2").total == 0


def test_found_by_id_before_name_and_newest_first(catalog: Catalog) -> None:
    catalog.put_evaluation(evaluation(0, name="best"))
    catalog.put_evaluation(evaluation(1, name="best"))
    catalog.put_evaluation(evaluation(2, name="e0"))
    assert catalog.find_evaluation("best").id == "e1"
    assert catalog.find_evaluation("e0").position == 0
    with pytest.raises(SpecError) as caught:
        catalog.find_evaluation("nothing")
    assert caught.value.code == "unknown_evaluation"
    with pytest.raises(SpecError):
        Catalog(catalog.path, "/there").find_evaluation("best")


def test_score_is_the_mean_of_the_primary_metric() -> None:
    assert evaluation(3).score == 0.3
    assert evaluation(3, status="failed", metrics={}).score is None


def metric_values(direction: str, **means: float | None) -> dict[str, Any]:
    return {name: {"mean": mean, "direction": direction} for name, mean in means.items()}


@examples
@given(
    means=st.lists(st.none() | st.floats(), max_size=12),
    direction=st.sampled_from(["maximize", "minimize"]),
    limit=st.integers(1, 5),
)
def test_leaderboard_pages_are_the_sorted_whole(
    tmp_path: Path, means: list[float | None], direction: Any, limit: int
) -> None:
    catalog = Catalog(tmp_path / "c")
    with catalog.write() as connection:
        connection.execute("DELETE FROM ranks")
        connection.execute("DELETE FROM evaluations")
    for position, mean in enumerate(means):
        values = {"m": {"mean": mean}}
        row = evaluation(position, metric="m", direction=direction, metrics=values)
        catalog.put_evaluation(row)

    def key(position: int) -> float:
        mean = means[position]
        if mean is None or math.isnan(mean):
            return math.inf
        return -mean if direction == "maximize" else mean

    found: list[int] = []
    cursor = None
    while True:
        page = catalog.leaderboard("m", limit=limit, cursor=cursor)
        assert page.total == len(means)
        assert len(page.rows) <= limit
        found += [row.position for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            break
    assert found == sorted(range(len(means)), key=key)
    catalog.close()


def test_leaderboard_of_any_metric_in_its_own_direction(catalog: Catalog) -> None:
    for position, (r2, rmse) in enumerate([(0.9, 3.0), (0.8, 1.0), (0.7, 2.0)]):
        metrics = metric_values("maximize", r2=r2) | metric_values("minimize", rmse=rmse)
        catalog.put_evaluation(evaluation(position, metrics=metrics))
    assert [row.position for row in catalog.leaderboard("r2").rows] == [0, 1, 2]
    assert [row.position for row in catalog.leaderboard("rmse").rows] == [1, 2, 0]
    assert catalog.leaderboard("mae").rows == ()


def test_leaderboard_filters_and_groups(catalog: Catalog) -> None:
    catalog.put_evaluation(evaluation(0))
    catalog.put_evaluation(evaluation(1, dataset="births", comparable="c2"))
    catalog.put_evaluation(evaluation(2, target="area", comparable="c3"))
    catalog.put_evaluation(evaluation(3, job="j2"))
    catalog.put_evaluation(evaluation(4, status="failed"))
    Catalog(catalog.path, "/there").put_evaluation(evaluation(5, job="j3"))

    def found(**filters: Any) -> list[int]:
        return [row.position for row in catalog.leaderboard("r2", **filters).rows]

    assert found() == [3, 2, 1, 0]
    assert found(dataset="homes") == [3, 2, 0]
    assert found(target="area") == [2]
    assert found(job="j1") == [2, 1, 0]
    assert found(comparable="c1") == [3, 0]
    assert found(dataset="homes", target="price", job="j2") == [3]
    assert catalog.leaderboard("r2").groups == {"c1": 2, "c2": 1, "c3": 1}


def test_leaderboard_shows_a_repeated_pipeline_once(catalog: Catalog) -> None:
    spec = {"model": "Ridge()", "name": "a"}
    catalog.put_evaluation(evaluation(0, spec=spec))
    catalog.put_evaluation(evaluation(1, job="j2", spec={**spec, "name": "b"}))
    catalog.put_evaluation(evaluation(2, job="j2", spec=spec, comparable="c2"))
    page = catalog.leaderboard("r2")
    assert [row.position for row in page.rows] == [2, 1]
    assert page.total == 2
    assert [row.position for row in catalog.leaderboard("r2", job="j1").rows] == [0]


def test_invalid_cursor(catalog: Catalog) -> None:
    for cursor in ("", "x", "1:2:3", "a:b"):
        with pytest.raises(SpecError) as caught:
            catalog.leaderboard("r2", cursor=cursor)
        assert caught.value.code == "invalid_cursor"


def test_comparable_key_tells_settings_apart() -> None:
    base = comparable_key("f", "t", "r2", {"cv": "KFold(5)", "seed": 0})
    assert base == comparable_key("f", "t", "r2", {"seed": 0, "cv": "KFold(5)"})
    others = [
        comparable_key("g", "t", "r2", {"cv": "KFold(5)", "seed": 0}),
        comparable_key("f", "u", "r2", {"cv": "KFold(5)", "seed": 0}),
        comparable_key("f", "t", "mae", {"cv": "KFold(5)", "seed": 0}),
        comparable_key("f", "t", "r2", {"cv": "KFold(5)", "seed": 1}),
    ]
    assert len({base, *others}) == 5
