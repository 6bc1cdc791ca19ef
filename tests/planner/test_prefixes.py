"""Which fits become prefixes of a longer one, and that no score changes by it."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from threadpoolctl import threadpool_limits

from planner.cost import Shape, bytes_of, rounds, seconds_of
from planner.ops import Fit, Predict
from planner.ops_prefix import PrefixFit, PrefixPredict
from planner.rules.prefixes import GROWING
from tests.inprocess import Engine, operators
from tests.planner.planning_cases import CV, RIDGE, ops

Spec = dict[str, Any]
FOREST = "RandomForestRegressor(n_estimators={})"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As in a worker."""
    with threadpool_limits(1):
        yield


def spec(model: str, **changes: Any) -> Spec:
    return {**RIDGE, "model": model, "metrics": ["r2", "mae"], **changes}


def sized(model: str, sizes: Sequence[int], **changes: Any) -> list[Spec]:
    return [spec(model.format(size), **changes) for size in sizes]


def groups(engine: Engine, *specs: Spec, **more: Any) -> list[PrefixFit]:
    compiled = engine.compile(*specs, **{"cv": CV, **more})
    return ops(*compiled.outputs, kind=PrefixFit)


def test_the_graph_before_and_after(engine: Engine) -> None:
    specs = sized(FOREST, (5, 12, 3))
    before = engine.compile(*specs, cv=CV, rules=())
    assert len(ops(*before.outputs, kind=Fit)) == 3
    after = engine.compile(*specs, cv=CV)
    assert ops(*after.outputs, kind=Fit) == []
    (group,) = ops(*after.outputs, kind=PrefixFit)
    assert group.sizes == (3, 5, 12)
    assert group.at(12) == group.fit
    assert [group.at(size) for size in (5, 12, 3)] == ops(*before.outputs, kind=Fit)
    asked = [group.sizes[output.inputs[0].op.index] for output in after.outputs]
    assert asked == [5, 5, 12, 12, 3, 3]  # two metrics each
    assert after.rules == {"group_prefixes": 3}
    fits = [task for task in after.plan.tasks if task.scores]
    assert [len(task.scores) for task in fits] == [6] * 3  # one task per fold


def test_the_usual_number_may_be_left_out(engine: Engine) -> None:
    for model, usual in (
        ("LGBMRegressor({})", 100),
        ("XGBRegressor({})", 100),
        ("RandomForestRegressor({})", 100),
        ("AdaBoostRegressor({})", 50),
        ("BaggingRegressor({})", 10),
        ("HistGradientBoostingRegressor({})", 100),
    ):
        name = "max_iter" if model.startswith("Hist") else "n_estimators"
        specs = [spec(model.format(text)) for text in ("", f"{name}={usual + 7}")]
        (group,) = groups(engine, *specs)
        assert group.sizes == (usual, usual + 7)


def test_numbers_and_names_are_those_of_the_libraries() -> None:
    for name, growing in GROWING.items():
        operator = operators()[name]
        known = {*operator.by_name, *operator.extra}
        assert growing.parameter in known
        # XGBoost's is None, which stands for 100.
        assert operator.default(growing.parameter) in (growing.usual, None)
        mine = {*growing.neutral, *growing.values}
        either = operators()[name.replace("Regressor", "Classifier")]
        other = operators()[name.replace("Classifier", "Regressor")]
        assert mine <= {*either.by_name, *either.extra, *other.by_name, *other.extra}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("LGBMRegressor(n_estimators=20)", "LGBMRegressor(num_iterations=30)"),
        ("LGBMRegressor(num_trees=20, bagging_fraction=0.5, bagging_freq=1)",
         "LGBMRegressor(n_estimators=30, subsample=0.5, subsample_freq=1)"),
        ("XGBRegressor(n_estimators=20, eta=0.1)", "XGBRegressor(learning_rate=0.1)"),
    ],
)  # fmt: skip
def test_parameters_by_other_names_are_the_same(engine: Engine, one: str, other: str) -> None:
    assert len(groups(engine, spec(one), spec(other))) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"model": "RandomForestRegressor(n_estimators=9, max_depth=3)"},
        {"model": "ExtraTreesRegressor(n_estimators=9)"},
        {"model": "RandomForestRegressor(n_estimators=9, random_state=4)"},
        {"target": {"column": "price", "transform": "log1p"}},
        {"target": "area"},
        {"features": [{"columns": ["age"]}]},
        {"prepare": [{"filter": "age > 4"}]},
        {"sample_weight": "weight"},
    ],
)
def test_fits_of_anything_else_are_apart(engine: Engine, change: Spec) -> None:
    specs = [*sized(FOREST, (4, 6)), spec(**{"model": FOREST.format(9), **change})]
    (group,) = groups(engine, *specs)
    assert group.sizes == (4, 6)
    assert len(ops(*engine.compile(*specs, cv=CV).outputs, kind=Fit)) == 1


