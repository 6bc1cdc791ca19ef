"""The order of tasks: needs first, then what brings results early."""

from hypothesis import given
from hypothesis import strategies as st

from planner.order import ordered
from planner.plan import Task


def task(number: int, seconds: float = 1.0, needs: str = "", pipelines: str = "0") -> Task:
    return Task(
        id=number,
        instructions=(),
        loads=(),
        saves=(),
        scores=(),
        needs=tuple(map(int, needs.split())),
        pipelines=tuple(map(int, pipelines.split())),
        seconds=seconds,
    )


def names(tasks: list[Task]) -> list[float]:
    """Tasks by their seconds, which the tests use as names."""
    return [one.seconds for one in tasks]


def test_needs_come_first_and_ids_are_positions() -> None:
    found = ordered([task(0, 3.0, "1 2"), task(1, 2.0, "2"), task(2, 1.0)])
    assert names(found) == [1.0, 2.0, 3.0]
    assert [(one.id, one.needs) for one in found] == [(0, ()), (1, (0,)), (2, (0, 1))]


def test_a_cheap_pipeline_goes_before_a_dear_one() -> None:
    found = ordered([task(0, 9.0, pipelines="0"), task(1, 1.0, pipelines="1")])
    assert names(found) == [1.0, 9.0]


def test_shared_work_is_split_between_those_who_share_it() -> None:
    """Alone, pipeline 2 is cheaper than 0 and 1; but half of what they cost is shared."""
    shared = task(0, 4.0, pipelines="0 1")
    own = [task(1, 0.5, "0", "0"), task(2, 0.6, "0", "1"), task(3, 3.0, pipelines="2")]
    assert names(ordered([shared, *own])) == [4.0, 0.5, 0.6, 3.0]


def test_ties_keep_the_order_of_the_pipelines() -> None:
    found = ordered([task(n, 1.0 + n / 1e12, pipelines=str(n)) for n in range(5)])
    assert [one.pipelines for one in found] == [(n,) for n in range(5)]


def test_tasks_of_nobody_are_kept() -> None:
    assert len(ordered([task(0, pipelines=""), task(1)])) == 2


@st.composite
def plans(draw: st.DrawFn) -> list[Task]:
    tasks = []
    for number in range(draw(st.integers(0, 12))):
        needs = draw(st.sets(st.integers(0, number - 1))) if number else set()
        pipelines = draw(st.sets(st.integers(0, 4)))
        tasks.append(
            task(number, draw(st.floats(0, 9)), " ".join(map(str, needs)),
                 " ".join(map(str, sorted(pipelines))))
        )  # fmt: skip
    return draw(st.permutations(tasks))


@given(plans())
def test_any_plan_is_ordered_completely_and_validly(tasks: list[Task]) -> None:
    found = ordered(tasks)
    assert [one.id for one in found] == list(range(len(tasks)))
    assert all(need < one.id for one in found for need in one.needs)
    key = lambda one: (one.seconds, one.pipelines, len(one.needs))  # noqa: E731
    assert sorted(map(key, found)) == sorted(map(key, tasks))


def test_long_chains_need_no_recursion() -> None:
    tasks = [task(n, needs=str(n + 1) if n < 4999 else "") for n in range(5000)]
    assert [one.needs for one in ordered(tasks)][:3] == [(), (0,), (1,)]
