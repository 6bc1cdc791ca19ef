"""Names for pipelines that came without one.

Input: the specs of a batch. Output: one unique name each, short and made from what differs:
``Ridge-alpha=0.1``, ``LGBM-lr=0.05-te``.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from planner.choices import render
from planner.errors import SpecError
from planner.expression_syntax import (
    Raw,
    RawCall,
    RawItems,
    RawName,
    RawPairs,
    parse_dict,
    parse_text,
)

MAX_NAME = 60

_SHORT = {
    "learning_rate": "lr",
    "n_estimators": "n",
    "max_depth": "depth",
    "num_leaves": "leaves",
    "max_leaf_nodes": "leaves",
    "min_child_samples": "min_child",
    "min_samples_leaf": "min_leaf",
    "colsample_bytree": "colsample",
    "n_neighbors": "k",
    "n_components": "n",
    "hidden_layer_sizes": "layers",
    "random_state": "seed",
    "class_weight": "weight",
    "TargetEncoder": "te",
    "OneHotEncoder": "ohe",
    "OrdinalEncoder": "ord",
    "StandardScaler": "std",
    "MinMaxScaler": "minmax",
    "RobustScaler": "robust",
    "SimpleImputer": "imp",
    "KNNImputer": "knnimp",
    "PolynomialFeatures": "poly",
    "TfidfVectorizer": "tfidf",
    "CountVectorizer": "count",
    "TruncatedSVD": "svd",
    "SelectKBest": "kbest",
    "QuantileTransformer": "quantile",
    "PowerTransformer": "power",
    "KBinsDiscretizer": "bins",
    "SplineTransformer": "spline",
    "ToCategorical": "cat",
    "LogisticRegression": "Logistic",
    "LinearRegression": "Linear",
    "HistGradientBoosting": "HistGB",
    "GradientBoosting": "GB",
    "RandomForest": "RF",
}
_COMPOSERS = frozenset("make_pipeline Pipeline".split())
# Told of a model that stands alone in the batch, where nothing differs.
_ALONE = 2
_IGNORED = frozenset("name model features dataset_id from".split())


class _Facts:
    """What one spec says: its model's short name, the model's parameters, other tokens."""

    def __init__(self, spec: Mapping[str, Any]) -> None:
        model = _read(spec.get("model"))
        parts = list(_calls(model))
        final = _final(model)
        blend = spec.get("blend")
        if isinstance(blend, Mapping):
            self.model = f"blend-{blend.get('how', 'mean')}"
        elif final is None:
            self.model = "python" if isinstance(spec.get("model"), Mapping) else "pipeline"
        else:
            self.model = _shorten_class(final.function.name)
        self.params = {} if final is None else _params(final)
        before = {call.function.name for call in parts if call is not final}
        features = {name for item in _texts(spec.get("features")) for name in _classes(item)}
        steps = spec.get("prepare")
        prepared = (
            [str(key) for step in steps if isinstance(step, Mapping) for key in step][:50]
            if isinstance(steps, list)
            else []
        )
        self.tokens = {
            _SHORT.get(name, name): None for name in sorted((before | features) - _COMPOSERS)
        } | dict.fromkeys(sorted(set(prepared)))
        self.fields = {
            key: value
            for key, value in spec.items()
            if key not in _IGNORED and key not in ("prepare", "blend")
        }


def names(specs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A name for each spec, in order: its own if it has one, else one made from what differs.

    Names made are at most 60 characters; a name seen before gets ``#2``, ``#3``, ... The result
    depends on the specs and their order only.
    """
    made = _made(specs)
    taken = {spec["name"] for spec in specs if isinstance(spec.get("name"), str)}
    used: set[str] = set()
    numbers: Counter[str] = Counter()
    result = []
    for spec, proposal in zip(specs, made, strict=True):
        own = spec.get("name")
        name = own if isinstance(own, str) else proposal
        unique = name
        while unique in used or (unique in taken and own != unique):
            numbers[name] += 1
            ending = f"#{numbers[name] + 1}"
            unique = (name if own == name else name[: MAX_NAME - len(ending)]) + ending
        used.add(unique)
        result.append(unique)
    return result


