"""The registry: look-up, search, JSON, and facts about calls."""

import json

import pytest

from executor.introspect import registry as installed
from planner.errors import SpecError
from planner.expressions import parse
from planner.registry import NoDefault, Operator, Registry

REGISTRY = installed()


def test_json_round_trip() -> None:
    again = Registry.from_json(json.loads(json.dumps(REGISTRY.to_json())))
    assert again.versions == REGISTRY.versions
    assert list(again.operators) == list(REGISTRY.operators)
    for name, operator in REGISTRY.operators.items():
        assert repr(again[name]) == repr(operator)


def test_unknown_names() -> None:
    with pytest.raises(SpecError) as caught:
        REGISTRY.lookup("LogisticRegresion", "model")
    assert caught.value.code == "unknown_estimator"
    assert caught.value.path == "model"
    assert "'LogisticRegression'" in caught.value.hint


def test_missing_extra_is_named() -> None:
    bare = Registry([Operator("Ridge", "sklearn.linear_model", "regressor", "sklearn")], {})
    for name, extra in (("TableVectorizer", "skrub"), ("CatBoostRegressor", "catboost")):
        with pytest.raises(SpecError) as caught:
            bare.lookup(name)
        assert f"mcp-server-stratum[{extra}]" in caught.value.hint


def test_search() -> None:
    assert REGISTRY.search("ridge")[0].name == "Ridge"
    assert REGISTRY.search("gradient boosting", kind="regressor", limit=50)
    assert all(o.kind == "splitter" for o in REGISTRY.search(kind="splitter", limit=50))
    assert len(REGISTRY.search("", limit=5)) == 5
    assert "Ridge" in [o.name for o in REGISTRY.search("rigde")]
    assert REGISTRY.search("zzzzzzzz") == []
    names = [o.name for o in REGISTRY.search("target encoder")]
    assert names[0] == "TargetEncoder"


@pytest.mark.parametrize(
    ("source", "supervised"),
    [
        ("StandardScaler()", False),
        ("TargetEncoder()", True),
        ("SelectKBest()", True),
        ("make_pipeline(SimpleImputer(), StandardScaler())", False),
        ("make_pipeline(SimpleImputer(), TargetEncoder())", True),
        ("make_column_transformer((StandardScaler(), ['a']), (PCA(), ['b', 'c']))", False),
        ("make_column_transformer((make_pipeline(PCA(), SelectKBest()), ['b']))", True),
        ("make_column_transformer((PCA(), make_column_selector(dtype_include='number')))", False),
        ("make_union(PCA(), LinearDiscriminantAnalysis())", True),
        ("IterativeImputer(BayesianRidge())", False),
    ],
)
def test_supervised(source: str, supervised: bool) -> None:
    assert REGISTRY.supervised(parse(source, REGISTRY)) is supervised


def test_skrub_composites() -> None:
    pytest.importorskip("skrub")
    assert not REGISTRY.supervised(parse("TableVectorizer()", REGISTRY))
    source = "TableVectorizer(high_cardinality=TargetEncoder())"
    assert REGISTRY.supervised(parse(source, REGISTRY))


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("Ridge()", "regressor"),
        ("make_pipeline(PCA(), SVC())", "classifier"),
        ("make_pipeline(PCA(), make_pipeline(PCA(), SVC()))", "classifier"),
        ("RandomizedSearchCV(Ridge(), {'alpha': loguniform(0.1, 10)})", "regressor"),
        ("make_pipeline(PCA(), 'passthrough')", "pipeline"),
        ("KFold()", "splitter"),
        ("LGBMClassifier()", "classifier"),
        ("TransformedTargetRegressor(Ridge())", "regressor"),
    ],
)
def test_kind_of(source: str, kind: str) -> None:
    assert REGISTRY.kind_of(parse(source, REGISTRY)) == kind


def test_facts_of_well_known_operators() -> None:
    forest = REGISTRY["RandomForestRegressor"]
    assert (forest.family, forest.seeded, forest.library) == ("forest", True, "sklearn")
    assert forest.default("max_features") == 1.0
    assert not forest.by_name["max_features"].real
    assert REGISTRY["Ridge"].by_name["alpha"].real
    assert REGISTRY["VotingRegressor"].default("estimators") is NoDefault.REQUIRED
    assert REGISTRY["HistGradientBoostingRegressor"].handles_missing
    assert not REGISTRY["Ridge"].handles_missing
    assert REGISTRY["TfidfVectorizer"].text
    assert REGISTRY["LGBMRegressor"].family == "boosting"
    assert REGISTRY["LGBMRegressor"].accepts_any
    assert REGISTRY["LogisticRegression"].methods == (
        "predict", "predict_proba", "decision_function",
    )  # fmt: skip
    assert REGISTRY["FunctionTransformer"].stateless
    assert "IterativeImputer" in REGISTRY
    assert "HalvingGridSearchCV" in REGISTRY
