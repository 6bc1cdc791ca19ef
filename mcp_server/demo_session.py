"""Both sides of the demo at work, timed: the server through its client, and plain scripts.

Input: specs and files. Output: results with their wall times. Neither time holds the start of a
process or the import of a library.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from mcp import Client
from mcp_types import TextContent
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mcp_server.demo_pipelines import Spec

_ROOT = Path(__file__).resolve().parent.parent


class DemoError(Exception):
    """The server refused what the demo needs."""


@dataclass(frozen=True)
class Registered:
    """A dataset, its file, the names of its date columns, and how long adding it took."""

    name: str
    path: Path
    dates: list[str]
    seconds: float


@dataclass
class Answer:
    """Evaluations by name, what the planner said, and the wall time of the batch."""

    evaluations: dict[str, dict[str, Any]]
    plan: dict[str, Any]
    seconds: float


@dataclass
class Alone:
    """What plain scripts gave: means by metric and seconds, by name; errors by name."""

    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


class Session:
    """A connected client."""

    def __init__(self, client: Client, console: Console) -> None:
        self._client = client
        self._console = console

    async def call(self, tool: str, arguments: dict[str, Any], **options: Any) -> dict[str, Any]:
        """The structured answer of a tool; DemoError with its text if it failed."""
        result = await self._client.call_tool(tool, arguments, **options)
        if result.is_error or result.structured_content is None:
            texts = [part.text for part in result.content if isinstance(part, TextContent)]
            raise DemoError(f"{tool}: {' '.join(texts)}")
        content: dict[str, Any] = result.structured_content
        return content

    async def ready(self) -> None:
        """Until the server's workers have imported their libraries."""
        with self._console.status("starting the server ..."):
            while not (found := await self.call("server_status", {}))["ready"]:
                await anyio.sleep(0.05)
        self._console.print(
            f"Stratum {found['version']} over MCP (stdio), {found['cores']} cores", style="bold"
        )

    async def add(self, file: Path) -> Registered:
        began = time.perf_counter()
        (info,) = (await self.call("add_dataset", {"path": file.name}))["datasets"]
        seconds = time.perf_counter() - began
        kinds: dict[str, int] = {}
        for column in info["columns"]:
            kinds[column["kind"]] = kinds.get(column["kind"], 0) + 1
        listed = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        self._console.print(
            f"add_dataset {file.name}: {info['rows']:,} rows; {listed} ({seconds:.2f} s)"
        )
        dates = [column["name"] for column in info["columns"] if column["kind"] == "date"]
        return Registered(info["name"], file, dates, seconds)

    async def evaluate(self, specs: list[Spec], evaluate: dict[str, Any]) -> Answer:
        """Sends all as one batch, and follows it to its end."""
        with _bar(self._console) as progress:
            task = progress.add_task("evaluate_pipelines", total=len(specs))

            async def told(done: float, total: float | None, _: str | None) -> None:
                if total is not None:
                    progress.update(task, completed=int(done), total=total)

            began = time.perf_counter()
            arguments = {"pipelines": specs, "evaluate": evaluate, "wait_s": 45}
            found = await self.call("evaluate_pipelines", arguments, progress_callback=told)
            while found["state"] in ("submitted", "running"):
                more = {"job": found["job"], "wait_s": 45}
                found = await self.call("get_job", more, progress_callback=told)
            seconds = time.perf_counter() - began
            progress.update(task, completed=len(specs))
        evaluations: dict[str, dict[str, Any]] = {}
        cursor: str | None = "0"
        while cursor is not None:
            page = {"job": found["job"], "cursor": cursor, "limit": 1000, "wait_s": 0}
            found = await self.call("get_job", page)
            evaluations.update((e["name"], e) for e in found["evaluations"])
            cursor = found["next_cursor"]
        return Answer(evaluations, found["plan"], seconds)


async def plain(console: Console, specs: list[Spec], datasets: list[Registered]) -> Alone:
    """Runs the specs one by one with pandas and scikit-learn in a process of their own."""
    files = {d.name: {"path": str(d.path), "dates": d.dates} for d in datasets}
    whole = [spec for spec in specs if "features" in spec]
    with tempfile.TemporaryDirectory(prefix="stratum-demo-") as folder, _bar(console) as progress:
        task = progress.add_task("one by one, plain scikit-learn", total=len(whole))
        request = Path(folder) / "request.json"
        request.write_text(json.dumps({"datasets": files, "pipelines": whole}), encoding="utf-8")

        def work() -> Alone:
            found = Alone()
            with subprocess.Popen(
                [sys.executable, "-m", "mcp_server.demo_baseline", str(request)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                cwd=_ROOT,
            ) as process:
                assert process.stdin is not None
                assert process.stdout is not None
                process.stdout.readline()  # the libraries are imported
                process.stdin.write("\n")
                process.stdin.close()
                for line in process.stdout:
                    message = json.loads(line)
                    name = whole[message["position"]]["name"]
                    found.seconds[name] = message["seconds"]
                    if "error" in message:
                        found.errors[name] = message["error"]
                    else:
                        found.metrics[name] = message["metrics"]
                    progress.update(task, advance=1)
            return found

        return await anyio.to_thread.run_sync(work)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )
