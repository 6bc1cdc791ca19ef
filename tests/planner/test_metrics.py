"""Metric names, arguments, signs and tasks; the table is held against scikit-learn's own."""

import inspect
import math

import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from planner.errors import SpecError
from planner.metric_table import ALIASES, METRICS
from planner.metrics import (
    _MULTILABEL,
    _UNSUPERVISED,
    MetricDef,
    check_task,
    default_metrics,
    metric_names,
    resolve,
)
from planner.spec import MetricSpec

SCORERS = sorted(set(sklearn.metrics.get_scorer_names()) - {*_UNSUPERVISED, *_MULTILABEL})


@pytest.mark.parametrize("name", SCORERS)
def test_scorers_are_scikit_learns(name: str) -> None:
    scorer = sklearn.metrics.get_scorer(name)
    ours = resolve(name)
    methods = scorer._response_method
    assert ours.methods == (methods if isinstance(methods, tuple) else (methods,))
    assert ours.negate == (scorer._sign < 0)
    # A scorer's value is always one that is better when greater.
    assert ours.greater_is_better
    function = ours.function.removeprefix("own.")
    assert function == scorer._score_func.__name__
    parameters = inspect.signature(scorer._score_func).parameters
    stated = {k: v for k, v in scorer._kwargs.items() if v != parameters[k].default}
    stated.pop("pos_label", None)
    assert dict(ours.arguments) == stated
    assert ours.text == ours.name == name


def test_unsupervised_and_multilabel_scorers_are_refused_by_kind() -> None:
    assert {*_UNSUPERVISED, *_MULTILABEL} <= set(sklearn.metrics.get_scorer_names())
    with pytest.raises(SpecError) as caught:
        resolve("rand_score")
    assert caught.value.code == "unknown_metric"
    assert "clusterings" in caught.value.hint
    with pytest.raises(SpecError, match="f1_samples") as caught:
        resolve("f1_samples")
    assert "f1_macro" in caught.value.hint


def test_functions_exist() -> None:
    for name, entry in METRICS.items():
        if not entry.function.startswith("own."):
            parameters = inspect.signature(getattr(sklearn.metrics, entry.function)).parameters
            assert {*entry.parameters, *dict(entry.fixed)} <= set(parameters), name
            assert entry.weights <= ("sample_weight" in parameters), name


def test_arguments_have_the_functions_defaults() -> None:
    from planner.metric_table import PARAMETERS

    for name, entry in METRICS.items():
        if entry.function.startswith("own."):
            continue
        parameters = inspect.signature(getattr(sklearn.metrics, entry.function)).parameters
        for key in entry.parameters:
            known = parameters[key].default
            if key in ("pos_label", "zero_division"):
                continue  # the greater class; 0 without a warning
            if PARAMETERS[key].required:
                assert known is inspect.Parameter.empty, (name, key)
            else:
                assert PARAMETERS[key].default == known, (name, key)


@pytest.mark.parametrize(
    ("text", "greater"),
    [
        ("rmse", False), ("neg_root_mean_squared_error", True), ("rmsle", False), ("mape", False),
        ("logloss", False), ("neg_log_loss", True), ("quadratic_kappa", True), ("gini", True),
        ("smape", False), ("brier", False), ("max_error", False), ("pinball", False),
        ("normalized_gini", True), ("error_rate", False),
    ],
)  # fmt: skip
def test_direction_is_of_the_reported_value(text: str, greater: bool) -> None:
    assert resolve(text).greater_is_better is greater


def test_aliases_lead_to_metrics_and_hide_none() -> None:
    assert set(ALIASES.values()) <= set(METRICS)
    assert not set(ALIASES) & set(METRICS)
    assert resolve("AUC").text == "roc_auc"
    assert resolve("ROC-AUC").text == "roc_auc"
    assert resolve("log_loss").text == "logloss"
    assert metric_names() == sorted(METRICS)


def test_canonical_text() -> None:
    want = "fbeta(average='macro', beta=2)"
    for form in (
        {"metric": "fbeta", "beta": 2, "average": "macro"},
        {"metric": "fbeta_score", "average": "macro", "beta": 2.0},
        "fbeta(beta=2, average='macro')",
        MetricSpec.model_validate({"metric": "fbeta", "beta": 2, "average": "macro"}),
    ):
        assert resolve(form).text == want
    assert resolve(want) == resolve(resolve(want).text)
    assert resolve({"metric": "top_k_accuracy", "k": 2}).text == "top_k_accuracy"
    assert resolve({"metric": "pinball", "alpha": 0.5}).text == "pinball"
    assert resolve("kappa(weights=None)").text == "kappa"
    assert resolve({"metric": "f1", "pos_label": False}).text == "f1(pos_label=False)"
    assert resolve({"metric": "f1", "pos_label": 0}).text == "f1(pos_label=0)"
    assert dict(resolve("quadratic_kappa").arguments) == {"weights": "quadratic"}


