"""How long a plan takes on a number of cores.

Input: tasks in the order in which they are preferred, each with its expected seconds. Output:
seconds until the last one ends: the tasks are packed as the scheduler would, so that the longest
chain, and cores that find nothing to do, count.
"""

import heapq
from collections import defaultdict
from collections.abc import Sequence

from planner.plan import Task


def time_to_finish(tasks: Sequence[Task], cores: int) -> float:
    """Expected seconds until all of `tasks` have ended, on `cores` that do nothing else.

    A task takes as many cores as it declares, at most all; what is needed but not among `tasks`
    counts as there.
    """
    cores = max(cores, 1)
    position = {task.id: at for at, task in enumerate(tasks)}
    users: defaultdict[int, list[int]] = defaultdict(list)
    missing = [0] * len(tasks)
    for at, task in enumerate(tasks):
        for need in task.needs:
            if need in position:
                users[position[need]].append(at)
                missing[at] += 1
    ready = [at for at, count in enumerate(missing) if not count]  # sorted, and so a heap
    running: list[tuple[float, int, int]] = []  # end, task, threads
    now, free = 0.0, cores
    while ready or running:
        while ready and min(tasks[ready[0]].threads, cores) <= free:
            at = heapq.heappop(ready)
            threads = min(tasks[at].threads, cores)
            free -= threads
            heapq.heappush(running, (now + max(tasks[at].seconds, 0.0), at, threads))
        now, at, threads = heapq.heappop(running)
        free += threads
        for user in users[at]:
            missing[user] -= 1
            if not missing[user]:
                heapq.heappush(ready, user)
    return now


def shares(tasks: Sequence[Task]) -> dict[int, float]:
    """Expected seconds of each pipeline, shared tasks divided by who shares them."""
    found: defaultdict[int, float] = defaultdict(float)
    for task in tasks:
        for pipeline in task.pipelines:
            found[pipeline] += task.seconds / len(task.pipelines)
    return dict(found)
