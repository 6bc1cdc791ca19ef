"""The runner: processes, measurement, and what happens when systems misbehave."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from rich.console import Console
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_regression
from sklearn.linear_model import Lasso
from sklearn.model_selection import KFold, cross_val_score

from evals import measure, report, selftest
from evals import run as command
from evals.comparison import Comparison
from evals.kinds import coverage
from evals.measure import Meter
from evals.results import PipelineResult, SystemRun
from evals.run import by_name
from evals.runner import run_system
from evals.scaling import workload as scaling_workload
from evals.systems import work_timed, work_without_kernels
from evals.systems.engine import members_of
from evals.systems.fits import recorded
from evals.systems.table import (
    DEFAULT,
    FULL,
    ONE_THREAD,
    PARTS,
    SYSTEMS,
    System,
    without,
)
from evals.systems.work_without_kernels import KERNELS
from evals.workloads.base import Pipeline, Workload, WorkloadSkipped
from executor import work
from executor.program import BACKENDS
from tests.evals import cases
from tools.options import EngineOptions

BURN = "import time; t = time.process_time\nwhile t() < 0.5: pass"


def broken(how: str) -> System:
    return System("broken", "Broken", "tests.evals.broken_systems", {"how": how})


def ran(system: System, folder: Path, timeout: float = 100.0) -> SystemRun:
    return run_system(system, selftest.workload(folder), folder, timeout=timeout)


# -- systems that misbehave -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ("raise", "crashed", "RuntimeError: it broke"),
        ("exit", "crashed", "status 3"),
        ("import", "crashed", "no module"),
        ("unavailable", "unavailable", "it is not there"),
    ],
)
def test_a_system_that_crashes_is_reported(
    tmp_path: Path, how: str, status: str, reason: str
) -> None:
    found = ran(broken(how), tmp_path)
    assert found.status == status
    assert reason in found.reason
    assert list(found.results) == (["ridge-0.1"] if how in ("raise", "exit") else [])


def test_a_system_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    found = ran(broken("hang"), tmp_path, timeout=0.5)
    assert (found.status, list(found.results)) == ("timeout", ["ridge-0.1"])
    assert set(psutil.Process().children(recursive=True)) <= before


def test_an_environment_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    system = replace(broken("raise"), environment=(".venv-no-such", "evals-no-such"))
    found = ran(system, tmp_path)
    assert found.status == "unavailable"
    assert "make evals-no-such" in found.reason


def test_a_crash_does_not_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SYSTEMS, "broken", broken("exit"))
    settings = command.Settings(selftest.NAME, ("broken", "sequential"))
    made = command.measure_workload(settings, Console(quiet=True), tmp_path)
    assert made.runs["broken"].status == "crashed"
    assert made.parity["sequential"].verdict == "equal"
    assert made.runs["sequential"].results["broken"].error is not None
    # It crashed, and what it had answered until then is wrong.
    assert [line.partition(":")[0] for line in made.failures] == ["broken", "broken"]


# -- the whole, with the engine ---------------------------------------------------------------


def test_scripts_and_the_engine_agree_on_a_tiny_workload(tmp_path: Path) -> None:
    """The smallest evaluation there is: two systems, each in a process of its own."""
    made = selftest.workload(tmp_path)
    sequential = SYSTEMS["sequential"]
    reference = replace(sequential, env=ONE_THREAD, options={"record": True})
    runs = {s.name: run_system(s, made, tmp_path, timeout=60) for s in (reference, FULL)}
    comparison = Comparison(made, None, measure.cores(), runs["sequential"])
    comparison.add(FULL, runs["stratum"])
    assert comparison.failures == []
    assert comparison.parity["stratum"].compared == 6
    data = json.loads(json.dumps(comparison.to_json()))
    found = data["systems"]["stratum"]
    assert found["status"] == "ok"
    assert set(found["scores"]) == set(data["reference"]["scores"])
    assert list(found["errors"]) == ["broken"]
    for value in ("seconds", "cpu_seconds", "peak_rss_mb", "peak_pss_mb", "import_seconds",
                  "first_result_seconds", "total_seconds"):  # fmt: skip
        assert found[value] > 0, value
    assert coverage(found["profile"]) >= 0.9
    assert data["mismatches"] == []
    assert data["floor"]["distinct"] == 6  # Lasso and the forest on three folds
    assert data["ratios"]["stratum"].keys() == {"reference"}


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, dict[str, object], Path]:
    folder = tmp_path_factory.mktemp("run")
    status = command.main(
        ["--workload", "selftest", "--systems", "sequential,concurrent,stratum,stratum-warm",
         "--json", str(folder / "out.json"), "--report", str(folder / "report")]
    )  # fmt: skip
    return status, json.loads((folder / "out.json").read_text()), folder


@pytest.mark.slow
def test_scores_are_right_and_everything_is_measured(
    complete: tuple[int, dict[str, object], Path],
) -> None:
    status, data, folder = complete
    assert status == 0
    systems = data["systems"]
    assert isinstance(systems, dict)
    for name, found in systems.items():
        assert found["status"] == "ok", name
        assert len(found["scores"]) == 5
        assert list(found["errors"]) == ["broken"]
        for value in ("seconds", "peak_rss_mb", "peak_pss_mb", "first_result_seconds"):
            assert found[value] > 0, (name, value)
    profile = systems["stratum"]["profile"]
    assert {"read", "fit:RandomForestRegressor", "score", "planning", "idle"} <= profile.keys()
    assert data["floor"]["distinct"] == 6  # Lasso and the forest on three folds
    assert (folder / "report" / "index.html").is_file()


@pytest.mark.slow
def test_a_wrong_spec_is_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def planted(folder: Path) -> Workload:
        made = selftest_workload(folder)
        first = made.pipelines[0]
        wrong = replace(first, spec={**first.spec, "model": "Ridge(alpha=0.1001)"})
        return replace(made, pipelines=(wrong, *made.pipelines[1:3]))

    selftest_workload = selftest.workload
    monkeypatch.setattr(selftest, "workload", planted)
    assert command.main(["--workload", "selftest", "--systems", "stratum"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("system", ["stratum-incremental", "stratum-stdio", "joblib", "skrub",
                                    "scripts"])  # fmt: skip
def test_other_systems_agree(tmp_path: Path, system: str) -> None:
    settings = command.Settings(selftest.NAME, (system,))
    made = command.measure_workload(settings, Console(quiet=True), tmp_path)
    assert made.runs[system].status == "ok", made.runs[system].reason
    assert made.parity[system].compared == 6
    assert made.parity[system].mismatches == []


@pytest.mark.slow
@pytest.mark.parametrize("part", [None, *PARTS])
def test_parts_can_be_switched_off(tmp_path: Path, part: str | None) -> None:
    found = ran(without(() if part is None else (part,)), tmp_path)
    assert found.status == "ok", found.reason
    assert len(found.results) == 6
    assert found.results["ridge-0.1"].scores is not None
    # Ridge over all folds is a group, be it of one setting only, which a kernel serves.
    assert any(kind.endswith("(group)") for kind in found.profile) == (part != "groups")
    # Without groups, kernels still score.
    assert ("rust" in found.backends) == (part != "kernels")
    assert found.profile["cores"] == (1 if part == "parallel" else measure.cores())
    assert coverage(found.profile) >= 0.9


def test_parts_are_what_their_names_say() -> None:
    assert any(rule.groups for rule in EngineOptions().rules)
    assert not any(rule.groups for rule in EngineOptions(groups=False).rules)
    names = [backend.name for backend in BACKENDS]
    assert KERNELS in names
    assert work_without_kernels.TABLE.keys() == work.TABLE.keys() == work_timed.TABLE.keys()


# -- command line -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["--workload", "no_such"],
        ["--workload", "selftest", "--systems", "no_such"],
        ["--workload", "selftest", "--ablate", "no_such"],
        ["--workload", "selftest", "--allow-wrong", "no_such"],
        ["--workload", "selftest", "--rows", "0"],
        [],
    ],
)
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        command.main(arguments)
    assert error.value.code == 2
    assert "usage" in capsys.readouterr().err


def test_a_workload_without_data_is_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(settings: object, folder: Path) -> Workload:
        raise WorkloadSkipped("the data is missing")

    monkeypatch.setattr(command, "workload_of", missing)
    assert command.main(["--workload", "churn_trace"]) == 0
    assert "skipped: churn_trace: the data is missing" in capsys.readouterr().err


def test_when_the_time_is_over_the_rest_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def instant(system: System, *_: object, **__: object) -> SystemRun:
        return SystemRun(system.name, system.title, seconds=1.0)

    monkeypatch.setattr(command, "run_system", instant)
    settings = command.Settings(
        selftest.NAME, ("stratum", "sequential", "joblib"), ablate=("groups",), budget=0.0
    )
    made = command.measure_workload(settings, Console(quiet=True), tmp_path)
    # The first is run all the same: an evaluation without it would say nothing.
    assert {name: run.status for name, run in made.runs.items()} == {
        "stratum": "ok",
        "sequential": "skipped",
        "stratum-without-groups": "skipped",
        "joblib": "skipped",
    }
    assert list(made.runs)[-1] == "joblib"  # somebody else's come last


def test_ablation_switches_parts_on_in_order() -> None:
    steps = command.ablation(["sharing", "groups"])
    assert [step.options.get("off") for step in steps] == [["sharing", "groups"], ["groups"], None]
    assert steps[0].options["mode"] == "apart"
    assert command.ablation([]) == []


def test_a_blend_alone_is_sent_with_what_it_is_made_from(tmp_path: Path) -> None:
    made = selftest.workload(tmp_path)
    first, second, third = made.pipelines[:3]

    def blend(name: str, *of: str) -> Pipeline:
        return replace(first, name=name, spec={"name": name, "blend": {"of": list(of)}})

    inner = blend("inner", second.name)
    outer = blend("outer", "inner", third.name)
    made = replace(made, pipelines=(first, second, third, inner, outer))
    assert members_of(first, made) == []
    assert members_of(outer, made) == [second, third, inner]


def test_default_systems_are_known() -> None:
    assert set(DEFAULT) <= SYSTEMS.keys()


# -- measurement ------------------------------------------------------------------------------


def test_processor_time_of_processes_that_ended_is_counted() -> None:
    inner = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}])"
    text = f"input(); {inner}; print('done', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        meter = Meter(process.pid).start()
        meter.mark()
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"done\n"
        usage = meter.stop()
        process.stdin.write(b"\n")
    assert usage.cpu_seconds >= 0.45
    assert usage.peak_rss_mb > 5


def test_fits_of_a_script_are_recorded_once_for_each_fold() -> None:
    x, y = make_regression(60, 4, random_state=0)
    cv = KFold(3)

    def script(alpha: float) -> list[float]:
        model = TransformedTargetRegressor(Lasso(alpha=alpha))
        return [float(score) for score in cross_val_score(model, x, y, cv=cv)]

    scores, first = recorded(lambda: script(0.1))
    _, same = recorded(lambda: script(0.1))
    _, other = recorded(lambda: script(0.2))
    assert scores == script(0.1)
    assert [fit.model for fit in first] == ["Lasso"] * 3
    keys = {fit.key for fit in first}
    assert len(keys) == 3
    assert {fit.key for fit in same} == keys
    assert not {fit.key for fit in other} & keys


def test_scaling_grammar_is_reproducible(tmp_path: Path) -> None:
    def names(count: int) -> list[Pipeline]:
        return list(scaling_workload(count, 200, tmp_path).pipelines)

    small, large = names(8), names(32)
    assert large[:8] == small
    assert len({str(p.spec) for p in large}) == 32


def test_comparison_needs_a_reference(tmp_path: Path) -> None:
    reference = SystemRun("reference", "", "crashed", "it broke")
    made = Comparison(selftest.workload(tmp_path), None, 2, reference)
    assert made.failures == ["reference: crashed: it broke"]


def test_of_several_runs_the_median_stands_and_the_worst_scores(tmp_path: Path) -> None:
    made = cases.comparison(tmp_path)
    scripts = by_name("sequential")
    wrong = cases.run(scripts, 30.0)
    wrong.results["lasso"] = PipelineResult(scores=[0.0, 0.0, 0.0])
    made.add(scripts, wrong)
    made.add(scripts, cases.run(scripts, 13.0))
    assert made.runs["sequential"].seconds == 13.0
    assert made.runs["sequential"].repeats == [12.0, 30.0, 13.0]
    assert made.ratio("stratum", "sequential") == 13.0
    assert made.failures == ["sequential: 1 wrong"]
    assert any("the median of 12.00, 30.00, 13.00 s" in n for n in report.notes(made.to_json()))


def test_a_run_that_does_not_end_is_not_outvoted(tmp_path: Path) -> None:
    made = cases.comparison(tmp_path)
    stratum = by_name("stratum")
    made.add(stratum, SystemRun("stratum", "", "timeout", "not finished"))
    made.add(stratum, cases.run(stratum, 1.0))
    assert made.runs["stratum"].status == "timeout"
    assert made.failures == ["stratum: timeout: not finished"]
