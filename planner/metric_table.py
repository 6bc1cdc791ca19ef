"""The metrics as data: scikit-learn's supervised scorers and the others in common use.

Input: nothing. Output: `METRICS` and `ALIASES`, read by `planner.metrics`. A function name with a
dot is in `executor.scoring`'s own table (``own.``); the others are functions of sklearn.metrics.
"""

from dataclasses import dataclass

from planner.ops import Method, Task

Argument = bool | int | float | str | None

PREDICT: tuple[Method, ...] = ("predict",)
PROBA: tuple[Method, ...] = ("predict_proba",)
RANK: tuple[Method, ...] = ("decision_function", "predict_proba")
BINARY: tuple[Task, ...] = ("binary",)
CLASSES: tuple[Task, ...] = ("binary", "multiclass")
NUMBERS: tuple[Task, ...] = ("regression",)


@dataclass(frozen=True)
class Parameter:
    """An argument that a caller may set.

    `kind` is ``number``, ``integer``, ``boolean``, ``label`` or ``choice``; numbers lie within
    ``[low, high]`` (``open_low``: above `low`), choices in `choices`.
    """

    kind: str
    default: Argument = None
    required: bool = False
    low: float | None = None
    high: float | None = None
    open_low: bool = False
    choices: tuple[Argument, ...] = ()


PARAMETERS: dict[str, Parameter] = {
    "beta": Parameter("number", required=True, low=0, open_low=True),
    "average": Parameter(
        "choice", default="binary", choices=("binary", "macro", "micro", "weighted")
    ),
    "pos_label": Parameter("label"),
    "zero_division": Parameter("choice", default=0, choices=(0, 1)),
    "max_fpr": Parameter("number", low=0, high=1, open_low=True),
    "k": Parameter("integer", default=2, low=1),
    "rows": Parameter("integer", required=True, low=1),
    "alpha": Parameter("number", default=0.5, low=0, high=1),
    "power": Parameter("number", default=0),
    "weights": Parameter("choice", choices=(None, "linear", "quadratic")),
    "adjusted": Parameter("boolean", default=False),
    "recall": Parameter("number", required=True, low=0, high=1, open_low=True),
    "precision": Parameter("number", required=True, low=0, high=1, open_low=True),
}


@dataclass(frozen=True)
class Entry:
    """One metric.

    Attributes:
        function: Of sklearn.metrics, or ``own.<name>``.
        greater: Whether a greater reported value is better.
        tasks: Where it applies; with a binary `average` only to binary tasks.
        methods: The response methods, in scikit-learn's order of preference.
        negate: Report minus the function's value (scikit-learn's ``neg_`` names).
        fixed: Arguments that the name implies.
        parameters: Arguments that a caller may set (keys of `PARAMETERS`).
        weights: Whether score weights are accepted.
    """

    function: str
    greater: bool
    tasks: tuple[Task, ...]
    methods: tuple[Method, ...] = PREDICT
    negate: bool = False
    fixed: tuple[tuple[str, Argument], ...] = ()
    parameters: tuple[str, ...] = ()
    weights: bool = True


