"""Takes composite estimators apart: Pipeline, ColumnTransformer, FeatureUnion become nodes.

Input: a transformer `Call` and the features it is applied to. Output: feature nodes, so that
equal parts of different pipelines are one node. What cannot be taken apart without changing
its meaning (weights, positional columns, callables) stays one opaque, correct `Encode`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from planner.binder import schema
from planner.errors import SpecError
from planner.expressions import TRANSFORMERS, Call, Function, Items, Literal
from planner.features import KINDS
from planner.graph import Graph, Node
from planner.lineage import narrow
from planner.ops import Apply, Columns, Concat, Encode
from planner.registry import Registry


@dataclass(frozen=True)
class Frame:
    """Columns of the prepared table, not yet turned into a feature block."""

    table: Node
    names: tuple[str, ...]

    def node(self, graph: Graph, single: bool = False) -> Node:
        return graph.node(Columns(self.names, single), narrow(graph, self.table, self.names))


Features = Frame | Node


@dataclass(frozen=True)
class Stacked:
    """One branch of a ColumnTransformer: columns, and the transformers they pass through.

    `single` hands the first transformer a 1-D column; `numbered` says that `path` has `steps`.
    """

    columns: tuple[str, ...]
    steps: tuple[Call, ...]
    path: str
    single: bool = False
    numbered: bool = False


@dataclass
class Encoder:
    """Applies transformer calls to features within one pipeline."""

    graph: Graph
    registry: Registry
    folds: Node
    target: Node
    places: dict[str, str]
    use_columns: Callable[[tuple[str, ...], str], None]

    def materialise(self, features: Features, path: str, single: bool = False) -> Node:
        """The block of `features`; asks the builder whether its columns may be used."""
        if isinstance(features, Node):
            return features
        self.use_columns(features.names, path)
        return self._placed(features.node(self.graph, single), path)

    def encode(self, call: Call, features: Features, path: str) -> Features:
        """`call` fitted and applied per fold, taken apart as far as possible."""
        if call.name == "Pipeline" and _plain(call, {"steps"}):
            for step in _steps(call, "steps", path):
                if step is not None:
                    features = self.encode(step, features, path)
            return features
        if call.name == "FeatureUnion" and _plain(call, {"transformer_list"}):
            steps = _steps(call, "transformer_list", path)
            if steps and None not in steps:  # "passthrough" and "drop" are rare here
                parts = [
                    self.materialise(self.encode(step, features, path), path)
                    for step in steps
                    if step is not None
                ]
                return self._placed(self.graph.node(Concat(None), self.folds, *parts), path)
        if call.name == "ColumnTransformer" and isinstance(features, Frame):
            branches = self._branches(call, features, path)
            if branches is not None:
                threshold = _param(call, "sparse_threshold", 0.3)
                assert isinstance(threshold, int | float)
                return self.stack(features.table, branches, float(threshold), path)
        return self._leaf(call, features, path)

    def stack(
        self,
        table: Node,
        branches: Sequence[Stacked],
        threshold: float,
        path: str,
    ) -> Node:
        """Branches side by side, as ColumnTransformer stacks them."""
        blocks = []
        for branch in branches:
            if not branch.columns:
                continue
            features: Features = Frame(table, branch.columns)
            if branch.single and branch.steps:
                features = self.materialise(features, branch.path, single=True)
            for position, call in enumerate(branch.steps):
                place = f"{branch.path}.steps[{position}]" if branch.numbered else branch.path
                features = self.encode(call, features, place)
            blocks.append(self.materialise(features, branch.path))
        if not blocks:
            raise SpecError(
                "no_features",
                "No column is left to make features from.",
                path=path,
                hint="Check the column selectors and `remainder`.",
            )
        return self._placed(self.graph.node(Concat(threshold), self.folds, *blocks), path)

    def _leaf(self, call: Call, features: Features, path: str) -> Node:
        operator = self.registry.lookup(call.name, path)
        if not self.registry.fits(call, TRANSFORMERS):
            raise SpecError(
                "not_a_transformer",
                f"'{call.name}' is a {operator.kind}, not a transformer.",
                path=path,
                hint="Predictors go into `model`; features are made by transformers.",
            )
        if operator.single_column and isinstance(features, Frame) and len(features.names) > 1:
            # Column transformers of skrub: one for each column, as ApplyToCols does.
            parts = [
                self._leaf(call, Frame(features.table, (name,)), path) for name in features.names
            ]
            return self._placed(self.graph.node(Concat(None), self.folds, *parts), path)
        single = False
        if isinstance(features, Frame) and (operator.text or operator.single_column):
            if len(features.names) != 1:
                raise SpecError(
                    "one_text_column",
                    f"'{call.name}' reads one text column, but {len(features.names)} are given.",
                    path=path,
                    hint="Give each text column a branch of its own.",
                )
            single = True
        block = self.materialise(features, path, single)
        if operator.stateless and isinstance(block.op, Columns | Apply):
            return self._placed(self.graph.node(Apply(call), block), path)
        supervised = self.registry.supervised(call)
        inputs = (block, self.folds) + ((self.target,) if supervised else ())
        return self._placed(self.graph.node(Encode(call, supervised), *inputs), path)

    def _placed(self, node: Node, path: str) -> Node:
        self.places.setdefault(node.key, path)
        return node

    def _branches(self, call: Call, frame: Frame, path: str) -> list[Stacked] | None:
        """Branches of a ColumnTransformer over a frame, or None if it must stay whole."""
        if not _plain(call, {"transformers", "remainder", "sparse_threshold"}):
            return None
        entries = _param(call, "transformers", None)
        if not isinstance(entries, Items):
            return None
        branches: list[Stacked] = []
        used: set[str] = set()
        for entry in entries.values:
            if not isinstance(entry, Items) or len(entry.values) != 3:
                return None
            _, step, columns = entry.values
            resolved = self._columns(columns, frame, path)
            if resolved is None:
                return None
            names, single = resolved
            used.update(names)
            if isinstance(step, Call):
                branches.append(Stacked(names, (step,), path, single))
            elif step == "passthrough":
                branches.append(Stacked(names, (), path))
            elif step != "drop":
                return None
        rest = tuple(name for name in frame.names if name not in used)
        remainder = _param(call, "remainder", "drop")
        if isinstance(remainder, Call):
            branches.append(Stacked(rest, (remainder,), path))
        elif remainder == "passthrough":
            branches.append(Stacked(rest, (), path))
        elif remainder != "drop":
            return None
        return branches

    def _columns(
        self, value: Literal, frame: Frame, path: str
    ) -> tuple[tuple[str, ...], bool] | None:
        if isinstance(value, str):
            schema(frame.table).require(value, path)
            return (value,), True
        if isinstance(value, Items) and all(isinstance(item, str) for item in value.values):
            names = tuple(str(item) for item in value.values)
            for name in names:
                schema(frame.table).require(name, path)
            return names, False
        if isinstance(value, Call) and value.name == "make_column_selector":
            return _selected(value, frame)
        return None


# What pandas' select_dtypes understands, in terms of our kinds.
_DTYPES = {
    "number": KINDS["numeric"],
    "str": KINDS["string"],
    "category": frozenset({"categorical"}),
    "bool": KINDS["boolean"],
    "datetime": KINDS["date"],
    "datetime64": KINDS["date"],
}
# Text, and whatever has no dtype of its own: booleans with gaps, lists.
_OBJECT = KINDS["string"] | {"other"}


def _selected(call: Call, frame: Frame) -> tuple[tuple[str, ...], bool] | None:
    """The columns that a make_column_selector chooses, or None where only the data can tell."""
    if not _plain(call, {"dtype_include", "dtype_exclude"}):
        return None
    table = schema(frame.table)
    sets: list[frozenset[str] | None] = []
    for side in ("dtype_include", "dtype_exclude"):
        value = _param(call, side, None)
        values = value.values if isinstance(value, Items) else (value,)
        kinds: set[str] = set()
        for item in values:
            name = item.name if isinstance(item, Function) else item
            if name == "object":
                kinds |= _OBJECT
            elif isinstance(name, str) and name in _DTYPES:
                kinds |= _DTYPES[name]
            elif name is not None:
                return None
        sets.append(frozenset(kinds) if value is not None else None)
    include, exclude = sets
    chosen = []
    for name in frame.names:
        column = table[name]
        if column.kind == "boolean" and column.nullable:
            return None  # bool or object, as there are gaps or not
        if (include is None or column.kind in include) and (
            exclude is None or column.kind not in exclude
        ):
            chosen.append(name)
    return tuple(chosen), False


def _param(call: Call, name: str, default: Literal) -> Literal:
    return dict(call.params).get(name, default)


def _plain(call: Call, understood: set[str]) -> bool:
    """Whether `call` sets only parameters that are understood here (or that are cosmetic)."""
    cosmetic = {"verbose", "verbose_feature_names_out", "n_jobs"}
    return all(name in understood | cosmetic for name, _ in call.params)


def _steps(call: Call, name: str, path: str) -> list[Call | None]:
    """The estimators of a list of (name, estimator) pairs; None for passthrough and drop."""
    entries = _param(call, name, None)
    found: list[Call | None] = []
    if isinstance(entries, Items):
        for entry in entries.values:
            step = entry.values[-1] if isinstance(entry, Items) and entry.values else None
            if isinstance(step, Call):
                found.append(step)
            elif step in ("passthrough", None) or (step == "drop" and name != "steps"):
                found.append(None)
            else:
                raise SpecError("invalid_expression", f"Not a step: {step!r}.", path=path)
        return found
    raise SpecError(
        "invalid_expression", f"'{call.name}' needs a list of (name, estimator) pairs.", path=path
    )


def pipeline_parts(call: Call, path: str) -> tuple[list[Call], Call]:
    """A Pipeline that ends in a predictor as (transformers, predictor)."""
    if not _plain(call, {"steps"}):
        others = ", ".join(name for name, _ in call.params if name != "steps")
        raise SpecError(
            "invalid_expression",
            f"This Pipeline sets {others}, which is not supported in `model`.",
            path=path,
            hint="Give it steps only.",
        )
    steps = _steps(call, "steps", path)
    last = steps[-1] if steps else None
    if last is None:
        raise SpecError(
            "not_a_predictor",
            "The Pipeline does not end in a predictor.",
            path=path,
            hint="Such as make_pipeline(StandardScaler(), Ridge()).",
        )
    return [step for step in steps[:-1] if step is not None], last
