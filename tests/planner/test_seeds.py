"""Open seeds are filled where they matter, and nowhere else."""

import numpy as np
import pytest

from executor.construct import construct
from executor.introspect import registry as installed
from planner.expressions import Call, parse
from planner.seeds import fill_seeds, seeded

REGISTRY = installed()


def filled(source: str, seed: int = 7) -> str:
    return repr(fill_seeds(parse(source, REGISTRY), seed, REGISTRY))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("DecisionTreeRegressor()", "DecisionTreeRegressor(random_state=7)"),
        ("DecisionTreeRegressor(random_state=None)", "DecisionTreeRegressor(random_state=7)"),
        ("DecisionTreeRegressor(random_state=0)", "DecisionTreeRegressor(random_state=0)"),
        ("LGBMRegressor(seed=3)", "LGBMRegressor(random_state=3)"),
        ("KFold(3)", "KFold(n_splits=3)"),
        ("KFold(3, shuffle=True)", "KFold(n_splits=3, random_state=7, shuffle=True)"),
        ("Ridge()", "Ridge()"),
        ("Ridge(solver='sag')", "Ridge(random_state=7, solver='sag')"),
        ("LinearRegression()", "LinearRegression()"),
        (
            "BaggingRegressor(DecisionTreeRegressor())",
            "BaggingRegressor(estimator=DecisionTreeRegressor(random_state=7), random_state=7)",
        ),
        (
            "SelectKBest(mutual_info_regression)",
            "SelectKBest(score_func=partial(mutual_info_regression, random_state=7))",
        ),
        (
            "make_pipeline(PCA(), Lasso())",
            "Pipeline(steps=[('pca', PCA(random_state=7)), ('lasso', Lasso())])",
        ),
    ],
)
def test_fill(source: str, expected: str) -> None:
    assert filled(source) == expected
    assert repr(parse(expected, REGISTRY)) == expected


def test_places_are_told() -> None:
    call = parse("make_pipeline(PCA(), ExtraTreesRegressor())", REGISTRY)
    assert seeded(call, 0, REGISTRY).places == (
        "PCA.random_state",
        "ExtraTreesRegressor.random_state",
    )
    assert seeded(parse("Ridge()", REGISTRY), 0, REGISTRY).places == ()


def test_estimators_by_default_are_seeded() -> None:
    pytest.importorskip("skrub")
    assert filled("TableVectorizer()") == (
        "TableVectorizer(high_cardinality=StringEncoder(random_state=7))"
    )


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_target_encoder_is_repeatable() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, size=(200, 1)).astype(str).astype(object)
    y = rng.normal(size=200)
    call = fill_seeds(parse("TargetEncoder()", REGISTRY), 3, REGISTRY)
    first, second = (_encode(call, x, y) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def _encode(call: Call, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(construct(call).fit_transform(x, y))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    "source",
    [
        "Ridge()",
        "Ridge(solver='lsqr')",
        "RidgeClassifier()",
        "Lasso(alpha=0.01)",
        "ElasticNet(alpha=0.01)",
        "LassoCV(cv=3)",
        "ElasticNetCV(cv=3)",
        "LogisticRegression()",
        "LogisticRegression(solver='newton-cg')",
        "SVC()",
        "NuSVC()",
        "DummyClassifier()",
    ],
)
def test_what_is_left_open_draws_nothing(source: str) -> None:
    """Where no seed is filled, two different seeds give the same fit."""
    from sklearn.datasets import make_classification

    x, y = make_classification(120, 6, random_state=0)
    call = parse(source, REGISTRY)
    assert fill_seeds(call, 1, REGISTRY) == call
    fits = []
    for seed in (1, 2):
        model = construct(call).set_params(random_state=seed).fit(x, y)
        decide = getattr(model, "decision_function", model.predict)
        fits.append(decide(x))
    np.testing.assert_array_equal(fits[0], fits[1])
