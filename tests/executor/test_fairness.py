"""Who is served next: shares of sessions and of their jobs, by properties."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.fairness import Fairness, Sharers, Shares
from executor.recent import RecentScores
from executor.results import TaskResult
from planner.plan import Task, Value


def serve(fairness: Fairness, owner: dict[int, str], seconds: float) -> int:
    """One task of the job that is next."""
    job = next(fairness.order())
    sharers: Sharers = {owner[job]: {job}}
    fairness.begin(sharers, 1.0)
    fairness.end(sharers, 1.0, sharers, seconds)
    return job


@given(
    jobs=st.lists(st.sampled_from("abc"), min_size=1, max_size=8),
    durations=st.lists(st.floats(0.1, 2.0), min_size=1, max_size=60),
)
def test_no_two_sessions_are_further_apart_than_one_task(
    jobs: list[str], durations: list[float]
) -> None:
    """However many jobs each has, and so it is with the jobs of one session."""
    fairness = Fairness()
    owner = dict(enumerate(jobs))
    for job, session in owner.items():
        fairness.join(session, job)
    by_session: defaultdict[str, float] = defaultdict(float)
    by_job: defaultdict[int, float] = defaultdict(float)
    for seconds in durations:
        job = serve(fairness, owner, seconds)
        by_job[job] += seconds
        by_session[owner[job]] += seconds
        used = [by_session[session] for session in set(jobs)]
        assert max(used) - min(used) <= 2.0 + 1e-9
        for session in set(jobs):
            mine = [by_job[j] for j, s in owner.items() if s == session]
            assert max(mine) - min(mine) <= 2.0 + 1e-9


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.1, 2.0)), max_size=40))
def test_whoever_comes_and_goes_gets_no_more_than_who_stays(turns: list[tuple[str, float]]) -> None:
    """Guests leave after every task; the resident could have had as much as any of them."""
    fairness = Fairness()
    owner = {0: "resident"}
    fairness.join("resident", 0)
    used: defaultdict[str, float] = defaultdict(float)
    for number, (guest, seconds) in enumerate(turns, 1):
        owner[number] = guest
        fairness.join(guest, number)
        while True:
            job = serve(fairness, owner, seconds)
            used[owner[job]] += seconds
            if job == number:
                break
        fairness.leave(guest, number)
        assert used[guest] - used["resident"] <= 2.0 + 1e-9
    assert len(fairness) == 1


def test_sharers_pay_equal_parts() -> None:
    fairness = Fairness()
    for session, job in (("a", 1), ("a", 2), ("b", 3), ("c", 4)):
        fairness.join(session, job)
    together: Sharers = {"a": {1, 2}, "b": {3}}
    fairness.begin(together, 6.0)
    assert next(fairness.order()) == 4
    fairness.end(together, 6.0, together, 6.0)
    assert fairness._sessions._present["a"].used == 3.0
    assert fairness._jobs["a"]._present[1].used == 1.5
    assert fairness._sessions._present["b"].used == 3.0
    assert fairness._sessions._present["b"].expected == 0.0


def test_accounts_of_those_away_are_not_kept_for_ever() -> None:
    shares: Shares[str] = Shares()
    shares.join("stays")
    for number in range(100):
        key = f"s{number}"
        shares.join(key)
        shares.charge([key], 1.0)
        shares.leave(key)
    assert len(shares._away) == 100  # all are ahead of the one that stays
    shares.charge(["stays"], 2.0)
    shares.join("last")
    shares.leave("last")
    assert not shares._away


class TestRecent:
    def note(self, recent: RecentScores, *names: str) -> None:
        recent.note(TaskResult({Value(name, 0): 1.0 for name in names}), 2.0)

    def task(self, *names: str, saves: tuple[str, ...] = ()) -> Task:
        scores = tuple(Value(name, 0) for name in names)
        return Task(0, (), (), tuple(Value(name) for name in saves), scores, (), (0,))

    def test_all_scores_must_be_there_and_all_blocks(self) -> None:
        recent = RecentScores()
        self.note(recent, "a", "b")
        self.note(recent, "c")
        found = recent.answer(self.task("a", "c"), lambda name: True)
        assert found is not None
        assert set(found.result.scores) == {Value("a", 0), Value("c", 0)}
        assert recent.answer(self.task("a", "d"), lambda name: True) is None
        assert recent.answer(self.task("a", saves=("x",)), lambda name: False) is None
        assert recent.answer(self.task(saves=("x",)), lambda name: True) is None

    def test_the_oldest_go_first(self) -> None:
        recent = RecentScores(limit=2)
        for name in "aba":
            self.note(recent, name)
        self.note(recent, "c")
        assert recent.answer(self.task("b"), lambda name: True) is None
        assert recent.answer(self.task("a"), lambda name: True) is not None
        assert len(recent) == 2


@pytest.mark.parametrize("seconds", [0.0, 5.0])
def test_what_runs_for_a_session_that_has_left_is_still_charged(seconds: float) -> None:
    fairness = Fairness()
    fairness.join("a", 1)
    fairness.join("b", 2)
    mine: Sharers = {"a": {1}}
    fairness.begin(mine, 1.0)
    fairness.leave("a", 1)
    fairness.end(mine, 1.0, mine, seconds)
    fairness.join("a", 3)
    assert next(fairness.order()) == 2
    assert fairness._sessions._present["a"].used == seconds
