"""A hold-out through the whole server, over stdio: kept, confirmed, counted after a restart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split

from mcp_server.app import StratumServer
from tests.mcp_server.clients import StdioServer, answer, ask, error, parameters, text_of

SPEC = {"dataset": "diabetes", "target": "target", "features": [{"columns": "numeric"}],
        "model": "Ridge(alpha=1)"}  # fmt: skip
EVALUATE = {"cv": "KFold(3)", "metrics": ["r2"], "holdout": 0.2}


def expected(alpha: float) -> float:
    x, y = load_diabetes(return_X_y=True)
    rows = train_test_split(np.arange(len(y)), test_size=0.2, random_state=0)
    outside, inside = (np.sort(part) for part in rows)
    return float(Ridge(alpha).fit(x[outside], y[outside]).score(x[inside], y[inside]))


def served(workspace: Path, home: Path, *calls: tuple[str, dict[str, Any]]) -> list[Any]:
    """Results of calls to a server process of its own, which ends then."""
    server = StdioServer(parameters(workspace, home))
    try:
        return [ask(server, tool, arguments) for tool, arguments in calls]
    finally:
        server.close()


def test_a_hold_out_over_stdio(workspace: Path, new_home: Callable[[], Path]) -> None:
    home = new_home()
    pipelines = [SPEC, {**SPEC, "model": "Ridge(alpha=2)"}]
    _, evaluated = served(
        workspace,
        home,
        ("add_dataset", {"path": "diabetes.csv"}),
        ("evaluate_pipelines", {"pipelines": pipelines, "evaluate": EVALUATE}),
    )
    first, second = answer(evaluated)["evaluations"]
    assert first["holdout"] is None
    assert "outside hold-out 0.2 (seed 0)" in first["cv"]
    (confirmed,) = served(workspace, home, ("evaluate_pipelines", {"confirm": [first["id"]]}))
    (found,) = answer(confirmed)["evaluations"]
    alpha = 1 if "alpha=1" in found["name"] else 2
    assert found["holdout"]["metrics"]["r2"] == pytest.approx(expected(alpha), rel=1e-9)
    assert found["holdout"]["looks"] == 1
    assert found["metrics"] == first["metrics"]
    assert f"on hold-out {found['holdout']['id']} (look 1): r2=" in text_of(confirmed)
    again, board = served(
        workspace,
        home,
        ("evaluate_pipelines", {"confirm": [second["id"], first["id"]]}),
        ("get_leaderboard", {"metric": "r2"}),
    )
    looks = [e["holdout"]["looks"] for e in answer(again)["evaluations"]]
    assert looks == [2, 2]
    assert "Each look weakens it" in text_of(again)
    means = [row["mean"] for row in answer(board)["rows"]]
    assert means == [e["metrics"]["r2"]["mean"] for e in (first, second)]


def test_a_search_confirms_its_finalists(server: StratumServer) -> None:
    pipeline = {**SPEC, "model": "Ridge(alpha=choose(0.1, 1, 10, 100))"}
    found = ask(server, "search_pipelines", {"pipeline": pipeline, "evaluate": EVALUATE})
    held = [e["holdout"] for e in answer(found)["evaluations"]]
    assert [one is not None for one in held] == [True, True, True, False]
    assert "on hold-out ho_" in text_of(found)


@pytest.mark.parametrize(
    ("arguments", "code", "path"),
    [
        ({}, "missing_field", "pipelines"),
        ({"confirm": ["ev_1"], "pipelines": [SPEC]}, "confirm_alone", "confirm"),
        ({"confirm": ["ev_1"], "evaluate": {"cv": "KFold(3)"}}, "confirm_alone", "confirm"),
        ({"confirm": ["ev_nothing"]}, "unknown_evaluation", "confirm[0]"),
        ({"pipelines": [SPEC], "evaluate": {"holdout": 1.5}}, "invalid_value", "evaluate.holdout"),
    ],
)
def test_misuse_is_explained(
    server: StratumServer, arguments: dict[str, Any], code: str, path: str
) -> None:
    found = error(ask(server, "evaluate_pipelines", arguments))
    assert (found["code"], found.get("path")) == (code, path)
