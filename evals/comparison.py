"""One workload's runs side by side. Input: system runs. Output: ratios, floor, parity, JSON.

Systems that can express only some of the pipelines, and systems that ran out of time, are compared
by speed on what they answered: the seconds that plain scripts need for those pipelines, over the
seconds that the system took until its last answer.
"""

import heapq
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any

from evals.parity import Parity, compare
from evals.results import SystemRun
from evals.systems.table import REFERENCE, SYSTEMS, System
from evals.workloads.base import Workload

OVER = ("sequential", "concurrent", "reference", "upstream")


@dataclass(frozen=True)
class Floor:
    """The fits that nothing can share: distinct fits of models that are not solved in closed
    form, at one thread each, packed on all cores.

    Attributes:
        seconds: Of the packing (longest first).
        library_seconds: The same for boosting, forests and the like only.
        fits: How many the scripts make; `distinct` of them differ.
        by_model: Single-thread seconds of the distinct ones.
    """

    seconds: float
    library_seconds: float
    fits: int
    distinct: int
    by_model: dict[str, float]


@dataclass(frozen=True)
class Step:
    """One step of the ablation: `system` has `part` on, which the step before it had off.

    Attributes:
        seconds: Of this step.
        saved: Seconds less than the step before; negative if the part costs more than it saves.
        factor: Seconds of the step before over those of this one.
    """

    system: str
    part: str
    seconds: float
    saved: float
    factor: float


@dataclass
class Comparison:
    """Everything that was measured on one workload; what reports are made from.

    Attributes:
        ablation: Systems from everything off to everything on.
        allowed: Systems whose wrong scores are shown, but are no failure.
    """

    workload: Workload
    rows: int | None
    cores: int
    reference: SystemRun
    runs: dict[str, SystemRun] = field(default_factory=dict)
    parity: dict[str, Parity] = field(default_factory=dict)
    ablation: list[str] = field(default_factory=list)
    systems: dict[str, System] = field(default_factory=dict)
    allowed: tuple[str, ...] = ()
    about: dict[str, Any] = field(default_factory=dict)
    _attempts: dict[str, list[tuple[SystemRun, Parity | None]]] = field(default_factory=dict)

    def add(self, system: System, run: SystemRun) -> None:
        """Takes in a run. Of several of a system the one of median wall time stands for all,
        and the scores of the worst; a run that did not end stands before those that did."""
        name, found = system.name, None
        if run.status == "ok" or run.partial:
            found = compare(
                self.workload, self.reference.results, run, one_thread=system.one_thread
            )
        attempts = self._attempts.setdefault(name, [])
        attempts.append((run, found))
        chosen = _standing([run for run, _ in attempts])
        self.systems[name] = system
        self.runs[name] = _summed(attempts[chosen][0], [run for run, _ in attempts])
        parities = {place: parity for place, (_, parity) in enumerate(attempts) if parity}
        if parities:
            worst = max(parities, key=lambda at: (len(parities[at].mismatches), at == chosen))
            self.parity[name] = parities[worst]

    # -- judgement ----------------------------------------------------------------------------

    @property
    def failures(self) -> list[str]:
        """What makes the command fail: wrong scores of any system, unless they are allowed; no
        reference; and crashes and engines that do not end, unless they are somebody else's."""
        found = []
        if self.reference.status != "ok":
            found.append(f"reference: {self.reference.status}: {self.reference.reason}")
        for name, run in self.runs.items():
            if self.systems[name].fails_with(run.status):
                found.append(f"{name}: {run.status}: {run.reason}")
            wrong = self.parity[name].mismatches if name in self.parity else []
            if wrong and name not in self.allowed:
                found.append(f"{name}: {len(wrong)} wrong")
        return found

    def steps(self) -> list[Step]:
        """What each part is worth; empty unless every step of the ablation ended.

        The seconds saved sum up to the difference between everything off and everything on, and
        the factors multiply to its ratio.
        """
        found = []
        runs = [self.runs[name] for name in self.ablation if name in self.runs]
        if len(runs) < len(self.ablation) or any(run.status != "ok" for run in runs):
            return []
        for before, after in pairwise(runs):
            part = set(self._off(before.name)) - set(self._off(after.name))
            old, new = before.seconds or 0.0, after.seconds or 0.0
            found.append(
                Step(after.name, ", ".join(sorted(part)), new, old - new, old / new if new else 0.0)
            )
        return found

    def _off(self, name: str) -> list[str]:
        off: list[str] = self.systems[name].options.get("off", [])
        return off

    def floor(self) -> Floor:
        kinds = {pipeline.name: pipeline.kind for pipeline in self.workload.pipelines}
        fits = [fit for fit in self.reference.fits if kinds[fit[1]] != "closed_form"]
        best: dict[str, tuple[float, str, str]] = {}
        for key, pipeline, model, seconds in fits:
            if key not in best or seconds < best[key][0]:
                best[key] = (seconds, model, kinds[pipeline])
        by_model: defaultdict[str, float] = defaultdict(float)
        for seconds, model, _ in best.values():
            by_model[model] += seconds
        return Floor(
            seconds=packed([s for s, _, _ in best.values()], self.cores),
            library_seconds=packed([s for s, _, k in best.values() if k == "library"], self.cores),
            fits=len(fits),
            distinct=len(best),
            by_model=dict(sorted(by_model.items(), key=lambda item: -item[1])),
        )

    def speed(self, name: str) -> float | None:
        """Seconds of plain scripts for what the system answered, for each of its seconds."""
        run = self.reference if name == REFERENCE.name else self.runs.get(name)
        if run is None or not run.spent:
            return None
        scripts = self.runs.get("sequential")
        if scripts is None or scripts.status != "ok" or scripts.seconds is None:
            scripts = self.reference
        # A failed pipeline of somebody else's system is no work done.
        foreign = name in self.systems and self.systems[name].foreign
        done = [
            n
            for n, r in run.results.items()
            if r.answered and not (foreign and r.error is not None)
        ]
        known = {n: r.seconds for n, r in scripts.results.items()}
        seconds = sum(known.get(n) or 0.0 for n in done)
        return seconds / run.spent if seconds else None

    def ratio(self, name: str, over: str) -> float | None:
        """How many times faster `name` is than `over`."""
        mine, other = self.speed(name), self.speed(over)
        return mine / other if mine and other else None

    # -- output -------------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        return {
            "workload": {
                "name": self.workload.name,
                "title": self.workload.title,
                "metric": self.workload.metric,
                "pipelines": len(self.workload.pipelines),
                "rows": self.rows,
                "notes": list(self.workload.notes),
                "families": families(self.workload),
            },
            **self.about,
            "cores": self.cores,
            "reference": self.reference.to_json(),
            "systems": {name: run.to_json() for name, run in self.runs.items()},
            "ratios": {
                name: {
                    over: ratio
                    for over in OVER
                    if over != name and (ratio := self.ratio(name, over)) is not None
                }
                for name in (REFERENCE.name, *self.runs)
            },
            "parity": {
                name: {
                    "verdict": parity.verdict,
                    "compared": parity.compared,
                    "uncovered": parity.uncovered,
                    "largest": parity.largest,
                    "mismatches": len(parity.mismatches),
                    "deviations": len(parity.deviations),
                    "statistical": len(parity.statistical),
                    "furthest_mean": max((d.difference for d in parity.statistical), default=0.0),
                }
                for name, parity in self.parity.items()
            },
            "mismatches": [asdict(d) for p in self.parity.values() for d in p.mismatches],
            "floor_seconds": self.floor().seconds,
            "floor": asdict(self.floor()),
            "ablation": self.ablation,
            "ablation_steps": [asdict(step) for step in self.steps()],
            "failures": self.failures,
        }


