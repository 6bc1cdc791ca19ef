"""What the demo shows at its end: results of both sides in, tables out."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mcp_server.demo_pipelines import Spec
from mcp_server.demo_session import Alone, Answer

_TOP = 5
# Above this, two sides do not compute the same thing. Boosting libraries sum in another order
# with several threads, and split ties differently.
_TOLERANCE = 0.02
_LOSSES = {"rmse", "mae", "logloss"}


def leaderboards(console: Console, answer: Answer) -> None:
    """The best pipelines of each dataset, the failures, and what was shared."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for name, evaluation in answer.evaluations.items():
        if evaluation["status"] == "ok":
            groups.setdefault(name.partition(": ")[0], []).append(evaluation)
    for dataset, members in groups.items():
        console.print(_leaderboard(dataset, members))
    for name, evaluation in answer.evaluations.items():
        if error := evaluation["error"]:
            text = Text(f"\nfailed: {name}", style="red")
            text.append(f"\n  {error['code']} at {error['path']}: {error['message']}", "default")
            text.append(f"\n  {error['hint']}", "default")
            console.print(text)
    plan = answer.plan
    rules = ", ".join(f"{name} {count}x" for name, count in plan["rules"].items() if count)
    console.print(
        f"\nShared: {plan['nodes_asked']:,} steps asked for, {plan['nodes_merged']:,} distinct, "
        f"{plan['nodes_rewritten']:,} after rewriting{f' ({rules})' if rules else ''}, run as "
        f"{plan['tasks']:,} tasks.\n",
        markup=False,
    )


def _leaderboard(dataset: str, members: list[dict[str, Any]]) -> Table:
    metrics = list(members[0]["metrics"])
    sign = 1 if metrics[0] in _LOSSES else -1
    ranked = sorted(members, key=lambda e: sign * e["metrics"][metrics[0]]["mean"])
    table = Table(
        title=f"\n{dataset}: the best {min(_TOP, len(ranked))} of {len(ranked)}",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("#", justify="right")
    table.add_column("pipeline", min_width=44)
    for metric in metrics:
        table.add_column(metric, justify="right", min_width=18)
    for rank, evaluation in enumerate(ranked[:_TOP], 1):
        values = [evaluation["metrics"][metric] for metric in metrics]
        cells = [f"{value['mean']:.6g} ± {value['std']:.2g}" for value in values]
        table.add_row(str(rank), Text(evaluation["name"].partition(": ")[2]), *cells)
    return table


def comparison(
    console: Console,
    specs: list[Spec],
    answer: Answer,
    adding: float,
    alone: Alone,
    again: Answer,
) -> int:
    """Times and agreement; 0 if the scores agree."""
    for name, error in alone.errors.items():
        console.print(f"plain scikit-learn failed on {name}: {error}", style="yellow", markup=False)
    compared = [name for name in alone.metrics if name in answer.evaluations]
    plain = sum(alone.seconds.values())
    first = adding + answer.seconds
    table = Table(
        title=f"The same {len(compared)} pipelines, wall time without starting and importing",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("", min_width=44)
    table.add_column("seconds", justify="right")
    table.add_column("ratio", justify="right")
    table.add_row("plain pandas and scikit-learn, one by one", f"{plain:.2f}", "1x")
    table.add_row("Stratum, reading the files included", f"{first:.2f}", f"{plain / first:.1f}x")
    table.add_row(
        "Stratum, the same batch again", f"{again.seconds:.3f}", f"{plain / again.seconds:,.0f}x"
    )
    console.print(table)
    worst = _agreement(specs, answer, alone)
    shown = ", ".join(f"{family} {value:.1e}" for family, value in worst.items())
    console.print(f"Largest relative difference of a score: {shown}")
    console.print(
        f"The second time took 1/{answer.seconds / again.seconds:,.0f} of the first, from stored "
        "scores."
    )
    return 0 if compared and max(worst.values()) < _TOLERANCE else 1


def _agreement(specs: list[Spec], answer: Answer, alone: Alone) -> dict[str, float]:
    """The largest relative difference by library; infinite where one side has no score."""
    worst: dict[str, float] = {}
    for spec in specs:
        expected = alone.metrics.get(spec["name"])
        if expected is None:
            continue
        family = {"LGBM": "LightGBM", "XGBC": "XGBoost", "XGBR": "XGBoost"}.get(
            spec["model"][:4], "scikit-learn"
        )
        found = answer.evaluations.get(spec["name"], {}).get("metrics", {})
        for metric, value in expected.items():
            mean = found.get(metric, {}).get("mean")
            gap = float("inf") if mean is None else abs(mean - value) / max(abs(value), 1e-12)
            worst[family] = max(worst.get(family, 0.0), gap)
    return worst
