"""The command line: what it prints, and its exit status."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_score

from mcp_server.cli import main
from tests.executor.harness import await_end, running_with
from tests.mcp_server.clients import LIMIT, MARKER, ROOT

SPEC = {
    "dataset": "data",
    "target": "target",
    "features": [{"columns": "all"}],
    "model": "Ridge(alpha=0.5)",
}
EVALUATE = {"cv": "KFold(4)", "metrics": ["r2", "rmse"]}


@pytest.fixture(scope="module")
def home(new_home: Callable[[], Path]) -> Path:
    return new_home()


@pytest.fixture
def batch(tmp_path: Path, workspace: Path) -> Callable[..., Path]:
    """Writes a batch file, whose data file lies elsewhere."""

    def write(*pipelines: dict[str, Any], **fields: Any) -> Path:
        content = {
            "datasets": {"data": str(workspace / "diabetes.csv")},
            "evaluate": EVALUATE,
            "pipelines": [{**SPEC, **pipeline} for pipeline in pipelines],
            **fields,
        }
        file = tmp_path / "batch.json"
        file.write_text(json.dumps(content))
        return file

    return write


def stratum(*arguments: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mcp_server.cli", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, **(env or {})},
    )


def test_run_prints_one_json_object_in_the_order_sent(
    batch: Callable[..., Path], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = batch({"name": "bad", "model": "Rigde()"}, {"name": "good"}, {"name": "same"})
    assert main(["run", str(file), "--json", "--home", str(home)]) == 0
    out, _ = capsys.readouterr()
    found = json.loads(out)
    assert set(found) == {"job", "seconds", "evaluations"}
    assert [e["name"] for e in found["evaluations"]] == ["bad", "good", "same"]
    bad, good, same = found["evaluations"]
    assert set(good) == {
        "name", "id", "status", "metrics", "seconds", "reused_seconds", "warnings", "error",
    }  # fmt: skip
    assert bad["status"] == "failed"
    assert set(bad["error"]) == {"code", "message", "path", "hint"}
    assert good["error"] is None
    data, target = load_diabetes(return_X_y=True)
    expected = cross_val_score(Ridge(alpha=0.5), data, target, cv=KFold(4))
    assert set(good["metrics"]) == {"r2", "rmse"}
    assert good["metrics"]["r2"]["folds"] == pytest.approx(expected, rel=1e-9)
    assert good["metrics"]["r2"]["mean"] == pytest.approx(expected.mean(), rel=1e-9)
    assert good["metrics"]["r2"]["std"] == pytest.approx(expected.std(), rel=1e-6)
    assert same["metrics"] == good["metrics"]


def test_run_prints_a_table_what_was_shared_and_failures(
    batch: Callable[..., Path], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = batch({"name": "good", "model": "Ridge(alpha=choose(1, 2))"}, {"model": "Rigde()"})
    assert main(["run", str(file), "--home", str(home)]) == 0
    out, _ = capsys.readouterr()
    assert "good[alpha=1]" in out
    assert "unknown_estimator at pipelines[1].model" in out
    assert "Did you mean 'Ridge'" in out
    assert "steps asked for" in out


def test_paths_are_relative_to_the_batch_file(
    tmp_path: Path, workspace: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "here.csv").write_bytes((workspace / "plain.csv").read_bytes())
    content = {
        "datasets": {"d": {"path": "here.csv", "na_values": ["?"]}},
        "pipelines": [{"dataset": "d", "target": "y", "model": "Ridge()"}],
    }
    file = tmp_path / "batch.json"
    file.write_text(json.dumps(content))
    assert main(["run", str(file), "--json", "--home", str(home)]) == 0
    assert json.loads(capsys.readouterr().out)["evaluations"][0]["status"] == "ok"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"pipelines": [}', "line 1, column 16"),
        ('{\n "pipelines": [],\n}', "line 3, column 1"),
        ("[]", "no JSON object"),
        ('{"pipelines": []}', "pipelines"),
        ('{"pipeline": [{}]}', "Did you mean 'pipelines'"),
        ('{"pipelines": [{}], "evaluate": {"metric": "r2"}}', "Did you mean 'metrics'"),
        ('{"pipelines": [{}], "datasets": {"d": "missing.csv"}}', "missing.csv"),
        ('{"pipelines": ' + 100_000 * "[" + 100_000 * "]" + "}", "nested"),
        ('{"pipelines": [' + ",".join(10_001 * ["{}"]) + "]}", "10000"),
        ("\x00", "line 1"),
    ],
)
def test_a_batch_that_cannot_be_read_ends_with_two_and_one_line(
    tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str], text: str, expected: str
) -> None:
    file = tmp_path / "batch.json"
    file.write_text(text)
    assert main(["run", str(file), "--home", str(home)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert expected in err


def test_a_missing_batch_file_ends_with_two(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(tmp_path / "none.json"), "--home", str(tmp_path / "h")]) == 2
    assert "none.json" in capsys.readouterr().err
    assert not (tmp_path / "h").exists()


def test_a_home_that_cannot_be_used_ends_with_one(
    batch: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["run", str(batch({})), "--home", str(tmp_path / "file" / "home")]) == 1
    assert "home_unusable" in capsys.readouterr().err


def test_wrong_arguments_end_with_two(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["runn"])
    assert ended.value.code == 2
    assert main(["serve", "--workspace", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err


def test_explain_counts_and_runs_nothing(
    batch: Callable[..., Path], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = batch({"model": "Ridge(alpha=choose(1001, 1002))"}, {"model": "Rigde()"})
    assert main(["explain", str(file), "--home", str(home)]) == 0
    out, _ = capsys.readouterr()
    assert "2 pipelines" in out
    assert "cannot run: unknown_estimator at pipelines[1].model" in out
    assert main(["explain", str(file), "--json", "--home", str(home)]) == 0
    assert json.loads(capsys.readouterr().out)["plan"]["tasks"] > 0


def test_explain_draws_the_plan(
    batch: Callable[..., Path], home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, picture = batch({"model": "Ridge(alpha=choose(1001, 1002))"}), tmp_path / "plan.svg"
    assert main(["explain", str(file), "--svg", str(picture), "--home", str(home)]) == 0
    assert "The plan of 2 pipelines" in picture.read_text()
    nowhere = str(tmp_path / "no" / "plan.svg")
    assert main(["explain", str(file), "--svg", nowhere, "--home", str(home)]) == 2
    assert "no/plan.svg" in capsys.readouterr().err


def test_profile_tells_of_a_file(
    workspace: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["profile", str(workspace / "diabetes.csv"), "--home", str(home)]
    assert main([*arguments, "--target", "target"]) == 0
    assert "442 rows" in capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 442
    assert main([*arguments, "--target", "tarjet"]) == 2
    assert "Did you mean 'target'" in capsys.readouterr().err


def test_status_tells_versions(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json", "--home", str(home)]) == 0
    assert json.loads(capsys.readouterr().out)["ready"] is True


def test_version_needs_no_library() -> None:
    program = (
        "import sys; from mcp_server import cli\n"
        "try: cli.main(['--version'])\n"
        "except SystemExit as ended: assert ended.code == 0\n"
        "heavy = {'mcp', 'duckdb', 'pandas', 'sklearn', 'pyarrow', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("stratum ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_and_all_its_processes(
    batch: Callable[..., Path], home: Path, tmp_path: Path, number: signal.Signals
) -> None:
    file = batch({"model": "RandomForestRegressor(n_estimators=20000)"})
    marker = str(tmp_path)
    process = stratum("run", file, "--home", home, env={MARKER: marker})
    try:
        assert process.stderr is not None
        assert "of 1 pipelines" in process.stderr.readline()
        children = running_with(MARKER, marker)
        assert len(children) > 2
        process.send_signal(number)
        out, _ = process.communicate(timeout=LIMIT)
        assert process.returncode == 128 + number
        assert out == ""
        await_end(children)
        assert running_with(MARKER, marker) == []
    finally:
        process.kill()
        process.communicate()
