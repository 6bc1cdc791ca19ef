"""Several clients of one server. Input: command line. Output: tables, JSON.

    python -m evals.clients --json build/clients.json

What clients that send the same or overlapping pipelines at the same time cost together, against
one client and against each alone; and how long a small request takes while the engine is idle
and while another client floods it. Every scenario has an engine and a home of its own.

fits: model fits that were run; a group that is fitted at once counts as one.
ratio: worker seconds against those of one client with the same pipelines.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evals import clients_load as load
from evals import machine, measure
from evals.clients_http import over_http
from evals.runner import end_on_sigterm
from executor.home import Home
from executor.running import Running
from planner.graph import Role
from planner.spec import EvaluateSpec
from tools.engine import Engine
from tools.jobs import Job
from tools.options import ALL_ON, EngineOptions
from tools.requests import AddDataset, EvaluatePipelines

Specs = list[dict[str, Any]]
_STARTING = 120.0  # seconds


@dataclass
class Scenario:
    """What one scenario cost: seconds of wall time, of worker processors, and fits."""

    name: str
    seconds: float
    worker_cpu: float
    fits: int
    tasks: int
    scores: dict[str, list[float | None]] = field(default_factory=dict, repr=False)
    wrong: int = 0
    ratio: float = 1.0


@dataclass(frozen=True)
class Latency:
    """Milliseconds of a small request, medians: until it is planned, of which it was held, until
    its scores are there; and of a query."""

    name: str
    planned: float
    held: float
    done: float
    query: float


class Bench:
    """Runs scenarios in a folder, one after the other, until `deadline` (monotonic)."""

    def __init__(self, folder: Path, rows: int, deadline: float) -> None:
        self._folder = folder
        self._data = load.write_data(folder, rows)
        self._deadline = deadline
        self._count = 0

    def _engine(self, options: EngineOptions = ALL_ON) -> Engine:
        engine = Engine(self._home(), self._folder, cores=measure.cores(), options=options)
        engine.start()
        engine.datasets.add(AddDataset(path=self._data.name, name=load.DATASET))
        engine.registry()
        until = time.monotonic() + _STARTING
        while not engine.status().ready:
            if time.monotonic() > until:
                engine.close()
                raise RuntimeError("the engine did not become ready")
            time.sleep(0.01)
        return engine

    def together(self, name: str, requests: Sequence[Specs]) -> Scenario:
        """All clients at once, each with a session and a thread of its own."""

        def run(engine: Engine) -> list[Job]:
            barrier = threading.Barrier(len(requests))

            def client(number: int) -> Job:
                barrier.wait()
                return self._ask(engine, requests[number], f"client{number}")

            with ThreadPoolExecutor(len(requests)) as threads:
                return list(threads.map(client, range(len(requests))))

        return self._measured(name, ALL_ON, run)

    def in_turn(self, name: str, requests: Sequence[Specs], *, sharing: bool) -> Scenario:
        """One client after the other."""
        return self._measured(
            name,
            EngineOptions(sharing=sharing),
            lambda engine: [
                self._ask(engine, specs, f"client{n}") for n, specs in enumerate(requests)
            ],
        )

    def over_http(self, name: str, requests: Sequence[Specs]) -> Scenario:
        """As `together`, through a server and MCP clients; processor time includes the server's."""
        left = max(self._deadline - time.monotonic(), 0.0)
        wall, cpu, scores = over_http(self._folder, self._data, self._home().path, requests, left)
        wrong = sum(1 for values in scores.values() if values == [None])
        return Scenario(name, wall, cpu, 0, 0, {}, wrong)

    def _home(self) -> Home:
        """A new home that has the list of operators already, once there is one."""
        self._count += 1
        home = Home(self._folder / f"home{self._count}")
        for file in self._folder.glob("home*/operators-*.json"):
            if file.parent != home.path:
                (home.path / file.name).write_bytes(file.read_bytes())
        return home

    def _ask(self, engine: Engine, specs: Specs, session: str) -> Job:
        request = EvaluatePipelines(pipelines=specs, evaluate=EvaluateSpec(**load.EVALUATE))
        job = engine.evaluate(request, session, wait=False)
        if not job.wait(max(self._deadline - time.monotonic(), 0.0)):
            job.cancel()
            raise TimeoutError("the time for this evaluation is over")
        return job

    def _measured(
        self, name: str, options: EngineOptions, run: Callable[[Engine], list[Job]]
    ) -> Scenario:
        engine = self._engine(options)
        counted = {"fits": 0, "tasks": 0}

        def observe(running: Running, answer: Any, seconds: float) -> None:
            if running.task is not None:
                counted["tasks"] += 1
                instructions = running.task.instructions
                counted["fits"] += sum(1 for i in instructions if i.op.role is Role.FIT)

        try:
            engine.scheduler.observer = observe
            meter = measure.Meter(os.getpid()).start()
            meter.mark()
            own, began = time.process_time(), time.perf_counter()
            jobs = run(engine)
            seconds = time.perf_counter() - began
            own = time.process_time() - own
            workers = max(meter.stop().cpu_seconds - own, 0.0)
        finally:
            engine.close()
        found = Scenario(name, seconds, workers, counted["fits"], counted["tasks"])
        for job in jobs:
            for evaluation in job.in_order():
                value = evaluation.metrics.get("r2")
                folds = [] if value is None else value.folds
                if found.scores.setdefault(evaluation.name, folds) != folds or not folds:
                    found.wrong += 1
        return found

    def latency(self, repeats: int, flood: int) -> list[Latency]:
        """A small request on an idle engine, and while another client has sent many."""
        engine = self._engine()
        try:
            self._ask(engine, [load.single(-1)], "warm")
            found = [self._small(engine, "idle", range(repeats))]
            request = EvaluatePipelines(
                pipelines=load.flood(flood), evaluate=EvaluateSpec(**load.EVALUATE)
            )
            job = engine.evaluate(request, "flood", wait=False)
            # While it is planned, and while it runs.
            found.append(self._small(engine, f"{flood} pipelines planned", range(100, 101)))
            job.wait_planned(max(self._deadline - time.monotonic(), 0.0))
            found.append(self._small(engine, f"{flood} pipelines run", range(200, 200 + repeats)))
            job.cancel()
            job.wait(5.0)
            return found
        finally:
            engine.close()

    def _small(self, engine: Engine, name: str, numbers: range) -> Latency:
        taken: list[tuple[float, float, float, float]] = []
        for number in numbers:
            began = time.perf_counter()
            request = EvaluatePipelines(
                pipelines=[load.single(number)], evaluate=EvaluateSpec(**load.EVALUATE)
            )
            job = engine.evaluate(request, "small", wait=False)
            job.wait_planned()
            planned = time.perf_counter() - began
            job.wait(max(self._deadline - time.monotonic(), 0.0))
            done = time.perf_counter() - began
            began = time.perf_counter()
            engine.datasets.query(f"select count(*) from {load.DATASET}")
            taken.append((planned, job.held, done, time.perf_counter() - began))
        medians = [1000 * statistics.median(column) for column in zip(*taken, strict=True)]
        return Latency(name, *(round(value, 2) for value in medians))


