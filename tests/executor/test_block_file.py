import datetime
import errno
import io
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor import block_file, blocks
from executor.block_file import TEMPORARY, BlockError
from planner.errors import ExecutionError
from tests.executor.block_cases import assert_same, examples, round_trip


class Opaque:
    pass


@pytest.mark.parametrize(
    "value",
    [
        Opaque(),
        np.array([Opaque()], dtype=object),
        [1, {2, 3}],
        np.ma.masked_array([1, 2], [True, False]),
        np.array([(1, None)], dtype=[("a", int), ("b", object)]),
        datetime.datetime(2020, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")),
    ],
    ids=repr,
)
def test_what_cannot_be_restored_is_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(ExecutionError) as caught:
        blocks.save(value, tmp_path, "ab")
    assert caught.value.code == "unstorable_value"
    assert list((tmp_path / TEMPORARY).iterdir()) == []
    assert not block_file.block_path(tmp_path, "ab").exists()


def test_missing_block(tmp_path: Path) -> None:
    with pytest.raises(BlockError) as caught:
        blocks.load(tmp_path, "ab")
    assert caught.value.code == "block_unreadable"


@examples
@given(data=st.data())
def test_truncation_is_always_detected(tmp_path: Path, data: st.DataObject) -> None:
    value = (np.arange(20), pd.DataFrame({"a": ["x", "y"]}), None)
    blocks.save(value, tmp_path, "ab")
    path = block_file.block_path(tmp_path, "ab")
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(BlockError):
        blocks.load(tmp_path, "ab")


@examples
@given(data=st.data())
def test_damage_outside_of_the_content_is_detected(tmp_path: Path, data: st.DataObject) -> None:
    value = (np.arange(20), pd.DataFrame({"a": ["x", "y"]}), None)
    blocks.save(value, tmp_path, "ab")
    path = block_file.block_path(tmp_path, "ab")
    changed = bytearray(path.read_bytes())
    start = changed.index(b'{"k":"tuple"')
    position = data.draw(
        st.integers(start, len(changed) - 1).filter(
            # eight bytes of the trailer hold the seconds, which are a hint
            lambda at: not len(changed) - 32 <= at < len(changed) - 24
        )
    )
    changed[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    with pytest.raises(BlockError):
        blocks.load(tmp_path, "ab")


@examples
@given(garbage=st.binary(max_size=300))
def test_garbage_is_refused(tmp_path: Path, garbage: bytes) -> None:
    path = block_file.block_path(tmp_path, "ab")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(garbage)
    with pytest.raises(BlockError):
        blocks.load(tmp_path, "ab")


@pytest.mark.parametrize(
    "node",
    [
        {"k": "pickle", "v": "80"},
        {"k": "array", "shape": [4], "order": "C", "dtype": "'|O'", "at": [64, 32]},
        {"k": "array", "shape": [9], "order": "C", "dtype": "'<f8'", "at": [64, 72]},
        {"k": "array", "shape": [1], "order": "C", "dtype": "__import__('os')", "at": [64, 8]},
        {"k": "sparse", "t": "Opaque", "shape": [1, 1], "v": []},
        {"k": "table", "rows": None, "at": [64, 8]},
        {"k": "frame"},
        {},
    ],
    ids=str,
)
def test_well_formed_files_of_strange_content_are_refused(tmp_path: Path, node: Any) -> None:
    with block_file.create_block(tmp_path, "ab") as writer:
        writer.align()
        writer.write(bytes(8))
        writer.manifest = node
    with pytest.raises(BlockError):
        blocks.load(tmp_path, "ab")


def test_an_exhausted_disk_leaves_no_file(tmp_path: Path) -> None:
    for directory in (tmp_path / TEMPORARY, tmp_path / "ab"):
        directory.mkdir()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        for value in (np.zeros(100_000), pa.table({"a": np.zeros(100_000)})):
            with pytest.raises(ExecutionError) as caught:
                blocks.save(value, tmp_path, "ab")
            assert caught.value.code == "disk_full"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert_same(round_trip(np.zeros(10), tmp_path), np.zeros(10))


def test_a_full_device_when_the_file_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def close(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    def full(path: Path, mode: str) -> Full:
        path.touch()
        return Full()

    with monkeypatch.context() as patched:
        patched.setattr(block_file, "open", full, raising=False)
        with pytest.raises(ExecutionError) as caught:
            blocks.save(1, tmp_path, "ab")
    assert caught.value.code == "disk_full"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_failed_save_keeps_the_block_before(tmp_path: Path) -> None:
    blocks.save([1, 2], tmp_path, "ab")
    with pytest.raises(ExecutionError):
        blocks.save([np.zeros(1000), Opaque()], tmp_path, "ab")
    assert blocks.load(tmp_path, "ab") == [1, 2]


def test_trailers_are_read_without_numpy() -> None:
    root = Path(sys.modules["executor"].__path__[0]).parent
    code = "import sys, executor.store; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