@pytest.mark.parametrize(
    "model",
    [
        "RandomForestRegressor(n_estimators={}, oob_score=True)",
        "RandomForestRegressor(n_estimators={}, warm_start=True)",
        "RandomForestRegressor({}.5)",
        "GradientBoostingRegressor(n_estimators={}, init=Ridge())",
        "HistGradientBoostingRegressor(max_iter={}, warm_start=True)",
        "LGBMRegressor(n_estimators={}, boosting_type='dart')",
        "LGBMRegressor(n_estimators={}, use_quantized_grad=True)",
        "XGBRegressor(n_estimators={}, booster='dart')",
        "XGBRegressor(n_estimators={}, booster='gblinear')",
        "XGBRFRegressor(n_estimators={})",
        "BaggingRegressor(GridSearchCV(Ridge(), {{'alpha': [1, 2]}}), n_estimators={})",
        "GridSearchCV(RandomForestRegressor(n_estimators={}), {{'max_depth': [2, 3]}})",
        "VotingRegressor([('a', RandomForestRegressor(n_estimators={}))])",
        "MLPRegressor(max_iter={})",
        "LogisticRegression(max_iter={})",
    ],
)
def test_what_may_depend_on_the_number_stays_a_fit_of_its_own(engine: Engine, model: str) -> None:
    target = "dear" if model.startswith("Logistic") else "price"
    metrics = ["accuracy"] if target == "dear" else ["r2"]
    specs = sized(model, (4, 8), target=target, metrics=metrics)
    assert groups(engine, *specs) == []
    assert len(ops(*engine.compile(*specs, cv=CV).outputs, kind=Fit)) == 2


def test_early_stopping_of_a_spec_declines(engine: Engine) -> None:
    stop = {"early_stopping": {"rounds": 5, "on": {"inner": 0.2}}}
    assert groups(engine, *sized("LGBMRegressor(n_estimators={})", (4, 8), **stop)) == []
    assert len(groups(engine, *sized("LGBMRegressor(n_estimators={})", (4, 8)))) == 1


def test_a_number_alone_stays_as_it_is(engine: Engine) -> None:
    assert groups(engine, *sized(FOREST, (4,))) == []


def test_known_scores_make_the_longest_fit_shorter(engine: Engine) -> None:
    specs = sized(FOREST, (4, 8, 20))
    built = engine.build(specs[-1], cv=CV)
    known = [node.key for nodes in built.scores.values() for node in nodes]
    (group,) = groups(engine, *specs, known=known)
    assert group.sizes == (4, 8)


def test_seeds_are_groups_of_their_own(engine: Engine) -> None:
    found = groups(engine, *sized(FOREST, (4, 8), seeds=[1, 2]))
    assert [group.sizes for group in found] == [(4, 8), (4, 8)]


def test_predictions_are_kept_for_other_metrics(engine: Engine) -> None:
    specs = sized("LGBMRegressor(n_estimators={}, min_child_samples=3)", (4, 9))
    engine.run(*specs, cv=CV)
    again = [{**one, "metrics": ["medae"]} for one in specs]
    stored = engine.compile(*again, cv=CV, available=lambda value: True)
    assert [
        type(i.op).__name__ for task in stored.plan.tasks for i in task.instructions
    ].count("PrefixFit") == 0  # fmt: skip
    found = engine.run(*again, cv=CV, fresh=False)
    assert [a["medae"] for a in found] == [a["medae"] for a in engine.run(*again, cv=CV, rules=())]


