"""The kernels without wide vector instructions give what they give with them."""

import os
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import rust_exec
from tests.rust_exec.entries import ENTRIES
from tests.rust_exec.malformed import call

PROMISE = 1e-9
# Calls every entry with good arguments, and with longer vectors than one register holds.
PROGRAM = """
import pickle, sys
import rust_exec
from tests.rust_exec.entries import ENTRIES
from tests.rust_exec.malformed import call
from tests.rust_exec.test_vector_level import metrics
found = [call(entry, entry.good()) for entry in ENTRIES]
pickle.dump((rust_exec.vector_level(), found, metrics()), sys.stdout.buffer)
"""


def metrics() -> np.ndarray:
    """Metrics of a length that is no multiple of anything."""
    rng = np.random.default_rng(0)
    target = rng.normal(size=4099)
    names = ["r2_score", "mean_absolute_percentage_error", "explained_variance_score"]
    return rust_exec.score_numbers(target, [target + rng.normal(size=4099)], names)


def forced(level: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "STRATUM_KERNELS_SIMD": level},
        capture_output=True,
        check=True,
        timeout=100,
    )
    return pickle.loads(done.stdout)


def close(found: Any, wanted: Any) -> None:
    if isinstance(found, np.ndarray):
        np.testing.assert_allclose(found, wanted, rtol=PROMISE, atol=1e-12)
    elif isinstance(found, list | tuple):
        assert len(found) == len(wanted)
        for one, two in zip(found, wanted, strict=True):
            close(one, two)
    elif hasattr(found, "__dataclass_fields__"):
        for name in found.__dataclass_fields__:
            close(getattr(found, name), getattr(wanted, name))
    else:
        assert found == wanted


@pytest.mark.parametrize("level", ["portable", "no such thing"])
def test_other_instructions_give_the_same(level: str) -> None:
    name, found, values = forced(level)
    assert name == ("portable" if level == "portable" else rust_exec.vector_level())
    np.testing.assert_array_equal(values, metrics())  # sums keep their order
    for answer, entry in zip(found, ENTRIES, strict=True):
        close(answer, call(entry, entry.good()))


def test_the_level_is_one_that_the_processor_has() -> None:
    level, features = rust_exec.vector_level(), rust_exec.cpu_features()
    wanted = {"v3": "avx2", "v4": "avx512f", "neon": "neon"}.get(level)
    assert level == "portable" or wanted in features
