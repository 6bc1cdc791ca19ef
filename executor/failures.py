"""Library exceptions as errors that an agent can act on.

Input: the op that raised and what it raised. Output: an `ExecutionError` with a stable code.
"""

import re

from planner.errors import ExecutionError
from planner.graph import Op, Role

# Pattern in the library's message -> (code, hint). First match wins.
_KNOWN: tuple[tuple[str, str, str], ...] = (
    (
        r"^The '.*' parameter of .* must be",
        "invalid_parameter",
        "Give a value in the range that the message names.",
    ),
    (
        r"sample_weight contains|[Ss]ample weights? (must be|contains)|Negative weights|"
        r"negative (values in )?(sample_)?weight",
        "invalid_weights",
        "Weights must be finite numbers of at least 0: fill gaps with a {\"fill\": ...} step.",
    ),
    (
        r"np\.nan is an invalid document|'(float|NAType|NoneType)' object has no attribute "
        r"'(lower|decode)'",
        "missing_text",
        'Fill the column with text first, in `prepare`: {"fill": {"column": ""}}.',
    ),
    (
        r"contains NaN|Input.* contains missing values",
        "missing_values",
        "Put SimpleImputer() in front, or use a model that takes missing values "
        "(HistGradientBoosting, LightGBM, XGBoost, random forests).",
    ),
    (
        r"infinity or a value too large|Input.* contains infinity",
        "infinite_values",
        "Derive the column so that it stays finite: nullif() in divisions, ln() of positives.",
    ),
    (
        r"could not convert string to float|DataFrame\.dtypes for data must be|"
        r"bad pandas dtypes|invalid literal for|could not convert|Cannot cast str",
        "text_in_numeric_model",
        "Encode string columns: OneHotEncoder(handle_unknown='ignore'), OrdinalEncoder() or "
        "TargetEncoder() in a branch of their own; branches without steps and "
        "remainder='passthrough' hand them on as they are.",
    ),
    (
        r"Expected a 2-dimensional container|Expected 2D array, got 1D",
        "one_dimensional_column",
        "Name the column in a list, ['x'], to hand it over as a table; a bare name is for text "
        "vectorisers.",
    ),
    (
        r"DateTime64|datetime64|Timestamp",
        "date_in_numeric_model",
        "Derive numbers from date columns in `prepare`: year(d), month(d), dayofweek(d), "
        "epoch(d).",
    ),
    (
        r"only supported for dataframes|only supported for pandas|only supported for DataFrame",
        "no_column_names",
        "Behind another transformer the features are an array: let the ColumnTransformer come "
        "first, or use branches in `features`.",
    ),
    (
        r"does not contain only strings",
        "not_categories",
        "ToCategorical() takes text: cast the column to VARCHAR in `prepare`, or use "
        "ToCategorical(accept_int=True).",
    ),
    (
        r"needs samples of at least 2 classes|y contains 1 class|least 2 classes|"
        r"least populated class|at least two classes|"
        r"number of classes has to be greater than one|Only one class",
        "one_class_in_fold",
        "Use StratifiedKFold, fewer folds, or more rows of the rare class.",
    ),
    (
        r"Unknown label type",
        "target_not_classes",
        "The target is continuous: use a regressor, or derive classes from it.",
    ),
    (
        r"unexpected keyword argument 'sample_weight'",
        "sample_weight_unsupported",
        "This model takes no sample weights: drop `sample_weight` or choose another model.",
    ),
    (
        r"[Ff]ound unknown categor",
        "unknown_category",
        "Set handle_unknown='ignore' (OneHotEncoder) or "
        "handle_unknown='use_encoded_value', unknown_value=-1 (OrdinalEncoder).",
    ),
    (r"Found array with 0 (sample|feature)", "empty_input", "No rows or no columns are left."),
    (
        r"Expected n_neighbors <= n_samples_fit",
        "too_few_rows",
        "Ask for at most as many neighbours as a fold has training rows, or use fewer folds.",
    ),
    (
        r"n_components.*must be|must be between .* n_features|k=.*greater than n_features",
        "too_few_features",
        "Ask for fewer components than there are columns and rows.",
    ),
    (r"Negative values in data|X must be non-negative", "negative_values",
     "This estimator needs values of at least 0; use MinMaxScaler() in front."),
)  # fmt: skip


def describe_failure(op: Op, error: Exception) -> ExecutionError:
    """The error to report for `error`, raised by a library while `op` ran."""
    text = " ".join(str(error).split())
    message = f"{op.subject} failed: {type(error).__name__}: {text[:600]}"
    for pattern, code, hint in _KNOWN:
        if re.search(pattern, text):
            return ExecutionError(code, message, hint=hint)
    return ExecutionError(
        "fit_failed" if op.role is Role.FIT else "step_failed",
        message,
        hint="Check the parameters and the features against the library's documentation.",
    )
