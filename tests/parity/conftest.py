"""One engine run per batch, on the first case that asks for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.parity.data import written
from tests.parity.harness import Batch
from tests.parity.run import run

Answers = Callable[[Batch], dict[str, dict[str, Any]]]


@pytest.fixture(scope="session")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """Evaluations of a batch by name; a batch that could not be run fails all its cases."""
    home: Path = tmp_path_factory.mktemp("parity")
    kept: dict[str, dict[str, dict[str, Any]] | RuntimeError] = {}

    def ask(batch: Batch) -> dict[str, dict[str, Any]]:
        if batch.name not in kept:
            specs = [case.spec for case in batch.cases]
            names = {spec["dataset"] for spec in specs}
            names |= {step["join"]["dataset"] for spec in specs
                      for step in spec.get("prepare", []) if "join" in step}  # fmt: skip
            tables = {name: written(name) for name in sorted(names)}
            try:
                answer = run(tables, {"evaluate": batch.evaluate, "pipelines": specs}, home)
                kept[batch.name] = {entry["name"]: entry for entry in answer["evaluations"]}
            except RuntimeError as error:
                kept[batch.name] = error
        found = kept[batch.name]
        if isinstance(found, RuntimeError):
            raise found
        return found

    return ask
