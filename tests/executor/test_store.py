import os
import time
from pathlib import Path

import numpy as np
import pytest

from executor import blocks
from executor.block_file import TEMPORARY, BlockError
from executor.store import Store


def write(store: Store, name: str, seconds: float, size: int = 10_000) -> int:
    info = blocks.save(np.zeros(size, np.uint8), store.directory, name)
    store.note(name, info.bytes, seconds)
    return info.bytes


def set_used(store: Store, name: str, age: float) -> None:
    moment = time.time() - age
    os.utime(store.path(name), (moment, moment))
    assert store.has(name)  # reads the time again


def test_notes_what_exists_and_its_size(tmp_path: Path) -> None:
    store = Store(tmp_path, 10**9)
    assert not store.has("aa01")
    size = write(store, "aa01", 1.0) + write(store, "bb02", 1.0)
    assert store.has("aa01")
    assert store.bytes == size == sum(store.path(n).stat().st_size for n in ("aa01", "bb02"))
    write(store, "aa01", 1.0, size=50)
    assert store.bytes == sum(store.path(n).stat().st_size for n in ("aa01", "bb02"))
    store.remove("aa01")
    store.remove("aa01")
    assert not store.has("aa01")
    assert store.bytes == store.path("bb02").stat().st_size
    assert len(store) == 1


def test_nothing_is_evicted_below_the_limit(tmp_path: Path) -> None:
    store = Store(tmp_path, 10**9)
    write(store, "aa01", 0.0)
    assert store.evict() == []
    assert store.has("aa01")


def test_cheapest_per_byte_goes_first_then_least_recently_used(tmp_path: Path) -> None:
    store = Store(tmp_path, 10**9)
    write(store, "dear", 9.0)
    write(store, "cheapnew", 1.0)
    write(store, "cheapold", 1.0)
    write(store, "small", 1.0, size=100)  # as cheap, but gives back little room
    for name, age in (("dear", 900), ("cheapnew", 10), ("cheapold", 500), ("small", 1000)):
        set_used(store, name, age)
    store.limit_bytes = store.bytes - 1
    assert store.evict() == ["cheapold"]
    store.limit_bytes = store.bytes - 1
    assert store.evict() == ["cheapnew"]
    store.limit_bytes = 0
    assert store.evict() == ["dear", "small"]
    assert store.bytes == len(store) == 0


def test_touch_saves_from_eviction(tmp_path: Path) -> None:
    store = Store(tmp_path, 10**9)
    for name in ("aa", "bb"):
        write(store, name, 1.0)
        set_used(store, name, 500)
    store.touch(["aa", "absent"])
    store.limit_bytes = store.bytes - 1
    assert store.evict() == ["bb"]


def test_pinned_blocks_stay_until_unpinned_as_often(tmp_path: Path) -> None:
    store = Store(tmp_path, 0)
    store.pin(["aa"])  # before it exists
    write(store, "aa", 0.0)
    write(store, "bb", 100.0)
    store.pin(["aa"])
    assert store.evict() == ["bb"]
    store.unpin(["aa"])
    assert store.evict() == []
    store.unpin(["aa"])
    assert store.evict() == ["aa"]


def test_costs_and_use_survive_a_restart(tmp_path: Path) -> None:
    first = Store(tmp_path, 10**9)
    write(first, "dear", 50.0)
    write(first, "cheap", 1.0)
    write(first, "older", 1.0)
    set_used(first, "dear", 4000)
    set_used(first, "cheap", 2000)
    set_used(first, "older", 3000)
    second = Store(tmp_path, 10**9)
    assert (len(second), second.bytes) == (3, first.bytes)
    second.limit_bytes = second.bytes - 1
    assert second.evict() == ["older"]
    second.limit_bytes = second.bytes - 1
    assert second.evict() == ["cheap"]
    assert blocks.load(tmp_path, "dear").shape == (10_000,)  # the note left the content alone


def test_blocks_in_use_by_another_server_go_last(tmp_path: Path) -> None:
    other = Store(tmp_path, 10**9)
    write(other, "theirs", 1.0)
    mine = Store(tmp_path, 10**9)
    write(mine, "mine", 30.0)
    mine.limit_bytes = mine.bytes - 1
    assert mine.evict() == ["mine"]
    set_used(mine, "theirs", 3600)
    write(mine, "mine", 30.0)
    assert mine.evict() == ["theirs"]


def test_removal_by_another_server_is_tolerated(tmp_path: Path) -> None:
    one, two = Store(tmp_path, 10**9), Store(tmp_path, 10**9)
    write(one, "aa", 1.0)
    write(one, "bb", 1.0)
    assert two.has("aa")
    assert two.has("bb")
    mapped = blocks.load(tmp_path, "aa")
    one.remove("aa")
    one.remove("bb")
    assert not two.has("aa")
    two.touch(["bb"])
    two.pin(["bb"])
    two.unpin(["bb"])
    two.note("bb", 5, 1.0)
    two.limit_bytes = 0
    assert two.evict() == ["bb"]
    assert two.bytes == 0
    assert mapped.sum() == 0  # the map outlives the file
    with pytest.raises(BlockError):
        blocks.load(tmp_path, "aa")


def test_scan_removes_old_leftovers_only(tmp_path: Path) -> None:
    scratch = tmp_path / TEMPORARY
    scratch.mkdir()
    old, new, foreign = scratch / "11-aa.tmp", scratch / "12-bb.tmp", scratch / "notes.txt"
    for path in (old, new, foreign):
        path.write_bytes(b"partial")
    for path in (old, foreign):
        os.utime(path, (time.time() - 7200,) * 2)
    Store(tmp_path, 10**9)
    assert sorted(scratch.iterdir()) == [new, foreign]


def test_discards_what_a_killed_worker_was_writing(tmp_path: Path) -> None:
    scratch = tmp_path / TEMPORARY
    scratch.mkdir()
    (scratch / "123-aa.tmp").write_bytes(b"")
    (scratch / "1234-aa.tmp").write_bytes(b"")
    Store(tmp_path, 10**9).discard_temporaries(123)
    assert [path.name for path in scratch.iterdir()] == ["1234-aa.tmp"]


def test_files_that_are_no_blocks_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "aa").mkdir()
    strange = [tmp_path / "aa" / name for name in ("aa.npy", "a b.block", "bb.block", "aa.block.x")]
    for path in [*strange, tmp_path / "top.block"]:
        path.write_bytes(b"x")
    store = Store(tmp_path, 0)
    assert len(store) == 0
    assert store.evict() == []
    assert all(path.exists() for path in strange)


def test_damaged_blocks_are_evicted_first(tmp_path: Path) -> None:
    store = Store(tmp_path, 10**9)
    write(store, "good", 0.001)
    (tmp_path / "ba").mkdir()
    (tmp_path / "ba" / "bad.block").write_bytes(b"x" * 1000)
    store.scan()
    set_used(store, "bad", 7200)
    store.limit_bytes = store.bytes - 1
    assert store.evict()[0] == "bad"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\0b", "x" * 300])
def test_names_cannot_leave_the_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a block name"):
        Store(tmp_path, 0).path(name)