def _regression() -> dict[str, Entry]:
    losses = {
        # short name: (function, the tail of scikit-learn's "neg_" name, parameters)
        "mse": ("mean_squared_error", "mean_squared_error", ()),
        "rmse": ("root_mean_squared_error", "root_mean_squared_error", ()),
        "mae": ("mean_absolute_error", "mean_absolute_error", ()),
        "mape": ("mean_absolute_percentage_error", "mean_absolute_percentage_error", ()),
        "medae": ("median_absolute_error", "median_absolute_error", ()),
        "msle": ("mean_squared_log_error", "mean_squared_log_error", ()),
        "rmsle": ("root_mean_squared_log_error", "root_mean_squared_log_error", ()),
        "max_error": ("max_error", "max_error", ()),
        "poisson_deviance": ("mean_poisson_deviance", "mean_poisson_deviance", ()),
        "gamma_deviance": ("mean_gamma_deviance", "mean_gamma_deviance", ()),
        "tweedie_deviance": ("mean_tweedie_deviance", "", ("power",)),
        "pinball": ("mean_pinball_loss", "", ("alpha",)),
        "smape": ("own.smape", "", ()),
        "wape": ("own.wape", "", ()),
        "rmspe": ("own.rmspe", "", ()),
    }
    table: dict[str, Entry] = {}
    for name, (function, scorer, parameters) in losses.items():
        weights = name != "max_error"
        table[name] = Entry(function, False, NUMBERS, parameters=parameters, weights=weights)
        if scorer:
            table[f"neg_{scorer}"] = Entry(function, True, NUMBERS, negate=True, weights=weights)
    for name, function in (
        ("r2", "r2_score"),
        ("explained_variance", "explained_variance_score"),
        ("d2_absolute_error_score", "d2_absolute_error_score"),
    ):
        table[name] = Entry(function, True, NUMBERS)
    table["d2_pinball"] = Entry("d2_pinball_score", True, NUMBERS, parameters=("alpha",))
    table["d2_tweedie"] = Entry("d2_tweedie_score", True, NUMBERS, parameters=("power",))
    table["pearson"] = Entry("own.pearson", True, NUMBERS, weights=False)
    table["spearman"] = Entry("own.spearman", True, NUMBERS, weights=False)
    table["normalized_gini"] = Entry(
        "own.normalized_gini", True, ("regression", "binary"), methods=(*RANK, "predict")
    )
    return table


def _labels() -> dict[str, Entry]:
    """Metrics of predicted class labels."""
    table: dict[str, Entry] = {
        "accuracy": Entry("accuracy_score", True, CLASSES),
        "error_rate": Entry("zero_one_loss", False, CLASSES),
        "balanced_accuracy": Entry(
            "balanced_accuracy_score", True, CLASSES, parameters=("adjusted",)
        ),
        "matthews_corrcoef": Entry("matthews_corrcoef", True, CLASSES),
        "kappa": Entry("cohen_kappa_score", True, CLASSES, parameters=("weights",)),
        "quadratic_kappa": Entry(
            "cohen_kappa_score", True, CLASSES, fixed=(("weights", "quadratic"),)
        ),
        "positive_likelihood_ratio": Entry(
            "own.positive_likelihood_ratio", True, BINARY, parameters=("pos_label",), weights=False
        ),
        "neg_negative_likelihood_ratio": Entry(
            "own.negative_likelihood_ratio",
            True,
            BINARY,
            negate=True,
            parameters=("pos_label",),
            weights=False,
        ),
    }
    for name in ("f1", "precision", "recall", "jaccard"):
        function = f"{name}_score"
        binary = ("average", "pos_label", "zero_division")
        table[name] = Entry(function, True, BINARY, parameters=binary)
        for average in ("macro", "micro", "weighted"):
            table[f"{name}_{average}"] = Entry(
                function,
                True,
                CLASSES,
                fixed=(("average", average),),
                parameters=("zero_division",),
            )
    table["fbeta"] = Entry(
        "fbeta_score", True, BINARY, parameters=("beta", "average", "pos_label", "zero_division")
    )
    return table


