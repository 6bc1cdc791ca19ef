"""Reports as files. Input: the JSON of comparisons. Output: Markdown, charts and an HTML page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evals.charts import CHARTS, png
from evals.report import markdown, overview, setting
from evals.report_html import page


def write_report(
    data: Sequence[Mapping[str, Any]],
    folder: Path,
    scaling: Mapping[str, bytes] | None = None,
    growth: Sequence[str] = (),
) -> None:
    """Writes ``report.md``, ``index.html`` and the charts; `scaling` are further charts, and
    `growth` says what is to be seen in them."""
    folder.mkdir(parents=True, exist_ok=True)
    sections = ["# Stratum: measurements"]
    if data:
        sections += [setting(data[0]), overview(data)]
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
    if growth:
        sections.append("\n".join(f"- {line}" for line in growth))
    (folder / "report.md").write_text("\n\n".join(sections) + "\n")
    (folder / "index.html").write_text(page(data, pictures, scaling or {}, growth))


def draw(data: Mapping[str, Any]) -> dict[str, bytes]:
    """The charts that the data allows, as PNG by name."""
    found = {}
    for name, chart in CHARTS.items():
        figure = chart(data)
        if figure is not None:
            found[name] = png(figure)
    return found
