"""The demo: launches the server, has it evaluate a batch, and does the same without it.

Run ``python -m mcp_server.demo`` (``--smoke`` for a minute less, ``--data table.csv --target
column`` for data of your own). Output: leaderboards, what was shared, times and agreement.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from rich.console import Console

from mcp_server import demo_data, demo_report
from mcp_server.demo_pipelines import CV, Spec, built_in, for_table
from mcp_server.demo_session import DemoError, Session, plain

_ROOT = Path(__file__).resolve().parent.parent


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the demo; 0 if both sides agree."""
    parser = argparse.ArgumentParser(prog="python -m mcp_server.demo", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="fewer rows and pipelines")
    parser.add_argument("--data", type=Path, metavar="FILE", help="a table of your own")
    parser.add_argument("--target", metavar="COLUMN", help="what to predict in it")
    arguments = parser.parse_args(argv)
    data: Path | None = arguments.data
    if (data is None) != (arguments.target is None):
        parser.error("--data and --target go together")
    if data is not None and not data.is_file():
        parser.error(f"there is no file '{data}'")
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=100)
    with tempfile.TemporaryDirectory(prefix="stratum-demo-") as folder:
        root = Path(folder)
        if data is None:
            workspace = root / "workspace"
            workspace.mkdir()
            files = demo_data.write(workspace, smoke=arguments.smoke)
        else:
            files = [data.resolve()]
            workspace = files[0].parent
        parameters = StdioServerParameters(
            command=sys.executable,
            args=[
                *("-m", "mcp_server.cli", "serve"),
                *("--workspace", str(workspace), "--home", str(root / "home")),
            ],
            env={"PYTHONPATH": str(_ROOT)},
        )
        return anyio.run(_demo, console, parameters, files, arguments)


async def _demo(
    console: Console,
    parameters: StdioServerParameters,
    files: list[Path],
    arguments: argparse.Namespace,
) -> int:
    async with Client(parameters) as client:
        try:
            return await _both_sides(Session(client, console), console, files, arguments)
        except DemoError as error:
            console.print(f"The demo cannot go on. {error}", style="red", markup=False)
            return 1


async def _both_sides(
    session: Session, console: Console, files: list[Path], arguments: argparse.Namespace
) -> int:
    await session.ready()
    registered = [await session.add(file) for file in files]
    if arguments.data is None:
        specs = built_in(smoke=arguments.smoke)
    else:
        specs = await _for_file(session, registered[0].name, arguments.target)
    evaluate = {"cv": CV}
    answer = await session.evaluate(specs, evaluate)
    demo_report.leaderboards(console, answer)
    alone = await plain(console, specs, registered)
    again = await session.evaluate(specs, evaluate)
    adding = sum(dataset.seconds for dataset in registered)
    return demo_report.comparison(console, specs, answer, adding, alone, again)


async def _for_file(session: Session, dataset: str, target: str) -> list[Spec]:
    """A default set, on the features that the server chooses for the table."""
    profile = await session.call("profile_dataset", {"dataset": dataset, "target": target})
    task = profile["suggested"]["task"]
    binary = task == "binary"
    metrics = ["r2", "rmse"] if task == "regression" else ["roc_auc", "accuracy"]
    if task == "multiclass":
        metrics = ["accuracy"]
    model = "Ridge()" if task == "regression" else "LogisticRegression()"
    spec = {"dataset": dataset, "target": target, "model": model, "metrics": metrics}
    found = await session.call("evaluate_pipelines", {"pipelines": [spec], "limit": 1})
    while found["state"] == "running":
        found = await session.call("get_job", {"job": found["job"], "limit": 1})
    features = found["evaluations"][0]["features"] or [{"columns": "numeric", "steps": []}]
    return for_table(dataset, target, task, metrics, features, binary)


if __name__ == "__main__":
    sys.exit(main())
