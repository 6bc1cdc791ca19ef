"""Results as people see them in a terminal.

Input: jobs and plans. Output: rich renderables.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from mcp_server.text import number, seconds
from tools.jobs import Entry, Job, ranked_entries
from tools.responses import Evaluation, PlanInfo

_SPARSE = 5.0  # seconds between lines where no bar can be drawn
_WIDTH = 120  # of tables in files and pipes


def console(*, stderr: bool = False) -> Console:
    """A console; where it is no terminal, one that is wide enough for tables."""
    found = Console(stderr=stderr, highlight=False)
    if not found.is_terminal:
        found = Console(stderr=stderr, highlight=False, width=_WIDTH)
    return found


def follow(job: Job, target: Console) -> None:
    """Shows the progress of `job` until its end: a bar on a terminal, else a line at times."""
    with _bar(target, len(job.entries)) as show:
        version = -1
        while not job.finished:
            version = job.wait_change(version, 0.2)
            show(job.done, _best(job))
        show(job.done, _best(job))


@contextmanager
def _bar(target: Console, total: int) -> Iterator[Callable[[int, str], None]]:
    if target.is_terminal:
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[best]}"),
            console=target,
            transient=True,
        ) as progress:
            task = progress.add_task("evaluating", total=total, best="")
            yield lambda done, best: progress.update(task, completed=done, best=best)
        return
    began = last = time.monotonic()

    def line(done: int, best: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _SPARSE:
            last = now
            target.print(f"{done} of {total} pipelines, {now - began:.0f} s {best}")

    yield line


def _best(job: Job) -> str:
    top = job.info(limit=1)
    value = top.evaluations[0].metrics.get(top.metric) if top.evaluations else None
    if value is None or value.mean is None:
        return ""
    return f"best {top.metric} {number(value.mean)}"


def leaderboards(entries: Sequence[Entry], limit: int | None = None) -> Iterator[Table]:
    """One table for each dataset, target and ranking metric, best first."""
    groups: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        if entry.evaluation is not None and entry.evaluation.status == "ok":
            groups.setdefault((entry.dataset, entry.target, entry.primary), []).append(entry)
    for (dataset, target, _), members in groups.items():
        ranked = ranked_entries(members)
        evaluations = [entry.evaluation for entry in ranked if entry.evaluation is not None]
        yield leaderboard(f"{dataset}: {target}", evaluations, limit)


def leaderboard(title: str, ranked: Sequence[Evaluation], limit: int | None = None) -> Table:
    metrics = list(dict.fromkeys(name for e in ranked for name in e.metrics))
    more = len(ranked) - limit if limit is not None and len(ranked) > limit else 0
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption=f"and {more} more" if more else None,
        caption_justify="left",
    )
    table.add_column("#", justify="right")
    table.add_column("pipeline", overflow="fold")
    for name in metrics:
        table.add_column(name, justify="right")
    table.add_column("seconds", justify="right")
    table.add_column("reused", justify="right")
    for rank, evaluation in enumerate(ranked[:limit], 1):
        cells = [_cell(evaluation, name) for name in metrics]
        table.add_row(
            str(rank),
            Text(evaluation.name),
            *cells,
            f"{evaluation.seconds:.3f}",
            f"{evaluation.reused_seconds:.3f}",
        )
    return table


def _cell(evaluation: Evaluation, metric: str) -> str:
    value = evaluation.metrics.get(metric)
    if value is None or value.mean is None:
        return "-"
    return f"{number(value.mean)} ± {0.0 if value.std is None else value.std:.2g}"


def failures(evaluations: Sequence[Evaluation]) -> Iterator[Text]:
    """A line or two for each pipeline without a score."""
    for evaluation in evaluations:
        if evaluation.status == "ok":
            continue
        line = Text(f"{evaluation.status}: {evaluation.name}", style="red")
        error = evaluation.error
        if error is not None:
            where = f" at {error.path}" if error.path else ""
            line.append(f"\n  {error.code}{where}: {error.message}", style="default")
            if error.hint:
                line.append(f"\n  {error.hint}", style="default")
        yield line


def shared(plan: PlanInfo, took: float) -> str:
    """What was asked for, and what of it was done."""
    known = f", {plan.scores_known} scores known before" if plan.scores_known else ""
    rules = ", ".join(f"{name} {count}x" for name, count in plan.rules.items() if count)
    return (
        f"{plan.nodes_asked} steps asked for, {plan.nodes_merged} distinct, "
        f"{plan.nodes_rewritten} after rewriting{f' ({rules})' if rules else ''}, "
        f"run as {plan.tasks} tasks{known}; {seconds(took)}"
    )
