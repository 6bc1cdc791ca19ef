"""Results of tasks that have just ended, for jobs that come a moment too late to share them.

Input: tasks and their results. Output: the result of a later task that wants the same values.
The catalog keeps scores of which all folds are known; until then they are found here.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from executor.results import TaskResult
from planner.plan import Task, Value

LIMIT = 50_000  # scores


@dataclass(frozen=True)
class Answered:
    """The result of a task, and the worker seconds that it had cost."""

    result: TaskResult
    seconds: float


class RecentScores:
    """At most `limit` scores, the latest."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._found: OrderedDict[Value, Answered] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def note(self, result: TaskResult, seconds: float) -> None:
        """A task has ended after `seconds`."""
        answered = Answered(result, seconds)
        for value in result.scores:
            self._found[value] = answered
            self._found.move_to_end(value)
        while len(self._found) > self._limit:
            self._found.popitem(last=False)

    def answer(self, task: Task, stored: Callable[[str], bool]) -> Answered | None:
        """The result of `task`, if all its scores are here and all its blocks are `stored`."""
        if not task.scores or any(value not in self._found for value in task.scores):
            return None
        if not all(stored(value.name) for value in task.saves):
            return None
        found = {id(a): a for value in task.scores if (a := self._found[value])}
        warnings: dict[str, tuple[str, ...]] = {}
        for answered in found.values():
            warnings.update(answered.result.warnings)
        scores = {value: self._found[value].result.scores[value] for value in task.scores}
        seconds = max(answered.seconds for answered in found.values())
        return Answered(TaskResult(scores, warnings=warnings), seconds)
