"""Nearest neighbours from one search, against scikit-learn's models fitted one by one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neighbors._base import KNeighborsMixin
from threadpoolctl import threadpool_limits

from executor.backends import neighbours
from executor.backends.base import Context
from executor.backends.python import PythonBackend
from executor.models import FittedModel
from planner.expressions import Call
from planner.ops import Fit
from planner.ops_neighbours import NeighbourFits, NeighbourModel

BACKEND = PythonBackend()
KINDS = {"KNeighborsRegressor": KNeighborsRegressor, "KNeighborsClassifier": KNeighborsClassifier}
METHODS = {"KNeighborsRegressor": ["predict"], "KNeighborsClassifier": ["predict", "predict_proba"]}


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    """As in a worker."""
    with threadpool_limits(1):
        yield


@dataclass
class Data:
    """Training and validation rows, and a target for the training rows."""

    train: Any
    valid: Any
    y: np.ndarray


def outcome(model: Any, method: str, rows: Any) -> Any:
    """The answer, or what the error says."""
    try:
        return getattr(model, method)(rows)
    except ValueError as error:
        return str(error)


def models(name: str, data: Data, members: Any, **params: Any) -> dict[Any, FittedModel]:
    """The models of one group by member."""
    task = "regression" if name == "KNeighborsRegressor" else "multiclass"
    members = tuple(sorted(set(members)))
    call = Call(name, tuple(sorted(params.items())))
    group = NeighbourFits(Fit(call, task), members)
    folds = [(np.arange(len(data.y)), np.arange(data.valid.shape[0]))]
    found = BACKEND.run(group, [(data.train, data.valid), folds, data.y], Context(0))
    return {
        member: BACKEND.run(NeighbourModel(place), [found], Context(0))
        for place, member in enumerate(members)
    }


def compare(name: str, data: Data, members: Any, exact: bool = False, **params: Any) -> None:
    """Every member answers as its library model does, errors included."""
    for (size, weights), model in models(name, data, members, **params).items():
        alone = KINDS[name](n_neighbors=size, weights=weights, **params).fit(data.train, data.y)
        for method in METHODS[name]:
            wanted = outcome(alone, method, data.valid)
            found = outcome(model.estimator, method, data.valid)
            if isinstance(wanted, str):
                assert found == wanted
                continue
            assert found.dtype == wanted.dtype
            if name == "KNeighborsClassifier" or exact:
                np.testing.assert_array_equal(found, wanted)
            else:  # equal neighbours in another order: a sum's last bit
                np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-13)


def points(kind: str, rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    if kind == "continuous":
        found = rng.normal(size=(rows, columns))
    elif kind == "far":
        found = rng.normal(size=(rows, columns)) + 1e6
    else:  # many ties and duplicates
        found = rng.integers(0, 3, size=(rows, columns)).astype(float)
    if columns > 1:
        found[:, 0] = 1.5
    if kind == "duplicates":
        found[rows // 2 :] = found[: rows - rows // 2]
    return found


@st.composite
def problems(draw: st.DrawFn) -> tuple[str, Data, list[tuple[int, str]], dict[str, Any]]:
    rng = np.random.default_rng(draw(st.integers(0, 2**20)))
    name = draw(st.sampled_from(sorted(KINDS)))
    rows, asked = draw(st.integers(2, 60)), draw(st.integers(1, 25))
    columns = draw(st.sampled_from([1, 2, 5, 17]))
    kind = draw(st.sampled_from(["continuous", "far", "integers", "duplicates"]))
    both: Any = points(kind, rows + asked, columns, rng)
    form = draw(st.sampled_from(["float64", "float32", "int64", "sparse", "frame", "fortran"]))
    if form == "sparse":
        both = sp.csr_matrix(np.where(both == 1, 0, both))
    elif form == "frame":
        both = pd.DataFrame(both, columns=[f"c{place}" for place in range(columns)])
    elif form == "fortran":
        both = np.asfortranarray(both)
    else:
        both = both.astype(form)
    sides = [both.iloc[r] if form == "frame" else both[r]
             for r in (slice(rows), slice(rows, None))]  # fmt: skip
    y: np.ndarray = np.round(rng.normal(size=rows), 1)
    if name == "KNeighborsClassifier":
        y = np.array(["a", "b", "ż"], dtype=object)[rng.integers(0, 3, rows)]
    sizes = st.integers(1, rows + 2)
    members = draw(
        st.lists(st.tuples(sizes, st.sampled_from(["uniform", "distance"])), min_size=2, max_size=6)
    )
    params: dict[str, Any] = draw(
        st.sampled_from(
            [{}, {"p": 1}, {"metric": "manhattan"}, {"metric": "cosine"}, {"p": 3.0},
             {"algorithm": "brute"}, {"algorithm": "kd_tree", "leaf_size": 2},
             {"algorithm": "ball_tree", "leaf_size": 3}, {"algorithm": "brute", "p": 1},
             {"metric": "chebyshev"}, {"metric": "nan_euclidean"}]
        )
    )  # fmt: skip
    if form == "sparse":
        params = {key: value for key, value in params.items() if key != "leaf_size"}
        params = {} if params.get("p") == 3.0 or "metric" in params else params
        params.pop("algorithm", None)
    return name, Data(*sides, y), members, params


@settings(max_examples=150, deadline=None)
@given(problems())
def test_members_answer_as_their_library_models(
    problem: tuple[str, Data, list[tuple[int, str]], dict[str, Any]],
) -> None:
    name, data, members, params = problem
    compare(name, data, members, **params)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "_kernel", lambda: None)
        compare(name, data, members, **params)


MANY = [(size, weights) for size in (1, 2, 7, 30) for weights in ("uniform", "distance")]


@pytest.mark.parametrize("columns", [4, 20])
@pytest.mark.parametrize("kind", ["continuous", "integers", "duplicates"])
@pytest.mark.parametrize("name", sorted(KINDS))
def test_more_rows_than_a_chunk_of_the_library(name: str, kind: str, columns: int) -> None:
    rng = np.random.default_rng(3)
    both = points(kind, 1500, columns, rng)
    y = rng.integers(0, 4, 900)
    compare(name, Data(both[:900], both[900:], y), MANY)


@pytest.mark.parametrize("columns", [3, 15, 16])
@pytest.mark.parametrize("rows", [20, 21])
def test_the_algorithm_is_what_the_library_chooses_for_each_size(columns: int, rows: int) -> None:
    rng = np.random.default_rng(4)
    data = Data(
        rng.normal(size=(rows, columns)), rng.normal(size=(5, columns)), rng.normal(size=rows)
    )
    members = [(size, "distance") for size in (1, 9, 10, 11, 20)]
    for (size, _), model in models("KNeighborsRegressor", data, members).items():
        alone = KNeighborsRegressor(size).fit(data.train, data.y)
        assert model.estimator._fit_method == alone._fit_method
    compare("KNeighborsRegressor", data, members, exact=True)


def searched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """(rows asked, neighbours wanted) of every search of the library from now on; the kernel
    searches nothing."""
    monkeypatch.setattr(neighbours, "_kernel", lambda: None)
    asked: list[tuple[int, int]] = []
    search = KNeighborsMixin.kneighbors

    def noted(
        self: Any, X: Any = None, n_neighbors: Any = None, return_distance: bool = True
    ) -> Any:
        asked.append((X.shape[0], n_neighbors or self.n_neighbors))
        return search(self, X, n_neighbors, return_distance)

    monkeypatch.setattr(KNeighborsMixin, "kneighbors", noted)
    return asked


@pytest.mark.parametrize("columns", [4, 20])
def test_one_search_serves_all(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    data = Data(rng.normal(size=(200, columns)), rng.normal(size=(50, columns)), np.arange(200.0))
    found = models("KNeighborsRegressor", data, MANY)
    asked = searched(monkeypatch)
    for model in found.values():
        model.estimator.predict(data.valid)
    assert asked == [(50, 30)]


def test_only_rows_with_ties_are_searched_again_in_a_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    train = np.array([[-1.0], [1.0], [5.0], [5.5], [8.0], [12.0]])
    data = Data(train, np.array([[0.0], [5.1], [9.0]]), np.arange(6.0))
    found = models(
        "KNeighborsRegressor", data, [(1, "uniform"), (2, "uniform")], algorithm="kd_tree"
    )
    asked = searched(monkeypatch)
    found[1, "uniform"].estimator.predict(data.valid)
    assert asked == [(3, 2), (1, 1)]


def test_a_tie_at_the_cut_makes_brute_force_search_for_the_size_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train = np.array([[-1.0], [1.0], [5.0], [5.5], [8.0], [12.0]])
    data = Data(train, np.array([[0.0], [5.1], [9.0]]), np.arange(6.0))
    found = models("KNeighborsRegressor", data, [(1, "uniform"), (2, "uniform")], algorithm="brute")
    asked = searched(monkeypatch)
    found[1, "uniform"].estimator.predict(data.valid)
    assert asked == [(3, 2), (3, 1)]


def test_nothing_is_searched_before_a_model_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the validation rows are refused for is an error of the prediction."""
    data = Data(np.eye(4), np.array([[0.0, 0.0, 0.0, np.nan]]), np.arange(4.0))
    asked = searched(monkeypatch)
    found = models("KNeighborsRegressor", data, [(1, "uniform"), (2, "uniform")])
    assert asked == []
    for model in found.values():
        with pytest.raises(ValueError, match="contains NaN"):
            model.estimator.predict(data.valid)
