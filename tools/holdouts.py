"""What a look at a hold-out is.

Input: pipelines built and scored. Output: ids of hold-outs, the scores shown, and the words that
go with them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps

from executor.catalog import Catalog
from executor.catalog_rows import digest
from executor.results import Outcome
from planner.build import Built
from planner.ops import Vector
from planner.ops_holdout import HoldoutRows
from planner.render import render
from tools.jobs import Entry, metric_value
from tools.responses import HoldoutScore, MetricValue


@dataclass(frozen=True)
class Finalist:
    """A pipeline that is confirmed.

    Attributes:
        folds: Its outcome by cross-validation, which stays what it is.
        holdout: Of which hold-out the rows are.
        text: How settings name it.
        look: What is scored on it: equal for equal fits.
        confirmed: Its outcome on the hold-out.
        exact: Whether it is confirmed on its own folds, by the library, instead.
    """

    folds: Outcome
    holdout: str = ""
    text: str = ""
    look: str = ""
    confirmed: Outcome | None = None
    exact: bool = False

    @property
    def scored(self) -> bool:
        return self.confirmed is not None and self.confirmed.status == "ok"


def holdout_id(built: Built) -> str:
    """The same for the same rows of the same data and target, whatever else a pipeline does, and
    whatever the versions of libraries."""
    assert built.holdout is not None
    assert isinstance(built.target.op, Vector)
    rows = render(built.rows)
    scans = sorted(fingerprint for _, fingerprint in rows.scans)
    return "ho_" + digest([rows.sql, scans, built.target.op.column, repr(built.holdout.op)])[:10]


def finalist(folds: Outcome, built: Built) -> Finalist:
    """A pipeline built to be confirmed, before it is."""
    assert built.holdout is not None
    assert isinstance(built.holdout.op, HoldoutRows)
    return Finalist(
        folds,
        holdout_id(built),
        built.holdout.op.text,
        digest(sorted(node.key for nodes in built.scores.values() for node in nodes)),
    )


def count_looks(catalog: Catalog, finalists: Mapping[int, Finalist]) -> dict[str, int]:
    """How many pipelines each hold-out has scored, these included."""
    looks: dict[str, list[str]] = {}
    for found in finalists.values():
        if found.scored and not found.exact:
            looks.setdefault(found.holdout, []).append(found.look)
    return catalog.add_looks(looks)


def score(found: Finalist, looks: Mapping[str, int]) -> HoldoutScore | None:
    """What is shown of a confirmation, if there is anything."""
    if found.confirmed is None or not found.scored:
        return None
    metrics = {name: metric_value(m).mean for name, m in found.confirmed.metrics.items()}
    return HoldoutScore(id=found.holdout, metrics=metrics, looks=looks[found.holdout])


def notes(
    catalog: Catalog, found: Finalist, entry: Entry, looks: Mapping[str, int]
) -> tuple[str, ...]:
    """Warnings about a confirmation."""
    confirmed = found.confirmed
    if confirmed is None:
        return ()
    if confirmed.error is not None:
        error = confirmed.error
        return (f"It has no score on the hold-out: [{error.code}] {error.message}",)
    texts = list(confirmed.warnings)
    count = looks[found.holdout]
    if count > 1:
        texts.append(
            f"{count} pipelines have been scored on the hold-out {found.holdout} by now. Each look "
            "weakens it: choose by the folds, and read the hold-out as a check."
        )
    named = dumps(f"outside hold-out {found.text}")[1:]
    if catalog.scored_outside(entry.dataset, entry.target, named):
        texts.append(
            f"Other evaluations of '{entry.target}' had rows of this hold-out in their folds (they "
            "had none, or another one): what was chosen by them makes its scores optimistic."
        )
    return tuple(texts)


def exact_metrics(found: Finalist) -> dict[str, MetricValue] | None:
    """The library's own scores of a finalist on its folds, if there are any."""
    if found.confirmed is None or not found.scored:
        return None
    return {name: metric_value(value) for name, value in found.confirmed.metrics.items()}


def exact_notes(found: Finalist) -> tuple[str, ...]:
    """Warnings about an exact confirmation."""
    if found.confirmed is None:
        return ()
    if found.confirmed.error is not None:
        error = found.confirmed.error
        return (f"It could not be confirmed exactly: [{error.code}] {error.message}",)
    return found.confirmed.warnings
