"""One group for several targets of the same features and folds, in which each fails alone."""

from typing import Any

import numpy as np
import pytest

from executor.backends.base import Context
from executor.backends.python import PythonBackend
from executor.backends.rust import RustBackend
from planner.errors import DataError, StratumError
from planner.expressions import Call
from planner.ops import Fit
from planner.ops_components import ComponentFolds, ComponentPath
from planner.ops_linear import LinearBlocks, LinearFolds, LinearMember, LinearPath
from tests.inprocess import EXACT, Engine
from tests.planner.planning_cases import CV, NUMBERS, RIDGE, ops

Spec = dict[str, Any]
LOG: Spec = {"column": "price", "transform": "log1p"}
TARGETS = ["price", LOG, "weight"]
FAMILY = ["Ridge(alpha=0.1)", "LinearRegression()", "Lasso(alpha=0.01)", "ElasticNet(alpha=0.1)"]
RAW = [{"columns": NUMBERS, "steps": ["SimpleImputer()", "StandardScaler()"]}]
CODED = [
    {"columns": ["rooms", "age"]},
    {
        "columns": ["owner"],
        "steps": ["OneHotEncoder(handle_unknown='ignore', sparse_output=False)"],
    },
]
FITTED = [{"columns": ["rooms", "age"], "steps": ["PolynomialFeatures(2)", "MinMaxScaler()"]}]
# One prepared table for all targets.
PREPARED = [{"derive": {"loss": "-price"}}]
GROUPS = LinearFolds | LinearBlocks | LinearPath | ComponentFolds | ComponentPath


def spec(target: Any, model: str = "Ridge()", features: Any = None, **changes: Any) -> Spec:
    more = {"target": target, "model": model, "metrics": ["r2", "mae"], **changes}
    return {**RIDGE, **({"features": features} if features else {}), **more}


def components(target: Any, size: int, features: Any = None, **changes: Any) -> Spec:
    model = f"make_pipeline(PCA({size}), Ridge(1))"
    return spec(target, model, features or [{"columns": ["rooms", "age", "part"]}], **changes)


def groups(engine: Engine, *specs: Spec, cv: Any = CV) -> list[Any]:
    found = ops(*engine.compile(*specs, cv=cv).outputs)
    return [op for op in found if isinstance(op, GROUPS | Fit)]


def same_as_alone(engine: Engine, *specs: Spec, cv: Any = CV) -> list[Any]:
    """Every pipeline has the scores, or the error, of a batch without groups, and of one in which
    it is by itself."""
    found = engine.run(*specs, cv=cv)
    apart = engine.run(*specs, cv=cv, rules=())
    for one, two, single in zip(found, apart, specs, strict=True):
        by_itself = engine.one(single, cv=cv)
        assert (one.error or {}).get("code") == (two.error or {}).get("code")
        assert (one.error or {}).get("message") == (two.error or {}).get("message")
        # Alone it is the first of its request.
        path = (by_itself.error or {}).get("path", "").partition(".")[2]
        assert (one.error or {}).get("path", "").partition(".")[2] == path
        for metric, values in two.scores.items():
            np.testing.assert_allclose(one[metric], values, rtol=EXACT)
            np.testing.assert_allclose(by_itself[metric], values, rtol=EXACT)
    return found


@pytest.mark.parametrize(
    ("features", "kind"), [(RAW, LinearFolds), (CODED, LinearBlocks), (FITTED, LinearPath)]
)
@pytest.mark.parametrize("kernels", [True, False])
def test_targets_are_one_group_and_score_as_single_fits(
    engine: Engine, features: Any, kind: type, kernels: bool
) -> None:
    if not kernels:
        engine.backends = tuple(b for b in engine.backends if b.name != "rust")
    specs = [spec(target, model, features) for target in TARGETS for model in FAMILY]
    (group,) = groups(engine, *specs)
    assert isinstance(group, kind)
    assert sorted(map(str, group.functions)) == ["None", "None", "log1p"]
    assert len(group.members) == len(specs)
    assert "3 targets" in group.label
    same_as_alone(engine, *specs)


