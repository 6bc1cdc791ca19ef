"""What the members of a blend must have in common, and what a blend reads of them.

Input: built pipelines and a `BlendPipeline`. Output: prediction nodes, weights in proportion, or
a `SpecError`.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import fsum, gcd, lcm

from planner.build import Built
from planner.environment import Environment
from planner.errors import SpecError
from planner.graph import Node
from planner.ops import Fit, Method, Predict
from planner.ops_blend import Blend
from planner.spec import BlendPipeline

_WHOLE = 1_000_000  # of a weight as a whole number


def check(spec: BlendPipeline, members: Sequence[Built]) -> None:
    """Members go together, and what is given goes with `how`.

    Raises:
        SpecError: `blend_mismatch`, `missing_field`, `invalid_value`, placed within the spec.
    """
    first, of = members[0], spec.blend.of
    for position, other in enumerate(members):
        for what, same in (
            ("task", other.task == first.task),
            ("target", other.target is first.target),
            ("rows or folds", other.folds is first.folds),
            ("score_weight", score_weights(other) == score_weights(first)),
        ):
            if not same:
                raise SpecError(
                    "blend_mismatch",
                    f"'{of[position]}' and '{of[0]}' differ in {what}.",
                    path=f"blend.of[{position}]",
                    hint="Members of a blend need the same target, rows and folds: steps that "
                    "filter or reorder rows, train-only filters and weights of scores must be "
                    "equal.",
                )
        if _is_ranked(other) and spec.blend.how != "rank_mean":
            raise SpecError(
                "blend_mismatch",
                f"'{of[position]}' is a mean of ranks, which are no predictions.",
                path=f"blend.of[{position}]",
                hint="Use how 'rank_mean' here too, or the members of that blend.",
            )
    _check_fields(spec)


def _check_fields(spec: BlendPipeline) -> None:
    blend = spec.blend
    stack = blend.how == "stack"
    if stack and blend.model is None:
        raise SpecError(
            "missing_field",
            "A stack needs a `model`, which is fitted on the members' predictions.",
            path="blend.model",
            hint='Such as "Ridge()" or "LogisticRegression()".',
        )
    odd = {"weights": stack and blend.weights, "model": not stack and blend.model}
    for name, given in odd.items():
        if given:
            raise SpecError(
                "invalid_value",
                f"A blend by '{blend.how}' takes no `{name}`.",
                path=f"blend.{name}",
                hint="`weights` go with mean and rank_mean, `model` with stack.",
            )
    weights = blend.weights
    if weights is not None and (len(weights) != len(blend.of) or not fsum(weights) > 0):
        raise SpecError(
            "invalid_value",
            f"There are {len(weights)} weights with sum {fsum(weights):g} for "
            f"{len(blend.of)} members.",
            path="blend.weights",
            hint="One for each member, in the order of `of`, not all of them 0.",
        )


def predictions(env: Environment, built: Built, path: str, *, ranked: bool = False) -> list[Node]:
    """What a blend reads of a pipeline, a node a seed: values, or probabilities of classes; to
    be `ranked`, decision values will do.

    Raises:
        SpecError: `blend_mismatch` at `path` for a classifier without probabilities.
    """
    nodes = []
    for fit in built.fits:
        if not isinstance(fit.op, Fit):
            nodes.append(fit)  # a blend is its own prediction
            continue
        methods: tuple[Method, ...] = ("predict",)
        if built.task != "regression":
            methods = _methods(env, fit.op, ranked)
        if not methods:
            raise SpecError(
                "blend_mismatch",
                f"'{fit.op.estimator.name}' predicts no probabilities to be combined.",
                path=path,
                hint="Use a classifier that does (LogisticRegression, SVC(probability=True)), or "
                "how 'rank_mean' for a binary target.",
            )
        nodes.append(env.graph.node(Predict(methods), fit))
    return nodes


def _methods(env: Environment, op: Fit, ranked: bool) -> tuple[Method, ...]:
    known = env.registry[env.registry.resolved(op.estimator).name].methods
    if "predict_proba" in known:
        return ("predict_proba",)
    return ("decision_function",) if ranked and "decision_function" in known else ()


def _is_ranked(built: Built) -> bool:
    return any(isinstance(fit.op, Blend) and fit.op.how == "rank_mean" for fit in built.fits)


def score_weights(built: Built) -> tuple[Node, ...]:
    score = next(iter(built.scores.values()))[0]
    return score.inputs[3:]


def proportions(weights: Sequence[float] | None) -> tuple[float, ...]:
    """The same for weights of equal proportions, none where all are equal.

    Small whole numbers where that is possible: means of ranks then tie where they should, which
    rounding would undo.
    """
    if weights is None or len(set(weights)) == 1:
        return ()
    exact = [Fraction(repr(float(weight))) for weight in weights]
    denominator = lcm(*(weight.denominator for weight in exact))
    whole = [int(weight * denominator) for weight in exact]
    divisor = gcd(*whole)
    if max(whole) // divisor <= _WHOLE:
        return tuple(float(weight // divisor) for weight in whole)
    total = fsum(weights)
    return tuple(weight / total for weight in weights)
