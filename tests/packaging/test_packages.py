"""The top-level packages are ours, and stay cheap to import."""

import importlib
import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["maturin"]["python-packages"]
MODEL_LIBRARIES = ("sklearn", "pandas", "lightgbm", "xgboost", "skrub", "catboost", "scipy")


@pytest.mark.parametrize("name", PACKAGES)
def test_package_is_ours(name: str) -> None:
    """`tools` and the like are common names; a foreign package must not shadow ours."""
    module = importlib.import_module(name)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve() == ROOT / name / "__init__.py"


@pytest.mark.parametrize("name", PACKAGES)
def test_package_has_types_and_a_docstring(name: str) -> None:
    assert (ROOT / name / "py.typed").is_file()
    assert importlib.import_module(name).__doc__


def test_every_package_is_declared_everywhere() -> None:
    """Packaging, type checker and import rule agree on what the packages are."""
    on_disk = {p.parent.name for p in ROOT.glob("*/__init__.py")} - {"tests", "docs", "scripts"}
    assert set(PACKAGES) == on_disk
    assert set(PROJECT["tool"]["mypy"]["files"]) == on_disk
    assert set(PROJECT["tool"]["importlinter"]["root_packages"]) == on_disk


@pytest.mark.parametrize("script", ["stratum", "mcp-server-stratum"])
def test_console_script_starts_the_command_line(script: str) -> None:
    module, _, function = PROJECT["project"]["scripts"][script].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_command_line_starts_without_model_libraries() -> None:
    """They take seconds to import, and belong to the worker processes."""
    report = (
        f"import sys, mcp_server.cli\nprint(*[m for m in {MODEL_LIBRARIES!r} if m in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", report], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert loaded == []