def test_the_order_of_pipelines_does_not_matter(engine: Engine) -> None:
    specs = [spec(target, model) for target in TARGETS for model in FAMILY]
    assert groups(engine, *specs) == groups(engine, *reversed(specs))


def test_one_target_is_told_as_ever(engine: Engine) -> None:
    (group,) = groups(engine, spec(LOG))
    assert group == LinearFolds((LinearMember(Call("Ridge")),), False, False, ("log1p",))
    assert "target" not in group.label


@pytest.mark.parametrize(
    "change",
    [
        {"features": [{"columns": ["age", "rooms"]}]},
        {"model": "Ridge(fit_intercept=False)"},
        {"prepare": [{"filter": "age > 4"}]},
    ],
)
def test_other_rows_or_designs_are_groups_of_their_own(engine: Engine, change: Spec) -> None:
    found = groups(engine, spec("price"), {**spec("weight"), **change})
    assert [len(group.members) for group in found] == [1, 1]


def test_folds_that_go_by_the_target_are_not_shared(engine: Engine) -> None:
    """Stratified folds of another target are other folds."""
    specs = [spec(target) for target in ("rooms", "part")]
    both = [{**one, "features": [{"columns": ["age", "weight"]}]} for one in specs]
    assert len(groups(engine, *both)) == 1
    found = groups(engine, *both, cv="StratifiedKFold(3)")
    assert [len(group.members) for group in found] == [1, 1]


def test_two_closed_forms_of_encoded_features_are_company(engine: Engine) -> None:
    """Also of two targets: what they share is the matrix."""
    assert [type(op) for op in groups(engine, spec("price", features=FITTED))] == [Fit]
    specs = [spec(target, features=FITTED) for target in ("price", "weight")]
    assert [type(op) for op in groups(engine, *specs)] == [LinearPath]
    same_as_alone(engine, *specs)


@pytest.mark.parametrize(
    ("features", "kind"),
    [
        (None, ComponentFolds),
        ([{"columns": ["rooms", "age"], "steps": ["PolynomialFeatures(2)"]}], ComponentPath),
    ],
)
@pytest.mark.parametrize("kernels", [True, False])
def test_targets_share_the_components(
    engine: Engine, features: Any, kind: type, kernels: bool
) -> None:
    if not kernels:
        engine.backends = tuple(b for b in engine.backends if b.name != "rust")
    specs = [components(target, size, features) for target in TARGETS for size in (1, 2)]
    (group,) = groups(engine, *specs)
    assert isinstance(group, kind)
    assert len(group.functions) == 3
    assert "3 targets" in group.label
    same_as_alone(engine, *specs)


@pytest.mark.parametrize("features", [RAW, CODED, FITTED, "components"], ids=str)
@pytest.mark.parametrize("kernels", [True, False])
def test_a_bad_target_fails_alone(engine: Engine, features: Any, kernels: bool) -> None:
    """Out of the domain of its transform."""
    if not kernels:
        engine.backends = tuple(b for b in engine.backends if b.name != "rust")
    bad = {"column": "loss", "transform": "log1p"}
    targets = ["price", bad, "loss"]
    if features == "components":
        specs = [components(t, size, prepare=PREPARED) for t in targets for size in (1, 2)]
    else:
        specs = [spec(t, m, features, prepare=PREPARED) for t in targets for m in FAMILY[:3]]
    assert len(groups(engine, *specs)) == 1
    found = same_as_alone(engine, *specs)
    count = len(specs) // 3
    codes = [(answer.error or {}).get("code") for answer in found]
    assert codes[:count] == codes[2 * count :] == [None] * count
    assert codes[count : 2 * count] == ["target_transform_domain"] * count


