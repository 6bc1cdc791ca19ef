"""Which linear fits become one group, and that no score changes by it."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from planner.expressions import Call, text
from planner.ops import Encode, Fit, Member
from planner.ops_linear import (
    Closed,
    LinearBlocks,
    LinearFolds,
    LinearMember,
    LinearPath,
    Net,
    solver_of,
)
from tests.inprocess import EXACT, Engine
from tests.planner.planning_cases import CV, NUMBERS, RIDGE, flats, ops

Spec = dict[str, Any]
SCALED = [{"columns": NUMBERS, "steps": ["SimpleImputer()", "StandardScaler()"]}]
ENCODED = [
    {"columns": ["rooms", "age"]},
    {
        "columns": ["owner"],
        "steps": ["OneHotEncoder(handle_unknown='ignore', sparse_output=False)"],
    },
]
FITTED = [
    {"columns": ["rooms", "age"]},
    {"columns": ["owner"], "steps": ["TargetEncoder(target_type='continuous', random_state=0)"]},
]


FAMILY = [
    "LinearRegression()",
    "Ridge(alpha=0.1)",
    "Ridge(alpha=30.0)",
    "Lasso(alpha=0.5)",
    "Lasso(alpha=1000.0)",
    "ElasticNet(alpha=0.1, l1_ratio=0.3)",
]


def call(name: str, **params: Any) -> Call:
    return Call(name, tuple(sorted(params.items())))


def ridge_of(target: int = 0, **params: Any) -> LinearMember:
    return LinearMember(call("Ridge", **params), target)


def ridge(model: str = "Ridge()", **changes: Any) -> Spec:
    return {**RIDGE, "model": model, "metrics": ["r2", "rmse"], **changes}


def groups(engine: Engine, *specs: Spec, **evaluate: Any) -> list[Any]:
    """The group ops that are left after all rules."""
    compiled = engine.compile(*specs, **{"cv": CV, **evaluate})
    found = ops(*compiled.outputs)
    return [op for op in found if isinstance(op, LinearBlocks | LinearFolds | LinearPath)]


def test_raw_columns_are_one_group_over_all_folds(engine: Engine) -> None:
    specs = [ridge(f"Ridge(alpha={alpha})") for alpha in (3, 0.1, 1)]
    members = (ridge_of(), ridge_of(alpha=0.1), ridge_of(alpha=3.0))
    assert groups(engine, *specs) == [LinearFolds(members, impute=False, scale=False)]


def test_the_family_is_one_group(engine: Engine) -> None:
    """On one set of moments: least squares, ridge, lasso and elastic nets."""
    (group,) = groups(engine, *[ridge(model) for model in FAMILY])
    assert isinstance(group, LinearFolds)
    assert [text(member.estimator) for member in group.members] == sorted(FAMILY)
    (group,) = groups(engine, *[ridge(model, features=ENCODED) for model in FAMILY])
    assert isinstance(group, LinearBlocks)
    assert [text(member.estimator) for member in group.members] == sorted(FAMILY)
    (group,) = groups(engine, *[ridge(model, features=FITTED) for model in FAMILY])
    assert isinstance(group, LinearPath)
    assert [text(member.estimator) for member in group.members] == sorted(FAMILY)


@pytest.mark.parametrize("features", [None, SCALED, ENCODED, FITTED])
@pytest.mark.parametrize("target", ["price", {"column": "price", "transform": "log1p"}], ids=str)
@pytest.mark.parametrize("kernels", [True, False])
def test_the_family_scores_as_single_fits(
    engine: Engine, features: Any, target: Any, kernels: bool
) -> None:
    if not kernels:
        engine.backends = tuple(b for b in engine.backends if b.name != "rust")
    more = {"target": target} if features is None else {"target": target, "features": features}
    specs = [ridge(model, **more) for model in FAMILY]
    assert len(groups(engine, *specs)) == 1
    found = engine.run(*specs, cv=CV)
    plain = engine.run(*specs, cv=CV, rules=())
    for one, two in zip(found, plain, strict=True):
        np.testing.assert_allclose(one["r2"], two["r2"], rtol=EXACT)
        np.testing.assert_allclose(one["rmse"], two["rmse"], rtol=EXACT)


def test_a_warning_is_of_the_model_that_did_not_converge(engine: Engine) -> None:
    """Its words are scikit-learn's, and no other member has them. A task tells its own, and one
    over all folds those of every fold."""
    models = ["Lasso(alpha=0.001, max_iter=2)", "Lasso(alpha=0.001)", "Ridge(alpha=2.0)"]
    specs = [ridge(model, features=SCALED) for model in models]
    found = engine.run(*specs, cv=CV)
    plain = engine.run(*specs, cv=CV, rules=())
    assert [bool(answer.warnings) for answer in plain] == [True, False, False]
    for one, two in zip(found, plain, strict=True):
        words = [_words(warning) for warning in one.warnings]
        assert bool(words) == bool(two.warnings)
        assert all(_words(warning) in words for warning in two.warnings)


def _words(warning: str) -> tuple[str, list[float]]:
    """The text, and its numbers to four digits: those of the gap are rounded to seven."""
    numbers = re.findall(r"\d\.\d+e[+-]\d+", warning)
    return warning.partition("Duality gap")[0], [float(f"{float(n):.3e}") for n in numbers]


def test_a_failure_is_of_the_model_that_failed(engine: Engine) -> None:
    """The inverse transform overflows for one member alone."""
    models = ["Ridge()", "Ridge(alpha=1e12)"]
    target = {"column": "price", "transform": "log1p"}
    far = [{"derive": {"far": "case when part = 1 then -age * 1e9 else age end"}}]
    specs = [
        ridge(model, target=target, prepare=far, features=[{"columns": ["far"]}])
        for model in models
    ]
    answers = engine.run(*specs, cv="PredefinedSplit('part')")
    plain = engine.run(*specs, cv="PredefinedSplit('part')", rules=())
    assert plain[0].error
    assert plain[0].error["code"] == "non_finite_predictions"
    assert answers[0].error
    for key in ("code", "message", "path"):
        assert answers[0].error[key] == plain[0].error[key]
    np.testing.assert_allclose(answers[1]["r2"], plain[1]["r2"], rtol=EXACT)


def test_one_net_of_encoded_features_is_a_group_and_one_closed_form_is_not(
    engine: Engine,
) -> None:
    for model, count in (("Lasso()", 1), ("ElasticNet(0.1)", 1), ("LinearRegression()", 0)):
        assert len(groups(engine, ridge(model, features=FITTED))) == count


@pytest.mark.parametrize(
    ("model", "solver"),
    [
        (call("LinearRegression"), Closed(0.0)),
        (call("LinearRegression", fit_intercept=False, copy_X=False), Closed(0.0)),
        (call("LinearRegression", positive=True), None),
        (call("LinearRegression", tol=1e-3), None),
        (call("Ridge", alpha=2, solver="cholesky"), Closed(2.0)),
        (call("Ridge", alpha=True), None),
        (call("Ridge", fit_intercept=1), None),
        (call("Lasso"), Net(1.0, 1.0, 1e-4, 1000)),
        (call("Lasso", alpha=3, warm_start=True, random_state=1), Net(3.0, 1.0, 1e-4, 1000)),
        (call("Lasso", precompute=True, max_iter=7), Net(1.0, 1.0, 1e-4, 7)),
        (call("Lasso", l1_ratio=0.5), None),
        (call("Lasso", alpha=0), None),
        (call("Lasso", positive=True), None),
        (call("Lasso", selection="random"), None),
        (call("Lasso", max_iter=0), None),
        (call("Lasso", max_iter=None), None),
        (call("Lasso", tol="small"), None),
        (call("Lasso", precompute="auto"), None),
        (call("ElasticNet", alpha=0.1, tol=1e-6), Net(0.1, 0.5, 1e-6, 1000)),
        (call("ElasticNet", l1_ratio=0), None),
        (call("ElasticNet", l1_ratio=1.5), None),
        (call("ElasticNet", alpha=-1), None),
        (call("ElasticNetCV"), None),
        (call("BayesianRidge"), None),
    ],
    ids=lambda value: text(value) if isinstance(value, Call) else "",
)
def test_what_the_family_serves(model: Call, solver: object) -> None:
    assert solver_of(model) == solver


@pytest.mark.parametrize(
    ("steps", "impute", "scale"),
    [
        (["SimpleImputer()"], True, False),
        (["StandardScaler()"], False, True),
        (["SimpleImputer()", "StandardScaler()"], True, True),
    ],
)
def test_imputation_by_the_mean_and_scaling_are_done_by_the_kernel(
    engine: Engine, steps: list[str], impute: bool, scale: bool
) -> None:
    columns = NUMBERS if impute else ["rooms", "age"]
    spec = ridge(features=[{"columns": columns, "steps": steps}])
    (group,) = groups(engine, spec)
    assert (group.impute, group.scale) == (impute, scale)
    compiled = engine.compile(spec, cv=CV)
    assert ops(*compiled.outputs, kind=Encode) == []


def test_one_pipeline_after_another_is_the_same_group(engine: Engine) -> None:
    """Steps in `features`, in the model, or in both."""
    specs = [
        ridge("Ridge(1)", features=SCALED),
        ridge("make_pipeline(SimpleImputer(), StandardScaler(), Ridge(2))",
              features=[{"columns": NUMBERS}]),
        ridge("make_pipeline(StandardScaler(), Ridge(3))",
              features=[{"columns": NUMBERS, "steps": ["SimpleImputer()"]}]),
    ]  # fmt: skip
    scores = [answer["r2"] for answer in engine.run(*specs, cv=CV)]
    plain = [answer["r2"] for answer in engine.run(*specs, cv=CV, rules=())]
    np.testing.assert_allclose(scores, plain, rtol=EXACT)


def test_encoded_features_are_grouped_per_fold_where_there_is_company(engine: Engine) -> None:
    one = ridge("Ridge(1)", features=FITTED)
    two = ridge("Ridge(2)", features=FITTED)
    assert groups(engine, one) == []
    assert groups(engine, one, two) == [LinearPath((ridge_of(), ridge_of(alpha=2.0)))]


@pytest.mark.parametrize(
    "change",
    [
        {"features": [{"columns": ["age", "rooms"]}]},
        {"prepare": [{"filter": "age > 4"}]},
        {"model": "Ridge(2, fit_intercept=False)"},
    ],
)
def test_fits_of_other_data_are_groups_of_their_own(engine: Engine, change: Spec) -> None:
    found = groups(engine, ridge("Ridge(1)"), ridge(**{"model": "Ridge(2)", **change}))
    assert [len(group.members) for group in found] == [1, 1]


@pytest.mark.parametrize(
    "change",
    [
        {"model": "Ridge(2, positive=True)"},
        {"model": "Ridge(2, solver='sag')"},
        {"model": "Ridge(2, solver='svd')"},
        {"model": "Ridge(0)"},
        {"model": "Ridge([1.0])"},
        {"model": "RidgeCV()"},
        {"sample_weight": "weight"},
        {"target": {"column": "price", "transform": "StandardScaler()"}},
    ],
)
def test_what_the_kernel_does_not_serve_stays_a_fit(engine: Engine, change: Spec) -> None:
    compiled = engine.compile(ridge("Ridge(1)"), ridge(**{"model": "Ridge(2)", **change}), cv=CV)
    assert len(ops(*compiled.outputs, kind=Fit)) == 1
    assert [op.members for op in ops(*compiled.outputs, kind=LinearFolds)] == [(ridge_of(),)]


@pytest.mark.parametrize(
    "features",
    [
        [{"columns": NUMBERS, "steps": ["SimpleImputer(add_indicator=True)"]}],
        [{"columns": ["rooms", "age"], "steps": ["StandardScaler(with_mean=False)"]}],
        [{"columns": NUMBERS, "steps": ["StandardScaler()", "SimpleImputer()"]}],
        [{"columns": ["rooms", "age"], "steps": ["StandardScaler()", "StandardScaler()"]}],
    ],
)
def test_other_preparations_are_left_to_their_libraries(
    engine: Engine, features: list[Any]
) -> None:
    specs = [ridge(f"Ridge({alpha})", features=features) for alpha in (1, 2)]
    assert [type(group) for group in groups(engine, *specs)] == [LinearPath]
    scores = [answer["r2"] for answer in engine.run(*specs, cv=CV)]
    plain = [answer["r2"] for answer in engine.run(*specs, cv=CV, rules=())]
    np.testing.assert_allclose(scores, plain, rtol=EXACT)


def test_single_precision_columns_are_left_to_the_library(engine: Engine) -> None:
    """scikit-learn solves them in single precision."""
    engine.add("single", flats().astype({"rooms": "float32", "age": "float32"}))
    assert groups(engine, ridge(dataset="single")) == []
    specs = [ridge(f"Ridge({alpha})", dataset="single") for alpha in (1, 2)]
    scores = [answer["r2"] for answer in engine.run(*specs, cv=CV)]
    plain = [answer["r2"] for answer in engine.run(*specs, cv=CV, rules=())]
    assert scores == plain


def test_a_single_fit_of_raw_columns_is_a_group_too(engine: Engine) -> None:
    assert groups(engine, ridge("Ridge(7)"))[0].members == (ridge_of(alpha=7.0),)


def test_members_are_found_again_by_their_alpha(engine: Engine) -> None:
    alphas = (50.0, 0.001, 3.0)
    compiled = engine.compile(*[ridge(f"Ridge({alpha})") for alpha in alphas], cv=CV)
    (group,) = ops(*compiled.outputs, kind=LinearFolds)
    found = []
    for output in compiled.outputs[::2]:  # two metrics each
        member = output.inputs[0].op
        assert isinstance(member, Member)
        solver = solver_of(group.members[member.index].estimator)
        assert isinstance(solver, Closed)
        found.append(solver.alpha)
    assert tuple(found) == alphas


@pytest.mark.parametrize(
    "cv",
    [
        "KFold(4)",
        "ShuffleSplit(3, test_size=0.3)",
        "TimeSeriesSplit(4)",
        "RepeatedKFold(n_splits=3, n_repeats=2)",
        "PredefinedSplit('part')",
        {"holdout": 0.25, "seed": 3},
    ],
)
@pytest.mark.parametrize("kernels", [True, False])
def test_groups_score_as_single_fits_under_every_split(
    engine: Engine, cv: Any, kernels: bool
) -> None:
    if not kernels:
        engine.backends = tuple(b for b in engine.backends if b.name != "rust")
    specs = [
        ridge(f"Ridge({alpha})", features=features, prepare=prepare)
        for alpha in (0.01, 10)
        for features in (RIDGE["features"], SCALED, ENCODED, FITTED)
        for prepare in ([], [{"filter": "age > 6", "only": "train"}])
    ]
    scores = [answer["r2"] for answer in engine.run(*specs, cv=cv)]
    plain = [answer["r2"] for answer in engine.run(*specs, cv=cv, rules=())]
    np.testing.assert_allclose(scores, plain, rtol=EXACT)


def test_a_failure_of_a_group_is_one_of_the_models(engine: Engine) -> None:
    """Every pipeline of the group is told, at its own place, about Ridge."""
    specs = [ridge(f"Ridge({alpha})", features=[{"columns": NUMBERS}]) for alpha in (1, 2)]
    answers = engine.run(*specs, cv=CV)
    for position, answer in enumerate(answers):
        assert answer.error is not None
        assert answer.error["code"] == "missing_values"
        assert answer.error["message"].startswith("Ridge failed")
        assert answer.error["path"] == f"pipelines[{position}].model"


def test_known_scores_do_not_join_a_group(engine: Engine) -> None:
    keys: Callable[[Spec], list[str]] = lambda spec: [  # noqa: E731
        node.key for nodes in engine.build(spec, cv=CV).scores.values() for node in nodes
    ]
    specs = [ridge("Ridge(1)"), ridge("Ridge(2)")]
    compiled = engine.compile(*specs, cv=CV, known=keys(specs[0]))
    (group,) = ops(*compiled.outputs, kind=LinearFolds)
    assert group.members == (ridge_of(alpha=2.0),)
    assert compiled.known == 2
