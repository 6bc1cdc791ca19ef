"""Command line: arguments in, exit status out."""

import argparse
from collections.abc import Sequence
from importlib.metadata import version


def main(argv: Sequence[str] | None = None) -> int:
    """Run the `stratum` command and return its exit status."""
    parser = argparse.ArgumentParser(prog="stratum")
    parser.add_argument(
        "--version", action="version", version=f"stratum {version('mcp-server-stratum')}"
    )
    parser.parse_args(argv)
    parser.print_help()
    return 0
