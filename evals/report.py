"""Reports. Input: the JSON of comparisons. Output: Markdown, charts and an HTML page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.charts import CHARTS, duration, png, run_of, times
from evals.comparison import OVER, Comparison
from evals.systems.table import REFERENCE

HEAD = ("system", "seconds", "CPU s", "first result s", "memory MiB", "imports s",
         *(f"over {name}" for name in OVER), "scores")  # fmt: skip
_WRONG = 3  # mismatches shown for each system


def markdown_table(comparison: Comparison) -> str:
    return table(comparison.to_json())


def table(data: Mapping[str, Any]) -> str:
    """One row for each system."""
    lines = [_row(HEAD), _row(["---"] + ["---:"] * (len(HEAD) - 2) + ["---"])]
    for name in (REFERENCE.name, *data["systems"]):
        lines.append(_row(cells(data, name)))
    floor = data["floor"]
    lines += [
        "",
        f"Floor: {floor['distinct']} distinct fits of {floor['fits']} that no closed form serves "
        f"take {duration(floor['seconds'])} at one thread each on {data['cores']} cores "
        f"(boosting, forests and such alone: {duration(floor['library_seconds'])}).",
    ]
    return "\n".join(lines)


def cells(data: Mapping[str, Any], name: str) -> list[str]:
    """The row of a system, as text."""
    run = run_of(data, name)
    if run["status"] != "ok":
        reason = " ".join(run["reason"].split())
        return [name, *["-"] * (len(HEAD) - 2), f"{run['status']}: {reason[:120]}"]
    ratios = data["ratios"].get(name, {})
    return [
        name,
        f"{run['seconds']:.2f}",
        f"{run['cpu_seconds']:.1f}",
        "-" if run["first_result_seconds"] is None else f"{run['first_result_seconds']:.2f}",
        f"{run['peak_pss_mb']:,.0f}",
        f"{run['import_seconds']:.1f}",
        *(times(ratios[over]) if over in ratios else "-" for over in OVER),
        verdict(data, name),
    ]


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
        parts.append(f"{parity['compared']} equal")
    if parity["deviations"]:
        parts.append(f"{parity['deviations']} differ by thread count (<= {parity['largest']:.1g})")
    if parity["uncovered"]:
        parts.append(f"{parity['uncovered']} cannot be expressed")
    return ", ".join(parts)


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
    for note in (*work["notes"], *wrong(data)):
        parts.append(f"- {note}")
    return "\n\n".join(parts)


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


def draw(data: Mapping[str, Any]) -> dict[str, bytes]:
    """The charts that the data allows, as PNG by name."""
    found = {}
    for name, chart in CHARTS.items():
        figure = chart(data)
        if figure is not None:
            found[name] = png(figure)
    return found


def write_report(
    data: Sequence[Mapping[str, Any]], folder: Path, scaling: Mapping[str, bytes] | None = None
) -> None:
    """Writes ``report.md``, ``index.html`` and the charts; `scaling` are further charts."""
    from evals.report_html import page

    folder.mkdir(parents=True, exist_ok=True)
    sections = ["# Stratum: measurements"]
    if data:
        sections.append(setting(data[0]))
    pictures: list[dict[str, bytes]] = []
    for entry in data:
        drawn = draw(entry)
        pictures.append(drawn)
        paths = {}
        for name, content in drawn.items():
            file = f"{entry['workload']['name']}-{name}.png"
            (folder / file).write_bytes(content)
            paths[name] = file
        sections.append(markdown(entry, paths))
    for name, content in (scaling or {}).items():
        (folder / f"{name}.png").write_bytes(content)
        sections.append(f"![{name}]({name}.png)")
    (folder / "report.md").write_text("\n\n".join(sections) + "\n")
    (folder / "index.html").write_text(page(data, pictures, scaling or {}))


def _row(values: Sequence[str]) -> str:
    return "| " + " | ".join(value.replace("|", "/") for value in values) + " |"
