"""Turns and batches of concurrent requests. The clock is the tests' own: nothing waits."""

import threading
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from planner.accumulator import MOST_WINDOW, Accumulator, Build, Launch, Window

LIMIT = 60.0  # seconds; an upper bound, never awaited when all is well


class Bench:
    """An accumulator of strings, the engine's load and the time."""

    def __init__(self, **options: Any) -> None:
        self.now = 100.0
        self.busy = False
        self.gathered: Accumulator[str] = Accumulator(
            lambda: self.busy, clock=lambda: self.now, **options
        )

    def put(self, *items: str, session: str = "") -> None:
        for item in items:
            assert self.gathered.put(item, session)

    def turn(self) -> str:
        found = self.gathered.poll()
        assert isinstance(found, Build), found
        return found.item

    def build(self, *items: str, weight: int = 1) -> None:
        """These have their turns now, and are built."""
        for item in items:
            found = self.turn()
            assert found == item
            self.gathered.built(found, weight)  # the very same object

    def launched(self) -> list[str]:
        found = self.gathered.poll()
        assert isinstance(found, Launch), found
        return found.items

    def wait(self) -> float:
        """Seconds until there may be something to do."""
        found = self.gathered.poll()
        assert isinstance(found, float), found
        return found


class TestWindow:
    def test_an_idle_engine_adds_nothing(self) -> None:
        bench = Bench()
        bench.put("a")
        bench.build("a")
        found = bench.gathered.poll()
        assert found == Launch(["a"], [0.0])

    def test_an_idle_engine_waits_for_what_is_in_line_and_not_long(self) -> None:
        bench = Bench(window=Window(1.0, 4.0))
        bench.put("a", "b", "c")
        bench.build("a")
        assert bench.turn() == "b"
        bench.gathered.built("b")
        bench.now += 1.0
        assert bench.launched() == ["a", "b"]
        bench.build("c")
        assert bench.launched() == ["c"]

    def test_a_busy_engine_waits_for_company(self) -> None:
        bench = Bench(window=Window(1.0, 4.0))
        bench.busy = True
        bench.put("a")
        bench.build("a")
        assert bench.wait() == 1.0
        bench.now += 0.5
        assert bench.wait() == 0.5
        bench.put("b")
        bench.build("b")
        bench.now += 0.5
        assert bench.launched() == ["a", "b"]

    def test_it_grows_with_company_shrinks_without_and_is_bounded(self) -> None:
        window = Window(1.0, 4.0)
        seen = []
        for count in (2, 2, 2, 1, 1, 1, 5):
            window.launched(count, busy=True)
            seen.append(window.seconds(busy=True, in_line=False))
        assert seen == [2.0, 4.0, 4.0, 2.0, 1.0, 1.0, 2.0]
        window.launched(3, busy=False)
        assert window.seconds(busy=True, in_line=False) == 1.0
        assert window.seconds(busy=False, in_line=False) == 0.0

    def test_an_engine_that_becomes_idle_is_not_kept_waiting(self) -> None:
        asked = threading.Event()
        busy = [True]

        def load() -> bool:
            asked.set()
            return busy[0]

        gathered: Accumulator[str] = Accumulator(load, window=Window(LIMIT, LIMIT))
        gathered.put("a")
        assert gathered.take() == Build("a")
        gathered.built("a")
        taken: list[Any] = []
        reader = threading.Thread(target=lambda: taken.append(gathered.take()))
        reader.start()
        assert asked.wait(LIMIT)
        assert not taken
        busy[0] = False
        gathered.hurry()
        reader.join(LIMIT)
        assert [type(found) for found in taken] == [Launch]

    def test_a_full_batch_does_not_wait(self) -> None:
        bench = Bench(limit=2)
        bench.busy = True
        bench.put("a", "b")
        bench.build("a", "b")
        assert bench.launched() == ["a", "b"]
        bench.put("c")
        assert bench.turn() == "c"
        bench.gathered.built("c", weight=10**6)
        assert bench.launched() == ["c"]

    def test_what_was_held_is_told(self) -> None:
        bench = Bench(window=Window(1.0, 1.0))
        bench.busy = True
        bench.put("a")
        bench.now += 3.0
        assert bench.turn() == "a"
        bench.now += 50.0  # being built is not being held
        bench.gathered.built("a")
        bench.now += 1.5
        assert bench.gathered.poll() == Launch(["a"], [4.5])


