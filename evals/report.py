"""Reports in words. Input: the JSON of comparisons. Output: Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from evals.charts import duration, run_of, times
from evals.comparison import OVER, Comparison
from evals.kinds import in_words
from evals.systems.table import REFERENCE

HEAD = ("system", "seconds", "CPU s", "first result s", "memory MB", "imports s",
         *(f"over {name}" for name in OVER), "scores")  # fmt: skip
_WRONG = 3  # mismatches shown for each system


def markdown_table(comparison: Comparison) -> str:
    return table(comparison.to_json())


def table(data: Mapping[str, Any]) -> str:
    """One row for each system."""
    lines = [_row(HEAD), _row(["---"] + ["---:"] * (len(HEAD) - 2) + ["---"])]
    for name in shown(data):
        lines.append(_row(cells(data, name)))
    floor = data["floor"]
    lines += [
        "",
        f"Floor: {floor['distinct']} distinct fits of {floor['fits']} that no closed form serves "
        f"take {duration(floor['seconds'])} at one thread each on {data['cores']} cores "
        f"(boosting, forests and such alone: {duration(floor['library_seconds'])}).",
    ]
    return "\n".join(lines)


def shown(data: Mapping[str, Any]) -> list[str]:
    """The systems of the table: all but those of the ablation, which has a table of its own."""
    return [REFERENCE.name, *(n for n in data["systems"] if n not in data["ablation"][:-1])]


def cells(data: Mapping[str, Any], name: str) -> list[str]:
    """The row of a system, as text."""
    run = run_of(data, name)
    ended = run["status"] == "ok"
    words = [] if ended else [f"{run['status']}: {' '.join(run['reason'].split())[:120]}"]
    if name == REFERENCE.name or name in data["parity"]:
        words.append(verdict(data, name))
    return [
        name,
        _number(run["seconds"], ".2f", "" if ended else ">"),
        _number(run["cpu_seconds"], ".1f"),
        _number(run["first_result_seconds"], ".2f"),
        _number(run["peak_pss_mb"], ",.0f"),
        _number(run["import_seconds"], ".1f"),
        *(ratio(data, name, over) for over in OVER),
        "; ".join(words),
    ]


def _number(value: float | None, form: str, before: str = "") -> str:
    return "-" if value is None else f"{before}{value:{form}}"


def ratio(data: Mapping[str, Any], name: str, over: str) -> str:
    """How many times faster; with ``~`` where one of the two did not end, and the answers that
    it gave were compared."""
    value = data["ratios"].get(name, {}).get(over)
    if value is None:
        return "-"
    exact = run_of(data, name)["status"] == run_of(data, over)["status"] == "ok"
    return ("" if exact else "~") + times(value)


def verdict(data: Mapping[str, Any], name: str) -> str:
    """Whether the scores of a system are right, in words."""
    if name == REFERENCE.name:
        return "what the others are compared with"
    parity = data["parity"].get(name)
    if parity is None:
        return "-"
    parts = []
    if parity["mismatches"]:
        parts.append(f"**{parity['mismatches']} of {parity['compared']} wrong**")
    else:
        parts.append(f"{parity['compared'] - parity['statistical']} equal")
    if parity["deviations"]:
        parts.append(f"{parity['deviations']} differ by thread count (<= {parity['largest']:.1g})")
    if parity["statistical"]:
        parts.append(
            f"{parity['statistical']} statistical (means within {parity['furthest_mean']:.1g})"
        )
    if parity["uncovered"]:
        parts.append(f"{parity['uncovered']} cannot be expressed")
    return ", ".join(parts)


OVERVIEW = ("workload", "pipelines", "stratum s", "over sequential", "over concurrent",
            "over upstream", "of the floor", "warm", "one at a time", "statistical",
            "wrong scores")  # fmt: skip


def overview(data: Sequence[Mapping[str, Any]]) -> str:
    """One row for each workload: what Stratum is worth there."""
    lines = [_row(OVERVIEW), _row(["---"] + ["---:"] * (len(OVERVIEW) - 1))]
    return "\n".join(lines + [_row(overview_cells(entry)) for entry in data])


def overview_cells(data: Mapping[str, Any]) -> list[str]:
    """The row of a workload, as text."""
    run = data["systems"].get("stratum")
    mine = run["seconds"] if run and run["status"] == "ok" else None
    floor = data["floor_seconds"]
    parity = [found for name, found in data["parity"].items() if name.startswith("stratum")]
    wrong = sum(found["mismatches"] for found in parity)
    return [
        data["workload"]["title"],
        f"{data['workload']['pipelines']}",
        _number(mine, ".2f"),
        *(ratio(data, "stratum", over) for over in ("sequential", "concurrent", "upstream")),
        times(mine / floor) if mine and floor else "-",
        *(_seconds(data, name) for name in ("stratum-warm", "stratum-incremental")),
        ratio(data, "stratum-statistical", "sequential"),
        f"{wrong} of {sum(found['compared'] for found in parity)}",
    ]


def _seconds(data: Mapping[str, Any], name: str) -> str:
    run = data["systems"].get(name)
    if not run or run["seconds"] is None:
        return "-"
    return ("" if run["status"] == "ok" else "> ") + duration(run["seconds"])


ABLATION = ("one more part on", "seconds", "saved s", "factor", "CPU s", "scores")


def ablation_rows(data: Mapping[str, Any]) -> list[list[str]]:
    """What each part is worth; the last row has the sum, which is the whole."""
    names = data["ablation"]
    if not names:
        return []
    steps = {step["system"]: step for step in data["ablation_steps"]}
    rows = []
    for name in names:
        run, step = data["systems"][name], steps.get(name)
        ended = run["status"] == "ok"
        part = "all off" if name == names[0] else f"+ {step['part']}" if step else name
        rows.append(
            [
                part,
                _number(run["seconds"], ".2f", "" if ended else ">"),
                f"{step['saved']:+.2f}" if step else "-",
                times(step["factor"]) if step else "-",
                _number(run["cpu_seconds"], ".1f"),
                verdict(data, name) if ended else f"{run['status']}: {run['reason'][:120]}",
            ]
        )
    if steps:
        saved = sum(step["saved"] for step in steps.values())
        whole = times(data["systems"][names[0]]["seconds"] / data["systems"][names[-1]]["seconds"])
        rows.append(["all on, together", rows[-1][1], f"{saved:+.2f}", whole, "", ""])
    return rows


def profile_lines(data: Mapping[str, Any]) -> list[str]:
    """Where the time of Stratum went."""
    return [
        f"{name}: {in_words(data['systems'][name]['profile'])}"
        for name in ("stratum", "stratum-incremental")
        if data["systems"].get(name, {}).get("profile")
    ]


def notes(data: Mapping[str, Any]) -> list[str]:
    """What is to be said besides the table."""
    found = [*data["workload"]["notes"], *profile_lines(data)]
    for name, run in data["systems"].items():
        if len(run["repeats"]) > 1:
            each = ", ".join(f"{seconds:.2f}" for seconds in run["repeats"])
            found.append(f"{name}: the median of {each} s")
        found += [f"{name}: {note}" for note in run["notes"]]
    return [*found, *wrong(data)]


def markdown(data: Mapping[str, Any], charts: Mapping[str, str]) -> str:
    """The section of one workload; `charts` are paths by name."""
    work = data["workload"]
    rows = "" if work["rows"] is None else f", {work['rows']:,} rows"
    families = ", ".join(f"{count} {name}" for name, count in work["families"].items())
    parts = [
        f"## {work['title']}",
        f"{work['pipelines']} pipelines ({families}){rows}; metric {work['metric']}.",
        table(data),
        *(f"![{name}]({path})" for name, path in charts.items()),
    ]
    if data.get("command"):
        parts.insert(2, f"`{data['command']}`")
    if steps := ablation_rows(data):
        line = _row(["---"] + ["---:"] * (len(ABLATION) - 2) + ["---"])
        parts.append("\n".join([_row(ABLATION), line, *map(_row, steps)]))
    parts.append("\n".join(f"- {note}" for note in notes(data)))
    return "\n\n".join(part for part in parts if part)


def wrong(data: Mapping[str, Any]) -> list[str]:
    """The first mismatches of each system."""
    shown: dict[str, int] = {}
    found = []
    for entry in data["mismatches"]:
        name = entry["system"]
        shown[name] = shown.get(name, 0) + 1
        if shown[name] > _WRONG:
            continue
        if entry["expected"] is None or entry["got"] is None:
            found.append(f"{name}, {entry['pipeline']}: {entry['reason']}")
        else:
            found.append(
                f"{name}, {entry['pipeline']}: {entry['got']:.10g} instead of "
                f"{entry['expected']:.10g}"
            )
    for name, count in shown.items():
        if count > _WRONG:
            found.append(f"{name}: {count - _WRONG} more wrong scores")
    return found


def setting(data: Mapping[str, Any]) -> str:
    """Machine and versions in a paragraph."""
    where = data["machine"]
    versions = ", ".join(f"{name} {value}" for name, value in data["versions"].items())
    return (
        f"{where['cpu']}, {where['cores']} cores, {where['memory_gb']} GB, {where['system']}; "
        f"{versions}; {data['date']}."
    )


def _row(values: Sequence[str]) -> str:
    return "| " + " | ".join(value.replace("|", "/") for value in values) + " |"
