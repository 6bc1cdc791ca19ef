"""Expected seconds, rows, widths and bytes of plans."""

from typing import Any

import pytest

from planner.cardinality import rows_of, shares
from planner.cost import Shape, bytes_of, kind_of, seconds_of
from planner.estimates import Estimates, Extent, Measured
from planner.expressions import Call, parse
from planner.graph import Node, Role
from planner.ops import Columns, Concat, Encode, Fit, Folds, Predict, Score
from planner.plan import Task
from planner.rewrite import Rule
from planner.rules.hoist import hoist_row_wise
from planner.schema import Column
from planner.widths import Width, after, beside, vectorised
from tests.inprocess import Engine, operators
from tests.planner.planning_cases import CV, NUMBERS, RIDGE, corrections_of, nodes

Spec = dict[str, Any]
CITY: Spec = {"columns": ["city"], "steps": ["OneHotEncoder(handle_unknown='ignore')"]}


def spec(**changes: Any) -> Spec:
    return {**RIDGE, "metrics": ["r2"], **changes}


def call(text: str) -> Call:
    return parse(text, operators())


def estimates(engine: Engine, built: Any, **measured: Any) -> Estimates:
    outputs = [node for group in built.scores.values() for node in group]
    found: dict[str, Node] = {}
    for kind in (Fit, Encode, Concat, Columns, Folds, Predict, Score):
        found.update({node.key: node for node in nodes(built, kind)})
    found.update({node.key: node for node in outputs})
    rows = {d.fingerprint: d.rows for d in engine.datasets.values()}
    return Estimates(found, lambda node: rows_of(node, rows.__getitem__), Measured(**measured))


# -- widths ---------------------------------------------------------------------------------------

MIXED = Width(3, 0.0, (2, 5, None))


@pytest.mark.parametrize(
    ("text", "columns", "stored"),
    [
        ("StandardScaler()", 3, 0),
        ("OneHotEncoder()", 2 + 5 + 8, 3),
        ("OneHotEncoder(sparse_output=False)", 15, 0),
        ("OneHotEncoder(drop='first')", 12, 3),
        ("OneHotEncoder(drop='if_binary')", 14, 3),
        ("OneHotEncoder(max_categories=4)", 2 + 4 + 4, 3),
        ("OrdinalEncoder()", 3, 0),
        ("PCA(2)", 2, 0),
        ("PCA()", 3, 0),
        ("TruncatedSVD(50)", 3, 0),
        ("PolynomialFeatures(2)", 10, 0),
        ("PolynomialFeatures(2, include_bias=False)", 9, 0),
        ("PolynomialFeatures(2, interaction_only=True)", 7, 0),
        ("SplineTransformer()", 21, 0),
        ("KBinsDiscretizer(n_bins=4)", 12, 3),
        ("KBinsDiscretizer(n_bins=4, encode='ordinal')", 3, 0),
        ("SelectKBest(k=2)", 2, 0),
        ("Nystroem(n_components=7)", 7, 0),
    ],
)
def test_widths_follow_from_operators(text: str, columns: int, stored: float) -> None:
    found = after(call(text), MIXED, 1000)
    assert (found.columns, found.stored) == (columns, stored)


def test_the_width_is_that_of_the_library() -> None:
    import numpy as np

    from executor.construct import construct

    x = np.random.default_rng(0).integers(0, 6, (200, 4)).astype(float)
    block = Width(4, 0.0, tuple(len(np.unique(column)) for column in x.T))
    for text in ("OneHotEncoder()", "PolynomialFeatures(3)", "SplineTransformer(n_knots=4)",
                 "PolynomialFeatures(3, interaction_only=True)", "StandardScaler()"):  # fmt: skip
        made = construct(call(text)).fit_transform(x)
        assert after(call(text), block, 200).columns == made.shape[1], text


def test_the_width_of_a_vectorised_table_is_skrubs() -> None:
    import numpy as np
    import pandas as pd

    from executor.construct import construct

    rows = np.arange(300)
    frame = pd.DataFrame({
        "size": rows / 7, "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rows, unit="D"),
        "street": [f"{row % 50} Some Street" for row in rows],
        "kind": [f"kind {row % 6}" for row in rows],
        "new": ["yes" if row % 2 else "no" for row in rows],
    })  # fmt: skip
    columns = [
        Column("size", "float", "DOUBLE"), Column("day", "date", "TIMESTAMP"),
        Column("street", "string", "VARCHAR", distinct=50),
        Column("kind", "string", "VARCHAR", distinct=6),
        Column("new", "string", "VARCHAR", distinct=2),
    ]  # fmt: skip
    for text in (
        "TableVectorizer()",
        "TableVectorizer(high_cardinality=StringEncoder(n_components=12, random_state=0))",
        "TableVectorizer(cardinality_threshold=60)",
    ):
        made = construct(call(text)).fit_transform(frame)
        assert vectorised(call(text), columns).columns == made.shape[1], text


