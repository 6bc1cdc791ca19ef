"""What to try first: descriptions of columns and a target in; task, metric and split out."""

from typing import Any

from executor.key_names import sounds_like_key
from executor.profile_columns import rounded
from executor.profile_target import Task
from planner.metrics import default_metrics

_SPLITTER = {
    "regression": "KFold(5, shuffle=True, random_state=0)",
    "binary": "StratifiedKFold(5, shuffle=True, random_state=0)",
    "multiclass": "StratifiedKFold(5, shuffle=True, random_state=0)",
}


def describe_target(found: dict[str, Any], task: Task, rows: int) -> dict[str, Any]:
    """The target's description with its task and what is notable about its distribution."""
    notes = []
    target: dict[str, Any] = {
        key: value
        for key, value in found.items()
        if key in ("name", "kind", "missing", "distinct", "top", "min", "max", "mean", "quantiles")
    }
    target["task"] = task
    if found["missing"]:
        notes.append(f"{found['missing']} rows have no target; evaluations drop them.")
    if task == "regression" and skewed(found):
        notes.append(
            "It is right-skewed and not negative: try the target transform 'log1p' "
            "(and rmsle, if ratios matter)."
        )
    if task != "regression" and found.get("top"):
        smallest = min(count for _, count in found["top"]) / max(1, rows - found["missing"])
        if task == "binary":
            target["minority_fraction"] = rounded(smallest, 4)
            if smallest < 0.1:
                notes.append("The classes are imbalanced: accuracy says little here.")
    if task == "multiclass" and found["distinct"] and found["distinct"] > 50:
        notes.append(f"It has {found['distinct']} classes.")
    if notes:
        target["notes"] = notes
    return target


def skewed(found: dict[str, Any]) -> bool:
    """Whether a numeric column is not negative and has a long right tail."""
    low, quantiles = found.get("min"), found.get("quantiles")
    if not quantiles or not isinstance(low, int | float) or low < 0 or None in quantiles:
        return False
    _, _, median, upper, top = quantiles
    return bool(median > 0 and top > 4 * median and top > 2 * upper)


def metrics(task: Task, target: dict[str, Any], skew: bool) -> list[str]:
    """Metric names, the default first."""
    names = list(default_metrics(task))
    if task == "regression":
        return [*names, "rmse", "mae", *(["rmsle"] if skew else [])]
    if task == "binary":
        rare = target.get("minority_fraction") or 0.5
        return [*names, "average_precision"] if rare < 0.1 else [*names, "logloss"]
    return [*names, "f1_macro", "logloss"]


def split(
    columns: list[dict[str, Any]],
    target: str,
    task: Task,
    rows: int,
    drifting: dict[str, Any] | None,
) -> dict[str, Any]:
    """The default splitter, and where a column speaks for another one, why.

    Returns:
        ``{"cv", "alternatives": [{"cv", "groups" | "order_by", "why"}]}``.
    """
    alternatives: list[dict[str, str]] = []
    later = {entry["column"] for entry in (drifting or {}).get("columns", []) if entry.get("later")}
    unseen = {
        entry["column"]: entry["unseen"]
        for entry in (drifting or {}).get("columns", [])
        if "unseen" in entry
    }
    for column in columns:
        name = column["name"]
        if name == target or not column["distinct"]:
            continue
        if column["kind"] == "date" and column["distinct"] > 10:
            why = f"if the model is to predict times after those of '{name}' it was fitted on"
            if name in later:
                why = f"all '{name}' of the test table lie after those of this one"
            elif column.get("sorted"):
                why += f"; the rows are in order of '{name}'"
            alternatives.append({"cv": "TimeSeriesSplit(5)", "order_by": name, "why": why})
        elif _repeated_key(column, rows):
            why = f"rows share values of '{name}'; use it if new values must be predicted"
            if unseen.get(name, 0) > 0.5:
                why = f"most values of '{name}' in the test table are new"
            splitter = "GroupKFold(5)" if task == "regression" else "StratifiedGroupKFold(5)"
            alternatives.append({"cv": splitter, "groups": name, "why": why})
    # A reason seen in the test table comes before one that the names suggest.
    alternatives.sort(key=lambda item: "test table" not in item["why"])
    return {"cv": _SPLITTER[task], "alternatives": alternatives[:4]}


def _repeated_key(column: dict[str, Any], rows: int) -> bool:
    """A key of several rows each: many values, each repeated, and a name that says so."""
    name, distinct = column["name"], column["distinct"]
    if column["kind"] not in ("integer", "string") or "free_text" in column.get("flags", []):
        return False
    return sounds_like_key(name) and 10 <= distinct <= 0.7 * rows
