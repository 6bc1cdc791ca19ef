"""The wheel, built and installed into an environment of its own, works away from the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["maturin"]["python-packages"]
VERSION = PROJECT["project"]["version"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.wheel,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed"),
]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "CONDA_PREFIX"}}
        | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built with the environment that `make wheel` builds it with."""
    scripts = Path(sysconfig.get_path("scripts"))
    out = tmp_path_factory.mktemp("dist")
    run(
        *(scripts / "maturin", "build", "--release", "--out", out),
        cwd=ROOT,
        VIRTUAL_ENV=sys.prefix,
        PATH=os.pathsep.join([str(scripts), os.environ["PATH"]]),
        PYO3_PYTHON=str(scripts / "python"),
    )
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment holding the wheel; its dependencies are those of the test environment."""
    prefix = tmp_path_factory.mktemp("installed") / "env"
    venv.create(prefix, symlinks=True)
    run(
        *(sys.executable, "-m", "pip", "--python", prefix / "bin" / "python", "install"),
        *("--quiet", "--no-deps", "--no-index", wheel),
        cwd=prefix,
    )
    # A .pth line only appends a folder to the path: unlike a site folder added as such, it does
    # not run the development environment's own .pth files, which lead to the checkout.
    (site,) = prefix.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return prefix


def test_wheel_serves_every_python_from_3_11(wheel: Path) -> None:
    assert wheel.name.startswith(f"mcp_server_stratum-{VERSION}-cp311-abi3-")


def test_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.partition("/")[0] for name in names}
    assert top == {*PACKAGES, f"mcp_server_stratum-{VERSION}.dist-info"}
    assert any(name.startswith("rust_exec/_native.") for name in names)
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    sources = [n for n in names if n.endswith((".rs", ".pyc")) or "/Cargo." in n]
    assert not sources


@pytest.mark.parametrize("script", ["stratum", "mcp-server-stratum"])
def test_command_prints_its_version(environment: Path, tmp_path: Path, script: str) -> None:
    printed = run(environment / "bin" / script, "--version", cwd=tmp_path)
    assert VERSION in printed


def test_packages_come_from_the_environment(environment: Path, tmp_path: Path) -> None:
    report = (
        "import importlib, sys\nfor n in sys.argv[1:]: print(importlib.import_module(n).__file__)"
    )
    paths = run(
        *(environment / "bin" / "python", "-c", report, *PACKAGES, "rust_exec._native"),
        cwd=tmp_path,
    ).splitlines()
    assert len(paths) == len(PACKAGES) + 1
    outside = [path for path in paths if not Path(path).is_relative_to(environment)]
    assert not outside