def test_vocabularies_are_bounded_by_what_is_asked() -> None:
    block = Width(1, 0.0, (500,))
    assert after(call("TfidfVectorizer(max_features=50)"), block, 1000).columns == 50
    words = after(call("TfidfVectorizer()"), block, 1000)
    assert words.columns > 100
    assert 0 < words.stored < words.columns
    longer = after(call("TfidfVectorizer(ngram_range=(1, 2))"), block, 1000)
    assert longer.columns > words.columns


def test_blocks_beside_each_other_are_sparse_as_in_a_column_transformer() -> None:
    wide, narrow = Width(100, 2.0), Width(3)
    assert beside([wide, narrow], 0.3) == Width(103, 5.0)
    assert beside([wide, Width(60)], 0.3) == Width(160)
    assert beside([wide, Width(60)], None).stored == 62
    assert beside([narrow, narrow], 0.3) == Width(6)


def test_widths_pass_through_a_pipeline(engine: Engine) -> None:
    built = engine.build(spec(features=[{"columns": NUMBERS}, CITY]), cv=CV)
    found = estimates(engine, built)
    (fit,) = nodes(built, Fit)
    city = engine.datasets["flats"].schema["city"].distinct
    assert city is not None
    shape = found.shape(fit, fit.op, 0)
    assert shape.columns == len(NUMBERS) + city + 1  # missing is a category
    assert (shape.rows, shape.valid) == (60, 30)


def test_what_was_seen_is_known(engine: Engine) -> None:
    built = engine.build(spec(features=[CITY], model="Lasso()"), cv=CV)
    (encode,), (fit,), (folds,) = nodes(built, Encode), nodes(built, Fit), nodes(built, Folds)
    extents = {encode.key: Extent(60, 777, 1.0), folds.key: Extent(30_000, 1)}
    concat = [n for n in nodes(built, Concat) if n.inputs[-1] is encode]
    found = estimates(engine, built, extents=extents)
    assert found.width(encode) == Width(777, 1.0)
    assert found.shape(fit, fit.op, 0).rows == 20_000
    assert found.shape(fit, fit.op, 0).columns == 777
    assert len(concat) <= 1


# -- rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prepare", "least", "most"),
    [
        ([], 90, 90),
        ([{"limit": 20}], 20, 20),
        ([{"sample": 0.5, "seed": 0}], 45, 45),
        ([{"filter": "age > 5"}], 30, 89),
        ([{"filter": "kind = 'flat'"}], 45, 45),
        ([{"filter": "age > 5 and kind = 'flat'"}], 10, 44),
        ([{"filter": "age > 5", "only": "train"}], 90, 90),
        ([{"union": ["flats"]}], 180, 180),
        ([{"derive": {"x": "age + 1"}}], 90, 90),
    ],
)
def test_rows_follow_from_steps(engine: Engine, prepare: list[Spec], least: int, most: int) -> None:
    built = engine.build(spec(prepare=prepare, features=[{"columns": ["rooms"]}]), cv=CV)
    assert least <= rows_of(built.prepared, lambda _: 90) <= most


def test_shares_of_splits() -> None:
    def of(text: str, count: int, fold: int | None = None) -> tuple[float, float]:
        return shares(Folds(call(text), count), fold)

    assert of("KFold(4)", 4) == (0.75, 0.25)
    assert of("RepeatedKFold(n_splits=4, n_repeats=3)", 12) == (0.75, 0.25)
    assert of("ShuffleSplit(n_splits=1, test_size=0.2)", 1) == (0.8, 0.2)
    assert of("TimeSeriesSplit(4)", 4, 0) == (0.2, 0.2)
    assert of("TimeSeriesSplit(4)", 4, 3) == (0.8, 0.2)
    assert of("LeaveOneOut()", 50) == (0.98, 0.02)


# -- seconds --------------------------------------------------------------------------------------


