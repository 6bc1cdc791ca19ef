"""How results of tasks become outcomes, without a scheduler."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.catalog_rows import ScoreRow
from executor.results import MetricResult, TaskResult
from planner.errors import DataError, ExecutionError, SpecError
from planner.ops import Fit, Materialise, Predict, Score, Vector
from planner.plan import Instruction, PipelinePlan, Plan, Task, Value
from tests.executor.scheduling import Step, Watched, plan, watched

BROKEN = ExecutionError("broken", "It is broken.", hint="Mend it.")


def scores(*names: str, value: float = 1.0) -> TaskResult:
    return TaskResult({Value(name, 0): value for name in names})


def two_metrics(seeds: int = 1) -> Plan:
    """One pipeline: a fit and, for each of two metrics and each seed, a score of two folds."""
    tasks, keys, values = [], {"r2": [], "mae": []}, {"r2": [], "mae": []}
    for seed in range(seeds):
        for metric in keys:
            name = f"{metric}-{seed}"
            keys[metric].append(f"logical {name}")
            values[metric].append([Value(name, 0), Value(name, 1)])
            for fold in range(2):
                out = Value(name, fold)
                tasks.append(Task(len(tasks), (Instruction(out, Vector("x"), ()),), (), (),
                                  (out,), (), (0,)))  # fmt: skip
    places = {"fit": "pipelines[0].model"}
    places |= {f"{m}-{s}": "pipelines[0].metrics" for s in range(seeds) for m in keys}
    return Plan(tuple(tasks), (PipelinePlan(0, values, keys, places),))


def answer_all(job: Watched, values: dict[Value, float], seconds: float = 2.0) -> None:
    job.run.begin()
    for task in job.run.plan.tasks:
        job.run.task_done(task, TaskResult({v: values[v] for v in task.scores}), seconds)


class TestScores:
    def test_each_metric_and_seed_is_kept_with_its_folds(self) -> None:
        whole = two_metrics(seeds=2)
        values = {t.scores[0]: float(i) for i, t in enumerate(whole.tasks)}
        job = watched(whole)
        answer_all(job, values)
        outcome = job.wait()[0]
        # r2 of seed 0 has the folds 0 and 1, of seed 1 the folds 4 and 5.
        assert outcome.metrics["r2"].folds == (2.0, 3.0)
        assert outcome.metrics["r2"].std == 0.5
        assert {row.key: row.folds for row in outcome.fresh} == {
            "logical r2-0": (0.0, 1.0),
            "logical r2-1": (4.0, 5.0),
            "logical mae-0": (2.0, 3.0),
            "logical mae-1": (6.0, 7.0),
        }

    def test_known_scores_give_the_same_answer_at_no_cost(self) -> None:
        whole = two_metrics(seeds=2)
        first = watched(whole)
        answer_all(first, {t.scores[0]: float(i) for i, t in enumerate(whole.tasks)})
        before = first.wait()[0]
        known = {row.key: row for row in before.fresh}
        second = watched(Plan((), whole.pipelines), known=known)
        second.run.begin()
        after = second.wait()[0]
        assert after.metrics == before.metrics
        assert after.fresh == ()
        assert after.seconds == 0.0
        assert after.reused_seconds == pytest.approx(before.seconds + before.reused_seconds)

    def test_only_what_is_not_known_is_fresh(self) -> None:
        whole = two_metrics()
        known = {"logical r2-0": ScoreRow("logical r2-0", (7.0, 9.0), 3.0)}
        tasks = tuple(t for t in whole.tasks if t.scores[0].key == "mae-0")
        job = watched(Plan(tasks, whole.pipelines), known=known)
        answer_all(job, {t.scores[0]: 1.0 for t in tasks})
        outcome = job.wait()[0]
        assert outcome.metrics["r2"].mean == 8.0
        assert [row.key for row in outcome.fresh] == ["logical mae-0"]

    def test_what_was_computed_before_a_failure_is_kept(self) -> None:
        whole = two_metrics()
        job = watched(whole)
        for task in whole.tasks[:2]:
            job.run.task_done(task, TaskResult({task.scores[0]: 5.0}), 0.0)
        job.run.task_failed(whole.tasks[2], BROKEN)
        outcome = job.wait()[0]
        assert outcome.status == "failed"
        assert [row.key for row in outcome.fresh] == ["logical r2-0"]

    def test_a_score_that_never_came_is_an_error_and_no_number(self) -> None:
        job = watched(plan(Step("a", "fit")))
        job.run.task_done(job.run.plan.tasks[0], TaskResult(), 0.0)
        error = job.wait()[0].error
        assert error is not None
        assert error.code == "internal_error"

    @given(st.lists(st.lists(st.floats(), min_size=3, max_size=3), min_size=1, max_size=3))
    def test_any_values_have_a_mean_and_a_spread(self, seeds: list[list[float]]) -> None:
        result = MetricResult.of(seeds)
        assert len(result.folds) == 3
        flat = [value for values in seeds for value in values]
        if all(abs(value) < 1e100 for value in flat):
            slack = 1e-9 * max(map(abs, flat))
            assert result.mean == pytest.approx(sum(flat) / len(flat), abs=slack)
        if any(math.isnan(value) for value in flat):
            assert math.isnan(result.mean)


class TestWarnings:
    def run(self, known: dict[str, ScoreRow]) -> Watched:
        whole = two_metrics()
        tasks = tuple(t for t in whole.tasks if f"logical {t.scores[0].key}" not in known)
        job = watched(Plan(tasks, whole.pipelines), known=known)
        job.run.begin()
        for task in tasks:
            name = task.scores[0].key
            warnings = {name: (f"about {name}",), "fit": ("not converged",), "alien": ("no",)}
            job.run.task_done(task, TaskResult({task.scores[0]: 1.0}, warnings=warnings), 1.0)
        return job

    def test_are_kept_with_the_scores_they_belong_to(self) -> None:
        rows = {row.key: row.warnings for row in self.run({}).wait()[0].fresh}
        assert rows == {
            "logical r2-0": ("not converged", "about r2-0"),
            "logical mae-0": ("not converged", "about mae-0"),
        }

    def test_come_again_with_known_scores(self) -> None:
        first = self.run({}).wait()[0]
        rows = {row.key: row for row in first.fresh}
        assert first.warnings == ("not converged", "about r2-0", "about mae-0")
        assert self.run(rows).wait()[0].warnings == first.warnings
        half = {"logical r2-0": rows["logical r2-0"]}
        assert self.run(half).wait()[0].warnings == first.warnings


class TestSeconds:
    def test_shared_work_is_divided_and_the_rest_counts_as_reused(self) -> None:
        job = watched(plan(
            Step("table", "make", pipelines=(0, 1)),
            Step("a", "fit", ["table"], pipelines=(0,)),
            Step("b", "fit", ["table"], pipelines=(1,)),
        ))  # fmt: skip
        table, a, b = job.run.plan.tasks
        job.run.task_done(table, TaskResult(), 10.0)
        job.run.task_done(a, scores("a"), 1.0)
        job.run.task_done(b, scores("b"), 2.0)
        outcomes = job.wait()
        assert (outcomes[0].seconds, outcomes[0].reused_seconds) == (6.0, 5.0)
        assert (outcomes[1].seconds, outcomes[1].reused_seconds) == (7.0, 5.0)
        assert outcomes[0].fresh[0].seconds == 11.0

    def test_metrics_of_one_fit_do_not_count_it_twice(self) -> None:
        whole = two_metrics(seeds=2)
        known = {
            key: ScoreRow(key, (1.0, 1.0), 4.0) for p in whole.pipelines for n in p.keys
            for key in p.keys[n]
        }  # fmt: skip
        job = watched(Plan((), whole.pipelines), known=known)
        job.run.begin()
        assert job.wait()[0].reused_seconds == 8.0

    def test_no_number_of_seconds_is_no_reuse(self) -> None:
        whole = two_metrics()
        keys = ("logical r2-0", "logical mae-0")
        known = {key: ScoreRow(key, (1.0,), math.nan) for key in keys}
        job = watched(Plan((), whole.pipelines), known=known)
        job.run.begin()
        assert job.wait()[0].reused_seconds == 0.0


class TestFailures:
    def test_the_place_is_that_of_the_fit_and_not_of_the_last_step(self) -> None:
        fit = Fit.__new__(Fit)
        out = [Value("fit", 0), Value("predict", 0), Value("score", 0)]
        instructions = (
            Instruction(out[0], fit, ()),
            Instruction(out[1], Predict(("predict",)), (out[0],)),
            Instruction(out[2], Score("r2", "regression"), (out[1],)),
        )
        task = Task(0, instructions, (), (), (out[2],), (), (0,))
        places = {"fit": "pipelines[0].model", "score": "pipelines[0].metrics"}
        pipeline = PipelinePlan(0, {"r2": [[out[2]]]}, {"r2": ["k"]}, places)
        job = watched(Plan((task,), (pipeline,)))
        job.run.task_failed(task, BROKEN)
        outcome = job.wait()[0]
        assert outcome.error is not None
        assert (outcome.error.path, outcome.error.code) == ("pipelines[0].model", "broken")
        assert outcome.node == "fit"

    def test_the_place_of_an_error_that_has_one_is_kept(self) -> None:
        job = watched(plan(Step("a", "fit")))
        error = DataError("broken", "It is broken.", path="elsewhere")
        job.run.task_done(job.run.plan.tasks[0], TaskResult(failures={"a": error}), 0.0)
        outcome = job.wait()[0]
        assert outcome.error is not None
        assert outcome.error.path == "elsewhere"

    @pytest.mark.parametrize(("code", "place"), [("cast", "prepare"), ("dataset_gone", "dataset")])
    def test_a_table_fails_where_it_was_written(self, code: str, place: str) -> None:
        whole = plan(Step("table", "x", saves=True), Step("a", "fit", ["table"]))
        table = whole.tasks[0]
        made = (Instruction(Value("table"), Materialise.__new__(Materialise), ()),)
        table = replace(table, instructions=made)
        places = {"a": "deep.pipelines[7].model", "table": "deep.pipelines[7].prepare"}
        pipelines = tuple(replace(p, places=places) for p in whole.pipelines)
        job = watched(Plan((table, *whole.tasks[1:]), pipelines))
        error = ExecutionError(code, "It failed.")
        job.run.task_done(table, TaskResult(failures={"table": error}), 0.0)
        outcome = job.wait()[0]
        assert outcome.error is not None
        assert outcome.error.path == f"deep.pipelines[7].{place}"

    def test_a_failure_of_what_a_pipeline_does_not_have_is_none_of_its_own(self) -> None:
        job = watched(plan(Step("a", "fit"), Step("b", "fit", pipelines=(1,))))
        result = TaskResult({Value("a", 0): 1.0}, failures={"b": BROKEN})
        job.run.task_done(job.run.plan.tasks[0], result, 0.0)
        assert job.outcomes[0].status == "ok"

    @pytest.mark.parametrize("code", ["timeout", "out_of_memory", "cancelled", "skipped"])
    def test_codes_with_a_status_of_their_own(self, code: str) -> None:
        job = watched(plan(Step("a", "fit")))
        job.run.task_failed(job.run.plan.tasks[0], ExecutionError(code, "No."))
        assert job.wait()[0].status == code


class TestEnds:
    def test_once_however_often_it_is_told(self) -> None:
        job = watched(plan(Step("a", "fit"), Step("b", "fit", pipelines=(1,))))
        first, second = job.run.plan.tasks
        job.run.task_done(first, scores("a"), 0.0)
        job.run.stop(BROKEN, "cancelled")
        job.run.stop(BROKEN, "timeout")
        job.run.begin()
        job.run.task_done(second, scores("b"), 0.0)
        job.run.task_failed(first, BROKEN)
        assert {p: o.status for p, o in job.wait().items()} == {0: "ok", 1: "failed"}
        assert job.state == "cancelled"

    def test_stopping_what_has_ended_changes_nothing(self) -> None:
        job = watched(plan(Step("a", "fit")))
        job.run.task_done(job.run.plan.tasks[0], scores("a"), 0.0)
        job.run.stop(BROKEN, "cancelled")
        assert job.state == "completed"


class TestAnswersOfWorkers:
    TASK = plan(Step("table", "x", saves=True, loads=["old"], made=False)).tasks[0]

    def test_are_cut_to_what_was_asked(self) -> None:
        result = TaskResult.of(self.TASK, {
            "scores": [["alien", 0, 1.0]], "saved": [["table", 10, 0.5], ["alien", 1, 1.0]],
            "warnings": {"table": ["w"]}, "unreadable": ["old", "alien"],
            "failures": {"table": {"code": "unknown_class", "message": "m"}},
        })  # fmt: skip
        assert result.scores == {}
        assert result.saved == (("table", 10, 0.5),)
        assert result.unreadable == ("old",)
        assert isinstance(result.failures["table"], SpecError)

    @given(
        st.recursive(
            st.none() | st.integers() | st.floats() | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["scores", "saved", "warnings", "failures", "unreadable", "x"]),
                    inner,
                )
            ),
        )
    )
    def test_anything_else_is_an_error(self, value: object) -> None:
        try:
            TaskResult.of(self.TASK, value)
        except ExecutionError:
            return
        assert isinstance(value, dict)
