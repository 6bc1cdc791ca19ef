"""Leaderboards and jobs from the catalog, also of earlier processes.

Input: stored evaluations. Output: responses.
"""

from typing import Any

from executor.catalog import Catalog
from executor.catalog_rows import EvaluationRow
from planner.errors import SpecError
from tools.data_watch import job_memo
from tools.responses import (
    ErrorInfo,
    Evaluation,
    HoldoutScore,
    JobInfo,
    Leaderboard,
    LeaderboardRow,
    MetricValue,
)


def leaderboard(
    catalog: Catalog, metric: str | None, dataset: str | None, limit: int, cursor: str | None
) -> Leaderboard:
    """Evaluations of one metric, best first; by default the metric used last."""
    if metric is None:
        metric = _latest_metric(catalog, dataset)
        if metric is None:
            return Leaderboard(rows=[], total=0, note="Nothing has been evaluated yet.")
    start, inner = _parse_cursor(cursor)
    page = catalog.leaderboard(metric, dataset=dataset, limit=limit, cursor=inner)
    note = ""
    if len(page.groups) > 1:
        note = (
            f"{len(page.groups)} different settings (data, target, splits) are mixed; scores are "
            "comparable only within equal dataset, target and cv."
        )
    rows = [_row(row, metric, start + rank) for rank, row in enumerate(page.rows, 1)]
    following = None if page.cursor is None else f"{start + len(rows)}/{page.cursor}"
    return Leaderboard(rows=rows, total=page.total, next_cursor=following, note=note)


def _parse_cursor(cursor: str | None) -> tuple[int, str | None]:
    """Rows on the pages before, and the catalog's own cursor."""
    if cursor is None:
        return 0, None
    start, _, inner = cursor.partition("/")
    # What is no cursor of ours is none of the catalog's either, and it says so best.
    return (int(start), inner) if start.isdecimal() and len(start) < 10 else (0, cursor)


def _latest_metric(catalog: Catalog, dataset: str | None) -> str | None:
    for job in catalog.list_jobs(20):
        for row in catalog.evaluations(job.id, limit=20):
            if row.metric and (dataset is None or row.dataset == dataset):
                return row.metric
    return None


def _row(row: EvaluationRow, metric: str, rank: int) -> LeaderboardRow:
    value = row.metrics.get(metric, {})
    return LeaderboardRow(
        rank=rank,
        name=row.name,
        id=row.id,
        dataset=row.dataset,
        target=row.target,
        metric=metric,
        mean=value.get("mean"),
        std=value.get("std"),
        seconds=round(row.seconds, 3),
        job=row.job,
        fidelity=_settings(row).get("fidelity", "exact"),
    )


def stored_job(catalog: Catalog, id: str, limit: int | None, cursor: int) -> JobInfo:
    """A job as the catalog knows it; SpecError `unknown_job`, or what was wrong with the request
    of a job that could not be planned."""
    job = catalog.get_job(id)
    if job.error is not None:  # it could not be planned
        raise SpecError(**job.error)
    rows = catalog.evaluations(id)
    scored = [row.status == "ok" and row.score is not None for row in rows]
    ok = [row for row, is_scored in zip(rows, scored, strict=True) if is_scored]
    better = not ok or ok[0].direction == "maximize"
    ok.sort(key=lambda row: row.score or 0.0, reverse=better)
    ranked = [*ok, *(row for row, is_scored in zip(rows, scored, strict=True) if not is_scored)]
    stop = len(ranked) if limit is None else cursor + limit
    ended = job.finished or job.started or job.created
    return JobInfo(
        job=job.id,
        kind=job.kind,
        state=job.state,
        total=job.total,
        done=len(rows),
        failed=sum(1 for row in rows if row.status != "ok"),
        seconds=round(ended - (job.started or job.created), 3),
        metric=ok[0].metric if ok else "",
        greater_is_better=better,
        evaluations=[stored_evaluation(row) for row in ranked[cursor:stop]],
        next_cursor=str(stop) if stop < len(ranked) else None,
        warnings=catalog.get_memos([job_memo(id)]).get(job_memo(id), []),
    )


def stored_evaluation(row: EvaluationRow) -> Evaluation:
    shown = _settings(row)
    return Evaluation(
        name=row.name,
        id=row.id,
        status=row.status,
        metrics={
            name: MetricValue(
                mean=value.get("mean"), std=value.get("std"), folds=list(value.get("folds", []))
            )
            for name, value in row.metrics.items()
        },
        seconds=round(row.seconds, 6),
        reused_seconds=round(row.reused_seconds, 6),
        warnings=[str(warning) for warning in row.warnings],
        error=None if row.error is None else ErrorInfo(**row.error),
        cv=shown.get("cv", ""),
        features=shown.get("features"),
        holdout=HoldoutScore(**kept) if (kept := shown.get("holdout")) else None,
        fidelity=shown.get("fidelity", "exact"),
        exact=shown.get("exact"),
    )


def _settings(row: EvaluationRow) -> dict[str, Any]:
    return row.settings if isinstance(row.settings, dict) else {}
