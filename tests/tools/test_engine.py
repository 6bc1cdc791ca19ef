"""What clients of an engine may rely on, with real estimators, faults included."""

import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_score
from sklearn.tree import DecisionTreeRegressor

from executor.home import Home
from planner.errors import SpecError, StratumError
from planner.spec import EvaluateSpec
from tests.executor.fault_functions import LIMIT, Gate
from tests.executor.harness import await_end
from tests.tools.conftest import FOLDS, run, spec, start, tasks
from tests.tools.fault_table import CRASH, CRASH_ONCE, GATE, TABLE_NAME
from tools.engine import Engine
from tools.requests import AddDataset, EvaluatePipelines, SearchPipelines

ROOT = Path(__file__).parents[2]


def tree(seed: int, depth: int = 2) -> str:
    return f"DecisionTreeRegressor(max_depth={depth}, random_state={seed})"


class TestAskedAgain:
    def test_a_failure_is_answered_with_its_place_in_the_new_request(self, engine: Engine) -> None:
        bad = spec("Lasso(alpha=-3)", name="bad")
        branch = {"columns": "numeric", "steps": ["PCA(n_components=77)"]}
        worse = spec("Ridge()", features=[branch])
        first = run(engine, bad, worse)
        job = start(engine, spec("Ridge(alpha=11)"), worse, bad)
        assert job.wait(LIMIT)
        second = job.in_order()
        assert [e.status for e in second] == ["ok", "failed", "failed"]
        for before, after, place in (
            (first[0], second[2], "pipelines[2].model"),
            (first[1], second[1], "pipelines[1].features[0].steps[0]"),
        ):
            assert before.error is not None
            assert after.error is not None
            assert after.error.path == place
            assert before.error.path == place.replace("[2]", "[0]", 1)
            assert after.error.code == before.error.code
            assert after.error.message == before.error.message
            assert after.error.hint == before.error.hint
            assert after.seconds == 0.0
        again = start(engine, bad, worse)
        assert again.wait(LIMIT)
        assert tasks(again) == 0

    def test_a_failing_metric_says_nothing_of_the_others(self, engine: Engine) -> None:
        base = {"dataset": "mixed", "target": "y", "model": "Ridge(alpha=3)",
                "features": [{"columns": ["x"]}]}  # fmt: skip
        both = run(engine, {**base, "metrics": ["r2", "rmsle"]})[0]
        assert both.error is not None
        assert both.error.path == "pipelines[0].metrics[1]"
        assert run(engine, {**base, "metrics": ["r2"]})[0].status == "ok"
        again = run(engine, spec("Ridge()"), {**base, "metrics": ["mae", "rmsle"]})[1]
        assert again.error is not None
        assert again.error.code == both.error.code
        assert again.error.path == "pipelines[1].metrics[1]"

    def test_scores_warnings_and_costs_come_again(self, engine: Engine) -> None:
        slow = spec("MLPRegressor(max_iter=3)", seeds=[1, 2], metrics=["r2", "mae"])
        first = run(engine, slow)[0]
        assert any("ConvergenceWarning" in text for text in first.warnings)
        job = start(engine, spec("Ridge()"), slow)
        assert job.wait(LIMIT)
        second = job.in_order()[1]
        assert second.metrics == first.metrics
        assert second.warnings == first.warnings
        assert second.seconds == 0.0
        spent = first.seconds + first.reused_seconds
        assert second.reused_seconds == pytest.approx(spent, abs=1e-5)
        assert job.plan is not None
        assert job.plan.scores_known >= 4

    def test_seeds_are_kept_one_by_one(self, engine: Engine) -> None:
        model = "ExtraTreesRegressor(n_estimators=3)"
        both = run(engine, spec(model, seeds=[5, 6]))[0]
        job = start(engine, spec(model, seeds=[5]), spec(model, seeds=[6]))
        assert job.wait(LIMIT)
        assert tasks(job) == 0
        one, two = (e.metrics["r2"].folds for e in job.in_order())
        assert both.metrics["r2"].folds == pytest.approx(np.mean([one, two], axis=0))


