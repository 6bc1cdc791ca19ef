"""Describes every operator of the installed libraries, as JSON for `planner.registry`.

Input: the libraries. Output: the registry's data. It imports them all, so it runs in a worker;
`executor.versions`, which imports nothing, tells whether an earlier answer still holds.
"""

import importlib
import inspect
import re
import warnings
from collections.abc import Iterable
from functools import cache
from typing import Any

from executor import introspect_boosters as boosters
from executor import introspect_tables as tables
from executor.introspect_literals import to_literal
from executor.versions import library_versions
from planner.registry import NoDefault, Operator, Parameter, Registry

_FAMILIES = {
    "linear_model": "linear",
    "tree": "tree",
    "neighbors": "neighbors",
    "svm": "svm",
    "neural_network": "neural",
    "naive_bayes": "naive_bayes",
    "gaussian_process": "gaussian_process",
    "discriminant_analysis": "discriminant",
    "dummy": "dummy",
    "cluster": "cluster",
    "mixture": "mixture",
    "decomposition": "decomposition",
    "cross_decomposition": "decomposition",
    "preprocessing": "preprocessing",
    "impute": "imputation",
    "feature_selection": "selection",
    "feature_extraction": "text",
    "model_selection": "model_selection",
    "kernel_ridge": "kernel",
    "kernel_approximation": "kernel",
    "random_projection": "projection",
    "manifold": "manifold",
    "isotonic": "linear",
}


@cache
def registry() -> Registry:
    """The registry of this process's libraries, made once."""
    return Registry(_operators(), library_versions())


def introspect() -> dict[str, Any]:
    """The registry of this process's libraries, as JSON data."""
    return registry().to_json()


def _operators() -> Iterable[Operator]:
    for name in _sklearn_names():
        yield _describe(name)
    for name, module in tables.COMPOSERS.items():
        found = getattr(importlib.import_module(module), name)
        yield Operator(
            name,
            module,
            "composer",
            "sklearn",
            summary=_summary(found),
            parameters=tuple(p for p in _parameters(found) if p.name != "verbose"),
        )
    yield from (_describe(name) for name in tables.LIGHTGBM)
    yield from (_describe(name) for name in tables.XGBOOST)
    for library, names in (("catboost", tables.CATBOOST), ("skrub", tables.SKRUB)):
        installed = tables.optional(library)
        if installed is not None:
            yield from (_describe(name) for name in names if hasattr(installed, name))
    for name, module in tables.FUNCTIONS.items():
        yield _function(name, module)
    for name, module in tables.TYPES.items():
        yield Operator(name, module, "type", module, summary="A dtype.", supervised=False)
    for name, params in tables.DISTRIBUTIONS.items():
        yield Operator(
            name,
            "scipy.stats",
            "distribution",
            "scipy",
            summary="A distribution to search a parameter in.",
            parameters=tuple(
                Parameter(
                    parameter,
                    NoDefault.REQUIRED if required else NoDefault.OPAQUE,
                    "number",
                    positional=True,
                )
                for parameter, required in params
            ),
            supervised=False,
        )


def _sklearn_names() -> list[str]:
    from sklearn.utils import all_estimators

    tables.experimental()
    names = {name for name, _ in all_estimators()}
    for module in ("sklearn.model_selection", "sklearn.gaussian_process.kernels"):
        names.update(vars(importlib.import_module(module)))
    names.add("make_column_selector")
    return sorted(name for name in names if _located(name))


def _located(name: str) -> bool:
    try:
        tables.locate(name)
    except KeyError:
        return False
    return True


def _function(name: str, module: str) -> Operator:
    found = getattr(importlib.import_module(module), name)
    scores = module != "numpy"
    return Operator(
        name,
        module,
        "function",
        module.partition(".")[0],
        summary=_summary(found) if scores else f"numpy.{name}, element-wise.",
        # A score function is given X and y by its selector.
        parameters=tuple(_parameters(found)[2:]) if scores else (),
        supervised=scores,
        stateless=not scores,
    )


def _describe(name: str) -> Operator:
    module, found = tables.locate(name)
    library = module.partition(".")[0]
    tags = _tags(found)
    kind = _kind(found)
    methods = tuple(
        method
        for method in ("transform", "predict", "predict_proba", "decision_function")
        if hasattr(found, method)
    )
    if kind == "transformer" and "transform" not in methods:
        kind = "other"  # an embedding of the rows it is fitted on only
    described: boosters.Described = (_parameters(found), (), (), ())
    if library == "lightgbm":
        described = boosters.lightgbm(described[0])
    elif library == "xgboost":
        described = boosters.xgboost(found, _parameters)
    elif library == "catboost":
        described = boosters.catboost(described[0])
    parameters, extra, aliases, refused = described
    booster = library in ("lightgbm", "xgboost", "catboost")
    return Operator(
        name,
        module,
        kind,
        library,
        family="boosting" if booster and "RF" not in name else _family(name, module),
        summary=_summary(found),
        parameters=parameters,
        extra=extra,
        aliases=aliases,
        refused=refused,
        supervised=name not in tables.UNSUPERVISED and kind not in _NOT_FITTED,
        composite=name in tables.COMPOSITE,
        stateless=name in tables.STATELESS,
        handles_missing=booster or bool(tags and tags.input_tags.allow_nan),
        handles_strings=name in tables.STRINGS
        or bool(tags and (tags.input_tags.string or tags.input_tags.categorical)),
        text=name in tables.TEXT,
        single_column=bool(getattr(found, "__single_column_transformer__", False)),
        methods=methods,
    )