def _attempt(metric: object) -> tuple[MetricDef | None, str]:
    try:
        return resolve(metric), ""
    except SpecError as error:
        return None, error.code


@given(st.text(max_size=60))
def test_any_text_resolves_or_is_refused(text: str) -> None:
    found, code = _attempt(text)
    if found is None:
        assert code in ("unknown_metric", "missing_parameter", "unknown_parameter")
    else:
        assert resolve(found.text) == found


@given(
    st.sampled_from(sorted(METRICS)),
    st.dictionaries(
        st.sampled_from(["beta", "average", "k", "alpha", "power", "pos_label", "weights", "rows"]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just([]),
    ),
)
def test_any_arguments_resolve_or_are_refused(name: str, arguments: dict[str, object]) -> None:
    found, code = _attempt({"metric": name, **arguments})
    if found is None:
        assert code in ("unknown_parameter", "missing_parameter", "invalid_parameter")
    elif not any(isinstance(v, float) and not math.isfinite(v) for v in arguments.values()):
        assert resolve(found.text) == found


@pytest.mark.parametrize(
    ("metric", "code", "path", "hint"),
    [
        ("rmsee", "unknown_metric", "metrics[0]", "rmse"),
        ("", "unknown_metric", "metrics[0]", ""),
        (3, "unknown_metric", "metrics[0]", ""),
        ("f1(open('x'))", "unknown_metric", "metrics[0]", ""),
        ("f1(average=", "unknown_metric", "metrics[0]", ""),
        ({"metric": "rmse", "beta": 2}, "unknown_parameter", "metrics[0].beta", "no arguments"),
        ({"metric": "fbeta", "bta": 2}, "unknown_parameter", "metrics[0].bta", "beta"),
        ("fbeta", "missing_parameter", "metrics[0]", "beta"),
        ({"metric": "fbeta", "beta": 0}, "invalid_parameter", "metrics[0].beta", "above 0"),
        ({"metric": "fbeta", "beta": "2"}, "invalid_parameter", "metrics[0].beta", "number"),
        ({"metric": "f1", "average": "max"}, "invalid_parameter", "metrics[0].average", "'macro'"),
        ({"metric": "top_k", "k": 1.5}, "invalid_parameter", "metrics[0].k", "integer"),
        ({"metric": "d2_tweedie", "power": 0.5}, "invalid_parameter", "metrics[0].power", "least"),
        ({"metric": "f1", "average": "macro", "pos_label": 1}, "invalid_parameter",
         "metrics[0].pos_label", "binary"),
    ],
)  # fmt: skip
def test_refusals(metric: object, code: str, path: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        resolve(metric, "metrics[0]")
    assert (caught.value.code, caught.value.path) == (code, path)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("metric", "task", "hint"),
    [
        ("roc_auc", "regression", "rmse"),
        ("rmse", "binary", "use a regressor"),
        ("f1", "multiclass", "f1_macro"),
        ("roc_auc", "multiclass", "roc_auc_ovr"),
        ("fbeta(beta=2)", "multiclass", "macro"),
        ("gini", "multiclass", "roc_auc_ovr"),
        ("positive_likelihood_ratio", "multiclass", "balanced_accuracy"),
    ],
)
def test_mismatch(metric: str, task: str, hint: str) -> None:
    with pytest.raises(SpecError) as caught:
        check_task(resolve(metric), task, "evaluate.metrics[1]")  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.path) == ("metric_mismatch", "evaluate.metrics[1]")
    assert hint in caught.value.hint


def test_match() -> None:
    assert check_task(resolve("f1(average='macro')"), "multiclass")
    assert check_task(resolve("normalized_gini"), "regression")
    with pytest.raises(SpecError, match="does not take weights"):
        check_task(resolve("max_error"), "regression", weighted=True)
    with pytest.raises(SpecError, match="does not take weights"):
        check_task(resolve("roc_auc_ovo"), "multiclass", weighted=True)
    assert check_task(resolve("roc_auc_ovo"), "binary", weighted=True)
    assert default_metrics("regression") == ("r2",)
    assert default_metrics("binary") == ("roc_auc",)
    assert default_metrics("multiclass") == ("accuracy",)