def _scores() -> dict[str, Entry]:
    """Metrics of probabilities or decision values."""
    table: dict[str, Entry] = {
        "roc_auc": Entry("roc_auc_score", True, BINARY, RANK, parameters=("max_fpr",)),
        "gini": Entry("own.gini", True, BINARY, RANK),
        "average_precision": Entry(
            "average_precision_score", True, CLASSES, RANK, parameters=("pos_label",)
        ),
        "top_k_accuracy": Entry("top_k_accuracy_score", True, CLASSES, RANK, parameters=("k",)),
        "logloss": Entry("log_loss", False, CLASSES, PROBA),
        "neg_log_loss": Entry("log_loss", True, CLASSES, PROBA, negate=True),
        "d2_log_loss_score": Entry("d2_log_loss_score", True, CLASSES, PROBA),
        "brier": Entry("brier_score_loss", False, CLASSES, PROBA, parameters=("pos_label",)),
        "neg_brier_score": Entry(
            "brier_score_loss", True, CLASSES, PROBA, negate=True, parameters=("pos_label",)
        ),
        "d2_brier_score": Entry("d2_brier_score", True, CLASSES, PROBA, parameters=("pos_label",)),
    }
    for how in ("ovr", "ovo"):
        weights = how == "ovr"
        fixed: tuple[tuple[str, Argument], ...] = (("multi_class", how),)
        table[f"roc_auc_{how}"] = Entry(
            "roc_auc_score", True, CLASSES, PROBA, fixed=fixed, weights=weights
        )
        table[f"roc_auc_{how}_weighted"] = Entry(
            "roc_auc_score",
            True,
            CLASSES,
            PROBA,
            fixed=(("average", "weighted"), *fixed),
            weights=weights,
        )
    for name, parameter in (
        ("precision_at_recall", "recall"),
        ("recall_at_precision", "precision"),
        ("precision_at_k", "rows"),
        ("recall_at_k", "rows"),
    ):
        table[name] = Entry(
            f"own.{name}",
            True,
            BINARY,
            RANK,
            parameters=(parameter, "pos_label"),
            weights=parameter != "rows",
        )
    return table


METRICS: dict[str, Entry] = {**_regression(), **_labels(), **_scores()}

# Function names of sklearn.metrics stand for what the function returns: `log_loss` is positive,
# and smaller is better; only the `neg_` names report negative values.
ALIASES: dict[str, str] = {
    "mean_squared_error": "mse",
    "root_mean_squared_error": "rmse",
    "mean_absolute_error": "mae",
    "mean_absolute_percentage_error": "mape",
    "median_absolute_error": "medae",
    "mean_squared_log_error": "msle",
    "root_mean_squared_log_error": "rmsle",
    "mean_poisson_deviance": "poisson_deviance",
    "mean_gamma_deviance": "gamma_deviance",
    "mean_tweedie_deviance": "tweedie_deviance",
    "mean_pinball_loss": "pinball",
    "quantile_loss": "pinball",
    "d2_pinball_score": "d2_pinball",
    "d2_tweedie_score": "d2_tweedie",
    "d2_absolute_error": "d2_absolute_error_score",
    "d2_log_loss": "d2_log_loss_score",
    "d2_brier": "d2_brier_score",
    "r2_score": "r2",
    "explained_variance_score": "explained_variance",
    "pearsonr": "pearson",
    "spearmanr": "spearman",
    "gini_normalized": "normalized_gini",
    "acc": "accuracy",
    "accuracy_score": "accuracy",
    "zero_one_loss": "error_rate",
    "balanced_accuracy_score": "balanced_accuracy",
    "mcc": "matthews_corrcoef",
    "cohen_kappa": "kappa",
    "cohen_kappa_score": "kappa",
    "qwk": "quadratic_kappa",
    "quadratic_weighted_kappa": "quadratic_kappa",
    "f1_score": "f1",
    "macro_f1": "f1_macro",
    "micro_f1": "f1_micro",
    "weighted_f1": "f1_weighted",
    "fbeta_score": "fbeta",
    "precision_score": "precision",
    "recall_score": "recall",
    "sensitivity": "recall",
    "jaccard_score": "jaccard",
    "auc": "roc_auc",
    "auroc": "roc_auc",
    "roc_auc_score": "roc_auc",
    "average_precision_score": "average_precision",
    "ap": "average_precision",
    "pr_auc": "average_precision",
    "auprc": "average_precision",
    "top_k": "top_k_accuracy",
    "top_k_accuracy_score": "top_k_accuracy",
    "log_loss": "logloss",
    "cross_entropy": "logloss",
    "brier_score": "brier",
    "brier_score_loss": "brier",
}
