"""The commands that take a batch file: `stratum run` and `stratum explain`."""

import json
import sys
from pathlib import Path
from typing import Any

from executor.home import Home
from mcp_server import report
from mcp_server.batch_file import datasets_of, read_batch, workspace_of
from mcp_server.text import error_line
from planner.errors import DataError
from tools.engine import Engine
from tools.jobs import Job
from tools.requests import AddDataset, Batch, EvaluatePipelines
from tools.responses import Evaluation

# For warnings about the data, where all scores are there before they are.
_DATA_SECONDS = 1.0
_RESULT_FIELDS = (
    "name",
    "id",
    "status",
    "metrics",
    "seconds",
    "reused_seconds",
    "warnings",
    "error",
)


def run(path: Path, workspace: Path | None, home: Path | None, *, as_json: bool) -> int:
    """Evaluates a batch file; 0 if every pipeline has an answer."""
    batch, base = read_batch(path), _base(path, workspace)
    requests = datasets_of(batch, base)
    with Engine(Home(home), workspace_of(requests, base)) as engine:
        _register(engine, requests)
        job = engine.evaluate(_request(batch))
        try:
            report.follow(job, report.console(stderr=True))
            job.warned.wait(_DATA_SECONDS)
        finally:
            job.cancel()
    if as_json:
        json.dump(results(job), sys.stdout, ensure_ascii=False, allow_nan=False)
        print()
    else:
        _print(job)
    return 0 if job.done == len(job.entries) and job.state == "completed" else 1


def explain(
    path: Path, workspace: Path | None, home: Path | None, *, as_json: bool, svg: Path | None
) -> int:
    """Plans a batch file and prints the plan, and draws it into the file `svg`."""
    batch, base = read_batch(path), _base(path, workspace)
    requests = datasets_of(batch, base)
    with Engine(Home(home), workspace_of(requests, base)) as engine:
        _register(engine, requests)
        explanation = engine.explain(_request(batch))
        if svg is not None:
            _write(svg, engine.picture(_request(batch)) + "\n")
    if as_json:
        print(explanation.model_dump_json())
        return 0
    print(explanation.text)
    for error in explanation.errors:
        print(f"cannot run: {error_line(error)}")
    return 0


def results(job: Job) -> dict[str, Any]:
    """The object that ``--json`` prints; evaluations are in the order sent."""
    return {
        "job": job.id,
        "seconds": round(job.seconds, 6),
        "evaluations": [_result(evaluation) for evaluation in job.in_order()],
    }


def _result(evaluation: Evaluation) -> dict[str, Any]:
    fields = evaluation.model_dump(mode="json")
    return {name: fields[name] for name in _RESULT_FIELDS}


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(
            "unwritable_file",
            f"'{path}' cannot be written: {error.strerror}.",
            hint="Name a file in a folder that exists and is yours.",
        ) from None


def _base(path: Path, workspace: Path | None) -> Path:
    return (path.parent if workspace is None else workspace).resolve()


def _register(engine: Engine, requests: list[AddDataset]) -> None:
    for request in requests:
        engine.datasets.add(request, f"datasets.{request.name}")


def _request(batch: Batch) -> EvaluatePipelines:
    return EvaluatePipelines(pipelines=batch.pipelines, evaluate=batch.evaluate)


def _print(job: Job) -> None:
    out = report.console()
    for table in report.leaderboards(job.entries):
        out.print(table)
    for failure in report.failures(job.in_order()):
        out.print(failure)
    own = (text for evaluation in job.in_order() for text in evaluation.warnings)
    for text in dict.fromkeys((*job.warnings, *own)):
        out.print(f"warning: {text}", style="yellow", markup=False)
    if job.plan is not None:
        out.print(report.shared(job.plan, job.seconds), markup=False)
