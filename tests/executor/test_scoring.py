"""Scores are those of scikit-learn's scorers on the fitted model."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.svm import LinearSVC

from executor.scoring import score
from planner.errors import DataError, ExecutionError, SpecError
from planner.metrics import _MULTILABEL, _UNSUPERVISED, resolve
from planner.ops import Task

SUPERVISED = sorted(set(sklearn.metrics.get_scorer_names()) - {*_UNSUPERVISED, *_MULTILABEL})
LABELS: dict[str, list[Any]] = {
    "int": [0, 1, 2, 3],
    "str": ["a", "b", "ç", "δ"],
    "bool": [False, True],
}


class Fixed(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose answers are given: rows are positions."""

    def __init__(self, classes: Any, labels: Any, proba: Any) -> None:
        self.classes_, self.labels, self.proba = classes, labels, proba

    def predict(self, x: Any) -> Any:
        return self.labels

    def predict_proba(self, x: Any) -> Any:
        return self.proba


class FixedDecision(Fixed):
    def decision_function(self, x: Any) -> Any:
        margin = np.log(self.proba + 1e-9)
        return margin[:, 1] - margin[:, 0] if len(self.classes_) == 2 else margin


class FixedRegressor(RegressorMixin, BaseEstimator):
    def __init__(self, values: Any) -> None:
        self.values = values

    def predict(self, x: Any) -> Any:
        return self.values


def answer(model: Any, metric: str, x: Any) -> tuple[Any, Any]:
    for method in resolve(metric).methods:
        if hasattr(model, method):
            return getattr(model, method)(x), method
    raise AssertionError(metric)


def same(ours: float, theirs: float) -> None:
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)


def reference(scorer: Any, model: Any, x: Any, y: Any, weights: Any) -> float:
    extra = {} if weights is None else {"sample_weight": weights}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(scorer(model, x, y, **extra))


