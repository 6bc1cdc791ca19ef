"""Single calls that wait for a worker, fair between sessions.

Input: calls (ingest, profile, query, statistics). Output: the next one to run. Calls go ahead of
tasks, since somebody waits for each; their number is bounded all the same.
"""

from collections import deque
from collections.abc import Iterator, Mapping

from executor.running import Running

# Beyond the cores, so that fits do not hold calls up.
EXTRA = 2
# Beyond those, for sessions none of whose calls runs: many slow calls of one hold up no other.
RESERVED = 2


class Calls:
    """Calls by session, which take turns."""

    def __init__(self) -> None:
        self._sessions: dict[str, deque[Running]] = {}  # in the order of their turns

    def __len__(self) -> int:
        return sum(len(calls) for calls in tuple(self._sessions.values()))

    def __iter__(self) -> Iterator[Running]:
        return iter([call for calls in self._sessions.values() for call in calls])

    def append(self, call: Running) -> None:
        self._sessions.setdefault(call.session, deque()).append(call)

    def again(self, call: Running) -> None:
        """Puts a call back that has begun."""
        self._sessions.setdefault(call.session, deque()).appendleft(call)

    def next(self, running: Mapping[str, int], cores: int) -> Running | None:
        """The call to run next, if any may; `running` says how many do, by session. It stays."""
        count = sum(running.values())
        if count >= cores + EXTRA + RESERVED:
            return None
        for session, calls in self._sessions.items():
            if count < cores + EXTRA or not running.get(session):
                return calls[0]
        return None

    def remove(self, call: Running) -> None:
        """It runs now, or is not wanted any more; the turn goes to the next session."""
        calls = self._sessions.pop(call.session)
        calls.remove(call)
        if calls:
            self._sessions[call.session] = calls
