"""Scores that are taken together are those that are taken one by one, or are left to that."""

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rust_exec
from executor import program
from executor.backends.base import Context, Work
from executor.backends.python import PythonBackend
from executor.backends.rust import RustBackend
from executor.scoring import score
from planner.errors import StratumError
from planner.graph import Op
from planner.metric_table import METRICS
from planner.metrics import resolve
from planner.ops import Folds, Method, Score
from planner.plan import Instruction, Task, Value

LABELS: dict[str, list[Any]] = {
    "int": [0, 1, 2, 5],
    "float": [0.0, 1.0, 2.0, 5.0],
    "str": ["a", "b", "ç", "δ"],
    "bool": [False, True],
    "wide": [-(2**40), 3, 2**40, 2**41],
}
ARGUMENTS = {"beta": 2, "recall": 0.5, "precision": 0.5, "rows": 3}
SERVED = {
    "regression": "mse rmse mae mape medae max_error r2 explained_variance msle rmsle "
    "neg_mean_squared_error neg_root_mean_squared_log_error",
    "labels": "accuracy error_rate balanced_accuracy matthews_corrcoef f1_macro f1_micro "
    "f1_weighted precision_macro recall_weighted jaccard_macro jaccard_micro jaccard_weighted",
    "binary": "roc_auc gini average_precision logloss neg_log_loss brier neg_brier_score "
    "roc_auc_ovr roc_auc_ovo_weighted f1 precision recall jaccard fbeta(beta=2)",
    "multiclass": "logloss brier average_precision roc_auc_ovr roc_auc_ovo roc_auc_ovr_weighted "
    "roc_auc_ovo_weighted",
}


def texts(task: str) -> list[str]:
    """Every metric of a task, written as the planner writes it."""
    found = []
    for name, entry in METRICS.items():
        given = {key: ARGUMENTS[key] for key in entry.parameters if key in ARGUMENTS}
        definition = resolve({"metric": name, **given})
        if task in definition.tasks:
            found.append(definition.text)
        if "average" in entry.parameters:
            found.append(resolve({"metric": name, **given, "average": "macro"}).text)
        if "zero_division" in entry.parameters and task in definition.tasks:
            found.append(resolve({"metric": name, **given, "zero_division": 1}).text)
        if "adjusted" in entry.parameters:
            found.append(resolve({"metric": name, "adjusted": True}).text)
    return found


class Asked:
    """Scores of many answers on one target, as the instructions of a task would ask for them."""

    def __init__(self, y: Any, task: Any, positive: str | None = None) -> None:
        self.target = np.concatenate([y, y[:1]])  # one training row
        rows = np.arange(len(y))
        self.folds = [(np.array([len(y)]), rows)]
        self.y, self.task, self.positive = y, task, positive
        self.works: list[Work] = []

    def add(
        self, metric: str, values: Any, method: Method = "predict", classes: Any = None
    ) -> None:
        inputs = [(values, method, classes), self.folds, self.target]
        self.works.append(Work(Score(metric, self.task, self.positive), inputs, Context(0)))

    def check(self) -> list[str]:
        """Compares; names the metrics that were answered."""
        found = RustBackend().together(self.works)
        answered = []
        for work, value in zip(self.works, found, strict=True):
            if value is None:
                continue
            op, (values, method, classes) = work.op, work.inputs[0]
            assert isinstance(op, Score)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                wanted = score(
                    op.metric, self.task, self.y, values, classes, None, self.positive, method
                )
            np.testing.assert_allclose(value, wanted, rtol=1e-12, atol=1e-14, err_msg=op.metric)
            answered.append(op.metric)
        return answered


