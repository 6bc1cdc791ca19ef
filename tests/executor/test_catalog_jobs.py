import math
import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from executor.catalog import (
    Catalog,
    process_alive,
)
from planner.errors import ServerError, SpecError
from tests.executor.catalog_cases import evaluation, run_child, same


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite", workspace="/here")


TERMINAL = ("completed", "failed", "cancelled", "timeout", "interrupted")


def test_a_job_from_start_to_end(catalog: Catalog) -> None:
    catalog.create_job("j1", "evaluate", "s1", {"pipelines": [1, math.nan]}, 2)
    job = catalog.get_job("j1")
    assert (job.state, job.total, job.done, job.session) == ("submitted", 2, 0, "s1")
    assert (job.pid, job.started, job.finished) == (os.getpid(), None, None)
    assert same(job.request, {"pipelines": [1, math.nan]})
    assert catalog.set_job_state("j1", "running")
    catalog.put_evaluation(evaluation(0))
    job = catalog.get_job("j1")
    assert (job.state, job.done, job.terminal) == ("running", 1, False)
    assert job.started is not None
    assert catalog.set_job_state("j1", "failed", error={"code": "x"}, result=[1])
    job = catalog.get_job("j1")
    assert (job.state, job.error, job.result, job.terminal) == ("failed", {"code": "x"}, [1], True)
    assert job.started is not None
    assert job.finished is not None
    assert job.finished >= job.started >= job.created


def test_the_number_of_evaluations_may_be_known_late(catalog: Catalog) -> None:
    catalog.create_job("j1", "evaluate", "s1", {}, 1)
    catalog.set_job_state("j1", "running", total=7)
    assert catalog.get_job("j1").total == 7
    catalog.set_job_state("j1", "completed")
    assert catalog.get_job("j1").total == 7


@pytest.mark.parametrize("first", TERMINAL)
@pytest.mark.parametrize("second", ["running", *TERMINAL])
def test_terminal_states_never_change(catalog: Catalog, first: Any, second: Any) -> None:
    catalog.create_job("j1", "evaluate", "", None, 1)
    assert catalog.set_job_state("j1", first)
    before = catalog.get_job("j1")
    assert not catalog.set_job_state("j1", second, error={"code": "late"})
    assert catalog.get_job("j1") == before


def test_the_database_itself_refuses_to_leave_a_terminal_state(catalog: Catalog) -> None:
    catalog.create_job("j1", "evaluate", "", None, 1)
    catalog.set_job_state("j1", "completed")
    with pytest.raises(ServerError, match="never changes"), catalog.write() as connection:
        connection.execute("UPDATE jobs SET state = 'running'")
    assert catalog.get_job("j1").state == "completed"


def test_running_is_entered_once(catalog: Catalog) -> None:
    catalog.create_job("j1", "evaluate", "", None, 1)
    assert catalog.set_job_state("j1", "running")
    assert not catalog.set_job_state("j1", "running")
    assert not catalog.set_job_state("j1", "submitted")
    with pytest.raises(ServerError):
        catalog.set_job_state("j1", "sleeping")  # type: ignore[arg-type]


def test_unknown_job(catalog: Catalog) -> None:
    for ask in (lambda: catalog.get_job("j"), lambda: catalog.set_job_state("j", "running")):
        with pytest.raises(SpecError) as caught:
            ask()
        assert caught.value.code == "unknown_job"


def test_jobs_are_listed_newest_first(tmp_path: Path, catalog: Catalog) -> None:
    for name in "abc":
        catalog.create_job(name, "evaluate", "", None, 1)
    Catalog(catalog.path, "/there").create_job("d", "evaluate", "", None, 1)
    assert [job.id for job in catalog.list_jobs(2)] == ["c", "b"]
    assert len(catalog.list_jobs()) == 3


def test_only_jobs_of_dead_servers_are_interrupted(catalog: Catalog) -> None:
    run_child(
        catalog.path,
        "catalog.create_job('theirs', 'evaluate', '', None, 1)\n"
        "catalog.create_job('done', 'evaluate', '', None, 1)\n"
        "catalog.set_job_state('done', 'completed')",
    )
    catalog.create_job("mine", "evaluate", "", None, 1)
    assert catalog.interrupt_unfinished() == ["theirs"]
    assert catalog.get_job("theirs").state == "interrupted"
    assert catalog.get_job("mine").state == "submitted"
    assert catalog.get_job("done").state == "completed"
    assert catalog.interrupt_unfinished() == []
    asked = []
    assert catalog.interrupt_unfinished(lambda *owner: bool(asked.append(owner))) == ["mine"]
    assert asked == [(os.getpid(), psutil.Process().create_time())]


def test_process_numbers_that_are_used_again() -> None:
    started = psutil.Process().create_time()
    assert process_alive(os.getpid(), started)
    assert not process_alive(os.getpid(), started - 60)
