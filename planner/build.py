"""Builds the logical graph of one pipeline.

Input: a validated `PipelineSpec` and the settings of its evaluation. Output: score nodes (per
metric and seed) in the shared `Graph`, and what the agent should be told about them.
"""

import json
from dataclasses import dataclass, field

from planner import holdouts, lineage, relational
from planner.binder import schema
from planner.build_features import FeatureBuilder
from planner.build_folds import split
from planner.build_model import fit_maker, seeded_predictor, take_apart
from planner.environment import Environment
from planner.errors import SpecError, did_you_mean
from planner.fit import target_transform
from planner.graph import Node
from planner.metrics import MetricDef, check_task, default_metrics, resolve
from planner.ops import FitTarget, MapTarget, Predict, Score, Task, Vector
from planner.registry import Operator
from planner.schema import Dataset
from planner.seeds import fill_seeds
from planner.spec import EarlyStopping, InnerSplit, PipelineSpec, Target
from planner.steps import parse_steps
from planner.trees import statistical

__all__ = ["Built", "Environment", "build"]


@dataclass(frozen=True)
class Built:
    """One pipeline in the graph.

    `scores[metric]` has one node per seed, and so have the `fits` behind them; `target` is the
    target as given; `holdout` are the rows kept aside, if any; `places` maps node keys to spec
    paths, `table_place` is that of the prepared table; `features` shows the default plan where the
    spec left features open.
    """

    scores: dict[str, tuple[Node, ...]]
    metrics: dict[str, MetricDef]
    prepared: Node
    rows: Node
    folds: Node
    target: Node
    task: Task
    cv: str
    places: dict[str, str]
    warnings: tuple[str, ...]
    features: list[dict[str, object]] | None = None
    fits: tuple[Node, ...] = ()
    table_place: str = ""
    holdout: Node | None = None


