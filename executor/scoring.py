"""Scores of predictions, equal to what scikit-learn's scorers give for the fitted model.

Input: a metric's canonical text, the validation targets, and a model's response on the same
rows. Output: one float. Runs in worker processes.
"""

import ast
import warnings
from typing import Any

import numpy as np
import sklearn.metrics
from sklearn.exceptions import UndefinedMetricWarning

from executor.own_metrics import OWN, RANKING
from planner.errors import DataError, ExecutionError, SpecError, StratumError, did_you_mean
from planner.metrics import MetricDef, resolve
from planner.ops import Method, Task

# Functions that take the class list, so that a fold may lack a class the model knows.
_TAKES_LABELS = ("log_loss", "d2_log_loss_score", "brier_score_loss", "d2_brier_score")
_OF_LABELS = ("f1_score", "precision_score", "recall_score", "jaccard_score", "fbeta_score")
_STRATIFY = "Use StratifiedKFold (or fewer folds), so that every fold has every class."


def score(
    metric: str,
    task: Task,
    y_true: Any,
    prediction: Any,
    classes: Any = None,
    sample_weight: Any = None,
    positive: str | None = None,
    method: Method = "predict",
) -> float:
    """The value of `metric`, with the sign it is reported with.

    Args:
        metric: Text that `planner.metrics.resolve` accepts.
        task: ``regression``, ``binary`` or ``multiclass``.
        y_true: (n,) targets as given, untransformed.
        prediction: What `method` of the fitted model returned: (n,) values, labels, decision
            values or positive-class probabilities (of ``classes[1]``), or (n, classes).
        classes: The fitted model's sorted class labels, the columns of a 2-D `prediction`; the
            sorted labels in `y_true` and `prediction` if None.
        sample_weight: (n,) weights or None.
        positive: The repr of the positive class of a binary metric; a metric's own
            ``pos_label`` goes first, and the greater class is the default.
        method: Which response `prediction` is.

    Raises:
        ExecutionError: ``non_finite_predictions``, or ``metric_failed`` with the library's words.
        DataError: ``one_class_in_fold``, ``unseen_class_in_fold``, ``metric_domain``,
            ``undefined_metric``.
        SpecError: ``unknown_class`` if the positive class is none of the labels.
    """
    definition = resolve(metric)
    target = plain(y_true, numeric=task == "regression")
    answer = plain(prediction, numeric=task == "regression" or method != "predict")
    _require_finite(answer)
    arguments: dict[str, Any] = dict(definition.arguments)
    if sample_weight is not None:
        arguments["sample_weight"] = np.asarray(sample_weight, dtype=np.float64)
    if task == "regression":
        answer = answer.reshape(len(target), -1)[:, 0] if answer.ndim == 2 else answer
    else:
        wanted = arguments.pop("pos_label", None)
        if wanted is None and positive is not None:
            wanted = read_label(positive)
        if method == "predict":
            _label_arguments(definition, classes, wanted, target, answer, arguments)
        else:
            labels = np.unique(target) if classes is None else plain(classes, numeric=False)
            place = positive_place(labels, wanted) if len(labels) <= 2 else 0
            target, answer = _response(definition, labels, place, target, answer, method, arguments)
    value = _call(definition, target, answer, arguments)
    if not np.isfinite(value):
        raise DataError(
            "undefined_metric",
            f"The metric '{definition.text}' is not defined on a fold of {len(target)} rows: "
            f"its value is {value}.",
            hint="Use larger folds, or a metric that is defined on any rows (rmse, accuracy).",
        )
    return -value if definition.negate else value


def plain(values: Any, *, numeric: bool) -> np.ndarray[Any, Any]:
    """`values` as an array that scikit-learn's type checks understand: objects that hold only
    booleans or numbers become such arrays, numbers of other kinds (decimals) floats."""
    array = np.asarray(values)
    if array.dtype.kind == "O" and array.size:
        kinds = {type(item) for item in array.ravel()[:1000]}
        if all(issubclass(kind, bool | int | float | np.bool_ | np.number) for kind in kinds):
            array = np.asarray(array.tolist())
    if numeric and array.dtype.kind not in "fiu":
        array = array.astype(np.float64)
    return array


def _require_finite(prediction: np.ndarray[Any, Any]) -> None:
    if prediction.dtype.kind != "f":
        return
    bad = int(np.count_nonzero(~np.isfinite(prediction)))
    if bad:
        raise ExecutionError(
            "non_finite_predictions",
            f"{bad} of {prediction.size} predicted values are NaN or infinite.",
            hint="Scale the features or the target, lower the learning rate, or regularise more.",
        )