def _made(specs: Sequence[Mapping[str, Any]]) -> list[str]:
    facts = {at: _Facts(spec) for at, spec in enumerate(specs) if not spec.get("name")}
    groups: dict[str, list[_Facts]] = defaultdict(list)
    for fact in facts.values():
        groups[fact.model].append(fact)
    varying = {model: _varying([fact.params for fact in group]) for model, group in groups.items()}
    total = len(facts)
    tokens = Counter(token for fact in facts.values() for token in fact.tokens)
    fields = _varying([fact.fields for fact in facts.values()])
    result = []
    for at in range(len(specs)):
        if at not in facts:
            result.append("")
            continue
        fact = facts[at]
        told = [key for key in fact.params if key in varying[fact.model]]
        if len(groups[fact.model]) == 1:
            told = list(fact.params)[:_ALONE]
        parts = [fact.model]
        parts += [f"{_SHORT.get(key, key)}={fact.params[key]}" for key in told]
        parts += [token for token in fact.tokens if tokens[token] < total]
        parts += [_field(key, value) for key, value in fact.fields.items() if key in fields]
        result.append(_fit(parts))
    return result


def _fit(parts: list[str]) -> str:
    """As many parts as fit into the longest name allowed; at least the first, cut if need be."""
    name = parts[0][:MAX_NAME]
    for part in parts[1:]:
        if len(name) + 1 + len(part) <= MAX_NAME:
            name = f"{name}-{part}"
    return name


def _field(key: str, value: Any) -> str:
    match key, value:
        case "target", {"transform": str(transform)}:
            return transform
        case "target", {"column": str(column)}:
            return column
        case (("dataset" | "target"), str()):
            return render(value)
        case "early_stopping", {"rounds": rounds}:
            return f"es{rounds}"
        case "seeds", list():
            return f"{len(value)}seeds"
        case _, bool() | int() | float() | str():
            return f"{_SHORT.get(key, key)}={render(value)}"
    return key


def _varying(items: Sequence[Mapping[str, Any]]) -> set[str]:
    """Keys whose value is not the same in all of `items`."""
    seen: dict[str, set[str]] = defaultdict(set)
    total: Counter[str] = Counter()
    for item in items:
        for key, value in item.items():
            seen[key].add(repr(value))
            total[key] += 1
    return {key for key in seen if len(seen[key]) > 1 or total[key] < len(items)}


@lru_cache(maxsize=20_000)
def _read_text(text: str) -> Raw:
    try:
        return parse_text(text)
    except SpecError:
        return None  # reported when the pipeline is built


def _read(model: Any) -> Raw:
    if isinstance(model, str):
        return _read_text(model)
    if isinstance(model, Mapping) and isinstance(model.get("estimator"), str):
        try:
            return parse_dict(model)
        except SpecError:
            return None
    return None


def _final(raw: Raw) -> RawCall | None:
    """The predictor at the end of a model expression."""
    while True:
        if isinstance(raw, RawName):
            return RawCall(raw)
        if not isinstance(raw, RawCall):
            return None
        if raw.function.name not in _COMPOSERS:
            return raw
        inner: Raw = raw.args[-1] if raw.args else dict(raw.keywords).get("steps")
        while isinstance(inner, RawItems):
            inner = inner.values[-1] if inner.values else None
        raw = inner


def _calls(raw: Raw) -> Iterable[RawCall]:
    match raw:
        case RawCall():
            yield raw
            for value in (*raw.args, *(value for _, value in raw.keywords)):
                yield from _calls(value)
        case RawItems():
            for value in raw.values:
                yield from _calls(value)
        case RawPairs():
            for _, value in raw.items:
                yield from _calls(value)


def _params(call: RawCall) -> dict[str, str]:
    given = {str(at + 1): _show(value) for at, value in enumerate(call.args)}
    return given | {key: _show(value) for key, value in call.keywords}


def _show(value: Raw) -> str:
    match value:
        case RawName(name=name):
            return name
        case RawCall(function=RawName(name=name)):
            return _shorten_class(name)
        case RawItems(values=values):
            return "x".join(_show(item) for item in values)[:20]
        case RawPairs():
            return "{}"
        case str():
            return render(value)
    return repr(value)


def _shorten_class(name: str) -> str:
    for ending in ("Regressor", "Classifier"):
        if name.endswith(ending) and name != ending:
            name = name.removesuffix(ending)
    return _SHORT.get(name, name)


def _texts(value: Any) -> Iterable[str]:
    """The expression texts in the features of a spec."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, Mapping):
        for key in ("steps", "estimator"):
            if key in value:
                yield from _texts(value[key])


def _classes(text: str) -> Iterable[str]:
    raw = _read_text(text)
    if isinstance(raw, RawName):
        yield raw.name
    for call in _calls(raw):
        yield call.function.name
