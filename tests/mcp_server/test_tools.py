"""Every tool, through an in-memory client."""

import json
import math
import threading
from typing import Any

import anyio
import pandas as pd
import pytest
from mcp import Client
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold, cross_val_score

from mcp_server.app import StratumServer
from mcp_server.settings import REPLY_BYTES
from tests.mcp_server.clients import LIMIT, answer, ask, error, text_of
from tools import planning

TOOLS = [
    "add_dataset",
    "list_datasets",
    "profile_dataset",
    "query_dataset",
    "list_operators",
    "evaluate_pipelines",
    "search_pipelines",
    "explain_plan",
    "get_job",
    "cancel_job",
    "get_leaderboard",
    "server_status",
]
DIABETES = {"dataset": "diabetes", "target": "target"}
CV = {"cv": "KFold(5, shuffle=True, random_state=0)"}
SLOW = "RandomForestRegressor(n_estimators=400, max_features=1.0)"


def spec(model: str, **fields: Any) -> dict[str, Any]:
    return {**DIABETES, "model": model, **fields}


def test_tools_are_listed_in_order_with_schemas_and_annotations(server: StratumServer) -> None:
    async def listed() -> list[Any]:
        async with Client(server) as client:
            return (await client.list_tools()).tools

    tools = anyio.run(listed)
    assert [tool.name for tool in tools] == TOOLS
    for tool in tools:
        assert tool.output_schema is not None, tool.name
        assert tool.output_schema["type"] == "object", tool.name
        assert tool.input_schema["additionalProperties"] is False, tool.name
        assert tool.annotations is not None, tool.name
        assert tool.annotations.open_world_hint is False, tool.name
        assert 40 < len(tool.description) < 400, tool.name
    reading = {tool.name for tool in tools if tool.annotations.read_only_hint}
    assert "evaluate_pipelines" not in reading
    assert "query_dataset" in reading


def test_the_list_of_tools_costs_less_than_six_thousand_tokens(server: StratumServer) -> None:
    async def listed() -> str:
        async with Client(server) as client:
            return (await client.list_tools()).model_dump_json(by_alias=True, exclude_none=True)

    assert len(anyio.run(listed)) < 24_000


def test_old_and_new_clients_are_served(server: StratumServer) -> None:
    async def versions() -> list[str | None]:
        found = []
        for mode in ("legacy", "2026-07-28"):
            async with Client(server, mode=mode) as client:
                result = await client.call_tool("list_datasets", {})
                assert not result.is_error
                found.append(client.protocol_version)
        return found

    old, new = anyio.run(versions)
    assert old is not None
    assert old < "2026"
    assert new == "2026-07-28"


def test_add_dataset_tells_columns_and_types(server: StratumServer) -> None:
    result = ask(server, "add_dataset", {"path": "plain.csv", "name": "renamed"})
    (found,) = answer(result)["datasets"]
    assert (found["name"], found["rows"]) == ("renamed", 60)
    assert [column["name"] for column in found["columns"]] == ["a", "b", "y"]
    assert "renamed: 60 rows; a float, b float, y float" in text_of(result)


def test_list_datasets_has_what_was_added(server: StratumServer) -> None:
    names = {info["name"] for info in answer(ask(server, "list_datasets"))["datasets"]}
    assert {"diabetes", "cancer", "plain"} <= names


def test_profile_gives_relations_and_advice(server: StratumServer) -> None:
    result = ask(server, "profile_dataset", {"dataset": "diabetes", "target": "target"})
    found = answer(result)
    assert found["rows"] == 442
    # The most telling columns come first.
    assert found["columns"][0]["name"] == "bmi"
    assert found["suggested"]["task"] == "regression"
    assert "bmi" in text_of(result)
    one = answer(ask(server, "profile_dataset", {"dataset": "diabetes", "columns": ["s1"]}))
    assert [column["name"] for column in one["columns"]] == ["s1"]


def test_query_gives_rows_of_one_select(server: StratumServer) -> None:
    sql = "SELECT sex > 0 AS s, count(*) AS n FROM diabetes GROUP BY 1 ORDER BY 1"
    result = ask(server, "query_dataset", {"sql": sql})
    counts = (load_diabetes(as_frame=True).frame["sex"] > 0).value_counts()
    assert answer(result)["rows"] == [[False, counts[False]], [True, counts[True]]]
    assert text_of(result).splitlines()[0] == "s\tn"


def test_query_is_bounded_and_says_so(server: StratumServer) -> None:
    result = ask(server, "query_dataset", {"sql": "SELECT * FROM cancer", "limit": 1000})
    found = answer(result)
    assert 0 < len(found["rows"]) < 569
    assert found["truncated"]
    assert len(json.dumps(found)) < 2 * REPLY_BYTES


