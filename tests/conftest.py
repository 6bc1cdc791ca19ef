"""What all tests share."""

import signal

import pytest


@pytest.fixture(autouse=True, scope="session")
def _interrupts_arrive() -> None:
    """Started in the background, as by `sh -c '... &'`, this process ignores SIGINT, and its
    children would too; tests that interrupt them would wait for ever."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