def regression_case(n: int, seed: int, kind: str) -> Asked:
    rng = np.random.default_rng(seed)
    y = rng.gamma(2.0, 3.0, n)
    if kind == "constant":
        y[:] = 3.0
    elif kind == "zeros":
        y[rng.random(n) < 0.5] = 0.0
    elif kind == "negative":
        y -= 5
    elif kind == "huge":
        y *= 1e150
    elif kind == "tiny":
        y *= 1e-200
    target: Any = y
    if kind == "int":
        target = np.ceil(y).astype(np.int64)
    elif kind == "objects":
        target = np.array(np.ceil(y).tolist(), dtype=object)
    asked = Asked(target, "regression")
    table = np.asfortranarray(y[:, None] * rng.uniform(0.9, 1.1, (n, 3)))
    answers = [table[:, 0], table[:, 1], np.ascontiguousarray(table)[:, 2], y.copy(), y * 0]
    answers += [table[:, :1], table[:, 0].astype(np.float32), np.round(y).astype(np.int64)]
    bad = table[:, 0].copy()
    bad[0] = np.nan
    answers.append(bad)
    for values in answers:
        for metric in texts("regression"):
            asked.add(metric, values)
    return asked


REGRESSION = ("plain", "constant", "zeros", "negative", "huge", "tiny", "int", "objects")


@pytest.mark.parametrize("kind", REGRESSION)
@pytest.mark.parametrize("n", [1, 2, 7, 130, 1000])
def test_regression(kind: str, n: int) -> None:
    with np.errstate(all="ignore"):
        answered = regression_case(n, n, kind).check()
    if kind == "plain" and n > 1:
        assert set(answered) >= set(SERVED["regression"].split())


def test_predicted_quantities_have_the_librarys_bits() -> None:
    asked = regression_case(5001, 0, "plain")
    for work, value in zip(asked.works, RustBackend().together(asked.works), strict=True):
        if value is not None:
            op = work.op
            assert isinstance(op, Score)
            assert value == score(op.metric, "regression", asked.y, work.inputs[0][0])


def classified(n: int, kinds: int, labels: str, seed: int, every: bool = True) -> Asked:
    """Labels, probabilities with ties, and margins, on a target with `every` class or not."""
    rng = np.random.default_rng(seed)
    names = LABELS[labels][:kinds]
    classes = np.array(names, dtype=object if labels == "str" and seed % 2 else None)
    codes = rng.integers(0, kinds, n)
    if every:
        codes[:kinds] = np.arange(min(kinds, n))
    task = "binary" if kinds == 2 else "multiclass"
    positive = repr(names[seed % 3 % 2]) if kinds == 2 and seed % 3 else None
    asked = Asked(classes[codes], task, positive)
    for model in range(3):
        proba = rng.dirichlet(np.ones(kinds), n)
        if model == 1:
            proba = np.round(proba, 1) + 0.05
            proba /= proba.sum(axis=1, keepdims=True)
        if model == 2:
            proba = np.eye(kinds)[codes]
        hit = rng.random(n) < (0.7, 0.2, 1.0)[model]
        predicted = np.where(hit, codes, rng.integers(0, kinds, n) if model else 0)
        margin = np.log(proba + 1e-9)
        margin = margin[:, 1] - margin[:, 0] if kinds == 2 else margin
        answers: dict[Method, list[Any]] = {
            "predict": [classes[predicted]],
            "predict_proba": [proba, proba.astype(np.float32)],
            "decision_function": [margin],
        }
        for metric in texts(task):
            for method in resolve(metric).methods:
                for values in answers[method]:
                    asked.add(metric, values, method, classes)
    return asked


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("seed", range(3))
def test_binary(labels: str, seed: int) -> None:
    answered = classified(60, 2, labels, seed).check()
    assert set(answered) >= {*SERVED["binary"].split(" f1")[0].split(), "accuracy"}
    assert set(answered) >= {resolve(name).text for name in SERVED["binary"].split()}


@pytest.mark.parametrize("labels", ["int", "float", "str", "wide"])
@pytest.mark.parametrize("seed", range(2))
def test_multiclass(labels: str, seed: int) -> None:
    answered = classified(90, 4, labels, seed).check()
    assert set(answered) >= {*SERVED["multiclass"].split(), *SERVED["labels"].split()}