class TestFaults:
    def test_a_crash_harms_no_other_and_is_not_remembered(self, engine: Engine) -> None:
        crashing, good = spec(tree(CRASH)), spec(tree(1))
        first = run(engine, crashing, good)
        assert first[0].error is not None
        assert first[0].error.code == "worker_crashed"
        assert first[0].error.path == "pipelines[0].model"
        x, y = load_diabetes(return_X_y=True)
        model = DecisionTreeRegressor(max_depth=2, random_state=1)
        expected = cross_val_score(model, x, y, cv=KFold(3), scoring="r2")
        np.testing.assert_allclose(np.array(first[1].metrics["r2"].folds), expected, rtol=1e-9)
        again = start(engine, crashing)
        assert tasks(again) > 0
        assert again.wait(LIMIT)

    def test_a_passing_crash_is_not_noticed(self, engine: Engine) -> None:
        assert run(engine, spec(tree(CRASH_ONCE)))[0].status == "ok"

    def test_cancelling_keeps_what_is_done(self, engine: Engine, gate: Gate) -> None:
        job = start(engine, spec(tree(2)), spec(tree(GATE)))
        pid = gate.arrived()
        version = 0
        while job.done < 1:
            version = job.wait_change(version, LIMIT)
        info = engine.cancel_job(job.id)
        assert (info.state, info.done, info.failed) == ("cancelled", 2, 1)
        assert [e.status for e in job.in_order()] == ["ok", "cancelled"]
        await_end([pid])
        again = start(engine, spec(tree(GATE)))
        for _ in range(3):
            gate.arrived()
            gate.open()
        assert again.wait(LIMIT)
        assert again.in_order()[0].status == "ok"

    def test_closing_in_the_middle(
        self, new_home: Callable[[], Home], workspace: Path, tmp_path: Path
    ) -> None:
        home = new_home()
        gate = Gate(home.path, "gate")
        with Engine(home, workspace, cores=2, table=TABLE_NAME) as engine:
            engine.datasets.add(AddDataset(path="diabetes.csv"))
            job = start(engine, spec(tree(3)), spec(tree(GATE)))
            pid = gate.arrived()
            version = 0
            while job.done < 1:
                version = job.wait_change(version, LIMIT)
        await_end([pid])
        assert job.finished
        assert [e.status for e in job.in_order()] == ["ok", "cancelled"]
        with pytest.raises(StratumError, match="engine_closed"):
            start(engine, spec("Ridge()"))
        with Engine(home, workspace, cores=2, table=TABLE_NAME) as second:
            info = second.job_info(job.id)
            assert (info.state, info.done, info.total) == ("interrupted", 2, 2)
            assert info.evaluations[0].cv == job.in_order()[0].cv
            again = start(second, spec(tree(3)))
            assert again.wait(LIMIT)
            assert tasks(again) == 0
            assert again.in_order()[0].metrics == job.in_order()[0].metrics
        gate.close()
        assert not list((home.blocks / "tmp").glob("*"))

    def test_jobs_of_a_server_that_was_killed(
        self, new_home: Callable[[], Home], workspace: Path
    ) -> None:
        home = new_home()
        code = (
            "import os, signal, sys; from pathlib import Path; from executor.catalog import *\n"
            "catalog = Catalog(Path(sys.argv[1]), sys.argv[2])\n"
            "catalog.create_job('job_old', 'evaluate', '', {}, 2)\n"
            "catalog.set_job_state('job_old', 'running')\n"
            "catalog.put_evaluation(EvaluationRow('ev_1', 'job_old', 0, 'first', {}, 'ok', 'd',"
            " metric='r2', metrics={'r2': {'mean': 0.5, 'std': 0.0, 'folds': [0.5]}}))\n"
            "os.kill(os.getpid(), signal.SIGKILL)\n"
        )
        command = [sys.executable, "-c", code, str(home.catalog), str(workspace.resolve())]
        subprocess.run(command, cwd=ROOT, check=False)
        with Engine(home, workspace, cores=1) as engine:
            info = engine.job_info("job_old")
            assert (info.state, info.done, info.total) == ("interrupted", 1, 2)
            assert [e.name for e in info.evaluations] == ["first"]
            assert engine.cancel_job("job_old").state == "interrupted"


