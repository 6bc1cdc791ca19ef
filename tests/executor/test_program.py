"""One task in a worker: failures, warnings, what is kept, and who may write into what."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin

from executor import blocks, models, program
from executor.backends import python
from executor.construct import construct
from executor.kept import Kept, size_of
from executor.models import FittedModel
from executor.sharing import copied, freeze, refused_write
from planner.ops import Columns, Encode, Fit, Folds, Predict, Score, Vector
from planner.plan import Task, Value
from tests.inprocess import Engine
from tests.planner.planning_cases import CV, NUMBERS, RIDGE

Spec = dict[str, Any]
SCALED: Spec = {"columns": NUMBERS, "steps": ["SimpleImputer()", "StandardScaler()"]}


def spec(**changes: Any) -> Spec:
    return {**RIDGE, "metrics": ["r2"], "features": [SCALED], "model": "SVR()", **changes}


# -- library code that writes into what it is given -------------------------------------------


class Writer(TransformerMixin, BaseEstimator):
    """Squares its input in place, as no transformer should, and returns a copy from before."""

    def fit(self, features: Any, target: Any = None) -> "Writer":
        self.fitted_ = True
        return self

    def transform(self, features: Any) -> Any:
        before = features.copy()
        if isinstance(features, pd.DataFrame):
            for name in features.columns:
                features[name] = features[name] * 7.0 + 1.0
        else:
            features *= 7.0
            features += 1.0
        return before


class Greedy(RegressorMixin, BaseEstimator):
    """Predicts the sum of the features, and overwrites them and the target while doing so."""

    def fit(self, features: Any, target: Any) -> "Greedy":
        self.mean_ = float(np.mean(target))
        features[:] = 0
        target[:] = 0
        return self

    def predict(self, features: Any) -> Any:
        total = self.mean_ + features.sum(axis=1)
        features[:] = -1
        return total


class Reader(Greedy):
    """The same without writing."""

    def fit(self, features: Any, target: Any) -> "Reader":
        self.mean_ = float(np.mean(target))
        return self

    def predict(self, features: Any) -> Any:
        return self.mean_ + features.sum(axis=1)


class Identity(Writer):
    def transform(self, features: Any) -> Any:
        return features.copy()


def replace_by(monkeypatch: pytest.MonkeyPatch, made: dict[str, Callable[[], Any]]) -> None:
    """Lets names in specs stand for these classes."""

    def build(call: Any) -> Any:
        return made[call.name]() if call.name in made else construct(call)

    monkeypatch.setattr(python, "construct", build)
    monkeypatch.setattr(models, "construct", build)


SHARING: dict[str, list[Spec]] = {
    "two models of one matrix": [
        spec(features=[SCALED], model="DecisionTreeRegressor(max_depth=2)"),
        spec(features=[SCALED], model="HuberRegressor()"),
        spec(features=[SCALED], model="DecisionTreeRegressor(max_depth=3)"),
    ],
    "a step between models": [
        spec(features=[{**SCALED, "steps": [*SCALED["steps"], "Normalizer(norm='l1')"]}],
             model="DecisionTreeRegressor(max_depth=2)"),
        spec(features=[SCALED], model="DecisionTreeRegressor(max_depth=2)"),
    ],
    "branches of one pipeline": [
        spec(features=[SCALED, {**SCALED, "steps": [*SCALED["steps"], "Normalizer(norm='l1')"]}],
             model="DecisionTreeRegressor(max_depth=2)"),
    ],
    "a union": [
        spec(features=[{**SCALED, "steps": [*SCALED["steps"],
                        "make_union(Normalizer(norm='l1'), MaxAbsScaler())"]}],
             model="DecisionTreeRegressor(max_depth=2)"),
    ],
    "raw columns": [
        spec(features=[{"columns": ["weight"], "steps": ["Normalizer(norm='l1')"]}],
             model="DecisionTreeRegressor(max_depth=2)"),
        spec(features=[{"columns": ["weight"]}], model="DecisionTreeRegressor(max_depth=2)"),
        spec(features="Normalizer(norm='l1')", model="DecisionTreeRegressor(max_depth=2)",
             prepare=[{"select": ["weight", "price", "age"]}]),
        spec(target="weight", features=[{"columns": ["age"]}], model="HuberRegressor()"),
        spec(target={"column": "weight", "transform": "log1p"}, features=[{"columns": ["age"]}],
             model="HuberRegressor()"),
    ],
    "several metrics": [
        spec(model="HuberRegressor()", metrics=["r2", "rmse", "mae"]),
    ],
    "a fitted target": [
        spec(target={"column": "price", "transform": "StandardScaler()"},
             features=[{"columns": ["owner"], "steps": ["TargetEncoder()"]}],
             model="HuberRegressor()"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", SHARING)
def test_functions_that_mutate_their_input_harm_nobody(
    engine: Engine, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trap: values are shared by pipelines, tasks and branches."""
    batch = SHARING[name]
    replace_by(monkeypatch, {"Normalizer": Identity, "HuberRegressor": Reader})
    honest = engine.run(*batch, cv=CV)
    replace_by(monkeypatch, {"Normalizer": Writer, "HuberRegressor": Greedy})
    for fresh in (True, False):
        found = engine.run(*batch, cv=CV, fresh=fresh)
        assert [(a.error, a.scores) for a in found] == [(a.error, a.scores) for a in honest]
    # What is stored and what is kept in memory is as it was.
    replace_by(monkeypatch, {"Normalizer": Identity, "HuberRegressor": Reader})
    again = [{**one, "metrics": [*one["metrics"], "max_error"]} for one in batch]
    after = engine.run(*again, cv=CV, fresh=False)
    assert [a["r2"] for a in after] == [a["r2"] for a in honest]


