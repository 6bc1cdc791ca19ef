"""Path confinement: what an agent may name, and what it is told otherwise."""

import os
from pathlib import Path

import pytest

from executor.workspace import confine
from planner.errors import SpecError


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    (root / "data").mkdir(parents=True)
    (root / "data" / "train.csv").write_text("a\n1\n")
    (root / "data" / "test.csv").write_text("a\n1\n")
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (tmp_path / "work2").mkdir()
    (tmp_path / "work2" / "near.csv").write_text("a\n1\n")
    return root


def code(workspace: Path, given: str) -> str:
    with pytest.raises(SpecError) as caught:
        confine(workspace, given, "path")
    assert caught.value.path == "path"
    return caught.value.code


def test_paths_inside_are_resolved(workspace: Path) -> None:
    expected = workspace / "data" / "train.csv"
    assert confine(workspace, "data/train.csv", "path") == expected
    assert confine(workspace, "./data/../data/train.csv", "path") == expected
    assert confine(workspace, str(expected), "path") == expected
    assert confine(workspace, "data", "path") == workspace / "data"
    assert confine(workspace, ".", "path") == workspace


@pytest.mark.parametrize(
    "given", ["../secret.csv", "/etc/passwd", "data/../../secret.csv", "../work2/near.csv", "/"]
)
def test_paths_outside_are_refused(workspace: Path, given: str) -> None:
    assert code(workspace, given) == "path_outside_workspace"


def test_outside_is_the_same_answer_whether_or_not_the_file_exists(workspace: Path) -> None:
    assert code(workspace, "../no-such-file") == "path_outside_workspace"


def test_links_that_leave_are_refused_and_links_that_stay_followed(workspace: Path) -> None:
    (workspace / "leak.csv").symlink_to(workspace.parent / "secret.csv")
    (workspace / "folder").symlink_to(workspace.parent)
    (workspace / "alias.csv").symlink_to(workspace / "data" / "train.csv")
    assert code(workspace, "leak.csv") == "path_outside_workspace"
    assert code(workspace, "folder/secret.csv") == "path_outside_workspace"
    assert confine(workspace, "alias.csv", "path") == workspace / "data" / "train.csv"


def test_a_workspace_that_is_a_link_is_itself_resolved(workspace: Path) -> None:
    link = workspace.parent / "link"
    link.symlink_to(workspace)
    assert confine(link, "data/train.csv", "path") == workspace / "data" / "train.csv"


def test_link_loops_are_refused(workspace: Path) -> None:
    (workspace / "a").symlink_to(workspace / "b")
    (workspace / "b").symlink_to(workspace / "a")
    assert code(workspace, "a") in ("invalid_path", "file_not_found")


def test_missing_files_come_with_near_names(workspace: Path) -> None:
    with pytest.raises(SpecError) as caught:
        confine(workspace, "data/trian.csv", "path")
    assert caught.value.code == "file_not_found"
    assert "'train.csv'" in caught.value.hint
    with pytest.raises(SpecError) as caught:
        confine(workspace, "daat/train.csv", "path")
    assert "daat" in caught.value.hint


def test_a_file_is_no_folder(workspace: Path) -> None:
    assert code(workspace, "data/train.csv/x") == "file_not_found"


@pytest.mark.parametrize("given", ["", "  ", "a\0b", "x" * 5000])
def test_unusable_paths(workspace: Path, given: str) -> None:
    assert code(workspace, given) == "invalid_path"


def test_a_name_longer_than_the_file_system_allows(workspace: Path) -> None:
    assert code(workspace, "x" * 300) in ("invalid_path", "file_not_found")


def test_fifos_are_refused_without_opening_them(workspace: Path) -> None:
    os.mkfifo(workspace / "pipe")
    assert code(workspace, "pipe") == "not_a_file"