class TestBudgets:
    def test_a_size_is_understood(self, engine: Engine) -> None:
        assert run(engine, spec("Ridge(alpha=21)"), budget={"memory": "8GB"})[0].status == "ok"

    def test_a_bad_size_is_an_answer_and_no_job(self, engine: Engine) -> None:
        before = len(engine.catalog.list_jobs())
        with pytest.raises(SpecError) as caught:
            start(engine, spec("Ridge()"), budget={"memory": "0GB"})
        assert (caught.value.code, caught.value.path) == (
            "invalid_budget", "evaluate.budget.memory",
        )  # fmt: skip
        assert len(engine.catalog.list_jobs()) == before

    def test_a_search_that_runs_out_of_time_has_its_best_so_far(
        self, engine: Engine, gate: Gate
    ) -> None:
        request = SearchPipelines(
            pipeline=spec(tree(1, 4).replace("=1)", f"=choose(1, 2, 3, {GATE}))")),
            evaluate=EvaluateSpec(**FOLDS, budget={"seconds": 5000}),
            strategy="grid",
        )
        job = engine.search(request)
        gate.arrived()
        version = 0
        while job.done < 3:
            version = job.wait_change(version, LIMIT)
        best = job.info(limit=1)
        assert best.state == "running"

        def pass_time() -> None:
            for running in engine.scheduler._queue.jobs():
                running.started -= 5001

        engine.scheduler._do(pass_time)
        assert job.wait(LIMIT)
        info = job.info()
        assert info.state == "timeout"
        assert [e.status for e in info.evaluations] == ["ok", "ok", "ok", "skipped"]
        assert info.evaluations[0] == best.evaluations[0]
        means = [e.metrics["r2"].mean for e in info.evaluations[:3]]
        assert means == sorted(means, key=lambda mean: -(mean or 0))


class TestManyClients:
    def test_all_are_answered(self, engine: Engine) -> None:
        found: dict[int, list[float | None]] = {}

        def plain(alpha: int) -> dict[str, Any]:
            return spec(f"Ridge(alpha={alpha})", features=[{"columns": "numeric"}])

        def client(number: int) -> None:
            evaluations = run(engine, *(plain(alpha) for alpha in (number + 100, 99)))
            found[number] = [e.metrics["r2"].mean for e in evaluations]

        threads = [threading.Thread(target=client, args=(number,)) for number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT)
        x, y = load_diabetes(return_X_y=True)
        expected = {a: cross_val_score(Ridge(alpha=a), x, y, cv=KFold(3)).mean()
                    for a in (99, 100, 101, 102, 103, 104)}  # fmt: skip
        for number in range(5):
            wanted = [expected[number + 100], expected[99]]
            np.testing.assert_allclose(np.array(found[number]), wanted, rtol=1e-7)


class TestReading:
    def test_explaining_starts_nothing(self, engine: Engine) -> None:
        before = len(engine.catalog.list_jobs())
        request = EvaluatePipelines(
            pipelines=[spec("Ridge(alpha=31)"), spec("Rigde()")], evaluate=EvaluateSpec(**FOLDS)
        )
        explanation = engine.explain(request)
        assert [error.path for error in explanation.errors] == ["pipelines[1].model"]
        assert explanation.plan.tasks > 0
        assert len(engine.catalog.list_jobs()) == before

    def test_leaderboards_rank_every_metric_its_own_way(self, engine: Engine) -> None:
        models: list[dict[str, Any]] = [
            spec(tree(4, depth), metrics=["r2", "rmse"]) for depth in (1, 2, 3, 4, 5)
        ]
        scores = run(engine, *models, cv="KFold(4)")
        board = engine.leaderboard("rmse", limit=200)
        mine = [row for row in board.rows if row.id in {e.id for e in scores}]
        means = [row.mean for row in mine]
        assert len(mine) == 5
        assert means == sorted(means, key=lambda mean: mean or 0)
        cursor, ranks, ids = None, [], []
        while True:
            page = engine.leaderboard("rmse", limit=2, cursor=cursor)
            ranks += [row.rank for row in page.rows]
            ids += [row.id for row in page.rows]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert ranks == list(range(1, len(board.rows) + 1))
        assert ids == [row.id for row in board.rows]

    @pytest.mark.parametrize("cursor", ["x", "3/x", "-1/0:0", "/"])
    def test_a_bad_cursor_is_an_error(self, engine: Engine, cursor: str) -> None:
        run(engine, spec("Ridge()"))
        with pytest.raises(SpecError, match="invalid_cursor"):
            engine.leaderboard("r2", cursor=cursor)

    def test_a_stored_job_is_the_live_one(
        self, engine: Engine, new_home: Callable[[], Home]
    ) -> None:
        job = start(engine, spec("Ridge(alpha=41)"), spec("Lasso(alpha=-1)"), spec(tree(5)))
        assert job.wait(LIMIT)
        live = engine.job_info(job.id)
        with engine._jobs_lock:
            del engine._jobs[job.id]
        stored = engine.job_info(job.id)
        unlike = {"seconds", "plan", "expected_seconds"}
        assert stored.model_dump(exclude=unlike) == live.model_dump(exclude=unlike)

    def test_unknown_jobs_are_errors(self, engine: Engine) -> None:
        for ask in (engine.job_info, engine.cancel_job):
            with pytest.raises(SpecError, match="unknown_job"):
                ask("job_none")