def _kind(found: type) -> str:
    from sklearn import base
    from sklearn.compose import make_column_selector
    from sklearn.gaussian_process.kernels import Kernel
    from sklearn.pipeline import Pipeline

    if found is make_column_selector:
        return "selector"
    if issubclass(found, Pipeline):
        return "pipeline"
    if issubclass(found, Kernel):
        return "kernel"
    if found.__name__ in tables.WRAPPERS:
        return "wrapper"
    if not hasattr(found, "fit"):
        return "splitter"
    if found.__name__.endswith("Ranker"):
        return "ranker"
    for kind, mixin in (
        ("classifier", base.ClassifierMixin),
        ("regressor", base.RegressorMixin),
        ("clusterer", base.ClusterMixin),
        ("outlier_detector", base.OutlierMixin),
        ("transformer", base.TransformerMixin),
        ("density", base.DensityMixin),
    ):
        if issubclass(found, mixin):
            return kind
    if found.__name__.startswith("CatBoost"):
        return "regressor" if found.__name__.endswith("Regressor") else "classifier"
    return "transformer" if hasattr(found, "transform") else "other"


def _family(name: str, module: str) -> str:
    if "Boost" in name:
        return "boosting"
    if "Forest" in name or "ExtraTree" in name or name.startswith("XGBRF"):
        return "forest" if "ensemble" in module or module == "xgboost" else "tree"
    part = module.split(".")[1] if "." in module else module
    return _FAMILIES.get(part, "meta" if part in _META else part if part == "skrub" else "")


_NOT_FITTED = frozenset("selector kernel splitter".split())
_META = frozenset("ensemble pipeline compose multiclass multioutput calibration".split())


def _tags(found: type) -> Any:
    """The estimator's tags, asked of an instance with simple parts; None if it has none."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.utils import get_tags

    parts: dict[str, Any] = {
        "estimator": LogisticRegression(),
        "estimators": [("a", LogisticRegression())],
        "steps": [("a", LogisticRegression())],
    }
    required = {
        name: parts.get(name)
        for name, parameter in inspect.signature(found).parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated estimators say so when made
            return get_tags(found(**required))
    except Exception:  # no estimator, or not one to be made of these parts
        return None


def _summary(found: object) -> str:
    document = inspect.getdoc(found) or ""
    first = re.split(r"\n\s*\n", document.strip(), maxsplit=1)[0]
    line = " ".join(re.sub(r":\w+:`~?([^`<]*)(?:<[^`]*)?`", r"\1", first).split())
    return line if len(line) <= 160 else line[:157] + "..."


def _parameters(found: Any) -> tuple[Parameter, ...]:
    """Constructor parameters in order; ``*args`` and ``**kwargs`` are left out."""
    constraints = getattr(found, "_parameter_constraints", {})
    result = []
    for name, parameter in inspect.signature(found).parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        default: Any = NoDefault.REQUIRED
        if parameter.default is not parameter.empty:
            default = to_literal(parameter.default)
        words, real = _type(constraints.get(name), parameter.annotation)
        result.append(
            Parameter(name, default, words, real, parameter.kind != parameter.KEYWORD_ONLY)
        )
    return tuple(result)


def _type(constraint: Any, annotation: Any) -> tuple[str, bool]:
    """What a parameter accepts, in words, and whether it is a real number (see `Parameter`)."""
    if isinstance(constraint, list):
        return _constraints(constraint)
    if annotation is inspect.Parameter.empty:
        return "", False
    words = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    words = re.sub(r"typing\.|numpy\.\w+\.\w+\.|collections\.abc\.", "", words)
    real = re.fullmatch(r"float|Optional\[float\]|Union\[float, NoneType\]", words) is not None
    if len(words) > 100:
        words = words[:97] + "..."
    return words, real


def _constraints(constraint: list[Any]) -> tuple[str, bool]:
    from numbers import Integral, Real

    from sklearn.utils._param_validation import Interval, make_constraint

    made = [make_constraint(item) for item in constraint]
    intervals = {item.type for item in made if isinstance(item, Interval)}
    shown = [_words(item) for item in made if not getattr(item, "hidden", False)]
    words = " or ".join(dict.fromkeys(shown))
    if len(words) > 200:
        words = words[:197] + "..."
    return words, Real in intervals and Integral not in intervals


def _words(constraint: Any) -> str:
    """One of scikit-learn's constraints, shorter than its own words and in a fixed order."""
    options = getattr(constraint, "options", None)
    if options is not None:
        return " | ".join(sorted(repr(option) for option in options))
    name = type(constraint).__name__.strip("_")
    simple = {
        "Booleans": "bool",
        "RandomStates": "int or None",
        "VerboseHelper": "int",
        "CVObjects": "int or splitter or None",
        "NoneConstraint": "None",
        "ArrayLikes": "list",
        "Callables": "function",
    }
    words = simple.get(name) or str(constraint)
    words = re.sub(r"an instance of '(?:[\w.]*\.)?(\w+)'", r"\1", words)
    words = re.sub(r"^an? (?=int|float)", "", words).replace(" in the range ", " in ")
    return words
