"""Who has had how much: worker seconds, by session and by job.

Input: jobs that come and go, and seconds. Output: the order in which they are to be served: the
least served session first, and of its jobs the least served one. What runs now counts by its
estimate until it has ended.
"""

import math
from collections.abc import Collection, Hashable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


@dataclass
class _Account:
    """Seconds of one key. `running` is how many tasks run for it now, `expected` their seconds."""

    used: float = 0.0
    joined: int = 0
    expected: float = 0.0
    running: int = 0
    members: int = 0

    @property
    def rank(self) -> tuple[float, int, int]:
        return (self.used + self.expected, self.running, self.joined)


class Shares(Generic[K]):
    """Accounts by key.

    Whoever joins begins where the least served of those present stands: neither a newcomer nor
    one who was away for long may claim what others have had before. Whoever leaves and comes
    back soon finds its own account.
    """

    def __init__(self) -> None:
        self._present: dict[K, _Account] = {}
        self._away: dict[K, _Account] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._present)

    def join(self, key: K) -> None:
        """One more member (job) of `key`."""
        account = self._present.get(key)
        if account is None:
            self._count += 1
            account = self._away.pop(key, None) or _Account()
            account.used = max(account.used, self._least())
            account.joined = self._count
            self._present[key] = account
        account.members += 1

    def leave(self, key: K) -> bool:
        """One member of `key` less; whether that was the last."""
        account = self._present[key]
        account.members -= 1
        if account.members:
            return False
        self._away[key] = self._present.pop(key)
        self._forget()
        return True

    def _forget(self) -> None:
        """Drops accounts that would begin anew at the same place."""
        least = self._least() if self._present else math.inf
        self._away = {k: a for k, a in self._away.items() if a.running or a.used > least}

    def begin(self, keys: Collection[K], expected: float) -> None:
        """Something begins to run for `keys` together, for `expected` seconds."""
        for key in keys:
            if (account := self._account(key)) is not None:
                account.expected += expected / len(keys)
                account.running += 1

    def end(self, keys: Collection[K], expected: float) -> None:
        """What `begin` was told has ended."""
        for key in keys:
            if (account := self._account(key)) is not None:
                account.running = max(account.running - 1, 0)
                rest = max(account.expected - expected / len(keys), 0.0)
                account.expected = rest if account.running else 0.0  # no rounding errors stay

    def charge(self, keys: Collection[K], seconds: float) -> None:
        """`seconds` were used by `keys` together; each pays the same."""
        for key in keys:
            if (account := self._account(key)) is not None:
                account.used += seconds / len(keys)

    def order(self) -> list[K]:
        """Those present, the least served first."""
        return sorted(self._present, key=lambda key: self._present[key].rank)

    def _account(self, key: K) -> _Account | None:
        return self._present.get(key) or self._away.get(key)

    def _least(self) -> float:
        return min((account.used for account in self._present.values()), default=0.0)


Sharers = dict[str, set[int]]


class Fairness:
    """Shares of sessions, and of the jobs of each. Jobs are numbers here.

    A session pays the same whether it runs one job or many, and sessions that share a task pay
    equal parts of it.
    """

    def __init__(self) -> None:
        self._sessions: Shares[str] = Shares()
        self._jobs: dict[str, Shares[int]] = {}

    def __len__(self) -> int:
        return len(self._jobs)

    def join(self, session: str, job: int) -> None:
        self._sessions.join(session)
        self._jobs.setdefault(session, Shares()).join(job)

    def leave(self, session: str, job: int) -> None:
        self._jobs[session].leave(job)
        if self._sessions.leave(session):
            del self._jobs[session]

    def begin(self, sharers: Sharers, expected: float) -> None:
        """A task has begun to run for the jobs of `sharers`, by session."""
        self._sessions.begin(sharers, expected)
        for shares, jobs in self._shares(sharers):
            shares.begin(jobs, expected / len(sharers))

    def end(self, began: Sharers, expected: float, sharers: Sharers, seconds: float) -> None:
        """It has ended; those who share it now pay for it."""
        self._sessions.end(began, expected)
        for shares, jobs in self._shares(began):
            shares.end(jobs, expected / len(began))
        self._sessions.charge(sharers, seconds)
        for shares, jobs in self._shares(sharers):
            shares.charge(jobs, seconds / len(sharers))

    def order(self) -> Iterator[int]:
        """Jobs in the order in which they may take the next core."""
        for session in self._sessions.order():
            yield from self._jobs[session].order()

    def _shares(self, sharers: Sharers) -> Iterator[tuple[Shares[int], set[int]]]:
        for session, jobs in sharers.items():
            if (shares := self._jobs.get(session)) is not None:
                yield shares, jobs
