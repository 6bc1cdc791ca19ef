"""A deterministic tree-search agent: pipelines per minute, and the best score in a time budget.

Input: a workload and a place where pipelines run. Output: what it tried and found. It drafts, then
repairs what broke or improves on the best, as agents of the AIDE kind do (Jiang et al., 2025,
"AIDE: AI-Driven Exploration in the Space of Code"), but its ideas come from a seeded grammar, so
that runs compare. With equal scores it takes the same steps wherever its pipelines run; nothing of
the engine is used except through MCP.

    python -m evals.agent --workload churn_trace --systems stratum,scripts --seconds 120
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import anyio

from evals.agent_moves import GRAMMARS, Idea, Writer
from evals.agent_places import PLACES, Outcome, Place
from evals.workloads.base import Workload, WorkloadSkipped, load

DEBUG_RATE = 0.5


@dataclass
class Node:
    """One idea that was run; `parent` is the name of what it was made from."""

    name: str
    action: str
    idea: Idea
    parent: str
    score: float | None = None
    error: str = ""
    seconds: float = 0.0
    repaired: bool = False


@dataclass
class Search:
    """The policy. One step is one action, in `width` variants.

    Args:
        steps: Steps at most, of which the first `drafts` are fresh starts.
        seconds: No step is begun later, and no later outcome counts.
    """

    writer: Writer
    steps: int = 20
    drafts: int = 5
    width: int = 1
    seconds: float | None = None
    nodes: list[Node] = field(default_factory=list)

    def best(self) -> Node | None:
        scored = [node for node in self.nodes if node.score is not None]
        return max(scored, key=lambda node: node.score or 0.0, default=None)

    def propose(self, step: int) -> list[Node]:
        """The variants of one step; they go to the place together."""
        return [self._variant(f"{step:02d}{chr(97 + turn)}", step, turn)
                for turn in range(self.width)]  # fmt: skip

    def _variant(self, name: str, step: int, turn: int) -> Node:
        broken = [node for node in self.nodes if node.score is None and not node.repaired]
        best = self.best()
        if step < self.drafts:
            return Node(name, "draft", self.writer.draft(step + turn * self.drafts), "")
        if broken and (best is None or self.writer.random.random() < DEBUG_RATE):
            broken[0].repaired = True
            return Node(name, "debug", broken[0].idea.repaired(), broken[0].name)
        if best is None:
            return Node(name, "draft", self.writer.draft(step), "")
        return Node(name, "improve", self.writer.improve(best.idea), best.name)

    async def explore(self, place: Place) -> float:
        """Runs all steps; returns the seconds they took."""
        began = time.monotonic()
        for step in range(self.steps):
            if self.seconds is not None and time.monotonic() - began >= self.seconds:
                break
            nodes = self.propose(step)
            outcomes = await place.run(
                [self.writer.pipeline(node.name, node.idea) for node in nodes]
            )
            for node, outcome in zip(nodes, outcomes, strict=True):
                self._learn(node, outcome, began)
        return time.monotonic() - began

    def _learn(self, node: Node, outcome: Outcome, began: float) -> None:
        node.seconds = outcome.at - began
        if self.seconds is not None and node.seconds > self.seconds:
            return
        node.score, node.error = outcome.score, outcome.error
        self.nodes.append(node)


def summary(search: Search, seconds: float, startup: float) -> dict[str, Any]:
    """What a run is judged by; JSON values."""
    best = search.best()
    # What came after the budget is not counted, nor is the time it took.
    counted = seconds if search.seconds is None else min(seconds, search.seconds)
    return {
        "pipelines": len(search.nodes),
        "failed": sum(node.score is None for node in search.nodes),
        "seconds": round(seconds, 3),
        "startup_seconds": round(startup, 3),
        "pipelines_per_minute": round(60 * len(search.nodes) / counted, 2) if counted else 0.0,
        "best": None if best is None else best.name,
        "best_score": None if best is None else best.score,
        "nodes": [asdict(node) for node in search.nodes],
    }


async def run(system: str, workload: Workload, search: Search, folder: Path) -> dict[str, Any]:
    """One agent at one place; starting a server is reported apart."""
    started = time.monotonic()
    async with PLACES[system](workload, folder) as place:
        startup = time.monotonic() - started
        seconds = await search.explore(place)
    return summary(search, seconds, startup)


def line(system: str, metric: str, found: dict[str, Any]) -> str:
    """What a run found, to be read by people."""
    best = "no score"
    if found["best_score"] is not None:
        best = f"best {metric} {found['best_score']:.6f} ({found['best']})"
    return (
        f"{system:8} {found['pipelines']:4} pipelines ({found['failed']} failed) in "
        f"{found['seconds']:.1f} s after {found['startup_seconds']:.1f} s to start, "
        f"{found['pipelines_per_minute']:.1f} a minute, {best}"
    )


def agent(workload: str, seed: int = 0, **limits: Any) -> Search:
    """A fresh agent; `limits` are fields of `Search`."""
    return Search(Writer(GRAMMARS[workload], Random(seed)), **limits)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 if every system ended."""
    given = _parser().parse_args(arguments)
    results: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="stratum-agent-") as temporary:
        folder = Path(temporary)
        try:
            workload = load(given.workload, rows=given.rows, folder=folder)
        except WorkloadSkipped as reason:
            print(f"skipped: {reason}", file=sys.stderr)
            return 0
        for system in given.systems.split(","):
            search = agent(
                given.workload,
                given.seed,
                steps=given.steps,
                drafts=given.drafts,
                width=given.width,
                seconds=given.seconds,
            )
            found = anyio.run(run, system, workload, search, folder / system)
            results[system] = found
            print(line(system, workload.metric, found), flush=True)
    if given.json:
        given.json.write_text(json.dumps({"workload": given.workload, "systems": results}))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals.agent", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--workload", choices=sorted(GRAMMARS), default="churn_trace")
    parser.add_argument("--systems", default="stratum,scripts", help=", ".join(PLACES))
    parser.add_argument("--rows", type=int)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--drafts", type=int, default=5)
    parser.add_argument("--width", type=int, default=1, help="variants a step, sent together")
    parser.add_argument("--seconds", type=float, help="time budget of each agent")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="OUT.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