def families(workload: Workload) -> dict[str, int]:
    """Pipelines by model family."""
    found: defaultdict[str, int] = defaultdict(int)
    for pipeline in workload.pipelines:
        found[pipeline.family] += 1
    return dict(found)


def packed(seconds: list[float], cores: int) -> float:
    """Wall seconds of independent pieces of work on `cores`, the longest first."""
    if not seconds:
        return 0.0
    loads = [0.0] * cores
    for piece in sorted(seconds, reverse=True):
        heapq.heapreplace(loads, loads[0] + piece)
    return max(loads)


def by_name(name: str) -> System:
    """A system; KeyError with the known names."""
    if name not in SYSTEMS:
        raise KeyError(f"unknown system '{name}'; there are {', '.join(SYSTEMS)}")
    return SYSTEMS[name]


def _standing(runs: Sequence[SystemRun]) -> int:
    """The place of the run that stands for all of them."""
    for place, run in enumerate(runs):
        if run.status != "ok":
            return place
    places = sorted(range(len(runs)), key=lambda place: runs[place].seconds or 0.0)
    return places[(len(runs) - 1) // 2]


def _summed(chosen: SystemRun, runs: Sequence[SystemRun]) -> SystemRun:
    if len(runs) == 1:
        return chosen
    return replace(
        chosen,
        repeats=[round(run.seconds or 0.0, 4) for run in runs],
        total_seconds=sum(run.total_seconds for run in runs),
    )
