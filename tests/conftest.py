"""What all tests share."""

import os
import signal

import pytest
from hypothesis import settings

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
