"""What tests of the executor share."""

from pathlib import Path

import pytest

from tests.inprocess import Engine
from tests.planner.planning_cases import flats


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine in this process that knows the table of flats."""
    return Engine(tmp_path, flats=flats())
