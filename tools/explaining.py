"""Explanations of plans. Input: a request that was built and compiled. Output: a response."""

from planner.compile import Compiled
from planner.explain import graph_json, plan_text
from tools.batches import Request
from tools.jobs import error_info
from tools.responses import Explanation, PlanInfo


def plan_info(compiled: Compiled, tasks: int, seconds: float) -> PlanInfo:
    return PlanInfo(
        nodes_asked=compiled.asked,
        nodes_merged=compiled.merged,
        nodes_rewritten=compiled.rewritten,
        tasks=tasks,
        scores_known=compiled.known,
        rules=compiled.rules,
        expected_seconds=round(seconds, 3),
    )


def explanation(request: Request, compiled: Compiled) -> Explanation:
    """Counts, text, the rewritten graph, and the errors of pipelines that cannot run."""
    tasks = compiled.plan.tasks
    names = [entry.name for entry in request.job.entries]
    return Explanation(
        plan=plan_info(compiled, len(tasks), sum(task.seconds for task in tasks)),
        text=plan_text(compiled, names),
        graph=graph_json(compiled),
        errors=[error_info(error) for error in request.errors.values()],
    )