def read_label(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def positive_place(labels: np.ndarray[Any, Any], wanted: Any) -> int:
    """Position of the positive class in `labels`: the last unless `wanted` says otherwise."""
    if wanted is None:
        return len(labels) - 1
    known = labels.tolist()
    for same in (
        lambda label: type(label) is type(wanted) and label == wanted,
        lambda label: not isinstance(label, str) and label == wanted,
        lambda label: str(label) == str(wanted),
    ):
        for position, label in enumerate(known):
            if same(label):
                return position
    listed = [str(label) for label in known]
    if len(known) < 2:
        raise DataError(
            "one_class_in_fold",
            f"No row of a fold is of the positive class {wanted!r}.",
            hint=_STRATIFY,
        )
    raise SpecError(
        "unknown_class",
        f"The positive class {wanted!r} is none of the target's classes.",
        hint=did_you_mean(str(wanted), listed, f"The classes are {', '.join(listed[:20])}."),
    )


def _label_arguments(
    definition: MetricDef,
    classes: Any,
    wanted: Any,
    target: np.ndarray[Any, Any],
    answer: np.ndarray[Any, Any],
    arguments: dict[str, Any],
) -> None:
    """Tell a function of predicted labels which class is the positive one."""
    ratio = definition.function.endswith("likelihood_ratio")
    if definition.function in _OF_LABELS:
        arguments.setdefault("zero_division", 0)
        if arguments.get("average", "binary") != "binary":
            arguments["pos_label"] = None
            return
    elif not ratio:
        return
    known = target[:0] if classes is None else plain(classes, numeric=False)
    labels = np.unique(np.concatenate([known, target, answer]))
    place = positive_place(labels, wanted)
    if not ratio:
        arguments["pos_label"] = labels.tolist()[place]
    elif len(labels) == 2:
        arguments["labels"] = [labels[1 - place], labels[place]]
    else:
        raise _one_class(definition, "there is one class")


def _response(
    definition: MetricDef,
    labels: np.ndarray[Any, Any],
    place: int,
    target: np.ndarray[Any, Any],
    answer: np.ndarray[Any, Any],
    method: Method,
    arguments: dict[str, Any],
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Target and scores as the metric's function takes them, checked for missing classes."""
    if len(labels) < 2:
        raise _one_class(definition, "the training rows have one class")
    unseen = target[~np.isin(target, labels)]
    if unseen.size:
        raise DataError(
            "unseen_class_in_fold",
            f"{unseen.size} validation rows are of a class that is not among the training rows "
            f"({str(unseen[0])!r:.60}), so '{definition.text}' is not defined.",
            hint=_STRATIFY,
        )
    ranking = definition.function in RANKING
    if len(labels) > 2:
        if ranking or definition.function == "average_precision_score":
            missing = labels[~np.isin(labels, target)]
            if missing.size:
                raise _one_class(definition, f"there is no row of class {str(missing[0])!r:.60}")
        if definition.function != "average_precision_score":
            arguments["labels"] = labels
        return target, answer
    if answer.ndim == 2:
        answer = answer[:, 1]
    if definition.function in ("log_loss", "d2_log_loss_score", "top_k_accuracy_score"):
        # Symmetric in the classes: scikit-learn hands the last one's column over.
        arguments["labels"] = labels
        return target, answer
    if place == 0:
        answer = 1 - answer if method == "predict_proba" else -answer
    hits = target == labels[place]
    if ranking and (hits.all() or not hits.any()):
        raise _one_class(definition, "all rows are of one class")
    if definition.function in _TAKES_LABELS:
        arguments["pos_label"] = True
    return hits, answer


def _one_class(definition: MetricDef, why: str) -> DataError:
    return DataError(
        "one_class_in_fold",
        f"The metric '{definition.text}' needs every class in a fold, but {why}.",
        hint=_STRATIFY,
    )


def _call(
    definition: MetricDef,
    target: np.ndarray[Any, Any],
    answer: np.ndarray[Any, Any],
    arguments: dict[str, Any],
) -> float:
    name = definition.function
    function = OWN[name] if name.startswith("own.") else getattr(sklearn.metrics, name)
    try:
        with warnings.catch_warnings():
            # An ill-defined score has scikit-learn's value, or is refused by the caller.
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
            return float(function(target, answer, **arguments))
    except StratumError:
        raise
    except ValueError as error:
        message = str(error)
        if _is_domain_error(message):
            raise DataError(
                "metric_domain",
                f"The metric '{definition.text}' cannot take these values: {message}",
                hint="Give the target a transform such as log1p, which keeps predictions in "
                "range, or choose another metric.",
            ) from None
        raise ExecutionError(
            "metric_failed", f"The metric '{definition.text}' failed: {message}"
        ) from None


def _is_domain_error(message: str) -> bool:
    return "less than or equal to -1" in message or "can only be used on" in message
