"""Metrics: what a name means, which way is better, and what must be predicted for it.

Input: a metric as written in a request (a name, ``fbeta(beta=2)``, or a mapping). Output: a
`MetricDef`; its text is the name in results and in keys. No data is seen here: values are
computed by `executor.scoring`, which gets the text and resolves it again.
"""

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from planner.errors import SpecError, did_you_mean
from planner.metric_table import ALIASES, METRICS, PARAMETERS, Argument, Entry, Parameter
from planner.ops import Method, Task

# Scorers of scikit-learn that compare clusterings or need several labels per row.
_UNSUPERVISED = (
    "adjusted_mutual_info_score",
    "adjusted_rand_score",
    "completeness_score",
    "fowlkes_mallows_score",
    "homogeneity_score",
    "mutual_info_score",
    "normalized_mutual_info_score",
    "rand_score",
    "v_measure_score",
)
_MULTILABEL = ("f1_samples", "jaccard_samples", "precision_samples", "recall_samples")


@dataclass(frozen=True)
class MetricDef:
    """A metric with its arguments.

    Attributes:
        text: Canonical text such as ``fbeta(beta=2)``; `resolve` accepts it back.
        name: Its name without arguments.
        function: A function of sklearn.metrics, or ``own.<name>`` of `executor.scoring`.
        greater_is_better: For the value as reported: ``neg_`` names report negative losses, so
            greater is better, and ``rmse`` reports a positive one, so smaller is.
        negate: Whether the reported value is minus the function's.
        tasks: The tasks it is defined for.
        methods: Response methods in order of preference, as scikit-learn's scorers have them.
        arguments: All arguments that differ from the function's defaults, sorted by name.
        weights: Whether it accepts score weights.
    """

    text: str
    name: str
    function: str
    greater_is_better: bool
    negate: bool
    tasks: tuple[Task, ...]
    methods: tuple[Method, ...]
    arguments: tuple[tuple[str, Argument], ...] = ()
    weights: bool = True


def metric_names() -> list[str]:
    """Every canonical metric name, sorted."""
    return sorted(METRICS)


def resolve(metric: object, path: str = "") -> MetricDef:
    """The metric that `metric` names.

    Args:
        metric: A name (``rmse``; case does not matter), a call (``fbeta(beta=2)``), a mapping
            ``{"metric": "fbeta", "beta": 2}``, or a model that dumps to such a mapping.
        path: Where in the request, for errors.

    Raises:
        SpecError: ``unknown_metric``, ``unknown_parameter``, ``missing_parameter`` or
            ``invalid_parameter``.
    """
    name, given = _read(metric, path)
    canonical = _canonical_name(name, path)
    entry = METRICS[canonical]
    values = _arguments(canonical, entry, given, path)
    average = values.get("average", PARAMETERS["average"].default)
    tasks = entry.tasks
    if "average" in entry.parameters and average != "binary":
        tasks = ("binary", "multiclass")
        if "pos_label" in values:
            raise SpecError(
                "invalid_parameter",
                f"'pos_label' has no effect on {canonical} with average='{average}'.",
                path=_below(path, "pos_label"),
                hint="Leave pos_label out, or use average='binary'.",
            )
    written = ", ".join(f"{key}={value!r}" for key, value in sorted(values.items()))
    return MetricDef(
        text=f"{canonical}({written})" if written else canonical,
        name=canonical,
        function=entry.function,
        greater_is_better=entry.greater,
        negate=entry.negate,
        tasks=tasks,
        methods=entry.methods,
        arguments=tuple(sorted({**dict(entry.fixed), **values}.items())),
        weights=entry.weights,
    )


def check_task(
    metric: MetricDef, task: Task, path: str = "", *, weighted: bool = False
) -> MetricDef:
    """`metric`, if it is defined for `task` (and takes weights where `weighted`).

    Raises:
        SpecError: ``metric_mismatch``, with the metric to use instead.
    """
    if task not in metric.tasks:
        raise SpecError(
            "metric_mismatch",
            f"The metric '{metric.text}' is not defined for a {task} task.",
            path=path,
            hint=_instead(metric, task),
        )
    # Binary tasks go through the plain binary formula, which takes weights even for "ovo".
    takes_weights = metric.weights or (task == "binary" and metric.name.startswith("roc_auc_ovo"))
    if weighted and not takes_weights:
        raise SpecError(
            "metric_mismatch",
            f"The metric '{metric.text}' does not take weights, but score_weight is set.",
            path=path,
            hint="Leave score_weight out, or choose another metric.",
        )
    return metric


def default_metrics(task: Task) -> tuple[str, ...]:
    """Names of what is reported when nothing was asked for: r2, roc_auc or accuracy."""
    return ({"regression": "r2", "binary": "roc_auc", "multiclass": "accuracy"}[task],)


def _read(metric: object, path: str) -> tuple[str, dict[str, Any]]:
    if isinstance(metric, str):
        return _parse(metric, path)
    if not isinstance(metric, Mapping):
        dump = getattr(metric, "model_dump", None)
        metric = dump() if callable(dump) else metric
    if isinstance(metric, Mapping) and isinstance(metric.get("metric"), str):
        name, given = _parse(metric["metric"], path)
        rest = {str(key): value for key, value in metric.items() if key != "metric"}
        return name, {**given, **rest}
    raise SpecError(
        "unknown_metric",
        f"A metric is a name or an object with a 'metric' field, not {metric!r:.100}.",
        path=path,
        hint='Write "rmse", or {"metric": "fbeta", "beta": 2}.',
    )