def test_missing_numbers_are_null(server: StratumServer) -> None:
    sql = "SELECT NULL AS a, 'nan'::DOUBLE AS b"
    assert answer(ask(server, "query_dataset", {"sql": sql}))["rows"] == [[None, None]]


def test_list_operators_finds_names_and_parameters(server: StratumServer) -> None:
    found = answer(ask(server, "list_operators", {"query": "ridge", "kind": "regressor"}))
    assert found["operators"][0]["name"] == "Ridge"
    (one,) = answer(ask(server, "list_operators", {"query": "HuberRegressor"}))["operators"]
    assert "epsilon" in [parameter["name"] for parameter in one["parameters"]]


def test_evaluate_gives_scikit_learns_scores_best_first(server: StratumServer) -> None:
    arguments = {
        "pipelines": [
            spec("Ridge(alpha=100)", features=[{"columns": "all"}]),
            spec("Ridge(alpha=0.1)", features=[{"columns": "all"}], name="best"),
        ],
        "evaluate": {**CV, "metrics": ["r2", "rmse"]},
    }
    result = ask(server, "evaluate_pipelines", arguments)
    found = answer(result)
    data, target = load_diabetes(return_X_y=True)
    expected = cross_val_score(
        Ridge(alpha=0.1), data, target, cv=KFold(5, shuffle=True, random_state=0)
    )
    assert (found["state"], found["done"], found["metric"]) == ("completed", 2, "r2")
    best = found["evaluations"][0]
    assert best["name"] == "best"
    assert best["metrics"]["r2"]["folds"] == pytest.approx(expected, rel=1e-9)
    assert best["metrics"]["r2"]["mean"] == pytest.approx(expected.mean(), rel=1e-9)
    text = text_of(result)
    assert found["job"] in text
    assert f"r2={expected.mean():.6g}" in text
    assert best["id"] in text


def test_a_failed_pipeline_harms_no_other_and_is_told(server: StratumServer) -> None:
    arguments = {"pipelines": [spec("Ridge()"), spec("Rigde()")], "evaluate": CV}
    result = ask(server, "evaluate_pipelines", arguments)
    found = answer(result)
    assert [e["status"] for e in found["evaluations"]] == ["ok", "failed"]
    failed = found["evaluations"][1]["error"]
    assert failed["code"] == "unknown_estimator"
    assert failed["path"] == "pipelines[1].model"
    assert "Ridge" in failed["hint"]
    assert "unknown_estimator" in text_of(result)


def test_failures_are_told_even_when_they_are_not_on_the_first_page(server: StratumServer) -> None:
    models = ["Rigde()", *(f"Ridge(alpha={alpha})" for alpha in range(1, 8))]
    arguments = {"pipelines": [spec(m) for m in models], "evaluate": CV, "limit": 3}
    result = ask(server, "evaluate_pipelines", arguments)
    found = answer(result)
    assert len(found["evaluations"]) == 3
    assert [failure["error"]["code"] for failure in found["failures"]] == ["unknown_estimator"]
    assert "Rigde" in text_of(result)


def test_pages_of_a_job_have_every_evaluation_once(server: StratumServer) -> None:
    arguments = {
        "pipelines": [spec("Ridge(alpha=choose(1, 2, 3, 4, 5, 6, 7))")],
        "evaluate": CV,
        "limit": 3,
    }
    result = ask(server, "evaluate_pipelines", arguments)
    page = answer(result)
    seen = [e["id"] for e in page["evaluations"]]
    while page["next_cursor"] is not None:
        assert f'cursor="{page["next_cursor"]}"' in page["next"]
        more = {"job": page["job"], "cursor": page["next_cursor"], "limit": 3}
        page = answer(ask(server, "get_job", more))
        seen += [e["id"] for e in page["evaluations"]]
    assert len(seen) == 7
    assert len(set(seen)) == 7


def test_replies_stay_small(server: StratumServer) -> None:
    alphas = ", ".join(str(alpha) for alpha in range(1, 101))
    arguments = {"pipelines": [spec(f"Ridge(alpha=choose({alphas}))")], "evaluate": CV}
    for limit in (10, 1000):
        result = ask(server, "evaluate_pipelines", {**arguments, "limit": limit})
        found = answer(result)
        assert found["total"] == 100
        assert len(json.dumps(found)) < 1.5 * REPLY_BYTES
        assert len(text_of(result)) < 1.5 * REPLY_BYTES
        assert found["next_cursor"] is not None
        assert all(e["metrics"]["r2"]["folds"] == [] for e in found["evaluations"])
    few = answer(ask(server, "evaluate_pipelines", {**arguments, "limit": 2}))
    assert all(len(e["metrics"]["r2"]["folds"]) == 5 for e in few["evaluations"])


