"""Which encodings share their dear part, and that no score changes by it.

Rules: group_decompositions, group_selections, group_vocabularies.
"""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from planner.graph import Role
from planner.ops import Encode
from planner.ops_encodings import (
    ChosenColumns,
    ColumnScores,
    Components,
    Decomposition,
    TermCounts,
    Vocabulary,
)
from planner.rewrite import RULES
from tests.inprocess import Answer, Engine
from tests.planner.planning_cases import CV, RIDGE, ops

Spec = dict[str, Any]
NUMBERS = ["rooms", "age", "part", "weight"]
SHARED = Decomposition | ColumnScores | TermCounts
VARIANTS = Components | ChosenColumns | Vocabulary
ENCODINGS = tuple(rule for rule in RULES if rule.name in (
    "group_decompositions", "group_selections", "group_vocabularies"))  # fmt: skip


def encoded(step: str, columns: Any = None, **changes: Any) -> Spec:
    features = [{"columns": columns or NUMBERS, "steps": [step]}]
    return {**RIDGE, "model": "LinearRegression()", "features": features, "metrics": ["r2"],
            **changes}  # fmt: skip


def graph(engine: Engine, *specs: Spec) -> list[str]:
    """The features after all rules."""
    compiled = engine.compile(*specs, cv=CV, rules=ENCODINGS)
    found = [op.label for op in ops(*compiled.outputs) if op.role is Role.FEATURES]
    return [label for label in found if label != "concat"]


def parts(engine: Engine, *specs: Spec) -> tuple[int, int, int]:
    """How many encodings are left alone, are shared parts, and are made from these."""
    found = ops(*engine.compile(*specs, cv=CV, rules=ENCODINGS).outputs)
    kinds: tuple[Any, ...] = (Encode, SHARED, VARIANTS)
    one, two, three = (sum(isinstance(op, kind) for op in found) for kind in kinds)
    return one, two, three


def same(found: list[Answer], wanted: list[Answer]) -> None:
    for ours, theirs in zip(found, wanted, strict=True):
        assert (ours.scores, ours.error) == (theirs.scores, theirs.error)


def test_sizes_of_pca_are_one_decomposition(engine: Engine) -> None:
    specs = [encoded(f"PCA({size})") for size in (3, 1, 2)]
    assert ops(*engine.compile(*specs, cv=CV, rules=()).outputs, kind=SHARED) == []
    assert graph(engine, *specs) == [
        "PCA(random_state=0), decomposed once for n_components=1, 2, 3",
        "PCA(n_components=3, random_state=0)",
        "PCA(n_components=1, random_state=0)",
        "PCA(n_components=2, random_state=0)",
    ]


def test_selectors_of_all_kinds_are_one_scoring(engine: Engine) -> None:
    specs = [
        encoded("SelectKBest(f_regression, k=2)"),
        encoded("SelectPercentile(f_regression, percentile=30)"),
        encoded("SelectKBest(f_regression, k='all')"),
    ]
    assert graph(engine, *specs) == [
        "column scores of SelectKBest(k='all', score_func=f_regression)",
        "SelectKBest(k=2, score_func=f_regression)",
        "SelectPercentile(percentile=30.0, score_func=f_regression)",
        "SelectKBest(k='all', score_func=f_regression)",
    ]


def test_bounds_of_vocabularies_are_one_counting(engine: Engine) -> None:
    specs = [
        encoded("TfidfVectorizer(min_df=2, ngram_range=(1, 2))", "note"),
        encoded("TfidfVectorizer(max_features=3, ngram_range=(1, 2), sublinear_tf=True)", "note"),
        encoded("CountVectorizer(ngram_range=(1, 2))", "note"),
    ]
    assert graph(engine, *specs) == [
        "term counts of TfidfVectorizer(ngram_range=(1, 2))",
        "TfidfVectorizer(min_df=2, ngram_range=(1, 2))",
        "TfidfVectorizer(max_features=3, ngram_range=(1, 2), sublinear_tf=True)",
        "CountVectorizer(ngram_range=(1, 2))",
    ]


