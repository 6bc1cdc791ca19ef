from typing import Any

import pytest

from tools.requests import SearchPipelines
from tools.searching import candidates

SPACE = {
    "dataset": "d",
    "target": "y",
    "model": "Ridge(alpha=choose(1, 2, 3))",
    "remainder": {"choose": ["drop", "passthrough"]},
}


def models(**fields: Any) -> list[tuple[str, str]]:
    found = candidates(SearchPipelines(pipeline=SPACE, **fields))
    return [(spec["model"], spec["remainder"]) for spec in found]


def test_a_grid_is_the_whole_product_in_order() -> None:
    grid = models(strategy="grid")
    assert len(set(grid)) == len(grid) == 6
    assert models(strategy="grid", trials=4) == grid[:4]


def test_a_sample_has_no_combination_twice() -> None:
    grid = set(models(strategy="grid"))
    assert set(models(trials=100)) == grid
    sample = models(trials=4, seed=1)
    assert len(set(sample)) == 4
    assert set(sample) < grid


def test_a_seed_decides() -> None:
    assert models(trials=3, seed=5) == models(trials=3, seed=5)
    assert len({tuple(models(trials=3, seed=seed)) for seed in range(10)}) > 1


def test_products_too_large_to_list_are_sampled() -> None:
    choice = "choose(" + ", ".join(map(str, range(50))) + ")"
    names = ("alpha", "tol", "max_iter", "random_state")
    model = f"Ridge({', '.join(f'{name}={choice}' for name in names)})"
    request = SearchPipelines(pipeline={**SPACE, "model": model}, trials=20)
    assert len({spec["model"] for spec in candidates(request)}) == 20


@pytest.mark.parametrize("name", [None, "mine"])
def test_candidates_are_named_apart(name: str | None) -> None:
    base = SPACE if name is None else {**SPACE, "name": name}
    names = [spec["name"] for spec in candidates(SearchPipelines(pipeline=base))]
    assert len(set(names)) == 6
    assert all(found.startswith(name or "trial") for found in names)
