"""Builds the logical graph of one pipeline.

Input: a validated `PipelineSpec` and the settings of its evaluation. Output: score nodes (per
metric and seed) in the shared `Graph`, and what the agent should be told about them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from planner import expressions, lineage, relational, splitters
from planner.binder import has_mask, schema
from planner.dismantle import Encoder, Frame, Stacked, pipeline_parts
from planner.errors import SpecError, did_you_mean
from planner.expressions import Call
from planner.features import Branch, Selection, default, describe, explicit
from planner.fit import target_transform
from planner.graph import Graph, Node
from planner.metrics import MetricDef, check_task, default_metrics, resolve
from planner.ops import Fit, FitTarget, Folds, MapTarget, Predict, Score, Task, Vector
from planner.registry import Operator, Registry
from planner.schema import Dataset, Datasets, Statistics
from planner.seeds import fill_seeds
from planner.spec import EvaluateSpec, Holdout, PipelineSpec, Target
from planner.steps import parse_steps
from planner.tableops import TRAIN_MASK

SCALE_SENSITIVE = frozenset({"linear", "svm", "neighbors", "neural", "gaussian_process"})


@dataclass(frozen=True)
class Environment:
    """What building needs besides the spec; the same for all pipelines of a batch."""

    graph: Graph
    registry: Registry
    datasets: Datasets
    statistics: Statistics
    evaluate: EvaluateSpec


@dataclass(frozen=True)
class Built:
    """One pipeline in the graph.

    `scores[metric]` has one node per seed; `places` maps node keys to spec paths; `features`
    shows the default plan where the spec left features open.
    """

    scores: dict[str, tuple[Node, ...]]
    metrics: dict[str, MetricDef]
    prepared: Node
    rows: Node
    task: Task
    cv: str
    places: dict[str, str]
    warnings: tuple[str, ...]
    features: list[dict[str, object]] | None = None


@dataclass
class Builder:
    """The state of building one pipeline; use `build`."""

    env: Environment
    spec: PipelineSpec
    path: str
    places: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    shown: list[dict[str, object]] | None = None

    def at(self, place: str) -> str:
        return f"{self.path}.{place}" if self.path else place

    def node(self, node: Node, place: str) -> Node:
        self.places.setdefault(node.key, self.at(place))
        return node

    # -- rows ---------------------------------------------------------------------------------

    def dataset(self) -> Dataset:
        found = self.env.datasets.get(self.spec.dataset)
        if found is None:
            known = list(self.env.datasets)
            raise SpecError(
                "unknown_dataset",
                f"There is no dataset '{self.spec.dataset}'.",
                path=self.at("dataset"),
                hint=did_you_mean(
                    self.spec.dataset,
                    known,
                    f"Registered: {', '.join(known[:20]) or 'none'}; add one with add_dataset.",
                ),
            )
        return found

    def table(self) -> Node:
        """The prepared table: every step applied, sorted, rows without a target dropped."""
        graph, spec = self.env.graph, self.spec
        table = relational.scan(graph, self.dataset())
        steps = parse_steps(spec.prepare, self.at("prepare"))
        if steps:
            table = relational.prepare(
                graph, table, steps, self.env.datasets, self.at("prepare")
            )
        column = schema(table).require(self.target.column, self.at("target"))
        order = self.env.evaluate.order_by
        if order is not None:
            table = relational.order_by(graph, table, order)
        for warning in lineage.target_filters(table, self.target.column):
            self.warnings.append(warning)
        if column.nullable:
            missing = self.env.statistics.missing(
                lineage.narrow(graph, table, [column.name]), column.name
            )
            if missing:
                table = relational.drop_null(graph, table, column.name)
                self.warnings.append(
                    f"{missing} rows without a value of the target '{column.name}' were dropped."
                )
        return table

    @property
    def target(self) -> Target:
        given = self.spec.target
        return Target(column=given) if isinstance(given, str) else given

    # -- model --------------------------------------------------------------------------------

    def model(self) -> tuple[list[Call], Call, Operator]:
        """The transformers in front of the final predictor, the predictor, its operator."""
        place = self.at("model")
        parsed = expressions.parse(self.spec.model, self.env.registry, place)
        transformers: list[Call] = []
        while parsed.name == "Pipeline":
            front, parsed = pipeline_parts(parsed, place)
            transformers.extend(front)
        kind = self.env.registry.kind_of(parsed)
        operator = self.env.registry[self.env.registry.resolved(parsed).name]
        if kind not in ("classifier", "regressor"):
            raise SpecError(
                "not_a_predictor",
                f"'{parsed.name}' is a {kind}; `model` must end in a classifier or a "
                "regressor.",
                path=place,
                hint="Put transformers into `features`, or in front of a predictor: "
                "make_pipeline(StandardScaler(), Ridge()).",
            )
        return transformers, parsed, operator

    def task(self, table: Node, operator: Operator) -> Task:
        column = schema(table)[self.target.column]
        if operator.kind == "regressor":
            if column.kind not in ("integer", "float", "boolean"):
                raise SpecError(
                    "target_not_numeric",
                    f"'{self.spec.model}' is a regressor, but the target '{column.name}' is of "
                    f"type {column.sql_type}.",
                    path=self.at("target"),
                    hint="Use a classifier, or make a numeric target with a derive step.",
                )
            return "regression"
        distinct = column.distinct
        if distinct is None:
            narrowed = lineage.narrow(self.env.graph, table, [column.name])
            distinct = self.env.statistics.distinct(narrowed, column.name)
        if distinct < 2:
            raise SpecError(
                "one_class",
                f"The target '{column.name}' has {distinct} distinct value(s); a classifier "
                "needs at least two classes.",
                path=self.at("target"),
                hint="Check the filters of `prepare`, or choose another target.",
            )
        return "binary" if distinct == 2 else "multiclass"

    # -- folds --------------------------------------------------------------------------------

    def folds(self, table: Node, task: Task) -> tuple[Node, str]:
        env, cv = self.env, self.env.evaluate.cv
        place = "evaluate.cv"
        if cv is None:
            call = splitters.default_cv(task, env.evaluate.groups is not None, env.evaluate.seed)
        elif isinstance(cv, Holdout):
            call = splitters.holdout(cv)
        else:
            call = expressions.parse(cv, env.registry, place)
        facts = splitters.describe(call, env.evaluate.groups, env.evaluate.seed, place)
        names = []
        for name, where in (
            (self.target.column if facts.needs_target else None, self.at("target")),
            (env.evaluate.groups if facts.needs_groups else None, "evaluate.groups"),
            (facts.fold_column, place),
        ):
            if name is not None:
                schema(table).require(name, where)
                names.append(name)
        masked = has_mask(table)
        needed = list(dict.fromkeys(names + ([TRAIN_MASK] if masked else [])))
        source = lineage.narrow(env.graph, table, needed)
        count = splitters.count(
            facts.call,
            lambda: env.statistics.rows(source),
            lambda name: self._distinct(source, name, name == facts.fold_column),
            groups=env.evaluate.groups,
            path=place,
        )
        op = Folds(
            splitter=facts.call,
            count=count,
            target=self.target.column if facts.needs_target else None,
            groups=env.evaluate.groups if facts.needs_groups else None,
            fold_column=facts.fold_column,
            train_mask=TRAIN_MASK if masked else None,
        )
        node = env.graph.node(op, source)
        self.places.setdefault(node.key, place)
        return node, expressions.text(facts.call)

    def _distinct(self, table: Node, name: str, folds: bool) -> int:
        """Distinct values of a column; of a PredefinedSplit's without -1, which is no fold."""
        if folds:
            quoted = name.replace('"', '""')
            steps = parse_steps([{"filter": f'"{quoted}" <> -1'}], "evaluate.cv")
            table = relational.prepare(
                self.env.graph, table, steps, self.env.datasets, "evaluate.cv"
            )
        return self.env.statistics.distinct(table, name)

    # -- features -----------------------------------------------------------------------------

    def hidden(self) -> frozenset[str]:
        spec, evaluate = self.spec, self.env.evaluate
        names = {self.target.column, evaluate.groups, spec.sample_weight, spec.score_weight}
        if isinstance(evaluate.cv, str) and evaluate.cv.startswith("PredefinedSplit"):
            call = expressions.parse(evaluate.cv, self.env.registry, "evaluate.cv")
            names.update(str(value) for _, value in call.params if isinstance(value, str))
        return frozenset(name for name in names if name is not None)

    def features(
        self, table: Node, folds: Node, y: Node, front: Sequence[Call], operator: Operator
    ) -> Node:
        env, spec = self.env, self.spec
        tainted = lineage.tainted(table, self.target.column)
        origin = schema(relational.scan(env.graph, self.dataset())).names
        sources = frozenset(tainted & frozenset(origin)) - {self.target.column}
        selection = Selection(table, env.statistics, self.hidden(), sources)

        def use_columns(names: tuple[str, ...], path: str) -> None:
            leaking = [name for name in names if name in tainted]
            if leaking:
                raise SpecError(
                    "target_leak",
                    f"Feature column(s) {', '.join(map(repr, leaking))} are computed from the "
                    f"target '{self.target.column}' or the target from them.",
                    path=path,
                    hint="Leave them out of `features`. For statistics of the target by group "
                    "use TargetEncoder(), which is fitted on the training rows of each fold.",
                )

        encoder = Encoder(env.graph, env.registry, folds, y, self.places, use_columns)
        place = self.at("features")
        features: Frame | Node
        if spec.features is None and front:
            names = tuple(column.name for column in selection.columns())
            features = Frame(table, names)
        elif spec.features is None or isinstance(spec.features, list):
            if spec.features is None:
                branches = self._default(selection, operator)
            else:
                branches = explicit(selection, spec.features, place)
            if spec.remainder == "passthrough":
                used = {name for branch in branches for name in branch.columns}
                rest = tuple(c.name for c in selection.columns() if c.name not in used)
                branches.append(Branch(rest, (), self.at("remainder")))
            features = self._stack(encoder, table, branches, place)
        else:
            call = fill_seeds(
                expressions.parse(spec.features, env.registry, place),
                env.evaluate.seed,
                env.registry,
            )
            names = tuple(column.name for column in selection.columns())
            features = encoder.encode(call, Frame(table, names), place)
        for call in front:
            seeded = fill_seeds(call, env.evaluate.seed, env.registry)
            features = encoder.encode(seeded, features, self.at("model"))
        if isinstance(features, Frame):
            features = encoder.stack(
                features.table, [Stacked(features.names, (), place)], 0.3, self.at("model")
            )
        if selection.left_out:
            self.warnings.append(
                "Left out of the features, because the target is computed from them: "
                + ", ".join(sorted(selection.left_out))
                + "."
            )
        return features

    def _default(self, selection: Selection, operator: Operator) -> list[Branch]:
        branches = default(
            selection,
            missing_ok=operator.handles_missing,
            scale=operator.family in SCALE_SENSITIVE,
            regression=operator.kind == "regressor",
            path=self.at("features"),
        )
        dates = [c.name for c in selection.columns() if c.kind == "date"]
        if dates:
            self.warnings.append(
                f"Date column(s) {', '.join(dates)} are not in the default features; derive "
                "parts of them in `prepare`, such as month(" + dates[0] + ")."
            )
        self.shown = describe(branches)
        return branches

    def _stack(
        self, encoder: Encoder, table: Node, branches: Sequence[Branch], place: str
    ) -> Node:
        env = self.env
        stacked = []
        for branch in branches:
            steps = tuple(
                fill_seeds(
                    expressions.parse(step, env.registry, f"{branch.path}.steps[{position}]"),
                    env.evaluate.seed,
                    env.registry,
                )
                for position, step in enumerate(branch.steps)
            )
            # The default plan has no place of its own in the spec to point at.
            numbered = branch.path != place
            stacked.append(Stacked(branch.columns, steps, branch.path, numbered=numbered))
        return encoder.stack(table, stacked, 0.3, place)

    # -- all of it ----------------------------------------------------------------------------

    def build(self) -> Built:
        env, spec, graph = self.env, self.spec, self.env.graph
        front, predictor, operator = self.model()
        table = self.table()
        task = self.task(table, operator)
        metrics = self._metrics(task)
        folds, cv = self.folds(table, task)
        y = self._vector(table, self.target.column, "target")
        function, transformer = target_transform(
            self.target.transform, task, env.registry, self.at("target.transform")
        )
        fitted = y
        if function is not None:
            fitted = self.node(graph.node(MapTarget(function), y), "target.transform")
        elif transformer is not None:
            call = fill_seeds(transformer, env.evaluate.seed, env.registry)
            fitted = self.node(graph.node(FitTarget(call), y, folds), "target.transform")
        features = self.features(table, folds, fitted, front, operator)
        weights: tuple[Node, ...] = ()
        if spec.sample_weight is not None:
            weights = (self._vector(table, spec.sample_weight, "sample_weight"),)
        score_weights: tuple[Node, ...] = ()
        if spec.score_weight is not None:
            score_weights = (self._vector(table, spec.score_weight, "score_weight"),)
        stopping = spec.early_stopping
        if stopping is not None and operator.family != "boosting":
            raise SpecError(
                "early_stopping_unsupported",
                f"'{predictor.name}' does not take early stopping from a spec.",
                path=self.at("early_stopping"),
                hint="Use it with LightGBM, XGBoost or CatBoost; HistGradientBoosting has its "
                "own early_stopping parameter.",
            )
        inner = stopping.on["inner"] if stopping and isinstance(stopping.on, dict) else 0.0
        if stopping and not inner:
            self.warnings.append("Early stopping watches the fold that is scored: optimistic.")
        positive = None if env.evaluate.positive is None else repr(env.evaluate.positive)
        scores: dict[str, list[Node]] = {name: [] for name in metrics}
        for seed in spec.seeds or [env.evaluate.seed]:
            estimator = fill_seeds(predictor, seed, env.registry)
            fit = self.node(
                graph.node(
                    Fit(
                        estimator=estimator,
                        task=task,
                        function=function,
                        weighted=bool(weights),
                        stop_rounds=stopping.rounds if stopping else 0,
                        stop_inner=inner,
                        stop_metric=(stopping.metric or "") if stopping else "",
                    ),
                    *(features, folds, fitted, *weights),
                ),
                "model",
            )
            for name, metric in metrics.items():
                predict = self.node(graph.node(Predict(metric.methods), fit), "model")
                op = Score(name, task, positive if task != "regression" else None,
                           bool(score_weights))  # fmt: skip
                score = graph.node(op, predict, folds, y, *score_weights)
                scores[name].append(self.node(score, "metrics"))
        return Built(
            scores={name: tuple(nodes) for name, nodes in scores.items()},
            metrics=metrics,
            prepared=table,
            rows=lineage.narrow(graph, table, []),
            task=task,
            cv=cv,
            places=self.places,
            warnings=tuple(self.warnings),
            features=self.shown,
        )

    def _vector(self, table: Node, column: str, place: str) -> Node:
        schema(table).require(column, self.at(place))
        source = lineage.narrow(self.env.graph, table, [column])
        return self.node(self.env.graph.node(Vector(column), source), place)

    def _metrics(self, task: Task) -> dict[str, MetricDef]:
        own = self.spec.metrics
        given = own if own is not None else self.env.evaluate.metrics
        place = self.at("metrics") if own is not None else "evaluate.metrics"
        found: dict[str, MetricDef] = {}
        for position, metric in enumerate(given or default_metrics(task)):
            raw = metric if isinstance(metric, str) else metric.model_dump()
            where = f"{place}[{position}]" if given else place
            resolved = resolve(raw, where)
            check_task(resolved, task, where, weighted=self.spec.score_weight is not None)
            found.setdefault(resolved.text, resolved)
        return found


def build(env: Environment, spec: PipelineSpec, path: str) -> Built:
    """Adds one pipeline to the graph; raises `SpecError` where the spec is at fault."""
    return Builder(env, spec, path).build()
