"""The table of the kernels' benchmark, and how their memory is measured."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evals import kernels
from evals.documentation import markers, rewritten
from evals.kernel_cases.base import Case, Machine, Memory, Outcome, Target, Two
from evals.kernel_cases.memory import memory_of, size_of
from evals.kernel_table import COLUMNS, cells, judged, markdown, summary

MACHINE = Machine(bandwidth=1e10, rate=5e10)
MB = 1 << 20


def outcome(**changes: Any) -> Outcome:
    found: dict[str, Any] = {
        "ours": 0.01,
        "libraries": {"scikit-learn": 0.25, "Polars": "not installed"},
        "limit": 0.005,
        "difference": 1e-12,
        "bound": 1e-9,
        "memory": Memory(added=5, given=20),
        "two": Two(ours=0.004, alone=0.01, library="scikit-learn", theirs=0.2),
    }
    return Outcome(**{**found, **changes})


def case(*targets: Target) -> Case:
    return Case("linear", "ridge", lambda machine: outcome(), targets)


def test_a_row_says_what_was_measured() -> None:
    row = judged(case(Target(20.0), Target(30.0), Target(1.0, over="Polars")), outcome(declined=2))
    assert [met for _, _, met in row.targets] == [True, False, False]
    found = dict(zip(COLUMNS, cells(row), strict=True))
    assert found == {
        "case": "linear: ridge (2 left to the library)",
        "ours ms": "10",
        "libraries over ours": "scikit-learn 25x, Polars not installed",
        "over limit": "2.0x",
        "two threads": "2.50x; scikit-learn 50x",
        "memory": "0.25",
        "difference": "1e-12",
        "targets": "20x scikit-learn: met, 30x scikit-learn: missed, 1x Polars: missed",
    }


def test_a_fast_kernel_with_other_values_misses_its_target() -> None:
    for difference in (1e-8, float("nan")):
        row = judged(case(Target(2.0)), outcome(difference=difference))
        assert not row.targets[0][2]


def test_the_page_gets_every_row_and_the_sum() -> None:
    rows = [judged(case(Target(20.0)), outcome()), judged(case(Target(90.0)), outcome(two=None))]
    section = markdown(rows, MACHINE, "a machine")
    lines = [line for line in section.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + len(rows)
    assert {line.count("|") for line in lines} == {len(COLUMNS) + 1}
    assert "1 of 2 targets met" in section
    assert summary(rows) == "1 of 2 targets met"
    begin, end = markers(kernels.COMMAND)
    assert "old" not in rewritten(f"{begin}\nold\n{end}\n", section, kernels.COMMAND)


def test_a_run_writes_page_and_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernels, "CASES", (case(Target(20.0)),))
    monkeypatch.setattr(kernels, "machine_limits", lambda: MACHINE)
    page, data = tmp_path / "page.md", tmp_path / "kernels.json"
    page.write_text("above\n" + "\nold\n".join(markers(kernels.COMMAND)) + "\nbelow\n")
    assert kernels.main(["--docs", str(page), "--json", str(data)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "1 of 1 targets met"
    text = page.read_text()
    assert text.startswith("above\n")
    assert text.endswith("below\n")
    assert "linear: ridge" in text
    assert "old" not in text
    (row,) = json.loads(data.read_text())["rows"]
    assert row["outcome"]["memory"] == {"added": 5, "given": 20}
    assert row["outcome"]["two"]["library"] == "scikit-learn"


def test_a_part_of_the_kernels_does_not_replace_the_page() -> None:
    with pytest.raises(SystemExit):
        kernels.main(["--only", "linear", "--docs", "page.md"])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_what_is_held_beside_the_result() -> None:
    given = np.ones(MB)

    def copies() -> np.ndarray:
        return np.sqrt(given * 2.0)[: MB // 2].copy()

    found = memory_of(copies, [given, {"again": given}])
    assert found.given == 8 * MB
    # Two arrays of 8 MB at a time, less the result of 4 MB.
    assert 11 * MB <= found.added <= 14 * MB
    assert memory_of(lambda: np.ones(4 * MB), given).added < 2 * MB
    assert size_of([given, given[:10], np.ones(3)]) == 8 * MB + 24
