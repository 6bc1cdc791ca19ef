"""Explanations of plans. Input: a request that was built and compiled. Output: a response."""

from collections.abc import Sequence

from planner.compile import Compiled
from planner.explain import graph_json, plan_text
from planner.finish import time_to_finish
from planner.plan import Task
from tools.batches import Request
from tools.jobs import error_info
from tools.responses import Advice, Explanation, PlanInfo


def plan_info(compiled: Compiled, tasks: Sequence[Task], cores: int) -> PlanInfo:
    """What planning made of a batch, of which `tasks` are to run, on `cores`."""
    return PlanInfo(
        nodes_asked=compiled.asked,
        nodes_merged=compiled.merged,
        nodes_rewritten=compiled.rewritten,
        tasks=len(tasks),
        scores_known=compiled.known,
        rules=compiled.rules,
        expected_seconds=round(time_to_finish(tasks, cores), 3),
        core_seconds=round(sum(task.seconds for task in tasks), 3),
    )


def explanation(
    request: Request, compiled: Compiled, cores: int, advice: Sequence[Advice] = ()
) -> Explanation:
    """Counts, text, the rewritten graph, and the errors of pipelines that cannot run."""
    tasks = compiled.plan.tasks
    names = [entry.name for entry in request.job.entries]
    lines = [plan_text(compiled, names, cores), *_inexact(request)]
    return Explanation(
        plan=plan_info(compiled, tasks, cores),
        text="\n".join([*lines, *(one.line for one in advice)]),
        graph=graph_json(compiled),
        errors=[error_info(error) for error in request.errors.values()],
        advice=list(advice),
    )


def _inexact(request: Request) -> list[str]:
    """A line about pipelines that kernels are to score, if there are any."""
    entries = request.job.entries
    count = sum(entry.fidelity == "statistical" for entry in entries)
    if not count:
        return []
    return [
        f"Fidelity: kernels stand in for models of {count} of {len(entries)} pipelines, whose "
        "scores are equal to the library's in distribution. The others are exact."
    ]
