"""Charts of what was measured. Input: the JSON of a comparison or of a scaling run. Output: PNG.

Built on matplotlib's object interface, without its global state.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from evals.kinds import ENGINE, OVERHEAD, TOTALS

_INK, _FAINT, _GRID = "#1f2933", "#7b8794", "#e4e7eb"
_OURS = "#0b7a75"
_OURS_LIGHT = "#5fb3ae"
_SCRIPTS = "#9aa5b1"
_OTHERS = "#c58b4a"
_COLORS = {
    "sequential": "#616e7c",
    "scripts": "#7b8794",
    "concurrent": _SCRIPTS,
    "reference": "#52606d",
    "joblib": "#c58b4a",
    "skrub": "#a5673f",
    "sklearnex": "#d9b382",
    "upstream": "#8f4f8f",
    "stratum": _OURS,
    "stratum-warm": "#15aabf",
    "stratum-incremental": "#5fb3ae",
    "stratum-stdio": "#2f6f9f",
}
# In charts: scripts, other systems, ours.
_ORDER = ("sequential", "scripts", "concurrent", "reference", "joblib", "skrub", "sklearnex",
          "upstream", "stratum", "stratum-stdio", "stratum-incremental",
          "stratum-warm")  # fmt: skip
_DPI = 144
_WIDTH = 8.0  # inches
# Behind texts that lines may cross.
_BEHIND: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 1.0}


def png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI, facecolor="white")
    return buffer.getvalue()


def color(system: str) -> str:
    return _COLORS.get(system, _OURS_LIGHT if system.startswith("stratum") else _OTHERS)


def ordered(names: Iterable[str]) -> list[str]:
    """Systems as charts show them."""
    known = {name: place for place, name in enumerate(_ORDER)}
    return sorted(names, key=lambda name: known.get(name, len(known)))


def figure(title: str, height: float, subtitle: str = "") -> tuple[Figure, Axes]:
    """An empty chart in the common style; the title says what is to be seen."""
    made = Figure(figsize=(_WIDTH, height), layout="constrained")
    axes = made.add_subplot()
    axes.set_title(title, loc="left", fontsize=12, color=_INK, fontweight="bold",
                   pad=22 if subtitle else 8)  # fmt: skip
    if subtitle:
        axes.text(0, 1.0, subtitle, transform=axes.transAxes, fontsize=9, color=_FAINT,
                  va="bottom")  # fmt: skip
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(_GRID)
    axes.tick_params(which="both", colors=_INK, labelsize=9, length=0)
    axes.set_axisbelow(True)
    return made, axes


def times(value: float) -> str:
    """``16.6x``: a ratio with three significant digits."""
    if value >= 100:
        return f"{value:,.0f}x"
    return f"{value:.1f}x" if value >= 10 else f"{value:.2f}x"


def duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds >= 600 else f"{seconds:.0f} s"


def _plain_log(axes: Axes, axis: str = "x") -> None:
    """Ticks at 1, 2, 5, 10, ... in plain numbers."""
    if axis == "x":
        axes.set_xscale("log")
    else:
        axes.set_yscale("log")
    chosen: Axis = axes.xaxis if axis == "x" else axes.yaxis
    low, high = axes.get_xlim() if axis == "x" else axes.get_ylim()
    subs = (1.0, 2.0, 5.0) if high / max(low, 1e-12) < 2000 else (1.0,)
    chosen.set_major_locator(LogLocator(subs=subs))
    chosen.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    chosen.set_minor_formatter(NullFormatter())


def speedups(data: Mapping[str, Any]) -> Figure | None:
    """How many times faster than scripts one after another; the floor as a line."""
    ratios: dict[str, float] = {
        name: over["sequential"]
        for name, over in data["ratios"].items()
        if "sequential" in over and name not in data["ablation"][:-1]
    }
    if not ratios:
        return None
    names = list(reversed(ordered(["sequential", *ratios])))
    values = [ratios.get(name, 1.0) for name in names]
    made, axes = figure(
        "Speed against scripts run one after another",
        1.5 + 0.36 * len(names),
        f"{data['workload']['title']}: {data['workload']['pipelines']} pipelines, "
        "wall time, logarithmic",
    )
    low = min(0.5, *values) * 0.8
    axes.barh(names, [v - low for v in values], left=low, color=[color(n) for n in names],
              height=0.68)  # fmt: skip
    scripts = run_of(data, "sequential")
    # Without an end of the scripts there is no place for the floor on this axis.
    floor = data["floor_seconds"] if scripts["status"] == "ok" else 0.0
    sequential = scripts["seconds"]
    top = max(*values, sequential / floor if floor else 1.0)
    axes.set_xlim(low, top * 2.2)
    _plain_log(axes)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}x"))
    axes.axvline(1.0, color=_FAINT, linewidth=0.8)
    axes.set_ylim(-0.6, len(names) + 0.1)
    if floor:
        axes.axvline(sequential / floor, color=_INK, linewidth=1, linestyle=(0, (4, 3)))
        axes.text(sequential / floor, len(names) - 0.45, f" floor of fits {duration(floor)} ",
                  fontsize=8, color=_INK, ha="center", va="bottom", bbox=_BEHIND)  # fmt: skip
    for position, (name, value) in enumerate(zip(names, values, strict=True)):
        run = run_of(data, name)
        mark = "  WRONG" if data["parity"].get(name, {}).get("verdict") == "wrong" else ""
        text = f"{times(value)}   {duration(run['seconds'])}{mark}"
        if run["status"] != "ok":
            text = f"~{times(value)}   {run['status']} after {duration(run['seconds'])}{mark}"
        axes.annotate(text, (value, position), (5, 0), textcoords="offset points", va="center",
                      fontsize=9, color="#b42318" if mark else _INK, bbox=_BEHIND)  # fmt: skip
    axes.grid(axis="x", color=_GRID, linewidth=0.8)
    return made


def run_of(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The measurements of a system, or of the reference."""
    found: Mapping[str, Any] = data["reference"] if name == "reference" else data["systems"][name]
    return found


