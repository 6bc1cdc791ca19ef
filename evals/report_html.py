"""The report as one HTML page that needs nothing else. Input: data and charts. Output: text."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from evals.charts import color, duration, run_of, times
from evals.report import HEAD, cells, setting, wrong
from evals.systems.table import REFERENCE

_CALLED = {"reference": "a pool at one thread a fit", "upstream": "stratum-ai"}
_STYLE = """
:root { color-scheme: light; --ink: #1f2933; --faint: #616e7c; --line: #e4e7eb; --ours: #0b7a75; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 1080px;
       margin: 0 auto; padding: 32px 20px 80px; background: #fff; }
h1 { font-size: 28px; margin: 0 0 4px; } h2 { font-size: 21px; margin: 56px 0 4px; }
p { margin: 4px 0 12px; } .faint { color: var(--faint); font-size: 13px; }
.tiles { display: flex; flex-wrap: wrap; gap: 12px; margin: 16px 0 20px; }
.tile { border: 1px solid var(--line); border-radius: 8px; padding: 10px 16px; min-width: 140px; }
.tile b { display: block; font-size: 24px; line-height: 1.2; color: var(--ours); }
.tile.bad b { color: #b42318; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; font-size: 12px; color: var(--faint); }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
td { text-align: right; } th:first-child, td:first-child, th:last-child, td:last-child
{ text-align: left; } td:last-child { white-space: normal; font-size: 13px; }
.dot { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 8px; }
.wrong { color: #b42318; font-weight: 600; } .off td { color: var(--faint); }
figure { margin: 20px 0; } img { max-width: 100%; height: auto; }
details { margin: 8px 0; } code { background: #f5f7fa; padding: 1px 5px; border-radius: 4px; }
"""


def page(
    data: Sequence[Mapping[str, Any]],
    charts: Sequence[Mapping[str, bytes]],
    scaling: Mapping[str, bytes],
) -> str:
    """The whole page."""
    body = ["<h1>Stratum: measurements</h1>"]
    if data:
        body.append(f'<p class="faint">{escape(setting(data[0]))}</p>')
    body.append(
        '<p class="faint">Times are wall seconds of a fresh process, imports excluded. Scores are '
        "judged against plain scripts at one thread per fit. A system that can express only some "
        "of the pipelines is compared on those.</p>"
    )
    for entry, pictures in zip(data, charts, strict=True):
        body.append(_section(entry, pictures))
    if scaling:
        body.append("<h2>Scaling</h2>")
        body += [_picture(name, content) for name, content in scaling.items()]
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
        f"<h2>{escape(work['title'])}</h2>",
        f'<p class="faint">{work["pipelines"]} pipelines{rows} ({escape(families)}); '
        f"metric {escape(work['metric'])}</p>",
        _tiles(data),
        _table(data),
        *(_picture(name, content) for name, content in pictures.items()),
    ]
    notes = [*work["notes"], *wrong(data)]
    if notes:
        items = "".join(f"<li>{escape(note)}</li>" for note in notes)
        parts.append(
            f"<details><summary>Notes and wrong scores</summary><ul>{items}</ul></details>"
        )
    if data.get("command"):
        parts.append(f'<p class="faint"><code>{escape(data["command"])}</code></p>')
    return "\n".join(parts)


def _tiles(data: Mapping[str, Any]) -> str:
    """The few numbers that matter most."""
    tiles: list[tuple[str, str, bool]] = []
    ratios = data["ratios"].get("stratum", {})
    for over, value in ratios.items():
        tiles.append((times(value), f"faster than {_CALLED.get(over, over)}", False))
    run = data["systems"].get("stratum")
    if run and run["status"] == "ok":
        if data["floor_seconds"] and run["seconds"]:
            share = run["seconds"] / data["floor_seconds"]
            tiles.append((times(share), f"of the floor, {duration(data['floor_seconds'])}", False))
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
    for name in (REFERENCE.name, *data["systems"]):
        values = [escape(value.replace("**", "")) for value in cells(data, name)]
        values[0] = f'<span class="dot" style="background:{color(name)}"></span>{values[0]}'
        if data["parity"].get(name, {}).get("mismatches"):
            values[-1] = f'<span class="wrong">{values[-1]}</span>'
        kind = "" if run_of(data, name)["status"] == "ok" else ' class="off"'
        rows.append(f"<tr{kind}>" + "".join(f"<td>{value}</td>" for value in values) + "</tr>")
    body = "".join(rows)
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _picture(name: str, content: bytes) -> str:
    data = b64encode(content).decode()
    return f'<figure><img alt="{escape(name)}" src="data:image/png;base64,{data}"></figure>'