def seconds(text: str, rows: int = 2000, columns: int = 10, **more: Any) -> float:
    return seconds_of(Fit(call(text), "regression"), Shape(rows, columns, columns, **more))


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ("LGBMRegressor(n_estimators=50)", "LGBMRegressor(n_estimators=500)"),
        ("LGBMRegressor(num_leaves=8)", "LGBMRegressor(num_leaves=127)"),
        ("RandomForestRegressor(n_estimators=10)", "RandomForestRegressor(n_estimators=100)"),
        ("RandomForestRegressor(max_depth=3)", "RandomForestRegressor()"),
        ("RandomForestRegressor(max_features=0.3)", "RandomForestRegressor()"),
        ("XGBRegressor(max_depth=3)", "XGBRegressor(max_depth=8)"),
        ("MLPRegressor(max_iter=10)", "MLPRegressor(max_iter=100)"),
        ("GridSearchCV(Ridge(), {'alpha': [1, 2]})", "GridSearchCV(Ridge(), {'alpha': [1, 2, 3]})"),
        ("Ridge()", "StackingRegressor([('a', Ridge()), ('b', Ridge())])"),
        ("VotingRegressor([('a', Ridge())])", "VotingRegressor([('a', Ridge()), ('b', SVR())])"),
        ("Ridge()", "BaggingRegressor(Ridge(), n_estimators=20)"),
        ("Ridge()", "TransformedTargetRegressor(RandomForestRegressor(), func=log1p)"),
    ],
)
def test_parameters_show_in_seconds(less: str, more: str) -> None:
    assert seconds(less) < seconds(more)


@pytest.mark.parametrize(
    "model",
    [
        "Ridge()",
        "LGBMRegressor()",
        "SVR()",
        "RandomForestRegressor()",
        "MLPRegressor()",
        "HuberRegressor()",
        "DummyRegressor()",
    ],
)
def test_more_rows_and_columns_take_no_less(model: str) -> None:
    assert 0 < seconds(model) <= seconds(model, rows=20_000)
    assert seconds(model) <= seconds(model, columns=100)


def test_early_stopping_is_expected_to_stop() -> None:
    fit = Fit(call("LGBMRegressor(n_estimators=1000)"), "regression")
    stopped = Fit(fit.estimator, "regression", stop_rounds=20)
    assert seconds_of(stopped, Shape(2000, 10)) < seconds_of(fit, Shape(2000, 10))


def test_classes_multiply_boosting() -> None:
    fit = Fit(call("LGBMClassifier()"), "multiclass")
    few, many = (seconds_of(fit, Shape(2000, 10, classes=n)) for n in (2, 10))
    assert many > 3 * few


def test_sparse_features_cost_what_they_hold() -> None:
    dense, sparse = Shape(10_000, 2_000, 2_000), Shape(10_000, 2_000, 2_000, stored=10.0)
    lasso = Fit(call("Lasso()"), "regression")
    assert seconds_of(lasso, sparse) < seconds_of(lasso, dense) / 5
    assert bytes_of(lasso, sparse) < bytes_of(lasso, dense) / 10


def test_kinds_of_work() -> None:
    fit = Fit(call("LGBMRegressor()"), "regression")
    assert kind_of(fit) == "Fit LGBMRegressor"
    assert kind_of(Predict(("predict",)), fit) == "Predict LGBMRegressor"
    assert kind_of(Encode(call("PCA(2)"), False)) == "Encode PCA"
    assert kind_of(Score("roc_auc", "binary")) == "Score roc_auc"
    assert kind_of(Columns(("a",))) == "Columns"


# -- plans ----------------------------------------------------------------------------------------


def fits(tasks: tuple[Task, ...]) -> list[Task]:
    return [t for t in tasks if any(i.op.role is Role.FIT for i in t.instructions)]


def test_tasks_carry_the_seconds_of_each_instruction(engine: Engine) -> None:
    compiled = engine.compile(spec(model="Lasso()"), spec(features=[CITY], model="SVR()"), cv=CV)
    for task in compiled.plan.tasks:
        assert len(task.expected) == len(task.instructions)
        assert task.seconds == pytest.approx(sum(task.expected))
        assert all(one > 0 for one in task.expected)
        assert task.bytes > 0


def test_corrections_move_estimates(engine: Engine) -> None:
    built = engine.build(spec(model="SVR()"), cv=CV)
    (fit,) = nodes(built, Fit)
    plain = estimates(engine, built)
    shape = plain.shape(fit, fit.op, 0)
    base = seconds_of(fit.op, shape)
    corrections = corrections_of([("Fit SVR", "python", base, 4 * base)] * 60)
    corrected = estimates(engine, built, corrections=corrections)
    before = plain._estimate(fit, fit.op, 0).seconds
    assert before == pytest.approx(base)
    assert corrected._estimate(fit, fit.op, 0).seconds == pytest.approx(4 * base, rel=0.1)


def test_folds_of_a_growing_split_cost_more_and_more(engine: Engine) -> None:
    compiled = engine.compile(
        spec(model="SVR()"), cv="TimeSeriesSplit(4)", rules=[Rule("hoist", hoist_row_wise)]
    )
    found = sorted(fits(compiled.plan.tasks), key=lambda t: t.scores[0].fold or 0)
    costs = [task.seconds for task in found]
    assert costs == sorted(costs)
    assert costs[0] < costs[-1]
