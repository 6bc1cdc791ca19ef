"""Everything wrong that a client may send over stdio gets a clear error; the server lives on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mcp_server.settings import MAX_REQUEST_BYTES
from tests.mcp_server.clients import (
    Server,
    StdioServer,
    answer,
    ask,
    error,
    parameters,
    text_of,
)

DIABETES = {"dataset": "diabetes", "target": "target"}


@pytest.fixture(scope="module")
def server(workspace: Path, new_home: Callable[[], Path]) -> Iterator[StdioServer]:
    """One server process for all of these, so that what one breaks the next one finds."""
    server = StdioServer(parameters(workspace, new_home()))
    for name in ("diabetes", "cancer", "plain"):
        answer(ask(server, "add_dataset", {"path": f"{name}.csv"}))
    yield server
    server.close()


@pytest.fixture(autouse=True)
def _lives_on(server: Server) -> Iterator[None]:
    yield
    arguments = {"pipelines": [{"dataset": "plain", "target": "y", "model": "Ridge()"}]}
    assert answer(ask(server, "evaluate_pipelines", arguments))["failed"] == 0


def failure_of(server: Server, **fields: Any) -> dict[str, str]:
    """The error of the only pipeline of a job."""
    spec = {**DIABETES, "model": "Ridge()", **fields}
    arguments = {"pipelines": [spec], "evaluate": {"cv": "KFold(3)"}}
    result = ask(server, "evaluate_pipelines", arguments)
    found = answer(result)
    (evaluation,) = found["evaluations"]
    assert evaluation["status"] == "failed", evaluation
    failed: dict[str, str] = evaluation["error"]
    assert failed["code"] != "internal_error", failed
    assert failed["code"] in text_of(result)
    assert "Traceback" not in text_of(result)
    return failed


# -- names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "code", "near", "path"),
    [
        ({"dataset": "diabetis"}, "unknown_dataset", "diabetes", "pipelines[0].dataset"),
        ({"target": "tarjet"}, "unknown_column", "target", "pipelines[0].target"),
        ({"model": "Rigde()"}, "unknown_estimator", "Ridge", "pipelines[0].model"),
        ({"model": "Ridge(alhpa=1)"}, "unknown_parameter", "alpha", "pipelines[0].model"),
        ({"modle": "Ridge()"}, "unknown_field", "model", "pipelines[0].modle"),
        ({"remainder": "pass"}, "invalid_value", "", "pipelines[0].remainder"),
        (
            {"features": [{"columns": ["bmj"]}]},
            "unknown_column",
            "bmi",
            "pipelines[0].features[0].columns",
        ),
        (
            {"features": [{"columns": "numeric", "stpes": []}]},
            "unknown_field",
            "steps",
            "pipelines[0].features[0].stpes",
        ),
        (
            {"prepare": [{"derive": {"x": "bmj * 2"}}]},
            "unknown_column",
            "bmi",
            "pipelines[0].prepare[0]",
        ),
    ],
)
def test_misspelt_names_are_answered_with_near_ones(
    server: Server, fields: dict[str, Any], code: str, near: str, path: str
) -> None:
    found = failure_of(server, **fields)
    assert found["code"] == code
    assert near in found["hint"]
    assert found["path"].startswith(path)


def test_misspelt_tools_and_arguments_are_answered_with_near_ones(server: Server) -> None:
    found = error(ask(server, "evaluate_pipeline"))
    assert found["code"] == "unknown_tool"
    assert "evaluate_pipelines" in found["hint"]
    found = error(ask(server, "query_dataset", {"sqll": "SELECT 1"}))
    assert (found["code"], found["path"]) == ("unknown_argument", "sqll")
    assert "sql" in found["hint"]
    found = error(ask(server, "evaluate_pipelines", {"pipelines": [{}], "cv": "KFold(3)"}))
    assert "evaluate" in found["hint"]
    found = error(ask(server, "profile_dataset", {"dataset": "diabets"}))
    assert found["code"] == "unknown_dataset"
    assert "diabetes" in found["hint"]


@pytest.mark.parametrize(
    ("arguments", "code", "path"),
    [
        ({}, "missing_field", "pipelines"),
        ({"pipelines": []}, "invalid_value", "pipelines"),
        ({"pipelines": "Ridge()"}, "invalid_value", "pipelines"),
        ({"pipelines": ["Ridge()"]}, "invalid_value", "pipelines[0]"),
        ({"pipelines": [DIABETES], "evaluate": {"cvv": 3}}, "unknown_field", "evaluate.cvv"),
        ({"pipelines": [DIABETES], "evaluate": {"seed": -1}}, "invalid_value", "evaluate.seed"),
        (
            {"pipelines": [DIABETES], "evaluate": {"budget": {"second": 1}}},
            "unknown_field",
            "evaluate.budget.second",
        ),
        ({"pipelines": [DIABETES], "wait_s": 1000}, "invalid_value", "wait_s"),
        ({"pipelines": 10_001 * [DIABETES]}, "invalid_value", "pipelines"),
    ],
)
def test_arguments_of_the_wrong_form_are_refused(
    server: Server, arguments: dict[str, Any], code: str, path: str
) -> None:
    found = error(ask(server, "evaluate_pipelines", arguments))
    assert (found["code"], found["path"]) == (code, path)


def test_a_missing_field_of_a_pipeline_is_named(server: Server) -> None:
    arguments = {"pipelines": [{"dataset": "diabetes", "target": "target"}]}
    (found,) = answer(ask(server, "evaluate_pipelines", arguments))["evaluations"]
    assert found["error"]["code"] == "missing_field"
    assert found["error"]["path"] == "pipelines[0].model"


# -- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["../secret.csv", "/etc/passwd", "sub/../../x.csv"])
def test_paths_outside_the_workspace_are_refused(server: Server, path: str) -> None:
    assert error(ask(server, "add_dataset", {"path": path}))["code"] == "path_outside_workspace"


def test_a_link_out_of_the_workspace_is_refused(
    server: Server, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    link = workspace / "link.csv"
    link.symlink_to(tmp_path / "secret.csv")
    try:
        found = error(ask(server, "add_dataset", {"path": "link.csv"}))
    finally:
        link.unlink()
    assert found["code"] == "path_outside_workspace"


def test_a_missing_file_is_answered_with_near_ones(server: Server) -> None:
    found = error(ask(server, "add_dataset", {"path": "diabets.csv"}))
    assert found["code"] == "file_not_found"
    assert "diabetes.csv" in found["hint"]


# -- SQL and expressions ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO plain VALUES (1, 2, 3)",
        "SELECT 1; SELECT 2",
        "WITH x AS (INSERT INTO plain VALUES (1, 2, 3) RETURNING *) SELECT * FROM x",
        "WITH x AS (COPY plain TO '/tmp/x.csv') SELECT * FROM x",
        "COPY plain TO '/tmp/x.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT getenv('HOME')",
        "ATTACH '/tmp/x.db'",
        "PRAGMA database_list",
        "CREATE TABLE x AS SELECT 1",
        "SELECT * FROM",
    ],
)
def test_sql_that_is_not_one_read_only_select_is_refused(server: Server, sql: str) -> None:
    found = error(ask(server, "query_dataset", {"sql": sql}))
    assert found["path"] == "sql"
    assert found["code"] != "unknown_dataset"


def test_sql_over_an_unknown_table_is_answered_with_near_ones(server: Server) -> None:
    found = error(ask(server, "query_dataset", {"sql": "SELECT * FROM diabets"}))
    assert "diabetes" in found["hint"]


@pytest.mark.parametrize("sql", ["read_csv('/etc/passwd')", "(SELECT 1)", "getenv('HOME')", "1 +"])
def test_unsafe_sql_in_a_step_is_refused(server: Server, sql: str) -> None:
    assert failure_of(server, prepare=[{"derive": {"x": sql}}])["path"].startswith(
        "pipelines[0].prepare[0]"
    )


@pytest.mark.parametrize(
    "model",
    [
        "__import__('os').system('true')",
        "Ridge().__class__",
        "[Ridge() for _ in range(3)]",
        "lambda: Ridge()",
        "Ridge(alpha=open('/etc/passwd'))",
        "Ridge(alpha=1 + 1j)",
        "os.system('true')",
        "eval('1')",
        "Ridge(",
        "Ridge(**{'alpha': 1})",
        "StandardScaler()",
    ],
)
def test_expressions_that_are_no_constructors_are_refused(server: Server, model: str) -> None:
    assert failure_of(server, model=model)["path"].startswith("pipelines[0].model")


# -- data -------------------------------------------------------------------------------------


def test_an_empty_table_is_an_error_of_the_data(server: Server) -> None:
    result = ask(server, "add_dataset", {"path": "empty.csv"})
    if result.is_error:
        assert error(result)["code"]
    else:
        found = failure_of(server, dataset="empty", target="y")
        assert found["message"]
    assert error(ask(server, "add_dataset", {"path": "nothing.csv"}))["message"]


def test_a_constant_target_is_answered(server: Server) -> None:
    answer(ask(server, "add_dataset", {"path": "constant.csv"}))
    spec = {"dataset": "constant", "target": "y", "model": "Ridge()"}
    evaluate = {"metrics": ["rmse"], "cv": "KFold(3)", "task": "regression"}
    result = ask(server, "evaluate_pipelines", {"pipelines": [spec], "evaluate": evaluate})
    (found,) = answer(result)["evaluations"]
    assert found["status"] == "ok"
    assert found["metrics"]["rmse"]["mean"] == pytest.approx(0, abs=1e-9)


def test_one_class_in_a_fold_is_explained(server: Server) -> None:
    answer(ask(server, "add_dataset", {"path": "rare.csv"}))
    spec = {"dataset": "rare", "target": "y", "model": "LogisticRegression()"}
    evaluate = {"metrics": ["roc_auc"], "cv": "KFold(3)"}
    result = ask(server, "evaluate_pipelines", {"pipelines": [spec], "evaluate": evaluate})
    (found,) = answer(result)["evaluations"]
    assert found["status"] == "failed"
    assert found["error"]["hint"]
    assert found["error"]["code"] != "internal_error"


def test_a_column_without_values_is_answered(server: Server) -> None:
    answer(ask(server, "add_dataset", {"path": "gaps.csv"}))
    spec = {"dataset": "gaps", "target": "y", "model": "Ridge()"}
    result = ask(server, "evaluate_pipelines", {"pipelines": [spec]})
    (found,) = answer(result)["evaluations"]
    assert found["status"] == "ok", found["error"]
    # Without an imputer scikit-learn refuses missing values, and so do we, saying what to do.
    found = failure_of(server, dataset="gaps", target="y", features=[{"columns": "all"}])
    assert "impute" in f"{found['message']} {found['hint']}".lower()


def test_column_names_that_occur_twice_are_told_apart_or_refused(server: Server) -> None:
    result = ask(server, "add_dataset", {"path": "twice.csv"})
    if result.is_error:
        assert error(result)["message"]
        return
    (info,) = answer(result)["datasets"]
    names = [column["name"] for column in info["columns"]]
    assert len(set(names)) == 3
    spec = {"dataset": "twice", "target": "y", "model": "Ridge()"}
    assert answer(ask(server, "evaluate_pipelines", {"pipelines": [spec]}))["failed"] == 0


def test_names_beyond_ascii_work(server: Server) -> None:
    result = ask(server, "add_dataset", {"path": "umlaute.csv", "name": "größen"})
    assert "größe float" in text_of(result)
    spec = {
        "name": "Łódź-модель",
        "dataset": "größen",
        "target": "y",
        "prepare": [{"derive": {"名前²": '"名前" * "größe"'}}, {"filter": "stadt <> 'Paris'"}],
        "features": [
            {"columns": ["größe", "名前²"], "steps": ["StandardScaler()"]},
            {"columns": ["stadt"], "steps": ["OneHotEncoder()"]},
        ],
        "model": "Ridge()",
    }
    result = ask(server, "evaluate_pipelines", {"pipelines": [spec]})
    (found,) = answer(result)["evaluations"]
    assert found["status"] == "ok", found["error"]
    assert "Łódź-модель" in text_of(result)
    sql = 'SELECT DISTINCT stadt FROM "größen" ORDER BY 1 DESC'
    assert answer(ask(server, "query_dataset", {"sql": sql}))["rows"][0] == ["Łódź"]


# -- sizes ------------------------------------------------------------------------------------


def test_ten_thousand_specs_at_once_are_answered(server: Server) -> None:
    spec = {"dataset": "plain", "target": "y", "features": [{"columns": "numeric"}]}
    arguments = {
        "pipelines": [{**spec, "model": f"Ridge(alpha={n})"} for n in range(1, 10_001)],
        "evaluate": {"cv": {"holdout": 0.5}},
        "wait_s": 45,
    }
    found = answer(ask(server, "evaluate_pipelines", arguments))
    assert found["total"] == 10_000
    while found["state"] in ("submitted", "running"):
        found = answer(ask(server, "get_job", {"job": found["job"], "wait_s": 45}))
    assert (found["state"], found["done"], found["failed"]) == ("completed", 10_000, 0)


def test_a_huge_request_is_refused(server: Server) -> None:
    spec = {**DIABETES, "model": "Ridge()", "name": (MAX_REQUEST_BYTES + 1) * "x"}
    found = error(ask(server, "evaluate_pipelines", {"pipelines": [spec]}))
    assert found["code"] == "request_too_large"
    assert found["hint"]


def test_a_deep_request_is_refused(server: Server) -> None:
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    found = error(ask(server, "evaluate_pipelines", {"pipelines": [{**DIABETES, "model": deep}]}))
    assert found["code"] == "too_deep"


def test_a_deep_expression_is_refused(server: Server) -> None:
    assert failure_of(server, model=3000 * "f(" + 3000 * ")")["code"]


def test_too_many_choices_are_refused(server: Server) -> None:
    ten = ", ".join(map(str, range(1, 11)))
    model = f"ElasticNet(alpha=choose({ten}), l1_ratio=choose({ten}), tol=choose({ten}), " + (
        f"max_iter=choose({ten}), random_state=choose({ten}))"
    )
    found = error(ask(server, "evaluate_pipelines", {"pipelines": [{**DIABETES, "model": model}]}))
    assert "search" in found["hint"] or "10000" in found["message"].replace(",", "")
