"""The `model` of one pipeline: taken apart, seeded, and made the op that fits it.

Input: the `model`, `seeds` and `early_stopping` of a spec. Output: a `Model`, and `Fit` ops.
"""

from collections.abc import Callable
from dataclasses import dataclass

from planner import expressions
from planner.dismantle import pipeline_parts
from planner.environment import Environment
from planner.errors import SpecError
from planner.expressions import Call, walk_calls, without_params
from planner.graph import Node
from planner.ops import Fit, FitTarget, Task
from planner.registry import Operator
from planner.seeds import fill_seeds
from planner.spec import EarlyStopping, PipelineSpec

# They may name columns, or tell them apart by type: they need the table, not an array.
_OF_TABLES = frozenset({"Pipeline", "ColumnTransformer"})
_STOPPERS = frozenset({"lightgbm", "xgboost", "catboost"})

# Predictor, task, name of the target's element-wise function, whether there are weights.
MakeFit = Callable[[Call, Task, str | None, bool], Fit]


@dataclass(frozen=True)
class Model:
    """The `model` of a spec: transformers in front, the predictor, and its operator (that of
    the estimator inside, if the predictor is a search).

    `composed` says that it was written as a Pipeline.
    """

    front: tuple[Call, ...]
    predictor: Call
    operator: Operator
    composed: bool

    @property
    def takes_table(self) -> bool:
        """Whether the predictor holds composites of its own, as a search over a Pipeline does."""
        return any(call.name in _OF_TABLES for call in walk_calls(self.predictor))


def take_apart(env: Environment, spec: PipelineSpec, path: str) -> Model:
    """The model at `path`.

    Raises:
        SpecError: as `expressions.parse`, `not_a_predictor`, `task_mismatch`.
    """
    parsed = expressions.parse(spec.model, env.registry, path)
    front: list[Call] = []
    composed = parsed.name == "Pipeline"
    while parsed.name == "Pipeline":
        transformers, parsed = pipeline_parts(parsed, path)
        front.extend(transformers)
    kind = env.registry.kind_of(parsed)
    if kind not in ("classifier", "regressor"):
        raise SpecError(
            "not_a_predictor",
            f"'{parsed.name}' is a {kind}; `model` must end in a classifier or a regressor.",
            path=path,
            hint="Put transformers into `features`, or in front of a predictor: "
            "make_pipeline(StandardScaler(), Ridge()).",
        )
    wanted = env.evaluate.task
    if wanted is not None and (kind == "regressor") != (wanted == "regression"):
        raise SpecError(
            "task_mismatch",
            f"'{parsed.name}' is a {kind}, but evaluate.task is '{wanted}'.",
            path=path,
            hint=f"Use a {'classifier' if kind == 'regressor' else 'regressor'}, or leave "
            "evaluate.task out.",
        )
    operator = env.registry[env.registry.resolved(parsed).name]
    return Model(tuple(front), parsed, operator, composed)


def seeded_predictor(env: Environment, spec: PipelineSpec, model: Model, seed: int) -> Call:
    """The predictor with its seed; one of `seeds` goes before what is written in the model."""
    call = model.predictor
    if spec.seeds and env.registry[call.name].seeded:
        call = without_params(call, "random_state")
    return fill_seeds(call, seed, env.registry)


def fit_maker(
    env: Environment, stopping: EarlyStopping | None, model: Model, target: Node, path: str
) -> MakeFit:
    """What makes the Fit op, with early stopping if asked for.

    `target` is the target that the model is fitted on, `path` that of `early_stopping`.

    Raises:
        SpecError: `early_stopping_unsupported`.
    """
    if stopping is None:
        return Fit
    operator = env.registry[model.predictor.name]
    if operator.library not in _STOPPERS or operator.family != "boosting":
        raise SpecError(
            "early_stopping_unsupported",
            f"'{operator.name}' does not take early stopping from a spec.",
            path=path,
            hint="Use it with LightGBM, XGBoost or CatBoost; HistGradientBoosting and "
            "GradientBoosting have parameters of their own for it.",
        )
    inner = 0.0 if stopping.on == "validation" else stopping.on.inner
    if not inner and isinstance(target.op, FitTarget):
        raise SpecError(
            "early_stopping_unsupported",
            "Early stopping on the validation fold needs an element-wise target transform.",
            path=f"{path}.on",
            hint='Use transform "log1p", or stop on {"inner": 0.1}.',
        )
    rounds, metric = stopping.rounds, stopping.metric or ""
    return lambda call, task, function, weighted: Fit(
        call, task, function, weighted, rounds, inner, metric
    )
