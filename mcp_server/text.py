"""Replies as text, for models whose client hands on nothing else.

Input: response models. Output: a few dozen lines at most, with ids, key numbers, and how to get
the rest. Numbers have six significant digits.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mcp_server.replies import JobEnd, JobReply
from tools.responses import (
    DatasetInfo,
    ErrorInfo,
    EstimateErrors,
    Evaluation,
    Leaderboard,
    OperatorInfo,
    PlanInfo,
    QueryResult,
    ServerStatus,
)

_COLUMNS = 40
_WARNINGS = 5


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"


def seconds(value: float) -> str:
    return f"{value:.3g} s" if value < 100 else f"{value:.0f} s"


def error_line(error: ErrorInfo | None) -> str:
    if error is None:
        return "failed"
    where = f" at {error.path}" if error.path else ""
    hint = f" Hint: {error.hint}" if error.hint else ""
    return f"{error.code}{where}: {error.message}{hint}"


def scores(evaluation: Evaluation) -> str:
    """``r2=0.48 ±0.09, rmse=53 ±4``."""
    return ", ".join(
        f"{name}={number(value.mean)} ±{number(value.std)}"
        for name, value in evaluation.metrics.items()
    )


def job(reply: JobReply, start: int) -> str:
    """A job's page that begins after `start` evaluations."""
    lines = [
        f"{reply.job}: {reply.state}, {reply.done} of {reply.total} pipelines done, "
        f"{reply.failed} failed, {seconds(reply.seconds)}."
    ]
    if reply.metric:
        order = "greater is better" if reply.greater_is_better else "less is better"
        cv = next((f" Splits: {e.cv}." for e in reply.evaluations if e.cv), "")
        lines[0] += f" Ranked by {reply.metric} ({order}).{cv}"
    for rank, evaluation in enumerate(reply.evaluations, start + 1):
        lines.append(_evaluation(rank, evaluation))
    if reply.failures:
        lines.append("Failed:")
        lines.extend(f"- {f.name} ({f.id}): {error_line(f.error)}" for f in reply.failures)
    lines.extend(f"Warning about the data: {text[:500]}" for text in reply.warnings[:_WARNINGS])
    lines.extend(_warnings(e.warnings for e in reply.evaluations))
    if len(reply.evaluations) == 1 and reply.evaluations[0].features:
        lines.append(f"Features chosen: {reply.evaluations[0].features}")
    if reply.plan is not None:
        lines.append(shared(reply.plan))
    lines.extend(one.line for one in reply.advice)
    if reply.next:
        lines.append(reply.next)
    return "\n".join(lines)


def job_end(end: JobEnd) -> str:
    return (
        f"{end.job}: {end.state}, {end.done} of {end.total} pipelines were done; "
        f'get_job(job="{end.job}") has them.'
    )


def _evaluation(rank: int, evaluation: Evaluation) -> str:
    label = f"{evaluation.name} ({evaluation.id})"
    if evaluation.status != "ok":
        return f"{rank}. {label} {evaluation.status}: {error_line(evaluation.error)}"
    line = f"{rank}. {label}: {scores(evaluation)}; {seconds(evaluation.seconds)}"
    if evaluation.fidelity == "statistical":
        line += "; statistical fidelity"
    if evaluation.exact is not None:
        values = ", ".join(f"{name}={number(v.mean)}" for name, v in evaluation.exact.items())
        line += f"; exact: {values}"
    held = evaluation.holdout
    if held is not None:
        values = ", ".join(f"{name}={number(value)}" for name, value in held.metrics.items())
        line += f"; on hold-out {held.id} (look {held.looks}): {values}"
    return line


def _warnings(groups: Iterable[Sequence[str]]) -> list[str]:
    counted = Counter(warning for group in groups for warning in group)
    lines = [
        f"Warning{f' ({count} pipelines)' if count > 1 else ''}: {text[:300]}"
        for text, count in counted.most_common(_WARNINGS)
    ]
    if len(counted) > _WARNINGS:
        lines.append(f"... and {len(counted) - _WARNINGS} more kinds of warnings.")
    return lines


def shared(plan: PlanInfo) -> str:
    """What merging the pipelines saved."""
    known = f"; {plan.scores_known} scores were known already" if plan.scores_known else ""
    return (
        f"Shared work: {plan.nodes_asked} steps asked for, {plan.nodes_merged} distinct, "
        f"{plan.nodes_rewritten} after rewriting, run as {plan.tasks} tasks{known}."
    )


def datasets(infos: Sequence[DatasetInfo]) -> str:
    if not infos:
        return "No dataset is registered. Register a file of the workspace with add_dataset."
    lines = []
    for info in infos:
        columns = [f"{c.name} {c.kind}{'?' if c.nullable else ''}" for c in info.columns[:_COLUMNS]]
        more = f", ... {len(info.columns)} columns" if len(info.columns) > _COLUMNS else ""
        lines.append(f"{info.name}: {info.rows} rows; {', '.join(columns)}{more}")
        lines.extend(f"  Warning: {warning}" for warning in info.warnings[:_WARNINGS])
        if info.suspects:
            lines.append(f"  Values that may mean missing (see na_values): {info.suspects}"[:300])
    return "\n".join(lines)


