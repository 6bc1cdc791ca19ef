"""What all tests share."""

import os
import signal

import pytest
from hypothesis import settings

# Threads of OpenMP that spin while they wait for a busy core can take a hundred times as long. Read
# when a library with OpenMP is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A build repeats its examples; searching for new ones is for whoever can look at what is found.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(autouse=True, scope="session")
def _interrupts_arrive() -> None:
    """Started in the background, as by `sh -c '... &'`, this process ignores SIGINT, and its
    children would too; tests that interrupt them would wait for ever."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
