"""Builds blends: pipelines made of the out-of-fold predictions of others.

Input: a validated `BlendPipeline` and the built pipelines that it names. Output: score nodes, as
of any pipeline. Members keep their nodes, so that what is evaluated anyway is fitted once, and a
blend of what was evaluated before fits nothing. A stack's model is fitted, for each fold, on the
out-of-fold predictions of the other folds' rows; for a hold-out, on those of all rows outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from planner.blend_members import check, predictions, proportions, score_weights
from planner.build import Built
from planner.build_model import Model, take_apart
from planner.dismantle import Encoder
from planner.environment import Environment
from planner.errors import SpecError
from planner.graph import Node, walk
from planner.lower_tables import Parts
from planner.metrics import MetricDef, check_task, default_metrics, resolve
from planner.ops import Fit, Folds, Method, Predict, Score
from planner.ops_blend import Blend, OutOfFold, WithHeldOut
from planner.seeds import fill_seeds
from planner.spec import BlendPipeline, PipelineSpec

# Metrics that look at the order of predictions only: all that averaged ranks can be scored by.
_OF_ORDER = frozenset(
    "spearman gini normalized_gini roc_auc average_precision precision_at_recall "
    "recall_at_precision precision_at_k recall_at_k".split()
)
# Splitters that validate every row once; of a PredefinedSplit the executor finds out.
_PARTITIONS = frozenset(
    "KFold StratifiedKFold GroupKFold StratifiedGroupKFold LeaveOneOut LeaveOneGroupOut "
    "PredefinedSplit".split()
)


@dataclass(frozen=True)
class BuiltBlend(Built):
    """A blend in the graph.

    `fits` has one node, the mean or the stack's fit, whatever the metrics are; `parts` are the
    prepared tables of what it combines (see `planner.lower_tables`).
    """

    parts: tuple[Parts, ...] = ()


@dataclass
class _Blender:
    env: Environment
    spec: BlendPipeline
    path: str
    members: Sequence[Built]
    by_folds: Sequence[Built]
    places: dict[str, str] = field(default_factory=dict)

    def at(self, place: str) -> str:
        return f"{self.path}.{place}" if self.path else place

    def node(self, node: Node, place: str) -> Node:
        """`node`, noted to come from `place` of the spec."""
        self.places.setdefault(node.key, self.at(place))
        return node

    def answers(self, members: Sequence[Built]) -> tuple[list[Node], tuple[int, ...]]:
        """Prediction nodes of all members, and how many belong to each."""
        nodes: list[Node] = []
        counts = []
        for position, member in enumerate(members):
            place = f"blend.of[{position}]"
            own = predictions(
                self.env, member, self.at(place), ranked=self.spec.blend.how == "rank_mean"
            )
            for node in walk(own, tables=False):
                self.node(node, place)
            nodes.extend(own)
            counts.append(len(own))
        return nodes, tuple(counts)

    # -- what is scored -----------------------------------------------------------------------

    def mean(self, metric: MetricDef | None, where: str = "") -> Node:
        """The blend as `metric` wants it, or as other blends do."""
        blend, task = self.spec.blend, self.members[0].task
        nodes, counts = self.answers(self.members)
        assert blend.how != "stack"
        method: Method = "predict" if task == "regression" else "predict_proba"
        if blend.how == "rank_mean":
            method = "predict" if task == "regression" else "decision_function"
            if task == "multiclass" or (metric is not None and metric.name not in _OF_ORDER):
                text = "a multiclass target" if metric is None else f"'{metric.text}'"
                raise SpecError(
                    "metric_mismatch",
                    f"Averaged ranks say nothing of {text}: they order the rows, and no more.",
                    path=where or self.at("blend.how"),
                    hint="Use how 'mean', or a metric of order: roc_auc, average_precision, gini; "
                    "spearman in regression.",
                )
        elif metric is not None and "predict_proba" not in metric.methods:
            method = "predict"
        op = Blend(blend.how, counts, proportions(blend.weights), method)
        return self.node(self.env.graph.node(op, self.members[0].folds, *nodes), "blend")

    def stack(self) -> tuple[Node, Model]:
        """The fit of the model on top, and what it can predict."""
        env, first = self.env, self.members[0]
        split = self.by_folds[0].folds
        assert isinstance(split.op, Folds)
        splitter = split.op.splitter.name
        if splitter not in _PARTITIONS:
            raise SpecError(
                "stack_needs_partition",
                f"A stack needs every row validated exactly once, which {splitter} does not do.",
                path=self.at("blend.how"),
                hint="Set evaluate.cv to KFold, StratifiedKFold or GroupKFold, or use how 'mean'.",
            )
        place = self.at("blend.model")
        # Only the model is read of it.
        model = take_apart(env, PipelineSpec.model_construct(model=self.spec.blend.model), place)
        wanted = "regressor" if first.task == "regression" else "classifier"
        if model.operator.kind != wanted:
            raise SpecError(
                "task_mismatch",
                f"'{model.operator.name}' is a {model.operator.kind}, but the members are "
                f"{wanted}s.",
                path=place,
                hint="Such as Ridge()." if wanted == "regressor" else "LogisticRegression(), say.",
            )
        nodes, counts = self.answers(self.by_folds)
        features = env.graph.node(OutOfFold(counts, first.task), split, *nodes)
        self.node(features, "blend")
        if env.confirm:
            inside, _ = self.answers(self.members)
            held = WithHeldOut(counts, first.task)
            features = self.node(env.graph.node(held, first.folds, features, *inside), "blend")
        encoder = Encoder(
            env.graph, env.registry, first.folds, first.target, self.places, lambda *columns: None
        )
        matrix = features
        for call in model.front:
            seeded = fill_seeds(call, env.evaluate.seed, env.registry)
            matrix = encoder.materialise(encoder.encode(seeded, matrix, place), place)
        predictor = fill_seeds(model.predictor, env.evaluate.seed, env.registry)
        fit = env.graph.node(Fit(predictor, first.task), matrix, first.folds, first.target)
        return self.node(fit, "blend.model"), model

    def answer(self, metric: MetricDef, where: str, stack: tuple[Node, Model] | None) -> Node:
        """The node that `metric` scores."""
        if stack is None:
            return self.mean(metric, where)
        fit, model = stack
        methods = tuple(m for m in metric.methods if m in model.operator.methods)
        if not methods:
            raise SpecError(
                "metric_mismatch",
                f"'{model.operator.name}' has none of {', '.join(metric.methods)}, which "
                f"'{metric.text}' needs.",
                path=where,
                hint="Choose a metric of labels (accuracy, f1), or a model with probabilities.",
            )
        return self.node(self.env.graph.node(Predict(methods), fit), "blend.model")

    def build(self) -> BuiltBlend:
        try:
            check(self.spec, self.members)
        except SpecError as error:
            raise error.at(self.path) from None
        env, first = self.env, self.members[0]
        self.places[first.folds.key] = first.places.get(first.folds.key, "evaluate.cv")
        own = self.spec.metrics
        given = own if own is not None else env.evaluate.metrics
        base = self.at("metrics") if own is not None else "evaluate.metrics"
        stack = self.stack() if self.spec.blend.how == "stack" else None
        fit = self.mean(None) if stack is None else stack[0]
        positive = None
        if env.evaluate.positive is not None and first.task != "regression":
            positive = repr(env.evaluate.positive)
        weights = score_weights(first)
        metrics: dict[str, MetricDef] = {}
        scores: dict[str, tuple[Node, ...]] = {}
        for position, metric in enumerate(given or default_metrics(first.task)):
            where = f"{base}[{position}]" if given else base
            found = resolve(metric if isinstance(metric, str) else metric.model_dump(), where)
            check_task(found, first.task, where)
            if found.text in metrics:
                continue
            op = Score(found.text, first.task, positive, bool(weights))
            answer = self.answer(found, where, stack)
            score = env.graph.node(op, answer, first.folds, first.target, *weights)
            self.places.setdefault(score.key, where)
            metrics[found.text], scores[found.text] = found, (score,)
        return BuiltBlend(
            scores=scores,
            metrics=metrics,
            prepared=first.prepared,
            rows=first.rows,
            folds=first.folds,
            target=first.target,
            task=first.task,
            cv=first.cv,
            holdout=first.holdout,
            places=self.places,
            warnings=tuple(dict.fromkeys(text for m in self.members for text in m.warnings)),
            fits=(fit,),
            table_place=self.at("blend.of"),
            parts=tuple(prepared_tables(member) for member in self.members for _ in member.fits),
        )


def build_blend(
    env: Environment,
    spec: BlendPipeline,
    members: Sequence[Built],
    path: str,
    by_folds: Sequence[Built] | None = None,
) -> BuiltBlend:
    """Adds a blend of `members` (in the order of ``blend.of``) to the graph.

    To confirm a stack, `by_folds` are the members as they were cross-validated: its model is
    fitted on their out-of-fold predictions, and asked about what `members` predict.

    Raises:
        SpecError: `blend_mismatch`, `metric_mismatch`, `stack_needs_partition`, `task_mismatch`,
            `invalid_value`, `missing_field`; what the stack's model is refused with.
    """
    return _Blender(env, spec, path, members, members if by_folds is None else by_folds).build()


def prepared_tables(built: Built) -> Parts:
    """The prepared table of a pipeline; of a blend, those of what it combines, in its order."""
    return built.parts if isinstance(built, BuiltBlend) else built.prepared
