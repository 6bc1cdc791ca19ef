"""Clients at once: what they ask for, and that together they cost what one does."""

import time
from pathlib import Path

import pytest

from evals.clients import Bench, main
from evals.clients_load import flood, overlapping, pipelines


def test_pipelines_are_distinct() -> None:
    for made in (pipelines(40), flood(40)):
        assert len({p["model"] for p in made}) == len({p["name"] for p in made}) == 40


def test_requests_overlap_and_cover_everything() -> None:
    whole = pipelines(40)
    spread = overlapping(whole, 8, 20)
    assert [len({p["name"] for p in each}) for each in spread] == [20] * 8
    assert {p["name"] for each in spread for p in each} == {p["name"] for p in whole}


@pytest.mark.timeout(300)
def test_clients_at_once_fit_what_one_fits(tmp_path: Path) -> None:
    bench = Bench(tmp_path.resolve(), 200, time.monotonic() + 250)
    same = pipelines(4)
    one = bench.together("one", [same])
    three = bench.together("three", [same] * 3)
    assert (three.fits, three.tasks) == (one.fits, one.tasks)
    assert one.fits > 0
    assert three.scores == one.scores
    assert one.wrong == three.wrong == 0
    idle, planned, run = bench.latency(1, 20)
    assert all(one.done >= one.planned >= one.held >= 0 for one in (idle, planned, run))


def test_an_evaluation_that_takes_too_long_is_ended(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seconds", "0", "--clients", "1", "--pipelines", "1", "--rows", "50"]) == 1
    assert "time for this evaluation is over" in capsys.readouterr().err