@dataclass
class Builder:
    """The state of building one pipeline; use `build`."""

    env: Environment
    spec: PipelineSpec
    path: str
    places: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def at(self, place: str) -> str:
        return f"{self.path}.{place}" if self.path else place

    def node(self, node: Node, path: str) -> Node:
        """`node`, noted to come from `path` in the request."""
        self.places.setdefault(node.key, path)
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
        spec, order = self.spec, self.env.evaluate.order_by
        steps = json.dumps(spec.prepare, default=str)
        # Pipelines of a batch mostly share their rows; what is refused is not kept, since its
        # error names the pipeline.
        key = ("table", self.dataset().fingerprint, steps, self.target.column, str(order))
        found: tuple[Node, tuple[str, ...]] | None = self.env.memo.get(key)
        if found is None:
            found = self.env.memo[key] = self._prepare()
        self.warnings.extend(found[1])
        return found[0]

    def _prepare(self) -> tuple[Node, tuple[str, ...]]:
        graph, spec, env = self.env.graph, self.spec, self.env
        table = relational.scan(graph, self.dataset())
        steps = parse_steps(spec.prepare, self.at("prepare"))
        if steps:
            table = relational.prepare(graph, table, steps, env.datasets, self.at("prepare"))
        column = schema(table).require(self.target.column, self.target_path)
        if env.evaluate.order_by is not None:
            try:
                table = relational.order_by(graph, table, env.evaluate.order_by)
            except SpecError as error:
                raise error.at("evaluate") from None
        warnings = list(lineage.target_filters(table, self.target.column))
        if column.nullable:
            narrow = env.narrow(table, [column.name])
            missing = env.statistics.missing(narrow, column.name)
            if missing:
                table = relational.drop_null(graph, table, column.name)
                warnings.append(
                    f"{missing} rows without a value of the target '{column.name}' were dropped."
                )
        return table, tuple(warnings)

    @property
    def target(self) -> Target:
        given = self.spec.target
        return Target(column=given) if isinstance(given, str) else given

    @property
    def target_path(self) -> str:
        return self.at("target" if isinstance(self.spec.target, str) else "target.column")

    def task(self, table: Node, operator: Operator) -> Task:
        column = schema(table)[self.target.column]
        if operator.kind == "regressor":
            if column.kind not in ("integer", "float", "boolean"):
                raise SpecError(
                    "target_not_numeric",
                    f"'{operator.name}' is a regressor, but the target '{column.name}' is of "
                    f"type {column.sql_type}.",
                    path=self.target_path,
                    hint="Use a classifier, or make a numeric target with a derive step.",
                )
            return "regression"
        distinct = column.distinct
        if distinct is None:
            narrowed = self.env.narrow(table, [column.name])
            distinct = self.env.statistics.distinct(narrowed, column.name)
        if distinct < 2:
            raise SpecError(
                "one_class",
                f"The target '{column.name}' has {distinct} distinct value(s); a classifier "
                "needs at least two classes.",
                path=self.target_path,
                hint="Check the filters of `prepare`, or choose another target.",
            )
        return "binary" if distinct == 2 else "multiclass"

    # -- all of it ----------------------------------------------------------------------------

    def build(self) -> Built:
        env, spec, graph = self.env, self.spec, self.env.graph
        model = take_apart(env, spec, self.at("model"))
        table = self.table()
        task = self.task(table, model.operator)
        metrics = self._metrics(task, model.operator)
        parts = split(env, table, self.target.column, self.target_path, task)
        folds = self.node(parts.folds, "evaluate.cv")
        if parts.holdout is not None:
            self.node(parts.holdout, "evaluate.holdout")
        self.warnings.extend(parts.warnings)
        y = self._vector(table, self.target.column, self.target_path)
        function, fitted = self._fitted_target(y, folds, task)
        weights = self._weights(table, spec.sample_weight, "sample_weight")
        score_weights = self._weights(table, spec.score_weight, "score_weight")
        fit_of = fit_maker(env, self._stopping(), model, fitted, self.at("early_stopping"))
        aside = {
            self.target.column, *parts.columns, spec.sample_weight, spec.score_weight,
        }  # fmt: skip
        features = FeatureBuilder(
            env, spec, self.path, table, folds, fitted, self.target.column,
            frozenset(name for name in aside if name is not None), self.places, self.warnings,
        )  # fmt: skip
        matrix = features.build(model)
        positive = None
        if env.evaluate.positive is not None and task != "regression":
            positive = repr(env.evaluate.positive)
        scores: dict[str, list[Node]] = {name: [] for name in metrics}
        fits: dict[str, Node] = {}
        for seed in spec.seeds or [env.evaluate.seed]:
            predictor = seeded_predictor(env, spec, model, seed)
            op = fit_of(predictor, task, function, bool(weights))
            if env.evaluate.fidelity == "statistical":
                op = statistical(op)
            fit = self.node(graph.node(op, matrix, folds, fitted, *weights), self.at("model"))
            fits[fit.key] = fit
            for name, (metric, where) in metrics.items():
                # What the model cannot have is left out: metrics then ask the same of it.
                methods = tuple(m for m in metric.methods if m in model.operator.methods)
                predict = self.node(graph.node(Predict(methods), fit), self.at("model"))
                measure = Score(name, task, positive, bool(score_weights))
                score = graph.node(measure, predict, folds, y, *score_weights)
                scores[name].append(self.node(score, where))
        return Built(
            scores={name: tuple(nodes) for name, nodes in scores.items()},
            metrics={name: metric for name, (metric, _) in metrics.items()},
            prepared=table,
            rows=env.narrow(table, []),
            folds=folds,
            target=y,
            task=task,
            cv=parts.text,
            places=self.places,
            warnings=tuple(self.warnings),
            features=features.shown,
            fits=tuple(fits.values()),
            table_place=self.at("prepare" if spec.prepare else "dataset"),
            holdout=parts.holdout,
        )

    def _stopping(self) -> EarlyStopping | None:
        """Early stopping as asked for; a refit never watches the hold-out."""
        stopping = self.spec.early_stopping
        if stopping is None or stopping.on != "validation":
            return stopping
        if not self.env.confirm:
            self.warnings.append("Early stopping watches the fold that is scored: optimistic.")
            return stopping
        self.warnings.append(
            f"The refit for the hold-out stopped early on {holdouts.INNER:.0%} of its own training "
            "rows, where the folds had stopped on the rows that were scored."
        )
        return stopping.model_copy(update={"on": InnerSplit(inner=holdouts.INNER)})

    def _fitted_target(self, y: Node, folds: Node, task: Task) -> tuple[str | None, Node]:
        """The name of an element-wise transform, and the target that models are fitted on."""
        env, place = self.env, self.at("target.transform")
        function, transformer = target_transform(self.target.transform, task, env.registry, place)
        if function is not None:
            return function, self.node(env.graph.node(MapTarget(function), y), place)
        if transformer is not None:
            call = fill_seeds(transformer, env.evaluate.seed, env.registry)
            return None, self.node(env.graph.node(FitTarget(call), y, folds), place)
        return None, y

    def _vector(self, table: Node, column: str, path: str) -> Node:
        schema(table).require(column, path)
        source = self.env.narrow(table, [column])
        return self.node(self.env.graph.node(Vector(column), source), path)

    def _weights(self, table: Node, column: str | None, place: str) -> tuple[Node, ...]:
        if column is None:
            return ()
        found = schema(table).require(column, self.at(place))
        if found.kind not in ("integer", "float", "boolean"):
            raise SpecError(
                "weight_not_numeric",
                f"The weights '{column}' are of type {found.sql_type}.",
                path=self.at(place),
                hint="Name a numeric column, or derive one in `prepare`.",
            )
        return (self._vector(table, column, self.at(place)),)

    def _metrics(self, task: Task, operator: Operator) -> dict[str, tuple[MetricDef, str]]:
        """Metrics by their text, each with its place."""
        own = self.spec.metrics
        given = own if own is not None else self.env.evaluate.metrics
        place = self.at("metrics") if own is not None else "evaluate.metrics"
        found: dict[str, tuple[MetricDef, str]] = {}
        for position, metric in enumerate(given or default_metrics(task)):
            raw = metric if isinstance(metric, str) else metric.model_dump()
            where = f"{place}[{position}]" if given else place
            resolved = resolve(raw, where)
            check_task(resolved, task, where)
            if not set(resolved.methods) & set(operator.methods):
                raise SpecError(
                    "metric_mismatch",
                    f"'{operator.name}' has none of {', '.join(resolved.methods)}, which "
                    f"'{resolved.text}' needs.",
                    path=where,
                    hint="Choose a metric of labels (accuracy, f1), or a model with probabilities.",
                )
            found.setdefault(resolved.text, (resolved, where))
        return found


def build(env: Environment, spec: PipelineSpec, path: str) -> Built:
    """Adds one pipeline to the graph; raises `SpecError` where the spec is at fault."""
    return Builder(env, spec, path).build()