def progress(data: Mapping[str, Any]) -> Figure | None:
    """Pipelines answered over time."""
    made, axes = figure(
        "Pipelines answered over time",
        3.6,
        f"{data['workload']['title']}; seconds since submission, logarithmic",
    )
    drawn = 0
    for name in ordered(data["systems"]):
        run = data["systems"][name]
        if name in data["ablation"][:-1] or not run["known_at"]:
            continue
        moments = sorted(max(at, 1e-3) for at in run["known_at"].values())
        counts = list(range(1, len(moments) + 1))
        axes.step(moments, counts, where="post", color=color(name), linewidth=1.8, label=name)
        drawn += 1
    if not drawn:
        return None
    _plain_log(axes)
    axes.set_ylabel("pipelines", fontsize=9, color=_FAINT)
    axes.set_ylim(0, data["workload"]["pipelines"] * 1.05)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(color=_GRID, linewidth=0.8)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return made


def memory(data: Mapping[str, Any]) -> Figure | None:
    """Peak memory of each system's process tree."""
    runs = {
        name: run
        for name, run in data["systems"].items()
        if run["peak_pss_mb"] and name not in data["ablation"][:-1]
    }
    if not runs:
        return None
    names = list(reversed(ordered(runs)))
    made, axes = figure(
        "Peak memory",
        1.5 + 0.36 * len(names),
        "process tree, MB; pale: with shared pages counted for each process",
    )
    for position, name in enumerate(names):
        run = runs[name]
        axes.barh(position, run["peak_rss_mb"], color=color(name), alpha=0.3, height=0.68)
        axes.barh(position, run["peak_pss_mb"], color=color(name), height=0.68)
        right = max(run["peak_rss_mb"], run["peak_pss_mb"])
        axes.text(right, position, f" {run['peak_pss_mb']:,.0f}  ({run['peak_rss_mb']:,.0f})",
                  va="center", fontsize=9, color=_INK)  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(0, max(max(r["peak_rss_mb"], r["peak_pss_mb"]) for r in runs.values()) * 1.2)
    axes.grid(axis="x", color=_GRID, linewidth=0.8)
    return made


def ablation(data: Mapping[str, Any]) -> Figure | None:
    """A waterfall: what each part takes off the time."""
    steps = data["ablation_steps"]
    if not steps:
        return None
    seconds = [data["systems"][data["ablation"][0]]["seconds"], *(s["seconds"] for s in steps)]
    labels = ["all off", *(f"+ {step['part']}" for step in steps)]
    made, axes = figure(
        "What each part is worth",
        3.4,
        f"{data['workload']['title']}; seconds with one more part switched on each time",
    )
    width = 0.62
    axes.bar(0, seconds[0], width, color=_SCRIPTS)
    for index in range(1, len(seconds)):
        before, after = seconds[index - 1], seconds[index]
        shade = _OURS_LIGHT if after <= before else "#d64545"
        axes.bar(index, abs(before - after), width, bottom=min(before, after), color=shade)
        axes.plot([index - 1 - width / 2, index + width / 2], [before, before], color=_FAINT,
                  linewidth=0.8)  # fmt: skip
        text = f"{after - before:+.1f} s\n{times(before / after)}"
        axes.annotate(text, (index, max(before, after)), (0, 3), textcoords="offset points",
                      ha="center", va="bottom", fontsize=9, color=_INK)  # fmt: skip
    axes.text(0, seconds[0], duration(seconds[0]), ha="center", va="bottom", fontsize=9,
              color=_INK)  # fmt: skip
    last = len(seconds)
    axes.plot([last - 1 - width / 2, last + width / 2], [seconds[-1]] * 2, color=_FAINT,
              linewidth=0.8)  # fmt: skip
    axes.bar(last, seconds[-1], width, color=_OURS)
    axes.text(last, seconds[-1], duration(seconds[-1]), ha="center", va="bottom", fontsize=9,
              color=_INK)  # fmt: skip
    axes.set_xticks(range(last + 1), [*labels, "Stratum"])
    axes.set_ylim(0, max(seconds) * 1.18)
    axes.set_ylabel("seconds", fontsize=9, color=_FAINT)
    axes.grid(axis="y", color=_GRID, linewidth=0.8)
    return made


