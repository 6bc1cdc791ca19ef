"""Command line: arguments in, exit status out.

Heavy libraries are imported by the commands that need them: `stratum --version` is instant.
"""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from mcp_server.settings import ServeSettings, distribution_version
from planner.errors import DataError, SpecError, StratumError

UNREADABLE = 2  # also argparse's status for wrong arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the `stratum` command and return its exit status.

    0 if all is answered, 2 for a request that cannot be read, 130 and 143 after SIGINT and
    SIGTERM, 1 for anything else, with one line on stderr.
    """
    arguments = _parser().parse_args(argv)
    if arguments.command == "serve":
        return _serve(arguments)
    # The default of SIGTERM ends Python without its clean-up.
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        return int(arguments.run(arguments))
    except (SpecError, DataError) as error:
        _complain(str(error))
        return UNREADABLE
    except StratumError as error:
        _complain(str(error))
        return 1
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130
    except BrokenPipeError:
        # Whoever read the output has left (`stratum ... | head`); nothing more can be printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stratum",
        description="Tabular machine learning as an engine: an MCP server for agents, and the "
        "same from the shell.",
    )
    parser.add_argument("--version", action="version", version=f"stratum {distribution_version()}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--home",
        type=Path,
        metavar="DIR",
        help="where datasets, results and intermediates are kept "
        "(default: $STRATUM_HOME, else ~/.cache/stratum)",
    )
    json = argparse.ArgumentParser(add_help=False)
    json.add_argument("--json", action="store_true", help="print one JSON object")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    serve = commands.add_parser("serve", parents=[common], help="run the MCP server")
    serve.add_argument("--transport", choices=("stdio", "http"), default="stdio")
    serve.add_argument(
        "--workspace",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="the only folder whose files agents may name (default: the current one)",
    )
    serve.add_argument("--port", type=int, default=8765, help="of the http transport (8765)")

    run = commands.add_parser("run", parents=[common, json], help="evaluate a batch file")
    explain = commands.add_parser(
        "explain", parents=[common, json], help="show what a batch file would run"
    )
    for command in (run, explain):
        command.add_argument("batch", type=Path, metavar="BATCH.json")
        command.add_argument(
            "--workspace",
            type=Path,
            metavar="DIR",
            help="where relative paths in the batch start (default: its own folder)",
        )
    explain.add_argument("--svg", type=Path, metavar="FILE", help="draw the plan as well")
    run.set_defaults(run=_run)
    explain.set_defaults(run=_explain)

    profile = commands.add_parser("profile", parents=[common, json], help="look at a data file")
    profile.add_argument("data", type=Path, metavar="DATA")
    profile.add_argument("--target", metavar="COLUMN", help="the column to predict")
    profile.set_defaults(run=_profile)

    status = commands.add_parser(
        "status", parents=[common, json], help="start the engine and show its versions and budget"
    )
    status.set_defaults(run=_status)
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    workspace: Path = arguments.workspace
    if not workspace.is_dir():
        _complain(f"the workspace '{workspace}' is no folder")
        return UNREADABLE
    from mcp_server.serving import leave, serve

    settings = ServeSettings(
        home=arguments.home,
        workspace=workspace.resolve(),
        transport=arguments.transport,
        port=arguments.port,
    )
    try:
        status = serve(settings)
    except StratumError as error:
        _complain(str(error))
        return 1
    return leave(status)


def _run(arguments: argparse.Namespace) -> int:
    from mcp_server.cli_batch import run

    return run(arguments.batch, arguments.workspace, arguments.home, as_json=arguments.json)


def _explain(arguments: argparse.Namespace) -> int:
    from mcp_server.cli_batch import explain

    return explain(
        arguments.batch,
        arguments.workspace,
        arguments.home,
        as_json=arguments.json,
        svg=arguments.svg,
    )


def _profile(arguments: argparse.Namespace) -> int:
    from mcp_server.cli_data import profile

    return profile(arguments.data, arguments.target, arguments.home, as_json=arguments.json)


def _status(arguments: argparse.Namespace) -> int:
    from mcp_server.cli_data import status

    return status(arguments.home, as_json=arguments.json)


def _terminated(number: int, _: object) -> NoReturn:
    sys.exit(128 + number)


def _complain(message: str) -> None:
    print(f"stratum: {' '.join(message.split())}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
