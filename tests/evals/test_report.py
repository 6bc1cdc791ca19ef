"""Ratios, floor, tables, charts and pages, from made-up runs."""

import json
import math
import re
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from evals import bench, charts, scaling
from evals.comparison import Comparison, packed
from evals.documentation import markers, rewritten
from evals.report import (
    ablation_rows,
    markdown_table,
    overview,
    profile_lines,
)
from evals.report_files import write_report
from evals.report_html import page
from evals.results import SystemRun
from evals.run import Settings, finish
from evals.scaling import Sweep, expected, exponent, growth, pictures
from evals.systems.table import PARTS, System
from evals.workloads.base import Workload, WorkloadSkipped
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


def test_systems_that_may_be_wrong_are_listed_and_do_not_fail_the_run(made: Comparison) -> None:
    assert made.parity["upstream"].verdict == "wrong"
    assert made.failures == []
    assert [m["system"] for m in made.to_json()["mismatches"]] == ["upstream"]
    assert "**1 of 3 wrong**, 3 cannot be expressed" in markdown_table(made)
    assert "unavailable: not installed" in markdown_table(made)


def test_a_wrong_score_of_any_other_system_fails_the_run(made: Comparison) -> None:
    assert replace(made, allowed=()).failures == ["upstream: 1 wrong"]


def test_only_the_whole_engine_has_to_end_in_time(tmp_path: Path) -> None:
    made = comparison(tmp_path)
    slow = made.ablation[0]
    for name in ("sequential", slow, "stratum"):
        made.runs[name].status = "timeout"
    assert [line.partition(":")[0] for line in made.failures] == ["stratum"]
    made.runs[slow].status = made.runs["upstream"].status = "crashed"
    assert [line.partition(":")[0] for line in made.failures] == [slow, "stratum"]


def test_a_system_that_ran_out_of_time_is_compared_on_its_answers(tmp_path: Path) -> None:
    made = comparison(tmp_path)
    late = deepcopy(made.runs["sequential"])
    late.status, late.reason, late.seconds = "timeout", "not finished", 20.0
    for name in ("lasso", "forest", "broken"):
        del late.results[name]
    made.add(made.systems["sequential"], late)
    assert made.parity["sequential"].compared == 3
    assert made.parity["sequential"].mismatches == []
    # Three answers in 6 s; the reference has seconds of its own for each pipeline, 1 s.
    assert made.speed("sequential") == pytest.approx(3 / 6)
    assert made.ratio("stratum", "sequential") == pytest.approx(12)
    text = markdown_table(made)
    assert "| >20.00 |" in text
    assert "~12.0x" in text
    assert "timeout: not finished; 3 equal" in text


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


def test_the_ablation_sums_up_to_the_whole(made: Comparison) -> None:
    steps = made.steps()
    first, last = (made.runs[made.ablation[end]].seconds for end in (0, -1))
    assert first is not None
    assert last is not None
    assert [step.part for step in steps] == list(PARTS)
    assert sum(step.saved for step in steps) == pytest.approx(first - last)
    assert math.prod(step.factor for step in steps) == pytest.approx(first / last)
    rows = ablation_rows(made.to_json())
    assert [row[0] for row in rows] == ["all off", *(f"+ {p}" for p in PARTS), "all on, together"]
    assert [row[2] for row in rows] == ["-", "+1.00", "+1.00", "+1.00", "+1.00", "+4.00"]
    assert rows[-1][1:4] == ["1.00", "+4.00", "5.00x"]


def test_without_all_of_its_steps_there_is_no_ablation(tmp_path: Path) -> None:
    made = comparison(tmp_path)
    made.runs[made.ablation[1]].status = "timeout"
    assert made.steps() == []
    assert charts.ablation(made.to_json()) is None
    rows = ablation_rows(made.to_json())
    assert len(rows) == len(made.ablation)
    assert rows[1][1] == ">4.00"
    assert rows[1][-1].startswith("timeout")


def test_profiles_say_what_they_cover(made: Comparison) -> None:
    (line,) = profile_lines(made.to_json())
    assert "100% of the workers' 0.7 s" in line
    assert "71% operations, 14% blocks, 14% messages" in line
    assert "20% and 10% were idle" in line


def test_the_overview_has_a_row_for_each_workload(made: Comparison) -> None:
    head, _, row = overview([made.to_json()]).splitlines()
    cells = dict(zip(head.split(" | "), row.split(" | "), strict=True))
    assert cells["stratum s"] == "1.00"
    assert cells["over sequential"] == "12.0x"
    assert cells["of the floor"] == "0.33x"
    assert cells["warm"] == "-"


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
    assert not re.search(r'(src|href)="(?!data:|#)', html)  # it needs nothing else


def test_page_escapes_what_comes_from_errors(tmp_path: Path) -> None:
    made = comparison(tmp_path)
    made.runs["sklearnex"].reason = "<script>alert(1)</script>"
    assert "<script>" not in page([made.to_json()], [{}], {})


def test_documentation_is_rewritten_between_its_markers(made: Comparison) -> None:
    begin, end = markers(bench.COMMAND)
    text = f"before\n{begin}\nold\n{end}\nafter\n"
    section = bench.generated([made.to_json()], ["churn_trace: no data"])
    new = rewritten(text, section, bench.COMMAND)
    assert new.startswith("before\n")
    assert new.endswith("after\n")
    assert "old" not in new
    assert "| stratum |" in new
    assert "no data" in new
    assert rewritten(new, section, bench.COMMAND) == new
    with pytest.raises(ValueError, match="no lines"):
        rewritten("nothing", section, bench.COMMAND)


def test_bench_writes_as_it_goes_and_ends_as_a_run_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Settings] = []

    def measured(settings: Settings, console: Console, folder: Path) -> Comparison:
        if settings.workload == "churn_trace":
            raise WorkloadSkipped("no data")
        asked.append(settings)
        made = replace(comparison(tmp_path), allowed=settings.allow_wrong)
        made.about["seconds_used"] = 20.0
        return made

    monkeypatch.setattr(bench, "measure_workload", measured)
    docs = tmp_path / "page.md"
    docs.write_text("\n".join(markers(bench.COMMAND)))
    arguments = ["--workloads", "churn_trace,linear_sweep", "--report", str(tmp_path / "report")]
    allowed = ["--docs", str(docs), "--allow-wrong", "upstream"]
    assert bench.main([*arguments, *allowed]) == 0
    assert bench.main(arguments) == 1  # upstream is wrong
    assert [settings.workload for settings in asked] == ["linear_sweep", "linear_sweep"]
    assert 0 < asked[0].budget <= 2 * bench.FULL_SECONDS
    (saved,) = json.loads((tmp_path / "report" / "results.json").read_text())
    assert [m["system"] for m in saved["mismatches"]] == ["upstream"]
    assert "Skipped: churn_trace: no data" in docs.read_text()
    assert "s in all" in capsys.readouterr().out


def test_scaling_pictures() -> None:
    points = [
        {"pipelines": count, "rows": 10, "system": name, "seconds": count / 10,
         "peak_pss_mb": 100.0 + count}
        for name in ("sequential", "stratum") for count in (8, 16, 32)
    ]  # fmt: skip
    found = pictures(points, "pipelines", "10 rows")
    assert all(content.startswith(b"\x89PNG") for content in found.values())


def test_growth_is_the_power_of_the_size() -> None:
    assert exponent([(8, 2.0), (16, 4.0), (32, 8.0)]) == pytest.approx(1)
    assert exponent([(10, 3.0), (1000, 30.0)]) == pytest.approx(0.5)
    assert exponent([(8, 2.0)]) is None
    points = [{"system": "stratum", "rows": 10 * n, "seconds": n**1.5} for n in (1, 4, 16)]
    assert growth(points, "rows", "seconds") == {"stratum": "rows^1.50, in the last step ^1.50"}
    assert expected(points, "rows", 640) == pytest.approx(64**1.5)
    assert expected(points[:1], "rows", 30) == pytest.approx(3)


def test_scaling_leaves_out_what_would_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    def fast(system: System, workload: Workload, *_: object, **__: object) -> SystemRun:
        seconds = len(workload.pipelines) * (1.0 if system.name == "sequential" else 0.01)
        return SystemRun(system.name, "", seconds=seconds, peak_pss_mb=1.0)

    monkeypatch.setattr(scaling, "run_system", fast)
    monkeypatch.setattr(Sweep, "_check", lambda *_: None)
    sweep = Sweep(("sequential", "stratum"), 20.0, Console(quiet=True))
    sweep.run("pipelines", [(count, 50) for count in (8, 16, 32, 64)])
    assert [p["pipelines"] for p in sweep.points if p["system"] == "sequential"] == [8, 16]
    assert [p["pipelines"] for p in sweep.points if p["system"] == "stratum"] == [8, 16, 32, 64]
    (reason,) = sweep.left_out
    assert reason.startswith("sequential: none from 32 pipelines on 50 rows on: it would take")


def test_durations_and_ratios_read_well() -> None:
    assert [charts.duration(s) for s in (0.0123, 5.25, 123.4, 1200)] == [
        "12 ms", "5.2 s", "123 s", "20.0 min",
    ]  # fmt: skip
    assert [charts.times(r) for r in (0.5, 16.6, 1234)] == ["0.50x", "16.6x", "1,234x"]
