"""Batches of concurrent requests. Times are events, never waits."""

import threading

from planner.accumulator import Accumulator

NEVER = 60.0  # seconds; a window that is waited for would fail the test by its timeout


def test_an_idle_engine_takes_the_first_request_at_once() -> None:
    gathered: Accumulator[int] = Accumulator(lambda: False, window=NEVER)
    gathered.put(1)
    assert gathered.take() == [1]


def test_what_waits_is_taken_together_in_order() -> None:
    gathered: Accumulator[int] = Accumulator(lambda: False)
    assert all(gathered.put(number) for number in range(5))
    assert gathered.take() == [0, 1, 2, 3, 4]


def test_a_batch_is_bounded() -> None:
    gathered: Accumulator[int] = Accumulator(lambda: False, limit=3)
    for number in range(7):
        gathered.put(number)
    assert [gathered.take() for _ in range(3)] == [[0, 1, 2], [3, 4, 5], [6]]


def test_a_busy_engine_waits_for_company_up_to_the_limit() -> None:
    asked = threading.Event()

    def busy() -> bool:
        asked.set()
        return True

    gathered: Accumulator[int] = Accumulator(busy, window=NEVER, limit=3)
    taken: list[list[int]] = []
    reader = threading.Thread(target=lambda: taken.append(gathered.take()))
    gathered.put(1)
    reader.start()
    assert asked.wait(NEVER)  # the first request has been seen, and is not taken alone
    assert not taken
    gathered.put(2)
    gathered.put(3)
    reader.join(NEVER)
    assert taken == [[1, 2, 3]]


def test_the_window_ends() -> None:
    gathered: Accumulator[int] = Accumulator(lambda: True, window=0.001, limit=100)
    gathered.put(1)
    assert gathered.take() == [1]


def test_a_reader_waits_until_there_is_something() -> None:
    gathered: Accumulator[int] = Accumulator(lambda: False)
    taken: list[list[int]] = []
    reader = threading.Thread(target=lambda: taken.append(gathered.take()))
    reader.start()
    gathered.put(1)
    reader.join(NEVER)
    assert taken == [[1]]


def test_closing_wakes_the_reader_and_ends_the_window() -> None:
    for items in (0, 1):
        gathered: Accumulator[int] = Accumulator(lambda: True, window=NEVER)
        taken: list[list[int]] = []
        reader = threading.Thread(target=lambda g=gathered, t=taken: t.append(g.take()))
        for number in range(items):
            gathered.put(number)
        reader.start()
        gathered.close()
        reader.join(NEVER)
        assert taken == [list(range(items))]


def test_after_closing_the_rest_is_handed_out_and_nothing_more_accepted() -> None:
    gathered: Accumulator[int] = Accumulator(lambda: False, limit=2)
    for number in range(3):
        gathered.put(number)
    gathered.close()
    assert not gathered.put(9)
    assert [gathered.take() for _ in range(3)] == [[0, 1], [2], []]


def test_nothing_is_lost_or_doubled_between_many_writers() -> None:
    gathered: Accumulator[int] = Accumulator(lambda: True, window=0.001, limit=7)
    taken: list[int] = []

    def read() -> None:
        while batch := gathered.take():
            assert len(batch) <= 7
            taken.extend(batch)

    reader = threading.Thread(target=read)
    reader.start()
    writers = [
        threading.Thread(target=lambda w=w: [gathered.put(w * 100 + n) for n in range(50)])
        for w in range(8)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(NEVER)
    gathered.close()
    reader.join(NEVER)
    assert sorted(taken) == sorted(w * 100 + n for w in range(8) for n in range(50))
    for w in range(8):  # each writer's own order is kept
        mine = [number for number in taken if number // 100 == w]
        assert mine == sorted(mine)
