"""Estimator expressions of specs. Input: names and parameters. Output: their text."""

from collections.abc import Mapping
from typing import Any


def call(name: str, params: Mapping[str, Any]) -> str:
    """``call("Ridge", {"alpha": 1})`` is ``Ridge(alpha=1)``."""
    return f"{name}({', '.join(f'{key}={value!r}' for key, value in params.items())})"
