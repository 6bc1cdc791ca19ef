"""A machine that lacks a build requirement is told which one, in one line, before any work."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REAL_PYTHON = f'exec "{sys.executable}" "$@"\n'
OLD_PYTHON = 'echo "3 9"\n'
BROKEN = "exit 127\n"
NO_ENSUREPIP = 'case "$*" in *ensurepip*) exit 1 ;; esac\n' + REAL_PYTHON
CARGO = 'echo "cargo 1.999.0 (0000000 2030-01-01)"\n'
OLD_CARGO = 'echo "cargo 1.9.0"\n'
NO_CLIPPY = 'if [ "$1" = clippy ]; then exit 101; fi\n' + CARGO
NO_RUSTFMT = 'if [ "$1" = fmt ]; then exit 101; fi\n' + CARGO
COMPLETE = {"python3": REAL_PYTHON, "cc": "exit 0\n", "cargo": CARGO}
POSIX_TOOLS = ("sh", "awk", "dirname", "find", "grep", "rm", "sed", "touch", "uname")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(tmp_path: Path, tools: dict[str, str], target: str) -> subprocess.CompletedProcess[str]:
    """Run `make target` in a copy of the scaffolding where only `tools` can be found."""
    found = tmp_path / "bin"
    found.mkdir()
    for name in POSIX_TOOLS:
        real = shutil.which(name)
        assert real is not None
        (found / name).symlink_to(real)
    for name, body in tools.items():
        script = found / name
        script.write_text("#!/bin/sh\n" + body)
        script.chmod(0o755)
    checkout = tmp_path / "checkout"
    (checkout / "scripts").mkdir(parents=True)
    (checkout / "rust_exec").mkdir()
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "scripts/preflight.sh"):
        shutil.copy(ROOT / name, checkout / name)
    (checkout / "rust_exec" / "Cargo.toml").write_text('[package]\nrust-version = "1.85"\n')
    program = shutil.which("make")
    assert program is not None
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        [program, "--no-print-directory", target],
        cwd=checkout,
        env=inherited | {"PATH": str(found)},
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


@pytest.mark.parametrize(
    ("target", "change", "lacking", "remedy"),
    [
        ("setup", {"python3": None}, "missing python3", "make PYTHON="),
        ("setup", {"python3": BROKEN}, "missing a working python3", "make PYTHON="),
        ("setup", {"python3": OLD_PYTHON}, "missing Python 3.11 or newer", "is 3.9"),
        ("setup", {"python3": NO_ENSUREPIP}, "missing Python's venv", "python3-venv"),
        ("setup", {"cc": None}, "missing a C compiler (cc)", "apt-get install gcc"),
        ("setup", {"cargo": None}, "missing cargo", "Install Rust"),
        ("setup", {"cargo": BROKEN}, "missing a working cargo", "rustup.rs"),
        ("setup", {"cargo": OLD_CARGO}, "missing Rust 1.85 or newer", "rustup update"),
        ("demo", {"cargo": None}, "missing cargo", "Install Rust"),
        ("test", {"cc": None}, "missing a C compiler (cc)", "apt-get install gcc"),
        ("check", {"cargo": NO_CLIPPY}, "missing clippy", "rustup component add clippy"),
        ("check", {"cargo": NO_RUSTFMT}, "missing rustfmt", "rustup component add rustfmt"),
    ],
)
def test_missing_requirement_is_named_in_one_line(
    tmp_path: Path, target: str, change: dict[str, str | None], lacking: str, remedy: str
) -> None:
    tools = {name: body for name, body in (COMPLETE | change).items() if body is not None}
    result = make(tmp_path, tools, target)
    assert result.returncode != 0
    ours = [
        line
        for line in (result.stdout + result.stderr).splitlines()
        if not line.startswith("make:")
    ]
    assert len(ours) == 1, ours
    assert ours[0].startswith(f"stratum: {lacking}")
    assert remedy in ours[0]
    assert not (tmp_path / "checkout" / ".venv").exists()


def test_complete_machine_passes(tmp_path: Path) -> None:
    result = make(tmp_path, COMPLETE, "preflight-check")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
