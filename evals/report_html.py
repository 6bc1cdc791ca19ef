"""The report as one HTML page that needs nothing else. Input: data and charts. Output: text."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from evals.charts import color, duration, run_of, times
from evals.report import (
    ABLATION,
    HEAD,
    OVERVIEW,
    ablation_rows,
    cells,
    notes,
    overview_cells,
    ratio,
    setting,
    shown,
)

_CALLED = {"reference": "a pool at one thread a fit", "upstream": "stratum-ai"}
_STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --faint: #616e7c; --line: #e4e7eb;
        --ours: #0b7a75; --bad: #b42318; --page: #ffffff; --raised: #f7f9fb; --mine: #eef7f6; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaee; --faint: #9aa5b1; --line: #323c47; --ours: #4fc3bb; --bad: #ff8a7a;
          --page: #14191f; --raised: #1c232b; --mine: #17302f; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
       max-width: 1240px; margin: 0 auto; padding: 32px 24px 80px; }
h1 { font-size: 28px; margin: 0 0 4px; }
h2 { font-size: 21px; margin: 56px 0 4px; padding-top: 24px; border-top: 1px solid var(--line); }
h3 { font-size: 16px; margin: 28px 0 0; }
p { margin: 4px 0 12px; max-width: 900px; } .faint { color: var(--faint); font-size: 13px; }
a { color: var(--ours); }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; margin: 16px 0 20px; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: 10px 16px; min-width: 140px;
        background: var(--raised); font-size: 13px; color: var(--faint); }
.tile b { display: block; font-size: 24px; line-height: 1.3; color: var(--ours); }
.tile.bad b { color: var(--bad); }
.scroll { overflow-x: auto; margin: 12px 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums;
        font-size: 14px; }
th { text-align: right; vertical-align: bottom; font-weight: 600; font-size: 12px;
     color: var(--faint); }
th, td { padding: 6px 8px; border-bottom: 1px solid var(--line); }
td { text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
table.systems th:last-child, table.systems td:last-child { text-align: left; font-size: 13px;
  white-space: normal; min-width: 180px; }
tr.ours td { background: var(--mine); } tr.off td { color: var(--faint); }
.dot { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 8px; }
.wrong { color: var(--bad); font-weight: 600; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 540px), 1fr));
          gap: 16px; margin: 20px 0; align-items: start; }
figure { margin: 0; padding: 12px; background: #fff; border: 1px solid var(--line);
         border-radius: 8px; }
img { display: block; width: 100%; height: auto; }
ul { margin: 8px 0; padding-left: 20px; max-width: 1000px; } li { margin: 4px 0; font-size: 14px; }
code { display: block; font-size: 12px; overflow-wrap: anywhere; background: var(--raised);
       padding: 8px 10px; border-radius: 6px; }
"""


def page(
    data: Sequence[Mapping[str, Any]],
    charts: Sequence[Mapping[str, bytes]],
    scaling: Mapping[str, bytes],
    growth: Sequence[str] = (),
) -> str:
    """The whole page."""
    body = ["<h1>Stratum: measurements</h1>"]
    if data:
        body.append(f'<p class="faint">{escape(setting(data[0]))}</p>')
    body.append(
        "<p>Times are wall seconds of a fresh process, imports excluded. Scores are judged "
        "against plain scripts at one thread per fit. A system that can express only some of the "
        "pipelines is compared on those; where one did not end in its time, ~ marks ratios of "
        "what it answered.</p>"
    )
    if data:
        body.append(_overview(data))
    for entry, pictures in zip(data, charts, strict=True):
        body.append(_section(entry, pictures))
    if scaling:
        body.append("<h2>Scaling</h2>")
        body += [_pictures(scaling), _listed(growth)]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Stratum: measurements</title><style>{_STYLE}</style></head><body>"
        + "\n".join(body)
        + "</body></html>\n"
    )


