"""Searching: which candidates of a spec with choices are tried.

Input: a search request. Output: concrete specs, at most as many as the budget of trials. They
run as one batch, so that they share all they can; results come as they are known, best so far
at any time, and the budget of seconds ends what has not been started.
"""

import random
from typing import Any

from planner import choices
from tools.requests import SearchPipelines


def candidates(request: SearchPipelines) -> list[dict[str, Any]]:
    """Concrete, named specs in the order in which they should be tried."""
    base = request.pipeline.get("name")
    space = choices.Choices({**request.pipeline, "name": base or "trial"}, "pipeline")
    wanted = min(request.trials, space.count)
    if request.strategy == "grid":
        return [space.at(position).spec for position in range(wanted)]
    # A sample without replacement, even of a product too large to be listed.
    positions = random.Random(request.seed).sample(range(space.count), wanted)
    return [space.at(position).spec for position in positions]
