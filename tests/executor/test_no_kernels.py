"""What happens where there is no kernel: another platform, or a kernel that was not built."""

import builtins
import importlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from executor.backends import rust
from executor.backends.python import PythonBackend
from executor.backends.rust import RustBackend
from planner.expressions import Call
from planner.ops import Fit
from planner.ops_linear import LinearMember, LinearPath
from tests.inprocess import Engine
from tests.planner.planning_cases import CV, RIDGE

FAMILY = (Call("Lasso"), Call("Ridge"))


def test_only_groups_are_supported() -> None:
    assert RustBackend().supports(LinearPath(tuple(map(LinearMember, FAMILY))))
    assert not RustBackend().supports(Fit(Call("Ridge"), "regression"))


def test_a_missing_extension_leaves_the_python_path(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = {**RIDGE, "metrics": ["r2"]}
    wanted = engine.one(spec, cv=CV)["r2"]
    real = builtins.__import__

    def without(name: str, *more: Any, **rest: Any) -> Any:
        if name.partition(".")[0] == "rust_exec":
            raise ImportError("no extension for this platform")
        return real(name, *more, **rest)

    with monkeypatch.context() as patch:
        patch.setattr(builtins, "__import__", without)
        bare = importlib.reload(rust)
        assert not bare.HAS_KERNELS
        assert not bare.RustBackend().supports(LinearPath(tuple(map(LinearMember, FAMILY))))
        engine.backends = (
            *(b for b in engine.backends if b.name == "duckdb"), bare.RustBackend(), PythonBackend()
        )  # fmt: skip
        np.testing.assert_allclose(engine.one(spec, cv=CV)["r2"], wanted, rtol=1e-9)
    importlib.reload(rust)
    assert rust.HAS_KERNELS


def test_a_worker_without_the_extension_can_be_imported() -> None:
    code = (
        "import sys; sys.modules['rust_exec'] = None\n"
        "from executor import program\n"
        "from planner.expressions import Call\n"
        "from planner.ops_linear import LinearMember, LinearPath\n"
        "op = LinearPath((LinearMember(Call('Ridge')),))\n"
        "print([b.name for b in program.BACKENDS if b.supports(op)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100
    )
    assert done.stdout.strip() == "['python']"