def test_patches_and_variants_are_expanded(server: StratumServer) -> None:
    arguments = {
        "pipelines": [
            {"base": spec("Ridge()"), "variants": [{"name": "v1"}, {"model": "Lasso(alpha=2)"}]},
            {"from": "v1", "model": "ElasticNet(alpha=0.1)", "name": "v3"},
        ],
        "evaluate": CV,
    }
    found = answer(ask(server, "evaluate_pipelines", arguments))
    assert found["total"] == 3
    assert {"v1", "v3"} <= {e["name"] for e in found["evaluations"]}
    assert found["failed"] == 0


def test_search_tries_at_most_so_many(server: StratumServer) -> None:
    arguments = {
        "pipeline": spec("Lasso(alpha=choose(0.01, 0.02, 0.03, 0.04, 0.05, 0.06))"),
        "evaluate": CV,
        "trials": 4,
        "seed": 3,
    }
    first = answer(ask(server, "search_pipelines", arguments))
    again = answer(ask(server, "search_pipelines", arguments))
    assert first["total"] == 4
    assert [e["id"] for e in first["evaluations"]] == [e["id"] for e in again["evaluations"]]


def test_explain_counts_and_runs_nothing(server: StratumServer) -> None:
    before = answer(ask(server, "get_leaderboard"))["total"]
    arguments = {"pipelines": [spec("Lasso(alpha=choose(7, 8))"), spec("Laso()")], "evaluate": CV}
    result = ask(server, "explain_plan", arguments)
    found = answer(result)
    assert found["plan"]["nodes_asked"] > found["plan"]["nodes_merged"] > 0
    assert found["plan"]["tasks"] > 0
    assert [problem["code"] for problem in found["errors"]] == ["unknown_estimator"]
    assert answer(ask(server, "get_leaderboard"))["total"] == before


def test_a_job_that_takes_longer_is_answered_by_its_id(server: StratumServer) -> None:
    async def work() -> None:
        async with Client(server) as client:
            arguments = {"pipelines": [spec(SLOW, seeds=[11, 12, 13])], "evaluate": CV, "wait_s": 0}
            result = await client.call_tool("evaluate_pipelines", arguments)
            found = answer(result)
            assert found["state"] in ("submitted", "running")
            assert f'get_job(job="{found["job"]}")' in found["next"]
            assert found["job"] in text_of(result)
            while found["state"] == "submitted":
                waiting = {"job": found["job"], "wait_s": 0.2}
                found = answer(await client.call_tool("get_job", waiting))
            end = answer(await client.call_tool("cancel_job", {"job": found["job"]}))
            assert end["state"] == "cancelled"
            after = answer(await client.call_tool("get_job", {"job": found["job"]}))
            assert [e["status"] for e in after["evaluations"]] == ["cancelled"]

    anyio.run(work)


