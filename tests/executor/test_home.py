import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from executor.home import Home, resolve
from planner.errors import ServerError


def test_argument_wins_over_environment_and_cache(tmp_path: Path) -> None:
    environ = {"STRATUM_HOME": "/of/env", "XDG_CACHE_HOME": "/of/xdg", "HOME": "/of/user"}
    assert resolve(tmp_path / "given", environ) == tmp_path / "given"
    assert resolve(None, environ) == Path("/of/env")
    assert resolve("", environ) == Path("/of/env")
    del environ["STRATUM_HOME"]
    assert resolve(None, environ) == Path("/of/xdg/stratum")
    environ["XDG_CACHE_HOME"] = "relative/is/ignored"
    assert resolve(None, environ) == Path("/of/user/.cache/stratum")


def test_relative_and_tilde_paths_become_absolute() -> None:
    assert resolve("some/where", {}) == Path.cwd() / "some/where"
    assert resolve("~/x", {}) == Path.home() / "x"


def test_unknown_user_is_reported() -> None:
    with pytest.raises(ServerError) as caught:
        resolve("~no_such_user_here/x", {})
    assert caught.value.code == "home_unusable"


def test_makes_private_directories(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        home = Home(tmp_path / "deep" / "home")
    finally:
        os.umask(previous)
    for directory in (home.path, home.datasets, home.blocks, home.logs, home.tmp):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert sorted(path.name for path in home.path.iterdir()) == [
        "blocks",
        "datasets",
        "logs",
        "tmp",
    ]
    assert home.catalog == home.path / "catalog.sqlite"


def test_existing_home_is_kept_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "blocks").mkdir()
    (tmp_path / "blocks" / "kept").write_text("x")
    home = Home(tmp_path)
    assert (home.blocks / "kept").read_text() == "x"
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_file_in_the_way_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ServerError) as caught:
        Home(tmp_path / "file" / "home")
    assert caught.value.code == "home_unusable"
    assert "--home" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_directory_is_reported(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.blocks.chmod(0o500)
    with pytest.raises(ServerError) as caught:
        Home(home.path)
    assert caught.value.code == "home_unusable"
    home.blocks.chmod(0o700)


def test_import_touches_no_directory(tmp_path: Path) -> None:
    root = Path(sys.modules["executor"].__path__[0]).parent
    subprocess.run(
        [sys.executable, "-c", "import executor.home"],
        env={"HOME": str(tmp_path), "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )
    assert list(tmp_path.iterdir()) == []