BINARY = {"target": "dear", "metrics": ["roc_auc", "logloss", "accuracy", "f1"]}
GRADES = {"target": "grade", "metrics": ["logloss", "accuracy", "f1_macro"]}
PRICES: Spec = {}


@pytest.mark.parametrize(
    ("model", "change"),
    [
        ("LGBMRegressor(n_estimators={}, min_child_samples=3, subsample=0.7, subsample_freq=1)",
         PRICES),
        ("LGBMRegressor(n_estimators={}, min_child_samples=3)", {"sample_weight": "weight"}),
        ("LGBMClassifier(n_estimators={}, min_child_samples=3)", BINARY),
        ("LGBMClassifier(n_estimators={}, min_child_samples=3, class_weight='balanced')", GRADES),
        ("XGBRegressor(n_estimators={}, subsample=0.7)", {"sample_weight": "weight"}),
        ("XGBClassifier(n_estimators={}, colsample_bytree=0.5)", BINARY),
        ("XGBClassifier(n_estimators={})", GRADES),
        ("HistGradientBoostingRegressor(max_iter={}, min_samples_leaf=4)", PRICES),
        ("HistGradientBoostingClassifier(max_iter={}, max_features=0.5)", GRADES),
        ("GradientBoostingRegressor(n_estimators={}, subsample=0.5)", PRICES),
        ("GradientBoostingClassifier(n_estimators={})", BINARY),
        ("RandomForestRegressor(n_estimators={}, max_samples=0.5)", {"sample_weight": "weight"}),
        ("RandomForestClassifier(n_estimators={}, class_weight='balanced_subsample')", GRADES),
        ("ExtraTreesClassifier(n_estimators={})", BINARY),
        ("AdaBoostRegressor(n_estimators={})", PRICES),
        ("AdaBoostClassifier(n_estimators={})", GRADES),
        ("BaggingRegressor(Ridge(), n_estimators={}, max_features=0.5)", PRICES),
        ("BaggingClassifier(XGBClassifier(n_estimators=3), n_estimators={})", BINARY),
    ],
)  # fmt: skip
def test_scores_are_those_of_fits_of_their_own(engine: Engine, model: str, change: Spec) -> None:
    specs = sized(model, (3, 7, 16), seeds=[0, 5], **change)
    compiled = engine.compile(*specs, cv=CV)
    assert [group.sizes for group in ops(*compiled.outputs, kind=PrefixFit)] == [(3, 7, 16)] * 2
    together = engine.run(*specs, cv=CV)
    apart = engine.run(*specs, cv=CV, rules=())
    assert [a.error for a in together] == [None] * 3
    assert [a.scores for a in together] == [a.scores for a in apart]
    assert together[0].scores != together[2].scores


@pytest.mark.parametrize("transform", ["log1p", "StandardScaler()", "PowerTransformer()"])
def test_targets_are_transformed_back(engine: Engine, transform: str) -> None:
    target = {"column": "price", "transform": transform}
    specs = sized("XGBRegressor(n_estimators={})", (3, 12), target=target)
    assert len(groups(engine, *specs)) == 1
    together, apart = (engine.run(*specs, cv=CV, **more) for more in ({}, {"rules": ()}))
    assert [a.scores for a in together] == [a.scores for a in apart]


def test_rows_that_only_train_and_categories(engine: Engine) -> None:
    specs = sized(
        "LGBMRegressor(n_estimators={}, min_child_samples=3)",
        (3, 12),
        prepare=[{"filter": "age > 6", "only": "train"}],
        features=[{"columns": ["area", "rooms"]},
                  {"columns": ["kind", "owner"], "steps": ["ToCategorical()"]}],
    )  # fmt: skip
    assert len(groups(engine, *specs)) == 1
    together, apart = (engine.run(*specs, cv=CV, **more) for more in ({}, {"rules": ()}))
    assert [a.scores for a in together] == [a.scores for a in apart]
    assert together[0].error is None