@pytest.mark.parametrize("features", [RAW, FITTED])
def test_targets_of_other_prepared_tables(engine: Engine, features: Any) -> None:
    """Each is a column of a table of its own, and of one of them cannot be taken the logarithm."""
    derived = {"double": "2 * price + weight", "loss": "-price", "half": "weight / 2"}
    specs = [spec("price", features=features)]
    for name, formula in derived.items():
        prepare = [{"derive": {name: formula}}]
        for target in (name, {"column": name, "transform": "log1p"}):
            specs.append(spec(target, features=features, prepare=prepare))
    assert len(groups(engine, *specs)) == 1
    for order in (specs, specs[::-1]):
        found = same_as_alone(engine, *order)
        codes = [(answer.error or {}).get("code") for answer in found]
        assert codes.count("target_transform_domain") == 1
        assert codes.count(None) == len(specs) - 1


def test_a_group_of_bad_targets_fails_with_their_errors(engine: Engine) -> None:
    targets = [{"column": "loss", "transform": name} for name in ("log1p", "sqrt")]
    specs = [spec(target, prepare=PREPARED) for target in targets]
    assert len(groups(engine, *specs)) == 1
    found = same_as_alone(engine, *specs)
    assert [answer.error["message"].split("'")[1] for answer in found if answer.error] == [
        "log1p",
        "sqrt",
    ]


def test_a_failing_member_fails_alone(engine: Engine) -> None:
    """The inverse of one target overflows; the same predictions do well for another."""
    far = [{"derive": {"far": "case when part = 1 then -age * 1e9 else age end"}}]
    features = [{"columns": ["far"]}]
    specs = [spec(target, features=features, prepare=far) for target in ("price", LOG)]
    assert len(groups(engine, *specs, cv="PredefinedSplit('part')")) == 1
    found = engine.run(*specs, cv="PredefinedSplit('part')")
    plain = engine.run(*specs, cv="PredefinedSplit('part')", rules=())
    assert found[1].error
    assert plain[1].error
    assert found[1].error["code"] == "non_finite_predictions"
    for key in ("message", "path"):
        assert found[1].error[key] == plain[1].error[key]
    np.testing.assert_allclose(found[0]["r2"], plain[0]["r2"], rtol=EXACT)


@pytest.mark.parametrize("kernels", [True, False])
def test_what_cannot_be_fitted_on_is_told_by_the_library(kernels: bool) -> None:
    """Text, gaps, and a target that could not be made; specs with the first two are refused, or
    leave those rows out."""
    rng = np.random.default_rng(0)
    x, folds = rng.normal(size=(30, 2)), [(np.arange(20), np.arange(20, 30))]
    good = x.sum(axis=1) + rng.normal(size=30)
    gaps = np.where(np.arange(30) == 3, np.nan, good)
    lost = DataError("target_transform_domain", "not finite")
    targets = [good, np.full(30, "high", dtype=object), gaps, lost]
    models = (Call("Lasso"), Call("Ridge"))
    members = tuple(LinearMember(model, k) for k in range(4) for model in models)
    functions = (None, None, None, "log1p")
    backend = RustBackend() if kernels else PythonBackend()

    def answers(op: Any, *given: Any) -> Any:
        whole = isinstance(op, LinearFolds)
        found: Any = backend.run(op, [x, folds, *given], Context(None if whole else 0))
        return found[0] if whole else found

    for op, single in (
        (LinearFolds(members, False, True, functions), LinearFolds(members[:2], False, True)),
        (LinearPath(members, functions), LinearPath(members[:2])),
    ):
        found, alone = answers(op, *targets), answers(single, good)
        for k, model in enumerate(models):
            np.testing.assert_allclose(found[k].predictions, alone[k].predictions, rtol=EXACT)
            for target, code in ((1, "text_in_numeric_model"), (2, "missing_values")):
                error = found[2 * target + k].predictions
                by_itself = answers(single, targets[target])[k].predictions
                assert isinstance(error, StratumError)
                assert (error.code, error.message) == (by_itself.code, by_itself.message)
                assert (error.code, error.message.split()[0]) == (code, model.name)
            assert found[6 + k].predictions is lost
