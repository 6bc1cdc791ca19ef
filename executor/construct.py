"""Builds estimators from `Call` values, and lets the library check their parameters.

Input: a canonical `Call`. Output: an unfitted estimator (or splitter, kernel, ...). Names are
resolved by the allow-list of `executor.introspect_tables` only. Runs in workers.
"""

import functools
import re
import warnings
from typing import Any

from executor.introspect_tables import FUNCTIONS, TYPES, locate
from planner.errors import SpecError
from planner.expression_types import Call, Function, Items, Literal, Pairs, walk_calls

# One thread each: the engine runs fits side by side, and the boosting libraries' results depend
# on the number of threads.
_LIGHTGBM = {"deterministic": True, "n_jobs": 1, "verbose": -1}
_XGBOOST = {"n_jobs": 1, "verbosity": 0}
_CATBOOST = {"thread_count": 1, "verbose": False, "allow_writing_files": False}
# Of these there are quicker ones with equal results.
_DISTINCT_TEXT = frozenset(
    "CountVectorizer HashingVectorizer StringEncoder TfidfVectorizer TruncatedSVD".split()
)


def construct(call: Call) -> Any:
    """The unfitted object that `call` describes.

    LightGBM runs deterministic and column-wise unless the call says otherwise; every booster
    runs on one thread and in silence; CatBoost writes no files.

    Raises:
        SpecError: `unknown_estimator` if the library is not installed here,
            `invalid_parameter` if the constructor refuses.
    """
    try:
        module, found = locate(call.name)
    except KeyError:
        raise SpecError(
            "unknown_estimator",
            f"'{call.name[:80]}' is not available in this installation.",
            hint="list_operators lists what is.",
        ) from None
    params = {name: value(item) for name, item in call.params}
    if call.name in _DISTINCT_TEXT:
        from executor import distinct_text

        found = getattr(distinct_text, call.name) or found
    if module == "lightgbm":
        defaults = dict(_LIGHTGBM)
        if not params.get("force_row_wise"):
            defaults["force_col_wise"] = True
        params = {**defaults, **params}
    elif module == "xgboost":
        params = {**_XGBOOST, **params}
    elif module == "catboost":
        params = {**_CATBOOST, **params}
    try:
        return found(**params)
    except (TypeError, ValueError) as error:
        raise SpecError("invalid_parameter", f"{call.name}: {error}") from None


def value(literal: Literal) -> Any:
    """The Python object that `literal` stands for."""
    match literal:
        case Call():
            return construct(literal)
        case Function(name=name, params=params):
            if name not in FUNCTIONS and name not in TYPES:
                raise SpecError("unknown_function", f"There is no function '{name[:80]}'.")
            found = locate(name)[1]
            if not params:
                return found
            return functools.partial(found, **{key: value(item) for key, item in params})
        case Items(kind=kind, values=values):
            made = [value(item) for item in values]
            return made if kind == "list" else tuple(made)
        case Pairs(items=items):
            return {value(key): value(item) for key, item in items}
    return literal


def validate(call: Call, path: str = "") -> None:
    """Check the parameters of `call` and of every call in it, without fitting.

    Raises:
        SpecError: `invalid_parameter`, with the library's own message.
    """
    from sklearn.utils._param_validation import InvalidParameterError

    for inner in walk_calls(call):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # deprecations are reported by the fit
                made = construct(inner)
                check = getattr(made, "_validate_params", None)
                if check is not None and hasattr(made, "_parameter_constraints"):
                    check()
        except InvalidParameterError as error:
            message = str(error)
            named = re.match(r"The '(\w+)' parameter", message)
            hint = f"Change '{named[1]}' of {inner.name}." if named else ""
            raise SpecError("invalid_parameter", message, path=path, hint=hint) from None
        except SpecError as error:
            raise error.at(path) from None
