"""The scripted agent: its policy against a made-up place, and one run over MCP and as scripts."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from evals.agent import Search, agent, line, main, summary
from evals.agent_moves import CHOICES, GRAMMARS, MISTAKES, Idea
from evals.agent_places import Outcome
from evals.workloads import Pipeline


class Made:
    """Scores by the name of the pipeline's model text; mistakes fail."""

    def __init__(self, late: float = 0.0) -> None:
        self.late = late
        self.sent: list[list[Pipeline]] = []

    async def run(self, pipelines: Sequence[Pipeline]) -> list[Outcome]:
        self.sent.append(list(pipelines))
        return [self._one(pipeline) for pipeline in pipelines]

    def _one(self, pipeline: Pipeline) -> Outcome:
        at = time.monotonic() + self.late
        name, params = pipeline.arguments["model"], pipeline.arguments["params"]
        wrong, value = MISTAKES[name]
        if params.get(wrong) == value:
            return Outcome(pipeline.name, None, "out of range", at)
        return Outcome(pipeline.name, len(pipeline.spec["model"]) / 1000, "", at)


def explored(seed: int = 0, place: Made | None = None, **limits: Any) -> Search:
    search = agent("churn_trace", seed, **limits)
    anyio.run(search.explore, place or Made())
    return search


def test_equal_seeds_take_equal_steps() -> None:
    ideas = [[node.idea for node in explored(seed, steps=30).nodes] for seed in (3, 3, 4)]
    assert ideas[0] == ideas[1] != ideas[2]


def test_it_drafts_then_improves_the_best_and_repairs_what_broke() -> None:
    search = explored(seed=1, steps=40, drafts=5)
    actions = [node.action for node in search.nodes]
    assert actions[:5] == 5 * ["draft"]
    assert set(actions[5:]) == {"improve", "debug"}
    known: dict[str, Any] = {}
    for node in search.nodes:
        if node.action == "debug":
            assert known[node.parent].score is None
            assert node.idea == known[node.parent].idea.repaired()
            assert node.score is not None
        if node.action == "improve":
            scores = [other.score for other in known.values() if other.score is not None]
            assert known[node.parent].score == max(scores)
        known[node.name] = node
    repaired = [node.parent for node in search.nodes if node.action == "debug"]
    assert len(set(repaired)) == len(repaired) > 0


def test_the_first_drafts_are_of_different_models() -> None:
    drafts = explored(steps=4, drafts=4).nodes
    assert {node.idea.model for node in drafts} == set(GRAMMARS["churn_trace"].models)


def test_variants_of_a_step_are_sent_together() -> None:
    place = Made()
    search = explored(place=place, steps=3, drafts=2, width=4)
    assert [len(sent) for sent in place.sent] == [4, 4, 4]
    assert len({node.name for node in search.nodes}) == 12


def test_outcomes_after_the_budget_do_not_count() -> None:
    search = explored(place=Made(late=1e6), steps=3, seconds=1e5)
    assert search.nodes == []
    assert search.best() is None
    assert explored(steps=3, seconds=0.0).nodes == []


@pytest.mark.parametrize("workload", sorted(GRAMMARS))
def test_every_idea_can_be_written_with_and_without_its_mistake(workload: str) -> None:
    search = agent(workload)
    for model in GRAMMARS[workload].models:
        params = tuple(sorted((name, values[0]) for name, values in CHOICES[model].items()))
        for features in GRAMMARS[workload].features:
            idea = Idea(features, model, params)
            right = search.writer.pipeline("right", idea)
            wrong = search.writer.pipeline("wrong", Idea(features, model, params, mistake=True))
            name, value = MISTAKES[model]
            assert right.arguments["params"] == dict(params)
            assert wrong.arguments["params"] == {**dict(params), name: value}
            assert f"{name}={value!r}" in wrong.spec["model"]


def test_the_summary_says_what_was_found() -> None:
    search = explored(steps=10)
    found = summary(search, 30.0, 1.5)
    assert found["pipelines"] == 10
    assert found["pipelines_per_minute"] == 20.0
    assert found["best_score"] == max(n["score"] for n in found["nodes"] if n["score"])
    assert len(json.loads(json.dumps(found))["nodes"]) == 10
    text = line("stratum", "roc_auc", found)
    assert "10 pipelines" in text
    assert f"best roc_auc {found['best_score']:.6f}" in text


def test_a_rate_is_over_the_budget_and_nothing_found_is_said_so() -> None:
    search = explored(place=Made(), steps=4, seconds=20.0)
    assert summary(search, 24.0, 1.0)["pipelines_per_minute"] == 12.0
    late = explored(place=Made(late=1e6), steps=2, seconds=10.0)
    found = summary(late, 12.0, 1.0)
    assert found["pipelines_per_minute"] == 0.0
    assert line("scripts", "roc_auc", found).endswith("no score")


def test_over_mcp_it_finds_what_its_scripts_find(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        monkeypatch.setenv(name, "1")
    out = tmp_path / "out.json"
    # Of the four drafts with this seed, one has a mistake.
    arguments = ["--workload", "uk_housing", "--rows", "200", "--steps", "2", "--drafts", "2"]
    assert main([*arguments, "--width", "2", "--seed", "8", "--json", str(out)]) == 0
    systems = json.loads(out.read_text())["systems"]
    nodes = {name: found["nodes"] for name, found in systems.items()}
    assert [n["idea"] for n in nodes["stratum"]] == [n["idea"] for n in nodes["scripts"]]
    scores = {name: [n["score"] for n in found] for name, found in nodes.items()}
    for engine, script in zip(scores["stratum"], scores["scripts"], strict=True):
        assert (engine is None) == (script is None)
        assert engine is None or engine == pytest.approx(script, rel=1e-6)
    failed = [n["error"] for n in nodes["stratum"] if n["score"] is None]
    assert len(failed) == systems["scripts"]["failed"] == 1
    assert "a minute" in capsys.readouterr().out
