"""The profile: what it says of columns, targets, leaks and drift, and what it survives."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.metrics import roc_auc_score

from executor import profile as profile_module
from executor.ingest import ingest
from executor.profile import profile
from executor.profile_drift import largest_gap
from executor.profile_target import _auc, guess_task
from planner.errors import SpecError


def add(folder: Path, frame: pd.DataFrame, **options: Any) -> str:
    source = folder / "a.csv"
    frame.to_csv(source, index=False)
    return f"{folder}/{ingest(str(source), str(folder), options)['fingerprint']}.arrow"


def profiled(
    folder: Path, frame: pd.DataFrame, target: str | None = None, **options: Any
) -> dict[str, Any]:
    found = profile(add(folder, frame), "a", target, **options)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    return found


def column(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(c for c in found["columns"] if c["name"] == name)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_numbers_agree_with_pandas(tmp_path: Path) -> None:
    frame = load_diabetes(as_frame=True, scaled=False).frame
    frame.loc[::7, "bmi"] = np.nan
    found = profiled(tmp_path, frame)
    assert found["rows"] == len(frame)
    assert found["duplicate_rows"] == 0
    assert "sampled" not in found
    for name in frame:
        got, series = column(found, str(name)), frame[name]
        assert got["missing"] == series.isna().sum()
        assert got["distinct"] == series.nunique()
        assert got["mean"] == pytest.approx(series.mean(), rel=1e-5)
        assert got["std"] == pytest.approx(series.std(), rel=1e-5)
        assert (got["min"], got["max"]) == (series.min(), series.max())
        expected = series.quantile([0.05, 0.25, 0.5, 0.75, 0.95]).tolist()
        assert got["quantiles"] == pytest.approx(expected, rel=1e-5)


def test_texts_dates_and_flags(tmp_path: Path, rng: np.random.Generator) -> None:
    n = 200
    frame = pd.DataFrame(
        {
            "key": [f"u{i:04d}" for i in range(n)],
            "row": np.arange(n),
            "city": ["Rome"] * 150 + ["Oslo"] * 50,
            "one": 1,
            "rare": [1] + [0] * (n - 1),
            "none": np.nan,
            "price": [f"${i},000" for i in range(1, n + 1)],
            "review": [f"this is a rather long text number {i}" for i in range(n)],
            "when": pd.date_range("2020-01-01", periods=n).astype(str),
            "raw": [str(x) for x in rng.integers(0, 99, n - 1)] + ["?"],
            "inf": [np.inf, *np.arange(1, n) / 7],
        }
    )
    found = profiled(tmp_path, frame)
    flags = {c["name"]: c.get("flags", []) for c in found["columns"]}
    assert flags == {
        "key": ["id_like"],
        "row": ["id_like"],
        "city": [],
        "one": ["constant"],
        "rare": ["nearly_constant"],
        "none": ["all_missing"],
        "price": ["numeric_text"],
        "review": ["free_text"],
        "when": [],
        "raw": [],
        "inf": [],
    }
    assert column(found, "city")["top"] == [["Rome", 150], ["Oslo", 50]]
    when = column(found, "when")
    assert (when["min"], when["max"], when["sorted"]) == (
        "2020-01-01 00:00:00", "2020-07-18 00:00:00", True
    )  # fmt: skip
    assert column(found, "raw")["suspects"] == {"values": {"?": 1}, "would_be": "integer"}
    assert column(found, "inf")["infinite"] == 1
    text = " ".join(found["warnings"])
    for name in ("'raw'", "'one'", "'none'", "'key'", "'price'", "'inf'"):
        assert name in text
    assert "'city'" not in text


@pytest.mark.parametrize(
    ("load", "task", "metric", "splitter"),
    [
        (load_diabetes, "regression", "r2", "KFold"),
        (load_breast_cancer, "binary", "roc_auc", "StratifiedKFold"),
        (load_iris, "multiclass", "accuracy", "StratifiedKFold"),
    ],
)
def test_the_task_and_what_goes_with_it(
    tmp_path: Path, load: Any, task: str, metric: str, splitter: str
) -> None:
    found = profiled(tmp_path, load(as_frame=True).frame, "target")
    suggested = found["suggested"]
    assert suggested["task"] == found["target"]["task"] == task
    assert suggested["metrics"][0] == metric
    assert suggested["cv"].startswith(splitter + "(")
    assert suggested["alternatives"] == []
    assert found["leaks"] == []


def test_the_task_can_be_given(tmp_path: Path) -> None:
    frame = load_iris(as_frame=True).frame
    assert profiled(tmp_path, frame, "target", task="regression")["suggested"]["task"] == (
        "regression"
    )
    with pytest.raises(SpecError) as caught:
        profiled(tmp_path, frame, "target", task="ranking")
    assert caught.value.code == "invalid_option"


@pytest.mark.parametrize(
    ("kind", "distinct", "rows", "task"),
    [
        ("string", 2, 100, "binary"),
        ("string", 30, 100, "multiclass"),
        ("boolean", 2, 100, "binary"),
        ("integer", 2, 100, "binary"),
        ("integer", 7, 1000, "multiclass"),
        ("integer", 15, 60, "regression"),
        ("integer", 100, 1000, "regression"),
        ("float", 100, 1000, "regression"),
        ("float", 2, 1000, "binary"),
        ("date", 2, 1000, "regression"),
    ],
)
def test_guesses(kind: str, distinct: int, rows: int, task: str) -> None:
    assert guess_task(kind, distinct, rows) == task


def test_auc_is_that_of_sklearn(rng: np.random.Generator) -> None:
    y = rng.integers(0, 2, 500).astype(float)
    p = np.round(rng.normal(size=500) + y, 1)
    assert _auc(y, p) == pytest.approx(roc_auc_score(y, p))


def test_the_distance_of_samples_is_that_of_scipy(rng: np.random.Generator) -> None:
    a, b = np.round(rng.normal(size=300), 1), np.round(rng.normal(size=77) + 0.3, 1)
    assert largest_gap(a, b) == pytest.approx(ks_2samp(a, b).statistic)


def related(found: dict[str, Any]) -> dict[str, float]:
    return {entry["column"]: entry["score"] for entry in found["relations"]["columns"]}


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_relations_see_shapes_categories_and_gaps(
    tmp_path: Path, rng: np.random.Generator, task: str
) -> None:
    n = 4000
    bend, gap, noise = rng.normal(size=n), rng.normal(size=n), rng.normal(size=n)
    level = rng.integers(0, 5, n)
    signal = bend**2 + (level == 3) * 2 + (gap > 1) * 2 + rng.normal(size=n) * 0.5
    target = {
        "regression": signal,
        "binary": (signal > 2).astype(int),
        "multiclass": np.digitize(signal, [0.5, 1.5, 3]),
    }[task]
    frame = pd.DataFrame(
        {
            "bend": bend,
            "level": [f"L{i}" for i in level],
            "gap": np.where(gap > 1, np.nan, noise),
            "noise": rng.normal(size=n),
            "key": [f"k{i}" for i in range(n)],
            "y": target,
        }
    )
    scores = related(profiled(tmp_path, frame, "y"))
    floor = 0.0 if task == "regression" else 0.5
    for name in ("bend", "level", "gap"):
        assert scores[name] > floor + 0.05
    for name in ("noise", "key"):
        assert scores[name] < floor + 0.04
    assert list(scores.values()) == sorted(scores.values(), reverse=True)


def test_leaks_are_found_with_their_reason(tmp_path: Path, rng: np.random.Generator) -> None:
    n = 3000
    y = rng.exponential(size=n) * 100
    part = rng.random(n) * y
    frame = pd.DataFrame(
        {
            "copy": y * 1.1 + rng.normal(size=n) * 0.01,
            "order": np.exp(y / 20),
            "part": part,
            "rest": y - part,
            "honest": y + rng.normal(size=n) * 100,
            "y": y,
        }
    )
    found = profiled(tmp_path, frame, "y")
    reasons = {tuple(leak["columns"]): leak["reason"] for leak in found["leaks"]}
    assert ("copy",) in reasons
    assert ("order",) in reasons
    assert ("honest",) not in reasons
    assert any("May give the target away" in w for w in found["warnings"])
    found = profiled(tmp_path, frame.drop(columns=["copy", "order"]), "y")
    assert [leak["columns"] for leak in found["leaks"]] == [["part", "rest"]]
    found = profiled(tmp_path, frame[["part", "honest", "y"]], "y")
    assert found["leaks"] == []


def test_a_column_filled_in_afterwards(tmp_path: Path, rng: np.random.Generator) -> None:
    y = rng.random(2000) < 0.2
    frame = pd.DataFrame(
        {"left_on": np.where(y, rng.normal(size=2000), np.nan), "x": rng.normal(size=2000), "y": y}
    )
    found = profiled(tmp_path, frame, "y")
    assert [leak["columns"] for leak in found["leaks"]] == [["left_on"]]
    assert "missing" in found["leaks"][0]["reason"]


def test_splits_by_time_and_by_group(tmp_path: Path, rng: np.random.Generator) -> None:
    n = 1000
    frame = pd.DataFrame(
        {
            "day": pd.date_range("2020-01-01", periods=n, freq="h").astype(str),
            "patient_id": rng.integers(0, 100, n),
            "humid": rng.integers(0, 100, n),
            "y": rng.normal(size=n),
        }
    )
    found = profiled(tmp_path, frame, "y")["suggested"]["alternatives"]
    assert [{k: v for k, v in item.items() if k != "why"} for item in found] == [
        {"cv": "TimeSeriesSplit(5)", "order_by": "day"},
        {"cv": "GroupKFold(5)", "groups": "patient_id"},
    ]
    later = frame.iloc[600:].copy()
    later["patient_id"] += 1000
    (tmp_path / "test").mkdir()
    other = add(tmp_path / "test", later)
    found = profiled(tmp_path, frame.iloc[:600], "y", other=other)
    assert "test table" in found["suggested"]["alternatives"][0]["why"]
    assert column({"columns": found["columns"]}, "day")["sorted"]


def test_imbalance_skew_and_missing_targets(tmp_path: Path, rng: np.random.Generator) -> None:
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=1000),
            "rare": ["yes"] * 30 + ["no"] * 970,
            "cost": np.exp(rng.normal(size=1000) * 1.5),
        }
    )
    frame.loc[:9, "cost"] = np.nan
    found = profiled(tmp_path, frame, "rare")
    assert found["target"]["minority_fraction"] == 0.03
    assert "average_precision" in found["suggested"]["metrics"]
    found = profiled(tmp_path, frame, "cost")
    notes = " ".join(found["target"]["notes"])
    assert "log1p" in notes
    assert "10 rows" in notes
    assert "rmsle" in found["suggested"]["metrics"]


def test_duplicates(tmp_path: Path, rng: np.random.Generator) -> None:
    frame = pd.DataFrame({"a": rng.normal(size=100), "s": ["x", None] * 50})
    frame = pd.concat([frame, frame.iloc[:10]])
    assert profiled(tmp_path, frame)["duplicate_rows"] == 10
    frame.insert(0, "id", np.arange(110))
    found = profiled(tmp_path, frame)
    assert (found["duplicate_rows"], found["duplicate_feature_rows"]) == (0, 10)
    assert any("10 rows repeat" in w for w in found["warnings"])


def test_drift(tmp_path: Path, rng: np.random.Generator) -> None:
    train = pd.DataFrame(
        {
            "id": np.arange(1000),
            "same": rng.normal(size=1000),
            "moved": rng.normal(size=1000),
            "city": rng.choice(["a", "b"], 1000),
            "gone": 1,
            "kind": "x",
            "y": rng.normal(size=1000),
        }
    )
    test = pd.DataFrame(
        {
            "id": np.arange(1000, 1500),
            "same": rng.normal(size=500),
            "moved": rng.normal(size=500) + 2,
            "city": rng.choice(["a", "c"], 500),
            "new": 1,
            "kind": np.arange(500),
            "y": rng.normal(size=500) + 9,
        }
    )
    test.loc[:99, "same"] = np.nan
    (tmp_path / "test").mkdir()
    other = add(tmp_path / "test", test)
    found = profiled(tmp_path, train, "y", other=other, other_name="later")
    drift = found["drift"]
    assert drift["with"] == "later"
    assert drift["only_in_train"] == ["gone"]
    assert drift["only_in_test"] == ["new"]
    assert drift["types_differ"] == [["kind", "string", "integer"]]
    columns = {entry.pop("column"): entry for entry in drift["columns"]}
    assert list(columns) == ["moved", "city", "same"]
    assert columns["moved"]["distance"] > 0.6
    assert columns["city"]["unseen"] == pytest.approx((test.city == "c").mean(), abs=1e-4)
    assert columns["same"] == {"distance": 0.2, "missing": [0.0, 0.2]}
    assert any("'moved'" in w and "'later'" in w for w in found["warnings"])


def test_samples_are_told_and_always_the_same(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.DataFrame({"x": rng.normal(size=5000), "s": rng.choice(list("abc"), 5000)})
    frame["y"] = frame.x + rng.normal(size=5000)
    exact = profiled(tmp_path, frame, "y")
    assert "sampled" not in exact
    monkeypatch.setattr(profile_module, "SAMPLE", 1000)
    monkeypatch.setattr(profile_module, "TARGET_SAMPLE", 2000)
    found = profiled(tmp_path, frame, "y")
    assert found["sampled"] == {"quantiles": 1000, "relations": 2000}
    assert found == profiled(tmp_path, frame, "y")
    assert column(found, "x")["mean"] == column(exact, "x")["mean"]
    assert related(found)["x"] == pytest.approx(related(exact)["x"], abs=0.1)
    monkeypatch.setattr(profile_module, "EXACT_CELLS", 6000)
    found = profiled(tmp_path, frame, "y")
    assert found["rows"] == 5000
    assert found["sampled"]["columns"] == 2000


def test_unknown_targets_come_with_near_names(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        profiled(tmp_path, pd.DataFrame({"price": [1, 2]}), "prize")
    assert (caught.value.code, caught.value.path) == ("unknown_column", "target")
    assert caught.value.hint == "Did you mean 'price'?"


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"x": [1.5], "y": [2]}),
        pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}),
        pd.DataFrame({"x": [np.nan] * 30, "y": [0, 1] * 15}),
        pd.DataFrame({"x": range(30), "y": [np.nan] * 30}),
        pd.DataFrame({"x": range(30), "y": [5] * 30}),
        pd.DataFrame({"x": range(30), "y": [np.inf, 1.5] + [2.5] * 28}),
        pd.DataFrame({"x": [np.inf, -np.inf] * 15, "y": np.arange(30) / 7}),
        pd.DataFrame({"x": [1e308, -1e308] * 15, "y": np.arange(30) * 1e306}),
        pd.DataFrame({"x": [2**63 + i for i in range(30)], "y": [2**64 - i for i in range(30)]}),
        pd.DataFrame({"größe": ["ü", "\u200b", None] * 10, "y": ["ä", "ö", "ß"] * 10}),
        pd.DataFrame({"x": range(30), "y": pd.date_range("2020-01-01", periods=30).astype(str)}),
        pd.DataFrame({'a "b" ,\n': ["x" * 10_000] * 30, "y": [f"k{i}" for i in range(30)]}),
        pd.DataFrame({"y": range(30)}),
    ],
)
def test_odd_tables(tmp_path: Path, frame: pd.DataFrame) -> None:
    source = add(tmp_path, frame)
    found = profile(source, "a", "y", other=source)
    assert len(json.dumps(found, allow_nan=False)) < 20_000
    assert found["rows"] == len(frame)
    assert found["target"]["name"] == "y"


def test_thousands_of_columns_are_bounded(tmp_path: Path, rng: np.random.Generator) -> None:
    frame = pd.DataFrame(rng.normal(size=(50, 2000)), columns=[f"c{i}" for i in range(2000)])
    found = profiled(tmp_path, frame, "c7", other=add(tmp_path, frame))
    assert found["column_count"] == 2000
    assert len(found["columns"]) == 200
    assert found["columns_omitted"] == 1800
    assert len(found["relations"]["columns"]) == 50
    assert len(json.dumps(found)) < 100_000