@pytest.mark.parametrize("kinds", [2, 3])
def test_many_rows(kinds: int) -> None:
    """Enough to sort by digits: probabilities, and margins of either sign."""
    answered = classified(2500, kinds, "int", 0).check()
    assert set(answered) >= {"average_precision", "roc_auc_ovo", "roc_auc_ovr_weighted", "logloss"}


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(1, 12),
    kinds=st.integers(2, 4),
    labels=st.sampled_from(["int", "float", "str", "wide"]),
    seed=st.integers(0, 10**6),
)
def test_few_rows(n: int, kinds: int, labels: str, seed: int) -> None:
    """Classes are missing in the target, in the predictions, or in both."""
    classified(n, kinds, labels, seed, every=False).check()


@pytest.mark.parametrize(
    ("y", "classes", "values", "method"),
    [
        ([0, 1, 1], [0, 1], [0.2, np.nan, 0.3], "predict_proba"),
        ([0, 1, 1], [0, 1], [0.2, np.inf, 0.3], "decision_function"),
        ([0, 1, 1], [0, 1], [0.2, 1.5, 0.3], "predict_proba"),
        ([1, 1, 1], [0, 1], [0.2, 0.5, 0.3], "predict_proba"),
        ([0, 1, 7], [0, 1], [0.2, 0.5, 0.3], "predict_proba"),
        ([0, 1, 1], [1], [0.2, 0.5, 0.3], "predict_proba"),
        ([0, 1, 1], [1, 0], [0.2, 0.5, 0.3], "predict_proba"),
        ([0.5, 1.5, 1.5], [0.5, 1.5], [0.2, 0.5, 0.3], "predict_proba"),
        (["a", "b", "b"], [0, 1], [0.2, 0.5, 0.3], "predict_proba"),
        ([0, 1, 1], [0, 1], [[0.2] * 3] * 3, "predict_proba"),
        ([0, 1, 2], [0, 1, 2], [[0.2] * 3] * 3, "predict_proba"),
        ([0, 2, 2], [0, 2], np.array([0, 2, 0], dtype=np.int32), "predict"),
        ([0, 1, 1], [0, 1], ["x", "y", "y"], "predict"),
        ([0, 1, 1], [0, 1], [0, 5, 1], "predict"),
        ([0, 1, 1], [0, 1], [False, True, True], "predict"),
        ([1, 1, 1], [1], [1, 1, 1], "predict"),
        ([0.5, 1.5, 1.5], [0.5, 1.5], [0.5, 0.5, 1.5], "predict"),
    ],
    ids=repr,
)
def test_what_the_library_must_judge_is_left_to_it(
    y: list[Any], classes: list[Any], values: list[Any], method: Method
) -> None:
    task = "multiclass" if len(classes) > 2 else "binary"
    asked = Asked(np.array(y), task)
    for metric in texts(task):
        if method in resolve(metric).methods:
            asked.add(metric, np.array(values), method, np.array(classes))
    asked.check()


def test_weights_and_unknown_arguments_are_left_to_the_library() -> None:
    y = np.arange(8.0)
    asked = Asked(y, "regression")
    asked.add("rmse", y + 1)
    asked.add("pinball(alpha=0.9)", y + 1)
    _, inputs, context = asked.works[0]
    weighted = Work(Score("rmse", "regression", None, True), [*inputs, np.ones(9)], context)
    assert RustBackend().together([*asked.works, weighted]) == [1.0, None, None]


def test_a_fault_of_the_kernel_is_served_by_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **more: Any) -> Any:
        error = rust_exec.KernelInternalError("lost")
        error.code = "kernel_internal"
        raise error

    monkeypatch.setattr(rust_exec, "score_numbers", broken)
    asked = Asked(np.arange(8.0), "regression")
    asked.add("rmse", np.arange(8.0))
    with pytest.warns(RuntimeWarning, match="kernel_internal"):
        assert RustBackend().together(asked.works) == [None]


