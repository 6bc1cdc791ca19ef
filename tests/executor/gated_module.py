"""A module whose import lasts until the test lets it go on (by opening the FIFO for writing)."""

import os

with open(os.environ["STRATUM_TEST_GATE"]) as gate:
    gate.read()
