from pathlib import Path

from executor.catalog import Catalog


def test_looks_are_counted_once_each_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "catalog.sqlite"
    one = Catalog(file, "a")
    assert one.add_looks({"ho_1": ["p", "q", "p"], "ho_2": []}) == {"ho_1": 2, "ho_2": 0}
    two = Catalog(file, "b")
    # Of every workspace and server of the home: the rows are the same.
    assert two.add_looks({"ho_1": ["q", "r"]}) == {"ho_1": 3}
    one.close()
    two.close()
    again = Catalog(file, "a")
    assert again.add_looks({"ho_1": [], "ho_2": ["p"]}) == {"ho_1": 3, "ho_2": 1}
    again.close()
