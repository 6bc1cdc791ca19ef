"""Which columns go through which transformers: selectors and the default feature plan.

Input: the prepared table and the `features` of a spec. Output: branches of concrete column
names, in the order in which scikit-learn's ColumnTransformer would stack them.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from planner.binder import schema
from planner.errors import SpecError
from planner.graph import Node
from planner.schema import Column, Kind
from planner.spec import (
    Estimator,
    ExceptSelector,
    FeatureBranch,
    KindSelector,
    RegexSelector,
    Selector,
)

KINDS: dict[str, frozenset[Kind]] = {
    "numeric": frozenset({"integer", "float"}),
    "string": frozenset({"string"}),
    "categorical": frozenset({"string", "categorical"}),
    "date": frozenset({"date"}),
    "boolean": frozenset({"boolean"}),
    "all": frozenset({"integer", "float", "boolean", "string", "date", "categorical", "other"}),
}
# skrub's TableVectorizer calls a string column low-cardinality below 40 distinct values.
LOW_CARDINALITY = 40
# Text that is different in nearly every row identifies rows; it says nothing of new ones.
ID_LIKE = 0.95
# Dense, because a few dozen columns are faster dense and linear models then share moments.
ONE_HOT = "OneHotEncoder(drop='if_binary', handle_unknown='ignore', sparse_output=False)"


@dataclass(frozen=True)
class Branch:
    """Columns and the transformers they pass through, in spec form."""

    columns: tuple[str, ...]
    steps: tuple[Estimator, ...]
    path: str


@dataclass
class Selection:
    """The columns that selectors may choose from.

    `hidden` columns (target, groups, weights, folds) are chosen only where named one by one;
    `leaking` ones are computed from the target: choosing them is refused by the builder;
    `sources` are what the target itself is computed from: selectors leave them out.
    """

    table: Node
    count: Callable[[str], int]  # distinct values of a column
    hidden: frozenset[str]
    sources: frozenset[str] = frozenset()
    rows: Callable[[], int] | None = None
    left_out: set[str] = field(default_factory=set)
    identifiers: set[str] = field(default_factory=set)

    def columns(self) -> Iterable[Column]:
        for column in schema(self.table):
            if column.name in self.sources and column.name not in self.hidden:
                self.left_out.add(column.name)
            elif column.name not in self.hidden:
                yield column

    def distinct(self, column: Column) -> int:
        if column.distinct is not None:
            return column.distinct
        return self.count(column.name)

    def select(self, selector: Selector, path: str) -> tuple[str, ...]:
        """Column names chosen by `selector`; kinds and patterns keep table order."""
        if isinstance(selector, str):
            if selector in KINDS and selector not in schema(self.table):
                return self._of_kind(KindSelector(kind=selector), path)  # type: ignore[arg-type]
            schema(self.table).require(selector, path)
            return (selector,)
        if isinstance(selector, RegexSelector):
            try:
                pattern = re.compile(selector.regex)
            except re.error as error:
                raise SpecError(
                    "invalid_selector", f"Not a regular expression: {error}.", path=f"{path}.regex"
                ) from None
            return tuple(c.name for c in self.columns() if pattern.search(c.name))
        if isinstance(selector, ExceptSelector):
            refused = set(self._listed(selector.except_, f"{path}.except"))
            return tuple(c.name for c in self.columns() if c.name not in refused)
        if isinstance(selector, KindSelector):
            return self._of_kind(selector, path)
        return self._listed(selector, path)

    def _listed(self, names: Sequence[str], path: str) -> tuple[str, ...]:
        chosen: dict[str, None] = {}
        for position, name in enumerate(names):
            for column in self.select(name, f"{path}[{position}]"):
                chosen.setdefault(column)
        return tuple(chosen)

    def _of_kind(self, selector: KindSelector, path: str) -> tuple[str, ...]:
        low, high = selector.min_cardinality, selector.max_cardinality
        chosen = []
        for column in self.columns():
            if column.kind not in KINDS[selector.kind]:
                continue
            if low is not None or high is not None:
                count = self.distinct(column)
                if (low is not None and count < low) or (high is not None and count > high):
                    continue
            chosen.append(column.name)
        return tuple(chosen)


def explicit(selection: Selection, branches: Sequence[FeatureBranch], path: str) -> list[Branch]:
    """The spec's own branches with their selectors resolved."""
    found = []
    for position, branch in enumerate(branches):
        place = f"{path}[{position}]"
        names = selection.select(branch.columns, f"{place}.columns")
        found.append(Branch(names, tuple(branch.steps), place))
    return found


def default(
    selection: Selection, *, missing_ok: bool, scale: bool, regression: bool, path: str
) -> list[Branch]:
    """Branches by dtype and cardinality, after the idea of skrub's TableVectorizer.

    Numbers are handed on as they are to models that take missing values, else imputed by the
    mean, and scaled for models that are sensitive to scale. Strings of fewer than
    `LOW_CARDINALITY` distinct values are one-hot encoded, others target encoded, and those that
    differ in nearly every row left out (`Selection.identifiers`). Booleans are handed on as 0/1;
    dates are left out unless steps derive their parts (the builder says so).
    """
    numeric: list[Estimator] = []
    booleans: list[Estimator] = []
    if not missing_ok:
        numeric.append("SimpleImputer()")
        booleans.append("SimpleImputer(strategy='most_frequent')")
    if scale:
        numeric.append("StandardScaler()")
    groups: dict[str, list[str]] = {"numeric": [], "boolean": [], "low": [], "high": []}
    for column in selection.columns():
        if column.kind in KINDS["numeric"]:
            groups["numeric"].append(column.name)
        elif column.kind == "boolean":
            groups["boolean"].append(column.name)
        elif column.kind in KINDS["categorical"]:
            distinct = selection.distinct(column)
            if distinct < LOW_CARDINALITY:
                groups["low"].append(column.name)
            elif selection.rows is not None and distinct > ID_LIKE * selection.rows():
                selection.identifiers.add(column.name)
            else:
                groups["high"].append(column.name)
    if groups["boolean"] and not any(
        schema(selection.table)[name].nullable for name in groups["boolean"]
    ):
        booleans = []
    # Left to guess, TargetEncoder takes a target of whole numbers for thousands of classes.
    target = "TargetEncoder(target_type='continuous')" if regression else "TargetEncoder()"
    steps: dict[str, list[Estimator]] = {
        "numeric": numeric,
        "boolean": booleans,
        "low": [ONE_HOT],
        "high": [target, *(["StandardScaler()"] if scale else [])],
    }
    return [
        Branch(tuple(names), tuple(steps[kind]), path) for kind, names in groups.items() if names
    ]


def describe(branches: Sequence[Branch]) -> list[dict[str, object]]:
    """Branches as the JSON of `features`, for the agent to edit."""
    return [{"columns": list(b.columns), "steps": list(b.steps)} for b in branches]
