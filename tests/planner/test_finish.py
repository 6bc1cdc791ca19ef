"""Time to finish: packing and the longest chain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.finish import shares, time_to_finish
from planner.plan import Task


def task(id: int, seconds: float, *needs: int, pipelines: tuple[int, ...] = (0,),
         threads: int = 1) -> Task:  # fmt: skip
    return Task(id, (), (), (), (), needs, pipelines, threads, seconds)


def test_one_core_takes_the_sum() -> None:
    assert time_to_finish([task(0, 1), task(1, 2), task(2, 3)], 1) == 6


def test_two_cores_pack() -> None:
    assert time_to_finish([task(0, 3), task(1, 1), task(2, 1), task(3, 1)], 2) == 3


def test_a_chain_is_not_shortened_by_cores() -> None:
    assert time_to_finish([task(0, 1), task(1, 2, 0), task(2, 3, 1)], 8) == 6


def test_ids_need_not_be_positions_and_needs_may_be_elsewhere() -> None:
    assert time_to_finish([task(4, 1, 2), task(9, 1, 4)], 2) == 2


def test_a_task_may_take_all_cores() -> None:
    assert time_to_finish([task(0, 1), task(1, 1, threads=4), task(2, 1)], 2) == 3


def test_nothing_takes_no_time() -> None:
    assert time_to_finish([], 4) == 0


@st.composite
def plans(draw: st.DrawFn) -> list[Task]:
    count = draw(st.integers(1, 12))
    return [
        task(
            at, draw(st.floats(0, 5)), *draw(st.sets(st.integers(0, at - 1)) if at else st.just(()))
        )
        for at in range(count)
    ]


@given(plan=plans(), cores=st.integers(1, 6))
def test_bounds(plan: list[Task], cores: int) -> None:
    total = sum(t.seconds for t in plan)
    ends: dict[int, float] = {}
    for t in plan:
        ends[t.id] = t.seconds + max((ends[need] for need in t.needs), default=0.0)
    found = time_to_finish(plan, cores)
    least = max(total / cores, *ends.values())
    assert least - 1e-9 <= found <= total + 1e-9
    # Graham's bound of list scheduling.
    assert found <= total / cores + max(ends.values()) + 1e-9
    assert time_to_finish(plan, 1) == pytest.approx(total)


def test_shares_divide_what_is_shared() -> None:
    found = shares([task(0, 4, pipelines=(0, 1)), task(1, 1, 0, pipelines=(1,))])
    assert found == {0: 2, 1: 3}