@st.composite
def classified(draw: st.DrawFn, kinds: int, labels: str) -> tuple[Any, Any, Any]:
    """A model, targets that hold every class, and weights or None."""
    n = draw(st.integers(kinds * 2, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes = np.array(LABELS[labels][:kinds])
    codes = np.concatenate([np.arange(kinds), rng.integers(0, kinds, n - kinds)])
    proba = rng.dirichlet(np.ones(kinds), n)
    if draw(st.booleans()):  # ties
        proba = np.round(proba, 1) + 0.05
        proba /= proba.sum(axis=1, keepdims=True)
    y = classes[rng.permutation(codes)]
    kind = draw(st.sampled_from([Fixed, FixedDecision]))
    predicted = classes[rng.integers(0, kinds, n)]
    if draw(st.booleans()) and labels == "str":
        y, predicted = y.astype(object), predicted.astype(object)
    weights = rng.uniform(0.1, 3, n) if draw(st.booleans()) else None
    return kind(classes, predicted, proba), y, weights


def check_classifier(
    name: str, task: Task, model: Any, y: Any, weights: Any, scorer: Any = None, x: Any = None
) -> None:
    definition = resolve(name)
    if not definition.weights and not (task == "binary" and "ovo" in name):
        weights = None
    x = np.zeros((len(y), 1)) if x is None else x
    theirs = reference(scorer or sklearn.metrics.get_scorer(name), model, x, y, weights)
    if not np.isfinite(theirs):
        assume(False)
    prediction, method = answer(model, name, x)
    ours = score(name, task, y, prediction, model.classes_, weights, None, method)
    same(ours, theirs)


BINARY = [name for name in SUPERVISED if "binary" in resolve(name).tasks]
MULTI = [name for name in SUPERVISED if "multiclass" in resolve(name).tasks]
NUMBERS = [name for name in SUPERVISED if "regression" in resolve(name).tasks]


def positive_scorer(name: str, positive: Any) -> Any:
    """The scorer for labels that scikit-learn's default of 1 does not name."""
    known = sklearn.metrics.get_scorer(name)
    return make_scorer(
        known._score_func,
        response_method=known._response_method,
        greater_is_better=known._sign > 0,
        **{**known._kwargs, "pos_label": positive},
    )


@pytest.mark.parametrize("labels", ["int", "str", "bool"])
@pytest.mark.parametrize("name", BINARY)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_binary(name: str, labels: str, data: st.DataObject) -> None:
    model, y, weights = data.draw(classified(2, labels))
    scorer = None
    if labels == "str" and "pos_label" in _names(name) and not name.endswith("ratio"):
        scorer = positive_scorer(name, model.classes_[-1])
    check_classifier(name, "binary", model, y, weights, scorer)


@pytest.mark.parametrize("labels", ["int", "str"])
@pytest.mark.parametrize("name", MULTI)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_multiclass(name: str, labels: str, data: st.DataObject) -> None:
    model, y, weights = data.draw(classified(4, labels))
    check_classifier(name, "multiclass", model, y, weights)


@pytest.mark.parametrize("name", NUMBERS)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_regression(name: str, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    n = data.draw(st.integers(2, 40))
    y, predicted = rng.gamma(2.0, 3.0, (2, n)) + 0.1
    if data.draw(st.booleans()):
        y = np.ceil(y).astype(np.int64)
    weights = rng.uniform(0.1, 3, n) if data.draw(st.booleans()) else None
    if not resolve(name).weights:
        weights = None
    theirs = reference(
        sklearn.metrics.get_scorer(name), FixedRegressor(predicted), np.zeros((n, 1)), y, weights
    )
    assume(np.isfinite(theirs))
    same(score(name, "regression", y, predicted, None, weights), theirs)


def _names(name: str) -> tuple[str, ...]:
    from planner.metric_table import METRICS

    return METRICS[resolve(name).name].parameters


@pytest.mark.parametrize(
    "name", ["f1", "precision", "recall", "jaccard", "average_precision", "neg_brier_score"]
)
@pytest.mark.parametrize("labels", ["int", "str", "bool"])
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_the_lesser_class_may_be_positive(name: str, labels: str, data: st.DataObject) -> None:
    model, y, weights = data.draw(classified(2, labels))
    positive = model.classes_.tolist()[0]
    x = np.zeros((len(y), 1))
    theirs = reference(positive_scorer(name, positive), model, x, y, weights)
    prediction, method = answer(model, name, x)
    text = resolve({"metric": name, "pos_label": positive}).text
    same(score(text, "binary", y, prediction, model.classes_, weights, None, method), theirs)
    by_spec = score(name, "binary", y, prediction, model.classes_, weights, repr(positive), method)
    same(by_spec, theirs)


def test_ranking_with_the_lesser_class_positive_is_the_same_area() -> None:
    model, y = LogisticRegression(), np.array(["no", "yes"] * 10, dtype=object)
    x = np.random.default_rng(0).normal(size=(20, 2))
    model.fit(x, y)
    margin = model.decision_function(x)
    for metric in ("roc_auc", "gini"):
        a = score(metric, "binary", y, margin, model.classes_, method="decision_function")
        b = score(metric, "binary", y, margin, model.classes_, None, "'no'", "decision_function")
        assert a == pytest.approx(b, rel=1e-12)


@pytest.mark.parametrize("kind", [LogisticRegression, LinearSVC])
def test_real_models(kind: type) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(90, 4))
    y = np.where(x[:, 0] + rng.normal(size=90) > 0, "yes", "no")
    model = kind().fit(x, y)
    for name in ("roc_auc", "average_precision", "accuracy", "f1"):
        known = positive_scorer(name, "yes") if "pos_label" in _names(name) else None
        check_classifier(name, "binary", model, y, None, known, x)


@pytest.mark.parametrize(
    ("metric", "function", "kwargs"),
    [
        ("rmse", "root_mean_squared_error", {}),
        ("mse", "mean_squared_error", {}),
        ("mae", "mean_absolute_error", {}),
        ("rmsle", "root_mean_squared_log_error", {}),
        ("msle", "mean_squared_log_error", {}),
        ("mape", "mean_absolute_percentage_error", {}),
        ("medae", "median_absolute_error", {}),
        ("max_error", "max_error", {}),
        ("pinball(alpha=0.9)", "mean_pinball_loss", {"alpha": 0.9}),
        ("d2_pinball(alpha=0.1)", "d2_pinball_score", {"alpha": 0.1}),
        ("d2_tweedie(power=1)", "d2_tweedie_score", {"power": 1}),
        ("tweedie_deviance(power=1.5)", "mean_tweedie_deviance", {"power": 1.5}),
        ("poisson_deviance", "mean_poisson_deviance", {}),
        ("gamma_deviance", "mean_gamma_deviance", {}),
    ],
)
def test_regression_functions(metric: str, function: str, kwargs: dict[str, Any]) -> None:
    rng = np.random.default_rng(0)
    y, predicted = rng.gamma(2.0, 3.0, (2, 50)) + 0.1
    theirs = getattr(sklearn.metrics, function)(y, predicted, **kwargs)
    assert score(metric, "regression", y, predicted) == pytest.approx(theirs, rel=1e-12)
    assert score(metric, "regression", y, predicted[:, None]) == pytest.approx(theirs, rel=1e-12)


def test_label_functions() -> None:
    rng = np.random.default_rng(0)
    y, predicted = rng.integers(0, 4, (2, 60))
    for metric, theirs in (
        ("kappa", sklearn.metrics.cohen_kappa_score(y, predicted)),
        ("quadratic_kappa", sklearn.metrics.cohen_kappa_score(y, predicted, weights="quadratic")),
        ("kappa(weights='linear')", sklearn.metrics.cohen_kappa_score(y, predicted,
                                                                      weights="linear")),
        ("error_rate", sklearn.metrics.zero_one_loss(y, predicted)),
        ("fbeta(beta=2, average='macro')", sklearn.metrics.fbeta_score(y, predicted, beta=2,
                                                                       average="macro")),
        ("balanced_accuracy(adjusted=True)", sklearn.metrics.balanced_accuracy_score(
            y, predicted, adjusted=True)),
    ):  # fmt: skip
        assert score(metric, "multiclass", y, predicted, np.arange(4)) == pytest.approx(theirs)
    hits, guess = y > 1, predicted > 1
    theirs = sklearn.metrics.fbeta_score(hits, guess, beta=0.5)
    assert score("fbeta(beta=0.5)", "binary", hits, guess, [False, True]) == pytest.approx(theirs)


def test_own_regression_metrics_by_hand() -> None:
    y, predicted = np.array([1.0, 2.0, 0.0, 4.0]), np.array([2.0, 2.0, 0.0, 3.0])

    def run(metric: str, *args: Any) -> float:
        return score(metric, "regression", *args)

    assert run("smape", y, predicted) == pytest.approx((2 / 3 + 2 / 7) / 4)
    assert run("wape", y, predicted) == pytest.approx(2 / 7)
    assert run("rmspe", y[[0, 1, 3]], predicted[[0, 1, 3]]) == pytest.approx(
        np.sqrt((1 + 0 + 1 / 16) / 3)
    )
    assert run("pearson", y, predicted) == pytest.approx(np.corrcoef(y, predicted)[0, 1])
    assert run("spearman", y, predicted) == pytest.approx(
        pd.Series(y).corr(pd.Series(predicted), method="spearman")
    )
    assert run("normalized_gini", y, y) == pytest.approx(1.0)
    # Whole numbers as weights count rows.
    weights = np.array([1.0, 3.0, 2.0, 1.0])
    repeated = np.repeat(np.arange(4), weights.astype(int))
    for metric in ("smape", "wape", "rmse", "mae", "r2"):
        weighted = run(metric, y, predicted, None, weights)
        assert weighted == pytest.approx(run(metric, y[repeated], predicted[repeated]))


def test_own_ranking_metrics() -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 200)
    proba = rng.uniform(size=200) * 0.5 + y * 0.3

    def run(metric: str) -> float:
        return score(metric, "binary", y, proba, [0, 1], method="predict_proba")

    auc = sklearn.metrics.roc_auc_score(y, proba)
    assert run("gini") == pytest.approx(2 * auc - 1)
    assert run("normalized_gini") == pytest.approx(2 * auc - 1)
    order = np.argsort(-proba)
    assert run("precision_at_k(rows=30)") == pytest.approx(y[order[:30]].mean())
    assert run("recall_at_k(rows=30)") == pytest.approx(y[order[:30]].sum() / y.sum())
    at = [y[order[: k + 1]] for k in range(200)]
    assert run("precision_at_recall(recall=0.8)") == pytest.approx(
        max(top.mean() for top in at if top.sum() / y.sum() >= 0.8)
    )
    assert run("recall_at_precision(precision=0.8)") == pytest.approx(
        max(top.sum() / y.sum() for top in at if top.mean() >= 0.8)
    )


def test_both_columns_or_the_positive_one() -> None:
    y = np.array(["a", "b", "b", "a"])
    proba = np.array([0.2, 0.7, 0.6, 0.4])
    both = np.column_stack([1 - proba, proba])
    for metric in ("roc_auc", "logloss", "brier", "average_precision"):
        one = score(metric, "binary", y, proba, ["a", "b"], method="predict_proba")
        two = score(metric, "binary", y, both, ["a", "b"], method="predict_proba")
        assert one == two


def test_a_fold_may_lack_a_class_the_model_knows() -> None:
    classes = np.array(["a", "b", "c"])
    proba = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1]])
    y = np.array(["a", "b"])
    want = -np.mean(np.log([0.5, 0.8]))
    assert score("logloss", "multiclass", y, proba, classes, method="predict_proba") == (
        pytest.approx(want)
    )
    top = score("top_k_accuracy(k=1)", "multiclass", y, proba, classes, method="predict_proba")
    assert top == 1.0
    brier = score("brier", "multiclass", y, proba, classes, method="predict_proba")
    assert brier == pytest.approx((0.25 + 0.09 + 0.04 + 0.01 + 0.04 + 0.01) / 2)
    one = score("logloss", "binary", y[:1], proba[:1, :2], classes[:2], method="predict_proba")
    assert one == pytest.approx(-np.log(0.5 / 0.8), rel=0.5)
    assert score("f1", "binary", np.array(["a", "a"]), np.array(["a", "a"]), ["a", "b"]) == 0.0