def _parse(text: str, path: str) -> tuple[str, dict[str, Any]]:
    if "(" not in text:
        return text.strip(), {}
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
            raise ValueError
        given = {str(item.arg): ast.literal_eval(item.value) for item in call.keywords}
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise SpecError(
            "unknown_metric",
            f"The metric '{text[:100]}' cannot be read.",
            path=path,
            hint="Write name or name(argument=value), such as fbeta(beta=2).",
        ) from None
    return call.func.id, given


def _canonical_name(name: str, path: str) -> str:
    key = name.strip().casefold().replace("-", "_").replace(" ", "_")
    key = ALIASES.get(key, key)
    if key in METRICS:
        return key
    if key in _UNSUPERVISED:
        hint = "It compares clusterings; for classification use accuracy, f1_macro or roc_auc."
    elif key in _MULTILABEL:
        hint = f"It needs several labels per row; use {key.removesuffix('_samples')}_macro."
    else:
        hint = did_you_mean(
            key,
            [*METRICS, *ALIASES],
            "Any scorer name of scikit-learn, or rmse, mae, rmsle, mape, logloss, roc_auc, "
            "accuracy, f1_macro, quadratic_kappa, ...",
        )
    raise SpecError("unknown_metric", f"There is no metric '{name}'.", path=path, hint=hint)


def _arguments(name: str, entry: Entry, given: Mapping[str, Any], path: str) -> dict[str, Argument]:
    """The arguments that differ from the defaults, checked."""
    values: dict[str, Argument] = {}
    for key, value in given.items():
        if key not in entry.parameters:
            listed = ", ".join(entry.parameters)
            raise SpecError(
                "unknown_parameter",
                f"The metric '{name}' has no argument '{key}'.",
                path=_below(path, key),
                hint=did_you_mean(
                    key,
                    entry.parameters,
                    f"It takes {listed}." if listed else "It takes no arguments.",
                ),
            )
        parameter = PARAMETERS[key]
        checked = _checked(name, key, parameter, value, _below(path, key))
        if checked != parameter.default or isinstance(checked, bool) != isinstance(
            parameter.default, bool
        ):
            values[key] = checked
    for key in entry.parameters:
        if PARAMETERS[key].required and key not in given:
            raise SpecError(
                "missing_parameter",
                f"The metric '{name}' needs the argument '{key}'.",
                path=path,
                hint=f'Write {{"metric": "{name}", "{key}": ...}}.',
            )
    return values


def _checked(name: str, key: str, parameter: Parameter, value: Any, path: str) -> Argument:
    """`value` if it is allowed; whole floats become integers, so that equal means equal text."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and isinstance(value, float) and value.is_integer() and parameter.kind != "label":
        value = int(value)
    allowed = {
        "number": number,
        "integer": number and isinstance(value, int),
        "boolean": isinstance(value, bool),
        "label": isinstance(value, bool | int | float | str),
        "choice": (number or isinstance(value, str | None)) and value in parameter.choices,
    }[parameter.kind]
    if parameter.kind == "number" and value is None and not parameter.required:
        allowed = parameter.default is None
    if allowed and parameter.kind in ("number", "integer") and value is not None:
        low, high = parameter.low, parameter.high
        allowed = (
            abs(value) < float("inf")
            and (low is None or (value > low if parameter.open_low else value >= low))
            and (high is None or value <= high)
        )
        if key == "power":
            allowed = allowed and not 0 < value < 1
    if allowed:
        checked: Argument = value
        return checked
    raise SpecError(
        "invalid_parameter",
        f"The argument '{key}' of the metric '{name}' cannot be {value!r:.60}.",
        path=path,
        hint=_expected(key, parameter),
    )


def _expected(key: str, parameter: Parameter) -> str:
    if parameter.kind == "choice":
        return "One of " + ", ".join(repr(choice) for choice in parameter.choices) + "."
    if parameter.kind == "label":
        return "A class label: a boolean, a number or a string."
    if key == "power":
        return "A number at most 0 or at least 1."
    bounds = []
    if parameter.low is not None:
        bounds.append(f"{'above' if parameter.open_low else 'at least'} {parameter.low:g}")
    if parameter.high is not None:
        bounds.append(f"at most {parameter.high:g}")
    article = "An" if parameter.kind == "integer" else "A"
    return f"{article} {parameter.kind} {' and '.join(bounds)}".rstrip() + "."


def _instead(metric: MetricDef, task: Task) -> str:
    if task == "regression":
        return "Use r2, rmse or mae; if the target holds classes, use a classifier."
    if metric.tasks == ("regression",):
        return "Use accuracy, logloss or roc_auc; if the target is a quantity, use a regressor."
    if metric.name in ("roc_auc", "gini", "normalized_gini"):
        return "Use roc_auc_ovr (one class against the rest) or roc_auc_ovo."
    if metric.name in ("f1", "precision", "recall", "jaccard"):
        return f"Use {metric.name}_macro, {metric.name}_micro or {metric.name}_weighted."
    if metric.name == "fbeta":
        return 'Set "average" to "macro", "micro" or "weighted".'
    return "Use f1_macro, balanced_accuracy or roc_auc_ovr."


def _below(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
