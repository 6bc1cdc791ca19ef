"""Files become datasets: names, changes of the file, and copies that are gone."""

from pathlib import Path

import pytest

from planner.errors import DataError, SpecError
from tests.tools.conftest import run
from tools.datasets import _names
from tools.engine import Engine
from tools.requests import AddDataset


def write(workspace: Path, name: str, rows: int = 5) -> str:
    """A CSV file in the workspace; its name."""
    lines = [f"{i},{i % 2}\n" for i in range(rows)]
    (workspace / name).parent.mkdir(exist_ok=True)
    (workspace / name).write_text("x,y\n" + "".join(lines))
    return name


def add(engine: Engine, path: str, name: str | None = None) -> str:
    (info,) = engine.datasets.add(AddDataset(path=path, name=name))
    return info.name


def test_a_replaced_file_is_new_data(engine: Engine, workspace: Path) -> None:
    file = write(workspace, "changing.csv", rows=5)
    (first,) = engine.datasets.add(AddDataset(path=file))
    write(workspace, "changing.csv", rows=7)
    (second,) = engine.datasets.add(AddDataset(path=file))
    assert (first.rows, second.rows) == (5, 7)
    assert first.fingerprint != second.fingerprint
    assert engine.datasets.query("SELECT count(*) FROM changing").rows == [[7]]
    assert [d.rows for d in engine.datasets.list() if d.name == "changing"] == [7]


def test_the_same_file_is_not_read_twice(
    engine: Engine, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(workspace, "same.csv")
    first = engine.datasets.add(AddDataset(path=file))
    monkeypatch.setattr(engine.scheduler, "call", None)
    assert engine.datasets.add(AddDataset(path=file)) == first
    with pytest.raises(TypeError):  # read with other options it is read again
        engine.datasets.add(AddDataset(path=file, na_values=["3"]))


class TestCopiesThatAreGone:
    @pytest.fixture
    def gone(self, engine: Engine, workspace: Path) -> str:
        file = write(workspace, "gone.csv", rows=40)
        (info,) = engine.datasets.add(AddDataset(path=file))
        engine.datasets.path_of(info.fingerprint).unlink()
        return info.name

    def test_say_what_to_do(self, engine: Engine, gone: str) -> None:
        for ask in (
            lambda: engine.datasets.profile(gone, None),
            lambda: engine.datasets.profile("diabetes", None, gone),
            lambda: engine.datasets.query(f"SELECT * FROM {gone}"),
        ):
            with pytest.raises(DataError, match="dataset_gone") as caught:
                ask()
            assert "gone.csv" in caught.value.hint

    def test_are_needed_only_where_they_are_read(self, engine: Engine, gone: str) -> None:
        assert engine.datasets.query("SELECT count(*) FROM diabetes").rows == [[442]]

    def test_can_be_made_again(self, engine: Engine, gone: str) -> None:
        spec = {
            "dataset": gone,
            "target": "y",
            "model": "Ridge()",
            "features": [{"columns": ["x"]}],
        }
        evaluation = run(engine, spec, cv="KFold(4)", metrics=["mae"])[0]
        assert evaluation.error is not None
        assert evaluation.error.code == "dataset_gone"
        assert "add" in evaluation.error.hint.lower() or "register" in evaluation.error.hint.lower()
        add(engine, "gone.csv")
        assert run(engine, spec, cv="KFold(4)", metrics=["mae"])[0].status == "ok"


@pytest.mark.parametrize(
    "name", ["two words", 'a "quoted" one', "semi;colon", "größe 名", "a.b", "select", "o'clock"]
)
def test_any_name_can_be_used(engine: Engine, workspace: Path, name: str) -> None:
    assert add(engine, write(workspace, "odd.csv"), name) == name
    quoted = name.replace('"', '""')
    assert engine.datasets.query(f'SELECT count(*) FROM "{quoted}"').rows == [[5]]
    assert engine.datasets.profile(name, "y")["rows"] == 5


def test_names_that_sql_cannot_tell_apart(engine: Engine, workspace: Path) -> None:
    write(workspace, "cases.csv")
    add(engine, "cases.csv", "Case")
    assert add(engine, "cases.csv", "Case") == "Case"
    with pytest.raises(SpecError, match="name_taken") as caught:
        engine.datasets.add(AddDataset(path="cases.csv", name="cASE"))
    assert "'Case'" in caught.value.message


class TestFolders:
    def test_each_file_is_a_dataset(self, engine: Engine, workspace: Path) -> None:
        write(workspace, "folder/one.csv")
        write(workspace, "folder/two.csv", rows=6)
        (workspace / "folder" / "notes.md").write_text("no data")
        found = engine.datasets.add(AddDataset(path="folder"))
        assert {info.name: info.rows for info in found} == {"folder.one": 5, "folder.two": 6}
        assert engine.datasets.query('SELECT count(*) FROM "folder.two"').rows == [[6]]

    def test_without_data_is_an_error(self, engine: Engine, workspace: Path) -> None:
        (workspace / "nothing").mkdir(exist_ok=True)
        with pytest.raises(SpecError, match="empty_folder"):
            engine.datasets.add(AddDataset(path="nothing"))

    def test_files_that_differ_in_their_endings_stay_apart(self) -> None:
        files = [Path("a.csv"), Path("A.parquet"), Path("b.csv.gz"), Path("--.csv")]
        assert _names(files) == ["a_csv", "A_parquet", "b", "data"]


def test_links_out_of_the_workspace_are_not_followed(
    engine: Engine, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.csv").write_text("x\n1\n")
    (workspace / "linked").mkdir()
    (workspace / "linked" / "in.csv").symlink_to(tmp_path / "secret.csv")
    for path in ("linked", "linked/in.csv", "../secret.csv"):
        with pytest.raises(SpecError):
            engine.datasets.add(AddDataset(path=path))


def test_errors_of_reading_have_a_place(engine: Engine, workspace: Path) -> None:
    (workspace / "empty.csv").write_text("")
    with pytest.raises((DataError, SpecError)) as caught:
        engine.datasets.add(AddDataset(path="empty.csv"), "datasets.e")
    assert caught.value.path == "datasets.e.path"
