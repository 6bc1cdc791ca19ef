"""What the repository may hold: sources and one lock of plain pins."""

import os
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
LARGEST_FILE = 1 << 20
PIN = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[A-Za-z0-9.!+_-]+)")
FOREIGN_LOCKS = {
    "uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile.lock",
    "package-lock.json", "yarn.lock", "pnpm-lock.yaml",
}  # fmt: skip
CRATES_INDEX = 'source = "registry+https://github.com/rust-lang/crates.io-index"'
BUILD_PRODUCTS = {".so", ".pyd", ".dylib", ".whl", ".pyc", ".o", ".a", ".rlib"}


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """The files of the checkout that are tracked, or would be by `git add --all`."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout
    names = [name for name in listed.decode().split("\0") if name]
    assert "pyproject.toml" in names
    return [ROOT / name for name in names if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def pins() -> dict[str, Version]:
    """The locked version of each distribution, by canonical name."""
    locked: dict[str, Version] = {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        match = PIN.fullmatch(line)
        assert match is not None, f"not a plain pin: {line!r}"
        name = canonicalize_name(match["name"])
        assert name not in locked, f"{name} is pinned twice"
        locked[name] = Version(match["version"])
    return locked


def declared(*extras: str) -> list[Requirement]:
    """The requirements of pyproject.toml, with those of `extras`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = list(project["dependencies"])
    for extra in extras:
        lines += project["optional-dependencies"][extra]
    return [Requirement(line) for line in lines]


def test_no_large_file(files: list[Path]) -> None:
    large = {str(f.relative_to(ROOT)) for f in files if f.stat().st_size > LARGEST_FILE}
    assert not large


def test_no_build_product(files: list[Path]) -> None:
    built = {str(f.relative_to(ROOT)) for f in files if f.suffix in BUILD_PRODUCTS}
    assert not built


def test_no_foreign_lock_file(files: list[Path]) -> None:
    """Such locks name the hosts that their packages came from."""
    found = {str(f.relative_to(ROOT)) for f in files if f.name in FOREIGN_LOCKS}
    assert not found


def test_cargo_lock_names_the_standard_index_only(files: list[Path]) -> None:
    for lock in (f for f in files if f.name == "Cargo.lock"):
        sources = [s for s in lock.read_text().splitlines() if s.strip().startswith("source")]
        assert set(sources) <= {CRATES_INDEX}


def test_lock_satisfies_what_is_declared(pins: dict[str, Version]) -> None:
    wrong = [
        f"{requirement} (locked: {pins.get(canonicalize_name(requirement.name))})"
        for requirement in declared("dev")
        if (version := pins.get(canonicalize_name(requirement.name))) is None
        or version not in requirement.specifier
    ]
    assert not wrong


def test_lock_leaves_this_project_out(pins: dict[str, Version]) -> None:
    assert "mcp-server-stratum" not in pins


def test_duckdb_2_0_0_is_refused() -> None:
    (duckdb,) = [r for r in declared() if r.name == "duckdb"]
    assert not duckdb.specifier.contains("2.0.0")
    assert duckdb.specifier.contains("1.5.6")


def test_installed_versions_are_the_locked_ones(pins: dict[str, Version]) -> None:
    """What the tests ran with is what the lock promises."""
    installed: dict[str, Version] = {
        canonicalize_name(d.name): Version(d.version) for d in distributions()
    }
    differing = {
        name: (str(version), str(installed[name]))
        for name, version in pins.items()
        if name in installed and installed[name] != version
    }
    assert not differing


def test_nothing_is_built_for_one_processor(files: list[Path]) -> None:
    """Wide vector instructions are chosen at run time; a build for the builder's processor would
    crash on others."""
    told = re.compile(r"target[-_](cpu|feature)|RUSTFLAGS|rustflags")
    built = [
        path
        for path in files
        if path.suffix in {".toml", ".sh", ".yml", ".yaml", ".cfg", ".mk"}
        or path.name in {"Makefile", "Dockerfile", "build.rs"}
        or {".cargo", ".ci"} & set(path.parts)
    ]
    assert {"Makefile", "Cargo.toml", "pyproject.toml"} <= {path.name for path in built}
    for path in built:
        assert told.search(path.read_text()) is None, path
    assert "RUSTFLAGS" not in os.environ or "target" not in os.environ["RUSTFLAGS"]