class Given(Op):
    """An op whose value is in the test."""


class Values:
    """Serves `Given` by key."""

    name = "given"

    def __init__(self, values: dict[str, Any]) -> None:
        self.values, self.places = values, iter(values)

    def supports(self, op: Op) -> bool:
        return isinstance(op, Given | Folds)

    def run(self, op: Op, inputs: Any, context: Context) -> Any:
        value = self.values[next(self.places)]
        if isinstance(value, StratumError):
            raise value
        return value


def test_a_task_scores_alike_with_and_without_kernels(tmp_path: Any) -> None:
    """Failures stay where they were: of an answer, and of a metric."""
    y = np.arange(40.0)
    rng = np.random.default_rng(0)
    values: dict[str, Any] = {
        "folds": [(np.arange(20), np.arange(20, 40))],
        "y": y,
        "one": (y[20:] + rng.normal(size=20), "predict", None),
        "bad": StratumError("lost", "No answer."),
        "low": (y[20:] * -1.0, "predict", None),
        "two": (y[20:] + rng.normal(size=20), "predict", None),
    }
    program_ = [
        Instruction(Value(key, 0 if key in ("one", "bad", "low", "two") else None), Given(), ())
        for key in values
    ]
    keys = ("one", "bad", "low", "two")
    for key in keys:
        for metric in ("r2", "rmsle", "spearman"):
            inputs = (Value(key, 0), Value("folds"), Value("y"))
            program_.append(
                Instruction(Value(f"{key}-{metric}", 0), Score(metric, "regression"), inputs)
            )
    asked = tuple(i.out for i in program_ if isinstance(i.op, Score))
    task = Task(0, tuple(program_), (), (), asked, (), ())
    results = [
        program.run(task, str(tmp_path), {}, "1GB", (Values(values), *backends, PythonBackend()))
        for backends in ([RustBackend()], [])
    ]
    together, alone = results
    assert together["failures"] == alone["failures"]
    assert set(together["failures"]) == {"bad", "low-rmsle"}
    assert [score[:2] for score in together["scores"]] == [score[:2] for score in alone["scores"]]
    np.testing.assert_allclose(
        [score[2] for score in together["scores"]], [score[2] for score in alone["scores"]],
        rtol=1e-12,
    )  # fmt: skip
    served = [backend for kind, backend, *_ in together["timings"] if kind == "Score"]
    assert sorted(served) == ["python"] * 3 + ["rust"] * 5


def test_answers_are_not_held_on_to_without_bound(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    together = RustBackend.together

    def counted(self: RustBackend, works: Any) -> Any:
        calls.append(len(works))
        return together(self, works)

    monkeypatch.setattr(RustBackend, "together", counted)
    monkeypatch.setattr(program, "_WAITING_BYTES", 1000)
    y = np.arange(40.0)
    values: dict[str, Any] = {"folds": [(np.arange(20), np.arange(20, 40))], "y": y}
    values.update({f"p{i}": (y[20:] + i, "predict", None) for i in range(20)})
    instructions = [Instruction(Value(key), Given(), ()) for key in ("folds", "y")]
    for key in list(values)[2:]:
        instructions.append(Instruction(Value(key, 0), Given(), ()))
        inputs = (Value(key, 0), Value("folds"), Value("y"))
        instructions.append(Instruction(Value(f"s{key}", 0), Score("r2", "regression"), inputs))
    scores = tuple(i.out for i in instructions if isinstance(i.op, Score))
    task = Task(0, tuple(instructions), (), (), scores, (), ())
    backends = (Values(values), RustBackend(), PythonBackend())
    assert len(program.run(task, str(tmp_path), {}, "1GB", backends)["scores"]) == 20
    assert len(calls) > 1
    assert sum(calls) == 20
