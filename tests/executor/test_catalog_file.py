import json
import os
import signal
import sqlite3
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from executor import catalog_file
from executor.catalog import (
    Catalog,
    ScoreRow,
)
from executor.catalog_schema import SCHEMA_VERSION
from planner.errors import ServerError
from tests.executor.catalog_cases import (
    ROOT,
    child_command,
    dataset,
    evaluation,
)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "catalog.sqlite", workspace="/here")


WRITE_ALL = """
me = sys.argv[1]
print('ready', flush=True); sys.stdin.readline()
for i in range(100):
    key = f'{me}-{i}'
    catalog.create_job(key, 'evaluate', me, {'i': i}, 1)
    catalog.set_job_state(key, 'running')
    catalog.put_evaluation(EvaluationRow(key, key, 0, key, {'model': key}, 'ok', 'd',
        metric='r2', metrics={'r2': {'mean': i}}))
    catalog.put_scores([ScoreRow(key, (float(i),)), ScoreRow(f'shared-{i}', (float(i),))])
    catalog.set_job_state(key, 'completed')
"""


def test_four_processes_write_at_once(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    children = [
        subprocess.Popen(
            [*child_command(path, WRITE_ALL), str(me)],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for me in range(4)
    ]
    for child in children:  # also: four processes made the file at once
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        _, errors = child.communicate(timeout=100)
        assert (child.returncode, errors) == (0, "")
    catalog = Catalog(path, "/here")
    keys = [f"{me}-{i}" for me in range(4) for i in range(100)]
    assert {job.id for job in catalog.list_jobs(1000)} == set(keys)
    assert all(job.state == "completed" and job.done == 1 for job in catalog.list_jobs(1000))
    assert len(catalog.get_scores([*keys, *(f"shared-{i}" for i in range(100))])) == 500
    assert catalog.leaderboard("r2").total == 400
    assert catalog.read("PRAGMA integrity_check")[0][0] == "ok"


WRITE_UNTIL_KILLED = """
catalog.create_job('j1', 'evaluate', '', None, 10**9)
for position in range(10**9):
    catalog.put_evaluation(EvaluationRow(f'e{position}', 'j1', position, 'n', {'s': 'x' * 3000},
        'ok', 'd', metric='r2', metrics={'r2': {'mean': position}}))
    print(position, flush=True)
"""


def test_killed_while_writing_loses_nothing_committed(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    for round_ in range(3):
        path = tmp_path / f"catalog{round_}.sqlite"
        child = subprocess.Popen(
            child_command(path, WRITE_UNTIL_KILLED), cwd=ROOT, text=True, stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        acknowledged = -1
        while acknowledged < 60 * (round_ + 1):
            acknowledged = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read()  # what it said before it died
        complete = rest[: rest.rfind("\n") + 1].split()
        acknowledged = int(complete[-1]) if complete else acknowledged
        assert child.wait() == -signal.SIGKILL
        child.stdout.close()
        catalog = Catalog(path, "/here")
        assert catalog.warnings == []
        assert catalog.read("PRAGMA integrity_check")[0][0] == "ok"
        stored = [row.position for row in catalog.evaluations("j1")]
        assert stored == list(range(len(stored)))
        assert acknowledged < len(stored) <= acknowledged + 2
        assert catalog.interrupt_unfinished() == ["j1"]
        catalog.close()


def test_threads_share_a_catalog(catalog: Catalog) -> None:
    errors: list[BaseException] = []

    def work(me: int) -> None:
        try:
            for i in range(30):
                catalog.put_scores([ScoreRow(f"{me}-{i}", (1.0,))])
                assert len(catalog.get_scores([f"{me}-{i}"])) == 1
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(catalog.get_scores(f"{me}-{i}" for me in range(4) for i in range(30))) == 120


def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "c"
    first = Catalog(path)
    first.put_dataset(dataset("homes"))
    first.close()
    first.close()
    second = Catalog(path)
    assert second.get_dataset("homes") == dataset("homes")
    assert second.warnings == []
    assert second.read("PRAGMA journal_mode")[0][0] == "wal"
    assert second.read("PRAGMA synchronous")[0][0] == 1


def test_the_file_is_private(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        Catalog(tmp_path / "c").put_memo("a", 1)
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    finally:
        os.umask(previous)
    assert set(modes.values()) == {0o600}
    assert {"c", "c-wal"} <= modes.keys()


def test_newer_catalog_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "c"
    Catalog(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(ServerError) as caught:
        Catalog(path)
    assert caught.value.code == "catalog_too_new"
    assert "Upgrade" in caught.value.hint
    assert path.read_bytes() == before


def test_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(ServerError) as caught:
        Catalog(path)
    assert caught.value.code == "catalog_unusable"


def overwrite_start(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)


def overwrite_middle(path: Path) -> None:
    content = bytearray(path.read_bytes())
    for page in range(1, len(content) // 4096):  # all but the header
        content[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [overwrite_start, overwrite_middle, cut_off])
def test_damaged_catalog_is_set_aside(tmp_path: Path, damage: Any) -> None:
    path = tmp_path / "c"
    first = Catalog(path)
    first.put_scores(ScoreRow(f"k{i}", (1.0,)) for i in range(2000))
    first.close()
    damage(path)
    damaged = path.read_bytes()
    second = Catalog(path)
    assert len(second.warnings) == 1
    (kept,) = [file for file in tmp_path.iterdir() if "damaged" in file.name]
    assert str(kept) in second.warnings[0]
    assert kept.read_bytes() == damaged
    second.put_memo("a", 1)
    assert second.get_scores(["k1"]) == {}
    assert Catalog(path).warnings == []
    assert Catalog(path).get_memos(["a"]) == {"a": 1}


def test_damage_met_in_use_is_repaired_by_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_file, "_CHECKED_BYTES", 0)  # as for a great file
    path = tmp_path / "c"
    first = Catalog(path)
    first.put_scores(ScoreRow(f"k{i}", (1.0,)) for i in range(2000))
    first.close()
    content = bytearray(path.read_bytes())
    for page in range(len(content) // 8192, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = b"\xa5" * 200
    path.write_bytes(content)
    second = Catalog(path)
    assert second.warnings == []
    with pytest.raises(ServerError) as caught:
        second.get_scores(f"k{i}" for i in range(2000))
    assert caught.value.code == "catalog_damaged"
    second.close()
    third = Catalog(path)
    assert len(third.warnings) == 1
    assert third.get_scores(["k1"]) == {}
    assert [file.name for file in tmp_path.iterdir() if "suspect" in file.name] == []


def test_unusable_place_is_reported(tmp_path: Path) -> None:
    for path in (tmp_path / "absent" / "c", tmp_path):
        with pytest.raises(ServerError) as caught:
            Catalog(path)
        assert caught.value.code == "catalog_unusable"


def test_failed_migration_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c"
    Catalog(path).put_memo("a", 1)
    with monkeypatch.context() as patched:
        broken = (*catalog_file.MIGRATIONS, ("CREATE TABLE more (x)", "no SQL"))
        patched.setattr(catalog_file, "MIGRATIONS", broken)
        patched.setattr(catalog_file, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        with pytest.raises(ServerError):
            Catalog(path)
    catalog = Catalog(path)
    assert catalog.get_memos(["a"]) == {"a": 1}
    assert catalog.read("SELECT * FROM sqlite_master WHERE name = 'more'") == []


def test_migrations_keep_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c"
    Catalog(path).put_memo("a", 1)
    added = (*catalog_file.MIGRATIONS, ("ALTER TABLE requests ADD COLUMN more INTEGER",))
    monkeypatch.setattr(catalog_file, "MIGRATIONS", added)
    monkeypatch.setattr(catalog_file, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    catalog = Catalog(path)
    assert catalog.get_memos(["a"]) == {"a": 1}
    assert catalog.read("SELECT more FROM requests")[0]["more"] is None
    assert catalog.read("PRAGMA user_version")[0][0] == SCHEMA_VERSION + 1


def test_rows_are_values(catalog: Catalog) -> None:
    row = evaluation(1)
    catalog.put_evaluation(row)
    found = catalog.find_evaluation("e1")
    assert found == row
    assert replace(found, name="other").name == "other"
    assert json.loads(json.dumps(dict(found.metrics))) == row.metrics


def test_writes_inside_of_another_are_one_transaction(catalog: Catalog) -> None:
    class Undone(Exception):
        pass

    def put(key: str, error: type[Exception] | None = None) -> None:
        with catalog.write():
            catalog.put_scores([ScoreRow(key, (1.0,))])
            catalog.put_memo(key, 1)
            if error is not None:
                raise error

    put("kept")
    with pytest.raises(Undone):
        put("lost", Undone)
    assert list(catalog.get_scores(["kept", "lost"])) == ["kept"]
    assert list(catalog.get_memos(["kept", "lost"])) == ["kept"]
