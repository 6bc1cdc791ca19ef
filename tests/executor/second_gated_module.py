"""As `gated_module`, at another gate."""

import os

with open(os.environ["STRATUM_TEST_SECOND_GATE"]) as gate:
    gate.read()