def test_ranges_of_n_grams_are_counted_with_one_that_holds_them(engine: Engine) -> None:
    specs = [
        encoded(f"TfidfVectorizer(analyzer='char_wb', ngram_range={sizes})", "note")
        for sizes in ("(2, 3)", "(3, 5)", "(2, 4)", "(3, 3)")
    ]
    counted = [label for label in graph(engine, *specs) if label.startswith("term counts")]
    assert counted == ["term counts of TfidfVectorizer(analyzer='char_wb', ngram_range=(2, 4))"]
    assert parts(engine, *specs) == (1, 1, 3)  # nothing but itself is within (3, 5)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("PCA(2)", "PCA(0.9)"),
        ("PCA(2)", "PCA()"),
        ("PCA(2)", "PCA('mle')"),
        ("PCA(2)", "PCA(3, whiten=True)"),
        ("PCA(2)", "PCA(3, svd_solver='full')"),
        ("PCA(2, svd_solver='randomized')", "PCA(3, svd_solver='randomized')"),
        ("PCA(2, svd_solver='arpack')", "PCA(3, svd_solver='arpack')"),
        ("TruncatedSVD(2)", "TruncatedSVD(3)"),
        ("IncrementalPCA(2)", "IncrementalPCA(3)"),
        ("SelectKBest(f_regression, k=2)", "SelectKBest(r_regression, k=3)"),
        ("SelectKBest(f_regression, k=2)", "SelectKBest(f_regression, k=-1)"),
        ("SelectKBest(f_regression, k=2)", "GenericUnivariateSelect(f_regression, param=3)"),
    ],
)
def test_what_shares_nothing_stays_as_it_is(engine: Engine, first: str, second: str) -> None:
    assert parts(engine, encoded(first), encoded(second)) == (2, 0, 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("TfidfVectorizer(ngram_range=(2, 3))", "TfidfVectorizer(ngram_range=(1, 2))"),
        (
            "TfidfVectorizer(token_pattern='.+')",
            "TfidfVectorizer(token_pattern='.+', ngram_range=(1, 2))",
        ),
        ("TfidfVectorizer()", "TfidfVectorizer(lowercase=False)"),
        ("TfidfVectorizer()", "TfidfVectorizer(vocabulary=['lake'])"),
        ("CountVectorizer()", "HashingVectorizer()"),
    ],
)
def test_other_terms_are_counted_apart(engine: Engine, first: str, second: str) -> None:
    assert parts(engine, encoded(first, "note"), encoded(second, "note"))[1:] == (0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"columns": ["rooms", "age"]},
        {"prepare": [{"filter": "age > 4"}]},
        {"target": "price"},
    ],
)
def test_other_data_are_encoded_apart(engine: Engine, change: Spec) -> None:
    first = encoded("SelectKBest(f_regression, k=2)", target="area", prepare=[
        {"fill": {"area": 50}}])  # fmt: skip
    second = {**encoded("SelectKBest(f_regression, k=1)", change.pop("columns", None)),
              "target": "area", "prepare": first["prepare"], **change}  # fmt: skip
    assert parts(engine, first, second) == (2, 0, 0)


def test_one_encoding_of_many_models_is_no_family(engine: Engine) -> None:
    specs = [encoded("PCA(2)", model=model) for model in ("LinearRegression()", "Ridge(2)")]
    assert parts(engine, *specs) == (1, 0, 0)


STEPS = {
    "pca": [f"PCA({size}{more})" for size in (1, 2, 4) for more in ("", ", whiten=True")],
    "full": [f"PCA({size}, svd_solver='full')" for size in (1, 3)],
    "best": [f"SelectKBest(f_regression, k={k})" for k in (1, 2, 3)],
    "mutual": [f"SelectKBest(mutual_info_regression, k={k})" for k in (1, 2)],
}
MODELS = ["LinearRegression()", "KNeighborsRegressor(3)", "DecisionTreeRegressor(max_depth=4)"]


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize(
    "cv", [CV, "ShuffleSplit(3, test_size=0.3)", "TimeSeriesSplit(4)", {"holdout": 0.25, "seed": 3}]
)
def test_scores_of_regressors(engine: Engine, kind: str, cv: Any) -> None:
    """To the last bit: also models that compare are handed what the library gives."""
    specs = [encoded(step, model=model) for step in STEPS[kind] for model in MODELS]
    together = engine.run(*specs, cv=cv, rules=ENCODINGS)
    assert all(answer.error is None for answer in together)
    same(together, engine.run(*specs, cv=cv, rules=()))


@pytest.mark.parametrize("target", ["dear", "grade"])
def test_scores_of_classifiers(engine: Engine, target: str) -> None:
    specs = [
        encoded(step, model=model, target=target, metrics=["accuracy", "logloss"])
        for step in ("PCA(1)", "PCA(3)", "SelectKBest(k=1)", "SelectPercentile(percentile=60)")
        for model in ("GaussianNB()", "DecisionTreeClassifier(max_depth=3)")
    ]
    together = engine.run(*specs, cv=CV, rules=ENCODINGS)
    assert all(answer.error is None for answer in together)
    same(together, engine.run(*specs, cv=CV, rules=()))


