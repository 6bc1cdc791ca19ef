"""The kernels on the least processor that wheels are for, x86-64-v2, which QEMU imitates.

There is no AVX on it: an instruction that is not chosen at run time ends the process.
"""

import os
import pickle
import platform
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.rust_exec.entries import ENTRIES
from tests.rust_exec.malformed import call
from tests.rust_exec.test_vector_level import PROGRAM, close, metrics

EMULATOR = shutil.which("qemu-x86_64")
ENVIRONMENT = {
    # QEMU does not hide the host from OpenBLAS, which would choose kernels with AVX.
    "OPENBLAS_CORETYPE": "Nehalem",
    "OPENBLAS_NUM_THREADS": "1",
}
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(platform.machine() != "x86_64", reason="not an x86-64 machine"),
    pytest.mark.skipif(EMULATOR is None, reason="qemu-x86_64 is not installed (qemu-user)"),
]


def emulated(program: str) -> Any:
    """What `program` pickles to its output on a Nehalem processor."""
    assert EMULATOR is not None
    done = subprocess.run(
        [EMULATOR, "-cpu", "Nehalem", sys.executable, "-c", program],
        env={**os.environ, **ENVIRONMENT},
        capture_output=True,
        timeout=850,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return pickle.loads(done.stdout)


def test_a_processor_without_avx_gives_the_same() -> None:
    level, found, values = emulated(PROGRAM)
    assert level == "portable"
    close(values, metrics())
    for answer, entry in zip(found, ENTRIES, strict=True):
        close(answer, call(entry, entry.good()))
