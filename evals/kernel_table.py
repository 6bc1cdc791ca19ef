"""The table of the kernels' benchmark. Input: rows. Output: a table of Rich, or Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from evals.kernel_cases.base import Case, Machine, Outcome

COLUMNS = (
    "case", "ours ms", "libraries over ours", "over limit", "two threads", "memory", "difference",
    "targets",
)  # fmt: skip
_LEFT = ("case", "libraries over ours", "two threads", "targets")


@dataclass(frozen=True)
class Row:
    """What was measured of a case, and its targets: speed-up, over what, and whether it is met."""

    kernel: str
    name: str
    outcome: Outcome
    targets: tuple[tuple[float, str, bool], ...]


def judged(case: Case, outcome: Outcome) -> Row:
    """A target is met if the kernel is that much faster and gives the library's values."""
    targets = []
    for target in case.targets:
        against = outcome.libraries[target.over]
        fast = not isinstance(against, str) and against >= target.times * outcome.ours
        right = bool(outcome.difference <= outcome.bound)
        targets.append((target.times, target.over, fast and right))
    return Row(case.kernel, case.name, outcome, tuple(targets))


def cells(row: Row) -> tuple[str, ...]:
    """The text of each of `COLUMNS`."""
    one = row.outcome
    declined = f" ({one.declined} left to the library)" if one.declined else ""
    libraries = (
        f"{name} {taken if isinstance(taken, str) else _times(taken / one.ours)}"
        for name, taken in one.libraries.items()
    )
    two = "-"
    if one.two is not None:
        over = _times(one.two.theirs / one.two.ours)
        two = f"{one.two.alone / one.two.ours:.2f}x; {one.two.library} {over}"
    targets = (
        f"{times:g}x {name}: {'met' if met else 'missed'}" for times, name, met in row.targets
    )
    return (
        f"{row.kernel}: {row.name}{declined}",
        f"{1e3 * one.ours:.3g}" if one.ours < 1 else f"{1e3 * one.ours:,.0f}",
        ", ".join(libraries),
        _times(one.ours / one.limit),
        two,
        f"{one.memory.added / one.memory.given:.2f}",
        "0" if one.difference == 0 else f"{one.difference:.0e}".replace("e-0", "e-"),
        ", ".join(targets) or "-",
    )


def _times(ratio: float) -> str:
    return f"{ratio:.0f}x" if ratio >= 20 else f"{ratio:.1f}x"


def table(rows: Sequence[Row]) -> Table:
    found = Table(title="Kernels, one thread")
    for title in COLUMNS:
        found.add_column(title, justify="left" if title in _LEFT else "right")
    for row in rows:
        found.add_row(*cells(row))
    return found


def markdown(rows: Sequence[Row], machine: Machine, setting: str) -> str:
    """The section of the documentation that a run writes."""
    lines = [
        setting,
        "",
        f"Memory {machine.bandwidth / 1e9:.1f} GB/s, matrix products "
        f"{machine.rate / 1e9:.1f} GFLOP/s, at one thread. {summary(rows)}.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'|'.join(' --- ' if title in _LEFT else ' ---: ' for title in COLUMNS)}|",
    ]
    lines += [f"| {' | '.join(cells(row))} |" for row in rows]
    return "\n".join(lines)


def summary(rows: Sequence[Row]) -> str:
    met = [met for row in rows for _, _, met in row.targets]
    return f"{sum(met)} of {len(met)} targets met"
