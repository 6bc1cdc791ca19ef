"""What the entries of the nearest-neighbour kernel refuse; their answers are tested in
tests/executor/test_neighbours_kernel.py against scikit-learn."""

from typing import Any

import numpy as np
import pytest
from sklearn.neighbors import KDTree

import rust_exec
from rust_exec import KernelInputError

POINTS = np.random.default_rng(0).normal(size=(40, 3))
ASKED = np.random.default_rng(1).normal(size=(7, 3))


def norms(values: Any) -> np.ndarray:
    found: np.ndarray = (np.asarray(values) ** 2).sum(axis=1)
    return found


def brute(**changes: Any) -> rust_exec.Neighbours:
    given: dict[str, Any] = {"points": POINTS, "queries": ASKED, "sizes": [1, 4]}
    given.update(changes)
    for side, name in (("points", "point_norms"), ("queries", "query_norms")):
        if name not in given:
            values = given[side]
            plain = isinstance(values, np.ndarray) and values.ndim == 2
            given[name] = norms(values).astype(float) if plain else np.zeros(1)
    return rust_exec.nearest_brute(**given)


def tree(**changes: Any) -> rust_exec.Neighbours:
    _, order, nodes, bounds = (np.asarray(part) for part in KDTree(POINTS, 5).get_arrays())
    places = np.column_stack([nodes[name] for name in ("idx_start", "idx_end", "is_leaf")])
    given: dict[str, Any] = {
        "points": POINTS, "queries": ASKED, "order": order, "nodes": places.astype(np.int64),
        "bounds": bounds, "sizes": [1, 4],
    }  # fmt: skip
    return rust_exec.nearest_tree(**{**given, **changes})


BAD = [
    ({"points": POINTS.astype(np.float32)}, "bad_array"),
    ({"points": POINTS.tolist()}, "bad_array"),
    ({"queries": ASKED[0]}, "bad_array"),
    ({"points": POINTS[:0]}, "empty_matrix"),
    ({"queries": ASKED[:0]}, "empty_matrix"),
    ({"queries": ASKED[:, :2]}, "shape_mismatch"),
    ({"points": np.where(POINTS > 1, np.nan, POINTS)}, "non_finite"),
    ({"queries": np.where(ASKED > 0, np.inf, ASKED)}, "non_finite"),
    ({"points": POINTS * 1e151}, "too_large"),
    ({"sizes": []}, "bad_sizes"),
    ({"sizes": [0, 1]}, "bad_sizes"),
    ({"sizes": [-1]}, "bad_sizes"),
    ({"sizes": [2, 2]}, "bad_sizes"),
    ({"sizes": [4, 1]}, "bad_sizes"),
    ({"sizes": [41]}, "bad_sizes"),
    ({"threads": 0}, "bad_threads"),
    ({"threads": -3}, "bad_threads"),
]


@pytest.mark.parametrize("search", [brute, tree])
@pytest.mark.parametrize(("changes", "code"), BAD)
def test_malformed_input_is_refused(search: Any, changes: dict[str, Any], code: str) -> None:
    with pytest.raises(KernelInputError) as caught:
        search(**changes)
    assert getattr(caught.value, "code", None) == code


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"point_norms": norms(POINTS)[:-1]}, "shape_mismatch"),
        ({"query_norms": norms(POINTS)}, "shape_mismatch"),
        ({"query_norms": norms(ASKED) * np.nan}, "non_finite"),
        ({"point_norms": norms(POINTS) + 1e301}, "too_large"),
    ],
)
def test_norms_are_those_of_the_rows(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(KernelInputError) as caught:
        brute(**changes)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "changes",
    [
        {"order": np.arange(39)},
        {"order": np.arange(40) + 1},
        {"order": np.arange(40) - 1},
        {"nodes": np.array([[0, 40, 0]])},
        {"nodes": np.array([[0, 41, 1]])},
        {"nodes": np.zeros((1, 2), dtype=np.int64)},
        {"nodes": np.zeros((0, 3), dtype=np.int64)},
        {"bounds": np.zeros((2, 1, 3))},
        {"points": np.asfortranarray(POINTS[:20])},
    ],
)
def test_a_tree_of_other_points_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(KernelInputError) as caught:
        tree(**changes)
    assert caught.value.code == "bad_tree"


@pytest.mark.parametrize("search", [brute, tree])
def test_any_strides_will_do(search: Any) -> None:
    wanted = search()
    wide = np.zeros((40, 6))
    wide[:, ::2] = POINTS
    backwards = np.ascontiguousarray(ASKED[::-1])[::-1]
    for points, asked in [
        (np.asfortranarray(POINTS), np.asfortranarray(ASKED)),
        (wide[:, ::2], backwards),
    ]:
        found = search(points=points, queries=asked)
        np.testing.assert_array_equal(found.points, wanted.points)
        np.testing.assert_array_equal(found.distances, wanted.distances)


def test_read_only_input_is_only_read() -> None:
    points = POINTS.copy()
    points.flags.writeable = False
    np.testing.assert_array_equal(brute(points=points).points, brute().points)


def test_lists_of_a_size_are_contiguous_and_their_own() -> None:
    found = brute()
    distances, rows = found.lists(1)
    assert distances.shape == rows.shape == (7, 1)
    assert distances.base is None
    assert distances.flags.c_contiguous
    distances[:] = -1
    assert (found.distances >= 0).all()


MODELS: dict[str, Any] = {"members": [(0, False), (1, True)], "target": np.arange(40.0)}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"members": []}, "bad_members"),
        ({"members": [(2, False)]}, "bad_members"),
        ({"members": [(-1, False)]}, "bad_members"),
        ({"target": np.arange(39.0)}, "shape_mismatch"),
        ({"target": np.arange(40)}, "bad_array"),
        ({"target": np.full(40, np.nan)}, "non_finite"),
        ({"target": np.arange(40), "classes": 39}, "bad_codes"),
        ({"target": np.arange(40), "classes": 41}, "bad_codes"),
        ({"target": np.arange(40) - 1, "classes": 40}, "bad_codes"),
        ({"target": np.arange(40), "classes": -1}, "bad_codes"),
        ({"target": np.arange(40.0), "classes": 40}, "bad_array"),
    ],
)
def test_malformed_models_are_refused(changes: dict[str, Any], code: str) -> None:
    models = rust_exec.NeighbourModels(**{**MODELS, **changes})
    with pytest.raises(KernelInputError) as caught:
        rust_exec.answers_brute(POINTS, ASKED, norms(POINTS), norms(ASKED), [1, 4], models)
    assert caught.value.code == code


def test_answers_have_a_place_for_each_model_and_probability() -> None:
    given = (POINTS, ASKED, norms(POINTS), norms(ASKED), [1, 4])
    means = rust_exec.answers_brute(*given, rust_exec.NeighbourModels(**MODELS))
    assert means.shape == (7, 2, 1)
    codes = {"target": np.arange(40) % 3, "classes": 3}
    for chances, width in ((False, 1), (True, 4)):
        models = rust_exec.NeighbourModels(**{**MODELS, **codes}, chances=chances)
        answers = rust_exec.answers_brute(*given, models)
        assert answers.shape == (7, 2, width)
        if chances:
            np.testing.assert_allclose(answers[:, :, 1:].sum(axis=2), 1)