class Strict(Reader):
    """A library that takes writable arrays only, as old Cython code does."""

    def fit(self, features: Any, target: Any) -> "Strict":
        if not (features.flags.writeable and target.flags.writeable):
            raise ValueError("buffer source array is read-only")
        return super().fit(features, target)  # type: ignore[return-value]


def test_libraries_that_need_writable_arrays_get_them(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = [
        spec(model="HuberRegressor()"),
        spec(model="HuberRegressor(max_iter=7)"),
        spec(features=[{"columns": ["rooms", "age"]}], model="HuberRegressor()"),
        spec(features=[{"columns": ["age"]}], model="HuberRegressor()"),
    ]
    replace_by(monkeypatch, {"HuberRegressor": Reader})
    wanted = [answer["r2"] for answer in engine.run(*batch, cv=CV)]
    replace_by(monkeypatch, {"HuberRegressor": Strict})
    assert [answer["r2"] for answer in engine.run(*batch, cv=CV)] == wanted


def test_freezing_and_copying_reach_every_array() -> None:
    sparse = sp.random(5, 4, 0.5, format="csr")
    model = FittedModel(None, np.ones(3), None, None, False, None)  # type: ignore[arg-type]
    value = [(np.arange(3.0), sparse), model]
    freeze(value)
    for array in (value[0][0], sparse.data, sparse.indices, sparse.indptr, model.valid):
        assert not array.flags.writeable
    pair, other = copied(value)
    for array in (pair[0], pair[1].data, pair[1].indices, other.valid):
        assert array.flags.writeable
        array[:] = 0
    np.testing.assert_array_equal(value[0][0], np.arange(3.0))
    np.testing.assert_array_equal(model.valid, np.ones(3))


def test_refused_writes_are_told_from_other_errors() -> None:
    array = np.arange(3)
    array.setflags(write=False)
    with pytest.raises(ValueError, match="read-only") as raised:
        array[0] = 1
    assert refused_write(raised.value)
    assert refused_write(ValueError("buffer source array is read-only"))
    assert refused_write(ValueError("output array is read-only"))
    assert refused_write(TypeError("Cannot modify readonly array"))
    assert not refused_write(ValueError("Input contains NaN"))
    assert not refused_write(OSError("Read-only file system"))


# -- failures, warnings, what is saved --------------------------------------------------------


@pytest.fixture
def task_of(engine: Engine) -> Callable[..., tuple[Task, dict[str, Any]]]:
    """The last task of a plan (that of a fit), run after all others."""

    def run(one: Spec) -> tuple[Task, dict[str, Any]]:
        tasks = engine.compile(one, cv=CV).plan.tasks
        result: dict[str, Any] = {}
        for task in tasks:
            result = engine.task(task)
        return tasks[-1], result

    return run


def test_a_result_is_json(task_of: Any) -> None:
    import json

    robust = [{"columns": ["rooms"], "steps": ["RobustScaler()"]}]
    task, result = task_of(spec(features=robust))
    assert json.loads(json.dumps(result)) == result
    assert [(key, fold) for key, fold, _ in result["scores"]] == [tuple(v) for v in task.scores]
    assert [name for name, _, _ in result["saved"]] == [v.name for v in task.saves]
    assert all(size > 0 and seconds >= 0 for _, size, seconds in result["saved"])
    kinds = [kind for kind, *_ in result["timings"]]
    assert kinds.count("Fit") == 1
    by_kind = {(kind, backend) for kind, backend, *_ in result["timings"]}
    assert by_kind >= {("Fit", "python"), ("Score", "rust")}


def test_a_failure_takes_with_it_only_what_depends_on_it(task_of: Any) -> None:
    one = spec(target="dear", model="RidgeClassifier()", metrics=["accuracy", "f1(pos_label='x')"])
    task, result = task_of(one)
    failed = {value.key for value in task.scores} - {key for key, _, _ in result["scores"]}
    assert set(result["failures"]) == failed
    assert len(failed) == 1
    assert next(iter(result["failures"].values()))["code"] == "unknown_class"


def test_a_failed_fit_is_the_one_failure(task_of: Any) -> None:
    task, result = task_of(spec(features=[{"columns": NUMBERS}], metrics=["r2", "rmse"]))
    (key,) = result["failures"]
    assert isinstance(_op(task, key), Fit)
    assert result["scores"] == []
    assert result["saved"] == []


def _op(task: Task, key: str) -> Any:
    return next(i.op for i in task.instructions if i.out.key == key)


def test_warnings_are_told_once_for_the_node_that_gave_them(task_of: Any) -> None:
    one = spec(model="MLPRegressor(max_iter=2)", metrics=["r2", "rmse"])
    task, result = task_of(one)
    told = {type(_op(task, key)).__name__: texts for key, texts in result["warnings"].items()}
    assert list(told) == ["Fit"]
    assert len(told["Fit"]) == 1
    assert told["Fit"][0].startswith("ConvergenceWarning: ")


def test_deprecations_of_libraries_are_not_the_agents(task_of: Any) -> None:
    features = [{"columns": ["owner"], "steps": ["TargetEncoder()"]}]
    _, result = task_of(spec(features=features))
    assert [text for texts in result["warnings"].values() for text in texts] == []


def test_out_of_memory_is_not_a_failure_of_the_model(
    task_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hungry(Reader):
        def fit(self, features: Any, target: Any) -> "Hungry":
            raise MemoryError

    replace_by(monkeypatch, {"HuberRegressor": Hungry})
    with pytest.raises(MemoryError):
        task_of(spec(model="HuberRegressor()"))


def test_an_unreadable_block_is_named_and_nothing_is_run(engine: Engine) -> None:
    tasks = engine.compile(spec(), cv=CV).plan.tasks
    engine.task(tasks[0])
    program.forget()
    (file,) = (engine.folder / "blocks").glob(f"*/{tasks[0].saves[0].name}.block")
    file.write_bytes(file.read_bytes()[:-9])
    result = engine.task(tasks[1])
    assert result["unreadable"] == [tasks[0].saves[0].name]
    assert (result["scores"], result["failures"], result["timings"]) == ([], {}, [])


def test_a_value_that_cannot_be_stored_fails_its_node(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd(Identity):
        def transform(self, features: Any) -> Any:
            return {1, 2, 3}

    replace_by(monkeypatch, {"RobustScaler": Odd})
    features = [{"columns": ["rooms", "age"], "steps": ["RobustScaler()"]}]
    batch = [spec(features=features, model=f"SVR(C={alpha})") for alpha in (1, 2)]
    for position, answer in enumerate(engine.run(*batch, cv=CV)):
        assert answer.error is not None
        assert answer.error["code"] == "unstorable_value"
        assert answer.error["path"] == f"pipelines[{position}].features"


def test_a_full_disk_fails_the_task(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from planner.errors import ExecutionError

    def save(*arguments: Any) -> Any:
        raise ExecutionError("disk_full", "There is no room.")

    monkeypatch.setattr(blocks, "save", save)
    with pytest.raises(ExecutionError, match="no room"):
        engine.run(spec(), cv=CV)


# -- values that are kept from task to task ---------------------------------------------------


def test_columns_vectors_and_folds_are_made_once_in_a_worker(engine: Engine) -> None:
    tasks = engine.compile(spec(features=[{"columns": ["age"]}]), cv=CV).plan.tasks
    results = [engine.task(task) for task in tasks]
    kinds = [kind for result in results for kind, *_ in result["timings"]]
    for kind in ("Folds", "Columns", "Vector"):
        assert kinds.count(kind) == 1
    assert kinds.count("Fit") == 3


def test_small_features_of_a_fold_are_made_once_in_a_worker(engine: Engine) -> None:
    features = [{"columns": ["age"]}, {"columns": ["rooms"]}]
    batch = [spec(features=features, model=f"SVR(C={c})") for c in (1, 2, 3)]
    results = [engine.task(task) for task in engine.compile(*batch, cv=CV).plan.tasks]
    kinds = [kind for result in results for kind, *_ in result["timings"]]
    assert kinds.count("Concat") == 3  # the folds
    assert kinds.count("Fit") == 9


def test_a_small_block_of_features_is_read_once_in_a_worker(engine: Engine) -> None:
    features = [{"columns": ["rooms", "age"], "steps": ["RobustScaler()"]}]
    batch = [spec(features=features, model=f"SVR(C={c})") for c in (1, 2, 3)]
    tasks = engine.compile(*batch, cv=CV).plan.tasks
    for task in tasks:
        engine.task(task)
    program.forget()
    ((block, readers),) = [
        (value, readers)
        for value in dict.fromkeys(value for task in tasks for value in task.saves)
        if value.fold == 0 and len(readers := [t for t in tasks if value in t.loads]) > 1
    ]
    assert engine.task(readers[0])["unreadable"] == []
    (file,) = (engine.folder / "blocks").glob(f"*/{block.name}.block")
    file.unlink()
    assert engine.task(readers[1])["unreadable"] == []


def test_large_features_are_not_kept(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "_SMALL", 100)
    features = [{"columns": ["age"]}, {"columns": ["rooms"]}]
    engine.run(spec(features=features, model="SVR()"), cv=CV)
    assert not any(isinstance(value, tuple) for value in program._kept.values())


def test_the_oldest_values_are_let_go_first() -> None:
    kept = Kept(room=24)
    first, second, third = (Value(name) for name in "abc")
    for value in (first, second, third):
        kept.put(value, np.zeros(1), most=8)
    assert kept.get(first) is not None
    kept.put(Value("d"), np.zeros(1), most=8)
    assert kept.get(second) is None
    assert kept.get(first) is not None
    kept.put(third, np.zeros(1), most=8)  # once more: it does not count twice
    assert (len(kept), kept.bytes) == (3, 24)
    kept.put(Value("e"), np.zeros(2), most=8)
    kept.put(Value("f"), object(), most=8)
    kept.put(Value("g"), np.zeros(0), most=8)
    assert kept.get(Value("e")) is kept.get(Value("f")) is kept.get(Value("g")) is None
    kept.clear()
    assert (len(kept), kept.bytes) == (0, 0)


def test_what_is_kept_is_read_only(engine: Engine) -> None:
    engine.run(spec(features=[{"columns": ["age"]}]), cv=CV)
    kept = program._kept.values()
    arrays = [value for value in kept if isinstance(value, np.ndarray)]
    folds = [value for value in kept if isinstance(value, list)]
    assert arrays
    assert folds
    assert not any(array.flags.writeable for array in arrays)
    assert not any(rows.flags.writeable for fold in folds[0] for rows in fold)


def test_what_is_kept_is_bounded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program._kept, "room", 3200)
    names = ["age", "rooms", "part", "weight", "lift"]
    batch = [spec(features=[{"columns": [name]}]) for name in names]
    answers = engine.run(*batch, cv=CV)
    assert all(answer.error is None for answer in answers)
    assert sum(map(size_of, program._kept.values())) == program._kept.bytes <= 3200
    assert 0 < len(program._kept) < 6  # five columns and a target


def test_values_are_let_go_after_their_last_use(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive: list[set[str]] = []

    def watch(name: str) -> None:
        method = getattr(program._State, name)

        def watched(self: Any, *arguments: Any) -> Any:
            done = method(self, *arguments)
            by_value = {i.out: type(i.op).__name__ for i in tasks[-1].instructions}
            alive.append({by_value[v] for v in self.values if v in by_value})
            return done

        monkeypatch.setattr(program._State, name, watched)

    robust = {**SCALED, "steps": ["SimpleImputer()", "RobustScaler()"]}
    tasks = engine.compile(spec(features=[robust, {"columns": ["age"]}]), cv=CV).plan.tasks
    for task in tasks[:-1]:
        engine.task(task)
    watch("step")
    watch("_together")
    engine.task(tasks[-1])
    assert any("Encode" in kinds for kinds in alive)
    assert not alive[-1] & {Encode.__name__, Fit.__name__, Columns.__name__}
    assert {Predict.__name__, Score.__name__} <= alive[-1]
    assert {Vector.__name__, Folds.__name__} & {k for kinds in alive for k in kinds}


def test_loading_gives_each_task_its_own_copy(engine: Engine, tmp_path: Path) -> None:
    batch = [spec(model=f"SVR(C={alpha})") for alpha in (1, 2)]
    compiled = engine.compile(*batch, cv=CV)
    engine.execute(compiled)
    encoded = next(
        value
        for task in compiled.plan.tasks
        for value in task.saves
        if isinstance(_op(task, value.key), Encode) or value.fold == 0
    )
    one, two = engine.load(encoded), engine.load(encoded)
    first = one[0] if isinstance(one, tuple) else one
    wanted = (two[0] if isinstance(two, tuple) else two).copy()
    first[:] = 99.0
    np.testing.assert_array_equal(two[0] if isinstance(two, tuple) else two, wanted)
    assert Value("a", 1).name == "a-1"
