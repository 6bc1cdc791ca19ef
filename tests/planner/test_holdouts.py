"""Pipelines with a hold-out, planned and run in this process, against plain scikit-learn."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score, root_mean_squared_error
from sklearn.model_selection import GroupShuffleSplit, KFold, StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, TargetEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from planner.build import Built, build
from planner.ops import Columns, Fit, Folds
from planner.spec import PipelineSpec
from tests.inprocess import Engine
from tests.planner.planning_cases import CV, RIDGE, flats, nodes

SETTINGS: dict[str, Any] = {"cv": CV, "metrics": ["r2", "rmse"], "holdout": 0.2}


def confirmed(engine: Engine, spec: dict[str, Any], **evaluate: Any) -> Built:
    env = replace(engine.environment(**evaluate), confirm=True)
    return build(env, PipelineSpec.model_validate(spec), "pipelines[0]")


def on_holdout(engine: Engine, spec: dict[str, Any], **evaluate: Any) -> dict[str, float]:
    """Scores of the refitted pipeline on the hold-out."""
    engine.forget()
    (answer,) = engine.execute(engine.plan({0: confirmed(engine, spec, **evaluate)}))
    assert answer.error is None, answer.error
    assert all(len(folds) == 1 for folds in answer.scores.values())
    return {name: folds[0] for name, folds in answer.scores.items()}


def sides(frame: pd.DataFrame, stratify: Any = None) -> tuple[np.ndarray, np.ndarray]:
    """Rows outside and inside of a hold-out of a fifth."""
    outside, inside = train_test_split(
        np.arange(len(frame)), test_size=0.2, random_state=0, stratify=stratify
    )
    return np.sort(outside), np.sort(inside)


def test_folds_and_confirmation_are_the_librarys(engine: Engine) -> None:
    frame = flats()
    features = ["area", "rooms", "age"]
    spec = {
        **RIDGE,
        "target": {"column": "price", "transform": "log1p"},
        "features": [{"columns": features, "steps": ["SimpleImputer()", "StandardScaler()"]},
                     {"columns": ["owner"], "steps": ["TargetEncoder(random_state=0)"]}],
        "sample_weight": "weight",
    }  # fmt: skip
    from sklearn.compose import ColumnTransformer

    model = TransformedTargetRegressor(
        make_pipeline(
            ColumnTransformer([
                ("n", make_pipeline(SimpleImputer(), StandardScaler()), features),
                ("o", TargetEncoder(random_state=0), ["owner"]),
            ]),
            Ridge(0.5),
        ),
        func=np.log1p, inverse_func=np.expm1,
    )  # fmt: skip
    x, y, w = frame[[*features, "owner"]], frame["price"], frame["weight"]
    outside, inside = sides(frame)

    def score(train: np.ndarray, valid: np.ndarray) -> tuple[float, float]:
        model.fit(x.iloc[train], y.iloc[train], ridge__sample_weight=w.iloc[train])
        p = model.predict(x.iloc[valid])
        return r2_score(y.iloc[valid], p), root_mean_squared_error(y.iloc[valid], p)

    folds = KFold(3, shuffle=True, random_state=1).split(outside)
    expected = np.array([score(outside[train], outside[valid]) for train, valid in folds])
    answer = engine.one(spec, **SETTINGS)
    np.testing.assert_allclose(answer["r2"], expected[:, 0], rtol=1e-9)
    np.testing.assert_allclose(answer["rmse"], expected[:, 1], rtol=1e-9)
    found = on_holdout(engine, spec, **SETTINGS)
    np.testing.assert_allclose([found["r2"], found["rmse"]], score(outside, inside), rtol=1e-9)


def test_classes_are_stratified_and_seeds_averaged(engine: Engine) -> None:
    frame = flats()
    x, y = frame[["rooms", "age"]], frame["grade"]
    spec = {
        "dataset": "flats", "target": "grade", "features": [{"columns": ["rooms", "age"]}],
        "model": "DecisionTreeClassifier(max_features=1)", "seeds": [3, 4],
    }  # fmt: skip
    evaluate = {"cv": "StratifiedKFold(3)", "metrics": ["accuracy"], "holdout": 0.2}
    outside, inside = sides(frame, stratify=y)
    tree = [DecisionTreeClassifier(max_features=1, random_state=seed) for seed in (3, 4)]
    expected = []
    for train, valid in [*StratifiedKFold(3).split(outside, y.iloc[outside]), (None, None)]:
        train, valid = (outside, inside) if train is None else (outside[train], outside[valid])
        scores = [
            t.fit(x.iloc[train], y.iloc[train]).score(x.iloc[valid], y.iloc[valid]) for t in tree
        ]
        expected.append(np.mean(scores))
    assert engine.one(spec, **evaluate)["accuracy"] == pytest.approx(expected[:3], rel=1e-12)
    assert on_holdout(engine, spec, **evaluate)["accuracy"] == pytest.approx(expected[3])


def test_groups_are_kept_whole(engine: Engine) -> None:
    frame = flats()
    spec = {**RIDGE, "model": "DecisionTreeRegressor(random_state=0)"}
    evaluate = {**SETTINGS, "cv": "GroupKFold(3)", "groups": "owner",
                "holdout": {"fraction": 0.3, "seed": 5}}  # fmt: skip
    splitter = GroupShuffleSplit(1, test_size=0.3, random_state=5)
    ((outside, inside),) = splitter.split(frame, groups=frame["owner"])
    x, y = frame[["rooms", "age"]], frame["price"]
    outside = np.sort(outside)
    tree = DecisionTreeRegressor(random_state=0).fit(x.iloc[outside], y.iloc[outside])
    expected = tree.score(x.iloc[np.sort(inside)], y.iloc[np.sort(inside)])
    assert on_holdout(engine, spec, **evaluate)["r2"] == pytest.approx(expected, rel=1e-12)
    # The group column is aside, and what is named only for the hold-out is so too.
    own = {**SETTINGS, "holdout": {"fraction": 0.3, "groups": "owner"}}
    plain = {"dataset": "flats", "target": "price", "model": "Ridge()"}
    built = engine.build({**plain, "features": [{"columns": "string"}]}, **own)
    assert "owner" not in {name for node in nodes(built, Columns) for name in node.op.names}


def test_the_last_rows_of_a_time_series(engine: Engine) -> None:
    frame = flats()
    spec = {**RIDGE, "features": [{"columns": ["rooms", "age"]}]}
    evaluate = {**SETTINGS, "cv": "TimeSeriesSplit(3)", "order_by": "sold_at desc"}
    ordered = frame.sort_values("sold_at", ascending=False)
    x, y = ordered[["rooms", "age"]], ordered["price"]
    model = Ridge(0.5).fit(x.iloc[:72], y.iloc[:72])
    expected = model.score(x.iloc[72:], y.iloc[72:])
    assert on_holdout(engine, spec, **evaluate)["r2"] == pytest.approx(expected, rel=1e-9)
    built = engine.build(spec, **evaluate)
    assert built.cv == "TimeSeriesSplit(n_splits=3) outside hold-out 0.2 (the last rows)"


def test_leave_one_out_counts_what_is_left(engine: Engine) -> None:
    for cv, groups, folds in (
        ("LeaveOneOut()", None, 72),
        ("LeaveOneGroupOut()", "owner", 12 - 3),
    ):
        evaluate = {"cv": cv, "metrics": ["rmse"], "groups": groups, "holdout": 0.2}
        assert len(engine.one(RIDGE, **evaluate)["rmse"]) == folds


def test_keys_without_a_hold_out_are_what_they_were(engine: Engine) -> None:
    """Stored scores are found by them."""
    plain = engine.build(RIDGE, cv=CV)
    folds = plain.folds.op
    assert isinstance(folds, Folds)
    assert "holdout" not in repr(folds).lower()
    assert len(plain.folds.inputs) == 1
    kept = engine.build(RIDGE, cv=CV, holdout=0.2)
    # The very same op: that it has a second input is all that tells them apart.
    assert kept.folds.op == folds
    assert kept.folds.inputs[0] is plain.folds.inputs[0]
    assert kept.folds.key != plain.folds.key
    again = engine.build(RIDGE, cv=CV, holdout={"fraction": 0.2})
    assert again.folds is kept.folds
    other = engine.build(RIDGE, cv=CV, holdout={"fraction": 0.2, "seed": 1})
    assert other.folds.key != kept.folds.key
    assert len({plain.cv, kept.cv, other.cv}) == 3  # never ranked together


def test_a_refit_never_stops_early_on_the_hold_out(engine: Engine) -> None:
    spec = {**RIDGE, "model": "LGBMRegressor(n_estimators=20)", "early_stopping": {"rounds": 3}}
    built = confirmed(engine, spec, **SETTINGS)
    (fit,) = {node.op for node in nodes(built, Fit)}
    assert fit.stop_inner == 0.1
    assert any("of its own training rows" in text for text in built.warnings)
    folds = engine.build(spec, **SETTINGS)
    assert {node.op.stop_inner for node in nodes(folds, Fit)} == {0.0}
    assert set(on_holdout(engine, spec, **SETTINGS)) == {"r2", "rmse"}


def test_steps_that_choose_rows_are_told(engine: Engine) -> None:
    chosen = {**RIDGE, "prepare": [{"filter": "rooms > 1"}]}
    assert any("choose rows" in text for text in engine.build(chosen, **SETTINGS).warnings)
    assert not engine.build(RIDGE, **SETTINGS).warnings
    assert not any("choose rows" in w for w in engine.build(chosen, cv=CV).warnings)


def test_unknown_columns_of_a_hold_out(engine: Engine) -> None:
    error = engine.error(RIDGE, **{**SETTINGS, "holdout": {"fraction": 0.2, "groups": "ownr"}})
    assert (error.code, error.path) == ("unknown_column", "evaluate.holdout.groups")
    assert "owner" in error.hint