class TestTurns:
    def test_sessions_take_turns(self) -> None:
        bench = Bench()
        bench.put("a1", "a2", "a3", session="a")
        bench.put("b1", session="b")
        assert [bench.turn() for _ in range(4)] == ["a1", "b1", "a2", "a3"]

    def test_a_large_request_is_built_between_the_turns_of_others(self) -> None:
        bench = Bench()
        bench.put("flood", session="a")
        order = []
        for number in range(8):
            if number == 2:
                bench.put("small", "next", session="b")
            item = bench.turn()
            order.append(item)
            if item == "flood":
                bench.gathered.more(item)
            else:
                bench.gathered.drop(item)
        assert order == ["flood", "flood", "flood", "small", "flood", "next", "flood", "flood"]

    def test_requests_of_one_session_take_turns(self) -> None:
        bench = Bench()
        bench.put("flood", "small")
        assert bench.turn() == "flood"
        bench.gathered.more("flood")
        assert bench.turn() == "small"

    def test_who_waits_for_a_fact_has_no_turns(self) -> None:
        bench = Bench()
        bench.put("slow", "quick")
        assert bench.turn() == "slow"
        bench.gathered.park("slow")
        bench.build("quick")
        assert bench.launched() == ["quick"]
        assert bench.wait() == float("inf")
        bench.gathered.unpark("slow")
        bench.gathered.unpark("slow")  # it has its turn once
        bench.build("slow")
        assert bench.launched() == ["slow"]
        assert bench.wait() == float("inf")

    def test_what_is_not_parked_is_not_unparked(self) -> None:
        bench = Bench()
        bench.put("a")
        bench.gathered.unpark("a")
        assert bench.turn() == "a"
        bench.gathered.unpark("a")
        bench.gathered.drop("a")
        assert len(bench.gathered) == 0


class TestBatches:
    def test_small_requests_are_not_compiled_with_large_ones(self) -> None:
        bench = Bench(weight=100)
        bench.busy = True
        bench.put("large", "one", "two")
        bench.build("large", weight=1000)  # a full batch, so it goes
        assert bench.launched() == ["large"]
        bench.build("one", weight=60)
        bench.build("two", weight=60)
        assert bench.launched() == ["one"]
        bench.now += MOST_WINDOW
        assert bench.launched() == ["two"]

    def test_a_large_request_is_overtaken_twice_at_most(self) -> None:
        bench = Bench(window=Window(LIMIT, LIMIT), weight=100)
        bench.busy = True
        bench.put("large")
        bench.build("large", weight=80)
        order = []
        for number in range(3):
            bench.put(f"small{number}")
            bench.build(f"small{number}", weight=30)
            order += bench.launched()
        assert order == ["small0", "small1", "large"]


class TestClosing:
    def test_nothing_is_handed_out_or_accepted_afterwards(self) -> None:
        bench = Bench()
        bench.put("turn", "ready", "parked", "queued")
        assert bench.turn() == "turn"
        assert bench.turn() == "ready"
        bench.gathered.built("ready")
        assert bench.turn() == "parked"
        bench.gathered.park("parked")
        bench.gathered.close()
        assert bench.gathered.closed
        assert bench.gathered.take() is None
        assert not bench.gathered.put("late")
        assert sorted(bench.gathered.rest()) == ["parked", "queued", "ready", "turn"]
        assert bench.gathered.rest() == []
        assert len(bench.gathered) == 0

    def test_it_wakes_the_reader(self) -> None:
        gathered: Accumulator[str] = Accumulator(lambda: True)
        taken: list[Any] = []
        reader = threading.Thread(target=lambda: taken.append(gathered.take()))
        reader.start()
        gathered.close()
        reader.join(LIMIT)
        assert taken == [None]

    def test_putting_wakes_the_reader(self) -> None:
        gathered: Accumulator[str] = Accumulator(lambda: False)
        taken: list[Any] = []
        reader = threading.Thread(target=lambda: taken.append(gathered.take()))
        reader.start()
        gathered.put("a")
        reader.join(LIMIT)
        assert taken == [Build("a")]