def measure_clients(
    bench: Bench, clients: int, each: int, report: Callable[[Scenario], None], http: bool = True
) -> list[Scenario]:
    """The scenarios, each against one client with the same pipelines."""
    whole = load.pipelines(2 * each)
    same, spread = whole[:each], load.overlapping(whole, clients, each)
    found: list[Scenario] = []

    def add(scenario: Scenario, against: Scenario | None = None) -> Scenario:
        if against is not None:
            scenario.ratio = scenario.worker_cpu / max(against.worker_cpu, 1e-9)
            scenario.wrong += sum(
                1 for n, folds in scenario.scores.items() if folds != against.scores.get(n, folds)
            )
        found.append(scenario)
        report(scenario)
        return scenario

    one = add(bench.together(f"one client, {each}", [same]))
    add(bench.together(f"{clients} at once, the same {each}", [same] * clients), one)
    add(bench.in_turn(f"{clients} in turn, the same {each}", [same] * clients, sharing=True), one)
    add(bench.in_turn(f"{clients} in turn, not sharing", [same] * clients, sharing=False), one)
    union = add(bench.together(f"one client, {2 * each}", [whole]))
    add(bench.together(f"{clients} at once, {each} of {2 * each}", spread), union)
    if http:
        alone = add(bench.over_http(f"http: one client, {each}", [same]))
        add(bench.over_http(f"http: {clients} at once, the same {each}", [same] * clients), alone)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    end_on_sigterm()
    deadline = time.monotonic() + arguments.seconds
    print(f"{'scenario':<32} {'wall s':>8} {'worker s':>9} {'fits':>6} {'tasks':>6} {'ratio':>6}")

    def report(s: Scenario) -> None:
        print(
            f"{s.name:<32} {s.seconds:>8.2f} {s.worker_cpu:>9.2f} {s.fits:>6} {s.tasks:>6} "
            f"{s.ratio:>6.2f}" + (f"  {s.wrong} scores differ" if s.wrong else ""),
            flush=True,
        )

    with tempfile.TemporaryDirectory(prefix="stratum-clients-") as folder:
        bench = Bench(Path(folder).resolve(), arguments.rows, deadline)
        try:
            scenarios = measure_clients(
                bench, arguments.clients, arguments.pipelines, report, not arguments.no_http
            )
            latencies = bench.latency(arguments.repeats, arguments.flood)
        except TimeoutError as error:
            print(f"{error} (--seconds {arguments.seconds:g})", file=sys.stderr)
            return 1
    print(f"\n{'one small request, ms':<32} {'planned':>8} {'held':>9} {'done':>6} {'query':>6}")
    for one in latencies:
        print(f"{one.name:<32} {one.planned:>8.1f} {one.held:>9.2f} {one.done:>6.0f} "
              f"{one.query:>6.0f}")  # fmt: skip
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        rows = [{k: v for k, v in asdict(s).items() if k != "scores"} for s in scenarios]
        data = {**machine.about(), "settings": {**vars(arguments), "json": str(arguments.json)},
                "scenarios": rows, "latency": [asdict(one) for one in latencies]}  # fmt: skip
        arguments.json.write_text(json.dumps(data, indent=1) + "\n")
    return 1 if any(s.wrong for s in scenarios) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evals.clients", description=__doc__)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--pipelines", type=int, default=20, help="of each client")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--flood", type=int, default=1000, help="pipelines of the client that "
                        "floods the engine while latencies are measured")  # fmt: skip
    parser.add_argument("--repeats", type=int, default=9, help="of latencies")
    parser.add_argument("--seconds", type=float, default=300.0, help="for all of it")
    parser.add_argument("--no-http", action="store_true", help="only the engine, no server")
    parser.add_argument("--json", type=Path, metavar="FILE")
    return parser


if __name__ == "__main__":
    sys.exit(main())