def test_rounds_that_are_left_out_make_fits_of_their_own(engine: Engine) -> None:
    """Of so few sampled rows some rounds find no split, which later ones do."""
    model = (
        "LGBMRegressor(n_estimators={}, subsample=0.4, subsample_freq=1, min_child_samples=8, "
        "min_split_gain=15000, learning_rate=0.3)"
    )
    specs = sized(model, (3, 10, 40))
    assert len(groups(engine, *specs)) == 1
    together, apart = (engine.run(*specs, cv=CV, **more) for more in ({}, {"rules": ()}))
    assert [a.scores for a in together] == [a.scores for a in apart]
    assert together[0].scores != together[2].scores


def test_predictions_that_are_not_finite_fail_their_pipelines_only(engine: Engine) -> None:
    """Steps of more than twice the error grow from round to round."""
    target = {"column": "price", "transform": "log1p"}
    model = "GradientBoostingRegressor(n_estimators={}, learning_rate=3.0)"
    specs = sized(model, (2, 4, 40), target=target)
    assert len(groups(engine, *specs)) == 1
    good, fair, bad = engine.run(*specs, cv=CV)
    assert bad.error is not None
    assert bad.error["code"] == "non_finite_predictions"
    assert bad.error["path"] == "pipelines[2].model"
    assert [good.scores, fair.scores] == [
        a.scores for a in engine.run(*specs[:2], cv=CV, rules=())
    ]  # fmt: skip


def test_a_fit_that_fails_in_late_rounds_fails_its_pipelines_only(engine: Engine) -> None:
    """Residuals overflow, which scikit-learn refuses."""
    specs = sized("GradientBoostingRegressor(n_estimators={}, learning_rate=90.0)", (2, 4, 400))
    answers = engine.run(*specs, cv=CV)
    apart = engine.run(*specs, cv=CV, rules=())
    assert [a.error and a.error["code"] for a in answers] == [
        a.error and a.error["code"] for a in apart
    ]
    assert answers[2].error is not None
    assert answers[2].error["path"] == "pipelines[2].model"
    assert [a.scores for a in answers[:2]] == [a.scores for a in apart[:2]]
    assert answers[1].error is None


def test_what_fails_at_every_number_is_said_at_every_place(engine: Engine) -> None:
    specs = sized("AdaBoostRegressor(n_estimators={})", (2, 4), features=[{"columns": ["area"]}])
    assert len(groups(engine, *specs)) == 1
    for position, answer in enumerate(engine.run(*specs, cv=CV)):
        assert answer.error is not None
        assert answer.error["code"] == "missing_values"
        assert answer.error["message"].startswith("AdaBoostRegressor failed")
        assert answer.error["path"] == f"pipelines[{position}].model"


def test_numbers_that_no_model_takes_fail_alone(engine: Engine) -> None:
    specs = sized(FOREST, (0, 4, 8))
    (group,) = groups(engine, *specs)
    assert group.sizes == (4, 8)
    first, *others = engine.run(*specs, cv=CV)
    assert first.error is not None
    assert first.error["code"] == "invalid_parameter"
    assert [other.error for other in others] == [None, None]


def test_members_are_told_apart(engine: Engine) -> None:
    compiled = engine.compile(*sized(FOREST, (4, 8)), cv=CV)
    labels = [op.label for op in ops(*compiled.outputs, kind=PrefixPredict)]
    assert len(set(labels)) == 2
    (group,) = ops(*compiled.outputs, kind=PrefixFit)
    assert "n_estimators=4" in group.label
    assert "n_estimators=8" in group.label


def test_the_cost_is_that_of_the_longest_fit(engine: Engine) -> None:
    (group,) = groups(engine, *sized(FOREST, (4, 8, 300)))
    shape = Shape(5000, 12, valid=1000)
    assert seconds_of(group, shape) == seconds_of(group.at(300), shape)
    assert seconds_of(group, shape) > 2 * seconds_of(group.at(8), shape)
    assert bytes_of(group, shape) == bytes_of(group.at(300), shape)
    assert rounds(group) == 300
    for index, size in enumerate(group.sizes):
        asked = seconds_of(PrefixPredict(("predict",), index), shape, group)
        assert asked == seconds_of(Predict(("predict",)), shape, group.at(size))
