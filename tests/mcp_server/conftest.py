"""One engine with a few small datasets for all in-memory tests, and homes that start quickly."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from executor.home import Home
from mcp_server.app import StratumServer, create_server
from tests.mcp_server.clients import answer, ask
from tools.engine import Engine


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of CSV files, each a case."""
    folder = tmp_path_factory.mktemp("workspace")
    load_diabetes(as_frame=True).frame.to_csv(folder / "diabetes.csv", index=False)
    load_breast_cancer(as_frame=True).frame.to_csv(folder / "cancer.csv", index=False)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=60), "b": rng.normal(size=60)})
    frame["y"] = frame["a"] + rng.normal(size=60)
    frame.to_csv(folder / "plain.csv", index=False)
    frame.assign(y=3.5).to_csv(folder / "constant.csv", index=False)
    frame.assign(b=np.nan).to_csv(folder / "gaps.csv", index=False)
    frame.assign(y=[1] + 59 * [0]).to_csv(folder / "rare.csv", index=False)
    frame.rename(columns={"a": "größe", "b": "名前"}).assign(stadt=["Łódź", "Zürich"] * 30).to_csv(
        folder / "umlaute.csv", index=False
    )
    (folder / "empty.csv").write_text("a,b,y\n")
    (folder / "nothing.csv").write_text("")
    (folder / "twice.csv").write_text("a,a,y\n" + "".join(f"{i},{-i},{i}\n" for i in range(60)))
    return folder


@pytest.fixture(scope="session")
def new_home(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes homes that have the list of operators already, which takes seconds to make."""
    engine.registry()

    def make() -> Path:
        home = tmp_path_factory.mktemp("home")
        for file in engine.home.path.glob("operators-*.json"):
            shutil.copy(file, home)
        return home

    return make


@pytest.fixture(scope="session")
def engine(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    home = Home(tmp_path_factory.mktemp("engine"))
    with Engine(home, workspace, cores=2) as engine:
        yield engine


@pytest.fixture(scope="session")
def server(engine: Engine) -> StratumServer:
    """A server that knows the usual datasets."""
    server = create_server(engine)
    for name in ("diabetes", "cancer", "plain"):
        answer(ask(server, "add_dataset", {"path": f"{name}.csv"}))
    return server