@pytest.mark.parametrize(
    ("metric", "task", "y", "prediction", "classes", "method", "code"),
    [
        ("rmse", "regression", [1.0, 2.0], [1.0, np.nan], None, "predict",
         "non_finite_predictions"),
        ("roc_auc", "binary", [0, 1], [0.1, np.inf], [0, 1], "decision_function",
         "non_finite_predictions"),
        ("roc_auc", "binary", [1, 1], [0.1, 0.2], [0, 1], "predict_proba", "one_class_in_fold"),
        ("gini", "binary", [0, 0], [0.1, 0.2], [0, 1], "predict_proba", "one_class_in_fold"),
        ("logloss", "binary", [0, 0], [[1.0], [1.0]], [0], "predict_proba", "one_class_in_fold"),
        ("roc_auc_ovr", "multiclass", [0, 1], [[0.2, 0.3, 0.5]] * 2, [0, 1, 2], "predict_proba",
         "one_class_in_fold"),
        ("logloss", "multiclass", [0, 3], [[0.2, 0.3, 0.5]] * 2, [0, 1, 2], "predict_proba",
         "unseen_class_in_fold"),
        ("rmsle", "regression", [1.0, 2.0], [-1.0, 2.0], None, "predict", "metric_domain"),
        ("rmsle", "regression", [-2.0, 2.0], [1.0, 2.0], None, "predict", "metric_domain"),
        ("gamma_deviance", "regression", [0.0, 2.0], [1.0, 2.0], None, "predict", "metric_domain"),
        ("rmspe", "regression", [0.0, 2.0], [1.0, 2.0], None, "predict", "metric_domain"),
        ("r2", "regression", [1.0], [1.0], None, "predict", "undefined_metric"),
        ("pearson", "regression", [1.0, 2.0], [1.0, 1.0], None, "predict", "undefined_metric"),
        ("f1(pos_label='d')", "binary", ["a", "b"], ["a", "b"], ["a", "b"], "predict",
         "unknown_class"),
    ],
)  # fmt: skip
def test_refusals(
    metric: str, task: Task, y: Any, prediction: Any, classes: Any, method: Any, code: str
) -> None:
    with pytest.raises((DataError, ExecutionError, SpecError)) as caught:
        score(metric, task, np.array(y), np.array(prediction), classes, method=method)
    assert caught.value.code == code
    assert caught.value.hint


