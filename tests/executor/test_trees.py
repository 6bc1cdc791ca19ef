"""Kernels that stand in for models of trees: every parameter, and what is left to the library."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.datasets import make_classification, make_friedman1

from executor.backends import rust
from executor.backends.base import Context
from executor.backends.python import PythonBackend
from executor.backends.trees import LibraryFitted, stand_ins
from executor.models import FittedModel, predict
from planner.expressions import parse
from planner.fidelity import LIBRARY_FITTED
from planner.ops import Fit, Task
from planner.ops_prefix import PrefixFit
from planner.trees import statistical
from tests.inprocess import operators

FOLDS = [(np.arange(400), np.arange(400, 600))]
HERE = Context(0)


def data(task: Task) -> tuple[np.ndarray, np.ndarray]:
    if task == "regression":
        x, y = make_friedman1(600, 6, noise=1.0, random_state=0)
        return x, y
    classes = 2 if task == "binary" else 3
    x, codes = make_classification(
        600, 6, n_informative=5, n_redundant=0, n_classes=classes, flip_y=0.05, random_state=1
    )
    return x, np.array(["à", "b", "c"], dtype=object)[codes]


def fit_of(model: str, task: Task) -> Fit:
    fit = statistical(Fit(parse(model, operators(), ""), task))
    assert type(fit) is not Fit, model
    return fit


def both(model: str, task: Task, *weights: np.ndarray) -> tuple[FittedModel, FittedModel]:
    x, y = data(task)
    fit = fit_of(model, task)
    inputs = [x, FOLDS, y, *weights]
    found = stand_ins([fit], inputs, HERE)
    assert found is not None
    library = PythonBackend().run(Fit(fit.estimator, task), inputs, HERE)
    return found[0], library


def compare(model: str, task: Task, *weights: np.ndarray) -> None:
    """Predictions of forests this large are close to each other."""
    found, library = both(model, task, *weights)
    methods = ("predict",) if task == "regression" else ("predict_proba",)
    values, method, classes = predict(found, methods)
    wanted, expected_method, expected_classes = predict(library, methods)
    assert (method, values.shape) == (expected_method, wanted.shape)
    if classes is not None:
        assert list(classes) == list(expected_classes)
        labels, *_ = predict(found, ("predict",))
        assert (labels == predict(library, ("predict",))[0]).mean() > 0.85
    scale = wanted.std()
    assert np.abs(values - wanted).mean() < 0.35 * scale, model
    assert abs(values.mean() - wanted.mean()) < 0.05 * scale


VARIANTS = (
    "", "max_features=0.5", "max_features=2", "max_features='log2'", "max_features=None",
    "max_depth=4", "min_samples_split=20", "min_samples_split=0.1", "min_samples_leaf=5",
    "min_samples_leaf=0.02", "min_weight_fraction_leaf=0.02", "min_impurity_decrease=0.002",
    "max_leaf_nodes=12", "bootstrap=True, max_samples=0.3", "bootstrap=True, max_samples=150",
    "bootstrap=False",
)  # fmt: skip


@pytest.mark.parametrize("params", VARIANTS)
def test_every_parameter_means_what_it_means_to_the_library(params: str) -> None:
    for kind in ("RandomForestRegressor", "ExtraTreesRegressor"):
        compare(f"{kind}(n_estimators=80, random_state=3, {params})", "regression")


@pytest.mark.parametrize(
    "params",
    [
        "", "criterion='entropy'", "criterion='log_loss', max_depth=5", "class_weight='balanced'",
        "class_weight='balanced_subsample'", "max_leaf_nodes=8, max_features=None",
        "criterion='entropy', min_impurity_decrease=0.002",
    ],
)  # fmt: skip
@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_classifiers(params: str, task: Task) -> None:
    for kind in ("RandomForestClassifier", "ExtraTreesClassifier"):
        compare(f"{kind}(n_estimators=80, random_state=3, {params})", task)


@pytest.mark.parametrize("kind", ["RandomForestRegressor", "ExtraTreesRegressor"])
def test_weights(kind: str) -> None:
    weights = np.random.default_rng(0).integers(0, 5, 600).astype(float)
    compare(f"{kind}(n_estimators=80, random_state=3)", "regression", weights)


def test_a_target_transformed_by_the_folds_is_transformed_back() -> None:
    from sklearn.preprocessing import StandardScaler

    x, y = data("regression")
    scaler = StandardScaler().fit(y[:400].reshape(-1, 1))
    target = (scaler.transform(y[:400].reshape(-1, 1))[:, 0], scaler)
    fit = fit_of("RandomForestRegressor(random_state=0)", "regression")
    found = stand_ins([fit], [x, FOLDS, target], HERE)
    assert found is not None
    values, *_ = predict(found[0], ("predict",))
    assert values.mean() == pytest.approx(y.mean(), rel=0.1)


def declined(x: Any, y: Any, *weights: Any, model: str = "", task: Task = "regression") -> str:
    model = model or "RandomForestRegressor(n_estimators=3, random_state=0)"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert stand_ins([fit_of(model, task)], [x, FOLDS, y, *weights], HERE) is None
    (warning,) = caught
    assert warning.category is LibraryFitted
    return str(warning.message)


def test_the_name_of_the_warning_is_what_is_looked_for() -> None:
    assert LibraryFitted.__name__ == LIBRARY_FITTED


def test_what_the_library_is_left_with(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = data("regression")
    frame = pd.DataFrame(x)
    assert "dense table" in declined(sp.csr_matrix(x), y)
    assert "dense table" in declined(frame.assign(c=pd.Categorical(["a"] * 600)), y)
    assert "dense table" in declined(x.astype(object), y)
    assert "infinite" in declined(np.where(x > 0.99, np.inf, x), y)
    assert "bad_target" in declined(x, np.where(y > 0, np.nan, y))
    assert "bad_weights" in declined(x, y, -np.ones(600))
    few = "RandomForestRegressor(max_features=7, random_state=0)"
    assert "max_features" in declined(x, y, model=few)
    one = "RandomForestClassifier(random_state=0)"
    assert "one class" in declined(x, np.zeros(600), model=one, task="binary")
    drawn = "ExtraTreesRegressor(max_samples=5, random_state=0)"
    assert "max_samples" in declined(x, y, model=drawn)
    monkeypatch.setattr(rust, "HAS_KERNELS", False)
    assert "no kernels" in declined(x, y)


def test_frames_of_numbers_are_taken() -> None:
    x, y = data("regression")
    fit = fit_of("RandomForestRegressor(n_estimators=3, random_state=0)", "regression")
    plain = stand_ins([fit], [x, FOLDS, y], HERE)
    framed = stand_ins([fit], [pd.DataFrame(x).assign(**{"1": x[:, 1] > 2}), FOLDS, y], HERE)
    assert plain is not None
    assert framed is not None


@pytest.mark.parametrize("op", ["fit", "prefixes"])
def test_a_table_that_is_left_to_the_library_may_have_any_names(
    op: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Features are a table where a kernel was to read it; LightGBM refuses some names."""
    monkeypatch.setattr(rust, "HAS_KERNELS", False)
    x, y = data("regression")
    names = [f"a[{place}]: {{,}}" for place in range(x.shape[1])]
    fit = fit_of("LGBMRegressor(n_estimators=5, random_state=0)", "regression")
    inputs = [pd.DataFrame(x, columns=names), FOLDS, y]
    asked = fit if op == "fit" else PrefixFit(fit, "n_estimators", (3, 5))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LibraryFitted)
        found = PythonBackend().run(asked, inputs, HERE)
    model = found if op == "fit" else found[-1]
    library = PythonBackend().run(Fit(fit.estimator, "regression"), [x, *inputs[1:]], HERE)
    assert np.array_equal(predict(model, ("predict",))[0], predict(library, ("predict",))[0])
