"""The split of one pipeline: the folds it is scored on, and the rows kept aside from them.

Input: the prepared table and the settings of the evaluation. Output: a `Split` of nodes.
"""

from dataclasses import dataclass

from planner import expressions, holdouts, lineage, relational, splitters
from planner.binder import has_mask, schema
from planner.environment import Environment
from planner.expressions import Call
from planner.graph import Node
from planner.ops import Folds, Task
from planner.ops_holdout import HoldoutRows
from planner.spec import Holdout
from planner.steps import parse_steps
from planner.tableops import TRAIN_MASK

PLACE = "evaluate.cv"


@dataclass(frozen=True)
class Split:
    """Folds, the rows that they are made without, and the columns that only split.

    `text` is for results; scores with different ones are not compared.
    """

    folds: Node
    holdout: Node | None
    text: str
    columns: frozenset[str]
    warnings: tuple[str, ...] = ()


def split(env: Environment, table: Node, target: str, target_path: str, task: Task) -> Split:
    """The split for `table`. To confirm, its one fold is (rows outside, rows inside) of the
    hold-out.

    Raises:
        SpecError: as of `expressions.parse`, `splitters` and `holdouts`; `unknown_column`.
    """
    evaluate = env.evaluate
    facts = splitters.describe(_splitter(env, task), evaluate.groups, evaluate.seed, PLACE)
    holdout, warnings = _holdout(env, table, target, task, facts)
    op = None if holdout is None else holdout.op
    assert op is None or isinstance(op, HoldoutRows)
    text = expressions.text(facts.call)
    if op is not None:
        text += f" outside hold-out {op.text}"
    if env.confirm:
        facts = splitters.SplitterFacts(holdouts.split_of(facts))
    names = []
    for name, where in (
        (target if facts.needs_target else None, target_path),
        (evaluate.groups if facts.needs_groups else None, "evaluate.groups"),
        (facts.fold_column, PLACE),
    ):
        if name is not None:
            schema(table).require(name, where)
            names.append(name)
    masked = has_mask(table)
    needed = list(dict.fromkeys(names + ([TRAIN_MASK] if masked else [])))
    source = env.narrow(table, needed)
    folds = Folds(
        splitter=facts.call,
        count=1 if env.confirm else _count(env, facts, source, op),
        target=target if facts.needs_target else None,
        groups=evaluate.groups if facts.needs_groups else None,
        fold_column=facts.fold_column,
        train_mask=TRAIN_MASK if masked else None,
    )
    inputs = (source,) if holdout is None else (source, holdout)
    aside = {evaluate.groups, facts.fold_column, None if op is None else op.groups}
    return Split(
        env.graph.node(folds, *inputs),
        holdout,
        text,
        frozenset(name for name in aside if name is not None),
        warnings,
    )


def _splitter(env: Environment, task: Task) -> Call:
    cv = env.evaluate.cv
    if cv is None:
        return splitters.default_cv(task, env.evaluate.groups is not None, env.evaluate.seed)
    if isinstance(cv, Holdout):
        return splitters.holdout(cv)
    return expressions.parse(cv, env.registry, PLACE)


def _count(
    env: Environment, facts: splitters.SplitterFacts, source: Node, op: HoldoutRows | None
) -> int:
    """The number of folds, on the rows (or groups) that a hold-out leaves."""

    def left(count: int) -> int:
        return count if op is None else holdouts.left(op, count)

    return splitters.count(
        facts.call,
        lambda: left(env.statistics.rows(source)),
        lambda name: left(_distinct(env, source, name, name == facts.fold_column)),
        groups=env.evaluate.groups,
        path=PLACE,
    )


def _distinct(env: Environment, table: Node, name: str, folds: bool) -> int:
    """Distinct values of a column; of a PredefinedSplit's without -1, which is no fold."""
    if folds:
        quoted = name.replace('"', '""')
        steps = parse_steps([{"filter": f'"{quoted}" <> -1'}], PLACE)
        table = relational.prepare(env.graph, table, steps, env.datasets, PLACE)
    return env.statistics.distinct(table, name)


def _holdout(
    env: Environment, table: Node, target: str, task: Task, facts: splitters.SplitterFacts
) -> tuple[Node | None, tuple[str, ...]]:
    """The rows kept aside, if the request asks for that, and warnings."""
    kept = holdouts.settings(env.evaluate)
    if kept is None:
        return None, ()
    op = holdouts.rows_of(kept, facts, env.evaluate, target, task)
    if op.groups is not None:
        place = "evaluate.groups" if kept.groups is None else f"{holdouts.PLACE}.groups"
        schema(table).require(op.groups, place)
    names = [name for name in (op.target, op.groups) if name is not None]
    node = env.graph.node(op, env.narrow(table, names))
    if env.confirm or not lineage.chooses_rows(table):
        return node, ()
    return node, (
        "Its data steps choose rows, so its hold-out has other rows than that of pipelines with "
        "other such steps.",
    )