def profile(found: Mapping[str, Any]) -> str:
    lines = [f"{found['dataset']}: {found['rows']} rows, {found.get('column_count', '?')} columns."]
    suggested = found.get("suggested")
    if suggested:
        lines.append(
            f"Suggested: {suggested.get('task')}, metrics {suggested.get('metrics')}, "
            f"cv {suggested.get('cv')}."
        )
    if target := found.get("target"):
        lines.append(f"Target: {_facts(target)}")
    for leak in found.get("leaks") or []:
        lines.append(f"Leak suspect: {_facts(leak) if isinstance(leak, Mapping) else leak}")
    if relations := found.get("relations"):
        tops = [f"{c['column']} {number(c['score'])}" for c in relations["columns"][:10]]
        lines.append(f"Single columns by {relations['measure']}: {', '.join(tops)}")
    if drift := found.get("drift"):
        lines.append(f"Drift: {_facts(drift) if isinstance(drift, Mapping) else drift}"[:800])
    lines.extend(f"Warning: {warning}"[:300] for warning in found.get("warnings") or [])
    if columns := found.get("columns"):
        lines.append("Columns:")
        lines.extend(f"- {_column(column)}" for column in columns)
    if found.get("next"):
        lines.append(str(found["next"]))
    return "\n".join(lines)


def _column(column: Mapping[str, Any]) -> str:
    parts = [f"{column['name']} {column['kind']}"]
    if column.get("missing"):
        parts.append(f"{column['missing']} missing")
    if column.get("distinct") is not None:
        parts.append(f"{column['distinct']} distinct")
    if column.get("min") is not None:
        parts.append(f"{_short(column['min'])} .. {_short(column.get('max'))}")
    if column.get("mean") is not None:
        parts.append(f"mean {_short(column['mean'])}")
    return ", ".join(parts)


def _facts(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in facts.items())[:800]


def _short(value: Any) -> str:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list):
        return "[" + ", ".join(_short(item) for item in value) + "]"
    return str(value)[:80]


def table(found: QueryResult) -> str:
    """Tab-separated, with a header."""
    lines = ["\t".join(found.columns)]
    lines.extend("\t".join(_short(value) for value in row) for row in found.rows)
    if found.truncated:
        lines.append("(more rows: raise limit, or aggregate in SQL)")
    return "\n".join(lines)


def operators(infos: Sequence[OperatorInfo]) -> str:
    if not infos:
        return "No operator matches. Search for a part of a name or for a task, such as 'impute'."
    lines = []
    for info in infos:
        lines.append(f"{info.name} ({info.kind}, {info.library}): {info.summary}")
        if info.parameters:
            listed = [f"{p.name}={p.default}" for p in info.parameters]
            lines.append("  " + ", ".join(listed))
    return "\n".join(lines)


def leaderboard(board: Leaderboard) -> str:
    lines = [
        f"{row.rank}. {row.name} ({row.id}): {row.metric}={number(row.mean)} ±{number(row.std)}; "
        f"{row.dataset}.{row.target}, {row.job}"
        f"{'; statistical fidelity' if row.fidelity == 'statistical' else ''}"
        for row in board.rows
    ]
    lines.append(f"{board.total} evaluations.")
    if board.note:
        lines.append(board.note)
    if board.next_cursor:
        lines.append(f'More: get_leaderboard(cursor="{board.next_cursor}").')
    return "\n".join(lines)


def plan(text: str, errors: Sequence[ErrorInfo]) -> str:
    return "\n".join([text, *(f"Cannot run: {error_line(error)}" for error in errors)])


def estimates(found: EstimateErrors) -> list[str]:
    """How good estimates were, by kind of work: measured seconds by expected ones."""
    lines = [
        f"Estimates: off by a factor of {number(found.median_factor)} (median of "
        f"{found.observations} steps), {found.within_2x:.0%} within a factor of 2; "
        f"measured/expected {number(found.median_ratio)}."
    ]
    lines.extend(
        f"- {kind.kind}: {kind.observations} times, measured/expected "
        f"{number(kind.median_ratio)}, {kind.within_2x:.0%} within a factor of 2"
        for kind in found.kinds
    )
    if found.more_kinds:
        lines.append(f"- and {found.more_kinds} kinds that took less time")
    return lines


def status(found: ServerStatus) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in found.versions.items())
    errors = [] if found.estimates is None else estimates(found.estimates)
    lines = [
        f"Stratum {found.version}: {'ready' if found.ready else 'libraries are still loading'}; "
        f"{found.running} tasks running, {found.waiting} waiting, {found.workers} workers.",
        f"Budget: {found.cores} cores, {found.memory_bytes / 2**30:.1f} GiB.",
        f"Workspace {found.workspace}, home {found.home}: {found.datasets} datasets, "
        f"{found.blocks} stored intermediates ({found.block_bytes / 2**20:.1f} MiB).",
        f"Code steps: {'allowed' if found.code_allowed else 'off'}; sandbox: {found.sandbox}.",
        versions,
        *errors,
    ]
    lines.extend(f"Warning: {warning}" for warning in found.warnings)
    return "\n".join(lines)