def _section(data: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    work = data["workload"]
    rows = "" if work["rows"] is None else f" on {work['rows']:,} rows"
    families = ", ".join(f"{count} {name}" for name, count in work["families"].items())
    parts = [
        f'<h2 id="{escape(work["name"])}">{escape(work["title"])}</h2>',
        f'<p class="faint">{work["pipelines"]} pipelines{rows} ({escape(families)}); '
        f"metric {escape(work['metric'])}</p>",
        _tiles(data),
        _table(data),
        _ablation(data),
        _pictures(pictures),
    ]
    if said := notes(data):
        parts.append(_listed(said))
    if data.get("command"):
        parts.append(f'<p class="faint"><code>{escape(data["command"])}</code></p>')
    return "\n".join(parts)


def _tiles(data: Mapping[str, Any]) -> str:
    """The few numbers that matter most."""
    tiles: list[tuple[str, str, bool]] = []
    for over in data["ratios"].get("stratum", {}):
        tiles.append(
            (ratio(data, "stratum", over), f"faster than {_CALLED.get(over, over)}", False)
        )
    run = data["systems"].get("stratum")
    if run and run["status"] == "ok":
        if data["floor_seconds"] and run["seconds"]:
            share = run["seconds"] / data["floor_seconds"]
            floor = duration(data["floor_seconds"])
            tiles.append((times(share), f"the floor of {floor}", False))
        if run["first_result_seconds"] is not None:
            tiles.append((duration(run["first_result_seconds"]), "to the first result", False))
        parity = data["parity"]["stratum"]
        bad = parity["mismatches"] > 0
        text = f"{parity['mismatches']} of {parity['compared']}"
        tiles.append((text, "scores differ from the scripts", bad))
    inner = "".join(
        f'<div class="tile{" bad" if bad else ""}"><b>{escape(value)}</b>{escape(label)}</div>'
        for value, label, bad in tiles
    )
    return f'<div class="tiles">{inner}</div>'


def _table(data: Mapping[str, Any]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in HEAD)
    rows = []
    for name in shown(data):
        values = [escape(value.replace("**", "")) for value in cells(data, name)]
        values[0] = f'<span class="dot" style="background:{color(name)}"></span>{values[0]}'
        if data["parity"].get(name, {}).get("mismatches"):
            values[-1] = f'<span class="wrong">{values[-1]}</span>'
        kind = ' class="ours"' if name == "stratum" else ""
        if run_of(data, name)["status"] != "ok":
            kind = ' class="off"'
        rows.append(f"<tr{kind}>" + "".join(f"<td>{value}</td>" for value in values) + "</tr>")
    body = "".join(rows)
    return f'<div class="scroll"><table class="systems"><tr>{head}</tr>{body}</table></div>'


def _ablation(data: Mapping[str, Any]) -> str:
    rows = ablation_rows(data)
    if not rows:
        return ""
    head = "".join(f"<th>{escape(name)}</th>" for name in ABLATION)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell.replace('**', ''))}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return (
        "<h3>Ablation: what each part is worth</h3>"
        f'<div class="scroll"><table class="systems">'
        f"<tr>{head}</tr>{body}</table></div>"
    )


def _overview(data: Sequence[Mapping[str, Any]]) -> str:
    """All workloads in one table; each leads to its section."""
    rows = []
    for entry in data:
        title, *values = map(escape, overview_cells(entry))
        link = f'<a href="#{escape(entry["workload"]["name"])}">{title}</a>'
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in (link, *values)) + "</tr>")
    head = "".join(f"<th>{escape(name)}</th>" for name in OVERVIEW)
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _listed(texts: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(text)}</li>" for text in texts) + "</ul>"


def _pictures(pictures: Mapping[str, bytes]) -> str:
    inner = "".join(_picture(name, content) for name, content in pictures.items())
    return f'<div class="charts">{inner}</div>'


def _picture(name: str, content: bytes) -> str:
    data = b64encode(content).decode()
    return f'<figure><img alt="{escape(name)}" src="data:image/png;base64,{data}"></figure>'
