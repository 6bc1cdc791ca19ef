"""What planner tests share."""

from pathlib import Path

import pytest

from tests.inprocess import Engine
from tests.planner.planning_cases import flats


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """An engine that knows the table of flats."""
    return Engine(tmp_path, flats=flats())
