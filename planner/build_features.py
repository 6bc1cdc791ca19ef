"""The features of one pipeline: selectors, steps and composite estimators to feature nodes.

Input: the prepared table, the `features` of a spec and the transformers in front of its model.
Output: the node whose value the model is fitted on, and the default plan where the spec left
the features open.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from planner import expressions, lineage, relational
from planner.binder import schema
from planner.build_model import Model
from planner.dismantle import Encoder, Frame, Stacked
from planner.environment import Environment
from planner.errors import SpecError
from planner.expressions import PREDICTORS, Call, walk_calls
from planner.features import Branch, Selection, default, describe, explicit
from planner.graph import Node
from planner.seeds import fill_seeds
from planner.spec import PipelineSpec

SCALE_SENSITIVE = frozenset({"linear", "svm", "neighbors", "neural", "gaussian_process"})
_THRESHOLD = 0.3  # ColumnTransformer's default


@dataclass
class FeatureBuilder:
    """Builds the features of one pipeline; `build` is called once."""

    env: Environment
    spec: PipelineSpec
    path: str
    table: Node
    folds: Node
    target: Node
    column: str  # the target's
    hidden: frozenset[str]
    places: dict[str, str]
    warnings: list[str] = field(default_factory=list)
    shown: list[dict[str, object]] | None = None

    def at(self, place: str) -> str:
        return f"{self.path}.{place}" if self.path else place

    def build(self, model: Model) -> Node:
        env, spec = self.env, self.spec
        tainted = env.tainted(self.table, self.column)
        origin = frozenset(env.datasets[spec.dataset].schema.names)
        sources = (tainted & origin) - {self.column}
        selection = Selection(self.table, self._distinct, self.hidden, sources, self._rows)
        encoder = Encoder(
            env.graph, env.registry, self.folds, self.target, self.places,
            lambda names, path: self._use(names, tainted, path),
        )  # fmt: skip
        place = self.at("features")
        everything = Frame(self.table, tuple(column.name for column in selection.columns()))
        features: Frame | Node
        listed = isinstance(spec.features, list)
        open_ = spec.features is None and not (model.composed or model.takes_table)
        if spec.remainder == "passthrough" and not (listed or open_):
            raise SpecError(
                "remainder_without_branches",
                "`remainder` says what becomes of the columns that no branch of `features` "
                "names, and there are no branches.",
                path=self.at("remainder"),
                hint="Leave it out, or give ColumnTransformer its own remainder='passthrough'.",
            )
        if listed or open_:
            features = self._branches(selection, encoder, model, place)
        elif spec.features is None:
            features = everything
        else:
            assert not isinstance(spec.features, list)
            call = expressions.parse(spec.features, env.registry, place)
            features = encoder.encode(self._seeded(call), everything, place)
        for call in model.front:
            features = encoder.encode(self._seeded(call), features, self.at("model"))
        if isinstance(features, Frame):
            source = self.at("model") if spec.features is None else place
            if model.takes_table:
                features = encoder.materialise(features, source)
            else:
                stacked = [Stacked(features.names, (), source)]
                features = encoder.stack(self.table, stacked, _THRESHOLD, source)
        if selection.left_out:
            self.warnings.append(
                "Left out of the features, because the target is computed from them: "
                + ", ".join(sorted(selection.left_out))
                + "."
            )
        return features

    def _branches(
        self, selection: Selection, encoder: Encoder, model: Model, place: str
    ) -> Frame | Node:
        """The branches of the spec, or the default ones, as one ColumnTransformer."""
        spec = self.spec
        if isinstance(spec.features, list):
            branches = explicit(selection, spec.features, place)
        else:
            branches = self._default(selection, model)
        if spec.remainder == "passthrough":
            used = {name for branch in branches for name in branch.columns}
            rest = tuple(c.name for c in selection.columns() if c.name not in used)
            branches.append(Branch(rest, (), self.at("remainder")))
        names = [name for branch in branches for name in branch.columns]
        chosen = not any(branch.steps for branch in branches if branch.columns)
        named = model.composed or model.takes_table
        if named and chosen and names and len(set(names)) == len(names):
            # Columns chosen, nothing done to them: what follows may still name them.
            return Frame(self.table, tuple(names))
        stacked = [self._stacked(branch, place) for branch in branches]
        return encoder.stack(self.table, stacked, _THRESHOLD, place)

    def _stacked(self, branch: Branch, place: str) -> Stacked:
        # The default plan has no place of its own in the spec to point at.
        numbered = branch.path != place
        steps = []
        for position, step in enumerate(branch.steps):
            where = f"{branch.path}.steps[{position}]" if numbered else place
            steps.append(self._seeded(expressions.parse(step, self.env.registry, where)))
        return Stacked(branch.columns, tuple(steps), branch.path, numbered=numbered)

    def _default(self, selection: Selection, model: Model) -> list[Branch]:
        registry = self.env.registry
        inner = [registry[call.name] for call in walk_calls(model.predictor)]
        predictors = [o for o in (*inner[1:], model.operator) if o.fits(PREDICTORS)]
        branches = default(
            selection,
            # An ensemble takes what all of its members take.
            missing_ok=all(operator.handles_missing for operator in predictors),
            scale=any(operator.family in SCALE_SENSITIVE for operator in inner),
            regression=model.operator.kind == "regressor",
            path=self.at("features"),
        )
        dates = [c.name for c in selection.columns() if c.kind == "date"]
        if dates and self.spec.remainder == "drop":
            self.warnings.append(
                f"Date column(s) {', '.join(dates)} are not in the default features; derive "
                "parts of them in `prepare`, such as month(" + dates[0] + ")."
            )
        if selection.identifiers:
            self.warnings.append(
                f"Column(s) {', '.join(sorted(selection.identifiers))} differ in nearly every row "
                "and are not in the default features; name them in `features` to use them."
            )
        self.shown = describe(branches)
        return branches

    def _seeded(self, call: Call) -> Call:
        return fill_seeds(call, self.env.evaluate.seed, self.env.registry)

    def _distinct(self, name: str) -> int:
        return self.env.statistics.distinct(self.env.narrow(self.table, [name]), name)

    def _rows(self) -> int:
        return self.env.statistics.rows(self.env.narrow(self.table, []))

    def _use(self, names: Sequence[str], tainted: frozenset[str], path: str) -> None:
        leaking = [name for name in names if name in tainted]
        if self.column in leaking:
            raise SpecError(
                "target_leak",
                f"The target '{self.column}' cannot be a feature.",
                path=path,
                hint="Leave it out. For statistics of the target by group use TargetEncoder(), "
                "which is fitted on the training rows of each fold.",
            )
        if leaking:
            step = lineage.blame(self.table, leaking[0], self.column)
            where = "" if step is None else f" (step: {relational.describe_step(step)})"
            raise SpecError(
                "target_leak",
                f"Feature column(s) {', '.join(map(repr, leaking))} are computed from the "
                f"target '{self.column}' or the target from them{where}.",
                path=path,
                hint="Leave them out of `features`. For statistics of the target by group "
                "use TargetEncoder(), which is fitted on the training rows of each fold.",
            )
        for name in names:
            column = schema(self.table)[name]
            if column.sql_type.endswith("]") or column.sql_type.startswith(("STRUCT", "MAP")):
                raise SpecError(
                    "nested_column",
                    f"The column '{name}' holds values of type {column.sql_type}, which no "
                    "estimator reads.",
                    path=path,
                    hint="Derive plain columns from it in `prepare`, such as len(x) or x[1].",
                )
