"""A scheduler on workers that do as they are told, plans written by hand, and awaiting ends."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from executor.budget import Ledger
from executor.catalog_rows import JobState
from executor.jobs import JobRun, Limits
from executor.results import Outcome
from executor.run import Scheduler
from executor.store import Store
from executor.workers import WorkerPool
from planner.ops import Vector
from planner.plan import Instruction, PipelinePlan, Plan, Task, Value
from tests.executor.fault_functions import LIMIT, TABLE_NAME, Gate


@dataclass
class Step:
    """One task: does what `marker` says, then gives `name` as a block, or as a score."""

    name: str
    marker: str
    loads: Sequence[str] = ()
    pipelines: Sequence[int] = (0,)
    made: bool = True  # whether another task of the plan makes what it loads
    saves: bool = False


def plan(*steps: Step) -> Plan:
    """A plan in which the pipelines of a step without consumers wait for its score.

    Where nothing is loaded from a step its value is a score, named ``<name>`` in the plan, and
    ``logical <name>`` in the catalog.
    """
    ids = {step.name: position for position, step in enumerate(steps)}
    loaded = {name for step in steps for name in step.loads}
    tasks = []
    scores: dict[int, list[str]] = {}
    for position, step in enumerate(steps):
        saves = step.saves or step.name in loaded
        out = Value(step.name, None if saves else 0)
        loads = tuple(Value(name) for name in step.loads)
        if not saves:
            for pipeline in step.pipelines:
                scores.setdefault(pipeline, []).append(step.name)
        tasks.append(
            Task(
                id=position,
                instructions=(Instruction(out, Vector(step.marker), loads),),
                loads=loads,
                saves=(out,) if saves else (),
                scores=() if saves else (out,),
                needs=tuple(ids[name] for name in step.loads if name in ids and step.made),
                pipelines=tuple(step.pipelines),
            )
        )
    behind = {p: [s.name for s in steps if p in s.pipelines] for p in scores}
    pipelines = tuple(
        PipelinePlan(
            index,
            {name: [[Value(name, 0)]] for name in names},
            {name: [f"logical {name}"] for name in names},
            {name: f"pipelines[{index}].{name}" for name in behind[index]},
        )
        for index, names in sorted(scores.items())
    )
    return Plan(tuple(tasks), pipelines)


@dataclass
class Watched:
    """A job and what it has reported."""

    run: JobRun
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    state: JobState | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)
    problems: list[str] = field(default_factory=list)

    def wait(self) -> dict[int, Outcome]:
        assert self.ended.wait(LIMIT), f"the job goes on; it has {self.outcomes}"
        assert not self.problems
        return self.outcomes

    def wait_for(self, position: int) -> Outcome:
        with self.changed:
            assert self.changed.wait_for(lambda: position in self.outcomes, LIMIT)
            return self.outcomes[position]


def watched(plan: Plan, session: str = "", **options: Any) -> Watched:
    """A job that counts its outcomes: a pipeline must end once, and before its job."""
    found: list[Watched] = []

    def outcome(outcome: Outcome) -> None:
        job = found[0]
        with job.changed:
            # Raising here would reach nobody.
            if outcome.position in job.outcomes or job.ended.is_set():
                job.problems.append(f"pipeline {outcome.position} ended again, or too late")
            job.outcomes[outcome.position] = outcome
            job.changed.notify_all()

    def finish(state: JobState) -> None:
        if found[0].ended.is_set():
            found[0].problems.append("the job ended again")
        found[0].state = state
        found[0].ended.set()

    rest = {name: options.pop(name) for name in ("known", "started") if name in options}
    run = JobRun("job", plan, limits=Limits(**options), on_outcome=outcome, on_finish=finish,
                 session=session, **rest)  # fmt: skip
    found.append(Watched(run))
    return found[0]


class Bench:
    """A scheduler, its store, and the gates of its tasks; see `fault_functions`."""

    def __init__(
        self, root: Path, cores: int = 2, memory: int = 8 << 30, essential: Sequence[str] = ()
    ) -> None:
        self.root = root
        self.blocks = root / "blocks"
        self.blocks.mkdir()
        self.store = Store(self.blocks, 1 << 30)
        self.pool = WorkerPool(root / "logs", table=TABLE_NAME, essential=essential, preload=())
        self.ledger = Ledger(cores, memory)
        self.scheduler = Scheduler(
            self.pool, self.ledger, self.store, lambda name: root / name, self.blocks
        )
        self.scheduler.start()
        self._gates: list[Gate] = []

    def gate(self, name: str) -> Gate:
        gate = Gate(self.root, name)
        self._gates.append(gate)
        return gate

    def start(self, *steps: Step, session: str = "", **limits: Any) -> Watched:
        job = watched(plan(*steps), session, **limits)
        self.scheduler.submit(job.run)
        return job

    def run(self, *steps: Step, **limits: Any) -> dict[int, Outcome]:
        return self.start(*steps, **limits).wait()

    def ran(self) -> list[str]:
        """The markers of all that was run, in order."""
        return (self.root / "ran").read_text().splitlines()

    def at_once(self, *actions: Any) -> None:
        """Runs commands on the scheduler's thread, with nothing between them."""
        done = threading.Event()

        def command() -> None:
            for action in actions:
                action()
            done.set()

        self.scheduler._do(command)
        assert done.wait(LIMIT)

    def until(self, holds: Callable[[], bool]) -> None:
        """Waits until `holds` on the scheduler's thread, which is asked between its turns."""
        held = threading.Event()

        def look() -> None:
            if holds():
                held.set()
            else:
                self.scheduler._do(look)

        self.scheduler._do(look)
        assert held.wait(LIMIT)

    def pass_time(self, seconds: float) -> None:
        """As if that much time had passed since everything began that runs now."""

        def shift() -> None:
            for _, running in self.scheduler._fleet.busy.values():
                running.started -= seconds
            for job in self.scheduler._queue.jobs():
                job.started -= seconds

        self.at_once(shift)

    def assert_idle(self) -> None:
        """Nothing is left of jobs that have ended, and no core or byte is held."""
        queue, fleet = self.scheduler._queue, self.scheduler._fleet
        self.until(lambda: not fleet.busy)  # what was killed takes a moment to end
        left = [queue._producers, queue._jobs, queue._ready, queue._tasks, queue.calls,
                self.store._pins]  # fmt: skip
        assert not any(left), left
        assert self.ledger.free_cores == self.ledger.cores
        assert self.ledger.headroom == self.ledger.memory

    def close(self) -> None:
        self.scheduler.close()
        while self._gates:
            self._gates.pop().close()