def test_nothing_is_lost_or_doubled_between_many_writers() -> None:
    gathered: Accumulator[str] = Accumulator(lambda: True, window=Window(0.0, 0.0), limit=7)
    launched: list[str] = []
    everything = {f"{w}-{n}" for w in range(8) for n in range(50)}
    done = threading.Event()

    def read() -> None:
        while (turn := gathered.take()) is not None:
            if isinstance(turn, Build):
                gathered.built(turn.item)
                continue
            assert len(turn.items) <= 7
            launched.extend(turn.items)
            if len(launched) == len(everything):
                done.set()

    reader = threading.Thread(target=read)
    reader.start()
    writers = [
        threading.Thread(target=lambda w=w: [gathered.put(f"{w}-{n}", str(w)) for n in range(50)])
        for w in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(LIMIT)
    assert done.wait(LIMIT)
    gathered.close()
    reader.join(LIMIT)
    assert sorted(launched) == sorted(everything)


class Machine(RuleBasedStateMachine):
    """Any mix of requests: each is handed out once, nobody's turn is passed over, nothing that
    is built waits for longer than the window."""

    MOST = 4.0

    def __init__(self) -> None:
        super().__init__()
        self.bench = Bench(window=Window(1.0, self.MOST), limit=3, weight=50)
        self.session: dict[str, str] = {}  # of all requests that were put in
        self.queued: list[str] = []
        self.parked: list[str] = []
        self.ready: dict[str, float] = {}  # since when
        self.ended: list[str] = []
        # Sessions in line, and who has had a turn since they were.
        self.passed: dict[str, list[str]] = {}

    @rule(session=st.sampled_from("abc"))
    def put(self, session: str) -> None:
        item = f"{session}{len(self.session)}"
        self.session[item] = session
        self.queue(item)
        self.bench.put(item, session=session)

    def queue(self, item: str) -> None:
        self.queued.append(item)
        self.passed.setdefault(self.session[item], [])

    @rule(seconds=st.sampled_from([0.0, 0.5, 3.0]), busy=st.booleans())
    def time_passes(self, seconds: float, busy: bool) -> None:
        self.bench.now += seconds
        self.bench.busy = busy

    @precondition(lambda self: self.parked)
    @rule(data=st.data())
    def unpark(self, data: st.DataObject) -> None:
        item = data.draw(st.sampled_from(self.parked))
        self.parked.remove(item)
        self.queue(item)
        self.bench.gathered.unpark(item)

    @rule(then=st.sampled_from(["more", "park", "drop", "built"]), weight=st.integers(1, 80))
    def poll(self, then: str, weight: int) -> None:
        found = self.bench.gathered.poll()
        due = [i for i, since in self.ready.items() if self.bench.now - since >= self.MOST]
        assert not due or isinstance(found, Launch)
        if isinstance(found, Launch):
            assert len(found.items) <= 3
            for item in found.items:
                del self.ready[item]
                self.ended.append(item)
        elif isinstance(found, Build):
            self.turn(found.item, then, weight)
        else:
            assert isinstance(found, float)
            assert not self.queued
            assert found <= self.MOST if self.ready else found == float("inf")

    def turn(self, item: str, then: str, weight: int) -> None:
        session = self.session[item]
        self.queued.remove(item)
        del self.passed[session]
        for since in self.passed.values():
            assert session not in since, "a second turn, while another session is in line"
            since.append(session)
        if any(self.session[other] == session for other in self.queued):
            self.passed[session] = []
        if then == "built":
            self.bench.gathered.built(item, weight)
            self.ready[item] = self.bench.now
            return
        getattr(self.bench.gathered, then)(item)
        if then == "more":
            self.queue(item)
        else:
            (self.parked if then == "park" else self.ended).append(item)

    @invariant()
    def all_are_accounted_for(self) -> None:
        left = len(self.queued) + len(self.parked) + len(self.ready)
        assert len(self.bench.gathered) == left
        assert left + len(self.ended) == len(self.session)
        assert len(set(self.ended)) == len(self.ended)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
