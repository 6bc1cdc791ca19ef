"""The oracle: it finds what is wrong, and only that."""

import math
from dataclasses import replace
from pathlib import Path

import pytest

from evals import selftest
from evals.parity import TOLERANCES, Parity, compare, distance
from evals.results import PipelineResult, SystemRun
from evals.systems.scripts import answer
from tests.evals.cases import results, workload

NAMES = {"closed_form": "ridge-1.0", "iterative": "lasso", "library": "forest"}


def judged(folder: Path, changes: dict[str, PipelineResult], *, one_thread: bool = True) -> Parity:
    run = SystemRun("ours", "Ours", results={**results(1.0), **changes})
    return compare(workload(folder), results(1.0), run, one_thread=one_thread)


def test_equal_scores_are_equal(tmp_path: Path) -> None:
    parity = judged(tmp_path, {})
    assert parity.verdict == "equal"
    assert parity.compared == 6
    assert not parity.mismatches


@pytest.mark.parametrize("kind", sorted(NAMES))
def test_tolerance_of_each_class(tmp_path: Path, kind: str) -> None:
    name, tolerance = NAMES[kind], TOLERANCES[kind]
    scores = results(1.0)[name].scores
    assert scores is not None
    within = [scores[0] + tolerance / 2, *scores[1:]]
    beyond = [scores[0] + tolerance * 2, *scores[1:]]
    assert not judged(tmp_path, {name: PipelineResult(within)}).mismatches
    (found,) = judged(tmp_path, {name: PipelineResult(beyond)}).mismatches
    assert (found.pipeline, found.fold, found.expected) == (name, 0, scores[0])


def test_a_wrong_fold_is_found_where_the_mean_is_right(tmp_path: Path) -> None:
    changed = {"ridge-1.0": PipelineResult([0.31 + 1e-3, 0.41 - 1e-3, 0.51])}
    assert len(judged(tmp_path, changed).mismatches) == 1


def test_a_mean_is_compared_where_there_are_no_folds(tmp_path: Path) -> None:
    right = PipelineResult(mean=0.41)
    wrong = PipelineResult(mean=0.42)
    assert not judged(tmp_path, {"ridge-1.0": right}).mismatches
    (found,) = judged(tmp_path, {"ridge-1.0": wrong}).mismatches
    assert found.fold is None


def test_threads_excuse_little(tmp_path: Path) -> None:
    near, far = [0.25 + 1e-3, 0.35, 0.45], [0.25 + 0.2, 0.35, 0.45]
    parity = judged(tmp_path, {"forest": PipelineResult(near)}, one_thread=False)
    assert len(parity.deviations) == 1
    assert not parity.mismatches
    assert judged(tmp_path, {"forest": PipelineResult(near)}).mismatches
    assert judged(tmp_path, {"forest": PipelineResult(far)}, one_thread=False).mismatches
    ridge = {"ridge-1.0": PipelineResult([0.31 + 1e-3, 0.41, 0.51])}
    assert judged(tmp_path, ridge, one_thread=False).mismatches


def test_scores_that_say_so_need_be_equal_in_distribution_only(tmp_path: Path) -> None:
    near = PipelineResult([0.25 + 0.04, 0.35 - 0.03, 0.45], statistical=True)
    parity = judged(tmp_path, {"forest": near})
    assert not parity.mismatches
    assert [found.fold for found in parity.statistical] == [None]
    far = PipelineResult([0.25 + 0.2, 0.35, 0.45], statistical=True)
    assert judged(tmp_path, {"forest": far}).mismatches
    # Those that do not say so are the library's own.
    assert judged(tmp_path, {"forest": PipelineResult(near.scores)}).mismatches


@pytest.mark.parametrize(
    ("name", "changed", "reason"),
    [
        ("lasso", PipelineResult(error="it broke"), "failed"),
        ("broken", PipelineResult([0.1, 0.2, 0.3]), "gave a score"),
        ("lasso", PipelineResult([0.2, 0.3]), "2 folds instead of 3"),
        ("lasso", PipelineResult(), "no score"),
    ],
)
def test_what_is_no_score_is_a_mismatch(
    tmp_path: Path, name: str, changed: PipelineResult, reason: str
) -> None:
    (found,) = judged(tmp_path, {name: changed}).mismatches
    assert reason in found.reason
    assert name in str(found)


def test_a_missing_pipeline_is_a_mismatch(tmp_path: Path) -> None:
    run = SystemRun("ours", "Ours", results=results(1.0))
    del run.results["lasso"]
    assert len(compare(workload(tmp_path), results(1.0), run, one_thread=True).mismatches) == 1


def test_what_a_system_cannot_express_is_not_held_against_it(tmp_path: Path) -> None:
    parity = judged(tmp_path, {"lasso": PipelineResult(uncovered="no such choice")})
    assert (parity.compared, parity.uncovered) == (5, 1)
    assert not parity.mismatches


def test_distance() -> None:
    assert distance(0.5, 0.6) == pytest.approx(0.1)
    assert distance(1000.0, 1001.0) == pytest.approx(0.001)
    assert distance(math.nan, math.nan) == 0
    assert distance(math.nan, 1.0) == distance(1.0, math.nan) == math.inf
    assert distance(math.inf, math.inf) == 0


def test_a_script_with_a_planted_error_is_caught(tmp_path: Path) -> None:
    """From the function to the verdict, with real fits."""
    made = selftest.workload(tmp_path)
    pipeline = made.pipelines[0]
    made = replace(made, pipelines=(pipeline,))
    right = answer(pipeline.function, made.datasets, pipeline.arguments)
    wrong = answer("evals.selftest:planted", made.datasets, pipeline.arguments)
    reference = {pipeline.name: PipelineResult(**right)}
    for found, expected in ((right, 0), (wrong, 1)):
        run = SystemRun("ours", "Ours", results={pipeline.name: PipelineResult(**found)})
        parity = compare(made, reference, run, one_thread=True)
        assert len(parity.mismatches) == expected