def test_a_job_has_its_id_before_it_is_planned(
    server: StratumServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And it can be looked at and cancelled then."""
    go_on = threading.Event()
    preparing = planning.preparing

    def held(*arguments: Any) -> Any:
        assert go_on.wait(LIMIT)
        return preparing(*arguments)

    monkeypatch.setattr(planning, "preparing", held)

    async def work() -> None:
        async with Client(server) as client:
            arguments = {"pipelines": [spec("Ridge()")] * 2, "evaluate": CV, "wait_s": 0}
            result = await client.call_tool("evaluate_pipelines", arguments)
            found = answer(result)
            assert (found["state"], found["total"], found["done"]) == ("submitted", 2, 0)
            assert "being planned" in found["next"]
            assert found["job"] in text_of(result)
            end = answer(await client.call_tool("cancel_job", {"job": found["job"]}))
            assert end["state"] == "cancelled"
            after = answer(await client.call_tool("get_job", {"job": found["job"]}))
            assert (after["state"], after["evaluations"]) == ("cancelled", [])

    try:
        anyio.run(work)
    finally:
        go_on.set()


def test_progress_is_told_and_grows(server: StratumServer) -> None:
    told: list[tuple[float, float | None, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    async def work() -> None:
        async with Client(server) as client:
            arguments = {
                "pipelines": [spec("Ridge(alpha=choose(41, 42, 43))")],
                "evaluate": CV,
            }
            await client.call_tool("evaluate_pipelines", arguments, progress_callback=note)

    anyio.run(work)
    values = [progress for progress, _, _ in told]
    assert values == sorted(set(values))
    assert told[-1][:2] == (3.0, 3.0)
    assert "3 of 3 pipelines" in (told[-1][2] or "")


def test_giving_up_a_request_leaves_its_job(server: StratumServer) -> None:
    async def work() -> dict[str, Any]:
        async with Client(server) as client:
            arguments = {"pipelines": [spec(SLOW, seeds=[21])], "evaluate": CV, "wait_s": 45}
            seen: list[str] = []
            planned = anyio.Event()

            async def note(_: float, total: float | None, message: str | None) -> None:
                if total is not None:
                    seen.append((message or "").partition(":")[0])
                    planned.set()

            async with anyio.create_task_group() as group:

                async def evaluate() -> None:
                    await client.call_tool("evaluate_pipelines", arguments, progress_callback=note)

                group.start_soon(evaluate)
                await planned.wait()
                group.cancel_scope.cancel()
            return answer(await client.call_tool("get_job", {"job": seen[0], "wait_s": 45}))

    found = anyio.run(work)
    assert found["state"] == "completed"
    assert found["evaluations"][0]["status"] == "ok"


def test_waiting_ends_in_time(server: StratumServer) -> None:
    arguments = {"pipelines": [spec(SLOW, seeds=[31, 32])], "evaluate": CV, "wait_s": 1}
    found = answer(ask(server, "evaluate_pipelines", arguments))
    assert found["state"] == "running"
    answer(ask(server, "cancel_job", {"job": found["job"]}))


def test_known_scores_are_free(server: StratumServer) -> None:
    arguments = {"pipelines": [spec("Ridge(alpha=0.77)")], "evaluate": CV}
    first = answer(ask(server, "evaluate_pipelines", arguments))
    again = answer(ask(server, "evaluate_pipelines", arguments))
    assert again["evaluations"][0]["metrics"] == first["evaluations"][0]["metrics"]
    assert again["evaluations"][0]["seconds"] == 0
    assert again["plan"]["scores_known"] == 1
    assert again["plan"]["tasks"] == 0


def test_the_leaderboard_spans_jobs(server: StratumServer) -> None:
    for alpha in (51, 52):
        arguments = {"pipelines": [spec(f"Ridge(alpha={alpha})")], "evaluate": CV}
        answer(ask(server, "evaluate_pipelines", arguments))
    arguments = {"metric": "r2", "dataset": "diabetes", "limit": 200}
    board = answer(ask(server, "get_leaderboard", arguments))
    means = [row["mean"] for row in board["rows"]]
    assert means == sorted(means, reverse=True)
    assert len({row["job"] for row in board["rows"]}) > 1


def test_status_tells_versions_and_budget(server: StratumServer) -> None:
    result = ask(server, "server_status")
    found = answer(result)
    assert found["cores"] == 2
    assert found["versions"]["pandas"] == pd.__version__
    assert found["code_allowed"] is False
    assert "Budget: 2 cores" in text_of(result)


def test_classification_is_scored_by_probabilities(server: StratumServer) -> None:
    arguments = {
        "pipelines": [
            {
                "dataset": "cancer",
                "target": "target",
                "model": "make_pipeline(StandardScaler(), LogisticRegression())",
            }
        ],
        "evaluate": {"metrics": ["roc_auc", "accuracy"]},
    }
    found = answer(ask(server, "evaluate_pipelines", arguments))
    value = found["evaluations"][0]["metrics"]["roc_auc"]["mean"]
    assert 0.98 < value < 1
    assert math.isfinite(value)
    assert "Stratified" in found["evaluations"][0]["cv"]


def test_many_requests_at_once_are_all_answered(server: StratumServer) -> None:
    async def work() -> list[dict[str, Any]]:
        found = []
        async with Client(server) as client, anyio.create_task_group() as group:

            async def one(alpha: int) -> None:
                arguments = {"pipelines": [spec(f"Ridge(alpha={alpha})")], "evaluate": CV}
                found.append(answer(await client.call_tool("evaluate_pipelines", arguments)))

            for alpha in range(100, 130):
                group.start_soon(one, alpha)
        return found

    assert [f["state"] for f in anyio.run(work)] == 30 * ["completed"]


def test_unknown_jobs_and_cursors_are_refused(server: StratumServer) -> None:
    assert error(ask(server, "get_job", {"job": "job_none"}))["code"] == "unknown_job"
    assert error(ask(server, "cancel_job", {"job": "job_none"}))["code"] == "unknown_job"
    arguments = {"pipelines": [spec("Ridge(alpha=0.5)")], "evaluate": CV}
    job = answer(ask(server, "evaluate_pipelines", arguments))["job"]
    found = error(ask(server, "get_job", {"job": job, "cursor": "x"}))
    assert (found["code"], found["path"]) == ("invalid_cursor", "cursor")
