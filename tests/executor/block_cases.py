"""Helpers that the tests of blocks share."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, settings

from executor import block_file, blocks

# The directory of a test may be used by all examples: a block is replaced by the next.
examples = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def round_trip(value: Any, directory: Path) -> Any:
    info = blocks.save(value, directory, "ab")
    assert info.bytes == block_file.block_path(directory, "ab").stat().st_size
    return blocks.load(directory, "ab")


def assert_same_array(found: Any, wanted: Any) -> None:
    assert type(found) is np.ndarray
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    assert found.flags.writeable
    assert found.tobytes() == wanted.tobytes()


def assert_same(found: Any, wanted: Any) -> None:
    """Equal in type and value, NaN being equal to NaN, also inside of containers."""
    assert type(found) is type(wanted)
    if isinstance(wanted, np.ndarray):
        if wanted.dtype.kind == "O":
            assert found.shape == wanted.shape
            assert found.flags.writeable
            for one, two in zip(found.ravel(), wanted.ravel(), strict=True):
                assert_same(one, two)
        else:
            assert_same_array(found, wanted)
    elif isinstance(wanted, tuple | list):
        assert len(found) == len(wanted)
        for one, two in zip(found, wanted, strict=True):
            assert_same(one, two)
    elif isinstance(wanted, dict):
        assert_same(list(found.items()), list(wanted.items()))
    elif isinstance(wanted, pd.DataFrame):
        pd.testing.assert_frame_equal(found, wanted, check_exact=True)
    elif isinstance(wanted, np.generic):
        assert found.dtype == wanted.dtype
        assert found.tobytes() == wanted.tobytes()
    elif isinstance(wanted, float):
        if math.isnan(wanted):
            assert math.isnan(found)  # the sign of a NaN means nothing
        else:
            assert found == wanted
            assert math.copysign(1, found) == math.copysign(1, wanted)
    elif wanted is pd.NA or wanted is pd.NaT or wanted is None:
        assert found is wanted
    else:
        assert found == wanted
