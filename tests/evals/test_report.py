"""Ratios, floor, tables, charts and pages, from made-up runs."""

import json
import re
from pathlib import Path

import pytest

from evals import bench, charts
from evals.comparison import Comparison, packed
from evals.report import markdown_table, write_report
from evals.report_html import page
from evals.run import finish
from evals.systems.table import PARTS
from tests.evals.cases import comparison


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return comparison(tmp_path_factory.mktemp("data"))


def test_packing_puts_the_longest_first() -> None:
    assert packed([1, 1, 2, 4], 2) == 4
    assert packed([3, 3, 3], 2) == 6
    assert packed([], 2) == 0


def test_floor_counts_distinct_fits_that_no_closed_form_serves(made: Comparison) -> None:
    floor = made.floor()
    assert (floor.fits, floor.distinct) == (3, 2)
    assert floor.seconds == 3  # 1 s beside the faster of the two equal forests
    assert floor.library_seconds == 3
    assert floor.by_model == {"RandomForestRegressor": 3.0, "Lasso": 1.0}


def test_ratios(made: Comparison) -> None:
    assert made.ratio("stratum", "sequential") == pytest.approx(12)
    # Upstream answered three of six pipelines, 6 s of the scripts' time, in 6 s.
    assert made.ratio("upstream", "sequential") == pytest.approx(1)
    assert made.ratio("stratum", "upstream") == pytest.approx(12)
    assert made.ratio("stratum", "concurrent") is None
    assert made.ratio("sklearnex", "sequential") is None


def test_foreign_systems_are_shown_as_wrong_and_do_not_fail_the_run(made: Comparison) -> None:
    assert made.parity["upstream"].verdict == "wrong"
    assert made.failures == []
    assert "**1 of 3 wrong**, 3 cannot be expressed" in markdown_table(made)
    assert "unavailable: not installed" in markdown_table(made)


def test_a_mismatch_of_ours_fails_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = comparison(tmp_path)
    run, system = made.runs["stratum"], made.systems["stratum"]
    scores = run.results["lasso"].scores
    assert scores is not None
    scores[1] += 0.1
    made.add(system, run)
    assert finish([made], tmp_path / "out.json", None) == 1
    assert "mismatch: stratum: lasso, fold 1" in capsys.readouterr().out
    (wrong,) = [
        m for m in json.loads((tmp_path / "out.json").read_text())["mismatches"]
        if m["system"] == "stratum"
    ]  # fmt: skip
    assert (wrong["pipeline"], wrong["fold"]) == ("lasso", 1)


def test_a_crash_of_ours_fails_the_run(tmp_path: Path) -> None:
    made = comparison(tmp_path)
    made.runs["stratum"].status = "crashed"
    assert finish([made], None, None) == 1


def test_json_holds_what_is_promised(made: Comparison) -> None:
    data = json.loads(json.dumps(made.to_json()))
    run = data["systems"]["stratum"]
    wanted = {"seconds", "cpu_seconds", "peak_rss_mb", "first_result_seconds", "scores", "status"}
    assert wanted <= run.keys()
    assert run["scores"]["lasso"] == [0.2, 0.3, 0.4]
    assert run["errors"] == {"broken": "KeyError"}
    assert {"ratios", "mismatches", "floor_seconds", "machine", "versions"} <= data.keys()


@pytest.mark.parametrize("name", sorted(charts.CHARTS))
def test_every_chart_is_drawn(made: Comparison, name: str) -> None:
    figure = charts.CHARTS[name](made.to_json())
    assert figure is not None
    assert charts.png(figure).startswith(b"\x89PNG")


def test_ablation_chart_names_the_part_of_each_step(made: Comparison) -> None:
    figure = charts.ablation(made.to_json())
    assert figure is not None
    labels = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels == ["all off", *(f"+ {part}" for part in PARTS), "Stratum"]


def test_charts_without_data_are_left_out(tmp_path: Path) -> None:
    made = comparison(tmp_path)
    made.runs.clear()
    made.parity.clear()
    made.ablation.clear()
    data = made.to_json()
    assert [chart(data) for chart in charts.CHARTS.values()] == [None] * len(charts.CHARTS)


def test_report_files(made: Comparison, tmp_path: Path) -> None:
    write_report([made.to_json()], tmp_path)
    text = (tmp_path / "report.md").read_text()
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", text)
    assert len(pictures) == len(charts.CHARTS)
    assert all((tmp_path / picture).is_file() for picture in pictures)
    html = (tmp_path / "index.html").read_text()
    assert html.count("data:image/png;base64,") == len(charts.CHARTS)
    assert not re.search(r'(src|href)="(?!data:)', html)  # it needs nothing else


def test_page_escapes_what_comes_from_errors(tmp_path: Path) -> None:
    made = comparison(tmp_path)
    made.runs["sklearnex"].reason = "<script>alert(1)</script>"
    assert "<script>" not in page([made.to_json()], [{}], {})


def test_documentation_is_rewritten_between_its_markers(made: Comparison) -> None:
    text = f"before\n{bench.BEGIN}\nold\n{bench.END}\nafter\n"
    section = bench.generated([made.to_json()], ["churn_trace: no data"])
    new = bench.rewritten(text, section)
    assert new.startswith("before\n")
    assert new.endswith("after\n")
    assert "old" not in new
    assert "| stratum |" in new
    assert "no data" in new
    assert bench.rewritten(new, section) == new
    with pytest.raises(ValueError, match="no lines"):
        bench.rewritten("nothing", section)


def test_scaling_pictures() -> None:
    from evals.scaling import pictures

    points = [
        {"pipelines": count, "rows": 10, "system": name, "seconds": count / 10,
         "peak_pss_mb": 100.0 + count}
        for name in ("sequential", "stratum") for count in (8, 16, 32)
    ]  # fmt: skip
    found = pictures(points, "pipelines", "10 rows")
    assert all(content.startswith(b"\x89PNG") for content in found.values())


def test_durations_and_ratios_read_well() -> None:
    assert [charts.duration(s) for s in (0.0123, 5.25, 123.4, 1200)] == [
        "12 ms", "5.2 s", "123 s", "20.0 min",
    ]  # fmt: skip
    assert [charts.times(r) for r in (0.5, 16.6, 1234)] == ["0.50x", "16.6x", "1,234x"]