def test_scores_of_texts(engine: Engine) -> None:
    steps = ["TfidfVectorizer()", "TfidfVectorizer(min_df=20)", "CountVectorizer(max_features=3)",
             "TfidfVectorizer(max_df=0.5, norm='l1')", "CountVectorizer(binary=True)",
             "TfidfVectorizer(ngram_range=(1, 2))", "TfidfVectorizer(ngram_range=(2, 2))",
             "CountVectorizer(analyzer='char_wb', ngram_range=(3, 4), min_df=2)",
             "TfidfVectorizer(analyzer='char_wb', ngram_range=(4, 4))"]  # fmt: skip
    for prepare in ([], [{"derive": {"note": "note || ' ' || owner"}}]):
        specs = [encoded(step, "note", model="Ridge(1)", prepare=prepare) for step in steps]
        together = engine.run(*specs, cv=CV, rules=ENCODINGS)
        assert all(answer.error is None for answer in together)
        same(together, engine.run(*specs, cv=CV, rules=()))


def test_behind_other_transformers(engine: Engine) -> None:
    specs = [
        encoded("StandardScaler()", model=f"make_pipeline(PCA({size}), SelectKBest(f_regression, "
                f"k={k}), Ridge(1))")
        for size in (2, 4) for k in (1, 2)
    ]  # fmt: skip
    assert parts(engine, *specs)[1:] == (3, 6)
    same(engine.run(*specs, cv=CV, rules=ENCODINGS), engine.run(*specs, cv=CV, rules=()))


def test_too_many_components_fail_alone_and_alike(engine: Engine) -> None:
    specs = [encoded(f"PCA({size})") for size in (2, 5, 3, 70)]
    together = engine.run(*specs, cv=CV, rules=ENCODINGS)
    codes = [answer.error and answer.error["code"] for answer in together]
    assert codes == [None, "too_few_features", None, "too_few_features"]
    assert together[1].error is not None
    assert together[1].error["path"] == "pipelines[1].features[0].steps[0]"
    same(together, engine.run(*specs, cv=CV, rules=()))


def test_no_size_that_fits(engine: Engine) -> None:
    specs = [encoded(f"PCA({size})") for size in (2, 5, 70)]
    same(engine.run(*specs, cv=CV, rules=ENCODINGS), engine.run(*specs, cv=CV, rules=()))


def test_an_empty_vocabulary_fails_alone_and_alike(engine: Engine) -> None:
    specs = [
        encoded(f"TfidfVectorizer({bounds})", "note", model="Ridge(1)")
        for bounds in ("", "min_df=90", "min_df=5, max_df=2")
    ]
    together = engine.run(*specs, cv=CV)
    assert [answer.error is None for answer in together] == [True, False, False]
    same(together, engine.run(*specs, cv=CV, rules=()))


@pytest.mark.parametrize(
    ("steps", "columns", "code"),
    [
        (["PCA(1)", "PCA(2)"], ["area", "age", "rooms"], "missing_values"),
        (["PCA(1)", "PCA(2)"], ["city", "age", "rooms"], "text_in_numeric_model"),
        (["SelectKBest(f_regression, k=1)", "SelectKBest(f_regression, k=2)"],
         ["area", "age", "rooms"], "missing_values"),
        (["TfidfVectorizer()", "TfidfVectorizer(min_df=2)"], "city", "missing_text"),
    ],
)  # fmt: skip
def test_a_failure_of_all_is_told_to_each_at_its_own_step(
    engine: Engine, steps: list[str], columns: Any, code: str
) -> None:
    specs = [encoded(step, columns, model="Ridge(1)") for step in steps]
    together = engine.run(*specs, cv=CV)
    for position, answer in enumerate(together):
        assert answer.error is not None
        assert answer.error["code"] == code
        assert answer.error["path"] == f"pipelines[{position}].features[0].steps[0]"
    same(together, engine.run(*specs, cv=CV, rules=()))


def test_randomised_and_complete_sizes_in_one_batch(engine: Engine) -> None:
    """Neither small nor tall: `auto` is randomised below 48 components, complete above."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(600, 60))).rename(columns=lambda place: f"x{place}")
    frame["price"] = rng.normal(size=600)
    engine.add("wide", frame)
    specs = [
        {"dataset": "wide", "target": "price", "metrics": ["r2"],
         "model": f"make_pipeline(PCA({size}), LinearRegression())"}
        for size in (5, 50, 55, 60)
    ]  # fmt: skip
    same(engine.run(*specs, cv=CV, rules=ENCODINGS), engine.run(*specs, cv=CV, rules=()))


def test_shared_parts_are_blocks_where_several_tasks_read_them(engine: Engine) -> None:
    specs = [encoded(f"PCA({size})") for size in (1, 2)]
    tasks = engine.compile(*specs, cv=CV, rules=ENCODINGS).plan.tasks
    made = [i.op for task in tasks for i in task.instructions if i.out in task.saves]
    assert sum(isinstance(op, Decomposition) for op in made) == 3