def test_targets_of_other_types() -> None:
    flags = np.array([True, False, True], dtype=object)
    assert score("f1", "binary", flags, np.array([True, True, True]), [False, True]) == (
        pytest.approx(0.8)
    )
    nullable = pd.array([1, 0, 1], dtype="Int64")
    assert score("accuracy", "binary", nullable, np.array([1, 1, 1]), [0, 1]) == pytest.approx(
        2 / 3
    )
    strings = pd.Series(["x", "y"], dtype="str")
    assert score("accuracy", "binary", strings, np.array(["x", "y"]), ["x", "y"]) == 1.0
    # The label of the spec need not be of the column's type.
    y, guess = np.array([True, False, True]), np.array([True, True, False])
    assert score("recall", "binary", y, guess, [False, True], None, "1") == pytest.approx(1 / 2)
    assert score("recall", "binary", y, guess, [False, True], None, "'False'") == 0.0


def test_the_positive_class_is_no_matter_where_there_are_more() -> None:
    classes = np.array(["a", "b", "c"])
    proba = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    for metric in ("logloss", "roc_auc_ovr"):
        plain = score(metric, "multiclass", classes, proba, classes, method="predict_proba")
        other = score(metric, "multiclass", classes, proba, classes, None, "'yes'", "predict_proba")
        assert plain == other
