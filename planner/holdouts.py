"""The hold-out that the server keeps (``evaluate.holdout``), as ops.

Input: the settings of an evaluation and the splitter of its folds. Output: the `HoldoutRows` op,
what is left for the folds, and the one split by which a finalist is confirmed. Not to be mixed up
with ``{"cv": {"holdout": ...}}``, a cross-validation of one split, whose scores rank.
"""

from math import ceil

from planner.errors import SpecError
from planner.expressions import Call
from planner.ops import Task
from planner.ops_holdout import CONFIRM, HoldoutRows
from planner.spec import EvaluateSpec, KeptHoldout
from planner.splitters import SplitterFacts

PLACE = "evaluate.holdout"
# What a refit watches whose folds had stopped on the rows that were scored.
INNER = 0.1


def settings(evaluate: EvaluateSpec) -> KeptHoldout | None:
    """The hold-out asked for, a bare fraction written out."""
    given = evaluate.holdout
    return KeptHoldout(fraction=given) if isinstance(given, float) else given


def rows_of(
    kept: KeptHoldout, facts: SplitterFacts, evaluate: EvaluateSpec, target: str, task: Task
) -> HoldoutRows:
    """Which rows are kept aside for folds made by `facts.call`.

    Ordered in time, the last ones; with groups, whole groups; else rows drawn at random,
    stratified by a target of classes.

    Raises:
        SpecError: ``holdout_unsupported`` where that cannot be, ``stratify_continuous``.
    """
    name = facts.call.name
    groups = kept.groups or evaluate.groups
    if name == "PredefinedSplit":
        raise _unsupported(
            "PredefinedSplit says of each row where it is validated, so no hold-out can be drawn.",
            "Filter the rows to hold out in `prepare`, or use another splitter.",
        )
    if name == "TimeSeriesSplit":
        if kept.groups is not None or kept.stratify:
            raise _unsupported(
                "TimeSeriesSplit has its hold-out at the end of the rows, neither drawn by groups "
                "nor stratified.",
                'Write {"fraction": ...} alone.',
            )
        return HoldoutRows("last", kept.fraction)
    if groups is not None:
        if kept.stratify:
            raise _unsupported(
                "A hold-out of whole groups is not stratified.", "Leave `stratify` out."
            )
        if name.startswith("Leave") and not (facts.needs_groups and groups == evaluate.groups):
            raise _unsupported(
                f"How many folds {name} makes depends on which groups are held out.",
                "Use a splitter with a number of folds, such as GroupKFold(5).",
            )
        return HoldoutRows("groups", kept.fraction, kept.seed, groups=groups)
    if kept.stratify and task == "regression":
        raise SpecError(
            "stratify_continuous",
            "The hold-out is to be stratified, but the target is a number.",
            path=f"{PLACE}.stratify",
            hint="Leave `stratify` out, or use a classifier.",
        )
    stratified = task != "regression" if kept.stratify is None else kept.stratify
    return HoldoutRows("rows", kept.fraction, kept.seed, target=target if stratified else None)


def left(op: HoldoutRows, count: int) -> int:
    """How many of `count` rows (of groups, if it draws groups) stay outside."""
    return count - ceil(op.fraction * count)


def split_of(facts: SplitterFacts) -> Call:
    """The splitter of a confirmation: all rows outside against those inside. What a time series
    leaves out between training and validation is left out here as well."""
    values = dict(facts.call.params) if facts.call.name == "TimeSeriesSplit" else {}
    kept = {name: values[name] for name in ("gap", "max_train_size") if values.get(name)}
    return Call(CONFIRM, tuple(sorted(kept.items(), key=lambda item: item[0])))


def _unsupported(message: str, hint: str) -> SpecError:
    return SpecError("holdout_unsupported", message, path=PLACE, hint=hint)