_PROFILE_COLORS = {
    "read": "#2f6f9f",
    "data": "#5b9bd5",
    "features": "#e0a33e",
    "predict": "#8f9bb3",
    "score": "#b8c1d1",
    "blocks": "#c58b4a",
    "messages": "#ddb892",
    "planning": "#8f4f8f",
    "scheduling": "#b07ab0",
    "recording": "#c9a4c9",
    "other": "#e0cbe0",
    "idle": "#eceff3",
}
_FITS = ("#0b5351", "#0b7a75", "#2a9d8f", "#5fb3ae", "#8accc6", "#b5e2dc")


def profile(data: Mapping[str, Any]) -> Figure | None:
    """Where the cores' time goes in Stratum runs."""
    runs = {
        name: run["profile"]
        for name, run in data["systems"].items()
        if run["profile"] and name not in data["ablation"][:-1]
    }
    if not runs:
        return None
    kinds: dict[str, float] = {}
    for found in runs.values():
        for kind, seconds in found.items():
            if kind not in TOTALS:
                share = seconds / (found["wall"] * found["cores"] or 1)
                kinds[kind] = max(kinds.get(kind, 0.0), share)
    fits = sorted((k for k in kinds if k.startswith("fit:")), key=lambda k: -kinds[k])
    order = ["read", "data", "features", *fits, "predict", "score", *OVERHEAD, *ENGINE, "idle"]
    colors = {**_PROFILE_COLORS}
    for index, kind in enumerate(fits):
        colors[kind] = _FITS[index % len(_FITS)]
    made, axes = figure(
        "Where the time goes", 1.9 + 0.45 * len(runs), "share of cores x wall time, in percent"
    )
    names = list(reversed(ordered(runs)))
    for position, name in enumerate(names):
        found = runs[name]
        total = found["wall"] * found["cores"]
        left = 0.0
        for kind in order:
            share = 100 * found.get(kind, 0.0) / total if total else 0.0
            label = kind if position == 0 and kinds.get(kind, 0) >= 0.01 else None
            axes.barh(position, share, left=left, color=colors.get(kind, _FAINT), height=0.62,
                      label=label, edgecolor="white", linewidth=0.4)  # fmt: skip
            if share >= 6:
                dark = kind not in ("idle", "score", "predict", *fits[3:])
                axes.text(left + share / 2, position, f"{share:.0f}", ha="center", va="center",
                          fontsize=8, color="white" if dark else _INK)  # fmt: skip
            left += share
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(0, 100)
    axes.legend(frameon=False, fontsize=8, ncols=1, loc="upper left", bbox_to_anchor=(1.0, 1.05))
    return made


def lines(
    title: str,
    subtitle: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    x_label: str,
    y_label: str,
    labels: Mapping[str, str] | None = None,
    *,
    logarithmic: bool = True,
) -> Figure:
    """Curves by system over a logarithmic axis. If the other is logarithmic too: dashed what
    linear growth of the last would be; else it begins at zero."""
    made, axes = figure(title, 4.0, subtitle)
    for name, points in series.items():
        if points:
            xs, ys = zip(*points, strict=True)
            axes.plot(xs, ys, marker="o", markersize=4, linewidth=1.8, color=color(name),
                      label=(labels or {}).get(name, name))  # fmt: skip
    _plain_log(axes)
    ends = [points for points in series.values() if len(points) > 1]
    if not logarithmic:
        axes.set_ylim(0, 1.15 * axes.get_ylim()[1])
    elif ends:
        _plain_log(axes, "y")
        (first, low), (last, _) = ends[-1][0], ends[-1][-1]
        limits = axes.get_ylim()
        axes.plot([first, last], [low, low * last / first], color=_FAINT, linewidth=0.9,
                  linestyle=(0, (4, 3)), zorder=1)  # fmt: skip
        axes.set_ylim(limits)
    every = sorted({x for points in series.values() for x, _ in points})
    if every:
        axes.set_xticks(every, [f"{x:,.0f}" for x in every])
    axes.set_xlabel(x_label, fontsize=9, color=_FAINT)
    axes.set_ylabel(y_label, fontsize=9, color=_FAINT)
    axes.grid(color=_GRID, linewidth=0.8)
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return made


CHARTS = {
    "speed": speedups,
    "progress": progress,
    "memory": memory,
    "ablation": ablation,
    "profile": profile,
}
